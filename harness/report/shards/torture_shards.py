"""The shards of `harness torture`: what each report says of its cases, and the run of all. Layer 6."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.benches.client.bench import UNDISTURBED
from harness.benches.client.judgement.case_results import decide_run
from harness.benches.client.judgement.outcome import result_id
from harness.engine.baseline import Baseline
from harness.engine.decide import Policy, exit_of_cases
from harness.engine.events import CheckFinished, PhaseFinished, Planned, RunFinished, RunStarted, TargetInfo
from harness.engine.results import ClientRun, Result, WireMoment
from harness.engine.sharding.shards import ShardReport, require_one_run
from harness.kit.api import Api
from harness.outcome import Finding, Severity
from harness.report.commands.torture import TorturePresentation
from harness.report.shards.merged_run import MergedRun
from harness.report.shards.shard_record import read_part, unreadable
from harness.wire.stream_picture import read_columns


def merge_torture(records: Mapping[str, Mapping[str, Any]], api: Api, *, same_target: bool) -> MergedRun:
    """The run that these shards are, given as the members of their reports by file."""
    reports: list[ShardReport] = []
    for name, record in records.items():
        with unreadable(name):
            target = {"name": str(record["client"]), "text": str(record["text"]), "events": str(record["events"])}
            reports.append(ShardReport(name=name, target=target, part=read_part(record)))
    require_one_run(reports, same_target=same_target)
    part = reports[0].part
    numbers = {name: number for number, name in enumerate(part.whole)}
    policy = Policy(strict=part.strict, baseline=Baseline(part.baseline))
    results: list[Result] = []
    for name, record in records.items():
        with unreadable(name):
            results += _read_results(record, numbers, policy, api)
    results.sort(key=lambda result: numbers[result.id])
    first = next(iter(records.values()))
    halted = "; ".join(dict.fromkeys(str(record["halted"]) for record in records.values() if record.get("halted")))
    counts = {"events": int(first["events"]), "characters": len(str(first["text"]))}
    finished = RunFinished(
        tuple(results),
        sum(float(record["seconds"]) for record in records.values()),
        exit_of_cases(results, halted=len(results) < len(part.whole)),
        halted=halted,
    )
    return MergedRun(
        presentation=TorturePresentation(),
        events=(
            RunStarted(TargetInfo(name=str(first["client"]))),
            Planned(len(part.whole), len(part.whole)),
            PhaseFinished(name=UNDISTURBED, counts=counts, notes=(str(first["text"]),)),
            *(CheckFinished(result) for result in results),
            finished,
        ),
    )


def _read_results(
    record: Mapping[str, Any], numbers: Mapping[str, int], policy: Policy, api: Api
) -> Iterator[Result]:
    for case in record["cases"]:
        finding = None
        if "code" in case:
            rule = str(case["code"]).partition("/")[0]
            severity = Severity(case["severity"])
            finding = Finding(rule, str(case["problem"]), code=str(case["code"]), severity=severity)
        run = _read_run(case, numbers)
        seconds = float(case["seconds"])
        yield decide_run(api, run, finding, policy, seconds=seconds, command=str(case.get("command", "")))


def _read_run(case: Mapping[str, Any], numbers: Mapping[str, int]) -> ClientRun:
    timeline = case["timeline"]
    return ClientRun(
        number=numbers[result_id(case["case"])],
        name=str(case["case"]),
        settings={name: str(case[name]) for name in ("plan", "event_ids", "resume")},
        row=str(case["row"]),
        kind=str(case.get("kind", "")),
        outcome=str(case["detail"]),
        event=case.get("event"),
        moments=tuple(
            WireMoment(
                at=float(one["at"]),
                request=str(one["request"]),
                answer=str(one["answer"]),
                fault=str(one.get("fault", "")),
                columns=read_columns(str(one["events"])) if "events" in one else None,
                start=int(one.get("start", 0)),
                broke=str(one.get("broke", "")),
            )
            for one in timeline["requests"]
        ),
        end=str(timeline["end"]),
        stderr=str(case["stderr"]),
        stray=tuple(map(str, case.get("stray", ()))),
    )
