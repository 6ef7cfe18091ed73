"""What the reports look like, kept as files: the one place where a change of layout shows.

`python -m tests.report.golden_files` writes them again; look at the difference before it is committed.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from unittest.mock import patch

import msgspec

from harness.cli.output import render
from harness.interactions import INTERACTIONS
from harness.report.annotations import list_annotations
from harness.report.presented_run import PresentedRun
from harness.report.terminal_report import TerminalReport
from tests.engine import toys
from tests.report.story import heard, secret_protocol

FOLDER = Path(__file__).with_name("golden")
_MASKS = (
    (re.compile(r"\b\d+\.\d(\ss\b)"), r"N\1"),
    (re.compile(r"\b\d+ ms\b"), "N ms"),
    (re.compile(r'( time=)"[\d.]+"'), r'\1"N"'),
    (re.compile(r'(<span class="at">)[\d,]*(?: ms)?'), r"\1"),
    (re.compile(r"(Traceback \(most recent call last\):\n)(?:.*\n)*?(\s*KeyError)"), r"\1…\2"),
)
_SCRIPTS = re.compile(r"<(script|style)\b[^>]*>.*?</\1>|<meta http-equiv[^>]*>|<symbol .*?</symbol>", re.DOTALL)


class Terminal(io.StringIO):
    """A terminal of a given width, or a log."""

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.columns = columns

    def isatty(self) -> bool:
        return bool(self.columns)


def print_run(*, columns: int = 0, verbose: int = 0, colour: bool = False) -> str:
    """What a person sees of a run over the toy catalogue, without the progress lines."""
    out = Terminal(columns)
    state = PresentedRun(
        msgspec.structs.replace(INTERACTIONS, load_protocol=secret_protocol),
        repeat=lambda *words: f"harness check http://toy.invalid {' '.join(words)}",
    )
    with patch.dict(os.environ, {"COLUMNS": str(columns or 80), "TERM": "xterm"}):
        report = TerminalReport(out, state, colour=colour, verbose=verbose, now=lambda: 0.0)
        for event in heard(toys.ToyService()):
            state.handle(event)
            report.handle(event)
    return re.sub(r"[^\r\n]*\r\x1b\[2K", "", out.getvalue())


def finish_run() -> PresentedRun:
    """The same run, finished, at a fixed time."""
    state = PresentedRun(msgspec.structs.replace(INTERACTIONS, load_protocol=secret_protocol))
    state.started = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)
    for event in heard(toys.ToyService()):
        state.handle(event)
    return state


FILES: dict[str, Callable[[], str]] = {
    "log.txt": print_run,
    **{f"terminal-{columns}.txt": partial(print_run, columns=columns, colour=True) for columns in (80, 100, 120)},
    "log-v.txt": lambda: print_run(verbose=1),
    "log-vv.txt": lambda: print_run(verbose=2),
    "page.html": lambda: _SCRIPTS.sub("", render("html", finish_run())),  # without styles and scripts
    "summary.md": lambda: render("markdown", finish_run()),
    "junit.xml": lambda: render("junit", finish_run()),
    "badge.json": lambda: render("badge", finish_run()),
    "annotations.txt": lambda: "".join(f"{line}\n" for line in list_annotations(finish_run())),
}
"""Each file and the function that makes its text."""


def make(name: str) -> str:
    """The text of a golden file, without what differs from run to run."""
    text = FILES[name]()
    for pattern, word in _MASKS:
        text = pattern.sub(word, text)
    return text.replace(str(Path(__file__).resolve().parents[2]), "").encode("utf-8", "replace").decode("utf-8")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for file in FILES:
        (FOLDER / file).write_text(make(file), "utf-8")
