"""Joins the reports of all shards of a run, whichever command they ran. Layer 6."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from harness.kit.api import Api
from harness.outcome import UsageFault
from harness.report.shards.check_shards import merge_checks
from harness.report.shards.fuzz_shards import merge_searches
from harness.report.shards.merged_run import MergedRun
from harness.report.shards.mutant_shards import merge_mutants
from harness.report.shards.shard_record import read_shard_record
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
    return MERGES[kind](records, api, same_target=same_target)
