"""Prints all output of a command, with everything visible that a terminal or a CI runner would obey.

Texts of a target, a client or a file are masked and escaped where they are put into a sentence. This is the last
line behind that: whatever a text contains, standard output and standard error get no control sequence except our
own colors and erased line, and the runner of a CI system gets no command.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

from harness.outcome.words import break_commands, write_harmless

_COLOR = r"(?:0?[0-4]|2[2-4]|3[1-79]|49|9[1-7])"
"""Colors and weights of ours and of pytest; none hides a text, as 8 does, or black on black."""

_OURS = re.compile(rf"(\x1b\[(?:{_COLOR}(?:;{_COLOR})*)?m|\r\n)")

_ERASED = "\r\x1b[2K"
_OWN = "harness:"


class GuardedStream:
    """A text stream that shows what would be obeyed as `\\uXXXX`, which means the same inside a string of JSON."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def __getattr__(self, name: str) -> Any:
        return getattr(self._out, name)

    def write(self, text: str) -> int:
        """Write a text."""
        # The erased line of the progress is written alone; within a text it is somebody else's.
        if text != _ERASED:
            parts = _OURS.split(text)
            parts[::2] = map(write_harmless, parts[::2])
            text = "".join(parts)
        self._out.write(text)
        return len(text)

    def writelines(self, texts: Iterable[str]) -> None:
        """Write several texts."""
        for text in texts:
            self.write(text)

    def write_command(self, line: str) -> None:
        """Write a line of ours that a runner is to obey."""
        self._out.write(break_commands(line.replace("\n", " ")) + "\n")


def having(styled: str, text: str) -> str:
    """A text in the role of a line that has one; a plain one imports nothing."""
    made: str = getattr(styled, "having", str)(text)
    return made


def write_line(text: str, stream: TextIO, *, is_error: bool = False) -> None:
    """Write lines in their role, which a terminal gets wrapped between words unless they are a command.

    The label of an error, its first word, has the color of a failure.
    """
    from harness.report.screen import Role, Screen, wants_colour  # late: `--version` does not need it

    screen = Screen(stream, colour=wants_colour(stream, os.environ))
    if is_error and text.startswith(_OWN):
        text = screen.paint(Role.FAILED, _OWN) + text.removeprefix(_OWN)
    for line in text.split("\n"):
        screen.line(having(text, line))


_HELP = re.compile(
    r"^(?P<heading>\S[^\n:]*:)(?= |$)|^ +(?P<command>harness .*)|"
    r"(?P<id>(?<![\w-])--?[a-z][\w-]*|(?<=^  )[a-z]+(?=  ))",
    re.MULTILINE,
)
"""What is painted in a help text, by role: titles, examples, flags and commands."""


def paint_help(text: str) -> str:
    """A help text in which headings, examples and flags have the colors of their roles, where these are wanted."""
    from harness.report.screen import Role, Screen, wants_colour

    screen = Screen(sys.stdout, colour=wants_colour(sys.stdout, os.environ))
    return _HELP.sub(lambda found: screen.paint(Role(found.lastgroup or "plain"), found[0]), text)


@contextmanager
def guarded_output() -> Iterator[None]:
    """Guard standard output and standard error of this process while the block runs."""
    old = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast("TextIO", GuardedStream(stream)) for stream in old)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = old
