"""The judges of the checks on replaying and resuming finished runs, on hand-made exchanges."""

from __future__ import annotations

from harness.checks.areas.resume import Resumed
from harness.wire import By, Chunked, Ending, ExchangeBuilder, Headers, How, Request
from tests.checks._play import CRASH, DEAD, REFUSED, answer, case, interaction, judge, judged, refusal, stream_of
from tests.checks._streams import DONE, event, numbered, resumed, streamed, text_events

# --- replaying and resuming finished runs, on hand-made exchanges

EVENTS = numbered(text_events("He", "llo ", "world"))
FIRST = streamed(EVENTS)
NAMELESS = streamed(EVENTS[2:4])
OTHER_IDS = streamed([{**one, "event_id": one["event_id"] + "x"} for one in EVENTS])
RESPLIT = numbered(text_events("Hel", "lo wor", "ld"))
UNENDED = streamed(EVENTS[:-1])
JSON = answer(body=interaction())


def rests(*, skip=0, again=0, other=None):
    """Resume after every event but the last; each begins `skip` events too late or `again` events too early."""
    return [
        Resumed(f"ev{at}", at, other or resumed(EVENTS[max(at + 1 + skip - again, 0) :]))
        for at in range(1, len(EVENTS) - 1)
    ]


def second(begins):
    """A stream resumed after the second event of a stream that was resumed itself, which brought `EVENTS[2:]`."""
    return Resumed("ev3", 1, resumed(EVENTS[begins:]), tuple(EVENTS[2:]))


RIGHT = {"events": EVENTS, "rests": rests()}
SPLIT_AT_6 = {"events": EVENTS, "rests": [Resumed("ev5", 5, streamed(RESPLIT[6:]))]}

CASES = [
    case("resume.opens", "met", "both", first=FIRST, replay=FIRST),
    case("resume.opens", "not_met", "JSON", first=FIRST, replay=JSON),
    case("resume.opens", "not_met", "refused", first=REFUSED, replay=FIRST),
    case("resume.opens", "not_met", "dead", first=DEAD, replay=FIRST),
    case("resume.same-id", "untestable", "no stream", asked_for="v1_one", first=JSON, replay=FIRST),
    case("resume.same-id", "untestable", "named nowhere", asked_for="v1_one", first=NAMELESS, replay=NAMELESS),
    case("resume.same-id", "not_met", "another", asked_for="v1_two", first=FIRST, replay=FIRST),
    case("resume.replay", "non_strict", "split differently", first=FIRST, replay=streamed(RESPLIT)),
    case("resume.replay", "not_met", "JSON", first=FIRST, replay=JSON),
    case("resume.replay", "not_met", "empty", first=FIRST, replay=streamed([])),
    case("resume.replay", "untestable", "never streamed", first=JSON, replay=JSON),
    case("resume.no-gap", "met", "nothing missing", **{"replay": FIRST, **RIGHT}),
    case("resume.no-gap", "met", "one too many", replay=FIRST, events=EVENTS, rests=rests(again=1)),
    case("resume.no-gap", "met", "split differently", replay=FIRST, **SPLIT_AT_6),
    case("resume.no-gap", "not_met", "one skipped", replay=FIRST, events=EVENTS, rests=rests(skip=1)),
    case("resume.no-gap", "not_met", "again after one", replay=FIRST, events=EVENTS, rests=[second(5)]),
    case("resume.exclusive", "met", "the rest after a second cursor", events=EVENTS, rests=[second(4)]),
    case("resume.exclusive", "not_met", "much again after a second cursor", events=EVENTS, rests=[second(2)]),
    case("resume.no-gap", "not_met", "empty", replay=FIRST, events=EVENTS, rests=rests(other=stream_of(DONE))),
    case("resume.no-gap", "not_met", "JSON", replay=FIRST, events=EVENTS, rests=rests(other=JSON)),
    case("resume.no-gap", "not_met", "one dead", replay=FIRST, events=EVENTS, rests=[
        *rests(), Resumed("ev1", 1, DEAD)]),
    case("resume.exclusive", "met", "a gap is another rule's", events=EVENTS, rests=rests(skip=1)),
    case("resume.exclusive", "not_met", "the boundary once more, a delta", events=EVENTS, rests=rests(again=1)),
    case("resume.exclusive", "non_strict", "split differently", **SPLIT_AT_6),
    case("resume.exclusive", "not_met", "two events again", events=EVENTS, rests=rests(again=2)),
    case("resume.exclusive", "not_met", "all of it", events=EVENTS, rests=rests(other=FIRST)),
    case("resume.exclusive", "not_met", "refused", events=EVENTS, rests=rests(other=REFUSED)),
    case("resume.ids-stable", "not_met", "new ones in the first reading", first=OTHER_IDS, **RIGHT),
    case("resume.finished", "met", "completed", rests=rests()),
    case("resume.finished", "not_met", "never", rests=rests(other=streamed(EVENTS[4:-1]))),
    case("resume.finished", "untestable", "JSON", rests=rests(other=JSON)),
    case("resume.well-formed", "met", "all of them", replay=FIRST, rests=rests()),
    case("resume.well-formed", "met", "as the whole", replay=UNENDED, rests=rests(other=UNENDED)),
    case("resume.well-formed", "not_met", "no type", replay=FIRST, rests=rests(other=resumed([{}, *EVENTS[6:]]))),
    case("resume.well-formed", "not_met", "half a frame first", replay=FIRST, rests=rests(other=answer(
        200, b'ex": 1}\n\n' + FIRST.body, label="text/event-stream"
    ))),
    case("resume.well-formed", "not_met", "[DONE] too early", replay=FIRST,
         rests=rests(other=stream_of(DONE, EVENTS[-1]))),
]  # fmt: skip


def test_a_cut_is_noted_beside_what_it_lost():
    """If the connection drops during a resume, a finding says so, so that the loss is not blamed on the cursor."""
    half = stream_of(*EVENTS[4:6])
    cut = answer(200, half.body, label="text/event-stream", ending=Ending(By.SERVER, How.FIN))
    found = judge("resume.no-gap", replay=FIRST, events=EVENTS, rests=[Resumed("ev3", 3, cut)]).findings
    assert any("was truncated" in finding.message for finding in found)


# --- unusual cursors, on hand-made exchanges

ERROR = event("error", error={"code": "not_found", "message": "No such event."})
PLAIN = [Resumed("ev3", 3, streamed(EVENTS[4:]))]


def hanging(seconds):
    """A stream that sends nothing until the reader gives up."""
    recorder = ExchangeBuilder(Request("GET", "/v1beta/interactions/x?stream=true"))
    recorder.head(200, Headers((("content-type", "text/event-stream"),)), Chunked())
    return judged(recorder.finish(Ending(By.LIMIT, How.TIMEOUT), seconds))


def encoded(exchange, at=3):
    """A resume whose cursor is percent-encoded."""
    return Resumed(f"ev{at}", at, exchange)


CASES += [
    case("resume.encoded", "met", "the same", rests=PLAIN, encoded=encoded(streamed(EVENTS[4:]))),
    case("resume.encoded", "not_met", "from the start", rests=PLAIN, encoded=encoded(FIRST)),
    case("resume.encoded", "not_met", "refused", rests=PLAIN, encoded=encoded(REFUSED)),
    case("resume.encoded", "not_met", "JSON", rests=PLAIN, encoded=encoded(JSON)),
    case("resume.ends", "met", "completed again", rests=PLAIN, last=streamed(EVENTS[-1:])),
    case("resume.ends", "met", "refused", rests=PLAIN, last=REFUSED),
    case("resume.ends", "not_met", "never", rests=PLAIN, last=hanging(5.0)),
    case("resume.ends", "untestable", "slow like the others", rests=PLAIN, last=hanging(0.15)),
    case("resume.last", "met", "empty", last=answer(200, b"", label="text/event-stream")),
    case("resume.last", "met", "completed again", last=streamed(EVENTS[-1:])),
    case("resume.last", "not_met", "all of it", last=FIRST),
    case("resume.last", "not_met", "crash", last=CRASH),
    case("resume.last", "not_met", "JSON", last=JSON),
    case("resume.bad-cursor", "met", "reported", first=FIRST, bad_cursor=streamed([ERROR])),
    case("resume.bad-cursor", "met", "all of it", first=FIRST, bad_cursor=FIRST),
    case("resume.bad-cursor", "not_met", "crash", first=FIRST, bad_cursor=CRASH),
    case("resume.bad-cursor", "not_met", "JSON", first=FIRST, bad_cursor=JSON),
    case("resume.unknown", "non_strict", "403", streamed=refusal(403)),
]
