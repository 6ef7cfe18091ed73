"""Writes lines to a terminal or a log, with color and a progress line only where they are wanted.

Layer 6. Must not know the content.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TextIO

from harness.outcome.words import shorten

PAUSE = 10.0
"""Most seconds of silence."""

_WORD = re.compile(" *[^ ]+")
_SGR = re.compile("\x1b\\[[0-9;]*m")


def wants_colour(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether to use color: on a terminal, unless NO_COLOR or FORCE_COLOR decides it (no-color.org)."""
    if environment.get("NO_COLOR"):
        return False
    return bool(environment.get("FORCE_COLOR")) or (stream.isatty() and environment.get("TERM") != "dumb")


def format_seconds(seconds: float) -> str:
    """So many seconds, or minutes from two of them on."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def wrap(text: str, width: int) -> Iterator[str]:
    """The text in lines of at most `width` characters, if its words allow that; further lines are indented."""
    indent = " " * (len(text) - len(text.lstrip(" ")) + 2)
    line = ""
    for word in _WORD.findall(text):
        if line.strip() and count_seen(line + word) > width:
            yield line
            line = indent + word.lstrip(" ")
        else:
            line += word
    yield line


def count_seen(text: str) -> int:
    """The number of visible characters of a text: control sequences of colors are invisible."""
    return len(_SGR.sub("", text))


class Verbatim(str):
    """A line to be copied, such as a command: no terminal gets it wrapped."""

    __slots__ = ()


class Screen:
    """The output of a report. Progress is drawn only on a terminal, which can erase it; a log gets only lines."""

    def __init__(self, out: TextIO, *, colour: bool = False, now: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._colour = colour
        self._now = now
        self.draws = out.isatty() and os.environ.get("TERM") != "dumb"
        self._drawn = False
        self._begun = self._written = self._flushed = now()
        self._status = ""

    @property
    def columns(self) -> int | None:
        """How wide the terminal is; None for a log, whose lines may have any length."""
        if not self.draws:
            return None
        try:  # standard output may be a file while standard error is a terminal
            return int(os.environ.get("COLUMNS", "")) or os.get_terminal_size(self._out.fileno()).columns
        except (OSError, ValueError):
            return shutil.get_terminal_size().columns

    def line(self, text: str, *, whole: bool = False) -> None:
        """Write a line that stays; a terminal gets it wrapped between words, unless it is to be copied `whole`."""
        self.erase()
        columns = None if whole or isinstance(text, Verbatim) else self.columns
        for part in [text] if columns is None else wrap(text, columns - 1):
            self._out.write(part + "\n")
        self._written = self._now()
        if self._written - self._flushed >= 1.0:  # a person may follow the log
            self._flush()

    def lines(self, texts: Iterable[str]) -> None:
        """Write several lines that stay."""
        for text in texts:
            self.line(text)

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
        self._flush()
        self._drawn = True
        self._written = self._now()

    def break_silence(self) -> None:
        """After `PAUSE` seconds without a change, say how far it is and since when it runs."""
        now = self._now()
        if now - self._written < PAUSE:
            return
        text = f"{self._status or 'still running'} ({format_seconds(now - self._begun)} so far)"
        if self.draws:
            self._redraw(text)
        else:
            self.line(text)
            self._flush()

    def _flush(self) -> None:
        self._out.flush()
        self._flushed = self._now()

    def erase(self) -> None:
        """Erase the progress line."""
        if self._drawn:
            self._out.write("\r\x1b[2K")
            self._drawn = False

    def clear(self) -> None:
        """Erase the progress line at once: the next line may be one of standard error."""
        if self._drawn:
            self.erase()
            self._flush()

    def paint(self, code: str, text: str) -> str:
        """`text` in a color (an SGR code), or unchanged without colors."""
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text


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

    def join(self, seconds: float) -> bool:
        """Wait for its end for at most so long; whether it has ended."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def stop(self) -> None:
        """Stop it; may be called twice."""
        self._stopped.set()
