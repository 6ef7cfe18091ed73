"""`harness check TARGET`: judge a server against the contract.

Layer 7.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from harness.cli.arguments import Parser, count, level_named
from harness.cli.baseline_options import add_baseline_arguments, baseline_of, finish
from harness.cli.output import Listeners, add_output_arguments, read_report_words, say, write_json
from harness.cli.sharding import add_shard_arguments, read_seconds, shard_of
from harness.cli.target_options import (
    add_deadline_argument,
    add_target_arguments,
    add_traffic_arguments,
    deadline_of,
    parse_with_configuration,
    resolve,
    said_capabilities,
    traffic_policy,
)
from harness.cli.waiting import wait_for
from harness.engine.capabilities import Capabilities, Capability, everything
from harness.engine.events import Waiting
from harness.engine.plan import Selection, make_plan
from harness.engine.probe import MOST_REQUESTS
from harness.engine.run import RunOptions, check_target
from harness.kit.api import Api
from harness.kit.check import Check
from harness.outcome import Exit, UsageFault
from harness.outcome.words import format_count
from harness.report.commands.presentation import Presentation


def run(words: Sequence[str]) -> int:
    """Run the command."""
    arguments = parse_with_configuration(_parser(), list(words))
    target = resolve(arguments)
    catalogue = target.api.load_catalogue()
    said = said_capabilities(arguments)
    baseline = baseline_of(arguments, [check.id for check in catalogue])
    shard = shard_of(arguments)
    if shard is not None and (arguments.baseline_update or arguments.baseline_prune):
        raise UsageFault("--shard sees only a part of the run: change the baseline with a whole one")
    selection = _read_selection(arguments)
    profiles = target.api.load_profiles()
    make_plan(catalogue, selection, Capabilities(said), profiles)  # report an unknown id before anything is sent
    if arguments.dry_run:
        read_report_words(arguments.report)
        return _dry_run(target.api, catalogue, selection, said, as_json=arguments.json)
    listeners = Listeners(arguments, Presentation(), baseline)
    options = RunOptions(
        selection=selection,
        said=said,
        baseline=baseline,
        strict=bool(arguments.strict),
        fail_fast=bool(arguments.fail_fast),
        jobs=arguments.jobs or 1,
        deadline=deadline_of(arguments, target),
        shard=shard,
        shard_seconds=read_seconds(arguments.shard_times),
        traffic=traffic_policy(arguments, lambda seconds, refusal: listeners.handle(Waiting(seconds, refusal))),
    )
    with listeners.reporting_faults_of(target.info):
        wait_for(target, arguments.wait)
        finished = listeners.follow(check_target(target, catalogue, options))
    return finish(arguments, baseline, finished)


def _parser() -> Parser:
    parser = Parser("check", "Judge a server against the contract of the Interactions API.", epilog=_EPILOG)
    add_target_arguments(parser)
    add_traffic_arguments(parser)
    group = parser.add_argument_group("selection")
    group.add_argument(
        "-c", "--check", action="append", metavar="GLOB", help="run only matching checks (repeatable)"
    )
    group.add_argument("--exclude", action="append", metavar="GLOB", help="leave out matching checks (repeatable)")
    group.add_argument(
        "--level", metavar="LEVEL", help="weakest level to judge: must, should or may (default: may)"
    )
    group.add_argument("--profile", action="append", metavar="NAME", help="run only this profile (repeatable)")
    group = parser.add_argument_group("verdicts")
    group.add_argument(
        "--strict",
        action="store_true",
        default=None,
        help="broken SHOULDs fail, too, and so do MUSTs that stay untested though the target does not refuse them",
    )
    add_baseline_arguments(group)
    group = parser.add_argument_group("run")
    group.add_argument("-j", "--jobs", type=count, metavar="N", help="exercises to run in parallel (default: 1)")
    add_deadline_argument(group)
    group.add_argument("--fail-fast", action="store_true", default=None, help="stop at the first failure")
    group.add_argument("--dry-run", action="store_true", help="print what would be sent, and send nothing")
    add_shard_arguments(group)
    add_output_arguments(
        parser.add_argument_group("output"), verbose="list every selected check and explain warnings"
    )
    return parser


_EPILOG = """\
429 and 503 are waited out. If a MUST gets no answer in the end, the exit code is 4. Ctrl-C ends the run, deletes
what it created, and writes the reports of what was judged; the exit code is then 130.

Without --profile, the profile `core` runs, and every other profile whose capabilities the probe found.

Defaults come from [tool.harness] in pyproject.toml. A live target is billed for what the checks create:
--dry-run prints how much that is."""


def _read_selection(arguments: argparse.Namespace) -> Selection:
    profiles = [name.strip() for word in arguments.profile or () for name in word.split(",")]
    return Selection(
        checks=tuple(arguments.check or ()),
        exclude=tuple(arguments.exclude or ()),
        level=level_named(arguments.level),
        profiles=tuple(profiles),
    )


def _dry_run(
    api: Api, catalogue: Sequence[Check], selection: Selection, said: Sequence[Capability], *, as_json: bool
) -> int:
    """Print how much would be sent at most, assuming every capability that was not denied."""
    denied = {item.name for item in said if not item.present}
    plan = make_plan(catalogue, selection, everything(api.load_capabilities(), but=denied), api.load_profiles())
    requests, interactions = plan.cost
    selected = [planned.check.id for planned in plan.checks if planned.skip is None]
    if as_json:
        write_json(
            {
                "requests": requests,
                "interactions": interactions,
                "probe_requests": MOST_REQUESTS,
                "exercises": len(plan.groups),
                "checks": selected,
            }
        )
    else:
        say(
            f"{format_count(len(selected), 'check')} in {format_count(len(plan.groups), 'exercise')}: at most "
            f"{format_count(requests, 'request')}, which create {format_count(interactions, 'interaction')}; "
            f"besides, at most {MOST_REQUESTS} requests to probe, and one deletion for each thing created. "
            "Nothing was sent."
        )
    return Exit.OK if selected else Exit.NOTHING_RAN
