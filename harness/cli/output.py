"""Writes lines and JSON of a command on its screen. Layer 8. `run_reports` writes what a run found."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from shutil import get_terminal_size
from typing import Any

from harness.cli.masking import hide_own, mask_text
from harness.cli.printing import having, write_line
from harness.cli.signal_handling import INTERRUPT, handle_signals
from harness.outcome import HarnessFault, UsageFault
from harness.report.formats import dump
from harness.wire.message import escape_controls


def say(*texts: str, to_errors: bool = False, hide: Callable[[str], str] = hide_own) -> None:
    """Print lines, each in its role if it has one, or to standard error if the output is machine-readable.

    A terminal gets them wrapped between words, unless their role is that of a command, which is copied. Control
    characters are escaped, and keys of the environment hidden: a file or a server may be named like one.
    """
    for text in texts:
        shown = having(text, escape_controls(hide(text)))
        write_line(shown, sys.stderr if to_errors else sys.stdout)


def page(*lines: str) -> None:
    """Print lines to be read: on a terminal that has no room for them through the user's pager, as `git` does."""
    from harness.report.screen import Screen, wants_colour

    screen, variables = Screen(sys.stdout, colour=wants_colour(sys.stdout, os.environ)), os.environ
    rows = [row for line in lines for row in screen.rows(having(line, escape_controls(hide_own(line))))]
    program = shlex.split(variables.get("PAGER", "less"))
    direct = variables.get("NO_PAGER") or variables.get("CI") or program in ([], ["cat"]) or not screen.draws
    if not direct and len(rows) >= get_terminal_size().lines:
        with suppress(OSError), handle_signals(lambda _: None, INTERRUPT):  # Ctrl-C is for the pager
            from harness.child_processes import PIPE, start  # late: few commands fill a screen

            pager = start(program, {"LESS": "FRX", **variables}, stdin=PIPE)
            pager.communicate("\n".join((*rows, "")).encode())
            return
    say(*lines)


def say_masked(text: str, *, to_errors: bool = False) -> None:
    """Print one line that may quote a target or a client; the keys of the environment are hidden, too."""
    say(text, to_errors=to_errors, hide=mask_text)


def make_once_sayer(begin: str) -> Callable[[str], None]:
    """Return a function that prints each text once on standard error, after this: a dead target is asked often."""
    said: set[str] = set()

    def say_once(text: str) -> None:
        if text not in said and len(said) < 100:
            said.add(text)
            say_masked(f"{begin}{text}", to_errors=True)

    return say_once


def print_fault(fault: HarnessFault) -> None:
    """Print a fault of our own server when it happens: its client sees only a 500, or a connection that breaks."""
    say_masked(f"error: {fault}", to_errors=True)


def write_json(value: Any) -> None:
    """Print machine-readable output."""
    sys.stdout.write(dump(value))


MISSING = "check the spelling, or record it with `harness record`"
"""What to do about a recording that is not there."""


def require_writable(path: Path, option: str) -> None:
    """Raise UsageFault if a file that an option names cannot be written; touches nothing."""
    if not path.parent.is_dir():
        folder = str(path.parent)
        raise UsageFault(
            f"{option}: there is no folder {folder!r} to write {path.name!r} to: create it, or name another one"
        )
    if path.is_dir():
        raise UsageFault(f"{option}: {str(path)!r} is a folder: name a file in it")
    try:
        path.stat()
    except FileNotFoundError:
        pass
    except OSError as wrong:  # such as a link to itself
        raise UsageFault(f"{option}: {str(path)!r} cannot be written: {wrong.strerror}") from None
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageFault(f"{option}: {str(path)!r} cannot be written: no permission")
