"""`harness smoke TARGET`: one plain create, so that a dead or refusing target is told apart from a failing one.

Layer 6.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.checks.check import CAPABILITIES
from harness.cli.arguments import Parser
from harness.cli.reporting import say, write_json
from harness.cli.targeting import add_target_arguments, parse_with_configuration, resolve, said_capabilities
from harness.outcome import Exit
from harness.report.mask import Mask
from harness.report.record import capability_records, target_record
from harness.runner.probe import Prober
from harness.runner.reach import wait_until_up


def run(words: Sequence[str]) -> int:
    """The command: 0 when the target answers an interaction, 1 when something else, 4 when not at all."""
    parser = Parser("smoke", "Is the target alive and authorised, and what can it do?")
    add_target_arguments(parser)
    parser.add_argument("--probe", action="store_true", help="find out every capability; creates interactions")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parse_with_configuration(parser, list(words))
    target = resolve(arguments)
    wait_until_up(target, arguments.wait or 0.0)
    needed = frozenset(CAPABILITIES) if arguments.probe else frozenset()
    driver = target.connect()
    try:
        prober = Prober(driver, target.target, said_capabilities(arguments), needed)
        found = prober.run()
    finally:
        driver.close()
    works = bool(prober.interaction.get("status"))
    mask = Mask(target.info.secrets)
    records = mask.tree(capability_records(found))
    if arguments.json:
        write_json(
            {
                "target": target_record(target.info),
                "answers": works,
                "requests": prober.requests,
                "capabilities": records,
            }
        )
    else:
        place = target.info.url or "the embedded emulator"
        said = "answers interactions" if works else "answers, but not with an interaction: is this the API's root?"
        say(f"{place} (API version {target.info.version}) {said}")
        for record in records:
            say(f"  {'+' if record['present'] else '-'}{record['name']:<16} {record['how']}: {record['note']}")
    return Exit.OK if works else Exit.FAILED
