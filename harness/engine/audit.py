"""Judges every answer of a run by the rules that apply to all answers, whichever exercise produced them.

A check looks at the exchanges of its own exercise, but a rule such as `get.schema` applies to every GET. So the
audit takes the trail of each exercise once, lets the contract's judges read each answer, and reports what they
find under the one check of that rule. It names what distinguishes the requests that failed from those of the same
call that did not. Must not know how anything is printed.
"""

from __future__ import annotations

import re
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from harness.engine.events import Evidence
from harness.engine.execute import PlayedExercise
from harness.engine.origins import list_earlier_deletes, list_ids, with_origins
from harness.engine.traffic.outages import Death
from harness.kit.api import ApiContract, JudgesRun, ServerApi
from harness.kit.check import Check
from harness.outcome import RANK, Because, Finding, Observation, Outcome, Severity
from harness.wire import Exchange, Request
from harness.wire.bodies import json_or_none
from harness.wire.message import PROXY_REFUSALS

_MOST_NAMED = 3
"""Parts that are named; more distinguish nothing."""

_TYPES = {list: "a list", dict: "an object", str: "a string", type(None): "null"}

_WORD = re.compile(r"[a-z][a-z_]{2,23}")
"""A text that chooses one of a few things, such as a type, a role or a mode."""

Part = tuple[str, str]
"""The place of a value, and what it is."""


def name_distinctions(failed: Iterable[Set[Part]], passed: Iterable[Set[Part]]) -> str:
    """Name the parts that each failed request has and none that passed, for a message; "" if none or many are.

    Without a request that passed, nothing distinguishes. If nothing does, those in the mode of a failed one are
    compared: with another `stream` or `background`, other code of a target runs. Then the mode is named, too.
    """
    wrong, right = [*failed], [*passed]
    mode, *modes = ({p for p in parts if p[1] in ("as true", "as false")} for parts in (wrong[0], *right))
    alike = [parts for parts, own in zip(right, modes, strict=True) if own == mode]
    shared = [f"`{place}` {what}" for place, what in sorted(mode.intersection(*wrong))]
    inner = _name_odd(wrong, alike)
    return _name_odd(wrong, right) or (" and ".join([*shared, inner]) if inner else "")


def _name_odd(wrong: Sequence[Set[Part]], right: Sequence[Set[Part]]) -> str:
    """Name the outermost parts that all of `wrong` have, and none of `right`; "" if these are none or many."""
    known = frozenset[Part]().union(*right)
    odd = frozenset.intersection(*map(frozenset, wrong)) - known if right else ()
    places = {place for place, _ in known}
    outer = [
        part
        for part in sorted(odd)
        if not any(part[0].startswith((f"{up}.", f"{up}[]", f"{up} in ")) for up, _ in odd if up != part[0])
    ]
    named = [f"`{place}`" if place not in places else f"`{place}` {what}" for place, what in outer]
    return " and ".join(named) if len(named) <= _MOST_NAMED else ""


def list_parts(request: Request) -> frozenset[Part]:
    """Every part of the body and of the query of a request."""
    query = {name: {"true": True, "false": False}.get(value, value) for name, value in request.query}
    return frozenset((*_list_parts(json_or_none(request.body)), *_list_parts(query)))


def _list_parts(value: Any, place: str = "", depth: int = 0) -> Iterator[Part]:
    """Every part of a value, from the outside."""
    if depth > 12:
        return
    if isinstance(value, str) and not value.isascii():
        letters = "characters beyond " + ("ASCII" if max(value) <= "\uffff" else "U+FFFF")
        yield from ((letters, ""), (f"{letters} in {place}", ""))
    if place:
        is_word = isinstance(value, str) and _WORD.fullmatch(value)
        kind = f'"{value}"' if is_word else _TYPES.get(type(value), "a number")
        kind = str(value).lower() if isinstance(value, bool) else kind
        kind = "a number of 64 bits or more" if isinstance(value, int) and abs(value) >= 2**63 else kind
        yield place, f"of {kind}" if kind.startswith('"') else f"as {kind}"
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _list_parts(inner, f"{place}.{name}" if place else str(name), depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _list_parts(inner, f"{place}[]", depth + 1)


MOST = 3
"""Number of different defects shown under one rule; a repeated defect is shown once, with a count."""

MOST_SUBJECTS = 20
"""Number of subjects shown under one rule whose findings name them, which needs no evidence."""

_SETTLED = frozenset({Outcome.NOT_MET, Outcome.ERROR})


def most_of(finding: Finding) -> int:
    """How many findings like this one are shown under a rule."""
    return MOST_SUBJECTS if finding.subject else MOST


def is_settled(own: Observation) -> bool:
    """Whether other responses leave the result of a check as it is: a broken rule needs no more evidence.

    Defects that are reported by their subject are reported for all responses.
    """
    return own.outcome in _SETTLED and not any(finding.subject for finding in own.findings)


def add_sightings(
    own: Observation, seen: Iterable[Finding], *, compared: bool, explained: Mapping[str, str]
) -> Observation:
    """The observation of a check, with what is `seen` in other responses; `own` itself if that adds nothing.

    `compared`: responses contradict each other in it. That is blocked if it is `explained`, by its rule or its
    code: the check named there rests on it, is broken, and reports it with its cause; this check's own exercise is
    clean.
    """
    if is_settled(own):
        return own
    if compared and own.outcome is Outcome.MET:
        found = list(seen)
        causes = [explained.get(one.rule) or explained.get(one.stable_code, "") for one in found]
        seen = [one for one, cause in zip(found, causes, strict=True) if not cause]
        if found and not seen:
            reason = found[0].message
            return Observation(Outcome.BLOCKED, reason=reason, because=Because.BLOCKED, cause=causes[0])
    shown = sorted(seen, key=lambda one: one.severity is not Severity.BROKEN)
    shown = shown[: most_of(shown[0])] if shown else []
    if own.outcome is Outcome.NON_STRICT:  # a lenient reading, once shown, needs no more examples
        shown = [one for one in shown if one.severity is Severity.BROKEN]
    if not shown:
        return own
    kept = (finding for finding in own.findings if not finding.subject)  # its own answers are among all answers
    return Observation.of((*kept, *shown))


class _Sighted(Struct):
    """One defect: where it was first seen, and how many answers have it; `beside`: what it does not agree with.

    `exercises` are those that show it, each by itself.
    """

    finding: Finding
    exchange: Exchange
    played: PlayedExercise | None
    answers: int = 1
    beside: Exchange | None = None
    story: tuple[Exchange, ...] = ()
    exercises: set[str] = msgspec.field(default_factory=set)

    def __post_init__(self) -> None:
        if self.played is not None and self.played.name and self.beside is None:
            self.exercises.add(self.played.name)

    @property
    def shown(self) -> tuple[Exchange, ...]:
        """The exchanges that a person needs: the compared one, those it depends on, and the exchange itself."""
        if self.played is None:
            return self.story
        before = () if self.beside is None else (self.beside,)
        trail, api = self.played.trail, self.played.api
        deletes = list_earlier_deletes(self.exchange, trail, api) if self.has_crashed else []
        return (*before, *with_origins([*deletes, self.exchange], trail, api))

    @property
    def has_crashed(self) -> bool:
        """Whether the server failed, which it may do since something was deleted."""
        return self.exchange.status is not None and self.exchange.status >= 500


class _Asked(Struct, frozen=True):
    """A request that was accepted, the rules that judged its response, and the kinds of defects found."""

    request: Request
    judged: Set[str]
    broken: Set[tuple[str, ...]]
    seconds: float


@dataclass(slots=True)
class Audit:
    """The defects of the responses of a run, by rule; several workers may add to it.

    `rules` are the rules of the checks that apply everywhere. A response that breaks none of them is not kept.
    """

    rules: frozenset[str]
    api: ServerApi
    denied: frozenset[str] = frozenset()
    """Those of checks that do not run because the target denies what they need: it may grant that elsewhere."""
    compared: set[str] = field(default_factory=set)
    """The rules that answers broke by contradicting each other."""
    _doubted: dict[str, str] = field(default_factory=dict)
    _found: dict[str, dict[tuple[str, ...], _Sighted]] = field(default_factory=dict)
    _answered: set[tuple[tuple[str, ...], str]] = field(default_factory=set)
    _withheld: list[tuple[Exchange, PlayedExercise]] = field(default_factory=list)
    _denied: list[_Sighted] = field(default_factory=list)
    _refused: dict[int, tuple[Sequence[Exchange], int]] = field(default_factory=dict)
    """The trail of each exchange that did not succeed, and its place there, by its identity."""
    _given: dict[str, int] = field(default_factory=dict)
    _asked: dict[str, list[_Asked]] = field(default_factory=lambda: defaultdict(list))
    """The requests that were accepted, by call, to say what is special about those that failed."""
    judged: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """How many answers each rule was asked of, by call; one handler answers all errors, so they have no call."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    run_judge: JudgesRun = field(init=False)
    """That of the service that all workers share. One that each has to itself has a judge of its own."""

    def __post_init__(self) -> None:
        self.run_judge = self.api.new_run_judge()

    @classmethod
    def of(cls, checks: Iterable[Check], api: ServerApi) -> Audit:
        """An audit by those of the checks that apply everywhere."""
        return cls(frozenset(check.id for check in checks if check.everywhere), api)

    def note(
        self,
        played: PlayedExercise,
        contract: ApiContract,
        observations: Iterable[tuple[Check, Observation]] = (),
        judge: JudgesRun | None = None,
    ) -> None:
        """Judge the exchanges of one exercise, each alone, together, and by the `judge` of the run.

        `observations` are those of its checks: their findings about an id are not reported again.
        """
        if played.front_end or not self.rules | self.denied:  # no selected rule is judged on every response
            return
        if played.outage:  # a crash may have stopped the target: the cause is unknown
            found = {finding.rule for exchange in played.trail for finding in self.api.read(exchange, None).crash}
            with self._lock:
                self._doubted |= dict.fromkeys(found, played.outage)
            return
        self.note_denials(played.trail, judge)
        observations, mechanisms = list(observations), dict[object, str]()
        for check, observation in observations:
            mechanisms |= played.list_wrong_statuses(check, observation)
        for exchange in played.trail:
            # It is the API's own answer to one of its calls for certain.
            own = bool(self.api.read(exchange, None).call) and exchange.status not in {*PROXY_REFUSALS, 404}
            if own and not self._follows_from_another(exchange, played):
                self._judge(exchange, played, mechanisms)
        for exchange, withheld in self._list_answered(played):
            self._judge(exchange, withheld, {})
        for exchange, finding in self._judge_together(played, contract, observations):
            kind = finding.kind(self.api.read(exchange, None).call)
            self._add_caused(kind, _Sighted(finding, exchange, played), mechanisms)
            self.compared.add(finding.rule)
        for again in played.repeated:
            if again.finding.rule in self.rules:
                kind = again.finding.kind(self.api.read(again.exchange, None).call)
                self._add(kind, _Sighted(again.finding, again.exchange, played, beside=again.earlier))

    def note_denials(self, exchanges: Sequence[Exchange], judge: JudgesRun | None = None) -> None:
        """Judge what was denied by what was granted, be it before or later; the clean-up counts, too."""
        for number, exchange in enumerate(exchanges):
            with self._lock:
                if exchange.status is not None and not exchange.succeeded:
                    self._refused[id(exchange)] = exchanges, number
                proven = list((judge or self.run_judge).note(exchange))
                if new := self.api.read_new_id(exchange):
                    self._given[new] = self._given.get(new, 0) + 1
                self._denied += [
                    _Sighted(finding, denied, None, story=self._tell_story(denied))
                    for denied, finding in proven
                    if finding.rule in self.rules | self.denied
                ]

    def _tell_story(self, denied: Exchange) -> tuple[Exchange, ...]:
        """The denial, after the exchanges that it depends on. Few denials are shown."""
        if id(denied) not in self._refused:
            return (denied,)
        exchanges, number = self._refused[id(denied)]
        trail = exchanges[: number + 1]
        return with_origins([*list_earlier_deletes(denied, trail, self.api), denied], trail, self.api)

    def settle_denials(self, *, one_service: bool) -> None:
        """Keep what was denied and contradicted, once all is received. Of an id that several creates were given,
        neither proves anything, if `one_service` gave them all.
        """
        denied, self._denied = self._denied, []
        for one in denied:
            if not (one_service and self._is_shared(one.exchange)):
                self._add(one.finding.kind(self.api.read(one.exchange, None).call), one)
        for rule in self.compared & self._found.keys() if one_service else ():
            kept = {kind: one for kind, one in self._found[rule].items() if not self._is_shared(one.exchange)}
            self._found[rule] = kept

    def _is_shared(self, exchange: Exchange) -> bool:
        """Whether several creates were given an id that an exchange names: it proves nothing about either."""
        return any(self._given.get(name, 0) > 1 for name in list_ids(exchange, self.api))

    def note_departures(self, suspects: Iterable[Exchange], why: str) -> None:
        """Note the requests that may have stopped the target, while the cause is unknown."""
        rules = {finding.rule for exchange in suspects for finding in self.api.judge_death(exchange, False)}
        with self._lock:
            self._doubted |= dict.fromkeys(rules, why)

    def note_death(self, death: Death) -> None:
        """Note a request that ended the target, each time that it was sent; of a crash, one end is enough."""
        reading = self.api.read(death.first, None)
        for finding in self.api.judge_death(death.first, death.lives):
            if finding.rule in self.rules and not (death.lives and reading.crash):
                self._add(finding.kind(reading.call), _Sighted(finding, death.first, None, story=death.story))

    def observe(self, check: Check, own: Observation, explained: Mapping[str, str] | None = None) -> Observation:
        """The observation of a check after the whole run, as `add_sightings` makes it."""
        if check.id not in self._found and check.id not in self._doubted:  # nothing to add: nearly always
            return own
        seen, compared = self.list_sightings(check.id), check.id in self.compared
        observation = add_sightings(own, seen, compared=compared, explained=explained or {})
        if observation.outcome is Outcome.MET and check.id in self._doubted:
            return Observation.untestable(self._doubted[check.id], Because.NO_ANSWER, "no response")
        return observation

    def list_sightings(self, rule: str) -> list[Finding]:
        """Every defect that was seen under a rule, in that order, with the number of responses that have it."""
        with self._lock:
            found = list(self._found.get(rule, {}).items())
        findings = []
        for kind, one in found:
            finding = self._distinguish(one).at(exchange=self.api.format_request(one.exchange))
            among = 0 if finding.subject or len(kind) < 2 else self.judged[rule].get(kind[1], 0)
            findings.append(finding.repeat(one.answers, among))
        return findings

    def _distinguish(self, seen: _Sighted) -> Finding:
        """The finding, whose message names what only the requests have that show it."""
        reading, found, least = self.api.read(seen.exchange, None), seen.finding, 0.0
        kind, asked = found.kind(reading.call), self._asked[reading.call]
        if seen.has_crashed and any(crash.rule == found.rule for crash in reading.crash):
            failed, passed = [seen.exchange.request], [one.request for one in asked]
        else:
            wrong, right = ([one for one in asked if (kind in one.broken) is broken] for broken in (True, False))
            if len(wrong) < 2:  # one alone has many parts by chance
                return found
            failed = [one.request for one in wrong]
            passed = [one.request for one in right if found.rule in one.judged]
            took, others = ([one.seconds for one in several] for several in (wrong, right))
            if min(len(took), len(others)) > 3 and min(took) > max(others):  # few are so by chance
                least = min(took)
        special = name_distinctions(map(list_parts, failed), map(list_parts, passed))
        special = f"seen only in requests with {special}" if special and special not in found.message else ""
        if least and not special:
            special = f"in each that takes {least:.2g} s or more, and in no other"
        return replace(found, message=f"{found.message} ({special})") if special else found

    def evidence(self, check: Check) -> tuple[Exchange, ...]:
        """The answers that show the check's defects, each with the requests that it depends on."""
        shown = [exchange for sighted in self._list_sightings(check) for exchange in sighted.shown]
        return tuple({id(exchange): exchange for exchange in shown}.values())

    def list_exercises(self, check: Check) -> set[str]:
        """An exercise for each of the check's defects that shows it, `""` if no single one is known to."""
        return {next(iter(seen.exercises), "") for seen in self._list_sightings(check)}

    def names_of(self, evidence: Sequence[Evidence]) -> tuple[str, ...]:
        """The names of the evidence in the findings, `""` for what shows no defect: the request in a few words."""
        with self._lock:
            shown = {id(one.exchange) for of_rule in self._found.values() for one in of_rule.values()}
        return tuple(
            self.api.format_request(item) if isinstance(item, Exchange) and id(item) in shown else ""
            for item in evidence
        )

    def _list_sightings(self, check: Check) -> list[_Sighted]:
        with self._lock:
            found = list(self._found.get(check.id, {}).values()) if check.everywhere else []
        return sorted(found, key=lambda seen: seen.finding.severity is not Severity.BROKEN)[:MOST]

    def _judge(self, exchange: Exchange, played: PlayedExercise, mechanisms: Mapping[object, str]) -> None:
        if exchange.excuse:
            return
        reading = self.api.read(exchange, None)
        call = reading.call if exchange.succeeded else ""
        reported = [cause for cause in played.find_causes(exchange) if self._is_defect(cause)][:1]
        if not reported:
            with self._lock:
                for rule in reading.judged & self.rules:
                    self.judged[rule][call] += 1
            odd = (*reading.unlisted, *reading.coded, *reading.ambiguous)
            everything = (*reading.findings, *reading.emptiness, *odd)
            reported = [finding for finding in everything if self._is_defect(finding)]
        first_of_kind: dict[tuple[str, ...], Finding] = {}
        for finding in reported:
            first_of_kind.setdefault(finding.kind(call), finding)
        for kind, finding in first_of_kind.items():
            self._add_caused(kind, _Sighted(finding, exchange, played), mechanisms)
        if call:
            with self._lock:
                asked = _Asked(exchange.request, reading.judged, first_of_kind.keys(), exchange.seconds)
                self._asked[call].append(asked)

    def _add_caused(self, kind: tuple[str, ...], seen: _Sighted, mechanisms: Mapping[object, str]) -> None:
        """Add a defect, caused by the wrong status of its response, or of one that its response depends on.

        Who may accept a wrong request may show it again, as a wrong label was in each GET: no defect of a response
        to it binds more than the rule that wants it rejected.
        """
        if mechanisms and not seen.finding.cause and seen.played is not None:
            origins = with_origins([seen.exchange], seen.played.trail, self.api)
            alike = (*map(id, origins), (self.api.read(seen.exchange, None).call, seen.exchange.status))
            cause = next((mechanisms[one] for one in alike if one in mechanisms), "")
            rule = cause.partition("/")[0]
            wanted = self.api.load_rules().get(rule) if seen.exchange.succeeded else None
            if wanted is not None and 2 * RANK[wanted.level] + 1 < self._weigh(seen.finding):
                return
            if rule != seen.finding.rule:
                seen.finding = replace(seen.finding, cause=cause)
        self._add(kind, seen)

    def _is_defect(self, finding: Finding) -> bool:
        """Whether it breaks a rule that is judged on every answer."""
        return finding.rule in self.rules and finding.severity is not Severity.INFORMATION

    def _add(self, kind: tuple[str, ...], seen: _Sighted) -> None:
        with self._lock:
            of_rule = self._found.setdefault(seen.finding.rule, {})
            if (known := of_rule.get(kind)) is not None:
                known.answers += 1
                known.exercises |= seen.exercises
                if not seen.finding.cause:  # what is seen without its cause has another one, too
                    known.finding = replace(known.finding, cause="")
                if seen.has_crashed:  # the simplest of them is shown
                    size, least = ((len(one.shown), len(one.exchange.request.body)) for one in (seen, known))
                    if size < least:
                        seen.answers, seen.exercises, of_rule[kind] = known.answers, known.exercises, seen
                return
            alike = sum(known.finding.severity is seen.finding.severity for known in of_rule.values())
            if alike < most_of(seen.finding):
                of_rule[kind] = seen

    def _judge_together(
        self, played: PlayedExercise, contract: ApiContract, observations: Iterable[tuple[Check, Observation]]
    ) -> Iterator[tuple[Exchange, Finding]]:
        """The contradictions between the exchanges, each with the one that shows it.

        One is reported only if no finding as binding is about the same id: one fact is reported once. An id that
        others were given, too, identifies nothing.
        """
        trusted = [seen for seen in played.trail if not played.shared.keys() & list_ids(seen, self.api)]
        compared = Counter[tuple[str, str]]()
        trail = self.api.judge_trail(trusted, contract, compared)
        found = [pair for pair in trail if pair[1].rule in self.rules]
        with self._lock:
            for rule, call in compared.elements():
                self.judged[rule][call] += 1
        if not found:
            return
        accused = (one for check, seen in observations for one in played.list_accused_ids(check, seen))
        weights: dict[str, int] = defaultdict(lambda: -1)  # the level of the worst finding about each id
        for finding, ids in chain(accused, self._list_damaged_ids(trusted)):
            for identity in ids:
                weights[identity] = max(weights[identity], self._weigh(finding))
        for exchange, finding in found:
            known = max((weights[identity] for identity in list_ids(exchange, self.api)), default=-1)
            if self._weigh(finding) > known and not any(played.find_causes(exchange)):
                yield exchange, finding

    def _follows_from_another(self, exchange: Exchange, played: PlayedExercise) -> bool:
        """Whether this is the rest of a stream, and something is wrong with the answers that hold all of it."""
        if not self.api.read(exchange, None).is_resumed:
            return False
        whole = [seen for seen in played.trail if not self.api.read(seen, None).is_resumed]
        damaged = {name for finding, ids in self._list_damaged_ids(whole) for name in ids}
        return bool(damaged & list_ids(exchange, self.api))

    def _list_damaged_ids(self, trusted: Sequence[Exchange]) -> Iterator[tuple[Finding, set[str]]]:
        """The defects of each response alone, with the ids that it is about: nothing can be compared with it."""
        for exchange in trusted:
            for finding in self.api.read(exchange, None).findings:
                if self._is_defect(finding):
                    yield finding, list_ids(exchange, self.api)

    def _weigh(self, finding: Finding) -> int:
        """How binding a finding is: the level of its rule, and then whether it breaks it."""
        rule = self.api.load_rules().get(finding.rule)
        return 2 * (RANK[rule.level] if rule is not None else 0) + (finding.severity is Severity.BROKEN)

    def _list_answered(self, played: PlayedExercise) -> list[tuple[Exchange, PlayedExercise]]:
        """The 404s that are the API's own, as their calls had other responses, before or now.

        A call that never was is not offered: its 404 may be that of a front end, or of a framework.
        """
        with self._lock:
            for exchange in played.trail:
                if exchange.status is not None and exchange.status not in {*PROXY_REFUSALS, 404}:
                    self._answered.add(self._name_route(exchange))
                elif exchange.status == 404 and self.api.read(exchange, None).call:
                    self._withheld.append((exchange, played))
            ready = [one for one in self._withheld if self._name_route(one[0]) in self._answered]
            self._withheld = [one for one in self._withheld if self._name_route(one[0]) not in self._answered]
        return ready

    def _name_route(self, exchange: Exchange) -> tuple[tuple[str, ...], str]:
        """The part of the path before the call, such as the version, and the call: other paths may end like it."""
        call, segments = self.api.read(exchange, None).call, exchange.request.segments
        return segments[: -len(call.split("/"))], call
