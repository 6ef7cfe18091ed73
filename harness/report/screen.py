"""The one writer of every command: lines with named roles; color and a progress line only where they are wanted.

Must not know the content. A library for it would take a quarter of the time in which `check` starts: `rich` costs
0.09 s and imports 100 modules.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import zip_longest
from typing import Self, TextIO, TypeAlias

from harness.outcome import FIRST_WORDS, Accounted, Exit
from harness.outcome.words import shorten

PAUSE, PAUSE_ON_TERMINAL = 10.0, 2.0
"""Most seconds of silence in a log, and of a progress line without a time."""

_WORD = re.compile(" *[^ ]+")
_QUOTED = re.compile(" *(?:`[^`]*`[^ ]*|[^ ]+)")
"""A word, or a command in a help, which its reader copies: no terminal gets it in several rows."""
_SGR = re.compile("\x1b\\[[0-9;]*m")


class Role(StrEnum):
    """The purpose of a line, or of a part of one."""

    PLAIN = "plain"
    HEADING = "heading"
    ID = "id"
    LEVEL = "level"
    EXPECTED = "expected"
    ACTUAL = "actual"
    MISSING = "missing"
    HELP = "help"
    COMMAND = "command"
    QUIET = "quiet"
    FAILED = "failed"
    WARNED = "warned"
    PASSED = "passed"
    NOT_TESTED = "not tested"


ROLES = {
    Accounted.FAILED: Role.FAILED,
    Accounted.WARNED: Role.WARNED,
    Accounted.PASSED: Role.PASSED,
    Accounted.NOT_TESTED: Role.NOT_TESTED,
    Accounted.NOT_OFFERED: Role.QUIET,
    Accounted.EXCLUDED: Role.QUIET,
}
"""The role of the word of each outcome."""

Paint: TypeAlias = Callable[[Role, str], str]
"""Returns a text in the color of a role, or unchanged where there is none."""


def leave_unpainted(_: Role, text: str) -> str:
    """Return the text as it is, for a surface without colors."""
    return text


_COLORS = {
    Role.HEADING: "1",
    Role.ID: "1",
    Role.LEVEL: "2",
    Role.EXPECTED: "32",
    Role.ACTUAL: "31",
    Role.MISSING: "31;1",
    Role.HELP: "36",
    Role.COMMAND: "36",
    Role.QUIET: "2",
    Role.FAILED: "31;1",
    Role.WARNED: "33",
    Role.PASSED: "32",
    Role.NOT_TESTED: "35",
}
"""The color of each role on a terminal, as an SGR code."""


_VERDICTS = dict.fromkeys(FIRST_WORDS.values(), Role.WARNED) | {
    FIRST_WORDS[Exit.OK]: Role.PASSED,
    FIRST_WORDS[Exit.FAILED]: Role.FAILED,
}


Parts: TypeAlias = Sequence[tuple[int, Role]]
"""How many characters have a role, and the next ones another."""


class Line(str):
    """A line with its role; further rows of it on a terminal are indented by `hang` columns.

    Its first characters may have roles of their own: `parts` has so many of them with each role.

    A command is copied by its reader, so that no terminal gets it in several rows.
    """

    role: Role
    hang: int
    parts: Parts

    def __new__(cls, text: str, role: Role = Role.PLAIN, *, hang: int = 0, parts: Parts = ()) -> Self:
        line = super().__new__(cls, text)
        line.role, line.hang, line.parts = role, hang, parts
        return line

    def having(self, text: str) -> Line:
        """Another text in the same role."""
        return Line(text, self.role, hang=self.hang, parts=self.parts)


def wants_colour(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether to use color: on a terminal, unless a variable decides it (no-color.org, bixense.com/clicolors)."""
    if environment.get("NO_COLOR"):
        return False
    forced = any(environment.get(name, "0") not in ("", "0") for name in ("FORCE_COLOR", "CLICOLOR_FORCE"))
    return forced or (stream.isatty() and environment.get("TERM") != "dumb" and environment.get("CLICOLOR") != "0")


def align(rows: Sequence[Sequence[str]], roles: Iterable[Sequence[Role]] = ()) -> Iterator[Line]:
    """Rows in columns, the first of ids unless the cells have `roles`.

    The last cell of each goes on below itself on a terminal, or on a narrow one below the others.
    """
    widths = [max(map(len, column)) + 2 for column in zip(*rows, strict=True)][:-1]
    for (*cells, last), painted in zip_longest(rows, roles, fillvalue=(Role.ID,)):
        begin = "".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
        yield Line(begin + last, hang=len(begin), parts=[*zip(widths, painted, strict=False)])


def format_seconds(seconds: float) -> str:
    """So many seconds, or minutes from two of them on."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def wrap(text: str, width: int, hang: int = 0, words: re.Pattern[str] = _WORD) -> Iterator[str]:
    """The text in lines of at most `width` characters, if its `words` allow that; further lines are indented.

    They are indented by `hang` columns, if that leaves a third of the width. Else the text breaks there.
    """
    indent = " " * (hang if 0 < hang < 2 * width // 3 else len(text) - len(text.lstrip(" ")) + 2)
    if hang > len(indent) and count_seen(text) > width and "\x1b" not in text[:hang]:
        yield text[:hang].rstrip()
        text = indent + text[hang:]
    line = ""
    for word in words.findall(text):
        if line.strip() and count_seen(line + word) > width:
            yield line
            line = indent + word.lstrip(" ")
        else:
            line += word
    yield line


def count_seen(text: str) -> int:
    """The number of visible characters of a text: control sequences of colors are invisible."""
    return len(_SGR.sub("", text))


class Screen:
    """The output of a report. Progress is drawn only on a terminal, which can erase it; a log gets only lines."""

    def __init__(
        self, out: TextIO, *, colour: bool = False, now: Callable[[], float] = time.monotonic, status: str = ""
    ) -> None:
        self._out = out
        self._colour = colour
        self._now = now
        self.draws = out.isatty() and os.environ.get("TERM") != "dumb"
        self._drawn = False
        self._begun = self._written = self._flushed = now()
        self._status = status

    @property
    def columns(self) -> int | None:
        """How wide the terminal is; None for a log, whose lines may have any length."""
        if not self.draws:
            return None
        try:  # standard output may be a file while standard error is a terminal
            return int(os.environ.get("COLUMNS", "")) or os.get_terminal_size(self._out.fileno()).columns
        except (OSError, ValueError):
            return shutil.get_terminal_size().columns

    def rows(self, line: str) -> list[str]:
        """The rows of the terminal that a line takes, each in its color; a log gets one."""
        shown = line if isinstance(line, Line) else Line(line)
        columns = None if shown.role is Role.COMMAND else self.columns
        words = _QUOTED if shown.role is Role.HELP else _WORD
        first, *others = [str(shown)] if columns is None else wrap(shown, columns - 1, shown.hang, words)
        begin, rest = "", first
        for length, role in shown.parts:
            begin, rest = begin + self.paint(role, rest[:length]), rest[length:]
        return [begin + self.paint(shown.role, rest), *(self.paint(shown.role, row) for row in others)]

    def line(self, text: str) -> None:
        """Write a line that stays; the first word of a verdict has its color."""
        self.erase()
        word, colon, rest = text.partition(": ")
        if colon and word in _VERDICTS and not isinstance(text, Line):
            text = f"{self.paint(_VERDICTS[word], word)}: {rest}"
        for row in self.rows(text):
            self._out.write(row + "\n")
        self._written = self._now()
        if self._written - self._flushed >= 1.0:  # a person may follow the log
            self.flush()

    def lines(self, texts: Iterable[str]) -> None:
        """Write several lines that stay."""
        for text in texts:
            self.line(text)

    def block(self, lines: Sequence[Line], *, most: int | None = None) -> None:
        """Write indented lines; of more than `most` rows some before the last two lines are only counted."""
        indented = [
            Line(f"  {line}" if line else "", line.role, hang=line.hang and line.hang + 2) for line in lines
        ]
        kept, last, hidden = indented[:-2], indented[-2:], 0
        while (
            kept
            and most is not None
            and sum(len(self.rows(line)) for line in (*kept, *last)) > most - bool(hidden)
        ):
            hidden += len(self.rows(kept.pop()))
        self.lines(kept)
        if hidden:
            self.line(Line(f"  … {hidden} more rows (-v prints them)", Role.QUIET))
        self.lines(last)

    def draw(self, text: str) -> None:
        """Draw the progress line in place of the previous one; in a log, say it if it was silent for long."""
        self._status = text
        if self.draws:
            self._redraw(text)
        else:
            self.break_silence()

    def _redraw(self, text: str) -> None:
        self.erase()
        self._out.write(shorten(text, (self.columns or 80) - 1))  # a line that the terminal wraps stays for ever
        self.flush()
        self._drawn = True
        self._written = self._now()

    def break_silence(self) -> None:
        """After a pause without a change, say how far it is and since when it runs."""
        now = self._now()
        if now - self._written < (PAUSE_ON_TERMINAL if self.draws else PAUSE):
            return
        text = f"{self._status or 'still running'} ({format_seconds(now - self._begun)} so far)"
        if self.draws:
            self._redraw(text)
        else:
            self.line(text)
            self.flush()

    def flush(self) -> None:
        """Write out at once what was written so far."""
        self._out.flush()
        self._flushed = self._now()

    def erase(self) -> None:
        if self._drawn:
            self._out.write("\r\x1b[2K")
            self._drawn = False

    def clear(self) -> None:
        """Erase the progress line at once: the next line may be one of standard error."""
        if self._drawn:
            self.erase()
            self.flush()

    def paint(self, role: Role, text: str) -> str:
        """`text` in the color of its role, or unchanged without colors."""
        return f"\x1b[{_COLORS[role]}m{text}\x1b[0m" if self._colour and role in _COLORS and text else text


INTERRUPTING = "interrupted: the run ends now (Ctrl-C again to stop at once)"


class Heartbeat:
    """Calls a function about every second from a thread of its own, until it is stopped or cannot write."""

    def __init__(self, beat: Callable[[], None], *, seconds: float = 1.0) -> None:
        self._beat = beat
        self._seconds = seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="harness-heartbeat", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            try:
                self._beat()
            except (OSError, ValueError):  # the reader is gone; the next write reports it
                return

    def stop(self) -> None:
        """Stop it; may be called twice."""
        self._stopped.set()
