"""What a page is told of the traffic, in which bounds, and that nothing is attached while no page is open."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest

from harness.inspector.seen_exchange import Listener
from harness.inspector.traffic import SeenTraffic
from harness.interactions import INTERACTIONS
from harness.wire import COMPLETE, Chunk, Chunked, Headers, Pause, Request
from harness.wire.observed_body import ObservedBody
from tests.inspector.conftest import KEYED, SECRET, Bench

STREAM = Headers((("content-type", "text/event-stream"),))


def test_nothing_is_attached_while_no_page_is_open(bench: Bench) -> None:
    """Without a page, the answer has the very body that the service gave; only a counter knows of the request."""
    given = []
    service = bench.inspector.around(lambda request: given.append(bench.faulty(request)) or given[-1])
    response = service(Request("POST", "/v1beta/interactions", KEYED, b'{"model":"gemini-3.5-flash","input":"x"}'))
    assert response is given[0]
    assert not isinstance(response.body, ObservedBody)
    assert (bench.inspector.traffic.unseen, bench.inspector.traffic.all()) == (1, [])


def test_a_page_that_has_gone_costs_nothing_any_more(bench: Bench) -> None:
    """When the last page closes, answers are observed no longer, and what was seen is still there for the next."""
    page = bench.open()
    bench.create()
    page.feed.close()
    bench.create()
    assert not bench.inspector.traffic.is_open
    again = bench.open()
    assert [change["unseen"] for change in again.all("hello")] == [1]
    assert len(again.all("request")) == 1


def test_with_ahead_what_comes_before_the_page_is_seen(new_bench: Callable[..., Bench]) -> None:
    """`ahead` observes before the first page is there, and stops with it."""
    bench = new_bench(ahead=True)
    bench.create()
    page = bench.open()
    assert len(page.all("request")) == 1
    page.feed.close()
    assert not bench.inspector.traffic.is_open


def test_a_stream_is_told_event_by_event(bench: Bench) -> None:
    """A streamed create is told as request, head, each event with its look, the run's statuses and the end."""
    page = bench.open()
    bench.create(stream=True)
    looks = [change["look"] for change in page.all("event")]
    assert looks[0] == looks[-2] == "edge"
    assert looks[-1] == "done"
    assert {"step", "delta"} <= set(looks)
    assert [change["words"] for change in page.all("request")] == ["Say hi."]
    assert [status for status, _ in page.all("run")[-1]["statuses"]] == ["in_progress", "completed"]
    assert page.all("end")[0]["complete"]


def test_a_resume_begins_under_the_cut(bench: Bench) -> None:
    """A dropped stream is told with the fault that fired; the resume with the column at which it goes on."""
    page = bench.open()
    name = json.loads(bench.create(background=True).body)["id"]
    bench.control("POST", "faults", {"plan": "event:8,rst"})
    assert page.all("state")[-1]["plan"] == "event:8,rst"
    bench.send("GET", f"/v1beta/interactions/{name}?stream=true")
    end = page.all("end")[-1]
    assert (end["complete"], end["how"], end["planned"]) == (False, "rst", "event:8,rst")
    cursor = page.all("event")[-1]["cursor"]
    bench.send("GET", f"/v1beta/interactions/{name}?stream=true&last_event_id={quote(cursor, safe='')}")
    resumed = page.all("request")[-1]
    assert (resumed["after"], resumed["column"], resumed["run"]) == (2, 8, name)
    assert page.all("state")[-1]["counted"] == 2
    assert page.all("findings") == []


def test_a_finding_stands_at_its_event(new_bench: Callable[..., Bench]) -> None:
    """A stream that breaks the contract is told with rule, level, source and the number of the event."""
    bench = new_bench("delta-before-start")
    page = bench.open()
    bench.create(stream=True)
    (told,) = page.all("findings")
    finding = told["findings"][0]
    assert finding["rule"].startswith("stream.")
    assert page.all("event")[finding["event"]]["look"] == "delta"
    assert finding["level"]
    assert finding["source"]


def test_what_several_answers_show_is_found(new_bench: Callable[..., Bench]) -> None:
    """A resume that lacks an event is found when the result is read: the streamed text is not the stored one."""
    bench = new_bench("resume-skips-one")
    page = bench.open()
    name = json.loads(bench.create(background=True).body)["id"]
    bench.control("POST", "faults", {"plan": "event:8,rst"})
    bench.send("GET", f"/v1beta/interactions/{name}?stream=true")
    cursor = quote(page.all("event")[-1]["cursor"], safe="")
    bench.send("GET", f"/v1beta/interactions/{name}?stream=true&last_event_id={cursor}")
    bench.send("GET", f"/v1beta/interactions/{name}")
    (told,) = page.all("findings")
    (finding,) = told["findings"]
    assert (finding["rule"], told["n"], finding["shown_by"]) == ("stream.text", 3, 4)


def test_a_missing_event_has_its_place_when_the_stream_is_read_again(new_bench: Callable[..., Bench]) -> None:
    """A whole stream that comes later moves the events of the resume, and the finding stands at the resume."""
    bench = new_bench("resume-skips-one")
    page = bench.open()
    name = json.loads(bench.create(background=True).body)["id"]
    bench.control("POST", "faults", {"plan": "event:8,rst"})
    bench.send("GET", f"/v1beta/interactions/{name}?stream=true")
    cursor = quote(page.all("event")[-1]["cursor"], safe="")
    bench.send("GET", f"/v1beta/interactions/{name}?stream=true&last_event_id={cursor}")
    assert [event["c"] for event in page.all("event") if event["n"] == 3][:2] == [8, 9], "nobody knows better"
    bench.send("GET", f"/v1beta/interactions/{name}?stream=true")
    (moved,) = page.all("columns")
    assert (moved["n"], moved["columns"]) == (3, [9, 10, 11, 12, 13])
    (told,) = page.all("findings")
    assert (told["n"], told["findings"][0]["event"], told["findings"][0]["shown_by"]) == (3, 0, 4)
    late = bench.open()
    assert [event["c"] for event in late.all("event") if event["n"] == 3] == moved["columns"]


def test_a_status_does_not_go_back_because_a_stream_is_read_again(bench: Bench) -> None:
    """A replayed stream begins with in_progress, and the run stays completed."""
    page = bench.open()
    name = json.loads(bench.create(background=True).body)["id"]
    for _ in range(2):
        bench.send("GET", f"/v1beta/interactions/{name}?stream=true")
    assert [status for status, _ in page.all("run")[-1]["statuses"]] == ["in_progress", "completed"]


def test_a_refused_client_is_no_finding(bench: Bench) -> None:
    """What a client does wrong is no defect of the server, and the page says what the server said."""
    page = bench.open()
    bench.create(contents="x")
    bench.create(previous_interaction_id="v1_nowhere")
    bench.send("GET", "/v1beta/interactions/v1_nowhere")
    bench.send("DELETE", "/v1beta/interactions/v1_nowhere")
    assert page.all("findings") == []
    assert all(end["error"] for end in page.all("end"))


def test_an_honest_emulator_has_no_findings(bench: Bench) -> None:
    """A whole conversation, with polls, a cancel, a delete and a chain, is told without a finding."""
    page = bench.open()
    first = json.loads(bench.create().body)["id"]
    bench.create(previous_interaction_id=first)
    name = json.loads(bench.create(background=True).body)["id"]
    for _ in range(3):
        bench.send("GET", f"/v1beta/interactions/{name}")
    other = json.loads(bench.create(background=True).body)["id"]
    bench.send("POST", f"/v1beta/interactions/{other}/cancel")
    bench.send("GET", f"/v1beta/interactions/{other}?stream=true")
    bench.send("DELETE", f"/v1beta/interactions/{first}")
    bench.send("GET", f"/v1beta/interactions/{first}")
    assert page.all("findings") == []
    assert [change["parent"] for change in page.all("run") if change["parent"]] == [first] * 1


def test_no_secret_reaches_a_page(bench: Bench) -> None:
    """A key in a header, a query, a body, an id or an event's text is told and shown nowhere."""
    page = bench.open()
    bench.create(input=f"my key is {SECRET}", stream=True)
    bench.send("GET", f"/v1beta/interactions/{SECRET}?key={SECRET}&stream=true&last_event_id={SECRET}")
    page.all("end")
    events = len(page.all("event"))
    shown = [page.changes, *(bench.ask(f"exchanges/{number}") for number in (1, 2))]
    shown += [bench.ask(f"exchanges/1/{number}") for number in range(events)]
    shown += [bench.ask(f"exchanges/1/{form}") for form in ("pytest", "scenario")]
    shown.append(bench.send("GET", "/__harness__/inspector/cassette").body.decode())
    assert len(json.dumps(shown)) > 2000
    assert SECRET not in json.dumps(shown)


def test_a_coded_answer_is_told_decoded() -> None:
    """What a tap saw as it was coded is told decoded, and a broken coding does no harm."""
    traffic = SeenTraffic(INTERACTIONS)
    coded = gzip.compress(b'data: {"event_type":"x"}\n\n' * 3)
    headers = Headers((*STREAM, ("content-encoding", "gzip")))
    for wire in (coded, b"\x1f\x8b no gzip"):
        seen = traffic.begin(Request("GET", "/v1beta/interactions/x?stream=true"))
        seen.note_head(200, headers, Chunked())
        for at in range(0, len(wire), 7):
            seen.note_chunk(Chunk(wire[at : at + 7]))
        seen.note_end(COMPLETE)
    whole, broken = traffic.all()
    assert [event.name for event in whole.events] == ["x"] * 3
    assert whole.exchange is not None
    assert "content-encoding" not in whole.exchange.headers
    assert broken.events == []


def _pass(traffic: SeenTraffic, chunks: int = 1, data: bytes = b'data: {"a":1}\n\n', *, end: bool = True) -> None:
    seen = traffic.begin(Request("GET", "/v1beta/interactions/x?stream=true"))
    seen.note_head(200, STREAM, Chunked())
    for _ in range(chunks):
        seen.note_chunk(Chunk(data))
    if end:
        seen.note_end(COMPLETE)


def test_the_number_of_requests_is_bounded() -> None:
    """Beyond the bound the oldest go, also those that never end, and the page is told how many."""
    traffic = SeenTraffic(INTERACTIONS, requests=10)
    listener = traffic.listen()
    for number in range(25):
        _pass(traffic, end=number % 2 == 0)
    assert [seen.number for seen in traffic.all()] == list(range(16, 26))
    assert traffic.dropped == 15
    assert [change["total"] for change in listener.take() or () if change["is"] == "dropped"] == list(range(1, 16))
    taken = list(iter(traffic.take_ended, None))
    assert 0 < len(taken) <= 10


def test_whoever_serves_only_takes_notes() -> None:
    """With a page open, what goes out is taken apart when the page looks, in the order in which it went out."""
    traffic = SeenTraffic(INTERACTIONS)
    listener = traffic.listen()
    first, second = (traffic.begin(Request("GET", f"/v1beta/interactions/{name}?stream=true")) for name in "ab")
    for seen in (first, second):
        seen.note_head(200, STREAM, Chunked())
    for seen in (first, second, first):
        seen.note_chunk(Chunk(b'data: {"a":1}\n\n'))
    assert "event" not in {change["is"] for change in listener.take() or ()}
    traffic.catch_up()
    told = [change["n"] for change in listener.take() or () if change["is"] == "event"]
    assert told == [first.number, second.number, first.number]


def test_a_flood_of_events_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """If nobody looks for long, the oldest answers are forgotten unread, and the newest is read as it goes out."""
    monkeypatch.setattr("harness.inspector.traffic.MOST_NOTES", 30)
    traffic = SeenTraffic(INTERACTIONS)
    listener = traffic.listen()
    for _ in range(10):
        _pass(traffic, 9)
    assert [change["n"] for change in listener.take() or () if change["is"] == "dropped"] == list(range(1, 8))
    _pass(traffic, 100)
    assert len(traffic.all()[-1].events) == 100
    monkeypatch.setattr("harness.inspector.traffic.MOST_NOTE_BYTES", 1000)
    _pass(traffic, 3, b"data: " + b"x" * 600 + b"\n\n")
    assert len(traffic.all()[-1].events) == 3


def test_what_nobody_judged_is_missing_from_the_history(bench: Bench) -> None:
    """A cancel that was forgotten unread must not make the cancelled run that GET shows a finding."""
    page = bench.open()
    named = json.loads(bench.create(background=True).body)["id"]
    page.read()
    bench.send("POST", f"/v1beta/interactions/{named}/cancel")
    traffic = bench.inspector.traffic
    traffic._forget(traffic.all()[-1])
    bench.send("GET", f"/v1beta/interactions/{named}")
    assert page.all("findings") == []
    assert traffic.missed == 1


def test_a_page_takes_a_fifth_of_the_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """The feed rests four times as long as it worked, at least a twentieth of a second and at most a whole one."""
    page = bench.open()
    for seconds, rest in ((0.0, 0.05), (0.1, 0.4), (60.0, 1.0)):
        times = iter((0.0, seconds))
        monkeypatch.setattr("harness.inspector.feed.monotonic", lambda times=times: next(times))
        assert next(page.feed) == Pause(rest)


def test_the_number_of_events_is_bounded() -> None:
    """Many short streams push each other out; an endless one keeps its first events and counts the rest."""
    traffic = SeenTraffic(INTERACTIONS, events=50)
    for _ in range(20):
        _pass(traffic, 10)
    assert sum(len(seen.events) for seen in traffic.all()) <= 50
    _pass(traffic, 80)
    (seen,) = traffic.all()
    assert (len(seen.events), seen.more_events) == (50, 30)


def test_the_bytes_are_bounded() -> None:
    """Large answers push each other out before their number does."""
    traffic = SeenTraffic(INTERACTIONS, size=100_000)
    for _ in range(20):
        _pass(traffic, 3, b"data: " + b"x" * 10_000 + b"\n\n")
    assert len(traffic.all()) == 3


def test_a_page_that_does_not_read_is_told_everything_again(bench: Bench) -> None:
    """A page that is too slow loses its queue: its next look brings all that is kept, from the start."""
    page = bench.open()
    listener = page.feed._listener  # type: ignore[attr-defined]
    listener._most = 5
    for _ in range(3):
        bench.create(stream=True)
    told = page.read()
    assert [told[0]["is"], told[-1]["is"]] == ["hello", "ready"]
    assert sum(change["is"] == "request" for change in told) == 3


def test_a_queue_is_bounded() -> None:
    """A queue that is full is emptied and says so once."""
    listener = Listener(3)
    for number in range(5):
        listener.add({"is": "event", "n": number})
    assert listener.take() is None
    assert listener.take() == []


def test_a_cleared_journal_forgets_what_still_flows(bench: Bench) -> None:
    """After a clear, what an old stream still brings is not told: the page would not know of which."""
    page = bench.open()
    seen = bench.inspector.traffic.begin(Request("GET", "/v1beta/interactions/x?stream=true"))
    bench.send("POST", "/__harness__/inspector/clear", {})
    seen.note_head(200, STREAM, Chunked())
    seen.note_chunk(Chunk(b'data: {"a":1}\n\n'))
    seen.note_end(COMPLETE)
    page.read()
    assert page.changes[-1]["is"] == "cleared"
