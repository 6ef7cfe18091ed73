"""The judges of the checks on asking for and receiving a stream, on hand-made exchanges."""

from __future__ import annotations

from array import array
from dataclasses import replace

from harness.wire import Arrivals, Exchange
from tests.checks._play import answer, case, interaction, refusal, shows
from tests.checks._streams import event, streamed, text_events

GOOD = text_events("He", "llo")
JSON = answer(body=interaction())
SLOW = replace(JSON, seconds=0.5)
DEAD = answer(None)
RUNNING = shows("in_progress")
ERROR = event("error", error={"code": "deadline_exceeded", "message": "Too late."})


def came(*moments: float) -> Exchange:
    """A stream whose body came in equal pieces, after so many seconds."""
    stream = streamed(GOOD)
    size = -(-stream.size // len(moments))
    pieces = Arrivals(array("Q", [size] * len(moments)), array("d", moments), len(moments))
    return replace(stream, arrivals=pieces, seconds=moments[-1], notes=dict(stream.notes))


CASES = [
    case("stream.incremental", "met", "in progress at the first event", slow=came(0.1), looked=RUNNING),
    case("stream.incremental", "met", "one after the other", slow=came(0.1, 2.0), looked=None),
    case("stream.incremental", "untestable", "over at once", slow=came(0.1, 0.11), looked=JSON),
    case("stream.incremental", "untestable", "no stream", slow=JSON, looked=None),
    case("stream.incremental", "untestable", "all is slow", slow=came(2.0, 2.1), looked=SLOW),
    case("stream.incremental", "not_met", "all at the end", slow=came(2.0, 2.1), looked=JSON),
    case("stream.incremental", "not_met", "in one piece", slow=came(2.0), looked=JSON),
    case("stream.alt-sse", "met", "a stream", streamed=streamed(GOOD)),
    case("stream.alt-sse", "not_met", "refused", streamed=refusal(400)),
    case("stream.alt-sse", "not_met", "JSON", streamed=JSON),
    case("stream.error-shape", "met", "reported", failing=streamed([*GOOD[:3], ERROR])),
    case("stream.error-shape", "met", "no details", failing=streamed([*GOOD[:3], event("error")])),
    case("stream.error-shape", "not_met", "no object", failing=streamed([
        *GOOD[:3], event("error", error="late")
    ])),
    case("stream.error-shape", "not_met", "a number", failing=streamed([
        *GOOD[:3], event("error", error={"code": 504, "message": "Too late."})
    ])),
    case("stream.error-shape", "not_met", "silence", failing=streamed(GOOD[:3])),
    case("stream.hangup", "met", "both well", after=JSON, looked=JSON),
    case("stream.hangup", "non_strict", "gone", after=JSON, looked=refusal(404)),
    case("stream.hangup", "met", "no id", after=JSON, looked=None),
    case("stream.hangup", "not_met", "the next call fails", after=refusal(500), looked=JSON),
    case("stream.hangup", "not_met", "the next call is too much", after=refusal(503), looked=JSON),
    case("stream.hangup", "not_met", "the server is gone", after=DEAD, looked=None),
    case("stream.hangup", "not_met", "reading fails", after=JSON, looked=refusal(500)),
]  # fmt: skip
