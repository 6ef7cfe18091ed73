"""`harness verify PATH…`: judge recorded traffic offline; nothing is sent.

Layer 7.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from harness.cli.arguments import Parser, add_revision_argument, contract_of
from harness.cli.baseline_options import add_baseline_arguments, baseline_of, finish
from harness.cli.configuration import apply_section
from harness.cli.masking import mask_text, own_secrets, say_masked
from harness.cli.output import Listeners, add_output_arguments, say, write_json
from harness.outcome import Exit, UsageFault
from harness.outcome.words import format_count


def run(words: Sequence[str]) -> int:
    """Run the command. Exit code: 0 clean, 1 a broken MUST or file (--strict: SHOULD, too), 3 nothing to judge."""
    arguments = apply_section("verify", _parser(), words)
    paths = [Path(path) for path in arguments.paths]
    for path in paths:
        if not path.exists():
            raise UsageFault(f"there is no file or folder {str(path)!r}")
    if arguments.secrets:
        _parser().refuse(arguments, _JUDGING, "is for recordings that are judged: leave it or --secrets out")
        return _look_for_secrets(paths, arguments)
    return _judge(paths, arguments)


def _parser() -> Parser:
    parser = Parser(
        "verify", "Judge recorded traffic offline: cassettes (.yaml), .har, .sse, .events.jsonl, .json."
    )
    parser.add_argument("paths", nargs="+", metavar="PATH", help="file or folder of recordings")
    parser.add_argument(
        "--secrets", action="store_true", help="only look for secrets (exit code 1 if there are any)"
    )
    parser.add_argument(
        "--empty-ok",
        action="store_true",
        help="exit code 0 where nothing is there to be judged (for hooks that are handed any file)",
    )
    add_revision_argument(parser)
    group = parser.add_argument_group("verdicts")
    group.add_argument("--strict", action="store_true", help="broken SHOULDs fail, too")
    add_baseline_arguments(group)
    add_output_arguments(parser.add_argument_group("output"), verbose="list every rule that was looked at")
    return parser


_JUDGING = ("strict", "baseline", "baseline_update", "baseline_prune", "report")


def _judge(paths: Sequence[Path], arguments: argparse.Namespace) -> Exit:
    from harness.benches.recordings.run import USABLE, judge_recordings
    from harness.engine.decide import Policy
    from harness.engine.events import TargetInfo
    from harness.interactions import INTERACTIONS
    from harness.report.commands.verify import VerifyPresentation

    baseline = baseline_of(
        arguments, INTERACTIONS.load_rules(), is_known=lambda name: name.startswith(f"{USABLE.id}[")
    )
    policy = Policy(strict=arguments.strict, baseline=baseline)
    recordings = TargetInfo(name=", ".join(map(str, paths)), secrets=own_secrets())
    listeners = Listeners(arguments, VerifyPresentation(), baseline)
    try:
        finished = listeners.follow(
            judge_recordings(paths, policy, recordings, contract_of(arguments), INTERACTIONS)
        )
    except OSError as wrong:
        if wrong.filename is None:  # what was being written
            raise
        raise UsageFault(f"{wrong.filename} cannot be read: {wrong.strerror}") from None
    code = finish(arguments, baseline, finished)
    return Exit.OK if code is Exit.NOTHING_RAN and arguments.empty_ok else code


def _look_for_secrets(paths: Sequence[Path], arguments: argparse.Namespace) -> Exit:
    """Look for secrets, as a gate before recordings are shared. Exit code: 0 clean, 1 a hit, 3 no file."""
    from harness.benches.recordings.verify import secrets_in
    from harness.contract.tables.protocol import PROTOCOL

    scanned, secrets = secrets_in(paths, PROTOCOL, secrets=own_secrets().values())
    if arguments.json:
        found = [{"file": file, "kind": hit.kind, "place": mask_text(hit.place)} for file, hit in secrets]
        write_json({"scanned": scanned, "secrets": found})
    else:
        for file, hit in secrets:
            say_masked(f"{file}: {hit.kind} at {hit.place} {hit.shown}".rstrip())
        say(f"looked into {format_count(scanned, 'file')}: {format_count(len(secrets), 'possible secret')}")
    if not scanned and not arguments.empty_ok:
        return Exit.NOTHING_RAN
    return Exit.FAILED if secrets else Exit.OK
