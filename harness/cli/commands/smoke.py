"""`harness smoke TARGET`: one plain create, to tell a dead or refusing target from a failing one.

Layer 7.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from functools import partial

from harness.checks.capabilities import CAPABILITIES
from harness.cli.arguments import Parser
from harness.cli.output import say, write_json
from harness.cli.target_options import (
    add_target_arguments,
    add_traffic_arguments,
    parse_with_configuration,
    resolve,
    said_capabilities,
    traffic_policy,
)
from harness.cli.waiting import wait_for
from harness.engine.probe import probe
from harness.engine.traffic.retries import format_refusal
from harness.engine.traffic.timeout_budget import TimeoutBudget
from harness.outcome import Exit
from harness.report.records import capability_records, target_record
from harness.wire import Exchange
from harness.wire.mask import Mask


def run(words: Sequence[str]) -> int:
    """Run the command. Exit code: 0 if the target answers an interaction, 4 if not, with what it answered."""
    parser = Parser("smoke", "Ask whether a server is up and authorised, and what it can do.")
    add_target_arguments(parser)
    add_traffic_arguments(parser)
    parser.add_argument("--probe", action="store_true", help="probe every capability (creates interactions)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parse_with_configuration(parser, list(words))
    target = resolve(arguments)
    wait_for(target, arguments.wait)
    needed = frozenset(CAPABILITIES) if arguments.probe else frozenset()
    mask = target.make_mask()
    how = traffic_policy(arguments, None if arguments.json else partial(_say_wait, mask))
    with closing(
        target.with_drivers(how.wrapper(how.new_retries(), TimeoutBudget(target.target.wait))).connect()
    ) as driver:
        found = probe(target.api, driver, target.target, said_capabilities(arguments), needed)
    records = mask.tree(capability_records(found.capabilities))
    if arguments.json:
        write_json(
            {
                "target": mask.tree(target_record(target.info)),
                "answers": True,
                "requests": found.requests,
                "capabilities": records,
            }
        )
    else:
        place = target.info.url or "the embedded emulator"
        say(f"{mask.text(place)} (API version {target.info.version}) answers interactions")
        for note in found.notes:
            say(f"note: {mask.text(note)}")
        for record in records:
            say(f"  {'+' if record['present'] else '-'}{record['name']:<16} {record['how']}: {record['note']}")
    return Exit.OK


def _say_wait(mask: Mask, seconds: float, refusal: Exchange) -> None:
    say(mask.text(f"{format_refusal(refusal)}: asked again in {seconds:.1f} s"))
