"""The Markdown report, made for `$GITHUB_STEP_SUMMARY`: totals, what failed and why, the rest folded away.

Layer 6.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.engine.results import Result
from harness.outcome import Verdict
from harness.outcome.words import format_count
from harness.report.presented_run import PresentedRun

_TOLD = (Verdict.FAIL, Verdict.ERROR, Verdict.STALE, Verdict.WARN, Verdict.XFAIL, Verdict.UNTESTABLE)
_OPEN = frozenset({Verdict.FAIL, Verdict.ERROR})


def render(state: PresentedRun) -> str:
    """The report of a finished run."""
    target, finished = state.whole()
    presentation = state.presentation
    place = state.mask.text(target.url or target.name)
    facts = [f"{word} `{_write_cell(state.mask.text(value))}`" for word, value in presentation.facts(state)]
    about = ", ".join([*facts, format_count(len(finished.results), presentation.noun)])
    subject = presentation.subject.format(api=state.api.title)
    lines = [
        f"## {subject}: {_write_cell(place)} — {finished.exit.name.lower().replace('_', ' ')}",
        "",
        f"**{_write_cell(str(presentation.headline(state)))}**",
        "",
        *([_write_cell(halted), ""] if (halted := state.halted_text) else []),
        f"{about}.",
        "",
        f"| verdict | {presentation.noun}s |",
        "| --- | ---: |",
    ]
    lines += [f"| {v.replace('_', ' ')} | {n} |" for v, n in finished.counts.items() if n]
    if ledger := [state.mask.text(line) for line in presentation.ledger(state)]:
        lines += ["", *fence("\n".join(ledger))]
    for section in presentation.sections(state):
        lines += ["", f"### {section.title}"]
        if section.lines:
            lines += ["", *fence("\n".join(section.lines))]
        for group in section.folded:
            lines += ["", f"<details><summary>{_write_html(group.summary)}</summary>"]
            lines += ["", *fence("\n".join(group.lines)), "", "</details>"]
    for verdict in _TOLD:
        results = [result for result in state.most_urgent_first if result.verdict is verdict]
        if results:
            lines += ["", f"### {verdict.replace('_', ' ').capitalize()}", ""]
            lines += [line for result in results for line in _write_entry(result, state)]
    return "\n".join(lines) + "\n"


def _write_entry(result: Result, state: PresentedRun) -> Sequence[str]:
    text = state.presentation.explain(result, state, verbose=False)
    opened = " open" if result.verdict in _OPEN else ""
    heading = (
        f"<code>{_write_html(result.id)}</code> [{result.rule.level}] {_write_html(state.mask.text(result.title))}"
    )
    return [
        f"<details{opened}><summary>{heading}</summary>",
        "",
        *fence(text),
        "",
        "</details>",
        "",
    ]


def fence(text: str, language: str = "text") -> list[str]:
    """The lines of a block of code, whatever is in it."""
    ticks = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 3)
    return [f"{ticks}{language}", text, ticks]


def _write_cell(text: str) -> str:
    return text.replace("|", "\\|").replace("`", "'").replace("\n", " ")


def _write_html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
