"""A page in Markdown for each rule, and the index of them: the facts of `harness explain`, for the site.

Layer 8. The codes of a rule's findings are fragments of its page.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from harness.checks.gateway.mutants import MUTANTS as GATEWAYS
from harness.cli.rules.rule_facts import Fact, RuleFacts, describe_everything, list_codes
from harness.emulator.mutants import MUTANTS as EMULATORS
from harness.interactions import INTERACTIONS
from harness.outcome import Rule
from harness.rules import ROWS

_SHOWN_AS_CODE = frozenset({"run it alone"})


def rule_index() -> str:
    """The page that lists every rule, by the command that judges it and by area."""
    lines = [
        "# Rules",
        "",
        "Every rule that a check judges, with its level. `harness explain ID` prints the same; a finding",
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
                "| Rule | Level | Statement |",
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
    lines += ["", "## Example", "", *_write_example(rule), "", "## Findings", ""]
    for code in list_codes(rule):
        lines.append(f"- `{code}`{{ #{code.removeprefix(rule.id).strip('/') or 'finding'} }}")
    lines += ["", "A baseline excuses one of them by its code, or the rule by its id. [All rules](index.md)"]
    return "\n".join(lines) + "\n"


def _write_example(rule: Rule) -> Iterator[str]:
    """What meets the rule, and a defect that breaks it: of a mutant, if the rule has one."""
    row = ROWS.get(rule.id)
    accepted = row.accepts[0] if row is not None and row.accepts else rule.statement
    yield f"- **Right**: {_write_text(accepted)}"
    if row is not None and row.mutant:
        defect = f"{_write_text(EMULATORS[row.mutant].summary)} (`harness serve --mutant {row.mutant}`)"
    else:
        gateways = (mutant.summary for mutant in GATEWAYS.values() if mutant.area == rule.id)
        defect = _write_text(next(gateways, rule.breaks))
    yield f"- **Wrong**: {defect}"


def _write_value(fact: Fact) -> str:
    if fact.url:
        return f"[{_write_text(fact.text)}]({fact.url})"
    return f"`{fact.text}`" if fact.label in _SHOWN_AS_CODE else _write_text(fact.text)


def _write_text(text: str) -> str:
    """Text as Markdown shows it unchanged."""
    return "".join(f"\\{char}" if char in "\\*_[]<>#" else char for char in text)


def _quote(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
