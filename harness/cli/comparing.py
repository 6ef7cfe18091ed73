"""`harness diff A.json B.json …`: the reports of runs side by side, or of one target then and now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from harness.cli.output import ReportFiles, mask_tree, say_masked, show_text, write_json
from harness.outcome import Exit, UsageFault
from harness.outcome.words import dump
from harness.report.side_by_side.differences import compare_runs, list_lines
from harness.report.side_by_side.run_file import RunFile, read_run

FORMATS = ("html", "markdown", "json")


def compare_reports(paths: Sequence[str], *, same_target: bool, reports: Sequence[str], as_json: bool) -> int:
    """Compare the reports, write the comparison, and return the exit code."""
    runs = [_read_named(word) for word in paths]
    alike = Counter(run.name for run in runs)  # of several with one name, each is called by its whole path
    runs = [run.with_name(run.path) if alike[run.name] > 1 else run for run in runs]
    if len(runs) < 2:
        raise UsageFault("a comparison needs two or more reports: write `harness diff OLDER.json NEWER.json`")
    kinds = {run.kind: run.path for run in runs}
    if len(kinds) > 1:
        listed = ", ".join(f"{path!r} is of `harness {kind}`" for kind, path in kinds.items())
        raise UsageFault(f"the reports are of different commands ({listed}): compare those of one command")
    files = ReportFiles(reports, FORMATS)
    compared = compare_runs(runs, same_target=same_target)
    from harness.report.side_by_side.reports import compare_record, render_markdown, render_page

    renderers = {
        "html": lambda: render_page(compared, show_text),
        "markdown": lambda: render_markdown(compared, show_text),
        "json": lambda: dump(mask_tree(compare_record(compared))),
    }
    if as_json:
        write_json(mask_tree(compare_record(compared)))
    else:
        for line in list_lines(compared):
            say_masked(line)
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
