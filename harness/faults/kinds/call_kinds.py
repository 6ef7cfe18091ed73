"""The kinds of cases for clients that poll, do several turns, or cancel: what can happen to their calls.

Layer 1.
"""

from __future__ import annotations

from harness.faults.kinds.case_kind import CaseKind, at, at_each, chain_plans, in_further
from harness.faults.kinds.stream_kinds import HINTED

_LOST_POLLS = (
    "before-headers,rst", "headers,fin", "byte:0,end", "byte:60,end", "byte:60,rst", "byte:60,short-length",
)  # fmt: skip

_CANCELS_IN_DROPS = ("before-headers,rst", "headers,fin", HINTED[1])

LOST_POLLS = CaseKind(
    name="lost-polls",
    about="the answer to a poll is lost, or breaks off in the middle",
    plans=at(*(plan for cut in _LOST_POLLS for plan in (f"calls={cut}", f"calls=pass/{cut}"))),
)
REFUSED_POLLS = CaseKind(
    name="refused-polls",
    about="a poll is answered 429, 408 or 5xx, with and without a hint",
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
    about="the stream of the further turn breaks off",
    plans=in_further(
        chain_plans(at_each("pass/event:{n},end", "pass/event:{n},rst"), at("pass/event:{middle}+40,end"))
    ),
)
LOST_ANSWERS = CaseKind(
    name="lost-answers",
    about="the further turn took effect, and its answer is lost, or comes late",
    plans=at(
        *("pass/before-headers,rst", "pass/headers,rst", "pass/byte:0,end", "pass/event:0,rst", "pass/late:0.2"),
        "event:{middle},rst/pass/before-headers,rst",
    ),
)
REFUSED_ANSWERS = CaseKind(
    name="refused-answers",
    about="the further turn is refused: 429, 503, 500, 400",
    plans=at(*(f"pass/{status}" for status in (*HINTED, "status:500", "status:400,times:all"))),
)
DOUBLED_ANSWERS = CaseKind(
    name="doubled-answers",
    about="events of either turn come twice, with the same id",
    plans=chain_plans(at_each("dup:{n}"), in_further(at_each("pass/dup:{n}"))),
    event_ids=("all",),
)
LOST_CANCELS = CaseKind(
    name="lost-cancels",
    about="the answer to the cancel is lost, or breaks off",
    plans=at(*(f"calls={cut}" for cut in ("before-headers,rst", "headers,fin", "byte:0,end", "byte:40,rst"))),
)
REFUSED_CANCELS = CaseKind(
    name="refused-cancels",
    about="the cancel is answered 429, 503 or 500 first",
    plans=at(*(f"calls={status}" for status in (*HINTED, "status:500", "status:503,times:2"))),
)
DROPS_BEFORE_CANCEL = CaseKind(
    name="drops-before-cancel",
    about="the stream breaks off before or while the client cancels",
    plans=at(*(f"event:{n},{ending}" for n in (0, 2, 3, 5) for ending in ("end", "rst"))),
)
CANCELS_IN_DROPS = CaseKind(
    name="cancels-in-drops",
    about="the stream breaks off, and so does the answer to the cancel, or it is refused first",
    plans=at(
        *(f"streams=event:3,{ending}/cancels={cut}" for ending in ("end", "rst") for cut in _CANCELS_IN_DROPS),
        "streams=before-headers,rst/cancels=before-headers,rst",
    ),
)
