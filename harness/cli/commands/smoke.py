"""`harness smoke TARGET`: one plain create, to tell a dead or refusing target from a failing one.

Layer 8.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial

from harness.checks.capabilities import CAPABILITIES
from harness.cli.arguments import read_options
from harness.cli.common_options import json_option
from harness.cli.judging_options import (
    TargetArguments,
    TrafficOptions,
    resolve,
    said_capabilities,
    traffic_policy,
    wait_for,
)
from harness.cli.options import Page, flag
from harness.cli.output import say, write_json
from harness.engine.cleanup import CreatedResources
from harness.engine.probe import MOST_REQUESTS, Prober
from harness.engine.traffic.deadline import Deadline, Timer, TimeUp, describe_wait
from harness.engine.traffic.patience import TimeoutBudget
from harness.engine.traffic.retries import format_refusal
from harness.errors import TargetFault
from harness.outcome import FIRST_WORDS, Exit
from harness.report.json_report import capability_records, target_record
from harness.wire import By, Exchange
from harness.wire.mask import Mask


@dataclass(kw_only=True)
class SmokeArguments(TargetArguments, TrafficOptions):
    """The options of `harness smoke`."""

    probe: bool = flag("probe every capability (creates interactions)")
    json: bool = json_option()

    page = Page(
        "smoke",
        ("harness smoke http://127.0.0.1:8000", "harness smoke https://gateway.example/v1beta --probe"),
        groups=("target", "rate limits"),
        notes="Ends after 3 times --timeout plus --max-wait; with --probe, 34 times --timeout plus --max-wait.",
        shares=frozenset(
            {"api-version", "revision", "model", "agent", "capability", "wait", "timeout", "rate", "max-wait"}
        ),
    )  # fmt: skip


OPTIONS = SmokeArguments
_CREATES = 3
"""How often `--timeout` fits into the time of the command, if nothing is probed."""
_GRACE = 1.0
"""Seconds to delete what was created when that time is over."""
_ADVICE = "check the log of the server, or raise --timeout"


def run(words: Sequence[str]) -> int:
    """Run the command. Exit code: 0 if the target returns an interaction, 4 if not, with its response."""
    arguments = read_options(SmokeArguments, words)
    target = resolve(arguments)
    wait_for(target, arguments.wait)
    needed = frozenset(CAPABILITIES) if arguments.probe else frozenset()
    mask = target.make_mask()
    how = traffic_policy(arguments, None if arguments.json else partial(_say_wait, mask, arguments.max_wait))
    timer = Timer((MOST_REQUESTS if arguments.probe else _CREATES) * target.target.wait + arguments.max_wait)
    limits = TimeoutBudget(), Deadline(timer, target.target.wait)
    ledger = CreatedResources(target.api)
    with closing(target.with_drivers(how.wrapper(how.new_retries(), *limits)).connect()) as driver:
        prober = Prober(target.api, driver, target.target, said_capabilities(arguments), needed, ledger)
        try:
            found = prober.run()
        except TimeUp as up:
            timer.end(_GRACE)
            with suppress(TimeUp):
                ledger.clean(driver)
            raise TargetFault(f"{up or 'the time limit was reached'}: {_ADVICE}") from None
        if prober.greeting.ending.by is By.LIMIT:
            raise TargetFault(f"{describe_wait(prober.greeting)}: {_ADVICE}")
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
        say(f"{mask.text(place)} (API version {target.info.version}) returns interactions")
        for note in found.notes:
            say(f"note: {mask.text(note)}")
        for record in records:
            say(f"  {'+' if record['present'] else '-'}{record['name']:<16} {record['how']}: {record['note']}")
        say(f"{FIRST_WORDS[Exit.OK]}: the target returned an interaction.")
    return Exit.OK


def _say_wait(mask: Mask, most: float, seconds: float, refusal: Exchange) -> None:
    reason = mask.text(format_refusal(refusal))
    say(f"{reason}: harness retries in {seconds:.1f} s (at most {most:g} s in total: --max-wait S)")
