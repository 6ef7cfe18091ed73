"""The search that shards of `harness fuzz` are, made from their JSON reports. Layer 6."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from harness.engine.baseline import Baseline
from harness.engine.decide import Policy
from harness.engine.events import CheckFinished, Planned, RunEvent, RunStarted
from harness.engine.results import LoggedExchange, Replays, Result
from harness.engine.search.budget import digest_rules, merge_runs
from harness.engine.search.failure import AnswerCounts, EngineRun, Failure, fold
from harness.engine.search.rules import SeenDefect
from harness.engine.sharding.shards import ShardReport, require_one_run
from harness.kit.api import Api
from harness.outcome import Finding, Severity, UsageFault, Where
from harness.report.commands.fuzz import FuzzPresentation
from harness.report.shards.check_shards import to_target
from harness.report.shards.merged_run import MergedRun
from harness.report.shards.shard_record import read_part, unreadable


def merge_searches(records: Mapping[str, Mapping[str, Any]], api: Api, *, same_target: bool) -> MergedRun:
    """The search that these shards are, given as the members of their reports by file."""
    _require_the_extra(api)
    reports: list[ShardReport] = []
    runs: dict[str, list[EngineRun]] = {}
    for name, record in records.items():
        with unreadable(name):
            part = read_part(record)
            target = {str(word): str(value) for word, value in record["target"].items()}
            reports.append(ShardReport(name=name, target=target, part=part))
            runs[f"shard {part.shard}"] = list(_read_runs(record, api))
    require_one_run(reports, same_target=same_target)
    first = reports[0]
    if digest_rules(api) != first.part.catalogue:
        raise UsageFault(
            f"{first.name!r} was written with other rules: merge with the version that ran the shards"
        )
    baseline = Baseline(first.part.baseline)
    with unreadable(first.name):
        record = records[first.name]
        presentation = FuzzPresentation(int(record["seed"]), excluded=record["excluded"], baseline=baseline)
        started = RunStarted(to_target(first.target))
    merged = merge_runs(runs, api)
    events = tuple(_tell(started, merged, Policy(strict=first.part.strict, baseline=baseline), api))
    presentation.ran |= _read_curl_runs(events, records.values())
    return MergedRun(presentation=presentation, events=events)


def _read_curl_runs(events: Sequence[RunEvent], records: Iterable[Mapping[str, Any]]) -> dict[int, str]:
    """What came of running the curl lines of each result, by its identity."""
    told = {tuple(item["curl"]): str(item["curl_lines"]) for record in records for item in record["failures"]}
    results = [event.result for event in events if isinstance(event, CheckFinished)]
    lines = {
        id(result): tuple(item.command for item in result.evidence if isinstance(item, LoggedExchange))
        for result in results
    }
    return {name: told[curl] for name, curl in lines.items() if told.get(curl)}


def _require_the_extra(api: Api) -> None:
    """Raise UsageFault if what a search is made of is not installed: histories are read as its steps."""
    try:
        api.load_search()
    except ImportError as missing:
        raise UsageFault(f"the shards of a search cannot be read here: {missing}") from None


def _tell(started: RunStarted, runs: Sequence[EngineRun], policy: Policy, api: Api) -> Iterator[RunEvent]:
    # This module imports hypothesis, an extra: `merge` must join the reports of other commands without it.
    from harness.engine.search.run import finish_search, tell_run

    yield started
    yield Planned(0, len(runs))
    results: list[Result] = []
    earlier: list[Failure] = []
    for run in runs:
        folded = fold(run, earlier, api)
        earlier += folded.failures
        for event in tell_run(folded, policy, api):
            results += [event.result] if isinstance(event, CheckFinished) else []
            yield event
    yield finish_search(results, sum(run.seconds for run in runs))


def _read_runs(record: Mapping[str, Any], api: Api) -> Iterator[EngineRun]:
    """What each engine did."""
    found = [
        _to_failure(item, more, api)
        for item, more in zip(record["failures"], record["shard"]["evidence"], strict=True)
    ]
    for item, calls in zip(record["engines"], record["shard"]["calls"], strict=True):
        yield EngineRun(
            engine=str(item["engine"]),
            seconds=float(item["seconds"]),
            counts={str(name): int(number) for name, number in item["counts"].items()},
            failures=tuple(failure for failure in found if failure.engine == item["engine"]),
            vacuous=tuple(map(str, item["vacuous"])),
            notes=tuple(map(str, item["notes"])),
            answers=AnswerCounts.read(calls),
        )


def _to_failure(item: Mapping[str, Any], more: Mapping[str, Any], api: Api) -> Failure:
    """A failure as the report and the shard's own member tell it."""
    rule, code, replays = str(item["rule"]), str(item["code"]), item["replays"]
    finding = Finding(
        rule,
        str(item["message"]),
        str(item["expected"]),
        str(item["actual"]),
        where=Where(pointer=str(item["pointer"])),
        severity=Severity.NON_STRICT if more["strict"] else Severity.BROKEN,
        code="" if code == rule else code,
        cause=str(item.get("cause", "")),
    )
    shown = zip(more["exchanges"], item["curl"], strict=True)
    return Failure(
        engine=str(item["engine"]),
        defect=SeenDefect(finding, str(item["call"])),
        history=tuple(map(api.load_search().read_step, item["history"])),
        logged=tuple(_to_logged(exchange, str(command)) for exchange, command in shown),
        seen=int(item["seen"]),
        known=bool(item["known"]),
        unshrunk=str(item["unshrunk"]),
        replays=Replays(int(replays["shown"]), int(replays["played"]), str(replays["why_not"])),
        consequences=tuple(map(str, item["consequences"])),
    )


def _to_logged(exchange: Mapping[str, Any], command: str) -> LoggedExchange:
    status = exchange["status"]
    return LoggedExchange(
        "",
        tuple(map(str, exchange["log"])),
        command,
        str(exchange["call"]),
        None if status is None else int(status),
    )
