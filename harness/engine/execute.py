"""Runs one exercise against a driver, and has its checks judge the exchanges.

Decides nothing about verdicts. An exception in an exercise or a judge becomes an `error` observation: it is our
fault and never one of the target. The exchanges show the faults of the target.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from msgspec import Struct, field
from msgspec.structs import force_setattr, replace

from harness.engine.origins import list_ids, looks_before, referenced_ids, with_origins
from harness.engine.results import Evidence
from harness.engine.traffic.outages import Outages
from harness.engine.traffic.perform import ActionRunner, CreatedResources, GivenIds, RepeatedId, drive
from harness.engine.traffic.retries import NO_TIME, is_refusal, missing_answer
from harness.kit.api import ApiRequests, TargetApi
from harness.kit.check import Check, Exchanges, Exercise
from harness.outcome import Because, Finding, HarnessFault, NotApplicable, Observation, Outcome, Severity, Unmet
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
        # A proxy that closed every connection for 0.7 s once failed MUST rules: nobody was there to break them.
        if self.outage and self._is_doubtful(check, observation):
            return Observation.untestable(self.outage, Because.NO_ANSWER, "no response")
        doubted = self._doubt_silence(check, observation)
        if observation.outcome is Outcome.MET or doubted.outcome is not Outcome.UNTESTABLE:
            return doubted
        return doubted if doubted.because is Because.RACE_LOST else self._find_reason(check, doubted)

    def _find_reason(self, check: Check, observation: Observation) -> Observation:
        """An observation that nothing could be judged, with the kind of reason that the answers show."""
        if instead := next(filter(None, map(missing_answer, self._list_seen(check))), ""):
            because = Because.OUR_LIMIT if instead == NO_TIME else Because.NO_ANSWER
            return replace(observation, because=because, instead=instead)
        refused = self.trail and self.trail[-1].request.method == "POST" and is_refusal(self.trail[-1])
        return replace(observation, because=Because.REFUSED) if refused else observation

    def _is_doubtful(self, check: Check, observation: Observation) -> bool:
        """Whether an outage may be why this was observed: all but a pass by whole answers."""
        if observation.outcome is Outcome.MET:
            return any(map(missing_answer, self.list_looked(check)))
        return observation.outcome in _DOUBTFUL and bool(self.trail)

    def _judge(self, check: Check) -> Observation:
        try:
            return check.observe(self.results or {})
        except Exception:
            return error(f"the judge of {check.id} raised")

    def _doubt_silence(self, check: Check, observation: Observation) -> Observation:
        """The observation, unless our limit cut what the judge looked at: what that lacks, its rest may have had.

        A defect that a part shows by itself stays, and so do the findings of a rule about ends of responses.
        """
        is_met, looked = observation.outcome is Outcome.MET, self.list_looked(check)
        if is_met:
            looked = looked or list(self.trail)
        elif check.judges_ends or observation.outcome not in (Outcome.NOT_MET, Outcome.NON_STRICT):
            return observation
        # A stream that the run's own limit had cut was once compared as if the target had ended it there.
        hung = next((exchange for exchange in looked if exchange.hung), None)
        if hung is None:
            return observation
        if not is_met:
            shown = {found.stable_code for seen in looked for found in self.api.read(seen, None).findings}
            if kept := [finding for finding in observation.findings if finding.stable_code in shown]:
                return Observation.of(kept)
        what = "the rest of a response" if hung.status is not None else "a response"
        reason = f"{self.api.format_request(hung)} returned no response, {hung.seconds:.1f} s for {what}"
        return Observation.untestable(reason, Because.NO_ANSWER, "no response")

    def excuse_what_is_not_offered(self, observation: Observation) -> Observation:
        """The observation, unless all its findings are about responses with the status "not implemented"."""
        if observation.outcome not in (Outcome.NOT_MET, Outcome.NON_STRICT):
            return observation
        broken = [finding for finding in observation.findings if finding.severity is not Severity.INFORMATION]
        accused = [self._list_accused(finding) for finding in broken]
        # All, since a rule that is also broken elsewhere is broken by a feature that the target does offer.
        if not all(found and all(e.status == 501 for e in found) for found in accused):
            return observation
        reason = f"{self.api.format_request(accused[0][0])} returned 501: not implemented"
        return Observation.untestable(reason, Because.REFUSED)

    def blame_roots(self, check: Check, observation: Observation) -> Observation:
        """The observation, which names its root as its cause if nothing else explains it.

        That is so if all its findings are about responses that are a crash, no message, an error under a status of
        success or a denial of an existing interaction, or if it looked at one and could not judge.
        """
        if check.explains(observation):
            return observation
        if observation.outcome is Outcome.UNTESTABLE:
            roots = chain.from_iterable(self._explain(check, seen) for seen in self._list_seen(check))
            root = next(roots, None)
            return observation if root is None else replace(observation, cause=root.rule)
        return self._blame_each(check, observation)

    def _blame_each(self, check: Check, observation: Observation) -> Observation:
        """The observation with the root of each finding, and that of all if what is broken has no other."""
        findings: list[Finding] = []
        rules: list[str] = []  # of the roots of what is broken, "" if it has none
        for finding in observation.findings:
            root = self._blame(check, finding)
            findings.append(finding if root is None else replace(finding, cause=root.stable_code))
            if finding.severity is not Severity.INFORMATION:
                rules.append("" if root is None else root.rule)
        return replace(observation, findings=tuple(findings), cause=rules[0] if rules and all(rules) else "")

    def list_accused_ids(self, check: Check, observation: Observation) -> Iterator[tuple[Finding, frozenset[str]]]:
        """Each finding of a check about a defect, with the ids that it is about."""
        for finding in observation.findings:
            if finding.severity is not Severity.INFORMATION:
                accused = self._list_accused(finding) or self.list_looked(check)
                yield finding, frozenset(name for seen in accused for name in list_ids(seen, self.api))

    def _blame(self, check: Check, finding: Finding) -> Finding | None:
        """The root of the responses that a finding is about; None if one has none, or if it is that finding."""
        roots = [next(self._explain(check, exchange), None) for exchange in self._list_accused(finding)]
        first = roots[0] if roots else None
        return None if first is None or not all(roots) or finding.rule == first.rule else first

    def _explain(self, check: Check, exchange: Exchange) -> Iterator[Finding]:
        """The findings that explain those of a check about a response: above all, that others were given its id.

        A defect that a response shows by itself, for any run, is explained by no other run.
        """
        alone = check.everywhere or self.list_looked(check) == [exchange]
        if self.shared and not (alone and exchange.request.method == "POST") and not self.outage:
            used = (*referenced_ids(exchange, self.api), self.api.read_new_id(exchange))
            yield from (self.shared[identity] for identity in used if identity in self.shared)
        yield from self.find_roots(exchange)
        if self.outage or check.id in self.api.read(exchange, None).judged:
            return  # a rule of one response alone compares nothing
        # Parallel streams were called mixed where one of them had lost events: its own defect explains that.
        ids = list_ids(exchange, self.api)
        for seen in self.trail:
            if seen is exchange or ids & list_ids(seen, self.api):
                yield from self.api.judge_incomparable(seen)

    def find_roots(self, exchange: Exchange) -> Iterator[Finding]:
        """The findings that explain all else that is wrong with a response; a provoked front end is no crash."""
        if self.outage:
            return
        if not self.front_end:  # a request that a proxy must refuse may end with a 5xx of that proxy
            yield from self.api.read(exchange, None).crash
        at = next((number for number, seen in enumerate(self.trail) if seen is exchange), 0)
        yield from self.api.judge_roots(exchange, self.trail[:at])

    def _list_accused(self, finding: Finding) -> list[Exchange]:
        """The exchanges that a finding is about."""
        return self._list_at([finding.where.exchange])

    def list_looked(self, check: Check) -> list[Exchange]:
        """Return the exchanges that the judge of a check gets."""
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
        looked = self.list_looked(check)
        stopped = not looked or any(name not in (self.results or {}) for name in check.wants)
        return self.trail if stopped else looked

    def evidence(self, check: Check, observation: Observation) -> tuple[Exchange, ...]:
        """The exchanges that a person needs to see, in the order in which they finished.

        These are the exchanges that the findings name; else those that the judge looked at; else all. What they
        depend on is included (`with_origins`), because without it nothing can be reproduced or understood.
        """
        # A loss after another key's rejected DELETE was once shown without it: nobody could repeat that loss.
        named = self._list_at(finding.where.exchange for finding in observation.findings)
        looks = [each for seen in named for each in looks_before(seen, self.trail, self.api)]
        chosen = set(map(id, [*named, *looks] or self.list_looked(check)))
        shown = [exchange for exchange in self.trail if id(exchange) in chosen]
        return with_origins(shown, self.trail, self.api) if chosen else self.trail

    def names_of(self, evidence: Sequence[Evidence]) -> tuple[str, ...]:
        """The names of the evidence in the findings, `""` for one without a name."""
        names = {id(exchange): name for name, exchange in self.named}
        return tuple(names.get(id(item), "") for item in evidence)


def _name_all(results: Exchanges) -> Iterator[tuple[str, Exchange]]:
    """Every exchange of the results with the name that a finding gives it."""
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
