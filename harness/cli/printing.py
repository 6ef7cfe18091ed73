"""Prints all output of a command, with everything visible that a terminal or a CI runner would obey.

Layer 8. Texts of a target, a client or a file are masked and escaped where they are put into a sentence. This is
the last line behind that: whatever a text contains, standard output and standard error get no control sequence
except our own colors and erased line, and the runner of a CI system gets no command.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

from harness.outcome.words import UNSEEN, break_commands, escape_letters

_COLOR = r"(?:0?[0-4]|2[2-4]|3[1-79]|49|9[1-7])"
"""Colors and weights of ours and of pytest; none hides a text, as 8 does, or black on black."""

_OURS = rf"\x1b\[(?:{_COLOR}(?:;{_COLOR})*)?m|\r\n"
_OBEYED = re.compile(rf"(?P<ours>{_OURS})|[\x00-\x08\x0b-\x1f{UNSEEN}]")
"""Control characters, what begins a sequence among them, and what changes the direction of text."""

_ERASED = "\r\x1b[2K"

_LINE_COMMAND = re.compile(r"(?<!\s)(\s*+):(?=:)")
_CUT_LINE_COMMAND = re.compile(r"(?<!\s)(\s*+):(?=:|\Z)")
"""`::` at the start of a line, and what may become one with the next text."""

_CUT_COMMAND = re.compile(r"#(?:#[^\s\[]{0,60})?\Z")
"""What may become a command with the next text, such as `##vso` before `[`."""


class GuardedStream:
    """A text stream that shows what would be obeyed as `\\uXXXX`, which means the same inside a string of JSON.

    A line that begins a workflow command is shown, too; only `write_command` writes one. A runner reads the output
    of a container or of tox as well, where no variable names the runner.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._is_blank = True  # whether the current line holds nothing but spaces
        self._end = ""  # what may begin a command at its end

    def __getattr__(self, name: str) -> Any:
        return getattr(self._out, name)

    def write(self, text: str) -> int:
        """Write a text."""
        # The erased line of the progress is written alone; within a text it is somebody else's.
        self._out.write(text if text == _ERASED else self._show_commands(_OBEYED.sub(_show, text)))
        return len(text)

    def writelines(self, texts: Iterable[str]) -> None:
        """Write several texts."""
        for text in texts:
            self.write(text)

    def write_command(self, line: str) -> None:
        """Write a line of ours that a runner is to obey."""
        self._out.write(break_commands(_OBEYED.sub(_show, line.replace("\n", " "))) + "\n")
        self._is_blank, self._end = True, ""

    def _show_commands(self, text: str) -> str:
        """Break what begins a command of a runner: `::` at the start of a line, `##[` or `##name[` anywhere."""
        shown = []
        if self._end or "::" in text or "##" in text:
            lines = text.split("\n")
        else:  # only what is cut at its end may begin a command: a report of thousands of lines is one part
            lines = text.rsplit("\n", 1)
        for number, line in enumerate(lines):
            if number:
                self._is_blank, self._end = True, ""
            if self._is_blank:
                pattern = _LINE_COMMAND if number < len(lines) - 1 else _CUT_LINE_COMMAND
                if begun := pattern.match(line):
                    line = begun[1] + escape_letters(":") + line[begun.end() :]
            before = len(self._end)
            whole = break_commands(self._end + line)
            shown.append(whole[before:])
            self._is_blank = self._is_blank and not line.strip()
            begun_at = _CUT_COMMAND.search(whole)
            self._end = begun_at[0] if begun_at else ""
        return "\n".join(shown)


def _show(found: re.Match[str]) -> str:
    return found[0] if found["ours"] else escape_letters(found[0])


def write_line(text: str, stream: TextIO, *, role: str = "plain", hang: int = 0) -> None:
    """Write lines in a role of `Role`, which a terminal gets wrapped between words unless they are a command."""
    from harness.report.screen import Line, Role, Screen, wants_colour  # late: `--version` does not need it

    screen = Screen(stream, colour=wants_colour(stream, os.environ))
    screen.lines(Line(line, Role(role), hang=hang) for line in text.split("\n"))


_HELP = re.compile(
    r"^(?P<heading>\S[^\n:]*:)(?= |$)|^ +(?P<command>harness .*)|(?P<id>(?<![\w-])--?[a-z][\w-]*)", re.MULTILINE
)
"""What is painted in a help text, by role: titles, examples and flags."""


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
