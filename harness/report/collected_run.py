"""The events of a run as one value, and what they add up to: outcomes, reasons, the verdict, waiting times.

The secrets of the target are hidden here. The same words and numbers serve every command and every surface: a
surface prints these lines and counts nothing itself. Every result has one outcome (`outcome/verdict.py`), so the
numbers add up to the total. Exercises that ran side by side waited at the same time, so the sum of their times is
more than the run took.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from harness.engine import events
from harness.engine.decide import exit_of
from harness.engine.events import Capabilities, ExerciseFinished, Result, RunFinished
from harness.kit.api import Api
from harness.kit.relay import RelayedExchange
from harness.outcome import FIRST_WORDS, Accounted, Exit, Level, Outcome, Reason, Rule, Verdict
from harness.outcome.words import format_count, list_some, shorten
from harness.report.evidence.curl import EMBEDDED_ROOT, Display
from harness.report.screen import ROLES, Paint, leave_unpainted
from harness.wire import Exchange
from harness.wire.mask import Mask, hide_secrets

_NAMED = 6
"""Most checks or causes that a line names."""

ENDED_EARLY = "the run ended early"
"""The clause of a verdict for which `halted` gives the reason."""

UNTESTED_TARGET = "the target was not tested"
"""The verdict on a target that never gave a run a response to judge."""

_WORD = re.compile(r"[a-z]+[ ,]")
_BETWEEN_CLAUSES = re.compile(r"; (?![^(]{0,400}\))")


def to_sentence(text: str) -> str:
    """The text with a capital, unless it begins with a name that is spelled so, such as that of a file."""
    return text[0].upper() + text[1:] if _WORD.match(text + " ") else text


class LeftOut(Struct, frozen=True):
    """A number of things that were part of the run and have no result, with their outcome and why.

    `reason` is one of the closed list if they were not tested.
    """

    number: int
    outcome: Accounted
    why: str
    reason: Reason | None = None


class NotTested(Struct, frozen=True):
    """Checks that were not tested for one reason; `number` counts those without an id, too.

    `musts` are the ids of the MUST checks among them.
    """

    reason: Reason
    words: str
    ids: tuple[str, ...]
    number: int
    musts: tuple[str, ...] = ()

    def write(self, most: int) -> str:
        """The number and the reason, with at most `most` of the ids, the MUST checks first.

        What blocks a check is named in its stead.
        """
        ids = () if self.reason is Reason.BLOCKED else tuple(dict.fromkeys((*self.musts, *self.ids)))
        return f"{self.number} {self.words}{f': {list_some(ids, most)}' if ids and most else ''}"


class Accounting(Struct, frozen=True, kw_only=True):
    """How many of each outcome there are: of all results, and of those with each level.

    `baselined` are the warned ones that the baseline excuses, by level; `not_tested` groups those by reason.
    """

    noun: str
    counts: Mapping[Accounted, int]
    levels: Mapping[Level, Mapping[Accounted, int]]
    baselined: Mapping[Level, int]
    not_tested: tuple[NotTested, ...]

    @property
    def total(self) -> int:
        """The number of all results, with those that were left out."""
        return sum(self.counts.values())

    @property
    def musts(self) -> Mapping[Accounted, int]:
        """The numbers of the MUST checks."""
        return self.levels[Level.MUST]

    def list_counts(self, paint: Paint = leave_unpainted) -> str:
        """`1 failed, 340 passed`: the numbers that are not zero."""
        return list_counts(self.counts, sum(self.baselined.values()), paint)

    def write_totals(self, seconds: float, paint: Paint = leave_unpainted) -> str:
        counted = f": {counts}" if (counts := self.list_counts(paint)) else ""
        return f"{format_count(self.total, self.noun)} in {seconds:.1f} s{counted}."

    def write_reasons(self, *, hint: bool = False) -> str:
        """The line of the reasons why checks were not tested; `""` if all were. `hint`: it names few, and -v."""
        if not self.not_tested:
            return ""
        most, more = (2 if len(self.not_tested) < 4 else 0, " (-v gives details)") if hint else (_NAMED, "")
        return f"not tested: {'; '.join(group.write(most) for group in self.not_tested)}{more}."

    def record(self) -> dict[str, Any]:
        return {
            "totals": _record_counts(self.counts, sum(self.baselined.values())),
            **{level.lower(): _record_counts(self.levels[level], self.baselined[level]) for level in Level},
            "not_tested": [
                {
                    "reason": str(group.reason),
                    "words": group.words,
                    "number": group.number,
                    "checks": list(group.ids),
                }
                for group in self.not_tested
            ],
        }


def list_counts(
    counts: Mapping[Accounted, int],
    baselined: int = 0,
    paint: Paint = leave_unpainted,
    *,
    without: Accounted | None = None,
) -> str:
    """The numbers that are not zero, in the order of the outcomes, but for one that is named already."""
    listed = []
    for outcome in Accounted:
        if outcome is not without and (number := counts.get(outcome, 0)):
            known = f" ({baselined} in the baseline)" if outcome is Accounted.WARNED and baselined else ""
            listed.append(paint(ROLES[outcome], f"{number} {outcome.word}") + known)
    return ", ".join(listed)


def _record_counts(counts: Mapping[Accounted, int], baselined: int) -> dict[str, int]:
    numbers = {str(outcome): counts.get(outcome, 0) for outcome in Accounted}
    return {"total": sum(numbers.values()), **numbers, "in_baseline": baselined}


class CountedResult(NamedTuple):
    """All that the accounting needs of a result, under the names that it has there; it crosses processes."""

    level: Level
    id: str
    verdict: Verdict
    outcome: Accounted
    reason: Reason | None
    reason_words: str
    explained_by: str
    unjudged: bool
    untested: bool

    @classmethod
    def of(cls, result: Result) -> CountedResult:
        return cls(result.rule.level, *(getattr(result, name) for name in cls._fields[1:]))


def account_for(results: Iterable[CountedResult], noun: str, left_out: Iterable[LeftOut] = ()) -> Accounting:
    """Return the accounting of these results, and of what was left out."""
    counts: Counter[Accounted] = Counter()
    levels: dict[Level, Counter[Accounted]] = {level: Counter() for level in Level}
    baselined: Counter[Level] = Counter()
    untested: dict[tuple[Reason, str], list[CountedResult]] = defaultdict(list)
    others: Counter[tuple[Reason, str]] = Counter()
    for result in results:
        outcome, level = result.outcome, result.level
        counts[outcome] += 1
        levels[level][outcome] += 1
        baselined[level] += result.verdict is Verdict.XFAIL
        if result.reason is not None:
            untested[result.reason, result.reason_words].append(result)
    for item in left_out:
        counts[item.outcome] += item.number
        if item.reason is not None:
            others[item.reason, str(item.reason).replace("_", " ")] += item.number
    order = list(Reason)
    keys = sorted({**untested, **others}, key=lambda key: (order.index(key[0]), -len(untested[key])))
    return Accounting(
        noun=noun,
        counts=counts,
        levels=levels,
        baselined=baselined,
        not_tested=tuple(
            NotTested(
                *key,
                ids=tuple(result.id for result in untested[key]),
                number=len(untested[key]) + others[key],
                musts=tuple(result.id for result in untested[key] if result.level is Level.MUST),
            )
            for key in keys
        ),
    )


class RunVerdict(Struct, frozen=True):
    """The last line of every surface: a word that the exit code decides, and what it rests on."""

    word: str
    clauses: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.word}: {'; '.join(self.clauses)}."

    @property
    def sentences(self) -> list[str]:
        """The clauses without the first word, which a heading shows, each as a sentence of its own."""
        parts = [part for clause in self.clauses for part in _BETWEEN_CLAUSES.split(clause)]
        return [f"{to_sentence(part)}." for part in parts if part]


def conclude_counted(results: Sequence[CountedResult], accounting: Accounting) -> RunVerdict:
    """Return the verdict of checks that no run of this process decided, such as those of the pytest suite."""
    code = exit_of(results)
    return RunVerdict(FIRST_WORDS[code], tuple(_list_clauses(results, accounting, code)))


def conclude(finished: RunFinished, *clauses: str) -> RunVerdict:
    """Return the verdict of these clauses, of which some may be empty.

    An obstacle to its end comes first, unless the run failed: a failure is certain. A target that could not be
    tested has nothing to sum up.
    """
    if finished.exit is Exit.INCOMPLETE and finished.halted and not finished.results:
        return RunVerdict(FIRST_WORDS[finished.exit], (UNTESTED_TARGET,))
    stated = [clause for clause in clauses if clause]
    early = [hole.rstrip(".") for hole in finished.holes]
    early += [ENDED_EARLY] if finished.halted and finished.exit is not Exit.INTERRUPTED else []
    stated = [*stated, *early] if finished.exit is Exit.FAILED else [*early, *stated]
    return RunVerdict(FIRST_WORDS[finished.exit], tuple(stated))


def conclude_checks(finished: RunFinished, counted: Sequence[CountedResult], accounting: Accounting) -> RunVerdict:
    """Return the verdict of a run of checks: the sum of its MUST checks, and what else decides the exit code."""
    return conclude(finished, *_list_clauses(counted, accounting, finished.exit))


def _list_clauses(results: Sequence[CountedResult], accounting: Accounting, code: Exit) -> list[str]:
    """The reasons of the exit code: a failure first, else the obstacles to judging."""
    holes = [f"no {accounting.noun} judged the target"] if code is Exit.NOTHING_RAN else []
    holes += _list_holes(results, accounting.noun)
    others = list(list_other_failures(results))
    name, musts = f"MUST {accounting.noun}", accounting.musts
    sum_of_musts = [f"the run has no {name}"]
    if sum(musts.values()):
        baselined = accounting.baselined[Level.MUST]
        sum_of_musts = sum_up(musts, baselined, name, lambda: _explain_failures(results))
    if code is Exit.FAILED and accounting.musts.get(Accounted.FAILED, 0):
        return [*sum_of_musts, *others, *holes]
    return [*holes, *others, *sum_of_musts]


def _list_holes(results: Sequence[CountedResult], noun: str) -> Iterator[str]:
    if erred := sum(result.reason is Reason.HARNESS_ERROR for result in results):
        yield f"{format_count(erred, noun)} ended with a harness error"
    if unjudged := [result for result in results if result.unjudged]:
        whys = Counter(result.reason_words for result in unjudged)
        listed = ", ".join(f"{number} {why}" for why, number in whys.items())
        yield f"{format_count(len(unjudged), noun)} could not be tested ({listed})"


def sum_up(counts: Mapping[Accounted, int], baselined: int, noun: str, explain: Callable[[], str]) -> list[str]:
    """The clauses that sum up results; `explain` returns why some failed."""
    total, passed, failed = sum(counts.values()), counts.get(Accounted.PASSED, 0), counts.get(Accounted.FAILED, 0)
    if passed == total:
        return [f"all {total} {noun}s passed" if total > 1 else f"the only {noun} passed"]
    if failed:
        rest = list_counts(counts, baselined, without=Accounted.FAILED)
        return [f"{failed} of {format_count(total, noun)} failed ({explain()})", *([rest] if rest else [])]
    rest = list_counts(counts, baselined, without=Accounted.PASSED)
    fate = "was selected" if counts.get(Accounted.EXCLUDED, 0) == total else "failed"
    return [f"no {noun} {fate}", f"{passed} of {total} passed, {rest}"]


def _explain_failures(results: Sequence[CountedResult]) -> str:
    """Why MUST checks failed: their causes by name, entries of the baseline, and --strict."""
    failed: dict[str, list[CountedResult]] = defaultdict(list)
    for result in results:
        if result.outcome is Accounted.FAILED and result.level is Level.MUST:
            kind = "stale" if result.verdict is Verdict.STALE else "untested" if result.untested else "broken"
            failed[kind].append(result)
    parts = []
    if causes := list(dict.fromkeys(result.explained_by for result in failed["broken"])):
        parts.append(f"{format_count(len(causes), 'cause')}: {list_some(causes, 3)}")
    if stale := failed["stale"]:
        parts.append(format_count(len(stale), "stale baseline entry", "stale baseline entries"))
    if untested := failed["untested"]:
        parts.append(f"{len(untested)} not tested, --strict")
    return "; ".join(parts)


def list_other_failures(results: Iterable[CountedResult]) -> Iterator[str]:
    """The failures of the run besides MUST checks."""
    others = [r for r in results if r.outcome is Accounted.FAILED and r.level is not Level.MUST]
    if strict := sum(result.verdict is Verdict.FAIL for result in others):
        yield f"{format_count(strict, 'SHOULD check')} failed the run"
    if counts := count_stale(others):
        yield counts


def count_stale(results: Iterable[Result | CountedResult]) -> str:
    """How many entries of the baseline excuse nothing any more, which fails a run; `""` if none."""
    stale = sum(result.verdict is Verdict.STALE for result in results)
    return f"{format_count(stale, 'baseline entry is', 'baseline entries are')} stale" if stale else ""


def detail_lines(results: Sequence[Result]) -> Iterator[str]:
    """Features that the target accepted but did not fulfill, and MUST checks that were not tested, with a next
    step.
    """
    for code, blocked in list_not_fulfilled(results):
        yield f"accepted (2xx) but not fulfilled: {write_not_fulfilled(code, blocked)}"
    alike: dict[tuple[str, str], list[str]] = defaultdict(list)
    for result in list_open_musts(results):
        observation = result.observation
        reason = shorten(" ".join((observation.reason or observation.instead).split()), 160)
        alike[reason, remedy_of(result)].append(result.id)
    for (reason, remedy), ids in alike.items():
        which = "MUST check was" if len(ids) == 1 else "MUST checks were"
        yield f"{len(ids)} {which} not tested ({list_some(ids, _NAMED)}): {reason}"
        yield f"  help: {remedy}"


def list_not_fulfilled(results: Sequence[Result]) -> Iterator[tuple[str, int]]:
    """The finding of each thing that the target accepted without fulfilling it, and how many checks it blocks."""
    blocked = Counter(result.observation.cause for result in results if result.reason is Reason.BLOCKED)
    for result in results:
        if not (result.rule.effect and result.observation.outcome is Outcome.NOT_MET):
            continue
        place = result.observation.findings[0].where.exchange
        pairs = zip(result.named, result.evidence, strict=False)
        accused = next((item for name, item in pairs if place and name == place), None)
        status = accused.status if isinstance(accused, Exchange) else None
        if status is None or status < 400:  # of an error nothing was accepted
            codes = {finding.stable_code for finding in result.observation.findings}
            yield result.observation.findings[0].stable_code, sum(blocked[code] for code in codes)


def write_not_fulfilled(code: str, blocked: int) -> str:
    """The features that the target accepted but did not fulfill, and how many checks they block, if any."""
    need = format_count(blocked, "check that needs it was", "checks that need it were")
    return f"{code} ({need} not tested)" if blocked else code


_EXPLAINED = frozenset({Reason.BLOCKED, Reason.HARNESS_ERROR})


def list_open_musts(results: Iterable[Result]) -> list[Result]:
    """Every MUST check that was not tested and that no other finding explains."""
    return [
        result
        for result in results
        if result.rule.level is Level.MUST
        and (result.untested or (result.reason is not None and result.reason not in _EXPLAINED))
    ]


def remedy_of(result: Result) -> str:
    """The way to test a check; `""` if there is none: only a MUST feature is missing."""
    if result.observation.remedy:
        return f"test it {result.observation.remedy}"
    if result.reason is Reason.NOT_OBSERVED and result.rule.level is not Level.MUST:
        return ""
    return _REMEDIES.get(result.reason, _OTHERWISE) if result.reason is not None else _OTHERWISE


_OTHERWISE = "fix the missing feature named above, then run again"
_REMEDIES = {
    Reason.TOO_EARLY: "run again, or choose a slower model with `--model`",
    Reason.NO_RESPONSE: "run again when the target responds; if it is only slow, raise `--timeout`",
    Reason.TIME_LIMIT: "give the run more time with `--deadline` or `--timeout`",
    Reason.INTERRUPTED: "run again, without an interrupt",
    Reason.NOT_REACHED: "run again, so that the run reaches it",
}


def accounting_record(finished: RunFinished, accounting: Accounting, verdict: RunVerdict) -> dict[str, Any]:
    """The accounting of a run as plain data, the same member in the JSON report of every command."""
    return {
        "verdict": str(verdict),
        **accounting.record(),
        "accepted_not_fulfilled": [
            {"code": code, "blocks": blocked} for code, blocked in list_not_fulfilled(finished.results)
        ],
        "musts_not_tested": [
            {"id": result.id, "details": result.observation.reason, "help": remedy_of(result)}
            for result in list_open_musts(finished.results)
        ],
        "halted": finished.halted,
        "holes": list(finished.holes),
    }


_ROWS = 15
_WIDTH = 30
"""Cells of the longest bar."""

_KINDS = (("first_byte", "█", "until the first byte"), ("body", "▒", "until the end"), ("between", "·", "between"))
"""What an exercise waits for: the field of its times, the sign in its bar, and the words."""


def list_timings(exercises: Iterable[ExerciseFinished]) -> Iterator[str]:
    """Yield the lines of the table: the exercises that took longest, and what they waited for."""
    slowest = sorted(exercises, key=lambda one: -one.times.seconds)
    if not slowest:
        return
    total = {field: sum(getattr(one.times, field) for one in slowest) for field, _, _ in _KINDS}
    yield f"{format_count(len(slowest), 'exercise')}, the slowest first:"
    cells = _WIDTH / (slowest[0].times.seconds or 1.0)
    for one in slowest[:_ROWS]:
        bar = "".join(sign * round(getattr(one.times, field) * cells) for field, sign, _ in _KINDS)
        requests = format_count(one.times.requests, "request")
        yield f"  {one.times.seconds:6.2f} s  {bar:<{_WIDTH + 1}} {one.name.replace('_', ' ')} ({requests})"
    if rest := slowest[_ROWS:]:
        yield f"  {sum(one.times.seconds for one in rest):6.2f} s  in {len(rest)} more"
    yield "  " + ", ".join(f"{sign} {words}: {total[field]:.2f} s" for field, sign, words in _KINDS)
    yield "  (between two requests: between polls, and in pauses that the target requested)"


def timing_records(exercises: Iterable[ExerciseFinished]) -> list[dict[str, Any]]:
    """Return what each exercise waited for, in seconds, in the order in which they ended."""
    names = ("seconds", *(kind[0] for kind in _KINDS))
    return [
        {"exercise": one.name, "requests": one.times.requests}
        | {name: round(getattr(one.times, name), 6) for name in names}
        for one in exercises
    ]


_LEFT = (Exchange, RelayedExchange, Rule)
"""What an event has beside texts of a target: the wire, and rules, which are ours."""

Made = TypeVar("Made")


@dataclass(slots=True)
class CollectedRun:
    """A run as its events describe it, without its secrets.

    `target` and `finished` are None until their events come. `started` is the time of day at which the first event
    came. `revision` is that of the API, `""` if each recording names its own.
    """

    api: Api
    target: events.TargetInfo | None = None
    capabilities: Capabilities = field(default_factory=Capabilities)
    planned: events.Planned = field(default_factory=lambda: events.Planned(0, 0))
    phases: list[events.PhaseFinished] = field(default_factory=list)
    stopped: events.RunStopped | None = None
    finished: RunFinished | None = None
    exercises: list[ExerciseFinished] = field(default_factory=list)
    mask: Mask = field(default_factory=Mask)
    started: datetime | None = None
    revision: str = field(default="", kw_only=True)
    _hidden: dict[int, tuple[Result, Result]] = field(default_factory=dict, init=False, repr=False)
    _once: dict[str, tuple[RunFinished | None, Any]] = field(default_factory=dict, init=False, repr=False)

    def handle(self, event: events.RunEvent) -> None:
        """Record one event, without its secrets."""
        if isinstance(event, events.CheckFinished):  # the end of the run has all results again
            return
        if isinstance(event, events.RunStarted):
            self.mask = Mask(event.target.secrets, self.api.load_protocol().secret_fields)
            self._hidden.clear()
        elif isinstance(event, events.PhaseFinished):
            self.mask.add(event.keys)
        match self.hide(event):
            case events.RunStarted(target):
                self.target = target
                self.started = self.started or datetime.now(UTC)
            case events.Probed(capabilities):
                self.capabilities = capabilities
            case events.Planned() as planned:
                self.planned = planned
            case ExerciseFinished() as exercise:
                self.exercises.append(exercise)
            case events.PhaseFinished() as phase:
                self.phases.append(phase)
            case events.RunStopped() as stopped:
                self.stopped = stopped
            case RunFinished() as finished:
                self.finished = finished
            case _:
                pass

    def hide(self, event: events.RunEvent) -> events.RunEvent:
        """The event without secrets: the one way of a run's texts into reports.

        The bytes on the wire stay as they were, and are masked where they are put into words (`Display`). Every
        listener asks for the same results, each of which is looked through once.
        """
        match event:
            case events.RunStarted(target):
                return events.RunStarted(replace(hide_secrets(target, self.mask), secrets=target.secrets))
            case events.Probed(capabilities):
                shown = Capabilities(hide_secrets(item, self.mask) for item in capabilities)
                return replace(hide_secrets(event, self.mask, (Capabilities,)), capabilities=shown)
            case events.CheckFinished(result):
                return events.CheckFinished(self._hide_result(result))
            case RunFinished(results):
                hidden = tuple(map(self._hide_result, results))
                return replace(hide_secrets(event, self.mask, (*_LEFT, Result)), results=hidden)
            case events.PhaseFinished() | events.RunStopped():
                return hide_secrets(event, self.mask, _LEFT)
        return event

    def _hide_result(self, result: Result) -> Result:
        if result.verdict is Verdict.EXCLUDED:  # no target named it: it has our words alone
            return result
        known = self._hidden.get(id(result))
        if known is None:
            # The members that are our words: most results are named by nothing but their rule.
            own_id = ("id",) if result.id == result.rule.id else ()
            ours = ("accepts", "profile", *own_id, *(("title",) if result.rule.is_stated_by(result.title) else ()))
            # The result itself is kept, too, so that no other one gets its id.
            known = self._hidden[id(result)] = result, hide_secrets(result, self.mask, _LEFT, ours)
        return known[1]

    def once(self, name: str, make: Callable[[], Made]) -> Made:
        """Return the value of this name for the finished run, made once: every format asks for the same sums."""
        known = self._once.get(name)
        if known is None or known[0] is not self.finished:
            known = self._once[name] = self.finished, make()
        made: Made = known[1]
        return made

    def whole(self) -> tuple[events.TargetInfo, RunFinished]:
        """The target and the final event of a finished run. Raises RuntimeError before the run has finished."""
        if self.target is None or self.finished is None:
            raise RuntimeError("the run has not finished: a report of half a run would look whole")
        return self.target, self.finished

    @property
    def results(self) -> tuple[Result, ...]:
        """The results of a finished run, in the order of the catalog."""
        return self.whole()[1].results

    @property
    def halted_text(self) -> str:
        """Why the run ended before it was through, as a sentence without secrets; `""` if it was through."""
        finished = self.whole()[1]
        why = finished.halted.rstrip(".")
        if finished.exit is Exit.INCOMPLETE and not finished.results:
            return f"{to_sentence(why)}." if why else ""  # nothing began that could have ended early
        return f"The run ended early: {why}." if why else ""

    @property
    def started_text(self) -> str:
        """When the run began, as a date and time in UTC; `""` if it has not begun."""
        return self.started.strftime("%Y-%m-%dT%H:%M:%SZ") if self.started else ""

    @property
    def display(self) -> Display:
        """How the evidence of this run is shown; a target without a URL is where `harness serve` listens."""
        return Display(self.api, (self.target.url if self.target else "") or EMBEDDED_ROOT, self.mask)

    @property
    def whole_stream(self) -> int:
        """The number of events of the stream that every result is about; 0 if there is no such stream."""
        return self.phases[0].counts.get("events", 0) if self.phases else 0
