"""`harness torture -- CMD`: run a client in any language once for each place where its connection can drop.

Layer 7.
"""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.cli.arguments import Parser, add_revision_argument, contract_of, count, positive_seconds
from harness.cli.baseline_options import add_baseline_arguments, baseline_of, finish
from harness.cli.commands.serve import command_environment
from harness.cli.configuration import apply_section
from harness.cli.masking import mask_text, own_secrets
from harness.cli.output import Listeners, add_output_arguments, say
from harness.cli.serving import split_command
from harness.cli.signal_handling import ends_when_told
from harness.outcome import Exit, UsageFault

if TYPE_CHECKING:
    from harness.benches.client.client_commands import Client, Task
    from harness.benches.client.drop_case import Case

DEFAULT_ENDINGS = "rst,end"
NOWHERE = "http://127.0.0.1:9"
"""The initial base URL of a client that gets another one for each case; nothing answers there."""


def run(words: Sequence[str]) -> int:
    """Run the command."""
    own, command = split_command(words, "torture")
    arguments = apply_section("torture", _parser(), own)
    if command is None:
        raise UsageFault("name the client to torture: harness torture [options] -- CMD …")
    cases = _cases(arguments)
    if arguments.dry_run:
        return _dry_run(cases)
    return _play(cases, command, arguments)


def _parser() -> Parser:
    parser = Parser(
        "torture",
        "Run a client once for every place where its connection can drop: it must end up with the whole text.",
        usage="harness torture [options] -- CMD …",
        epilog=_EPILOG,
    )
    group = parser.add_argument_group("drops")
    group.add_argument(
        "--cuts",
        action="append",
        metavar="WHERE",
        help="every-event (default), structural, every-byte, or a fault plan (repeatable, docs/faults.md)",
    )
    group.add_argument(
        "--endings",
        metavar="LIST",
        default=DEFAULT_ENDINGS,
        help=f"how connections end (default: {DEFAULT_ENDINGS})",
    )
    group.add_argument(
        "--event-ids",
        metavar="LIST",
        default="all",
        help="events that carry an id: all, deltas, sparse, none (default: all)",
    )
    group.add_argument("--resume", choices=("exclusive", "inclusive"), default="exclusive")
    group = parser.add_argument_group("the stream")
    add_revision_argument(group)
    group.add_argument("--text", help="what the model says (default: a built-in text)")
    group.add_argument("--cassette", metavar="FILE", help="use a recorded stream instead of the emulator's")
    group = parser.add_argument_group("the client")
    group.add_argument(
        "--loop", action="store_true", help="start the client once; it reads tasks as lines of JSON"
    )
    group.add_argument(
        "--timeout", type=positive_seconds, default=30.0, metavar="S", help="limit for each case (default: 30)"
    )
    group.add_argument(
        "-j", "--jobs", type=count, metavar="N", help="clients to run in parallel (default: all processors)"
    )
    group.add_argument(
        "--allow-giving-up",
        action="store_true",
        help="accept a client that reports failure instead of the whole text",
    )
    add_baseline_arguments(parser.add_argument_group("verdicts"))
    group = parser.add_argument_group("output")
    group.add_argument("--dry-run", action="store_true", help="list the cases and run nothing")
    group.add_argument("--fail-fast", action="store_true", help="stop at the first failure")
    add_output_arguments(group, verbose="name every case")
    return parser


_EPILOG = """\
CMD finds the server in $INTERACTIONS_BASE_URL (also $GOOGLE_GEMINI_BASE_URL), and in $INTERACTION_ID the id of an
interaction that runs in the background. It streams that one, or creates one of its own. On standard output it
writes the text it ended up with; with a non-zero exit code it reports that it gave up.

With --loop it reads one line per case, {"base_url": …, "interaction": …, "case": …}, and answers each with one:
{"text": …}, {"events": […]} or {"error": …}.

exit codes: 0 every case exact · 1 a case was not · 2 usage, or a client that fails without any drop"""


def _cases(arguments: argparse.Namespace) -> list[Case]:
    from harness.benches.client.drop_case import EVENT_IDS
    from harness.benches.client.drop_cases import ENUMERATIONS, cases_of
    from harness.faults import Drop

    endings = _parse_list("--endings", arguments.endings, [str(drop) for drop in Drop])
    event_ids = _parse_list("--event-ids", arguments.event_ids, EVENT_IDS)
    if arguments.cassette is not None and (arguments.text is not None or event_ids != ["all"]):
        raise UsageFault("--cassette brings its own text and event ids: leave --text and --event-ids out")
    options: dict[str, Any] = {
        "endings": endings,
        "event_ids": event_ids,
        "resume": arguments.resume,
        "cassette": arguments.cassette,
        "contract": contract_of(arguments),
        "script": None if arguments.text is None else {"text": arguments.text},
    }
    cases: list[Case] = []
    for where in arguments.cuts or ["every-event"]:
        try:
            cases += cases_of(cuts=where if where in ENUMERATIONS else [where], **options)
        except UsageFault as wrong:
            known = ", ".join(ENUMERATIONS)
            raise UsageFault(f"--cuts {where!r} is neither one of {known} nor a plan\n{wrong}") from None
    return list(dict.fromkeys(cases))


def _parse_list(flag: str, text: str, known: Sequence[str]) -> list[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in known:
            raise UsageFault(f"{flag}: {word!r} is none of {', '.join(known)}")
    if not words:
        raise UsageFault(f"{flag} names none of {', '.join(known)}")
    return words


def _dry_run(cases: Sequence[Case]) -> int:
    for case in cases:
        say(str(case))
    return Exit.OK


def _new_client(command: Sequence[str], *, loop: bool) -> Callable[[], Client]:
    from harness.benches.client.client_commands import OneShot, Talking

    if loop:
        return lambda: Talking(command, command_environment(NOWHERE, os.environ))
    return lambda: OneShot(command, environment_of)


def environment_of(task: Task) -> Mapping[str, str]:
    """The environment of a client: where the server is, and what to read there."""
    told = {"INTERACTION_ID": task.interaction, "HARNESS_CASE": task.case}
    return {**command_environment(task.base_url, os.environ), **told}


def _play(cases: Sequence[Case], command: Sequence[str], arguments: argparse.Namespace) -> int:
    from harness.benches.client.bench import TortureOptions, torture
    from harness.benches.client.outcome import RULE
    from harness.engine.decide import Policy
    from harness.engine.events import TargetInfo
    from harness.report.commands.torture import TorturePresentation

    baseline = baseline_of(
        arguments, [f"{RULE.id}[{case}]" for case in cases], is_known=lambda name: name.startswith(f"{RULE.id}[")
    )
    listeners = Listeners(arguments, TorturePresentation())
    shown = tuple(mask_text(word) for word in command)
    options = TortureOptions(
        jobs=arguments.jobs or os.cpu_count() or 1,
        seconds=arguments.timeout,
        allow_giving_up=arguments.allow_giving_up,
        fail_fast=arguments.fail_fast,
        policy=Policy(baseline=baseline),
        command=shown,
        client=TargetInfo(name=shlex.join(shown), secrets=own_secrets()),
    )
    playing = torture(cases, _new_client(command, loop=arguments.loop), options)
    with ends_when_told():
        finished = listeners.follow(playing)
    return finish(arguments, baseline, finished)
