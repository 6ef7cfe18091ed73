"""`harness torture -- CMD`: run a client in any language through a set of cases, each with its own faults.

Layer 7.
"""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from harness.cli.baseline_options import baseline_of, finish
from harness.cli.configuration import apply_section
from harness.cli.masking import mask_text, own_secrets
from harness.cli.output import Listeners, read_report_words, say
from harness.cli.serving import split_command
from harness.cli.sharding import read_seconds, shard_of
from harness.cli.tested_clients import STARTING, TIMEOUT, install_ready, new_client
from harness.cli.torture_cases import cases_of_options, read_base
from harness.cli.torture_options import build_parser
from harness.interactions import INTERACTIONS
from harness.outcome import Exit, UsageFault
from harness.outcome.suggest import did_you_mean

if TYPE_CHECKING:
    from harness.benches.client.cases.case import Case
    from harness.benches.client.ready import ReadyClient

_NO_INCIDENTS = (
    "set", "kinds", "cuts", "endings", "text", "script", "scenario", "cassette", "event_ids", "resume", "further",
)  # fmt: skip
"""The options that name cases of other kinds than incidents, or what the stream of those is."""


def run(words: Sequence[str]) -> int:
    """Run the command."""
    own, command = split_command(words, "torture")
    parser = build_parser()
    arguments = apply_section("torture", parser, own)
    ready = _ready_client(arguments)
    if (command is None) == (ready is None):
        raise UsageFault("name the client to torture: harness torture [options] -- CMD …, or --client NAME")
    if arguments.incidents is not None:
        parser.refuse(arguments, _NO_INCIDENTS, "names cases, and so does --incidents: give one of them")
    _settle_mode(arguments, ready)
    if arguments.cuts or arguments.endings:
        parser.refuse(arguments, ("set", "kinds"), "names cases, and so do --cuts and --endings: give one of them")
    event_ids, base = read_base(arguments)
    cases = cases_of_options(arguments, base, event_ids)
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


def _dry_run(cases: Sequence[Case]) -> int:
    from itertools import groupby

    for kind, same in groupby(cases, lambda case: case.kind):
        listed = list(same)
        if kind:
            say(f"# {kind}: {len(listed)}")
        for case in listed:
            say(str(case))
    return Exit.OK


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
    listeners = Listeners(arguments, TorturePresentation(), baseline)
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
