"""The ledger as rows that open: what was judged, and where everything else stands; the figures add up.

Layer 6.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.engine.ledger import Ledger
from harness.engine.results import Result
from harness.look.assets import Mark, mark_of
from harness.outcome import Standing, Verdict
from harness.outcome.words import format_count, shorten
from harness.report.ledger_text import remedy_of
from harness.report.presented_run import PresentedRun

_REASON = 140
_MOST_IDS = 60

_ROWS = (
    (Standing.REFUSED, "not offered by the target"),
    (Standing.BLOCKED, "blocked by a finding"),
    (Standing.NO_ANSWER, "without an answer"),
    (Standing.UNTESTED, "untested"),
    (Standing.NOT_ASKED, "not asked"),
    (Standing.ERRED, "failed by the harness itself"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictCount:
    """How many there are of something, with the word and the mark of it."""

    word: str
    number: int
    mark: Mark
    hatched: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Results that stand where they stand for one reason."""

    ids: tuple[str, ...]
    more: int
    reason: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingRow:
    """One row: its number and words; `part` rows are counted in the row above."""

    number: int
    words: str
    about: str
    mark: Mark | None
    tallies: tuple[VerdictCount, ...] = ()
    groups: tuple[Group, ...] = ()
    part: bool = False


def list_standings(state: PresentedRun) -> Iterator[StandingRow]:
    """The rows that are not empty; those that are no part add up to the results and what was left out."""
    ledger = Ledger.of(state.results)
    judged = ledger.rows[Standing.JUDGED]
    yield StandingRow(
        number=len(judged), words="judged", about="", mark=None, tallies=tuple(count_verdicts(judged)),
        groups=tuple(_by_level(judged)),
    )  # fmt: skip
    if ledger.not_done:
        groups = tuple(
            Group(ids=(root.id,), more=0, reason=_show(root.observation.findings[0].message, state))
            for root in ledger.not_done
        )
        yield StandingRow(
            number=len(ledger.not_done), words="of these accepted, but not done",
            about="answered 2xx, without the effect", mark=None, groups=groups, part=True,
        )  # fmt: skip
    for standing, words in _ROWS:
        results = ledger.rows[standing]
        if results:
            groups = tuple(
                _by_reason(results, state, remedies=standing in (Standing.NO_ANSWER, Standing.UNTESTED))
            )
            about = groups[0].reason if len(groups) == 1 else format_count(len(groups), "reason")
            yield StandingRow(
                number=len(results), words=words, about=about, mark=mark_of(str(standing)), groups=groups
            )
    for item in state.presentation.left_out(state):
        group = Group(ids=(), more=0, reason=_show(item.reason, state))
        yield StandingRow(
            number=item.number, words=item.words, about=group.reason, mark=mark_of("not_asked"), groups=(group,)
        )


def count_verdicts(results: Sequence[Result]) -> Iterator[VerdictCount]:
    """How many there are of each verdict."""
    counts = Counter(result.verdict for result in results)
    for verdict in Verdict:
        if counts[verdict]:
            word = str(verdict).replace("_", " ")
            yield VerdictCount(word=word, number=counts[verdict], mark=mark_of(str(verdict)))


def count_for_bar(results: Sequence[Result]) -> list[VerdictCount]:
    """The parts of a bar: the verdicts of what was judged, then the standings of the rest, hatched."""
    judged = [result for result in results if result.standing is Standing.JUDGED]
    rest: Counter[Standing] = Counter(r.standing for r in results if r.standing is not Standing.JUDGED)
    parts = list(count_verdicts(judged))
    for standing, words in _ROWS:
        if rest[standing]:
            parts.append(
                VerdictCount(word=words, number=rest[standing], mark=mark_of(str(standing)), hatched=True)
            )
    return parts


def _by_level(results: Sequence[Result]) -> Iterator[Group]:
    levels: dict[str, Counter[str]] = defaultdict(Counter)
    for result in results:
        levels[str(result.rule.level)][str(result.verdict)] += 1
    for level in ("MUST", "SHOULD", "MAY"):
        if levels[level]:
            listed = ", ".join(f"{number} {word}" for word, number in levels[level].items())
            yield Group(ids=(), more=0, reason=f"{level}: {listed}")


def _by_reason(results: Sequence[Result], state: PresentedRun, *, remedies: bool) -> Iterator[Group]:
    alike: dict[tuple[str, str], list[str]] = defaultdict(list)
    for result in results:
        observation = result.observation
        reason = observation.cause or result.excuse or observation.reason or observation.instead
        if result.standing is Standing.ERRED:  # of a traceback, its last line says what happened
            reason = reason.strip().rpartition("\n")[2]
        alike[_show(reason, state), remedy_of(result) if remedies else ""].append(result.id)
    for (reason, remedy), ids in sorted(alike.items(), key=lambda item: -len(item[1])):
        yield Group(
            ids=tuple(ids[:_MOST_IDS]), more=max(0, len(ids) - _MOST_IDS), reason=reason,
            remedy=_show(remedy, state),
        )  # fmt: skip


def _show(text: str, state: PresentedRun) -> str:
    return shorten(" ".join(state.mask.show(text).split()), _REASON)
