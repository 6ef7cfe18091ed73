"""Writes the output of the commands: to standard output, and to the files that `--report` names.

Layer 7.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.outcome import UsageFault
from harness.outcome.suggest import did_you_mean
from harness.report.formats import FORMATS
from harness.report.json_report import dump

if TYPE_CHECKING:
    from harness.report import junit

PLAIN_FORMATS = ("json", "junit")
"""The formats in which every run can be written."""

_STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


def say(text: str, *, to_errors: bool = False) -> None:
    """Print one line to standard output, or to standard error if the output is machine-readable."""
    (sys.stderr if to_errors else sys.stdout).write(text + "\n")


def write_json(value: Any) -> None:
    """Print machine-readable output."""
    sys.stdout.write(dump(value))


class ReportFiles:
    """The report files of the `FORMAT=PATH` arguments, which are checked before the run.

    A report of an earlier run is removed at once: if this run ended early, it would look like its result. The job
    summary of GitHub Actions is appended to, because it holds the output of other steps.
    """

    def __init__(self, words: Iterable[str], formats: Sequence[str] = FORMATS) -> None:
        self._files = [_parsed(word, formats) for word in words]
        for _, path in self._files:
            if not path.parent.is_dir():
                raise UsageFault(f"--report: there is no folder {str(path.parent)!r} to write {path.name!r} to")
            if path.is_dir():
                raise UsageFault(f"--report: {str(path)!r} is a folder, name a file in it")
            if path.is_file() and not _is_step_summary(path):
                path.unlink()

    def write(self, render: Callable[[str], str]) -> None:
        """Write every report of a finished run; `render` returns the text for a format."""
        for name, path in self._files:
            text = render(name)
            try:
                with path.open("a" if _is_step_summary(path) else "w", encoding="utf-8", errors="replace") as file:
                    file.write(text)
            except OSError as wrong:
                raise UsageFault(f"--report: {str(path)!r} cannot be written: {wrong.strerror}") from None

    def write_plain(self, record: Callable[[], Any], cases: Callable[[], Iterable[junit.Case]]) -> None:
        """Write a run that has only the plain formats; calls only what the requested files need."""
        from harness.report import junit

        self.write(lambda name: junit.document(cases()) if name == "junit" else dump(record()))


def _parsed(word: str, formats: Sequence[str]) -> tuple[str, Path]:
    name, equals, path = word.partition("=")
    if name not in formats:
        raise UsageFault(f"--report: unknown format {name!r}{did_you_mean(name, formats)} (write FORMAT=PATH)")
    if not equals or not path:
        raise UsageFault(f"--report {word!r} names no file: write {name}=PATH")
    return name, Path(path)


def _is_step_summary(path: Path) -> bool:
    return str(path) == os.environ.get(_STEP_SUMMARY, "")
