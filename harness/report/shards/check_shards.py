"""The run that shards of `harness check` are, made from their JSON reports. Layer 6."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from harness.engine.audit import AuditedDefect
from harness.engine.capabilities import Capabilities, Capability, CapabilityOrigin
from harness.engine.decide import exit_of
from harness.engine.events import CheckFinished, Planned, RunEvent, RunFinished, RunStarted, TargetInfo
from harness.engine.results import LoggedExchange, Result
from harness.engine.sharding.merging import CheckShardReport, merge_shards
from harness.engine.traffic.retries import Waited
from harness.engine.traffic.timeout_budget import TimeoutLosses
from harness.kit.api import Api, Lack
from harness.kit.check import Check
from harness.outcome import Because, Exit, Finding, Observation, Outcome, Severity, UsageFault, Where
from harness.report.commands.presentation import Presentation
from harness.report.shards.check_part import OBSERVED_TEXTS
from harness.report.shards.merged_run import MergedRun
from harness.report.shards.shard_record import read_part, unreadable


def merge_checks(records: Mapping[str, Mapping[str, Any]], api: Api, *, same_target: bool) -> MergedRun:
    """The run that these shards are, given as the members of their reports by file."""
    reports: list[CheckShardReport] = []
    for name, record in records.items():
        with unreadable(name):
            reports.append(_to_report(record, name))
    catalogue = _load_checks(reports[0], api)
    results = merge_shards(reports, catalogue, api, same_target=same_target)
    ran = {name for report in reports for name in report.part.ran}
    exercises = {check.exercise.name for check in catalogue if check.id in ran}
    with unreadable(reports[0].name):
        finished = _finish(results, list(records.values()))
        target = to_target(reports[0].target)
    return MergedRun(
        presentation=Presentation(),
        events=tuple(_tell(target, finished, len(exercises))),
        started=_find_earliest(records.values()),
        capabilities=reports[0].capabilities,
    )


def _to_report(record: Mapping[str, Any], name: str) -> CheckShardReport:
    shard, checks = record["shard"], record["checks"]
    part = replace(
        read_part(record),
        observations={str(name): _to_observation(said) for name, said in shard["observations"].items()},
        sightings={str(rule): tuple(map(_to_sighting, seen)) for rule, seen in shard["sightings"].items()},
        stops={str(name): _to_exchange({}, call) for name, call in shard["stops"].items()},
    )
    return CheckShardReport(
        name=name,
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
    texts = {name: str(said.get(name, "")) for name in OBSERVED_TEXTS}
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


def _load_checks(report: CheckShardReport, api: Api) -> list[Check]:
    """The catalogue at the revision of the shards."""
    try:
        contract = api.load_contract(report.part.revision)
    except LookupError:
        raise UsageFault(
            f"{report.name!r} judges by the revision {report.part.revision!r}, which this version does not know"
        ) from None
    return [check for check in api.load_catalogue() if contract.holds(check.rule)]


def _tell(target: TargetInfo, finished: RunFinished, exercises: int) -> Iterator[RunEvent]:
    """The events of the whole run, all at once."""
    yield RunStarted(target)
    yield Planned(len(finished.results), exercises)
    for result in finished.results:
        yield CheckFinished(result)
    yield finished


def to_target(told: Mapping[str, str]) -> TargetInfo:
    """What was judged, as a report tells it."""
    return TargetInfo(
        name=told["name"], url=told["url"], version=told["api_version"], model=told["model"], agent=told["agent"]
    )


def _find_earliest(records: Iterable[Mapping[str, Any]]) -> datetime | None:
    """When the first shard began; None if no report says it."""
    known = sorted(str(record["started"]) for record in records if record.get("started"))
    try:
        return datetime.strptime(known[0], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) if known else None
    except ValueError:
        return None


def _finish(results: tuple[Result, ...], records: Sequence[Mapping[str, Any]]) -> RunFinished:
    """The end of the whole run; times, waits and losses add up."""
    interrupted = any(record["exit"] == Exit.INTERRUPTED for record in records)
    waited = [record["waited"] for record in records]
    holes = tuple(dict.fromkeys(str(hole) for record in records for hole in record["accounting"]["holes"]))
    cut = [record["cut"] for record in records]
    return RunFinished(
        results,
        sum(float(record["seconds"]) for record in records),
        Exit.INTERRUPTED if interrupted else exit_of(results, unjudged=bool(holes)),
        tuple(str(path) for record in records for path in record["leftovers"]),
        Waited(sum(int(one["times"]) for one in waited), sum(float(one["seconds"]) for one in waited)),
        TimeoutLosses(
            sum(int(one["answers"]) for one in cut),
            sum(float(one["seconds"]) for one in cut),
            sum(int(one["hurried"]) for one in cut),
            sum(int(one["unsent"]) for one in cut),
            "the reports of the shards name it",
        ),
        next((str(record["accounting"]["halted"]) for record in records if record["accounting"]["halted"]), ""),
        holes=holes,
    )
