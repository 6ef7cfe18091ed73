"""The shards of `harness mutants`: what each report says of its mutants, and the matrix of all. Layer 6."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.engine.kill_matrix import PlayedMutant, PlayedReference, load_checks, tell_matrix, to_matrix
from harness.engine.sharding.shards import ShardReport, require_catalogue, require_one_run
from harness.kit.api import Api
from harness.outcome import Exit, UsageFault
from harness.report.commands.mutants import MutantsPresentation
from harness.report.shards.merged_run import MergedRun
from harness.report.shards.shard_record import read_part, unreadable


def merge_mutants(records: Mapping[str, Mapping[str, Any]], api: Api, *, same_target: bool) -> MergedRun:
    """The run that these shards are, given as the members of their reports by file."""
    reports: list[ShardReport] = []
    played: list[PlayedReference | PlayedMutant] = []
    for name, record in records.items():
        with unreadable(name):
            reports.append(ShardReport(name=name, target={}, part=read_part(record)))
            played += _read_played(record)
    require_one_run(reports, same_target=same_target)
    _require_one_reference(reports, [one for one in played if isinstance(one, PlayedReference)])
    part, mutants = reports[0].part, api.load_mutants()
    checks = load_checks(api, part.revision)
    require_catalogue(reports[0], checks)
    with unreadable(reports[0].name):
        summaries = {name: mutants[name].summary for name in part.whole}
    cut = any(record["exit"] == Exit.INTERRUPTED for record in records.values())
    matrix = to_matrix(part.whole, checks, played, interrupted=cut)
    whole = len(summaries) == len(mutants)
    return MergedRun(presentation=MutantsPresentation(), events=tuple(tell_matrix(matrix, summaries, whole=whole)))


def _read_played(record: Mapping[str, Any]) -> Iterator[PlayedReference | PlayedMutant]:
    yield PlayedReference({str(check): str(why) for check, why in record["unmet_by_reference"].items()})
    for name, killers in record["matrix"].items():
        errors, seconds = record["errors"].get(name, ()), float(record["seconds"][name])
        yield PlayedMutant(str(name), tuple(map(str, killers)), tuple(map(str, errors)), seconds)


def _require_one_reference(reports: list[ShardReport], seen: list[PlayedReference]) -> None:
    """Raise UsageFault if the shards do not agree on what the reference itself does not meet."""
    for report, reference in zip(reports, seen, strict=True):
        if reference != seen[0]:
            differs = sorted(seen[0].unmet.keys() ^ reference.unmet.keys()) or list(reference.unmet)
            raise UsageFault(
                f"{reports[0].name!r} and {report.name!r} do not agree on what the unchanged emulator meets "
                f"({', '.join(differs[:3])}): run both shards again"
            )
