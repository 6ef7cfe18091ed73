"""`python -m lab path`: the files that a failure passes, from its response to three written reports.

A mutant is served by a process of its own, so only the judging side is traced. A module counts if a function of it
runs in that span; templates do not, nor does code that only runs because a module is imported.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from textwrap import fill
from types import FrameType

import harness
from harness.cli.main import main
from harness.outcome import Exit
from harness.wire import ExchangeBuilder

PACKAGE = str(Path(harness.__file__).parent) + "/"
MUTANT, CHECK, SHOWING = "resume-skips-one", "resume.no-gap", "last_event_id"
"""A defect, the check that reports it, and what the first request has whose response shows it."""


def run(words: Sequence[str]) -> int:
    """Print the files, each with the functions that ran, in the order in which they first did."""
    argparse.ArgumentParser(prog="python -m lab path", description=__doc__).parse_args(words)
    serving = [sys.executable, "-m", "harness", "serve", "--port", "0", "--mutant", MUTANT]
    with subprocess.Popen(serving, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as served:
        try:
            assert served.stdout is not None
            url = served.stdout.readline().split()[0]
            found = trace(url)
        finally:
            served.terminate()
    for module, functions in found.items():
        print(fill(f"{module:44} {', '.join(functions)}", 115, subsequent_indent=" " * 45))
    print(f"{len(found)} files")
    return Exit.OK


def trace(url: str) -> dict[str, dict[str, None]]:
    """The modules that ran, in order, each with its functions, while one check failed at `url`."""
    found, begun = dict[str, dict[str, None]](), threading.Event()
    finish = ExchangeBuilder.finish

    def note(frame: FrameType, event: str, argument: object) -> None:
        code = frame.f_code
        is_ours = code.co_filename.startswith(PACKAGE) and code.co_filename.endswith(".py")
        if event == "call" and begun.is_set() and is_ours and "<" not in code.co_qualname:
            found.setdefault(code.co_filename.removeprefix(PACKAGE), {})[code.co_qualname] = None

    def begin(builder: ExchangeBuilder, *given: object) -> object:
        exchange = finish(builder, *given)  # type: ignore[arg-type]
        if SHOWING in exchange.request.target:
            begun.set()
        return exchange

    with tempfile.TemporaryDirectory() as folder, redirect_stdout(StringIO()):
        ExchangeBuilder.finish = begin  # type: ignore[method-assign, assignment]
        threading.setprofile(note)
        sys.setprofile(note)
        try:
            reports = [f"--report={kind}={folder}/run.{kind}" for kind in ("json", "html", "junit")]
            main(["check", url, "-c", CHECK, "--api-key", "any", "--no-config", *reports])
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
            ExchangeBuilder.finish = finish  # type: ignore[method-assign]
    return found
