"""Markdown text, and the Markdown report: totals, what failed and why, the rest folded away.

A text of a stranger becomes Markdown in this module alone: what is not `Markdown` already is escaped when it is
put into some. The report is made for `$GITHUB_STEP_SUMMARY`.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator
from typing import Any

from harness.outcome import Accounted
from harness.report.finding_text import SharedFixes
from harness.report.presented_run import TOLD, PresentedRun
from harness.wire.message import escape_controls


class Markdown(str):
    """Markdown of our own. Any other text that `format` or `join` puts into it becomes plain text."""

    __slots__ = ()

    def format(self, *values: object, **named: object) -> Markdown:
        return Markdown(_FORMATTER.vformat(self, values, named))

    def join(self, parts: Iterable[str]) -> Markdown:
        """These parts, with this text between them."""
        return Markdown(super().join(part if isinstance(part, Markdown) else write_plain(part) for part in parts))


class _Formatter(string.Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        return value if isinstance(value, Markdown) else write_plain(format(value, format_spec))


_FORMATTER = _Formatter()


def join_lines(lines: Iterable[str]) -> Markdown:
    """The lines of a page. What is not Markdown is plain text within its line."""
    return Markdown("\n").join(lines)


def render(state: PresentedRun) -> str:
    """The report of a finished run."""
    facts = Markdown(", ").join(Markdown("{} {}").format(word, write_code(value)) for word, value in state.facts)
    lines: list[str] = [
        Markdown("## {}: {}").format(state.subject, state.place),
        "",
        Markdown("**{}**").format(state.verdict_text),
        "",
    ]
    for paragraph in filter(
        None, (state.halted_text, Markdown("{}.").format(facts) if facts else "", state.write_totals())
    ):
        lines += [paragraph, ""]
    lines += [Markdown("| outcome | {}s |").format(state.noun), Markdown("| --- | ---: |")]
    counts = state.accounting.counts
    lines += [Markdown("| {} | {} |").format(one.word, counts[one]) for one in Accounted if counts.get(one, 0)]
    if notes := list(state.list_notes()):
        lines += ["", fence("\n".join(notes))]
    for section in state.sections():
        lines += ["", Markdown("### {}").format(section.title)]
        if section.lines:
            lines += ["", fence("\n".join(section.lines))]
        for folded in section.folded:
            lines += ["", *_fold(write_html(folded.summary), "\n".join(folded.lines))]
    fixes = SharedFixes()
    for outcome in TOLD:
        results = [shown for shown in state.urgent_first if shown.outcome is outcome]
        explained = [shown for shown in results if outcome is not Accounted.NOT_TESTED or shown.is_explained]
        if results:
            lines += ["", Markdown("### {}").format(outcome.word.capitalize()), ""]
            for shown in explained:
                heading = Markdown("<code>{}</code> [{}] {}").format(
                    write_html(shown.result.id), shown.standing_level, write_html(shown.title)
                )
                lines += [*_fold(heading, shown.explain(fixes), is_open=shown.is_open), ""]
        if len(results) > len(explained):
            # What does not fail the run needs no entry of its own: its results are listed by their reason.
            row = next(row for row in state.list_outcomes() if row.outcome is outcome)
            lines += [_begin_details(write_html(f"{row.number} {row.words}, by reason")), ""]
            for group in row.groups:
                more = Markdown(" and {} more").format(group.more) if group.more else ""
                ids = Markdown("{}{}").format(Markdown(", ").join(map(write_code, group.ids)), more)
                help_ = Markdown("; help: {}").format(group.remedy) if group.remedy else ""
                why = Markdown(": ").join(filter(None, (ids, group.reason)))
                lines.append(Markdown("- {}{}").format(why, help_))
            lines += ["", _END_DETAILS, ""]
    return join_lines(lines) + "\n"


_END_DETAILS = Markdown("</details>")


def _fold(summary: Markdown, text: str, *, is_open: bool = False) -> Iterator[str]:
    yield from (_begin_details(summary, is_open=is_open), "", fence(text), "", _END_DETAILS)


def _begin_details(summary: Markdown, *, is_open: bool = False) -> Markdown:
    """The opening tag of a part that folds; leave a blank line after it. Escape the summary by `write_html`."""
    start = Markdown("<details open>") if is_open else Markdown("<details>")
    return Markdown("{}<summary>{}</summary>").format(start, summary)


def fence(text: str) -> Markdown:
    """A block of code, whatever is in it; a command in it has no unseen characters, either."""
    text = escape_controls(text)
    ticks = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 3)
    return Markdown(f"{ticks}text\n{text}\n{ticks}")


_ACTIVE = re.compile(r"[*\[\]|~]|(?<!\w)_|_(?!\w)|\\(?=[!-/:-@\[-`{-~]|\Z)")
"""What makes a link, an image, emphasis, or the end of a cell, and a backslash that would undo its escape."""
_TICKS = re.compile("(`+)")
_MENTION = re.compile(r"[@#](?=\w)")
"""What a hosting service turns into a message to a person, or into a link to an issue."""
_END_OF_CELL = re.compile(r"(?<!\\)\\*+\|")


def write_plain(text: str) -> Markdown:
    """A text of a stranger within a line or a cell: no markup, no mention, no invisible mark."""
    return Markdown("".join(_escape_plain(write_html(text))))


def _escape_plain(text: str) -> Iterator[str]:
    """The parts of a text. A run of backticks to which it has no end would begin code that goes on after it."""
    parts = _TICKS.split(text)
    last = {run: number for number, run in enumerate(parts) if number % 2}
    opened = ""
    for number, part in enumerate(parts):
        if number % 2 == 0:
            yield _ACTIVE.sub(r"\\\g<0>", part)
        elif opened:
            yield part
            opened = "" if part == opened else opened
        elif last[part] > number:
            yield part
            opened = part
        else:
            yield "".join(f"\\{tick}" for tick in part)


def write_code(text: str) -> Markdown:
    """A text as code, in which only a cell of a table can end: a backslash before `|` would undo its escape."""
    plain = " ".join(escape_controls(text).split()).replace("`", "'")
    coded = _END_OF_CELL.sub(r"\\|", plain)
    return Markdown(f"`{coded}`")


def write_html(text: str) -> Markdown:
    """A text of a stranger within a tag of HTML, where no Markdown is read: a blank line would end that."""
    plain = " ".join(escape_controls(text).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return Markdown(_MENTION.sub(r"\g<0><!-- -->", plain))
