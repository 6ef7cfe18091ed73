"""The kinds of cases that a set is made of: what goes wrong in them, and where in a stream.

Layer 5. A kind makes its fault plans for the shape of a stream; `case_sets` says which kinds a set has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any

from harness.contract import PROTOCOL
from harness.contract.data.json_parse import loads
from harness.faults import Place, every_byte, every_event, structural
from harness.wire import Decoder


@dataclass(frozen=True)
class StreamShape:
    """What the places of a kind depend on: the bytes of a stream, and where its events are."""

    body: bytes

    @cached_property
    def frames(self) -> int:
        """How many frames it has, `[DONE]` included."""
        return len(Decoder().feed(self.body))

    @cached_property
    def completion(self) -> int:
        """How many frames precede the event that completes the stream."""
        payloads = [loads(frame.data).value for frame in Decoder().feed(self.body)]
        done = (n for n, event in enumerate(payloads) if isinstance(event, dict) and PROTOCOL.completes(event))
        return next(done, len(payloads))

    @cached_property
    def landmarks(self) -> tuple[int, ...]:
        """A few telling numbers of events: after the first, in the middle, before the completion."""
        last = self.completion
        return tuple(sorted({1, max(1, last // 2), max(1, last * 3 // 4), last}))


Plans = Callable[[StreamShape], Iterator[str]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CaseKind:
    """Cases that are alike: `plans` makes their fault plans.

    Each plan is played with each of `event_ids` (none: those of the run), with the run's script and each of
    `scripts` merged into it, and with `resume` and `further` unless they are None.
    """

    name: str
    about: str
    plans: Plans
    event_ids: tuple[str, ...] = ()
    resume: str | None = None
    scripts: tuple[Mapping[str, Any], ...] = ({},)
    further: Mapping[str, Any] | None = None

    def only(self, plans: Plans) -> CaseKind:
        """The same kind with other plans."""
        return replace(self, plans=plans)

    def first(self, many: int) -> CaseKind:
        """The same kind with the first of its plans only."""
        return replace(self, plans=lambda shape: islice(self.plans(shape), many))


def _after_events(*endings: str) -> Plans:
    return lambda shape: _cross(every_event(shape.body), endings)


def _inside(*endings: str, each: int = 1) -> Plans:
    """Places inside events. Inside the first event only one: nothing was received there, as before it."""

    def plans(shape: StreamShape) -> Iterator[str]:
        places = [place for place in structural(shape.body) if place.plus]
        places = [place for n, place in enumerate(places) if place.at or n == 2]
        return _cross(iter(places[::each]), endings)

    return plans


def _bytes(*endings: str) -> Plans:
    return lambda shape: _cross(every_byte(shape.body), endings)


def _cross(places: Iterator[Place], endings: tuple[str, ...]) -> Iterator[str]:
    return (f"{place},{ending}" for place in places for ending in endings)


def _plan_halves(shape: StreamShape) -> Iterator[str]:
    for ending in ("end", "rst"):
        yield from (f"{spot}:{n},{ending}" for n in range(1, shape.frames) for spot in ("data", "blank", "utf8"))


def _plan_heads(shape: StreamShape) -> Iterator[str]:
    middle = shape.landmarks[1]
    for cut in ("before-headers,rst", "before-headers,fin", "headers,rst", "headers,fin", "headers,bad-head"):
        yield cut
        yield f"event:{middle},rst/{cut}"


def _plan_repeated_drops(shape: StreamShape) -> Iterator[str]:
    last = shape.completion
    yield f"event:{last // 2},rst/event:2,rst"
    yield f"event:{last // 2},end/event:2,end/event:1,end"
    yield f"event:{last // 2}+20,rst/event:1+20,end/event:1,fin"
    yield "event:3,rst,times:3"
    yield "event:3,end,times:3"
    yield f"event:{last},end/event:0,end"
    yield f"event:{last // 2},rst/event:0,end"
    yield f"event:{last},rst/event:0,rst"


def _plan_pairs(shape: StreamShape) -> Iterator[str]:
    for first in range(2, shape.completion + 1):
        yield from (f"event:{first},rst/event:{second},end" for second in range(1, shape.completion - first + 1))


def _plan_repeated_events(shape: StreamShape) -> Iterator[str]:
    yield from (f"dup:{n}" for n in range(1, shape.completion + 1))
    last = shape.completion
    yield from (f"replay:{last - 1}+{n}" for n in (2, 4) if n < last)
    yield from (f"event:{n},rst/dup:1" for n in shape.landmarks[1:3])
    yield from (f"dup:{n},event:{n + 1},end" for n in shape.landmarks[1:3])


def _plan_noise(shape: StreamShape) -> Iterator[str]:
    middle = shape.landmarks[1]
    yield from ("glue", "crlf", "trickle:5", "ping:all", "members", "unknown:all", "no-done", "chunks:1")
    yield "ping:all,glue,members,unknown:all,crlf,chunks:5"
    yield f"crlf,chunks:3,event:{middle},end"
    yield f"ping:all,event:{middle},rst/glue"
    yield f"unknown:all,event:{middle + 1},rst/members,crlf"


def _plan_broken_frames(shape: StreamShape) -> Iterator[str]:
    yield "no-completion"
    yield "no-completion,no-done"
    yield from (f"garble:{n}" for n in range(2, shape.completion))


def _plan_errors(shape: StreamShape) -> Iterator[str]:
    for n in shape.landmarks:
        yield f"error:{n},event:{n + 1},end"
        yield f"error:{n}+id,event:{n + 1},rst"
        yield f"error:{n}+id,event:{n + 1},end"
        yield f"bare-error:{n}"


_HINTED = ("status:429,retry-after-ms:20", "status:503,retry-after-ms:20")


def _plan_statuses(shape: StreamShape) -> Iterator[str]:
    cut = f"event:{shape.landmarks[2]},rst"
    yield from (f"{cut}/{status}" for status in _HINTED)
    yield from _HINTED
    yield f"{cut}/status:400,times:all"
    yield from (f"{cut}/status:{code}" for code in (500, 503, 429))


def _plan_more_statuses(shape: StreamShape) -> Iterator[str]:
    yield from _plan_statuses(shape)
    cut = f"event:{shape.landmarks[1]},end"
    yield from (f"{cut}/status:{code}" for code in (408, 409, 502, 504))
    yield from (f"status:{code}" for code in (429, 500, 502, 503, 504))
    yield f"{cut}/status:429,retry-after:1"
    yield f"{cut}/status:503,times:2"


def _late(*seconds: str) -> Plans:
    return lambda _: (f"late:{wait}" for wait in seconds)


def _plan_nothing(_: StreamShape) -> Iterator[str]:
    return iter(("pass",))


def _plan_one_drop(shape: StreamShape) -> Iterator[str]:
    yield "pass"
    yield f"event:{shape.landmarks[2]},rst"
    yield f"event:{shape.completion},end"


def _plan_ends(shape: StreamShape) -> Iterator[str]:
    yield from _plan_one_drop(shape)
    yield f"event:{shape.landmarks[2]},rst/status:400,times:all"


def _plan_stalls(shape: StreamShape) -> Iterator[str]:
    yield f"event:{shape.landmarks[1]},stall"
    yield f"event:{shape.completion + 1},stall"
    yield f"event:{shape.landmarks[1]}+20,stall"


def _plan_lost_polls(_: StreamShape) -> Iterator[str]:
    for cut in (
        "before-headers,rst",
        "headers,fin",
        "byte:0,end",
        "byte:60,end",
        "byte:60,rst",
        "byte:60,short-length",
    ):
        yield f"calls={cut}"
        yield f"calls=pass/{cut}"


def _plan_refused_polls(_: StreamShape) -> Iterator[str]:
    yield from (f"calls=pass/{status}" for status in _HINTED)
    yield from (f"calls=pass/status:{code}" for code in (500, 502, 503, 504, 429, 408))
    yield "calls=pass/status:503,times:2"


def _plan_unknown_at_first(_: StreamShape) -> Iterator[str]:
    yield "calls=pass/status:404"
    yield "calls=pass/status:404,times:2"


def _plan_further_drops(shape: StreamShape) -> Iterator[str]:
    for n in shape.landmarks:
        yield from (f"pass/event:{n},{ending}" for ending in ("end", "rst"))
    yield f"pass/event:{shape.landmarks[1]}+40,end"


def _plan_lost_answers(shape: StreamShape) -> Iterator[str]:
    for cut in ("before-headers,rst", "headers,rst", "byte:0,end", "event:0,rst"):
        yield f"pass/{cut}"
    yield "pass/late:0.2"
    yield f"event:{shape.landmarks[1]},rst/pass/before-headers,rst"


def _plan_refused_answers(_: StreamShape) -> Iterator[str]:
    yield from (f"pass/{status}" for status in (*_HINTED, "status:500", "status:400,times:all"))


def _plan_lost_cancels(_: StreamShape) -> Iterator[str]:
    yield from (f"calls={cut}" for cut in ("before-headers,rst", "headers,fin", "byte:0,end", "byte:40,rst"))


def _plan_refused_cancels(_: StreamShape) -> Iterator[str]:
    yield from (f"calls={status}" for status in (*_HINTED, "status:500", "status:503,times:2"))


def _plan_drops_before_cancel(_: StreamShape) -> Iterator[str]:
    yield from (f"event:{n},{ending}" for n in (0, 2, 3, 5) for ending in ("end", "rst"))


def _plan_continuations(shape: StreamShape) -> Iterator[str]:
    middle = shape.landmarks[1]
    yield from ("pass", f"event:{middle},rst", f"pass/event:{middle},rst", f"pass/event:{middle},end")
    yield "pass/before-headers,rst"


def _call(count: int) -> dict[str, Any]:
    calls = [
        {"type": "function_call", "id": f"call_{n}", "name": "look", "arguments": {"place": f"number {n}"}}
        for n in range(1, count + 1)
    ]
    return {"text": None, "steps": calls}


_FAILED = ({"status": "failed"}, {"status": "cancelled"}, {"status": "incomplete"})
_ENDS = (*_FAILED, {"status": "budget_exceeded"}, _call(1))
_PARTS = (
    {"text": None, "steps": [
        {"type": "thought", "summary": [{"type": "text", "text": "This is no output."}], "signature": "c2lnbmVk"},
        {"type": "model_output", "content": [{"type": "text", "text": "One part, "}]},
        {"type": "model_output", "content": [{"type": "text", "text": "and another."}]},
    ]},
    {"text": None, "steps": [
        {"type": "model_output", "content": [{"type": "text", "text": "la la la la"}]},
    ], "deltas": 4},
)  # fmt: skip

CLEAN_END = CaseKind(
    name="clean-end", about="the connection ends cleanly, after any event", plans=_after_events("end")
)
RESET = CaseKind(name="reset", about="the connection is reset, after any event", plans=_after_events("rst"))
FRAMING = CaseKind(
    name="framing",
    about="the body breaks off against its framing, after any event",
    plans=_after_events("fin", "short-length", "bad-chunk"),
)
INSIDE = CaseKind(
    name="inside",
    about="a clean end inside an event: in names, values, characters, line ends",
    plans=_inside("end", each=2),
)
TORN = CaseKind(name="torn", about="a reset inside an event", plans=_inside("rst", each=4))
HALVES = CaseKind(name="halves", about="a cut in `data:`, before a blank line, in a character", plans=_plan_halves)
HEADS = CaseKind(
    name="heads", about="the connection dies before or in the headers, also on the resume", plans=_plan_heads
)
REPEATED = CaseKind(name="repeated", about="the resumed stream drops too", plans=_plan_repeated_drops)
NO_IDS = CaseKind(
    name="no-ids",
    about="no event has an id; the connection drops after any event",
    plans=_after_events("end", "rst"),
    event_ids=("none",),
)
FEW_IDS = CaseKind(
    name="few-ids",
    about="only some events have an id; the connection drops after any event",
    plans=_after_events("end"),
    event_ids=("sparse", "deltas"),
)
INCLUSIVE = CaseKind(
    name="inclusive",
    about="a resumed stream repeats the event of its cursor",
    plans=_after_events("rst"),
    resume="inclusive",
)
TWICE = CaseKind(
    name="twice", about="events come twice, with the same id", plans=_plan_repeated_events, event_ids=("all",)
)
NOISE = CaseKind(
    name="noise",
    about="legal noise: comments, CR LF, split characters, unknown events and members, no [DONE]",
    plans=_plan_noise,
)
PARTS = CaseKind(
    name="parts",
    about="other output: thoughts, two texts, equal deltas; with a drop",
    plans=_plan_one_drop,
    scripts=_PARTS,
)
BROKEN = CaseKind(
    name="broken", about="a frame with broken JSON, a stream without its completion", plans=_plan_broken_frames
)
ERRORS = CaseKind(
    name="errors",
    about="an error event, with an id that is no cursor, or bare JSON, then the end",
    plans=_plan_errors,
)
ENDS = CaseKind(
    name="ends",
    about="the run ends failed, cancelled, incomplete, over its budget, or requires action",
    plans=_plan_ends,
    scripts=_ENDS,
)
STATUSES = CaseKind(
    name="statuses", about="429, 503, 500, 400 instead of a stream, with and without a hint", plans=_plan_statuses
)
LATE = CaseKind(name="late", about="the completion comes late", plans=_late("0.2"))
PAIRS = CaseKind(name="pairs", about="two drops, at every pair of events", plans=_plan_pairs)
STALLS = CaseKind(
    name="stalls", about="the connection stays open and silent, also after the completion", plans=_plan_stalls
)
BYTES = CaseKind(name="bytes", about="a cut after every byte", plans=_bytes("end", "rst"))

LOST_POLLS = CaseKind(
    name="lost-polls", about="the answer to a poll is lost, or breaks off in the middle", plans=_plan_lost_polls
)
REFUSED_POLLS = CaseKind(
    name="refused-polls",
    about="a poll is answered 429, 408 or 5xx, with and without a hint",
    plans=_plan_refused_polls,
)
UNKNOWN_AT_FIRST = CaseKind(
    name="unknown-at-first",
    about="the new interaction is not found (404) for a moment",
    plans=_plan_unknown_at_first,
)
SLOW_RUNS = CaseKind(
    name="slow-runs",
    about="the run is queued for a while, or takes many polls",
    plans=_plan_nothing,
    scripts=({"queued": 3}, {"ticks": 8}, {"queued": 2, "ticks": 4}),
)

FURTHER_DROPS = CaseKind(
    name="further-drops", about="the stream of the further turn breaks off", plans=_plan_further_drops
)
LOST_ANSWERS = CaseKind(
    name="lost-answers",
    about="the further turn took effect, and its answer is lost, or comes late",
    plans=_plan_lost_answers,
)
REFUSED_ANSWERS = CaseKind(
    name="refused-answers", about="the further turn is refused: 429, 503, 500, 400", plans=_plan_refused_answers
)
LOST_CANCELS = CaseKind(
    name="lost-cancels", about="the answer to the cancel is lost, or breaks off", plans=_plan_lost_cancels
)
REFUSED_CANCELS = CaseKind(
    name="refused-cancels", about="the cancel is answered 429, 503 or 500 first", plans=_plan_refused_cancels
)
DROPS_BEFORE_CANCEL = CaseKind(
    name="drops-before-cancel",
    about="the stream breaks off before or while the client cancels",
    plans=_plan_drops_before_cancel,
)
SLOW_CANCELS = CaseKind(
    name="slow-cancels",
    about="the interaction is still in progress for a while after the cancel",
    plans=_plan_nothing,
    scripts=({"cancel_lag": 1}, {"cancel_lag": 3}),
)
CONTINUATIONS = CaseKind(
    name="continuations",
    about="the interaction stops with a continuation token; with a drop before and after",
    plans=_plan_continuations,
    scripts=({"status": "requires_continuation", "continuation_token": "go-on"},),
    further={"text": " And the rest of it."},
)

ALL_OF_INSIDE = INSIDE.only(_inside("end"))
ALL_OF_TORN = TORN.only(_inside("rst", "fin"))
MORE_STATUSES = STATUSES.only(_plan_more_statuses)
MORE_LATE = LATE.only(_late("0.2", "2", "4"))
FEW_CLEAN_ENDS = CLEAN_END.only(lambda shape: (f"event:{n},end" for n in shape.landmarks))
FEW_RESETS = RESET.only(lambda shape: (f"event:{n},rst" for n in shape.landmarks))
FEW_INSIDE = INSIDE.only(lambda shape: (f"event:{n}+40,end" for n in shape.landmarks))
FEW_NO_IDS = NO_IDS.only(lambda shape: (f"event:{n},rst" for n in shape.landmarks))
FEW_INCLUSIVE = INCLUSIVE.only(lambda shape: (f"event:{n},end" for n in shape.landmarks))
FEW_TWICE = TWICE.only(lambda shape: (f"dup:{n}" for n in shape.landmarks))
FEW_ENDS = ENDS.only(_plan_nothing)
