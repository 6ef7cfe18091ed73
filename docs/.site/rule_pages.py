"""The pages of the site about rules: one for each, their index, the sentences, the mutation score; in Markdown.

A rule's page has the facts of `harness explain`; the codes of its findings are fragments of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

from harness.cli.rules.rule_facts import Fact, RuleFacts, list_codes
from harness.emulator.mutants import MUTANTS as EMULATORS
from harness.interactions import INTERACTIONS
from harness.report.collected_run import to_sentence
from harness.rules import ROWS
from harness.rules.sentence_rows import Sentence, load_sentences
from lab.defects.generation import load_excuses
from lab.gateways import MUTANTS as GATEWAYS
from lab.ledger import REASONS, count_sentences
from lab.score import DATA
from lab.site import describe_everything

_TOLD_FIRST = frozenset({"what breaks", "silent", "known fix"})
_SOURCES = frozenset({"source", "sentence"})
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


def list_rules() -> list[str]:
    """The id of each rule."""
    return [facts.rule.id for facts in describe_everything()]


def rule_pages() -> Iterator[tuple[str, str]]:
    """The id of each rule and its page."""
    return ((facts.rule.id, _page(facts)) for facts in describe_everything())


def _page(facts: RuleFacts) -> str:
    rule = facts.rule
    lines = [f"# {rule.id}", "", f"**{rule.level}**: {_write_text(rule.statement)}", ""]
    if not rule.is_stated_by(facts.heading):
        lines += [f"{_write_text(facts.heading[0].upper() + facts.heading[1:])}.", ""]
    for fact in facts.facts:
        if fact.label in _TOLD_FIRST:
            lines += [f"**{to_sentence(fact.label)}**: {_write_value(fact)}", ""]
    lines += ["## Example", "", *_write_example(facts), "", "## Sources", ""]
    lines += [f"- {_write_value(fact)}" for fact in facts.facts if fact.label in _SOURCES]
    lines += ["", "## Check", ""]
    for fact in facts.facts[1:]:  # the requirement stands above
        if fact.label not in _TOLD_FIRST | _SOURCES:
            lines.append(f"- **{fact.label}**: {_write_value(fact)}")
    lines += ["", "## Findings", ""]
    for code in list_codes(rule.id):
        lines.append(f"- `{code}`{{ #{code.removeprefix(rule.id).strip('/') or 'finding'} }}")
    lines += ["", "A baseline excuses one of them by its code, or the rule by its id. [All rules](index.md)"]
    return "\n".join(lines) + "\n"


_PLAINER = {"resume.no-gap": "resume-skips-one"}
"""Mutants that show a rule more plainly than the one of its row, which no other check may kill."""


def shown_mutant(rule: str) -> str:
    """The mutant that a rule's page shows; `""` for none."""
    row = ROWS.get(rule)
    return _PLAINER.get(rule, "" if row is None else row.mutant)


def _write_example(facts: RuleFacts) -> Iterator[str]:
    """What meets the rule, and a defect that breaks it: of a mutant, if the rule has one."""
    rule = facts.rule
    row = ROWS.get(rule.id)
    accepted = row.accepts[0] if row is not None and row.accepts else rule.statement
    yield f"- **Right**: {_write_text(accepted)}"
    if mutant := shown_mutant(rule.id):
        defect = f"{_write_text(EMULATORS[mutant].summary)} (`harness serve --mutant {mutant}`)"
    else:
        gateways = (mutant.summary for mutant in GATEWAYS.values() if mutant.area == rule.id)
        defect = _write_text(next(gateways, rule.breaks))
    broken = to_sentence(rule.broken)
    yield f"- **Wrong**: {_write_text(broken)}. For example: {defect}" if broken else f"- **Wrong**: {defect}"
    if absent := _WITHOUT_PICTURE.get(facts.command):
        yield f"- **Picture**: none, because {absent}."


_WITHOUT_PICTURE = {
    "fuzz": "each search finds its own requests; [its report](../fuzzing.md) draws those that break the rule",
    "torture": "it judges a program of yours; [its report](../torture.md) draws the stream that it received, and "
    "[a table](../clients.md) shows known clients",
    "verify": "it judges what a client sends; [the report](../recording.md) of a recording shows the request",
}
"""Why the page of a rule has no picture of right and wrong, by the command that judges the rule."""


def _write_value(fact: Fact) -> str:
    if fact.url:
        return f"[{_write_text(fact.text)}]({fact.url})"
    return f"`{fact.text}`" if fact.label in _SHOWN_AS_CODE else _write_text(fact.text)


def _write_text(text: str) -> str:
    return escape_markdown(text, "\\*_[]<>#")


def _quote(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


# The sentences of the documents, with the rules that judge them.


def sentences_page() -> str:
    """The page of the site: a table for each document."""
    sentences = load_sentences()
    lines = [
        "# Sentences of the documents",
        "",
        "Each checkable sentence of the documents that describe the API, in short and in words of this project,",
        "with the rules that judge it, or the reason why none does.",
        "",
        f"{count_sentences(sentences)}.",
        "",
        "| Not judged | Because |",
        "|---|---|",
        *(f"| {word} | {about} |" for word, about in REASONS.items()),
    ]
    for page, group in groupby(sentences, key=lambda sentence: sentence.page):
        of_page = list(group)
        url = of_page[0].url
        lines += ["", f"## {page}", "", f"Read on {of_page[0].read}{f': <{url}>' if url else ''}.", ""]
        lines += ["| Section | Sentence | Judged by |", "|---|---|---|"]
        lines += [
            f"| {escape_markdown(sentence.section)} | {escape_markdown(sentence.words)} "
            f"| {_link_rules(sentence)} |"
            for sentence in of_page
        ]
    return "\n".join(lines) + "\n"


def _link_rules(sentence: Sentence) -> str:
    if not sentence.rules:
        return f"not judged ({sentence.reason}): {escape_markdown(sentence.because)}"
    rules = ", ".join(f"[{rule}](rules/{rule}.md)" for rule in sentence.rules)
    return f"{rules}; partly: {escape_markdown(sentence.partly)}" if sentence.partly else rules


def escape_markdown(text: str, marks: str = "\\*_[]<>#|{}") -> str:
    """Text as Markdown shows it unchanged, by default in a cell; code between backticks has no escapes."""
    parts = text.split("`")
    for place in range(0, len(parts), 2):
        parts[place] = "".join(f"\\{char}" if char in marks else char for char in parts[place])
    return "`".join(parts)


# The mutation score as a page of the site; `python -m lab score --publish` writes its data.


_HEAD = "| Shown | Failed | Warned | Listed | Survived | Reported | MUST failed |"
_LINE = "|---:|---:|---:|---:|---:|---:|---:|"


def write_page(data: Mapping[str, Any]) -> str:
    """Return what follows on the page after what is written there."""
    score, before, odd = data["score"], data["before"], data["oddities"]
    lines = [
        f"The traffic of a clean run allows {data['generated']:,} defects. A sample of",
        f"{score['shown'] + data['not_shown']:,} (seed {data['seed']}) was run; {data['not_shown']:,} of them",
        "changed no byte that a client got, so they do not count.",
        f"The share that is reported is accurate to {data['margin_percent']} points (95 %).",
        f"The catalog is that of commit {data['commit']}.",
        "",
        f"| Catalog {_HEAD}",
        f"|---{_LINE}",
        f"| before | {_cells(before)} |",
        f"| now | {_cells(score)} |",
        "",
        f"{odd['played']} legal oddities were run in the same way.",
        f"A check failed on {len(odd['failed'])} of them.",
        *(f"\n- {_escape(name)}" for name in odd["failed"]),
    ]
    for name, groups in data["groups"].items():
        lines += ["", f"## Score by {name}", "", f"| {name.capitalize()} {_HEAD}", f"|---{_LINE}"]
        lines += [f"| {key} | {_cells(cells)} |" for key, cells in groups.items()]
    lines += ["", "## Checks that report most defects", "", "| Check | Defects |", "|---|---:|"]
    lines += [f"| [{check}](rules/{check}.md) | {number} |" for check, number in data["rules"].items()]
    lines += ["", "## Listed survivors", "", "A defect of these kinds may survive.", ""]
    lines += ["| Entry | Kind | Survivors | Why |", "|---|---|---:|---|"]
    lines += [
        f"| `{excuse.name}` | {excuse.kind} | {data['excused'].get(excuse.name, 0)} | {excuse.because} |"
        for excuse in load_excuses()
    ]
    lines += ["", "## Survivors that are not listed", "", "The catalog does not prove these.", ""]
    lines += [f"- {_escape(name)}" for name in data["survivors"]]
    return "\n".join(lines) + "\n"


def mutation_page() -> str:
    """Return what follows on the page, from the data that is kept."""
    return write_page(json.loads(DATA.read_bytes()))


def _cells(score: Mapping[str, Any]) -> str:
    counts = (score[name] for name in ("shown", "failed", "warned", "excused", "survived"))
    shares = (f"{score[name]:.1f} %" for name in ("found_percent", "must_failed_percent"))
    return " | ".join([*(f"{count:,}" for count in counts), *shares])


def _escape(name: str) -> str:
    shown = name if len(name) <= 160 else name[:80] + "…" + name[-79:]
    return "`" + shown.replace("`", "'") + "`"
