"""`harness diff A B`: what changed between two recordings, or between the reports of several runs.

Structural drift of recordings fails; content drift only informs. Reports are of several targets side by side, or
of one target then and now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.arguments import read_options
from harness.cli.common_options import json_option, own_api, report_option
from harness.cli.options import PATH, Options, Page, Trust, argument, flag, option
from harness.cli.output import (
    MISSING,
    ReportFiles,
    hear,
    hide_in,
    mask_tree,
    say,
    say_masked,
    show_text,
    telling,
    write_json,
)
from harness.files import explain_unread, open_file, read_file
from harness.outcome import FIRST_WORDS, Exit, UsageFault
from harness.outcome.words import dump, format_count
from harness.report.side_by_side.differences import compare_runs, list_lines
from harness.report.side_by_side.run_file import RunFile, read_run
from harness.wire.bodies import json_or_none, object_or_none

if TYPE_CHECKING:
    from harness.benches.record.diff import Drifts
    from harness.cassette import Recording
    from harness.wire import StreamProtocol

FORMATS = ("html", "markdown", "json")
"""Of the comparison of reports."""
_EMBEDDED = "emulator"
_TARGET = "/v1beta/interactions"
_VERTEX = "/v1beta1/projects/any/locations/global/interactions"
"""Where the emulator gets requests that say nothing of where they went."""


@dataclass(kw_only=True)
class DiffArguments(Options):
    """The options of `harness diff`."""

    paths: Sequence[str] = argument(
        "older and newer recording, or the JSON reports of runs; NAME=FILE names a run",
        PATH, nargs="+", metavar="FILE", trust=Trust.CALL,
    )  # fmt: skip
    platform: str | None = option(
        "API surface that the emulator imitates", choices=("gemini", "vertex", "any"), shown="gemini"
    )
    same_target: bool = flag("treat the reports as runs of one server at any address, and fail on new failures")
    report: Sequence[str] | None = report_option(FORMATS)
    json: bool = json_option()
    textconv: bool = flag("print one cassette as text, for `git diff`; ids and times are named by their order")

    page = Page(
        "diff",
        ("harness diff before.yaml after.yaml", "harness diff nginx=a.json envoy=b.json --report html=both.html"),
        notes="""\
Recordings are two cassettes, or two folders of them. With the word emulator in place of the second one, the
emulator receives the requests of the first. That may then also be a folder of pairs NAME.request.json and
NAME.json or NAME.sse. A file of that name is ./emulator.

  Structure: fields, types, order of events, statuses, headers that matter.
  Content: text, number of deltas, usage, ids, times.

With --textconv, git shows the changes of a cassette (docs/cassettes.md).

check, gateway, torture and fuzz write the reports with --report json=FILE. For one target, the first
report is the earlier run and the last is the later run; new failures come first. Reports of different targets
stand side by side.

exit codes: 0 the same structure, or no new failure · 1 structural drift, or a new failure · 2 usage ·
3 nothing to compare · 4 a body could not be read""",
    )


OPTIONS = DiffArguments


def run(words: Sequence[str]) -> int:
    """Run the command. Exit code: 0 no structural drift, 1 drift, 3 nothing to compare, 4 a body not read."""
    arguments = read_options(DiffArguments, words)
    if arguments.textconv:
        return _print_as_text(arguments)
    first = arguments.paths[0]
    if first.lower().endswith(".json") and not _is_cassette(Path(first)):  # a report, which a name may precede
        arguments.refuse(("platform",), "applies to recordings: remove it")
        return compare_reports(
            arguments.paths,
            same_target=arguments.same_target,
            reports=arguments.report or (),
            as_json=arguments.json,
        )
    arguments.refuse(("same_target",), "applies to reports: remove it")
    arguments.refuse(("report",), "applies to reports of runs: `--json` has the differences of two recordings")
    if len(arguments.paths) != 2:
        raise UsageFault(
            f"one recording too many: {arguments.paths[2]!r} (only reports can be more than two)"
            if len(arguments.paths) > 2
            else "name the newer recording, too: harness diff A B"
        )
    before, newer = Path(arguments.paths[0]), arguments.paths[1]
    embedded = newer == _EMBEDDED  # whatever a folder holds: a file of this name is `./emulator`
    for path in (before,) if embedded else (before, Path(newer)):
        if not path.exists():
            raise UsageFault(f"no file or folder {str(path)!r}: {MISSING}")
    if arguments.platform and not embedded:
        raise UsageFault("--platform selects what the emulator imitates: write the word emulator as B")
    from harness.benches.record.diff import diff_paths
    from harness.report.recordings import drift_lines, drift_record, drift_totals, exit_of_drifts, write_verdict

    protocol = own_api().load_protocol()
    with telling("comparing the recordings"):
        if embedded:
            drifts = _answer_again(before, arguments.platform, protocol)
        else:
            drifts = diff_paths(before, Path(newer), protocol, hear=hear)
        older, newer, drifts = hide_in((str(before), newer, drifts))  # in one place, for every form
    if arguments.json:
        write_json({"before": older, "after": newer, **drift_record(drifts)})
    else:
        for line in (*drift_lines(drifts), drift_totals(drifts), write_verdict(drifts)):
            say_masked(line)
    return exit_of_drifts(drifts)


def _is_cassette(path: Path) -> bool:
    """Whether a JSON file is a cassette, such as one of vcrpy's JSON serializer."""
    try:
        return "interactions" in (object_or_none(read_file(path)) or {})
    except OSError:  # the reader of reports names the problem
        return False


def _print_as_text(arguments: DiffArguments) -> int:
    """Print one cassette; a file that is none is printed as it is, since git wants the text of any version."""
    if len(arguments.paths) > 1:
        raise UsageFault(f"--textconv prints one cassette: leave {arguments.paths[1]!r} out")
    from harness.cassette import CassetteError, load
    from harness.report.recordings import describe_cassette

    path = Path(arguments.paths[0])
    try:
        recordings = load(path).recordings
    except CassetteError as wrong:
        if not path.is_file():
            raise UsageFault(str(wrong)) from None
        say_masked(f"# no cassette: {wrong}", to_errors=True)
        try:
            file = open_file(path)
        except OSError as refused:
            raise UsageFault(f"{str(path)!r} cannot be read: {explain_unread(refused)}") from None
        with file:
            for data in file:
                say_masked(data.decode("utf-8", "replace").rstrip("\r\n"))
        return Exit.OK
    for line in describe_cassette(recordings, own_api().load_protocol()):
        say_masked(line)
    return Exit.OK


def _answer_again(path: Path, platform: str | None, protocol: StreamProtocol) -> Drifts:
    """Compare recorded answers with those of the emulator, a fresh one for each session."""
    from harness.benches.record.diff import Drifts, diff_recordings, send_again, sessions_in
    from harness.emulator import Emulator, Settings
    from harness.transport import ServiceDriver

    drifts = Drifts()
    try:
        sessions = sessions_in(path, _VERTEX if platform == "vertex" else _TARGET)
    except OSError as wrong:
        raise UsageFault(f"{wrong.filename!r} cannot be used: {explain_unread(wrong)}") from None
    old = [session for session in sessions if any(map(_is_legacy, session))]
    if old:
        left = f"left out {format_count(len(old), 'session')}"
        say(f"{left} of the format that the service removed in June 2026", to_errors=True)
    for session in (session for session in sessions if session not in old):
        for recording in session:
            hear(recording.request)
        emulator = Emulator(Settings().with_values({"platform": platform or "gemini", "require_key": False}))
        answers = send_again(session, ServiceDriver(emulator, emulator.clock), protocol)
        drifts.add(diff_recordings(session, answers, protocol))
    return drifts


def _is_legacy(recording: Recording) -> bool:
    """Whether a response is of the generation before steps, which the service no longer has."""
    from harness.contract.judge.body import is_legacy

    if recording.events:
        return b'"interaction.start"' in recording.body
    return is_legacy(json_or_none(recording.body))


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
    from harness.report.side_by_side.differences import compare_record, render_markdown, render_page

    renderers = {
        "html": lambda: render_page(compared, show_text),
        "markdown": lambda: render_markdown(compared, show_text),
        "json": lambda: dump(mask_tree(compare_record(compared))),
    }
    missing = files.write(lambda name: renderers[name]())
    failed = compared.same_target and compared.list_changes("new")
    code = Exit.FAILED if failed else Exit.USAGE if missing else Exit.OK
    code = code if compared.has_common else Exit.NOTHING_RAN
    if as_json:
        write_json(mask_tree(compare_record(compared)))
        return code
    *lines, verdict = list_lines(compared)
    if code is Exit.USAGE:
        verdict = f"{FIRST_WORDS[code]}: {missing[0]}; {verdict.removeprefix(FIRST_WORDS[Exit.OK] + ': ')}"
    for line in (*lines, verdict):
        say_masked(line)
    return code


def _read_named(word: str) -> RunFile:
    """The run of `NAME=REPORT`, or of a file whose path may hold a `=`."""
    name, equals, path = word.partition("=")
    if not equals or Path(word).exists():
        return read_run(Path(word))
    if not name:
        raise UsageFault(f"{word!r} has no name: write NAME={path}")
    return read_run(Path(path)).with_name(name)
