"""One finding in words: what is wrong, where, what was expected and what came.

Layer 6. The only place that words a finding for people; must not know what a run, a file or a test does with it.
Secrets are hidden before, by `hide_secrets`, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from harness.outcome import Accounted, Finding, Where
from harness.outcome.words import shorten
from harness.report.evidence.wire_text import shorten_target, shorten_tokens
from harness.report.screen import ROLES, Line, Paint, Role
from harness.wire.message import escape_controls


def write_headline(paint: Paint, outcome: Accounted, name: str, level: str, title: str, *, word: str = "") -> Line:
    """The first line about a result in every command: the outcome, or another `word`, then id, level and title."""
    label = paint(Role.QUIET if word else ROLES[outcome], f"{word or outcome.word.upper():<11}")
    return Line(f"{label} {paint(Role.ID, name)} {paint(Role.LEVEL, f'[{level}]')} {title}", hang=12)


class ExplainedFailure(NamedTuple):
    """A failure as every command explains it: its headline, and the lines below it."""

    headline: Line
    lines: Sequence[Line]


def finding_lines(finding: Finding, fixes: SharedFixes | None = None, *, brief: bool = False) -> Iterator[Line]:
    """The message with its place, then what was expected, what came and a cure, if known."""
    where = place(finding.where)
    text = finding.message + (f" ({where})" if where else "")
    yield Line(_put_on_one_line(shorten_target(shorten_tokens(text)) if brief else text))
    yield from compared_lines(finding, brief=brief)
    if finding.cure:
        cure = finding.cure if fixes is None else fixes.write(finding.cure, finding.rule)
        yield Line(_put_on_one_line(f"  known fix: {cure}"), Role.HELP)


class SharedFixes:
    """The known fixes of a report that is read from top to bottom: each stands in full where it is first met."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}

    def write(self, fix: str, rule: str) -> str:
        """A fix for a finding of this rule, or, if it is long and stands above, the rule where."""
        reference = f"the same as for `{self._first.setdefault(fix, rule)}`"
        return fix if self._first[fix] == rule or len(fix) <= len(reference) else reference


def summarize(message: str, pointer: str | None) -> str:
    """A message that names its place in the JSON, for where no more than a line is shown."""
    if message.startswith("should "):  # the words of a schema, whose subject is the place
        return f"{pointer or 'it'} {message}"
    return f"{message} (at {pointer})" if pointer and pointer not in message else message


def compared_lines(finding: Finding, *, brief: bool = False) -> Iterator[Line]:
    """The expected and the actual value, if known, indented; in `brief` without the middle of long words."""
    expected, actual = (
        shorten(shorten_tokens(text), 200) if brief else text for text in (finding.expected, finding.actual)
    )
    if expected:
        yield Line(_put_on_one_line(f"  expected: {expected}"), Role.EXPECTED, hang=12)
    if actual:
        yield Line(_put_on_one_line(f"  actual:   {actual}"), Role.ACTUAL, hang=12)


def _put_on_one_line(text: str) -> str:
    """Make the text one line, even if it quotes a body with line breaks."""
    return escape_controls(text).replace("\n", r"\n")


def place(where: Where) -> str:
    """The known parts of `exchange 'x', event 3, bytes 10–20, at $.id`; the file is left to the headline."""
    parts = [
        f"exchange {where.exchange!r}" if where.exchange else "",
        f"event {where.event}" if where.event is not None else "",
        f"bytes {where.start}–{where.end}" if where.start is not None else "",
        f"at {where.pointer}" if where.pointer else "",
    ]
    return ", ".join(part for part in parts if part)
