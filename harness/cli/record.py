"""`harness record`: a tap in front of a server writes what passes into a cassette; with `-- CMD`, for one command.

Layer 6.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.arguments import Parser
from harness.cli.record_scenarios import add_scenario_arguments, run_scenarios
from harness.cli.reporting import say, write_json
from harness.cli.standing import add_listen_arguments, announce, local_environment, split_command, stand
from harness.outcome import Exit, UsageFault

if TYPE_CHECKING:
    from harness.runner.record import Summary

MODES = ("none", "once", "new_episodes", "all")


def run(words: Sequence[str]) -> int:
    """The command: a command's exit code if it has one; 1 when something is missing, 3 when nothing passed."""
    own, command = split_command(words, "record")
    arguments = _parser().parse(own)
    if arguments.scenario:
        if command is not None:
            raise UsageFault("--scenario drives the target itself: leave the command after `--` out")
        return run_scenarios(arguments)
    if not arguments.cassette:
        raise UsageFault("name the file to record into: --cassette FILE")
    from harness.contract.protocol import PROTOCOL
    from harness.runner.record import Recorder

    recorder = Recorder(
        _target(arguments),
        Path(arguments.cassette),
        PROTOCOL,
        mode=arguments.record_mode,
        host=arguments.host,
        port=arguments.port,
        encoding=arguments.accept_encoding,
        ca_file=arguments.ca_file,
        redact=not arguments.no_redaction,
    )
    code = stand(
        recorder,
        lambda: announce(recorder.url, _welcome(arguments), as_json=arguments.json),
        command,
        lambda: local_environment(recorder.url, os.environ),
    )
    summary = recorder.summary
    if arguments.json:
        write_json(summary_record(summary))
    else:
        _print(summary)
    return code or int(_exit(summary))


def _parser() -> Parser:
    parser = Parser(
        "record",
        "Record what clients in any language say to a server and what it answers, to the byte.",
        usage="harness record --target URL (--cassette FILE [-- CMD …] | --scenario NAME …) [options]",
    )
    parser.add_argument("--target", metavar="URL", help="the server: http[s]://host[:port]")
    parser.add_argument("--cassette", metavar="FILE", help="where to record, a .yaml file")
    add_listen_arguments(parser)
    parser.add_argument("--record-mode", choices=MODES, default="once", help="as in vcrpy (once)")
    parser.add_argument(
        "--accept-encoding",
        metavar="CODINGS",
        help="ask the server for these, `identity` say; else what clients ask",
    )
    parser.add_argument("--ca-file", metavar="FILE", help="PEM certificates to trust besides the system's")
    parser.add_argument(
        "--no-redaction", action="store_true", help="write secrets as they are: never share such a file"
    )
    add_scenario_arguments(parser)
    return parser


def _target(arguments: argparse.Namespace) -> str:
    if not arguments.target:
        raise UsageFault("name the server to record: --target https://generativelanguage.googleapis.com")
    return str(arguments.target)


def _welcome(arguments: argparse.Namespace) -> str:
    return f"recording {arguments.target} into {arguments.cassette}; Ctrl-C ends it"


def _exit(summary: Summary) -> Exit:
    if summary.unrecorded or summary.misses:
        return Exit.FAILED
    return Exit.OK if summary.passed else Exit.NOTHING_RAN


def summary_record(summary: Summary) -> dict[str, Any]:
    """A summary as `schemas/output/record.schema.json` describes it."""
    return {
        "cassette": summary.cassette,
        "mode": summary.mode,
        "recorded": summary.recorded,
        "played": summary.played,
        "hung_up": summary.hung_up,
        "replaced": dict(sorted(summary.replaced.items())),
        "unrecorded": summary.unrecorded,
        "misses": summary.misses,
        "interrupted": summary.interrupted or None,
    }


def _print(summary: Summary) -> None:
    if summary.interrupted:
        say(f"recordings of an interrupted recorder are in {summary.interrupted}")
    say(f"recorded {summary.recorded} exchanges into {summary.cassette}, played {summary.played} from it")
    if summary.hung_up:
        say(f"clients hung up {summary.hung_up} of them")
    if summary.replaced:
        kinds = ", ".join(f"{kind} ({number})" for kind, number in sorted(summary.replaced.items()))
        say(f"replaced {sum(summary.replaced.values())} secrets: {kinds}")
    for reason in summary.unrecorded:
        say(f"not recorded: {reason}")
    for miss in summary.misses:
        say(f"miss: {miss}")
