"""The whole catalogue by area: a row for each result, and what it opens to.

Layer 6.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from harness.engine.results import Result
from harness.look.assets import Mark, mark_of
from harness.outcome import Standing, Verdict
from harness.report.causes import FAILING, describe
from harness.report.page.fragments import FragmentNames
from harness.report.page.standing_rows import VerdictCount, count_for_bar
from harness.report.presented_run import PresentedRun

_OPEN = frozenset({*FAILING, Verdict.WARN, Verdict.INFO})


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultRow:
    """One result in the catalogue. `detailed`: its evidence stands above, where `fragment` leads."""

    id: str
    fragment: str
    title: str
    level: str
    word: str
    filter: str
    mark: Mark
    detailed: bool
    requirement: str
    source: str
    url: str
    breaks: str
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """A part of the catalogue; open if there is something to see in it. `title` is "" if `name` says enough."""

    name: str
    title: str
    fragment: str
    bar: list[VerdictCount]
    rows: list[ResultRow]
    failed: int
    is_open: bool

    @property
    def judged(self) -> int:
        """How many of its results were judged."""
        return sum(part.number for part in self.bar if not part.hatched)


def list_areas(state: PresentedRun, names: FragmentNames, detailed: frozenset[str]) -> list[Area]:
    """The areas in the order of the catalogue; `detailed` are the ids of the results that are shown in full."""
    members: dict[str, list[Result]] = defaultdict(list)
    for result in state.results:
        members[state.presentation.suite(result)].append(result)
    titles = state.api.load_areas()
    return [
        Area(
            name=name,
            title=titles.get(name, ""),
            fragment=names.name(f"area-{name}"),
            bar=count_for_bar(results),
            rows=[_to_row(result, state, names, detailed) for result in results],
            failed=sum(result.verdict in FAILING for result in results),
            is_open=len(members) == 1 or any(result.verdict in _OPEN for result in results),
        )
        for name, results in members.items()
    ]


def _to_row(result: Result, state: PresentedRun, names: FragmentNames, detailed: frozenset[str]) -> ResultRow:
    rule = result.rule
    word, kind = shown_verdict(result)
    said = "" if result.verdict is Verdict.PASS else describe(result, state)
    title = state.mask.text(result.title)
    return ResultRow(
        id=state.mask.text(result.id),
        fragment=names.name(result.id),
        title=title,
        level=str(rule.level),
        word=word,
        filter="fail" if result.verdict in FAILING else kind,
        mark=mark_of(kind),
        detailed=result.id in detailed,
        requirement="" if rule.statement.rstrip(".") == title else rule.statement,
        source=str(rule.source),
        url=rule.source.url,
        breaks=rule.breaks,
        said="" if said == result.title else said,
    )


def shown_verdict(result: Result) -> tuple[str, str]:
    """The word for a result, and the name of its mark: what was refused or not asked is told apart."""
    standing = result.standing
    if standing in (Standing.REFUSED, Standing.NO_ANSWER, Standing.NOT_ASKED, Standing.BLOCKED):
        return str(standing).replace("_", " "), str(standing)
    return str(result.verdict).replace("_", " "), str(result.verdict)
