"""The Markdown report, made for `$GITHUB_STEP_SUMMARY`: totals, what failed and why, the rest folded away.

Layer 6.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.engine.results import Result
from harness.outcome import Accounted, Verdict
from harness.report.commands.presentation import PresentedRun

_SHOWN = (Accounted.FAILED, Accounted.WARNED, Accounted.NOT_TESTED)
_OPEN = frozenset({Verdict.FAIL, Verdict.ERROR})


def render(state: PresentedRun) -> str:
    """The report of a finished run."""
    presentation = state.presentation
    facts = [f"{word} `{_write_cell(value)}`" for word, value in state.facts]
    lines = [
        f"## {state.subject}: {_write_cell(state.place)}",
        "",
        f"**{_write_cell(state.verdict_text)}**",
        "",
        *([_write_cell(halted), ""] if (halted := state.halted_text) else []),
        *([f"{', '.join(facts)}.", ""] if facts else []),
        state.totals,
        "",
        f"| outcome | {state.noun}s |",
        "| --- | ---: |",
    ]
    lines += [f"| {tally.word} | {tally.number} |" for tally in state.tallies]
    if told := list(state.list_notes()):
        lines += ["", *fence("\n".join(told))]
    for section in presentation.sections(state):
        lines += ["", f"### {section.title}"]
        if section.lines:
            lines += ["", *fence("\n".join(section.lines))]
        for group in section.folded:
            lines += ["", f"<details><summary>{_write_html(group.summary)}</summary>"]
            lines += ["", *fence("\n".join(group.lines)), "", "</details>"]
    for outcome in _SHOWN:
        results = [result for result in state.most_urgent_first if result.outcome is outcome]
        if results:
            lines += ["", f"### {outcome.word.capitalize()}", ""]
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
