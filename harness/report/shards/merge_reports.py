"""Joins the reports of all shards of a run, whichever command they ran. Layer 6."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from harness.engine.baseline import Baseline
from harness.engine.decide import tell_forgotten
from harness.engine.events import RunEvent
from harness.kit.api import Api
from harness.outcome import UsageFault
from harness.report.shards.check_shards import merge_checks
from harness.report.shards.fuzz_shards import merge_searches
from harness.report.shards.merged_run import MergedRun
from harness.report.shards.mutant_shards import merge_mutants
from harness.report.shards.shard_record import read_part, read_shard_record, unreadable
from harness.report.shards.torture_shards import merge_torture
from harness.report.side_by_side.run_file import kind_of


class Merge(Protocol):
    """Makes one run of the members of its shards' reports, by file. Raises UsageFault if they are not one."""

    def __call__(self, records: Mapping[str, Mapping[str, Any]], api: Api, *, same_target: bool) -> MergedRun: ...


MERGES: Mapping[str, Merge] = {
    "check": merge_checks,
    "mutants": merge_mutants,
    "fuzz": merge_searches,
    "torture": merge_torture,
}
"""How the shards of each command are put together."""


def merge_reports(
    paths: Sequence[Path],
    api: Api,
    *,
    same_target: bool = False,
    mask: Callable[[Any], Any] = lambda record: record,
) -> MergedRun:
    """Read the reports and make one run of them. Raises UsageFault if they are not all shards of one run.

    `mask` hides secrets in plain data: whoever made a report need not have known what is secret here.
    """
    records: dict[str, Mapping[str, Any]] = {}
    for path in paths:
        if str(path) in records:
            raise UsageFault(f"{str(path)!r} is named twice: name the report of each shard once")
        records[str(path)] = mask(read_shard_record(path))
    kinds = {kind_of(record, Path(name)): name for name, record in records.items()}
    if len(kinds) > 1:
        told = ", ".join(f"{name!r} is of `harness {kind}`" for kind, name in kinds.items())
        raise UsageFault(f"the reports are of different commands ({told}): merge the shards of one run")
    [kind] = kinds
    if kind not in MERGES:
        raise UsageFault(f"reports of `harness {kind}` cannot be merged: those of {', '.join(MERGES)} can")
    merged = MERGES[kind](records, api, same_target=same_target)
    with unreadable(next(iter(records))):
        known = Baseline(read_part(next(iter(records.values()))).baseline)
    return replace(merged, events=tuple(_tell_forgotten(merged.events, known)))


def _tell_forgotten(events: Iterable[RunEvent], known: Baseline) -> Iterator[RunEvent]:
    """The events; before the end of the run, the entries of its baseline that name nothing."""
    for event in events:
        yield from tell_forgotten(event, known)
