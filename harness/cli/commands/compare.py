"""`harness compare A.json B.json …`: runs side by side, or one target then and now. Sends nothing.

Layer 8.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cli.arguments import read_options
from harness.cli.common_options import json_option, report_option
from harness.cli.masking import mask_tree, show_text
from harness.cli.options import PATH, Options, Page, Trust, argument, flag, option
from harness.cli.output import ReportFiles, write_json
from harness.outcome import Exit, UsageFault
from harness.report.formats import dump
from harness.report.screen import Screen
from harness.report.side_by_side.differences import compare_runs, list_lines
from harness.report.side_by_side.run_file import RunFile, read_run

_FORMATS = ("html", "markdown", "json")


@dataclass(kw_only=True)
class CompareArguments(Options):
    """The options of `harness compare`."""

    files: Sequence[str] = argument(
        "JSON reports of one command, each with an optional name",
        PATH, nargs="+", metavar="[NAME=]REPORT", trust=Trust.CALL,
    )  # fmt: skip
    name: Sequence[str] | None = option(
        "name of a run, in the order of the reports (repeatable)", repeats=True, metavar="NAME"
    )
    same_target: bool = flag("treat the reports as runs of one server at any address, and fail on new failures")
    report: Sequence[str] | None = report_option(_FORMATS)
    json: bool = json_option()

    page = Page(
        "compare",
        (
            "harness compare before.json after.json",
            "harness compare nginx=a.json envoy=b.json --report html=both.html",
        ),
        notes="""\
check, gateway, torture, fuzz and mutants write the reports with --report json=FILE. For one target, the first
report is the earlier run and the last is the later run; new failures come first. Reports of different targets
stand side by side.

exit codes: 0 no new failure, or different targets · 1 a failure is new · 2 usage · 3 nothing in common""",
    )


OPTIONS = CompareArguments


def run(words: Sequence[str]) -> int:
    """Run the command."""
    arguments = read_options(CompareArguments, words)
    runs = _name_runs([_read_named(word) for word in arguments.files], list(arguments.name or ()))
    _require_comparable(runs)
    files = ReportFiles(arguments.report or (), _FORMATS)
    compared = compare_runs(runs, same_target=arguments.same_target)
    from harness.report.side_by_side.reports import compare_record, render_markdown, render_page

    renderers = {
        "html": lambda: render_page(compared, show_text),
        "markdown": lambda: render_markdown(compared, show_text),
        "json": lambda: dump(mask_tree(compare_record(compared))),
    }
    if arguments.json:
        write_json(mask_tree(compare_record(compared)))
    else:
        screen = Screen(sys.stdout)
        for line in list_lines(compared):
            screen.line(show_text(line))
    files.write(lambda name: renderers[name]())
    if not compared.has_common:
        return Exit.NOTHING_RAN
    return Exit.FAILED if compared.same_target and compared.list_changes("new") else Exit.OK


def _read_named(word: str) -> RunFile:
    """The run of `NAME=REPORT`, or of a file whose path may hold a `=`."""
    name, equals, path = word.partition("=")
    if not equals or Path(word).exists():
        return read_run(Path(word))
    if not name:
        raise UsageFault(f"{word!r} has no name: write NAME={path}")
    return read_run(Path(path)).with_name(name)


def _name_runs(runs: list[RunFile], names: list[str]) -> list[RunFile]:
    """The runs as the user calls them; of several with one name, each is called by its whole path."""
    if len(names) > len(runs):
        raise UsageFault(
            f"--name was given {len(names)} times for {len(runs)} reports: one for each, in their order"
        )
    alike = Counter(run.name for run in runs)
    called = [run.with_name(run.path) if alike[run.name] > 1 else run for run in runs]
    return [run.with_name(name) for run, name in zip(called, names, strict=False)] + called[len(names) :]


def _require_comparable(runs: list[RunFile]) -> None:
    if len(runs) < 2:
        raise UsageFault("a comparison needs two or more reports: write `harness compare OLDER.json NEWER.json`")
    kinds = {run.kind: run.path for run in runs}
    if len(kinds) > 1:
        listed = ", ".join(f"{path!r} is of `harness {kind}`" for kind, path in kinds.items())
        raise UsageFault(f"the reports are of different commands ({listed}): compare those of one command")
