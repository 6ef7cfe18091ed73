"""The accounting as rows that open: a row for each outcome, by level or by reason; the numbers add up.

Layer 6.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.engine.results import Result
from harness.look.assets import Mark, mark_of
from harness.outcome import Accounted, Level, Reason
from harness.outcome.words import format_count, shorten
from harness.report.accounting import list_not_fulfilled, remedy_of
from harness.report.presented_run import PresentedRun

_REASON = 140
_MOST_IDS = 60

JUDGED = (Accounted.FAILED, Accounted.WARNED, Accounted.PASSED)
"""The outcomes of checks whose rule was compared with a response."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeCount:
    """How many there are of something, with the word and the mark of it."""

    word: str
    number: int
    mark: Mark
    hatched: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Results with one outcome for one reason."""

    ids: tuple[str, ...]
    more: int
    reason: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeRow:
    """One row: its number and words; `part` rows are counted in another row."""

    number: int
    words: str
    about: str
    mark: Mark | None
    groups: tuple[Group, ...] = ()
    part: bool = False


def list_outcomes(state: PresentedRun) -> Iterator[OutcomeRow]:
    """The rows that are not empty; those that are no part add up to the total."""
    accounting = state.presentation.accounting(state)
    for outcome in Accounted:
        number = accounting.counts.get(outcome, 0)
        if not number:
            continue
        results = [result for result in state.results if result.outcome is outcome]
        groups = tuple(_by_level(accounting.levels, outcome) if outcome in JUDGED else _by_reason(results, state))
        left_out = [item for item in state.presentation.left_out(state) if item.outcome is outcome]
        groups += tuple(
            Group(ids=(), more=0, reason=f"{item.number} {_show(item.why, state)}") for item in left_out
        )
        about = groups[0].reason if len(groups) == 1 else format_count(len(groups), "reason")
        yield OutcomeRow(
            number=number,
            words=outcome.word,
            about=", ".join(group.reason for group in groups) if outcome in JUDGED else about,
            mark=mark_of(str(outcome)),
            groups=groups,
        )
    if not_done := list(list_not_fulfilled(state.results)):
        groups = tuple(
            Group(ids=(), more=0, reason=f"{code} (blocks {format_count(blocked, 'check')})")
            for code, blocked in not_done
        )
        yield OutcomeRow(
            number=len(not_done),
            words="accepted but not fulfilled",
            about="2xx without the effect",
            mark=None,
            groups=groups,
            part=True,
        )


def count_for_bar(counts: Mapping[Accounted, int]) -> list[OutcomeCount]:
    """The parts of a bar: what was not judged is hatched."""
    return [
        OutcomeCount(word=outcome.word, number=number, mark=mark_of(str(outcome)), hatched=outcome not in JUDGED)
        for outcome in Accounted
        if (number := counts.get(outcome, 0))
    ]


def _by_level(levels: Mapping[Level, Mapping[Accounted, int]], outcome: Accounted) -> Iterator[Group]:
    for level in Level:
        if number := levels[level].get(outcome, 0):
            yield Group(ids=(), more=0, reason=f"{number} {level}")


def _by_reason(results: Sequence[Result], state: PresentedRun) -> Iterator[Group]:
    alike: dict[tuple[str, str], list[str]] = defaultdict(list)
    for result in results:
        observation = result.observation
        details = observation.reason or result.excuse or observation.instead
        if result.reason is Reason.HARNESS_ERROR:  # the last line of a traceback says what happened
            details = details.strip().rpartition("\n")[2]
        if result.reason is Reason.BLOCKED:  # the finding that blocks it explains it
            details = ""
        said = ": ".join(filter(None, (result.reason_words, details)))
        helped = result.reason is not None and result.reason not in (Reason.BLOCKED, Reason.HARNESS_ERROR)
        alike[_show(said, state), remedy_of(result) if helped else ""].append(result.id)
    for (reason, remedy), ids in sorted(alike.items(), key=lambda item: -len(item[1])):
        yield Group(
            ids=tuple(ids[:_MOST_IDS]),
            more=max(0, len(ids) - _MOST_IDS),
            reason=reason,
            remedy=_show(remedy, state),
        )


def _show(text: str, state: PresentedRun) -> str:
    return shorten(" ".join(state.mask.show(text).split()), _REASON)
