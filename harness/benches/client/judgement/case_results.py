"""Makes the result of a case: what became of the client, the rule that it broke, and how to see it again."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import TYPE_CHECKING

from msgspec import structs

from harness.benches.client.cases import Case, whole_stream
from harness.benches.client.client_commands import ClientResult
from harness.benches.client.judgement.attempt import ClientAttempt
from harness.benches.client.judgement.case_verdict import judge_case
from harness.benches.client.judgement.outcome import REQUIRED, UNSHOWN, WHOLE, is_allowed, result_id
from harness.benches.client.judgement.received_responses import ReceivedResponse
from harness.engine.decide import Policy, decide
from harness.engine.events import ClientRun, Reproduction, Result, WireMoment
from harness.faults import Cut, Scope, parse
from harness.faults.cut_faults import Spot
from harness.faults.grammar import spell_out
from harness.kit.api import ClientApi
from harness.kit.client_model import Event
from harness.outcome import Observation, Severity
from harness.outcome.words import format_count, shorten
from harness.wire import Decoder
from harness.wire.bodies import object_or_none
from harness.wire.stream_picture import Columns, ReadEvent

if TYPE_CHECKING:
    from harness.benches.client.case_workers import PlayedCase

_STREAMED = (Scope.ALL, Scope.STREAMS, Scope.STARTS, Scope.RESUMES)


@dataclass(eq=False)
class CaseResults:
    """The results of the cases of one run; `usual` is how often the client asks when nothing happens.

    `repeat` writes the command line of a run with these words. Findings of a rule or code in `allowed` only warn.
    """

    api: ClientApi
    policy: Policy
    _: KW_ONLY
    repeat: Callable[..., str]
    usual: int
    allowed: Collection[str] = ()
    _ends: dict[tuple[str, str | None, str], list[int]] = field(default_factory=dict, init=False)

    def decide(self, played: PlayedCase) -> Result:
        case, attempt, ended = played.case, played.attempt, played.ended
        verdict = judge_case(attempt, ended, usual=self.usual)
        run = ClientRun(
            number=played.number,
            name=str(case),
            settings={"plan": case.plan, "event_ids": case.event_ids, "resume": case.resume},
            row=case.row,
            kind=case.kind,
            outcome=str(verdict.outcome),
            event=self._find_event(case),
            moments=list_moments(attempt),
            end=describe_end(ended),
            stderr=ended.words,
            stray=ended.stray,
            is_faulty=not parse(case.plan).is_quiet,
            is_shown=verdict.finding is None or verdict.finding.stable_code != UNSHOWN,
        )
        finding = verdict.finding
        if finding is not None and is_allowed(finding.stable_code, self.allowed):
            finding = structs.replace(
                finding, message=f"{finding.message} (allowed)", severity=Severity.NON_STRICT
            )
        return decide(
            self.api.load_client_model().rules[WHOLE if finding is None else finding.rule],
            Observation.of([] if finding is None else [finding]),
            structs.replace(self.policy, required=REQUIRED),
            result_id=result_id(run.name),
            title=run.name,
            show=lambda _: (run,),
            seconds=ended.seconds,
            reproduction=Reproduction(command=self.repeat(*case.list_words())),
        )

    def _find_event(self, case: Case) -> int | None:
        """The number of the event that is cut or first lost; None for plans other than a cut in the stream."""
        plan = parse(case.plan)
        faults = [fault for connection in plan.connections for fault in connection.faults]
        if plan.scope not in _STREAMED or plan.also or len(faults) != 1 or not isinstance(faults[0], Cut):
            return None
        place = faults[0].place
        if place.spot is not Spot.BYTE or place.at is None:
            return place.at if place.spot in (Spot.EVENT, Spot.DATA, Spot.BLANK, Spot.UTF8) else None
        key = (case.event_ids, case.cassette, str(replace(case, plan="pass")))
        if key not in self._ends:
            self._ends[key] = [frame.end for frame in Decoder().feed(whole_stream(self.api, case))]
        return bisect_right(self._ends[key], place.at)


# What happened in a case, request by request: who sent what when, and where the faults hit.
# Makes data of what was observed; reports draw it.


def list_moments(attempt: ClientAttempt) -> tuple[WireMoment, ...]:
    """A moment for each request: the seconds since the attempt began, and the places of the events that came."""
    columns = Columns()
    for number, event in enumerate(attempt.events):
        columns.find(_to_read_event(event, attempt), number)
    moments = []
    for one in attempt.received:
        target, body = shorten(one.request.target, 110), object_or_none(one.request.body) or {}
        flags = [name for name in ("stream", "background") if body.get(name) is True]
        flags += ["a further turn"] if body and one.continues else []
        at = start = (columns.follow(one.asked_after) if one.asked_after else 0) or 0
        found: list[int] = []
        for event in one.events() if one.is_stream else ():
            found.append(columns.find(_to_read_event(event, attempt), at))
            at = max(at, found[-1] + 1)
        fault = "" if one.suffered is None else ", ".join(map(str, one.suffered.fired))
        moments.append(
            WireMoment(
                at=max(0.0, one.at - attempt.begun),
                request=f"{one.request.method} {target}" + (f" ({', '.join(flags)})" if flags else ""),
                answer=_describe_answer(one, attempt),
                fault=fault,
                fault_words=spell_out(fault),
                columns=tuple(found) if one.is_stream else None,
                start=start,
                broke=one.early_end,
            )
        )
    return tuple(moments)


def _to_read_event(event: Event, attempt: ClientAttempt) -> ReadEvent:
    cursor = attempt.api.load_protocol().cursor(event) or ""
    return ReadEvent(key=cursor, cursor=cursor)


def describe_end(ended: ClientResult) -> str:
    """The result of the client, in its own words."""
    if ended.stopped:
        return f"{ended.stopped}, and was stopped"
    if ended.error:
        return f"reports a failure: {ended.error}"
    status = f", status {ended.status}" if ended.status else ""
    match ended.collected:
        case (str() as text) | {"text": str() as text}:
            return f"reports {format_count(len(text), 'character')}{status}: {_shorten(text)}"
        case list() as events:
            return f"reports {format_count(len(events), 'event')}{status}"
        case {"steps": [*steps]}:
            return f"reports {format_count(len(steps), 'step')}{status}"
    return f"reports the status {ended.status}" if ended.status else "reports nothing"


def _describe_answer(one: ReceivedResponse, attempt: ClientAttempt) -> str:
    if one.headless:
        return "nothing"
    if not one.is_stream:
        status = one.read_json().get("status")
        shown = one.error or (f"status {status}" if isinstance(status, str) else "")
        return f"{one.status}{': ' if one.error else ', '}{shown}" if shown else str(one.status)
    events = one.events()
    text, count = attempt.text_of(events), format_count(len(events), "event")
    shown = f"text {_shorten(text)}" if text else ""
    parts = [f"{one.status}, {count}", shown, "completed" if one.completes else "", one.early_end]
    return ", ".join(filter(None, parts))


def _shorten(text: str) -> str:
    return repr(shorten(text, 60))
