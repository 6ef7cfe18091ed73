"""The judges of the checks on unusual cursors, on hand-made exchanges."""

from __future__ import annotations

from harness.checks.areas.streams.resume import Resumed
from tests.checks._play import answer, case, interaction, refusal, stream_of
from tests.checks._streams import DONE, event, numbered, streamed, text_events

EVENTS = numbered(text_events("He", "llo ", "world"))
FIRST = streamed(EVENTS)
JSON = answer(body=interaction())
REFUSED = refusal(400)
CRASH = refusal(500)
ERROR = event("error", error={"code": "not_found", "message": "No such event."})
PLAIN = [Resumed("ev3", 3, streamed(EVENTS[4:]))]


def encoded(exchange, at=3):
    """A resume whose cursor is percent-encoded."""
    return Resumed(f"ev{at}", at, exchange)


CASES = [
    case("resume.encoded", "met", "the same", rests=PLAIN, encoded=encoded(streamed(EVENTS[4:]))),
    case("resume.encoded", "not_met", "from the start", rests=PLAIN, encoded=encoded(FIRST)),
    case("resume.encoded", "not_met", "refused", rests=PLAIN, encoded=encoded(REFUSED)),
    case("resume.encoded", "not_met", "JSON", rests=PLAIN, encoded=encoded(JSON)),
    case("resume.last", "met", "[DONE]", last=stream_of(DONE)),
    case("resume.last", "met", "empty", last=answer(200, b"", label="text/event-stream")),
    case("resume.last", "met", "completed again", last=streamed(EVENTS[-1:])),
    case("resume.last", "met", "refused", last=REFUSED),
    case("resume.last", "not_met", "all of it", last=FIRST),
    case("resume.last", "not_met", "completed twice", last=streamed([EVENTS[-1], EVENTS[-1]])),
    case("resume.last", "not_met", "crash", last=CRASH),
    case("resume.last", "not_met", "JSON", last=JSON),
    case("resume.bad-cursor", "met", "refused", first=FIRST, bad_cursor=REFUSED),
    case("resume.bad-cursor", "met", "reported", first=FIRST, bad_cursor=streamed([ERROR])),
    case("resume.bad-cursor", "met", "all of it", first=FIRST, bad_cursor=FIRST),
    case("resume.bad-cursor", "not_met", "nothing", first=FIRST, bad_cursor=stream_of(DONE)),
    case("resume.bad-cursor", "not_met", "crash", first=FIRST, bad_cursor=CRASH),
    case("resume.bad-cursor", "not_met", "JSON", first=FIRST, bad_cursor=JSON),
    case("resume.unknown", "met", "404", answer=refusal(404)),
    case("resume.unknown", "met", "reported", answer=streamed([ERROR])),
    case("resume.unknown", "non_strict", "403", answer=refusal(403)),
    case("resume.unknown", "not_met", "an empty stream", answer=stream_of(DONE)),
    case("resume.unknown", "not_met", "JSON", answer=JSON),
    case("resume.unknown", "not_met", "crash", answer=CRASH),
]
