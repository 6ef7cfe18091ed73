"""The kinds of cases that any API with resumable streams has: what can happen to their connections and frames.

Layer 1. A kind that needs answers of a certain content belongs to its API.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.faults.enumerate import every_byte, every_event, structural
from harness.faults.kinds.case_kind import CaseKind, Plans, StreamShape, at, at_each
from harness.faults.values.cuts import Place


def _after_events(*endings: str) -> Plans:
    return lambda shape: _cross(every_event(shape.body), endings)


def _list_inside(*endings: str, each: int = 1) -> Plans:
    """Places inside events. Inside the first event only one: nothing was received there, as before it."""

    def plans(shape: StreamShape) -> Iterator[str]:
        places = [place for place in structural(shape.body) if place.plus]
        places = [place for n, place in enumerate(places) if place.at or n == 2]
        return _cross(iter(places[::each]), endings)

    return plans


def _list_bytes(*endings: str) -> Plans:
    return lambda shape: _cross(every_byte(shape.body), endings)


def _cross(places: Iterator[Place], endings: tuple[str, ...]) -> Iterator[str]:
    return (f"{place},{ending}" for place in places for ending in endings)


def _plan_halves(shape: StreamShape) -> Iterator[str]:
    for ending in ("end", "rst"):
        yield from (f"{spot}:{n},{ending}" for n in range(1, shape.frames) for spot in ("data", "blank", "utf8"))


def _plan_pairs(shape: StreamShape) -> Iterator[str]:
    for first in range(2, shape.completion + 1):
        yield from (f"event:{first},rst/event:{second},end" for second in range(1, shape.completion - first + 1))


def _plan_repeated_events(shape: StreamShape) -> Iterator[str]:
    yield from (f"dup:{n}" for n in range(1, shape.completion + 1))
    last = shape.completion
    yield from (f"replay:{last - 1}+{n}" for n in (2, 4) if n < last)
    yield from (f"event:{n},rst/dup:1" for n in shape.landmarks[1:3])
    yield from (f"dup:{n},event:{n + 1},end" for n in shape.landmarks[1:3])


def _plan_broken_frames(shape: StreamShape) -> Iterator[str]:
    yield "no-completion"
    yield "no-completion,no-done"
    yield from (f"garble:{n}" for n in range(2, shape.completion))


HINTED = ("status:429,retry-after-ms:20", "status:503,retry-after-ms:20")
"""Refusals that say when to ask again."""

_HEADS = ("before-headers,rst", "before-headers,fin", "headers,rst", "headers,fin", "headers,bad-head")
_STATUSES = (
    *(f"event:{{late}},rst/{status}" for status in HINTED),
    *HINTED,
    "event:{late},rst/status:400,times:all",
    *(f"event:{{late}},rst/status:{code}" for code in (500, 503, 429)),
)
_MORE_STATUSES = (
    *_STATUSES,
    *(f"event:{{middle}},end/status:{code}" for code in (408, 409, 502, 504)),
    *(f"status:{code}" for code in (429, 500, 502, 503, 504)),
    "event:{middle},end/status:429,retry-after:1",
    "event:{middle},end/status:503,times:2",
)

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
    plans=_list_inside("end", each=2),
)
TORN = CaseKind(name="torn", about="a reset inside an event", plans=_list_inside("rst", each=4))
HALVES = CaseKind(name="halves", about="a cut in `data:`, before a blank line, in a character", plans=_plan_halves)
HEADS = CaseKind(
    name="heads",
    about="the connection dies before or in the headers, also on the resume",
    plans=at(*(plan for cut in _HEADS for plan in (cut, f"event:{{middle}},rst/{cut}"))),
)
REPEATED = CaseKind(
    name="repeated",
    about="the resumed stream drops too",
    plans=at(
        "event:{middle},rst/event:2,rst",
        "event:{middle},end/event:2,end/event:1,end",
        "event:{middle}+20,rst/event:1+20,end/event:1,fin",
        "event:3,rst,times:3",
        "event:3,end,times:3",
        "event:{last},end/event:0,end",
        "event:{middle},rst/event:0,end",
        "event:{last},rst/event:0,rst",
    ),
)
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
    plans=at(
        *("glue", "crlf", "trickle:5", "ping:all", "members", "unknown:all", "no-done", "chunks:1"),
        "ping:all,glue,members,unknown:all,crlf,chunks:5",
        "crlf,chunks:3,event:{middle},end",
        "ping:all,event:{middle},rst/glue",
        "unknown:all,event:{after_middle},rst/members,crlf",
    ),
)
BROKEN = CaseKind(
    name="broken", about="a frame with broken JSON, a stream without its completion", plans=_plan_broken_frames
)
ERRORS = CaseKind(
    name="errors",
    about="an error event, with an id that is no cursor, or bare JSON, then the end",
    plans=at_each(
        "error:{n},event:{after},end", "error:{n}+id,event:{after},rst", "error:{n}+id,event:{after},end",
        "bare-error:{n}",
    ),
)  # fmt: skip
STATUSES = CaseKind(
    name="statuses",
    about="429, 503, 500, 400 instead of a stream, with and without a hint",
    plans=at(*_STATUSES),
)
LATE = CaseKind(name="late", about="the completion comes late", plans=at("late:0.2"))
PAIRS = CaseKind(name="pairs", about="two drops, at every pair of events", plans=_plan_pairs)
STALLS = CaseKind(
    name="stalls",
    about="the connection stays open and silent, also after the completion",
    plans=at("event:{middle},stall", "event:{after_last},stall", "event:{middle}+20,stall"),
)
BYTES = CaseKind(name="bytes", about="a cut after every byte", plans=_list_bytes("end", "rst"))

ALL_OF_INSIDE = INSIDE.only(_list_inside("end"))
ALL_OF_TORN = TORN.only(_list_inside("rst", "fin"))
MORE_STATUSES = STATUSES.only(at(*_MORE_STATUSES))
MORE_LATE = LATE.only(at("late:0.2", "late:2", "late:4"))
FEW_CLEAN_ENDS = CLEAN_END.only(at_each("event:{n},end"))
FEW_RESETS = RESET.only(at_each("event:{n},rst"))
FEW_INSIDE = INSIDE.only(at_each("event:{n}+40,end"))
FEW_NO_IDS = NO_IDS.only(at_each("event:{n},rst"))
FEW_INCLUSIVE = INCLUSIVE.only(at_each("event:{n},end"))
FEW_TWICE = TWICE.only(at_each("dup:{n}"))
