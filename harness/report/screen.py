"""Lines on a terminal or in a log: a progress line that lines wipe away, and colour, each only where it is wanted.

Layer 5. Must not know what is reported.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TextIO

_WIDEST = 79
"""A progress line that a terminal wraps cannot be taken away."""


def wants_colour(stream: TextIO, environment: Mapping[str, str], choice: str = "auto") -> bool:
    """Whether to colour: `always`, `never`, or on a terminal unless NO_COLOR is set (no-color.org)."""
    if choice != "auto":
        return choice == "always"
    return stream.isatty() and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


class Screen:
    """Where a report writes. Progress is drawn where a terminal can wipe it away; a log holds the lines alone."""

    def __init__(self, out: TextIO, *, colour: bool = False) -> None:
        self._out = out
        self._colour = colour
        self._progress = out.isatty() and os.environ.get("TERM") != "dumb"
        self._drawn = False

    def line(self, text: str) -> None:
        """One line that stays."""
        self.erase()
        self._out.write(text + "\n")

    def draw(self, text: str) -> None:
        """The progress line, in place of the one before."""
        if self._progress:
            self.erase()
            self._out.write(text[:_WIDEST])
            self._out.flush()
            self._drawn = True

    def erase(self) -> None:
        """Take the progress line away."""
        if self._drawn:
            self._out.write("\r\x1b[2K")
            self._drawn = False

    def paint(self, code: str, text: str) -> str:
        """`text` in a colour (an SGR code), or as it is."""
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text
