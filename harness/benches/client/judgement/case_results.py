"""Makes the result of a case: what became of the client, the rule that it broke, and how to see it again.

Layer 5.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from dataclasses import replace

from harness.benches.client.case_workers import PlayedCase
from harness.benches.client.cases.case import Case
from harness.benches.client.cases.stream_source import whole_stream
from harness.benches.client.judgement.case_judgement import judge_case
from harness.benches.client.judgement.outcome import WHOLE, result_id
from harness.benches.client.judgement.timeline import describe_end, list_moments
from harness.engine.decide import Policy, decide
from harness.engine.results import ClientRun, Reproduction, Result
from harness.faults import Cut, Scope, parse
from harness.faults.values import Spot
from harness.kit.api import Api
from harness.outcome import Finding, Observation
from harness.wire import Decoder


def decide_run(
    api: Api, run: ClientRun, finding: Finding | None, policy: Policy, *, seconds: float, command: str
) -> Result:
    """The result of a case that came out so; `command` repeats it."""
    return decide(
        api.load_client_model().rules[WHOLE if finding is None else finding.rule],
        Observation.of([] if finding is None else [finding]),
        policy,
        result_id=result_id(run.name),
        title=run.name,
        show=lambda _: (run,),
        seconds=seconds,
        reproduction=Reproduction(command=command),
    )


class CaseResults:
    """The results of the cases of one run; `usual` is how often the client asks when nothing happens.

    A reproduction runs `command` with the options `repeated`.
    """

    def __init__(
        self,
        api: Api,
        policy: Policy,
        *,
        command: tuple[str, ...],
        repeated: tuple[str, ...],
        usual: int,
    ) -> None:
        self._api = api
        self._policy = policy
        self._command = command
        self._repeated = repeated
        self._usual = usual
        self._places = _Places(api)

    def decide(self, played: PlayedCase) -> Result:
        """The result of a case that has ended."""
        case, attempt, ended = played.case, played.attempt, played.ended
        verdict = judge_case(attempt, ended, asked_for_ever=played.asked_for_ever, usual=self._usual)
        run = ClientRun(
            number=played.number,
            name=str(case),
            settings={"plan": case.plan, "event_ids": case.event_ids, "resume": case.resume},
            row=case.row,
            kind=case.kind,
            outcome=str(verdict.outcome),
            event=self._places.event_of(case),
            moments=list_moments(attempt),
            end=describe_end(ended),
            stderr=ended.words,
            stray=ended.stray,
        )
        line = case.command_line(self._command, self._repeated)
        return decide_run(self._api, run, verdict.finding, self._policy, seconds=ended.seconds, command=line)


_STREAMED = (Scope.ALL, Scope.STREAMS, Scope.STARTS, Scope.RESUMES)


class _Places:
    """Finds the event of the stream that a case cuts."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._ends: dict[tuple[str, str | None, str], list[int]] = {}
        self._lock = threading.Lock()

    def event_of(self, case: Case) -> int | None:
        """The number of the event that is cut or first lost; None for plans other than a cut in the stream."""
        plan = parse(case.plan)
        faults = [fault for connection in plan.connections for fault in connection.faults]
        if plan.scope not in _STREAMED or plan.also:
            return None
        if len(faults) != 1 or not isinstance(faults[0], Cut):
            return None
        place = faults[0].place
        if place.spot is Spot.BYTE and place.at is not None:
            return bisect_right(self._find_event_ends(case), place.at)
        return place.at if place.spot in (Spot.EVENT, Spot.DATA, Spot.BLANK, Spot.UTF8) else None

    def _find_event_ends(self, case: Case) -> list[int]:
        key = (case.event_ids, case.cassette, str(replace(case, plan="pass")))
        with self._lock:
            if key not in self._ends:
                frames = Decoder().feed(whole_stream(self._api, case))
                self._ends[key] = [frame.end for frame in frames]
            return self._ends[key]
