"""`harness diff A B`: what changed between two recordings. Drift of shape fails; drift of content only informs.

Layer 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.arguments import read_options
from harness.cli.common_options import json_option, report_option
from harness.cli.masking import mask_text, mask_tree, say_masked
from harness.cli.options import PATH, Options, Page, Trust, argument, flag, option
from harness.cli.output import ReportFiles, say, write_json
from harness.outcome import Exit, UsageFault

if TYPE_CHECKING:
    from harness.benches.recordings.diff import Drifts
    from harness.cassette import Recording

_EMBEDDED = "emulator"
_TARGET = "/v1beta/interactions"
_VERTEX = "/v1beta1/projects/any/locations/global/interactions"
"""Where the emulator gets requests that say nothing of where they went."""


@dataclass(kw_only=True)
class DiffArguments(Options):
    """The options of `harness diff`."""

    before: str = argument("older recording", PATH, metavar="A", trust=Trust.CALL)
    after: str = argument("newer recording, or the word emulator", PATH, metavar="B", trust=Trust.CALL)
    platform: str | None = option(
        "the surface that the emulator imitates", choices=("gemini", "vertex", "any"), shown="gemini"
    )
    report: Sequence[str] | None = report_option(("html",))
    json: bool = json_option()
    quiet: bool = flag("do not show content drift")

    page = Page(
        "diff",
        ("harness diff before.yaml after.yaml", "harness diff cassettes/ emulator"),
        notes="""\
A and B are two cassettes, or two folders of them.

  Structure: fields, types, order of events, statuses, headers that matter.
  Content: text, number of deltas, usage, ids, times.

With the word emulator as B, the emulator gets the requests of A and answers them now. A may then also be a
folder of pairs NAME.request.json and NAME.json or NAME.sse.

exit codes: 0 the same structure · 1 structural drift · 2 usage · 3 nothing to compare""",
    )


OPTIONS = DiffArguments


def run(words: Sequence[str]) -> int:
    """Run the command. Exit code: 0 no drift of shape, 1 drift of shape, 3 nothing to compare."""
    arguments = read_options(DiffArguments, words)
    before, after = Path(arguments.before), Path(arguments.after)
    embedded = arguments.after == _EMBEDDED and not after.exists()
    for path in (before, *(() if embedded else (after,))):
        if not path.exists():
            raise UsageFault(f"there is no file or folder {str(path)!r}")
    if arguments.platform and not embedded:
        raise UsageFault("--platform says what the emulator imitates: give the word emulator as B")
    from harness.benches.recordings.diff import diff_paths
    from harness.contract.tables.protocol import PROTOCOL
    from harness.report.diff_text import drift_lines, drift_record, drift_totals
    from harness.report.page.drift_page import render_drifts

    files = ReportFiles(arguments.report or (), ("html",))
    drifts = _answer_again(before, arguments.platform) if embedded else diff_paths(before, after, PROTOCOL)
    files.write(lambda _: render_drifts(drifts, before=arguments.before, after=arguments.after, mask=mask_text))
    if arguments.json:
        write_json({"before": arguments.before, "after": arguments.after, **mask_tree(drift_record(drifts))})
    else:
        for line in (*drift_lines(drifts, content=not arguments.quiet), drift_totals(drifts)):
            say_masked(line)
    if drifts.shape:
        return Exit.FAILED
    return Exit.OK if drifts.compared else Exit.NOTHING_RAN


def _answer_again(path: Path, platform: str | None) -> Drifts:
    """Compare recorded answers with those of the emulator, a fresh one for each session."""
    from harness.benches.recordings.diff import Drifts, diff_recordings
    from harness.benches.recordings.same_requests import send_again, sessions_in
    from harness.contract.tables.protocol import PROTOCOL
    from harness.emulator import Emulator, Settings
    from harness.outcome.words import format_count
    from harness.transport import ServiceDriver

    drifts = Drifts()
    sessions = sessions_in(path, _VERTEX if platform == "vertex" else _TARGET)
    old = [session for session in sessions if any(map(_is_legacy, session))]
    if old:
        left = f"left out {format_count(len(old), 'session')}"
        say(f"{left} of the generation that the service removed in June 2026", to_errors=True)
    for session in (session for session in sessions if session not in old):
        emulator = Emulator(Settings(platform=platform or "gemini", require_key=False))
        answers = send_again(session, ServiceDriver(emulator, emulator.clock), PROTOCOL)
        drifts.add(diff_recordings(session, answers, PROTOCOL))
    return drifts


def _is_legacy(recording: Recording) -> bool:
    """Whether an answer is of the generation before steps, which nobody can ask for any more."""
    from harness.contract.judge.body import is_legacy
    from harness.wire.json_value import json_or_none

    if recording.events:
        return b'"interaction.start"' in recording.body
    return is_legacy(json_or_none(recording.body))
