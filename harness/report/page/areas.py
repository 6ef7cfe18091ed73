"""The whole catalogue by area: a row for each result, and what it opens to.

Layer 6.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from harness.engine.results import Result
from harness.look.assets import Mark, mark_of
from harness.outcome import Accounted, Verdict
from harness.report.causes import FAILING, describe
from harness.report.page.fragments import FragmentNames
from harness.report.page.outcome_rows import OutcomeCount, count_for_bar
from harness.report.presented_run import PresentedRun

_OPEN = frozenset({Accounted.FAILED, Accounted.WARNED})


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
    bar: list[OutcomeCount]
    rows: list[ResultRow]
    failed: int
    is_open: bool

    @property
    def passed(self) -> int:
        """How many of its results passed."""
        return sum(part.number for part in self.bar if part.word == Accounted.PASSED.word)


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
            bar=count_for_bar(Counter(result.outcome for result in results)),
            rows=[_to_row(result, state, names, detailed) for result in results],
            failed=sum(result.outcome is Accounted.FAILED for result in results),
            is_open=len(members) == 1
            or any(result.outcome in _OPEN or result.verdict in FAILING for result in results),
        )
        for name, results in members.items()
    ]


def _to_row(result: Result, state: PresentedRun, names: FragmentNames, detailed: frozenset[str]) -> ResultRow:
    rule = result.rule
    said = "" if result.verdict is Verdict.PASS else describe(result, state)
    title = state.mask.text(result.title)
    return ResultRow(
        id=state.mask.text(result.id),
        fragment=names.name(result.id),
        title=title,
        level=str(rule.level),
        word=result.outcome.word,
        filter=str(result.outcome),
        mark=mark_of(str(result.outcome)),
        detailed=result.id in detailed,
        requirement="" if rule.statement.rstrip(".") == title else rule.statement,
        source=str(rule.source),
        url=rule.source.url,
        breaks=rule.breaks,
        said=": ".join(part for part in (result.reason_words, "" if said == result.title else said) if part),
    )
