"""What a shard of `harness check` hands to the merge, as a member of its JSON report. Layer 6."""

from __future__ import annotations

from typing import Any

from harness.engine.causes import call_of
from harness.engine.results import LoggedExchange, Result
from harness.engine.sharding.shards import ShardPart
from harness.kit.api import Api
from harness.outcome import Observation
from harness.report.json_report import finding_record
from harness.report.shards.shard_record import part_record
from harness.wire import Exchange

OBSERVED_TEXTS = ("reason", "instead", "cause", "remedy", "needs")
"""The texts of an observation, by their names in it and in the record."""


def check_part_record(part: ShardPart, results: tuple[Result, ...], api: Api) -> dict[str, Any]:
    """What the merge needs of one shard, as plain data; the caller hides secrets."""
    return {
        **part_record(part),
        "observations": {name: _record_observation(said) for name, said in part.observations.items()},
        "sightings": {
            rule: [
                {
                    "kind": list(one.kind),
                    "exercise": one.exercise,
                    "answers": one.answers,
                    "finding": finding_record(one.finding),
                }
                for one in seen
            ]
            for rule, seen in part.sightings.items()
        },
        "stops": {name: _call_record(stop, api) for name, stop in part.stops.items()},
        "calls": {
            result.id: [_call_record(item, api) for item in result.evidence if isinstance(item, Exchange)]
            for result in results
            if result.evidence
        },
    }


def _call_record(exchange: Exchange | LoggedExchange, api: Api) -> dict[str, Any]:
    return {"call": call_of(exchange, api), "status": exchange.status}


def _record_observation(said: Observation) -> dict[str, Any]:
    texts = {name: getattr(said, name) for name in OBSERVED_TEXTS if getattr(said, name)}
    findings = [finding_record(finding) for finding in said.findings]
    return {
        "outcome": str(said.outcome),
        "because": str(said.because),
        **texts,
        **({"findings": findings} if findings else {}),
    }
