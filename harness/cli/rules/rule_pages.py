"""A page in Markdown for each rule, and the index of them: what `harness explain` says, for the site.

Layer 7. The codes of a rule's findings are fragments of its page.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from harness.cli.rules.rule_facts import Fact, RuleFacts, describe_everything, list_codes
from harness.interactions import INTERACTIONS

_SHOWN_AS_CODE = frozenset({"run it alone"})


def rule_index() -> str:
    """The page that lists every rule, by the command that judges it and by area."""
    lines = [
        "# Rules",
        "",
        "Every promise that is judged, with its level. `harness explain ID` prints the same; a finding",
        "is named by its code, which stays the same from version to version.",
    ]
    titles = INTERACTIONS.load_areas()
    described = sorted(describe_everything(), key=lambda facts: (facts.command, facts.rule.area))
    for command, of_command in groupby(described, key=lambda facts: facts.command):
        lines += ["", f"## harness {command}"]
        for area, rules in groupby(of_command, key=lambda facts: facts.rule.area):
            lines += [
                "",
                f"### {titles.get(area, area)} (`{area}`)",
                "",
                "| Rule | Level | What is promised |",
                "|---|---|---|",
            ]
            lines += [
                f"| [{facts.rule.id}]({facts.rule.id}.md) | {facts.rule.level} | {_quote(facts.rule.statement)} |"
                for facts in rules
            ]
    return "\n".join(lines) + "\n"


def rule_pages() -> Iterator[tuple[str, str]]:
    """The id of each rule and its page."""
    return ((facts.rule.id, _page(facts)) for facts in describe_everything())


def _page(facts: RuleFacts) -> str:
    rule = facts.rule
    lines = [f"# {rule.id}", "", f"**{rule.level}**: {_write_text(rule.statement)}", ""]
    lines += [f"{_write_text(facts.heading[0].upper() + facts.heading[1:])}.", ""]
    for fact in facts.facts[1:]:  # the requirement stands above
        lines.append(f"- **{fact.label}**: {_write_value(fact)}")
    lines += ["", "## Findings", ""]
    for code in list_codes(rule):
        lines.append(f"- `{code}`{{ #{code.removeprefix(rule.id).strip('/') or 'finding'} }}")
    lines += ["", "A baseline excuses one of them by its code, or the rule by its id. [All rules](index.md)"]
    return "\n".join(lines) + "\n"


def _write_value(fact: Fact) -> str:
    if fact.url:
        return f"[{_write_text(fact.text)}]({fact.url})"
    return f"`{fact.text}`" if fact.label in _SHOWN_AS_CODE else _write_text(fact.text)


def _write_text(text: str) -> str:
    """Text as Markdown shows it unchanged."""
    return "".join(f"\\{char}" if char in "\\*_[]<>#" else char for char in text)


def _quote(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
