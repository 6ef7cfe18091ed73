"""`harness torture -- CMD`: run a client in any language through a set of cases, each with its own faults.

Layer 7.
"""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.cli.arguments import Parser, add_revision_argument, contract_of, count, positive_seconds
from harness.cli.baseline_options import add_baseline_arguments, baseline_of, finish
from harness.cli.commands.serve import command_environment
from harness.cli.configuration import apply_section
from harness.cli.masking import mask_text, own_secrets
from harness.cli.output import Listeners, add_output_arguments, read_report_words, say
from harness.cli.serving import split_command
from harness.cli.sharding import add_shard_arguments, read_seconds, shard_of
from harness.cli.signal_handling import ends_when_told
from harness.interactions import INTERACTIONS
from harness.outcome import Exit, UsageFault
from harness.outcome.suggest import did_you_mean

if TYPE_CHECKING:
    from harness.benches.client.cases.case import Case
    from harness.benches.client.process.client_commands import Client, Task
    from harness.benches.client.ready import ReadyClient

DEFAULT_ENDINGS = "rst,end"
TIMEOUT = 30.0
"""Seconds for each case."""

STARTING = 60.0
"""Seconds more that a client with a driver has for its first case: some take long to be imported."""

NOWHERE = "http://127.0.0.1:9"
"""The initial base URL of a client that gets another one for each case; nothing answers there."""


def run(words: Sequence[str]) -> int:
    """Run the command."""
    own, command = split_command(words, "torture")
    parser = _parser()
    arguments = apply_section("torture", parser, own)
    ready = _ready_client(arguments)
    if (command is None) == (ready is None):
        raise UsageFault("name the client to torture: harness torture [options] -- CMD …, or --client NAME")
    if arguments.incidents is not None:
        others = (
            "set",
            "kinds",
            "cuts",
            "endings",
            "text",
            "script",
            "scenario",
            "cassette",
            "event_ids",
            "resume",
            "further",
        )
        parser.refuse(arguments, others, "names cases, and so does --incidents: give one of them")
    _settle_mode(arguments, ready)
    if arguments.cuts or arguments.endings:
        parser.refuse(arguments, ("set", "kinds"), "names cases, and so do --cuts and --endings: give one of them")
    event_ids, base = _base(arguments)
    cases = _cases(arguments, base, event_ids)
    if arguments.dry_run:
        read_report_words(arguments.report)
        return _dry_run(cases)
    if ready is None:
        assert command is not None
        return _play(cases, base, command, arguments)
    arguments.loop = ready.loops
    return _play(cases, base, install_ready(ready), arguments, spec=ready.spec)


def _ready_client(arguments: argparse.Namespace) -> ReadyClient | None:
    from harness.benches.client.ready import find_ready

    return None if arguments.client is None else find_ready(arguments.client)


def install_ready(client: ReadyClient, *, offline: bool = False) -> list[str]:
    """The command of a client with a driver; installs it first, and says so on standard error."""
    from harness.benches.client.ready import install

    return install(client, tell=lambda text: say(f"harness: {text}", to_errors=True), offline=offline)


def _settle_mode(arguments: argparse.Namespace, ready: ReadyClient | None) -> None:
    """Find the mode, and the set that is usual for it. Raises UsageFault if the client has no such mode."""
    model = INTERACTIONS.load_client_model()
    if arguments.mode is None:
        arguments.mode = model.usual_mode.name if ready is None else ready.modes[0]
    if arguments.mode not in model.modes:
        hint = did_you_mean(arguments.mode, model.modes)
        raise UsageFault(f"--mode {arguments.mode!r} is none of {', '.join(model.modes)}{hint}")
    if ready is not None and arguments.mode not in ready.modes:
        raise UsageFault(f"--mode {arguments.mode}: {ready.name} has {', '.join(ready.modes)}")
    if arguments.set is None and not (arguments.cuts or arguments.endings):
        arguments.set = model.modes[arguments.mode].usual_set


def _parser() -> Parser:
    parser = Parser(
        "torture",
        "Play what can go wrong with a stream to a client, case by case, and judge what it ends up with.",
        usage="harness torture [options] -- CMD …\n       harness torture [options] --client NAME[==VERSION]",
        epilog=_EPILOG,
    )
    group = parser.add_argument_group("what is played (--dry-run lists the cases)")
    _add_case_arguments(group)
    _add_stream_arguments(group)
    _add_client_arguments(parser.add_argument_group("the client"))
    group = parser.add_argument_group("verdicts and reports")
    _add_verdict_arguments(group)
    add_baseline_arguments(group)
    add_shard_arguments(group)
    add_output_arguments(group, verbose="name every case")
    parser.fold(_FOLDED)
    return parser


def _add_client_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--client", metavar="NAME", help="instead of CMD, one by name (`harness clients --list`)")
    group.add_argument(
        "--mode",
        metavar="NAME",
        help="follow (default), create, background, poll, chain, tools or cancel",
    )
    group.add_argument("--loop", action="store_true", help="start it once, to read tasks (default: for each case)")
    group.add_argument(
        "--timeout",
        type=positive_seconds,
        default=TIMEOUT,
        metavar="S",
        help=f"limit for each case ({TIMEOUT:g})",
    )
    group.add_argument("-j", "--jobs", type=count, metavar="N", help="clients at a time (two for each processor)")


def _add_verdict_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--dry-run", action="store_true", help="list the cases and run nothing")
    group.add_argument("--strict", action="store_true", help="broken SHOULDs fail, too (default: they warn)")
    group.add_argument(
        "--enough",
        type=_whole,
        metavar="N",
        help="leave a kind after N equal failures (5; 0, never, with baseline or shard)",
    )
    group.add_argument("--fail-fast", action="store_true", help="stop at the first failure")
    group.add_argument(
        "--deadline",
        type=positive_seconds,
        metavar="S",
        help="end after S seconds, never green then (default: none)",
    )


def _whole(text: str) -> int:
    return 0 if text == "0" else count(text)


def _add_case_arguments(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--set",
        metavar="NAME",
        help="quick (50 cases), standard (440, default), thorough (800), every-byte, table; default of other "
        "modes: polling (30), turns (40), cancelling (25)",
    )
    group.add_argument(
        "--incidents",
        metavar="LIST",
        nargs="?",
        const="all",
        help="instead: what really happened; all (default) or these",
    )
    group.add_argument("--kinds", metavar="LIST", help="only these kinds of the set (default: all)")
    group.add_argument(
        "--cuts",
        action="append",
        metavar="WHERE",
        help="instead: every-event, structural, every-byte, or a plan",
    )
    group.add_argument(
        "--endings",
        metavar="LIST",
        help=f"how connections end at --cuts ({DEFAULT_ENDINGS})",
    )
    group.add_argument(
        "--event-ids",
        metavar="LIST",
        default="all",
        help="events with an id: all (default), deltas, sparse, none",
    )
    group.add_argument(
        "--resume",
        choices=("exclusive", "inclusive"),
        metavar="HOW",
        default="exclusive",
        help="exclusive (default), or inclusive: repeats an event",
    )


def _add_stream_arguments(group: argparse._ArgumentGroup) -> None:
    add_revision_argument(group)
    group.add_argument("--text", help="what the model says (default: that of the mode)")
    group.add_argument("--script", metavar="JSON", help="the whole answer instead (docs/emulator.md)")
    group.add_argument("--further", metavar="JSON", help="the answer in further turns (default: of the mode)")
    group.add_argument("--scenario", metavar="FILE", help="a file of answers instead")
    group.add_argument("--cassette", metavar="FILE", help="a recorded stream instead")


_FOLDED = (
    "cuts",
    "endings",
    "revision",
    "text",
    "script",
    "further",
    "scenario",
    "cassette",
    "dry_run",
    "fail_fast",
    "baseline",
    "baseline_update",
    "baseline_prune",
    "shard",
    "shard_times",
    "json",
    "verbose",
    "color",
    "annotations",
)
"""What one can do without at first."""

_EPILOG = """\
CMD reads a stream: GET $INTERACTIONS_BASE_URL/v1beta/interactions/$INTERACTION_ID?stream=true
with any key as x-goog-api-key ($HARNESS_MODE names other modes). It prints
the text that it ended up with, and nothing else, or writes {"text": …,
"status": …} into the file $HARNESS_RESULT. It exits with a code other than 0
if it gave up. With --loop it reads a line {"case": …, "base_url": …,
"interaction": …, "mode": …} for each case and answers with a line {"case": …,
"text": …, "status": …} or {"case": …, "error": …}. More: docs/torture.md

exit codes: 0 no promise is broken · 1 one is · 2 usage, or a client that fails
without a fault · 3 nothing ran · 4 time was up before the end"""


def _cases(arguments: argparse.Namespace, base: Case, event_ids: Sequence[str]) -> list[Case]:
    from harness.benches.client.cases.case_sets import cases_of_set
    from harness.benches.client.cases.incident_cases import cases_of_incidents

    if arguments.incidents is not None:
        named = arguments.incidents.split(",")
        return cases_of_incidents(INTERACTIONS, base, [] if named == ["all"] else [word.strip() for word in named])
    if arguments.cuts or arguments.endings:
        return _asked_for(arguments, base, event_ids)
    kinds = [word.strip() for word in (arguments.kinds or "").split(",") if word.strip()]
    return cases_of_set(INTERACTIONS, arguments.set, base, event_ids=event_ids, only=kinds)


def _base(arguments: argparse.Namespace) -> tuple[list[str], Case]:
    """The settings of event ids to play, and what all cases share."""
    from harness.benches.client.cases.case import EVENT_IDS, Case

    event_ids = _parse_list("--event-ids", arguments.event_ids, EVENT_IDS)
    sources = ("text", "script", "scenario", "cassette")
    given = [name for name in sources if getattr(arguments, name) is not None]
    if len(given) > 1:
        raise UsageFault(f"--{given[0]} and --{given[1]} both say what the stream is: give one of them")
    if arguments.cassette is not None and event_ids != ["all"]:
        raise UsageFault("--cassette brings its own event ids: leave --event-ids out")
    script = _parse_script("--script", arguments.script)
    if arguments.text is not None:
        script = {"text": arguments.text}
    further = _parse_script("--further", arguments.further)
    base = Case(
        plan="pass",
        mode=INTERACTIONS.load_client_model().modes[arguments.mode],
        script=script,
        further=further,
        event_ids=event_ids[0],
        resume=arguments.resume,
        scenario=arguments.scenario,
        cassette=arguments.cassette,
        contract=contract_of(arguments),
    )
    return event_ids, base


def _parse_script(flag: str, text: str | None) -> dict[str, Any] | None:
    """The script that an argument gives; None if it is not given. Raises UsageFault."""
    from harness.emulator.script.scripts import parse
    from harness.wire.json_value import object_or_none

    if text is None:
        return None
    value = object_or_none(text.encode())
    if value is None:
        raise UsageFault(
            f"{flag} {text!r} is no JSON object: write for example "
            f"""{flag} '{{"text": "Hello.", "status": "failed"}}' (docs/emulator.md)"""
        )
    parse(value)
    return value


def _asked_for(arguments: argparse.Namespace, base: Case, event_ids: Sequence[str]) -> list[Case]:
    """The cases of --cuts."""
    from harness.benches.client.cases.drop_cases import ENUMERATIONS, cases_of
    from harness.faults import Drop

    endings = _parse_list("--endings", arguments.endings or DEFAULT_ENDINGS, [str(drop) for drop in Drop])
    cases: list[Case] = []
    for where in arguments.cuts or ["every-event"]:
        cuts = where if where in ENUMERATIONS else [where]
        try:
            cases += cases_of(INTERACTIONS, base, cuts=cuts, endings=endings, event_ids=event_ids)
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
    from itertools import groupby

    for kind, same in groupby(cases, lambda case: case.kind):
        listed = list(same)
        if kind:
            say(f"# {kind}: {len(listed)}")
        for case in listed:
            say(str(case))
    return Exit.OK


def new_client(command: Sequence[str], *, loop: bool, starting: float = 0.0) -> Callable[[], Client]:
    """Make clients of a command; `loop` if it reads tasks. The first one may take `starting` seconds longer."""
    from harness.benches.client.process.client_commands import CommandClient, LoopClient

    if loop:
        return lambda: LoopClient(command, command_environment(NOWHERE, os.environ), starting=starting)
    return lambda: CommandClient(command, environment_of)


def environment_of(task: Task) -> Mapping[str, str]:
    """The environment of a client: where the server is, and what to read there."""
    told = {"INTERACTION_ID": task.interaction, "HARNESS_CASE": task.case, "HARNESS_MODE": task.mode}
    return {**command_environment(task.base_url, os.environ), **told}


def _play(
    cases: Sequence[Case],
    base: Case,
    command: Sequence[str],
    arguments: argparse.Namespace,
    *,
    spec: str | None = None,
) -> int:
    """Play the cases; `spec` is what names a client with a driver."""
    from harness.benches.client.bench import ENOUGH, TortureOptions, torture
    from harness.benches.client.judgement.outcome import is_result_id, result_id
    from harness.engine.decide import Policy
    from harness.engine.events import TargetInfo
    from harness.report.commands.torture import TorturePresentation

    shard = shard_of(arguments)
    enough = (0 if arguments.baseline or shard else ENOUGH) if arguments.enough is None else arguments.enough
    if shard is not None:
        _refuse_beside_shard(arguments)
    baseline = baseline_of(arguments, [result_id(case) for case in cases], is_known=is_result_id)
    listeners = Listeners(arguments, TorturePresentation())
    shown = tuple(mask_text(word) for word in command)
    options = TortureOptions(
        jobs=arguments.jobs or 2 * (os.cpu_count() or 1),
        seconds=arguments.timeout,
        enough=enough,
        undisturbed=base,
        fail_fast=arguments.fail_fast,
        deadline=arguments.deadline,
        shard=shard,
        shard_seconds=read_seconds(arguments.shard_times),
        policy=Policy(strict=arguments.strict, baseline=baseline),
        command=shown if spec is None else (),
        repeated=tuple(_options_to_repeat(arguments, spec)),
        client=TargetInfo(name=shlex.join(shown) if spec is None else spec, secrets=own_secrets()),
    )
    new = new_client(command, loop=arguments.loop, starting=0.0 if spec is None else STARTING)
    with ends_when_told():
        finished = listeners.follow(torture(INTERACTIONS, cases, new, options))
    return finish(arguments, baseline, finished)


def _refuse_beside_shard(arguments: argparse.Namespace) -> None:
    """Raise UsageFault for what only a whole run can do."""
    for name, is_given in (
        ("--enough", bool(arguments.enough)),
        ("--fail-fast", arguments.fail_fast),
        ("--baseline-update", arguments.baseline_update),
        ("--baseline-prune", arguments.baseline_prune),
    ):
        if is_given:
            raise UsageFault(
                f"{name} needs the whole run, and --shard sees only a part of it: leave one of them out"
            )


def _options_to_repeat(arguments: argparse.Namespace, spec: str | None) -> Iterator[str]:
    """The options that a line has to repeat so that a case comes out the same."""
    if spec is not None:
        yield from ("--client", spec)
    if arguments.revision:
        yield from ("--revision", arguments.revision)
    if arguments.loop and spec is None:
        yield "--loop"
    if arguments.timeout != TIMEOUT:
        yield from ("--timeout", f"{arguments.timeout:g}")
    if arguments.strict:
        yield "--strict"
