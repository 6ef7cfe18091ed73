"""Writes lines, JSON and the files that `--report` names. `run_reports` follows a run that judges."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path
from shutil import get_terminal_size
from typing import Any

from harness.cli.masking import hide_own, mask_text
from harness.cli.printing import having, write_line
from harness.cli.signal_handling import INTERRUPT, handle_signals
from harness.outcome import HarnessFault, UsageFault
from harness.outcome.words import did_you_mean
from harness.report.formats import FORMATS, dump
from harness.wire.message import escape_controls
from harness.written_files import append_file, write_file


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


STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
"""The variable of the file that GitHub Actions shows as the summary of a job."""

MISSING = "check the spelling, or record it with `harness record`"
"""What to do about a recording that is not there."""


class ReportFiles:
    """The report files of the `FORMAT=PATH` arguments, which are checked before the run.

    A report of an earlier run stays until the new one takes its place. The job summary of GitHub Actions is
    appended to, because it holds the output of other steps.
    """

    def __init__(self, words: Iterable[str] | None, formats: Collection[str] = FORMATS) -> None:
        self._files = read_report_words(words, formats)

    def write(self, render: Callable[[str], str], *, interim: bool = False) -> None:
        """Write every report of a run that is over, or may be killed; `render` returns the text for a format.

        An error of writing is reported, and does not change the verdict.
        """
        for name, path in self._files:
            if interim and str(path) == os.environ.get(STEP_SUMMARY, ""):
                continue
            text = render(name)
            try:
                if str(path) == os.environ.get(STEP_SUMMARY, ""):
                    append_file(path, text)
                else:
                    write_file(path, text)
            except OSError as wrong:
                if interim:  # the end of the run reports it once
                    continue
                old = "; the file there is of an earlier run" if path.is_file() else ""
                why = f"{str(path)!r} cannot be written: {wrong.strerror}{old}"
                say(f"harness: the {name} report is missing: {why}", to_errors=True)


def read_report_words(words: Iterable[str] | None, formats: Collection[str] = FORMATS) -> list[tuple[str, Path]]:
    """Format and file of each `FORMAT=PATH`. Raises UsageFault if it cannot be written; touches nothing."""
    files: list[tuple[str, Path]] = []
    taken: dict[str, str] = {}
    for word in words or ():
        name, _, text = word.partition("=")
        if name not in formats:
            raise UsageFault(f"--report: unknown format {name!r}{did_you_mean(name, formats)} (write FORMAT=PATH)")
        if not text:
            raise UsageFault(f"--report {word!r} has no path: write {name}=PATH")
        path, own = Path(text), FORMATS[name].suffixes
        require_writable(path, "--report")
        if path.suffix.lower() in _OTHERS.difference(own):  # programs that open it expect that format
            what = "JSON for an endpoint badge of shields.io" if name == "badge" else name
            right = path.with_suffix(own[0])
            raise UsageFault(
                f"--report: {name} writes {what}, but {str(path)!r} has another suffix: write {name}={right}"
            )
        if (other := taken.setdefault(os.path.realpath(path), name)) != name:
            raise UsageFault(f"--report: {other} and {name} both name {str(path)!r}: give each its own file")
        files.append((name, path))
    return files


_OTHERS = {".svg", ".png", ".pdf"}.union(*(entry.suffixes for entry in FORMATS.values()))
"""Suffixes that say what is in a file; with any other, a file may hold any format."""


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
