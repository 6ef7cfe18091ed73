"""The cases of a torture that runs in another language: enumerated, served and judged here, one path for each.

The cases, the judge and its words are those of `harness torture` and of the dropped streams in pytest; here is
only the conversation with the process of the reader.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.benches.client.cases import Case, StreamSource, cases_of, cases_of_set
from harness.benches.client.client_commands import ClientResult, pick_result
from harness.benches.client.judgement.attempt import ClientAttempt
from harness.benches.client.judgement.outcome import read_allowed
from harness.benches.client.judgement.reasons import FailureReasons, judge_played
from harness.benches.client.judgement.received_responses import describe_unresumed
from harness.checks.clients.result_comparison import events_of, status_of, text_in
from harness.faults import kinds as fault_kinds
from harness.kit.api import ClientApi
from harness.outcome import UsageFault
from harness.outcome.words import did_you_mean, format_count
from harness.wire import LogicalClock, Request, Response

_PREFIX = re.compile(r"/case(\d+)(?=/|$)")
_RESULTS = ("steps", "text", "events")
"""Where an object of a reader has its result, the most telling first."""
_THOUGHT = {
    "type": "thought",
    "summary": [{"type": "text", "text": "This summary of a thought is no output."}],
    "signature": "c2lnbmVk",
}
_CITATION = {"type": "url_citation", "url": "https://example.com/fox", "title": "Foxes"}
"""Both are added to a script that only has a text: the one must not get into the text, the other not be lost."""
_SILENCES = ("after-completion,stall", "event:7,stall")
"""The plans that are added to the usual set of streams: who reads on, or has no timeout, hangs or leaks."""


@dataclass(slots=True)
class _Played:
    """A case that was begun: the attempt, and since when it runs."""

    number: int
    attempt: ClientAttempt
    clock: LogicalClock
    begun: float


class JudgedCases:
    """The cases of one session. A public method is a control call; its keywords are members of the body."""

    def __init__(self, api: ClientApi) -> None:
        self._api = api
        self._cases: list[Case] = []
        self._played: dict[int, _Played] = {}
        self._numbers = iter(range(1, 1_000_000_000))
        self._ended: set[int] = set()
        self._judged_places: set[int] = set()
        self._judged = FailureReasons()
        self._one_by_one = False
        self._usual: int | None = None

    def plan_cases(
        self,
        *,
        cuts: str | list[str] | None = None,
        set: str | None = None,  # noqa: A002 - the word of `harness torture`
        mode: str | None = None,
        only: list[str] | None = None,
        exclude: list[str] | None = None,
        endings: list[str] | None = None,
        first: int | None = None,
        script: dict[str, Any] | None = None,
        further: dict[str, Any] | None = None,
        event_ids: str | list[str] = "all",
        resume: str = "exclusive",
        allow: list[str] | None = None,
        judged_one_by_one: bool = False,
    ) -> dict[str, Any]:
        """Enumerate the cases: `cuts` of a stream, else those of a set. The first one has no fault."""
        model = self._api.load_client_model()
        if mode is not None and mode not in model.modes:
            raise UsageFault(f"mode={mode!r} is not a mode{did_you_mean(mode, model.modes)}")
        chosen = model.usual_mode if mode is None else model.modes[mode]
        if not chosen.turns and chosen.script.keys() == {"text"}:
            content = {"type": "text", **chosen.script, "annotations": [_CITATION]}
            chosen = replace(
                chosen, script={"steps": [_THOUGHT, {"type": "model_output", "content": [content]}], "deltas": 6}
            )
        base = Case(plan="pass", mode=chosen, script=script, further=further, resume=resume)
        ids = (event_ids,) if isinstance(event_ids, str) else tuple(event_ids)
        if cuts is not None and set is not None:
            raise UsageFault("give either cuts or a set: cuts enumerates places of a stream, a set names kinds")
        if cuts is not None:
            found = cases_of(
                self._api, base, cuts=cuts, first=first or 0, endings=endings or ("rst", "end"), event_ids=ids
            )
        else:
            if first is not None or endings is not None:
                raise UsageFault("first and endings are options of cuts, and a set has its own: give cuts, too")
            found = self._list_set(set, base, ids, {"only": only or (), "exclude": exclude or ()})
        self._cases = [replace(base, plan="pass", event_ids=ids[0]), *found]
        self._judged, self._usual = FailureReasons(read_allowed(allow or ())), None
        self._one_by_one = judged_one_by_one
        self._ended.clear()
        cases = [{"case": str(case), "kind": case.kind} for case in self._cases[1:]]
        return {"mode": chosen.name, "cases": cases}

    def _list_set(self, name: str | None, base: Case, ids: Sequence[str], chosen: Mapping[str, Any]) -> list[Case]:
        """The cases of a set; one of streams, whose kinds are not named, gets updates and `_SILENCES`, too."""
        found = cases_of_set(self._api, name or base.mode.usual_set, base, event_ids=ids, **chosen)
        if any(chosen.values()) or all(case.kind != fault_kinds.NOISE.name for case in found):
            return found
        if name is None:
            found += cases_of_set(self._api, "application", base, event_ids=ids, only=["status-updates"])
        silences = _SILENCES[: 2 if name is None else 1]
        return found + [replace(base, plan=plan, event_ids=ids[0], kind="never-ends") for plan in silences]

    def begin_case(self, *, number: int) -> dict[str, Any]:
        """Begin the case of a number, 0 without a fault; its client adds `path` to the session's URL."""
        if not 0 <= number < len(self._cases):
            raise UsageFault(f"number={number!r} is not a case: there are 0 to {len(self._cases) - 1}")
        case = self._cases[number]
        # Faster than the machine's: a runner of tests ends what takes many seconds.
        clock = LogicalClock(tick_seconds=0.0002, speed=20.0 * case.speed)
        service = self._api.load_client_model().service.new(contract=case.contract, clock=clock, seed=0)
        attempt = ClientAttempt(StreamSource(self._api, service, case), case)
        place = next(self._numbers)
        self._played[place] = _Played(number, attempt, clock, time.monotonic())
        described = {
            "place": place,
            "path": f"/case{place}",
            "id": attempt.id,
            "case": str(case),
            "mode": case.mode.name,
        }
        return {**described, "plan": case.plan}

    def pass_time(self, seconds: float) -> None:
        """Let time pass in the cases that run."""
        for played in list(self._played.values()):
            played.clock.skip_to(played.clock.now + seconds)

    def answer(self, request: Request) -> Response | None:
        """Answer a request of a case's client; None if it is for the session itself."""
        found = _PREFIX.match(request.target)
        if found is None:
            return None
        played = self._played.get(int(found[1]))
        if played is None:
            return self._api.load_protocol().refuse(400, "invalid_request", "This case has ended.")
        target = request.target[found.end() :] or "/"
        response = played.attempt.answer(Request(request.method, target, request.headers, request.body))
        response.clock = played.clock
        return response

    def end_case(
        self,
        *,
        number: int,
        result: Any = None,
        error: dict[str, Any] | None = None,
        stopped: str = "",
        left_open: int = 0,
    ) -> dict[str, Any]:
        """Judge the result of the client in a case that was begun; `number` is the `place` from `begin_case`."""
        played = self._played.get(number)
        if played is None and number in self._judged_places:
            raise UsageFault("this cut has a result already: judge each cut once")
        if played is None:
            raise UsageFault(f"number={number!r} is not a running case: pass the `place` that begin_case returned")
        attempt = played.attempt
        quiet = attempt.case is self._cases[0]
        judged = judge_played(
            played.number,
            attempt,
            _read_result(result, error, stopped, time.monotonic() - played.begun),
            usual=None if quiet else self._usual,
            left_open=left_open,
        )
        del self._played[number]
        self._judged_places.add(number)
        self._ended.add(played.number)
        if quiet:
            self._usual = len(attempt.received)
        failures = judged.failures if quiet else self._judged.note(judged)
        first = next(iter(failures or judged.failures), None)
        return {
            "outcome": str(judged.outcome),
            "code": first.code if first else "",
            "problem": self._write_problem(attempt.case, failures[0].message, judged.wire) if failures else "",
            "expected": attempt.text,
        }

    @staticmethod
    def _write_problem(case: Case, problem: str, wire: Sequence[str]) -> str:
        where = "with nothing wrong" if case.plan == "pass" else f"dropped at {case}"
        lines = [f"{where}, the client {problem.rstrip('.')}.", "  on the wire:"]
        lines += [f"    {line}" for line in wire[:8] or ("nothing",)]
        return "\n".join([*lines, f"  this one again:  session.cuts({_write_options(case)})"])

    def find_complaints(self) -> Iterator[str]:
        """The reasons why a test fails that passed: cases that were enumerated and never judged."""
        if self._one_by_one and len(self._cases) > 1 and not self._judged.played:
            yield (
                "the test passed without checking what its client received, so it would also pass if events were "
                "lost or repeated: call assert_seen_once(result) on each cut"
            )
        elif self._one_by_one and (left := self._find_unjudged()):
            some = f"{format_count(len(left), 'cut')} of {len(left) + len(self._ended)}"
            yield (
                f"{some} began and had no result judged, so the test would also pass if its client gave up there: "
                "call assert_seen_once with what it returned, or with the error that it threw. "
                f"{self.describe_unjudged()}"
            )

    def describe_unjudged(self) -> str:
        """The last case that began and was not judged: its traffic, and how its stream ended early; "" if none."""
        if not (left := self._find_unjudged()):
            return ""
        attempt = left[-1].attempt
        head = f"dropped at {attempt.case}, the client ended without a result that was judged"
        wire = (f"  {line}" for line in attempt.wire())
        return "\n".join(filter(None, [head, *wire, describe_unresumed(attempt.received)]))

    def _find_unjudged(self) -> list[_Played]:
        """The cases that began and of which no attempt was judged, each once."""
        return list({one.number: one for one in self._played.values() if one.number not in self._ended}.values())

    def sum_up(self) -> dict[str, Any]:
        """The failures by reason, and the whole as text; each reason has one case and the line that repeats it."""
        reasons = self._judged.reasons
        about = {kind.name: kind.about for kinds in self._api.load_client_model().sets.values() for kind in kinds}
        lines = [
            *self._judged.describe(lambda case: f"torture(session, reader, {_write_options(case)})", about, {}, 0)
        ]
        if reasons:
            codes = json.dumps(sorted({reason.code for reason in reasons}))
            lines += [
                "",
                f"If one of them is meant, allow it by its code: torture(session, reader, {{ allow: {codes} }})",
            ]
        return {
            "cases": self._judged.played,
            "failed": self._judged.failed,
            "reasons": [
                {
                    "code": reason.code,
                    "problem": reason.message,
                    "cases": reason.cases,
                    "options": json.loads(_write_options(reason.case)),
                }
                for reason in reasons
            ],
            "text": "\n".join(lines),
        }


def _read_result(result: Any, error: Mapping[str, Any] | None, stopped: str, seconds: float) -> ClientResult:
    """The result of a reader in the form of the judge: a text, events, steps, or an object with one of them."""
    if stopped:
        return ClientResult(stopped=stopped, seconds=seconds)
    if error is not None:
        return ClientResult(error=f"{error.get('name', 'Error')}: {error.get('message', '')}", seconds=seconds)
    if isinstance(result, Mapping):
        status = str(status_of(result) or "")
        for collected in _RESULTS:
            if isinstance(result.get(collected), list) or (collected == "text" and "text" in result):
                return ClientResult(collected=pick_result(result, collected), status=status, seconds=seconds)
        if result.keys() == {"status"}:
            return ClientResult(status=status, seconds=seconds)
    if isinstance(result, str) or events_of(result) is not None or text_in(result) is not None:
        return ClientResult(collected=result, seconds=seconds)
    if isinstance(result, list) and all(isinstance(piece, str) for piece in result):
        return ClientResult(collected="".join(result), seconds=seconds)
    raise UsageFault(
        f"the reader returned {json.dumps(result)[:200]}: return the text, the events, the interaction, or an "
        "object with one of text, events and steps and with the status, or throw what went wrong"
    )


def _write_options(case: Case) -> str:
    """The options that select only this case, as JSON, which JavaScript reads, too."""
    mode = {} if case.mode.usual else {"mode": case.mode.name}
    if case.hopeless:  # only its kind shows that a client can only report a failure
        return json.dumps({"set": case.mode.usual_set, "kinds": [case.kind], **mode})
    options: dict[str, Any] = {"cuts": [case.plan], **mode}
    if case.event_ids != "all":
        options["eventIds"] = case.event_ids
    if case.resume != "exclusive":
        options["resume"] = case.resume
    if case.script is not None:
        options["script"] = dict(case.script)
    if case.further is not None:
        options["further"] = dict(case.further)
    return json.dumps(options, ensure_ascii=False)
