"""Kinds of cases for clients that read a stream: each makes the fault plans for a stream of any shape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any

from harness.faults.cut_faults import Place, every_byte, every_event, structural
from harness.wire import Decoder, Frame, StreamProtocol
from harness.wire.bodies import object_or_none

# A kind of cases: what goes wrong in them, and where in a stream.
# A kind makes its fault plans for the shape of a stream; must not know who reads it.


@dataclass(frozen=True)
class StreamShape:
    """The shape that the places of a kind depend on: the bytes of a stream, and the places of its events.

    `further` is the shape of the stream of a further turn, None if there is no such turn.
    """

    body: bytes
    protocol: StreamProtocol
    further: StreamShape | None = None

    @cached_property
    def frames(self) -> list[Frame]:
        """Its frames, the final one included that is no JSON."""
        return Decoder().feed(self.body)

    @cached_property
    def completion(self) -> int:
        """How many frames precede the event that completes the stream."""
        events = [object_or_none(frame.data) for frame in self.frames]
        done = (n for n, event in enumerate(events) if event is not None and self.protocol.completes(event))
        return next(done, len(events))

    @cached_property
    def landmarks(self) -> tuple[int, ...]:
        """A few telling numbers of events: after the first, in the middle, before the completion."""
        last = self.completion
        return tuple(sorted({1, max(1, last // 2), max(1, last * 3 // 4), last}))

    @cached_property
    def content(self) -> int:
        """The number of the last event with content, which has the most frequent name before the completion."""
        names = [frame.event for frame in self.frames[: self.completion]]
        ((name, _),) = Counter(names).most_common(1) or [(None, 0)]
        return max((n for n, found in enumerate(names, 1) if found == name), default=1)

    @property
    def places(self) -> dict[str, int]:
        """The numbers of events that a plan may name in braces, such as `event:{late},rst`."""
        last = len(self.landmarks) - 1
        middle, late = (self.landmarks[min(number, last)] for number in (1, 2))
        named = {"middle": middle, "late": late, "last": self.completion}
        return {**named, **{f"after_{name}": number + 1 for name, number in named.items()}}


Plans = Callable[[StreamShape], Iterator[str]]
"""Makes fault plans for a stream."""


def at(*plans: str) -> Plans:
    """These plans, at the places that they name (`StreamShape.places`)."""
    return lambda shape: (plan.format(**shape.places) for plan in plans)


def at_each(*plans: str) -> Plans:
    """These plans at each landmark of the stream, `{n}`; `{after}` is the place after it."""
    return lambda shape: (plan.format(n=n, after=n + 1) for n in shape.landmarks for plan in plans)


def at_content(*plans: str) -> Plans:
    """These plans at `{n}`: the first, the middle and the last event, and one with content.

    A reader who takes an event twice shows it only where the event has content.
    """
    return lambda shape: (
        plan.format(n=n)
        for n in sorted({shape.landmarks[0], shape.places["middle"], shape.content, shape.completion})
        for plan in plans
    )


def in_further(plans: Plans) -> Plans:
    """These plans, at places of the stream of the further turn."""
    return lambda shape: plans(shape.further or shape)


def chain_plans(*parts: Plans) -> Plans:
    """All plans of each part."""
    return lambda shape: (plan for part in parts for plan in part(shape))


_OTHER_IDS = frozenset({"none", "sparse", "odd"})
"""Event ids that the service does not send by itself."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CaseKind:
    """Cases that are alike: `plans` makes their fault plans.

    Each plan runs with each of `event_ids` (none: those of the run), with the run's script and each of `scripts`
    merged into it, and with `resume`, `further` and `refusal` unless they are None. `refusal` is for creates that
    name a previous run. Scripts of a kind with `calls` have steps that the client must answer: only modes with
    such a response use them, and no other scripts. If the kind is `hopeless`, a client can only report a failure.
    """

    name: str
    about: str
    plans: Plans
    event_ids: tuple[str, ...] = ()
    resume: str | None = None
    scripts: tuple[Mapping[str, Any], ...] = ({},)
    further: Mapping[str, Any] | None = None
    refusal: Mapping[str, Any] | None = None
    calls: bool = False
    hopeless: bool = False

    @property
    def has_own_scripts(self) -> bool:
        """Whether it needs answers of its own."""
        return self.scripts != ({},)

    @property
    def needs_scripting(self) -> bool:
        """Whether a recording cannot play it, which brings its own answer with its own event ids."""
        return self.has_own_scripts or not _OTHER_IDS.isdisjoint(self.event_ids)

    def only(self, plans: Plans) -> CaseKind:
        return replace(self, plans=plans)

    def first(self, many: int) -> CaseKind:
        """The same kind with the first of its plans only."""
        return replace(self, plans=lambda shape: islice(self.plans(shape), many))


# The kinds of cases that any API with resumable streams has: what can happen to their connections and frames.
# A kind that needs answers of a certain content belongs to its API.


def _after_events(*endings: str) -> Plans:
    return lambda shape: _cross(every_event(shape.body), endings)


def _list_inside(*endings: str, each: int = 1) -> Plans:
    """Places inside events. Inside the first event only one: nothing was received there, as before it."""

    def plans(shape: StreamShape) -> Iterator[str]:
        places = [place for place in structural(shape.body) if place.plus]
        places = [place for n, place in enumerate(places) if place.at or n == 2]
        return _cross(iter(places[::each]), endings)

    return plans


def _cross(places: Iterator[Place], endings: tuple[str, ...]) -> Iterator[str]:
    return (f"{place},{ending}" for place in places for ending in endings)


def _plan_repeated_events(shape: StreamShape) -> Iterator[str]:
    yield from (f"dup:{n}" for n in range(1, shape.completion + 1))
    last = shape.completion
    yield from (f"replay:{last - 1}+{n}" for n in (2, 4) if n < last)
    yield from (f"event:{n},rst/dup:1" for n in shape.landmarks[1:3])
    yield from (f"dup:{n},event:{n + 1},end" for n in shape.landmarks[1:3])


HINTED = ("status:429,retry-after-ms:20", "status:503,retry-after-ms:20")
"""Refusals that say when to ask again."""

_HEADS = ("before-headers,rst", "before-headers,fin", "headers,rst", "headers,fin", "headers,bad-head")
_STATUSES = (
    *(f"event:{{late}},rst/{status}" for status in HINTED),
    *HINTED,
    "event:{late},rst/status:400,times:all",
    *(f"event:{{late}},rst/status:{code}" for code in (500, 503, 429)),
    "event:{late},rst/status:503,retry-after:1",
)
_MORE_STATUSES = (
    *_STATUSES,
    *(f"event:{{middle}},end/status:{code}" for code in (408, 409, 502, 504)),
    *(f"status:{code}" for code in (429, 500, 502, 503, 504)),
    "event:{middle},end/status:503,times:2",
)

CLEAN_END = CaseKind(
    name="clean-end", about="the connection ends cleanly, after any event", plans=_after_events("end")
)
RESET = CaseKind(name="reset", about="the connection is reset, after any event", plans=_after_events("rst"))
FRAMING = CaseKind(
    name="framing",
    about="the body ends before its framing does, after any event",
    plans=_after_events("fin", "short-length", "bad-chunk"),
)
INSIDE = CaseKind(
    name="inside",
    about="a clean end inside an event: in names, values, characters, line ends",
    plans=_list_inside("end", each=2),
)
TORN = CaseKind(name="torn", about="a reset inside an event", plans=_list_inside("rst", each=4))
HALVES = CaseKind(
    name="halves",
    about="a drop in `data:`, before a blank line, in a character",
    plans=lambda shape: (
        f"{spot}:{n},{ending}"
        for ending in ("end", "rst")
        for n in range(1, len(shape.frames))
        for spot in ("data", "blank", "utf8")
        if spot != "utf8" or not shape.frames[n].data.isascii()  # it cuts the next character there is, or nothing
    ),
)
HEADS = CaseKind(
    name="heads",
    about="the connection drops before or in the headers, also on the resume",
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
ODD_IDS = CaseKind(
    name="odd-ids",
    about="ids contain +, / and =; the connection drops after any event",
    plans=_after_events("fin"),  # a reset can take with it what the client has not read, and the cursor with that
    event_ids=("odd",),
)
INCLUSIVE = CaseKind(
    name="inclusive",
    about="a resumed stream repeats the event of its cursor",
    plans=_after_events("fin"),
    resume="inclusive",
)
TWICE = CaseKind(
    name="twice", about="events arrive twice, with the same id", plans=_plan_repeated_events, event_ids=("all",)
)
NOISE = CaseKind(
    name="noise",
    about="legal noise: comments, CR LF, split characters, unknown events and members, no [DONE]",
    plans=at(
        # on each connection: a reader that fails on one of them must not get the result of a plain one
        # the bytes come first: a reader that forgets half a line fails on long lines, too
        *("chunks:1,times:all", "glue,times:all", "crlf,times:all", "trickle:5", "ping:all,times:all"),
        *("members,times:all", "long,times:all", "unknown:all,times:all", "no-done", "gzip,times:all"),
        "ping:all,glue,members,unknown:all,crlf,chunks:5,times:all",
        "crlf,chunks:3,event:{middle},end",
        "ping:all,event:{middle},rst/glue",
        "unknown:all,event:{after_middle},rst/members,crlf",
    ),
)
BROKEN = CaseKind(
    name="broken",
    about="a frame with broken JSON, a stream without its completion",
    plans=chain_plans(
        at("no-completion", "no-completion,no-done"),
        lambda shape: (f"garble:{n}" for n in range(2, shape.completion)),
    ),
)
ERRORS = CaseKind(
    name="errors",
    about="an error event, with or without an id, or bare JSON, then the end",
    plans=at_each(
        "error:{n},event:{after},end", "error:{n}+id,event:{after},rst", "error:{n}+id,event:{after},end",
        "bare-error:{n}",
    ),
)  # fmt: skip
STATUSES = CaseKind(
    name="statuses",
    about="429, 503, 500, 400 instead of a stream, with and without `Retry-After`",
    plans=at(*_STATUSES),
)
OUTAGES = CaseKind(
    name="outages",
    about="the service is away for several connections, with and without Retry-After",
    plans=at(
        "before-headers,rst,times:3", "event:{middle},rst/before-headers,fin,times:3",
        "event:{middle},end/event:0,end,times:3", "event:{middle},rst/status:503,times:3",
        "event:{middle},rst/status:503,retry-after:2,times:3", "status:429,retry-after:30",
    ),
)  # fmt: skip
LATE = CaseKind(name="late", about="the completion arrives late", plans=at("late:0.2"))
PAIRS = CaseKind(
    name="pairs",
    about="two drops, at every pair of events",
    plans=lambda shape: (
        f"event:{first},rst/event:{second},end"
        for first in range(2, shape.completion + 1)
        for second in range(1, shape.completion - first + 1)
    ),
)
STALLS = CaseKind(
    name="stalls",
    about="the connection stays open and silent, also after the completion",
    plans=at("event:{middle},stall", "event:{after_last},stall", "event:{middle}+20,stall"),
)
BYTES = CaseKind(
    name="bytes",
    about="a drop after every byte",
    plans=lambda shape: _cross(every_byte(shape.body), ("end", "rst")),
)

ALL_OF_INSIDE = INSIDE.only(_list_inside("end"))
ALL_OF_TORN = TORN.only(_list_inside("rst", "fin"))
MORE_STATUSES = STATUSES.only(at(*_MORE_STATUSES))
MORE_LATE = LATE.only(at("late:0.2", "late:2", "late:4"))
FEW_CLEAN_ENDS = CLEAN_END.only(chain_plans(at_each("event:{n},end"), at("event:0,end")))
FEW_RESETS = RESET.only(chain_plans(at_each("event:{n},rst"), at("event:0,rst")))
FEW_INSIDE = INSIDE.only(at_each("event:{n}+40,end"))
FEW_NO_IDS = NO_IDS.only(at_each("event:{n},rst")).first(3)
FEW_ODD_IDS = ODD_IDS.only(at("event:{late},rst"))
FEW_INCLUSIVE = INCLUSIVE.only(at_content("event:{n},end"))
FEW_TWICE = TWICE.only(at_content("dup:{n}"))
FEW_BROKEN = BROKEN.only(at("no-completion", "no-completion,no-done", "garble:{late}"))


# The kinds of cases for clients that poll, do several turns, or cancel: what can happen to their calls.


_LOST_POLLS = (
    "before-headers,rst", "headers,fin", "byte:0,end", "byte:60,end", "byte:60,rst", "byte:60,short-length",
)  # fmt: skip

_CANCELS_IN_DROPS = ("before-headers,rst", "headers,fin", HINTED[1])

LOST_POLLS = CaseKind(
    name="lost-polls",
    about="the response to a poll is lost or truncated",
    plans=at(*(plan for cut in _LOST_POLLS for plan in (f"calls={cut}", f"calls=pass/{cut}"))),
)
REFUSED_POLLS = CaseKind(
    name="refused-polls",
    about="a poll returns 429, 408 or 5xx, with and without `Retry-After`",
    plans=at(
        *(f"calls=pass/{status}" for status in HINTED),
        *(f"calls=pass/status:{code}" for code in (500, 502, 503, 504, 429, 408)),
        "calls=pass/status:503,times:2",
    ),
)
UNKNOWN_AT_FIRST = CaseKind(
    name="unknown-at-first",
    about="the new interaction is not found (404) for a moment",
    plans=at("calls=pass/status:404", "calls=pass/status:404,times:2"),
)
FURTHER_DROPS = CaseKind(
    name="further-drops",
    about="the stream of the further turn is dropped",
    plans=in_further(
        chain_plans(at_each("pass/event:{n},end", "pass/event:{n},rst"), at("pass/event:{middle}+40,end"))
    ),
)
LOST_ANSWERS = CaseKind(
    name="lost-answers",
    about="the further turn took effect, but its response is lost or late",
    plans=at(
        *("creates=pass/before-headers,rst", "creates=pass/headers,rst", "creates=pass/byte:0,end"),
        *("creates=pass/byte:40,rst", "creates=pass/late:0.2"),
        "streams=event:{middle},rst/creates=pass/before-headers,rst",
    ),
)
REFUSED_ANSWERS = CaseKind(
    name="refused-answers",
    about="the further turn is rejected: 429, 503, 500, 400",
    plans=at(*(f"creates=pass/{status}" for status in (*HINTED, "status:500", "status:400,times:all"))),
)
DOUBLED_ANSWERS = CaseKind(
    name="doubled-answers",
    about="events of either turn arrive twice, with the same id",
    plans=chain_plans(at_content("dup:{n}"), in_further(at_content("pass/dup:{n}"))),
    event_ids=("all",),
)
LOST_CANCELS = CaseKind(
    name="lost-cancels",
    about="the response to the cancel is lost or truncated",
    plans=at(*(f"calls={cut}" for cut in ("before-headers,rst", "headers,fin", "byte:0,end", "byte:40,rst"))),
)
REFUSED_CANCELS = CaseKind(
    name="refused-cancels",
    about="the cancel first returns 429, 503 or 500",
    plans=at(*(f"calls={status}" for status in (*HINTED, "status:500", "status:503,times:2"))),
)
DROPS_BEFORE_CANCEL = CaseKind(
    name="drops-before-cancel",
    about="the stream is dropped before or during the cancel",
    plans=at(*(f"event:{n},{ending}" for n in (0, 2, 3, 5) for ending in ("end", "rst"))),
)
CANCELS_IN_DROPS = CaseKind(
    name="cancels-in-drops",
    about="the stream is dropped, and the response to the cancel is truncated or first rejected",
    plans=at(
        *(f"streams=event:3,{ending}/cancels={cut}" for ending in ("end", "rst") for cut in _CANCELS_IN_DROPS),
        "streams=before-headers,rst/cancels=before-headers,rst",
    ),
)
