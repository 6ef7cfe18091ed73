"""The ledger of a run in words: what was judged, what was not and why, and one sentence that sums it up.

Layer 6. The same words for every command and every format.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from harness.engine.events import RunFinished
from harness.engine.ledger import Ledger
from harness.engine.results import Result
from harness.outcome import Level, Standing, Verdict
from harness.outcome.words import format_count, list_some, shorten

_REASON_SHOWN = 160

_WORDS = {
    Standing.REFUSED: "not offered by the target",
    Standing.BLOCKED: "blocked by a finding",
    Standing.NO_ANSWER: "without an answer",
    Standing.UNTESTED: "untested",
    Standing.ERRED: "failed by the harness itself",
}


@dataclass(frozen=True, slots=True)
class Headline:
    """The sentence that a reader takes from a run: what it says first, and what else is to be known."""

    first: str
    more: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{'; '.join((self.first, *self.more))}."


def make_headline(finished: RunFinished, *clauses: str) -> Headline:
    """The headline of these clauses, of which some may be empty.

    That of a shard says that it is only one, because a shard never speaks for the run.
    """
    first, *more = filter(None, clauses)
    if finished.part is not None:
        shard = finished.part.shard
        first = f"shard {shard.number} of {shard.of} by itself: {first}"
    return Headline(first[0].upper() + first[1:], tuple(more))


def headline(finished: RunFinished) -> Headline:
    """What a run says of its MUSTs. It says "judged" if not all of them were."""
    ledger = Ledger.of(finished.results)
    judged, broken = ledger.judged_musts, ledger.broken_musts
    missing = _describe_missing(ledger)
    excused = f"{len(ledger.excused_musts)} broken and excused by the baseline" if ledger.excused_musts else ""
    if not judged:
        said, excused = "no MUST was judged", ""
    elif broken:
        verb = "is" if len(broken) == 1 else "are"
        said = f"{len(broken)} of {format_count(len(judged), 'judged MUST')} {verb} broken, for "
        said += format_count(ledger.reasons, "reason")
    else:
        said = say_what_holds(ledger, whole=finished.part is None)
    left = (missing, _name_unasked(ledger), *_list_others(finished))
    return make_headline(finished, *finished.holes, say_early(finished), said, excused, *left)


def say_early(finished: RunFinished) -> str:
    """The clause that a run was not through; `""` if it was."""
    return "the run ended early" if finished.halted else ""


def say_what_holds(ledger: Ledger, *, whole: bool = True) -> str:
    """How many MUSTs hold, in a few words, if some were judged and none is broken; a shard is not the `whole`.

    What was not judged is no part of the number: `60 of 68` would read as eight that are broken.
    """
    judged, wanted, excused = len(ledger.judged_musts), len(ledger.wanted_musts), len(ledger.excused_musts)
    noun = "MUST" if judged == wanted and not ledger.unasked_musts else "judged MUST"
    if excused:
        hold = judged - excused
        return f"{hold} of {format_count(judged, noun)} {'holds' if hold == 1 else 'hold'}"
    if judged == 1:
        return f"the only {noun} holds"
    return f"{'all ' if whole else ''}{judged} {noun}s hold"


def _describe_missing(ledger: Ledger) -> str:
    """How many MUSTs were not judged, and why; `""` if all were."""
    left = [result for result in ledger.wanted_musts if result.standing is not Standing.JUDGED]
    if not left:
        return ""
    counts = Counter(result.standing for result in left)
    kinds = [(counts[standing], words) for standing, words in _WORDS.items() if counts[standing]]
    listed = ", ".join(words if number == len(left) else f"{number} {words}" for number, words in kinds)
    return f"{len(left)} not judged: {listed}"


def _name_unasked(ledger: Ledger) -> str:
    """The MUSTs that need what the user did not give; `""` if there are none."""
    names = [result.id for result in ledger.unasked_musts]
    return f"{len(names)} not asked: {list_some(names, 2)}" if names else ""


def _list_others(finished: RunFinished) -> Iterator[str]:
    """What else made the run fail, or warns."""
    yield from list_other_failures(finished)
    if warned := finished.counts[Verdict.WARN]:
        yield format_count(warned, "warning")


def list_other_failures(finished: RunFinished) -> Iterator[str]:
    """What made the run fail besides MUSTs that are broken."""
    failed = [result for result in finished.results if result.verdict is Verdict.FAIL]
    if strict := sum(result.rule.level is not Level.MUST for result in failed):
        yield f"{format_count(strict, 'SHOULD')} {'fails' if strict == 1 else 'fail'} under --strict"
    if untested := sum(result.untested for result in failed):
        yield f"{format_count(untested, 'untested MUST')} {'fails' if untested == 1 else 'fail'} under --strict"
    if stale := count_stale(finished):
        yield stale


def count_stale(finished: RunFinished) -> str:
    """How many entries of the baseline excuse nothing any more, which fails a run; `""` if none."""
    stale = finished.counts[Verdict.STALE]
    return f"{format_count(stale, 'baseline entry is', 'baseline entries are')} stale" if stale else ""


def ledger_lines(finished: RunFinished) -> Iterator[str]:
    """What was judged, what the target refuses, what it accepted and did not do, and each MUST left untested."""
    ledger = Ledger.of(finished.results)
    yield f"judged {len(ledger.rows[Standing.JUDGED])} of {len(finished.results)}" + "".join(
        f", {len(ledger.rows[standing])} {words}" for standing, words in _ROWS.items() if ledger.rows[standing]
    )
    for root in ledger.not_done:
        blocked = ledger.blocked_by(root)
        what = f", which blocks {format_count(blocked, 'check')}" if blocked else ""
        yield f"accepted but not done: {root.observation.findings[0].stable_code}{what}"
    yield from untested_lines(ledger.untested_musts)


_ROWS = {**_WORDS, Standing.NOT_ASKED: "not asked"}


def untested_lines(untested: Sequence[Result]) -> Iterator[str]:
    """Each MUST that stayed untested by name, with the reason and what would make it testable."""
    alike: dict[tuple[str, str], list[str]] = defaultdict(list)
    for result in untested:
        observation = result.observation
        reason = shorten(" ".join((observation.reason or observation.instead).split()), _REASON_SHOWN)
        alike[reason, remedy_of(result)].append(result.id)
    for (reason, remedy), ids in alike.items():
        yield f"untested {'MUST' if len(ids) == 1 else 'MUSTs'} {', '.join(ids)}: {reason}; testable {remedy}"


def remedy_of(result: Result) -> str:
    """What would make a result testable."""
    if result.observation.remedy:
        return result.observation.remedy
    return _REMEDIES.get(str(result.observation.because), _OTHERWISE)


_OTHERWISE = "once the target does what the reason says is missing"
_REMEDIES = {
    "race_lost": "with a run that lasts longer, so run again or name a slower model (--model)",
    "no_answer": "once the target answers; if it is only slow, raise --timeout",
    "our_limit": "with more time (--deadline, --timeout)",
    "not_tried": "once the run comes to it",
}


def ledger_record(finished: RunFinished) -> dict[str, Any]:
    """The same as plain data."""
    ledger = Ledger.of(finished.results)
    return {
        "headline": str(headline(finished)),
        "rows": {str(standing): len(results) for standing, results in ledger.rows.items()},
        "accepted_not_done": [
            {"code": root.observation.findings[0].stable_code, "blocks": ledger.blocked_by(root)}
            for root in ledger.not_done
        ],
        "musts": {
            "wanted": len(ledger.wanted_musts),
            "judged": len(ledger.judged_musts),
            "broken": len(ledger.broken_musts),
            "excused": len(ledger.excused_musts),
            "reasons": ledger.reasons,
        },
        "untested_musts": [
            {"id": result.id, "reason": result.observation.reason, "remedy": remedy_of(result)}
            for result in ledger.untested_musts
        ],
        "halted": finished.halted,
        **({"holes": list(finished.holes)} if finished.holes else {}),
    }
