"""What one shard of a run hands to the merge, as a member of its JSON report; and the way back.

Layer 6. A report may come from a stranger: whatever is missing or of another type makes it unreadable, in words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.engine.audit import AuditedDefect
from harness.engine.baseline import Entry
from harness.engine.capabilities import Capabilities, Capability, CapabilityOrigin
from harness.engine.causes import call_of
from harness.engine.merging import ShardReport
from harness.engine.results import LoggedExchange, Result
from harness.engine.shards import Shard, ShardPart
from harness.kit.api import Api
from harness.kit.lack import Lack
from harness.outcome import Because, Finding, Observation, Outcome, Severity, UsageFault, Where
from harness.report.side_by_side.run_file import read_record
from harness.wire import Exchange

_OBSERVED = ("reason", "instead", "cause", "remedy")


def part_record(part: ShardPart, results: tuple[Result, ...], api: Api) -> dict[str, Any]:
    """A part as plain data; the caller hides secrets."""
    return {
        "number": part.shard.number,
        "of": part.shard.of,
        "catalogue": part.catalogue,
        "revision": part.revision,
        "selection": part.selection,
        "strict": part.strict,
        "baseline": [asdict(entry) for entry in part.baseline],
        "ran": list(part.ran),
        "observations": {name: _observation_record(said) for name, said in part.observations.items()},
        "sightings": {
            rule: [
                {
                    "kind": list(one.kind),
                    "exercise": one.exercise,
                    "answers": one.answers,
                    "finding": _finding_record(one.finding),
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


def _observation_record(said: Observation) -> dict[str, Any]:
    texts = {name: getattr(said, name) for name in _OBSERVED if getattr(said, name)}
    findings = [_finding_record(finding) for finding in said.findings]
    return {
        "outcome": str(said.outcome),
        "because": str(said.because),
        **texts,
        **({"findings": findings} if findings else {}),
    }


def _finding_record(finding: Finding) -> dict[str, Any]:
    from harness.report.records import finding_record

    return finding_record(finding)


def read_shard(path: Path) -> tuple[ShardReport, dict[str, Any]]:
    """Read the report of a shard, and return it with all of its members. Raises UsageFault if it is none."""
    record = read_record(path)
    if not isinstance(record.get("shard"), dict):
        raise UsageFault(
            f"{str(path)!r} is no report of a shard: write one with `harness check --shard K/N --report json=FILE`"
        )
    try:
        return _to_report(record, path), record
    except (KeyError, TypeError, ValueError, AttributeError) as wrong:
        raise UsageFault(
            f"{str(path)!r} is no whole report of a shard ({type(wrong).__name__}: {wrong}): run the shard again"
        ) from None


def _to_report(record: Mapping[str, Any], path: Path) -> ShardReport:
    shard, checks = record["shard"], record["checks"]
    part = ShardPart(
        shard=Shard(int(shard["number"]), int(shard["of"])),
        catalogue=str(shard["catalogue"]),
        revision=str(shard["revision"]),
        selection=str(shard["selection"]),
        strict=bool(shard["strict"]),
        baseline=tuple(Entry(e["id"], e["reason"], e["since"], e["finding"]) for e in shard["baseline"]),
        ran=tuple(map(str, shard["ran"])),
        observations={str(name): _to_observation(said) for name, said in shard["observations"].items()},
        sightings={str(rule): tuple(map(_to_sighting, seen)) for rule, seen in shard["sightings"].items()},
        stops={str(name): _to_exchange({}, call) for name, call in shard["stops"].items()},
    )
    return ShardReport(
        name=str(path),
        version=str(record["harness"]),
        target={str(word): str(value) for word, value in record["target"].items()},
        capabilities=Capabilities(map(_to_capability, record["capabilities"])),
        part=part,
        seconds={str(item["id"]): float(item["seconds"]) for item in checks},
        evidence={
            str(item["id"]): tuple(map(_to_exchange, item["exchanges"], shard["calls"][item["id"]]))
            for item in checks
            if item.get("exchanges")
        },
    )


def _to_capability(item: Mapping[str, Any]) -> Capability:
    lack = Lack(item["lack"]) if "lack" in item else Lack.REFUSED
    return Capability(
        str(item["name"]), bool(item["present"]), CapabilityOrigin(item["how"]), str(item["note"]), lack
    )


def _to_observation(said: Mapping[str, Any]) -> Observation:
    texts = {name: str(said.get(name, "")) for name in _OBSERVED}
    findings = tuple(map(_to_finding, said.get("findings", ())))
    return Observation(Outcome(said["outcome"]), findings, because=Because(said["because"]), **texts)


def _to_sighting(seen: Mapping[str, Any]) -> AuditedDefect:
    kind = tuple(map(str, seen["kind"]))
    return AuditedDefect(kind, _to_finding(seen["finding"]), str(seen["exercise"]), int(seen["answers"]))


def _to_finding(item: Mapping[str, Any]) -> Finding:
    rule, code = str(item["rule"]), str(item["code"])
    return Finding(
        rule,
        str(item["message"]),
        str(item["expected"]),
        str(item["actual"]),
        where=Where(**item["where"]),
        severity=Severity(item["severity"]),
        code="" if code == rule else code,
        cause=str(item.get("cause", "")),
        weight=int(item["weight"]),
        cure=str(item.get("cure", "")),
        subject=str(item.get("subject", "")),
    )


def _to_exchange(item: Mapping[str, Any], call: Mapping[str, Any]) -> LoggedExchange:
    status = call["status"]
    return LoggedExchange(
        str(item.get("name", "")),
        tuple(map(str, item.get("log", ()))),
        str(item.get("curl", "")),
        str(call["call"]),
        None if status is None else int(status),
    )
