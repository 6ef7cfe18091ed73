"""The Markdown report, made for `$GITHUB_STEP_SUMMARY`: totals, what failed and why, the rest folded away.

Layer 6.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain

from harness.outcome import Accounted
from harness.report.commands.presentation import Section
from harness.report.presented_result import PresentedResult
from harness.report.presented_run import TOLD, OutcomeRow, PresentedRun
from harness.wire.message import escape_controls


def render(state: PresentedRun) -> str:
    """The report of a finished run."""
    facts = ", ".join(f"{word} {write_code(value)}" for word, value in state.facts)
    lines = [f"## {state.subject}: {write_plain(state.place)}", "", f"**{write_plain(state.verdict_text)}**", ""]
    for paragraph in filter(None, (write_plain(state.halted_text), f"{facts}." if facts else "", state.totals)):
        lines += [paragraph, ""]
    lines += [f"| outcome | {state.noun}s |", "| --- | ---: |"]
    lines += [f"| {tally.word} | {tally.number} |" for tally in state.tallies]
    if notes := list(state.list_notes()):
        lines += ["", *fence("\n".join(notes))]
    lines += chain.from_iterable(map(_write_section, state.presentation.sections(state)))
    for outcome in TOLD:
        results = [shown for shown in state.urgent_first if shown.outcome is outcome]
        explained = [shown for shown in results if outcome is not Accounted.NOT_TESTED or shown.is_explained]
        if results:
            lines += [
                "",
                f"### {outcome.word.capitalize()}",
                "",
                *chain.from_iterable(map(_write_entry, explained)),
            ]
        if len(results) > len(explained):
            lines += _write_reasons(next(row for row in state.list_outcomes() if row.outcome is outcome))
    return "\n".join(lines) + "\n"


def _write_reasons(row: OutcomeRow) -> Iterator[str]:
    """The results of one outcome by their reason: what does not fail the run needs no entry of its own."""
    yield from (f"<details><summary>{row.number} {row.words}, by reason</summary>", "")
    for group in row.groups:
        ids = ", ".join(map(write_code, group.ids)) + (f" and {group.more} more" if group.more else "")
        help_ = f"; help: {write_plain(group.remedy)}" if group.remedy else ""
        yield f"- {': '.join(filter(None, (ids, write_plain(group.reason))))}{help_}"
    yield from ("", "</details>", "")


def _write_section(section: Section) -> Iterator[str]:
    yield from ("", f"### {section.title}")
    if section.lines:
        yield from ("", *fence("\n".join(section.lines)))
    for group in section.folded:
        yield from ("", f"<details><summary>{_write_html(group.summary)}</summary>")
        yield from ("", *fence("\n".join(group.lines)), "", "</details>")


def _write_entry(shown: PresentedResult) -> Sequence[str]:
    heading = f"<code>{_write_html(shown.result.id)}</code> [{shown.standing_level}] {_write_html(shown.title)}"
    return [
        f"<details{' open' if shown.is_open else ''}><summary>{heading}</summary>",
        "",
        *fence(shown.explain()),
        "",
        "</details>",
        "",
    ]


def fence(text: str, language: str = "text") -> list[str]:
    """The lines of a block of code, whatever is in it; a command in it has no unseen characters, either."""
    text = escape_controls(text)
    ticks = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 3)
    return [f"{ticks}{language}", text, ticks]


_ACTIVE = re.compile(r"[*\[\]|~]|(?<!\w)_|_(?!\w)|\\(?=[!-/:-@\[-`{-~])")
"""What makes a link, an image, emphasis, or the end of a cell, and a backslash that would undo its escape."""
_MENTION = re.compile(r"[@#](?=\w)")
"""What a hosting service turns into a message to a person, or into a link to an issue."""
_END_OF_CELL = re.compile(r"\\*\|")


def write_plain(text: str) -> str:
    """A text of a stranger within a line or a cell: no markup, no mention, no invisible mark."""
    return _ACTIVE.sub(r"\\\g<0>", " ".join(_write_html(text).split()))


def write_code(text: str) -> str:
    """The same as code, in which only a cell of a table can end: a backslash before `|` would undo its escape."""
    plain = " ".join(escape_controls(text).split()).replace("`", "'")
    coded = _END_OF_CELL.sub(r"\\|", plain)
    return f"`{coded}`"


def _write_html(text: str) -> str:
    plain = escape_controls(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MENTION.sub(r"\g<0><!-- -->", plain)
