"""Runs one exercise, has its checks judge the exchanges, and finds which finding explains others.

Decides nothing about verdicts. An exception in an exercise or a judge becomes an `error` observation: it is our
fault and never one of the target. The exchanges show the faults of the target.

Results are linked: what one check found to be broken blocks others, which then do not repeat it. A check is
blocked if it rests on a broken one, if the probe saw that what it needs is accepted and not done, if it saw
nothing but crashes, or if its exercise stopped at a refused create that another check reports. What several rules
find at the same place of a body has one cause, and breaks each of them. A cause makes nothing better: the finding
that blocks is judged by its own rule.
"""

from __future__ import annotations

import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from functools import partial
from itertools import chain
from typing import Any

from msgspec import Struct, field, structs
from msgspec.structs import force_setattr, replace

from harness.engine.decide import FAILED, blocked_by, left_untested, with_cause, with_weight
from harness.engine.events import Evidence, Result, of_kind
from harness.engine.origins import list_ids, reads_before, referenced_ids, with_origins
from harness.engine.traffic.ledger import CreatedResources, GivenIds, RepeatedId
from harness.engine.traffic.outages import NO_TIME, Outages, is_refusal, missing_answer
from harness.engine.traffic.perform import ActionRunner, drive
from harness.kit.api import Api, ApiRequests, TargetApi
from harness.kit.check import Check, Exchanges, Exercise
from harness.outcome import (
    Because,
    Finding,
    HarnessFault,
    Level,
    NotApplicable,
    Observation,
    Outcome,
    Severity,
    Unmet,
)
from harness.wire import Driver, Exchange

_DOUBTFUL = frozenset({Outcome.NOT_MET, Outcome.NON_STRICT, Outcome.UNTESTABLE})


class PlayedExercise(Struct, frozen=True):
    """The outcome of one exercise: `results` for the judges, or a `failure` that all its checks share.

    `trail` holds every exchange, in the order in which they finished; `front_end` as in `Exercise`. `outage` is a
    sentence if the target refused connections meanwhile, else `""`. `repeated` are the creates that returned an id
    that was given before; `shared` are the defects of ids that others were given, too, while this exercise used
    them. `name` is that of the exercise; `named` are the exchanges of the results, with their names in findings.
    """

    results: Exchanges | None
    failure: Observation | None
    trail: tuple[Exchange, ...]
    seconds: float
    api: TargetApi
    front_end: bool = False
    outage: str = ""
    repeated: tuple[RepeatedId, ...] = ()
    shared: Mapping[str, Finding] = field(default_factory=dict)
    name: str = ""
    named: tuple[tuple[str, Exchange], ...] = ()

    def __post_init__(self) -> None:
        force_setattr(self, "named", tuple(_name_all(self.results or {})))

    def observe(self, check: Check) -> Observation:
        """The observation of one check of this exercise; never raises."""
        observation = self.failure or self._judge(check)
        passed = observation.outcome is Outcome.MET
        doubtful = bool(self.trail) and observation.outcome in _DOUBTFUL
        # A proxy that closed every connection for 0.7 s once failed MUST rules: nobody was there to break them.
        if self.outage and (any(map(missing_answer, self.list_wanted(check))) if passed else doubtful):
            return Observation.untestable(self.outage, Because.NO_ANSWER, "no response")
        doubted = self._doubt_silence(check, observation)
        if passed or doubted.outcome is not Outcome.UNTESTABLE or doubted.because is Because.RACE_LOST:
            return doubted
        # Nothing could be judged: the answers show what kind of reason there is.
        if instead := next(filter(None, map(missing_answer, self._list_seen(check))), ""):
            because = Because.OUR_LIMIT if instead == NO_TIME else Because.NO_ANSWER
            return replace(doubted, because=because, instead=instead)
        refused = self.trail and self.trail[-1].request.method == "POST" and is_refusal(self.trail[-1])
        return replace(doubted, because=Because.REFUSED) if refused else doubted

    def _judge(self, check: Check) -> Observation:
        try:
            return check.observe(self.results or {})
        except Exception:
            return error(f"the judge of {check.id} raised")

    def _doubt_silence(self, check: Check, observation: Observation) -> Observation:
        """The observation, unless our limit cut what the judge looked at: what that lacks, its rest may have had.

        A defect that a part shows by itself stays, and so do the findings of a rule about ends of responses.
        """
        is_met, wanted = observation.outcome is Outcome.MET, self.list_wanted(check)
        if is_met:
            wanted = wanted or list(self.trail)
        elif check.judges_ends or observation.outcome not in (Outcome.NOT_MET, Outcome.NON_STRICT):
            return observation
        # A stream that the run's own limit had cut was once compared as if the target had ended it there.
        hung = next((exchange for exchange in wanted if exchange.hung), None)
        if hung is None:
            return observation
        if not is_met:
            shown = {found.stable_code for seen in wanted for found in self.api.read(seen, None).findings}
            if kept := [finding for finding in observation.findings if finding.stable_code in shown]:
                return Observation.of(kept)
        name = next((f" ({name})" for name, exchange in self.named if exchange is hung), "")
        what = "returned no response in" if hung.status is None else "began a response that did not end in"
        reason = f"{self.api.format_request(hung)}{name} {what} {hung.seconds:.1f} s"
        return Observation.untestable(reason, Because.NO_ANSWER, "no response")

    def excuse_statuses(self, observation: Observation, statuses: Set[int]) -> Observation:
        """The observation, unless all its findings are about responses with these statuses, such as 501."""
        if observation.outcome not in (Outcome.NOT_MET, Outcome.NON_STRICT):
            return observation
        broken = [finding for finding in observation.findings if finding.severity is not Severity.INFORMATION]
        accused = [self._list_accused(finding) for finding in broken]
        # All, since a rule that is also broken elsewhere is broken by a feature that the target does offer.
        if not all(found and all(e.status in statuses for e in found) for found in accused):
            return observation
        first = accused[0][0]
        call = f"{self.api.format_request(first)} returned {first.status}"
        if first.status == 501:
            return Observation.untestable(f"{call}: not implemented", Because.REFUSED)
        reason = f"{call}: a gateway got no response, or shows a refusal of another as {first.status}"
        return Observation.untestable(reason, Because.NO_ANSWER, str(first.status))

    def name_cause(self, check: Check, observation: Observation) -> Observation:
        """The observation, which names the cause that its responses show if nothing else explains it.

        That is so if all its findings are about responses that are a crash, no message, an error under a status of
        success or a denial of an existing interaction, or if it looked at one and could not judge.
        """
        if check.explains(observation):
            return observation
        if observation.outcome is Outcome.UNTESTABLE:
            causes = chain.from_iterable(self._explain(check, seen) for seen in self._list_seen(check))
            cause = next(causes, None)
            return observation if cause is None else replace(observation, cause=cause.rule)
        findings: list[Finding] = []
        rules: list[str] = []  # of the causes of what is broken, "" if it has none
        for finding in observation.findings:
            cause = self._blame(check, finding)
            mechanism = cause or next(self._explain_doubt(finding), None)
            findings.append(finding if mechanism is None else replace(finding, cause=mechanism.stable_code))
            if finding.severity is not Severity.INFORMATION:
                rules.append("" if cause is None else cause.rule)
        return replace(observation, findings=tuple(findings), cause=rules[0] if rules and all(rules) else "")

    def list_accused_ids(self, check: Check, observation: Observation) -> Iterator[tuple[Finding, frozenset[str]]]:
        """Each finding of a check about a defect, with the ids that it is about."""
        for finding in observation.findings:
            if finding.severity is not Severity.INFORMATION:
                accused = self._list_accused(finding) or self.list_wanted(check)
                yield finding, frozenset(name for seen in accused for name in list_ids(seen, self.api))

    def _explain_doubt(self, finding: Finding) -> Iterator[Finding]:
        """The defects of responses that meet a rule only in a lenient reading; a status has one of its own."""
        lenient = finding.severity is Severity.NON_STRICT and not finding.of_status
        for seen in self._list_accused(finding) if lenient else ():
            own = self.api.read(seen, None).findings
            yield from (one for one in own if one.severity is Severity.BROKEN and one.rule != finding.rule)

    def list_wrong_statuses(self, check: Check, observation: Observation) -> dict[object, str]:
        """The codes of findings about a status, by the success that is none, or by the call of refusals alike."""
        return {
            id(seen) if seen.succeeded else (self.api.read(seen, None).call, seen.status): finding.stable_code
            for finding in observation.findings
            if finding.of_status and finding.severity is Severity.BROKEN
            for seen in self._list_accused(finding)
        }

    def _blame(self, check: Check, finding: Finding) -> Finding | None:
        """The cause in the responses that a finding is about; None if one has none, or if it is that finding."""
        causes = [next(self._explain(check, exchange), None) for exchange in self._list_accused(finding)]
        first = causes[0] if causes else None
        return None if first is None or not all(causes) or finding.rule == first.rule else first

    def _explain(self, check: Check, exchange: Exchange) -> Iterator[Finding]:
        """The findings that explain those of a check about a response: above all, that others were given its id.

        A defect that a response shows by itself, for any run, is explained by no other run.
        """
        alone = check.everywhere or self.list_wanted(check) == [exchange]
        used = (*referenced_ids(exchange.request, self.api), self.api.read_new_id(exchange)) if self.shared else ()
        shared = [self.shared[identity] for identity in used if identity in self.shared]
        if not (alone and self.api.read_new_id(exchange)) and not self.outage:
            yield from shared
        yield from self.find_causes(exchange)
        if self.outage or shared or check.id in self.api.read(exchange, None).judged:
            return  # a rule of one response alone compares nothing, and a shared id damages all that has it
        # Parallel streams were called mixed where one of them had lost events: its own defect explains that.
        ids = list_ids(exchange, self.api)
        for seen in self.trail:
            if seen is exchange or ids & list_ids(seen, self.api):
                yield from self.api.judge_incomparable(seen)

    def find_causes(self, exchange: Exchange) -> Iterator[Finding]:
        """The findings that explain all else that is wrong with a response; a provoked front end is no crash."""
        if self.outage:
            return
        if not self.front_end:  # a request that a proxy must refuse may end with a 5xx of that proxy
            yield from self.api.read(exchange, None).crash
        at = next((number for number, seen in enumerate(self.trail) if seen is exchange), 0)
        yield from self.api.judge_causes(exchange, self.trail[:at])

    def _list_accused(self, finding: Finding) -> list[Exchange]:
        return self._list_at([finding.where.exchange])

    def list_wanted(self, check: Check) -> list[Exchange]:
        return self._list_at(check.wants)

    def _list_at(self, places: Iterable[str]) -> list[Exchange]:
        return [
            exchange
            for place in dict.fromkeys(places)  # a result (`got`), or one item of a list or mapping (`polled[0]`)
            for name, exchange in self.named
            if name.startswith(place) and name[len(place) : len(place) + 1] in ("", "[")
        ]

    def _list_seen(self, check: Check) -> Sequence[Exchange]:
        """The exchanges that the judge wants, or the whole trail if the exercise stopped before them."""
        wanted = self.list_wanted(check)
        stopped = not wanted or any(name not in (self.results or {}) for name in check.wants)
        return self.trail if stopped else wanted

    def evidence(self, check: Check, observation: Observation) -> tuple[Exchange, ...]:
        """The exchanges that a person needs to see, in the order in which they finished.

        These are the exchanges that the findings name; else those that the judge looked at; else all. What they
        depend on is included (`with_origins`), because without it nothing can be reproduced or understood.
        """
        # A loss after another key's rejected DELETE was once shown without it: nobody could repeat that loss.
        named = self._list_at(finding.where.exchange for finding in observation.findings)
        reads = [each for seen in named for each in reads_before(seen, self.trail, self.api)]
        chosen = set(map(id, [*named, *reads] or self.list_wanted(check)))
        shown = [exchange for exchange in self.trail if id(exchange) in chosen]
        return with_origins(shown, self.trail, self.api) if chosen else self.trail

    def names_of(self, evidence: Sequence[Evidence]) -> tuple[str, ...]:
        """The names of the evidence in the findings, `""` for one without a name."""
        names = {id(exchange): name for name, exchange in self.named}
        return tuple(names.get(id(item), "") for item in evidence)


def _name_all(results: Exchanges) -> Iterator[tuple[str, Exchange]]:
    for name, value in results.items():
        if isinstance(value, dict | list | tuple):
            items = value.items() if isinstance(value, dict) else enumerate(value)
            yield from ((f"{name}[{key}]", found) for key, item in items for found in _exchanges_in(item))
        else:
            yield from ((name, found) for found in _exchanges_in(value))


def _exchanges_in(value: Any) -> list[Exchange]:
    """All exchanges of one result: itself, those it contains, or the `exchange` of a check's own object."""
    if isinstance(value, Exchange):
        return [value]
    if isinstance(value, dict | list | tuple):
        items = value.values() if isinstance(value, dict) else value
        return [exchange for item in items for exchange in _exchanges_in(item)]
    carried = getattr(value, "exchange", None)
    return [carried] if isinstance(carried, Exchange) else []


def error(what: str) -> Observation:
    """An `error` observation about the exception being handled."""
    return Observation(Outcome.ERROR, reason=f"{what}:\n{traceback.format_exc()}")


def play(
    api: TargetApi,
    exercise: Exercise,
    target: ApiRequests,
    driver: Driver,
    ledger: CreatedResources,
    is_halted: Callable[[], bool] = lambda: False,
    outages: Outages | None = None,
    given: GivenIds | None = None,
) -> PlayedExercise:
    """Run one exercise to its end; open streams are closed however it ends.

    Raises TimeUp instead of performing an action once the run `is_halted`.
    """
    given = GivenIds(api) if given is None else given
    hand = ActionRunner(
        api, driver, ledger, target.contract, judged=True, is_halted=is_halted, given=given, outages=outages
    )
    begin = time.perf_counter()
    seen = 0 if outages is None else outages.seen
    results: Exchanges | None = None
    failure: Observation | None = None
    try:
        try:
            results = drive(exercise.run(target), hand)
            if not isinstance(results, dict):
                what = type(results).__name__
                raise HarnessFault(f"an exercise must return its exchanges by name; it returned {what}")
        finally:
            hand.hang_up()
        hand.refuse_excused(hand.trail)
    except Unmet as unmet:
        failure = Observation.unmet(unmet)
    except NotApplicable as nothing:
        failure = Observation(Outcome.NOT_APPLICABLE, reason=str(nothing), because=Because.REFUSED)
    except Exception:
        failure = error(f"the exercise {exercise.name} raised")
    trail, seconds = tuple(hand.trail), time.perf_counter() - begin
    outage = "" if outages is None else outages.describe(seen, trail, driver)
    shared = given.judge_shared(trail, ledger, begin)
    return PlayedExercise(
        results,
        failure,
        trail,
        seconds,
        api,
        exercise.front_end,
        outage,
        tuple(hand.repeated),
        shared,
        exercise.name,
    )


def stopped_at(trail: Sequence[Exchange]) -> Exchange | None:
    """The refused create at which an exercise stopped; None if it stopped elsewhere."""
    last = trail[-1] if trail else None
    return last if last is not None and last.request.method == "POST" and not last.succeeded else None


_REPEATED = frozenset({Outcome.NOT_MET, Outcome.NON_STRICT})


def find_blockers(check: Check, observation: Observation, blockers: Sequence[str]) -> tuple[str, ...]:
    """The ids of those of its `blockers` whose findings may block the check, given its own observation.

    Its own findings only repeat a finding that it rests on. For the lack of a capability, it must be not tested.
    """
    if check.explains(observation):
        return ()
    cause = (observation.cause,) if observation.cause else ()
    if observation.outcome in _REPEATED:
        return (*cause, *(name for name in blockers if name in check.rested_on))
    return cause or (tuple(blockers) if observation.outcome is Outcome.UNTESTABLE else ())


def resolve(check: Check, observation: Observation, blockers: Sequence[Result]) -> Observation:
    """The observation of `check`, now that those are decided that may block it.

    If the probe saw something accepted and not done, and its own check did not see that again, nothing was judged.
    """
    # A lenient reading that a blocker reports already is not repeated.
    reported = (finding for blocker in blockers for finding in _list_lenient(blocker.observation))
    readings = {_word_of(finding.stable_code) for finding in reported} - {""}
    repeated = [one for one in _list_lenient(observation) if _word_of(one.stable_code) in readings]
    if repeated:
        observation = Observation.of(one for one in observation.findings if one not in repeated)
    for blocker in blockers:
        if blocking := _find_blocking(blocker, check, observation):
            # A MUST would fall away for something that does not fail the run: and its failure would be silent.
            only_warns = check.rule.level is Level.MUST and blocker.verdict not in FAILED
            block = left_untested if only_warns else blocked_by
            return block(blocker, observation.why, blocking)
    if observation.cause:
        for blocker in blockers:
            if blocker.observation.outcome is Outcome.BLOCKED:
                return structs.replace(blocker.observation, reason=observation.why)
    if observation.outcome is not Outcome.BLOCKED:  # and none of the blockers turned out to explain it
        return structs.replace(observation, cause="") if observation.cause else observation
    judged = any(blocker.judged for blocker in blockers)
    doubt = f"but not when {observation.cause} asked" if judged else f"and {observation.cause} was not judged"
    return Observation.untestable(f"{observation.reason} when it was asked what it offers, {doubt}")


def _list_lenient(observation: Observation) -> list[Finding]:
    if observation.outcome is not Outcome.NON_STRICT:
        return []
    return [finding for finding in observation.findings if finding.severity is Severity.NON_STRICT]


def _find_blocking(blocker: Result, check: Check, observation: Observation) -> Finding | None:
    """The finding of a broken blocker that blocks a check.

    The kinds that a check rests on are those of which it sees nothing itself. If its own answers show what breaks
    the blocker, any kind blocks it.
    """
    if blocker.observation.outcome is not Outcome.NOT_MET:
        return None
    shown = observation.cause == blocker.id
    named = set() if shown else {name for name in check.rests_on if name.startswith(f"{blocker.id}/")}
    found = blocker.observation.findings
    kind = next((finding for finding in found if not named or finding.stable_code in named), None)
    return kind if kind is None or kind.severity is Severity.BROKEN else found[0]


def link(
    checks: Iterable[Check], results: Sequence[Result], stops: Mapping[str, Exchange], api: Api
) -> tuple[Result, ...]:
    """The results of `checks`; those in `stops` (by id) name the code that explains where they stopped."""

    def name_refusal(exchange: Exchange) -> tuple[str, str]:  # each names what it refuses
        return api.read(exchange, None).call, api.format_answer(exchange)

    broken = [one for one in results if one.observation.outcome is Outcome.NOT_MET and one.observation.findings]
    refused = ((one, shown) for one in reversed(broken) for shown in of_kind(Exchange, one.evidence))
    refusing = {name_refusal(shown): one for one, shown in refused if not shown.succeeded}

    def name_stop(result: Result) -> Result:
        stop = stops.get(result.id)
        if stop is None or result.observation.findings or result.observation.cause:
            return result
        cause = refusing.get(name_refusal(stop))
        return result if cause is None else with_cause(result, cause)

    first: dict[tuple[str, ...], list[Finding]] = defaultdict(list)
    named = name_mechanisms(checks, _name_present_causes(list(map(name_stop, results))))
    linked = _follow_causes([_with_causes(result, partial(_blame_first, first)) for result in named])
    caused = Counter(result.observation.cause for result in linked if result.observation.cause)
    numbers = [sum(caused[found.stable_code] for found in one.observation.findings[:1]) for one in linked]
    return tuple(with_weight(one, number) if number else one for one, number in zip(linked, numbers, strict=True))


def name_mechanisms(checks: Iterable[Check], results: Sequence[Result]) -> list[Result]:
    """The results, whose findings without a cause name the first finding that explains their rule."""
    found: dict[str, str] = {}
    for result in results:
        codes = [finding.stable_code for finding in result.observation.worst if not finding.cause]
        if codes and result.observation.outcome is Outcome.NOT_MET:
            found |= {finding.stable_code: codes[0] for finding in result.observation.findings}
            found |= {code: code for code in codes} | {result.id: codes[0]}
    explained = []
    for check, result in zip(checks, results, strict=True):
        cause = next((found[name] for name in check.explained_by if name in found), "")

        def name(one: Finding, cause: str = cause) -> str:
            return one.cause or cause

        explained.append(_with_causes(result, name))
    return explained


def _name_present_causes(results: Sequence[Result]) -> list[Result]:
    """The results, whose findings name only causes that a reader finds in the report.

    A check that is not broken explains nothing. One that is broken in other ways is named by its own cause, and so
    is one that only warns of what the finding names.
    """
    by_id = {result.id: result for result in results}

    def name(found: Finding) -> str:
        rule = found.cause.partition("/")[0]
        if (cause := by_id.get(rule)) is None or rule == found.rule:
            return found.cause
        if cause.observation.outcome is not Outcome.NOT_MET:
            return ""
        codes = {finding.stable_code for finding in cause.observation.worst}
        return found.cause if found.cause in codes else cause.explained_by

    return [_with_causes(result, name) for result in results]


def _follow_causes(results: Sequence[Result]) -> list[Result]:
    """The results, whose causes have none: what follows from a consequence has the same first cause."""
    found = [finding for result in results for finding in result.observation.findings]
    first = {finding.stable_code for finding in found if not finding.cause}
    causes = {one.stable_code: one.cause for one in found if one.stable_code not in first}

    def follow(finding: Finding) -> str:
        code = finding.cause
        for _ in causes:  # at most so many steps, also in a ring
            code = causes.get(code, code)
        return code

    return [_with_causes(result, follow) for result in results]


def _with_causes(result: Result, name: Callable[[Finding], str]) -> Result:
    """The result, whose findings have the causes that are named for them; itself if it has them.

    Listeners know a result by its identity.
    """
    findings = tuple(structs.replace(one, cause=name(one)) for one in result.observation.findings)
    if findings == result.observation.findings:
        return result
    return structs.replace(result, observation=structs.replace(result.observation, findings=findings))


def _blame_first(first: dict[tuple[str, ...], list[Finding]], finding: Finding) -> str:
    """The cause of a finding: the first one about the same place, if that is of another rule.

    `first` has the reported ones, by place and content.
    """
    word = _word_of(finding.stable_code)
    if not (word and finding.where.pointer) or finding.severity is Severity.INFORMATION:
        return finding.cause
    earlier = first[word, finding.expected, finding.severity]
    same = next((known for known in earlier if _is_same_place(known, finding)), None)
    if same is None:
        earlier.append(finding)
        return finding.cause
    blamed_otherwise = finding.cause and _word_of(finding.cause) != word
    return finding.cause if blamed_otherwise or same.stable_code == finding.stable_code else same.stable_code


def _is_same_place(one: Finding, other: Finding) -> bool:
    """Whether two findings that say the same are about one place, in a body or in an event."""
    place, other_place = one.kind()[-1], other.kind()[-1]
    if place == other_place:
        return True
    if (one.where.event is None) is (other.where.event is None):
        return False
    event, body = (other_place, place) if one.where.event is None else (place, other_place)
    _, _, held = event.removeprefix("$.").partition(".")  # an event holds what a body is, or has in a list
    return bool(held) and body.endswith(f".{held}")


def _word_of(code: str) -> str:
    return code.partition("/")[2]
