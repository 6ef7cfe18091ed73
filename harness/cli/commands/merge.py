"""`harness merge A.json B.json …`: the shards of one run put together again. Sends nothing.

Layer 7.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.cli.arguments import Parser
from harness.cli.output import Listeners, add_output_arguments
from harness.engine.decide import exit_of
from harness.engine.events import CheckFinished, Planned, RunEvent, RunFinished, RunStarted, TargetInfo
from harness.engine.merging import ShardReport, merge_shards
from harness.engine.results import Result
from harness.engine.traffic.retries import Waited
from harness.engine.traffic.timeout_budget import TimeoutLosses
from harness.interactions import INTERACTIONS
from harness.kit.check import Check
from harness.outcome import Exit, UsageFault
from harness.report.commands.presentation import Presentation
from harness.report.shard_record import read_shard

_EPILOG = """\
The reports are written by `harness check --shard K/N --report json=FILE`, one for each K from 1 to N, with the
same target, options and version. Verdicts, exit code and headline are those of one run. Of an exchange, the
merged reports have the text and the curl line; the diagrams are in the reports of the shards."""


def run(words: Sequence[str]) -> int:
    """Run the command."""
    parser = Parser("merge", "Put the shards of one run together again.", epilog=_EPILOG)
    parser.add_argument("files", nargs="+", metavar="REPORT", help="JSON reports of all shards of one run")
    add_output_arguments(parser.add_argument_group("output"), verbose="explain every failure and warning")
    arguments = parser.parse(words)
    read = [read_shard(Path(name)) for name in arguments.files]
    reports, records = [report for report, _ in read], [record for _, record in read]
    catalogue = _load_checks(reports[0])
    results = merge_shards(reports, catalogue, INTERACTIONS)
    ran = {name for report in reports for name in report.part.ran}
    exercises = {check.exercise.name for check in catalogue if check.id in ran}
    try:
        finished = _finish(results, records)
        target = _to_target(reports[0].target)
    except (KeyError, TypeError, ValueError, AttributeError) as wrong:
        raise UsageFault(f"a report is not whole ({type(wrong).__name__}: {wrong}): run its shard again") from None
    listeners = Listeners(arguments, Presentation())
    listeners.state.started = _earliest(records)
    listeners.state.capabilities = reports[0].capabilities
    return listeners.follow(_tell(target, finished, len(exercises))).exit


def _load_checks(report: ShardReport) -> list[Check]:
    """The catalogue at the revision of the shards."""
    try:
        contract = INTERACTIONS.load_contract(report.part.revision)
    except LookupError:
        raise UsageFault(
            f"{report.name!r} judges by the revision {report.part.revision!r}, which this version does not know"
        ) from None
    return [check for check in INTERACTIONS.load_catalogue() if contract.holds(check.rule)]


def _tell(target: TargetInfo, finished: RunFinished, exercises: int) -> Generator[RunEvent, None, None]:
    """The events of the whole run, all at once."""
    yield RunStarted(target)
    yield Planned(len(finished.results), exercises)
    for result in finished.results:
        yield CheckFinished(result)
    yield finished


def _to_target(told: Mapping[str, str]) -> TargetInfo:
    return TargetInfo(
        name=told["name"], url=told["url"], version=told["api_version"], model=told["model"], agent=told["agent"]
    )


def _earliest(records: Sequence[Mapping[str, Any]]) -> datetime | None:
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
    cut = [record["cut"] for record in records]
    return RunFinished(
        results,
        sum(float(record["seconds"]) for record in records),
        Exit.INTERRUPTED if interrupted else exit_of(results),
        tuple(str(path) for record in records for path in record["leftovers"]),
        Waited(sum(int(one["times"]) for one in waited), sum(float(one["seconds"]) for one in waited)),
        TimeoutLosses(
            sum(int(one["answers"]) for one in cut),
            sum(float(one["seconds"]) for one in cut),
            sum(int(one["hurried"]) for one in cut),
            sum(int(one["unsent"]) for one in cut),
            "the reports of the shards name it",
        ),
        next((str(record["ledger"]["halted"]) for record in records if record["ledger"]["halted"]), ""),
    )
