"""Judges several exchanges about the same interactions: what they say must agree.

Layer 1, pure. Works on what was recorded, in the order of the requests, and requires nothing that a recording may
lack. The response to a cancel does not count as a look at the run, because the cancel may take effect later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from harness.contract.contract import Contract
from harness.contract.data.step_diff import compare_steps
from harness.contract.judge.reading import Reading, read
from harness.contract.tables.lifecycle import SETTLED, is_settled, may_follow
from harness.contract.tables.protocol import COLLECTION
from harness.outcome import Finding
from harness.wire import Exchange

Named = tuple[str, Exchange]


@dataclass(slots=True)
class _Run:
    """One interaction. `looks`: each time it came as JSON, in order, as (exchange name, by POST, interaction)."""

    created_by: str = ""
    looks: list[tuple[str, bool, dict[str, Any]]] = field(default_factory=list)


def judge_history(exchanges: Iterable[Named], contract: Contract) -> list[Finding]:
    """Findings about all the named exchanges of a recording, which may be about several interactions."""
    runs: dict[str, _Run] = {}
    findings: list[Finding] = []
    for name, exchange in exchanges:
        reading = read(exchange, contract)
        findings += (finding.at(exchange=name) for finding in _alone(reading))
        identity = reading.id
        if identity is None or exchange.request.segments[-1:] == ("cancel",):
            continue
        run = runs.setdefault(identity, _Run())
        if exchange.request.method == "POST":
            findings += (finding.at(exchange=name) for finding in _created(run, name, identity))
        if reading.interaction is not None:
            run.looks.append((name, exchange.request.method == "POST", reading.interaction))
    for run in runs.values():
        findings += _judge_run(run)
    return findings


def _alone(reading: Reading) -> Iterator[Finding]:
    """Findings about the lifecycle that one exchange shows by itself."""
    stream, request = reading.stream, reading.exchange.request
    if stream is not None and stream.start == "fresh":
        yield from _transitions(stream.statuses)
    asked = request.segments[-1] if request.method == "GET" and request.segments[-2:-1] == (COLLECTION,) else None
    if asked is not None and reading.id not in (None, asked):
        yield Finding("bg.same-id", "GET answers for another interaction", asked, str(reading.id))


def _created(run: _Run, name: str, identity: str) -> Iterator[Finding]:
    if run.created_by:
        yield Finding(
            "create.id-unique", "two creates brought one id", f"an id unlike {run.created_by}'s", identity
        )
    run.created_by = name


def _judge_run(run: _Run) -> Iterator[Finding]:
    for (_, before_posted, before), (name, _, after) in pairwise(run.looks):
        one, other = before.get("status"), after.get("status")
        if isinstance(one, str) and isinstance(other, str):
            yield from (finding.at(exchange=name) for finding in _transitions((one, other)))
        if is_settled(one) and one == other:
            yield from (finding.at(exchange=name) for finding in _same(before, after, posted=before_posted))


def _transitions(statuses: Iterable[str]) -> Iterator[Finding]:
    for before, after in pairwise(statuses):
        if may_follow(before, after) is False:
            rule = "bg.no-regress" if before in SETTLED else "bg.transition"
            yield Finding(rule, f"{after} follows {before}", f"no {after} after {before}", after)


def _same(before: dict[str, Any], after: dict[str, Any], *, posted: bool) -> Iterator[Finding]:
    """Compare two looks at a settled interaction: nothing of it may change."""
    rule = "get.matches-post" if posted else "get.same"
    one, other = before.get("steps"), after.get("steps")
    if isinstance(one, list) and isinstance(other, list):
        for difference in compare_steps(one, other):
            message = f"the steps of a settled interaction changed at {difference.pointer}"
            yield Finding(rule, message, difference.assembled, difference.got)
    if not posted and before.get("usage") != after.get("usage"):
        yield Finding(
            rule, "the usage of a settled interaction changed", str(before.get("usage")), str(after.get("usage"))
        )
