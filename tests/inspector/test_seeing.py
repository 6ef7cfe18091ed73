"""What a page is told of the traffic, in which bounds, and that nothing is attached while no page is open."""

from __future__ import annotations

import gzip
import json
from array import array
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from msgspec.structs import replace

from harness.inspector.traffic import SeenTraffic
from harness.interactions import INTERACTIONS
from harness.wire import COMPLETE, Arrivals, Chunk, Chunked, Headers, Pause, Request
from harness.wire.message import ObservedBody
from tests.inspector.conftest import KEYED, SECRET, Bench

STREAM = Headers((("content-type", "text/event-stream"),))


def test_nothing_is_attached_while_no_page_is_open(bench: Bench) -> None:
    """Without a page, the answer has the very body that the service gave; only a counter knows of the request."""
    given = []
    service = bench.inspector.around(lambda request: given.append(bench.faulty(request)) or given[-1])
    response = service(Request("POST", "/v1beta/interactions", KEYED, b'{"model":"gemini-3.8-flash","input":"x"}'))
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


def read_with_a_drop(bench: Bench, page: Any) -> str:
    """Read a stream that drops and its resume; return the path of the interaction."""
    path = f"/v1beta/interactions/{json.loads(bench.create(background=True).body)['id']}"
    bench.control("POST", "faults", {"plan": "event:8,rst"})
    bench.send("GET", f"{path}?stream=true")
    cursor = quote(page.all("event")[-1]["cursor"], safe="")
    bench.send("GET", f"{path}?stream=true&last_event_id={cursor}")
    return path


def test_what_several_answers_show_is_found(new_bench: Callable[..., Bench]) -> None:
    """A resume that lacks an event is found when the result is read: the streamed text is not the stored one."""
    bench = new_bench("resume-skips-one")
    page = bench.open()
    bench.send("GET", read_with_a_drop(bench, page))
    (told,) = page.all("findings")
    (finding,) = told["findings"]
    assert (finding["rule"], told["n"], finding["shown_by"]) == ("stream.text", 3, 4)


def test_a_missing_event_has_its_place_when_the_stream_is_read_again(new_bench: Callable[..., Bench]) -> None:
    """A whole stream that comes later moves the events of the resume, and the finding stands at the resume."""
    bench = new_bench("resume-skips-one")
    page = bench.open()
    path = read_with_a_drop(bench, page)
    assert [event["c"] for event in page.all("event") if event["n"] == 3][:2] == [8, 9], "nobody knows better"
    bench.send("GET", f"{path}?stream=true")
    (moved,) = page.all("columns")
    assert (moved["n"], moved["columns"]) == (3, [9, 10, 11, 12, 13])
    (told,) = page.all("findings")
    assert (told["n"], told["findings"][0]["event"], told["findings"][0]["shown_by"]) == (3, 0, 4)
    late = bench.open()
    assert [event["c"] for event in late.all("event") if event["n"] == 3] == moved["columns"]


def test_a_skipped_event_has_the_finding_in_its_place(new_bench: Callable[..., Bench]) -> None:
    """A resume after the whole stream was read has its finding where the event is missing, not at the next one."""
    bench = new_bench("resume-skips-one")
    page = bench.open()
    name = json.loads(bench.create(background=True).body)["id"]
    bench.send("GET", f"/v1beta/interactions/{name}?stream=true")
    cursor = next(event for event in page.all("event") if event["n"] == 2 and event["cursor"])
    bench.send("GET", f"/v1beta/interactions/{name}?stream=true&last_event_id={quote(cursor['cursor'], safe='')}")
    (told,) = page.all("findings")
    (finding,) = told["findings"]
    skipped = cursor["c"] + 1
    assert (told["n"], finding["missing"], finding["event"], finding["actual"]) == (3, skipped, 0, "nothing")
    assert finding["message"] == f"a resumed stream skips event {skipped} of the whole stream"


@pytest.mark.parametrize(("mutant", "found"), [("resume-skips-one", ["resume.no-gap"]), ("", [])])
def test_a_gap_is_found_while_the_stream_goes_on(
    mutant: str, found: list[str], new_bench: Callable[..., Bench]
) -> None:
    """A skipped event is a finding at the event after it, before the stream ends, and is not found again then."""
    bench = new_bench(mutant)
    page = bench.open()
    path = f"/v1beta/interactions/{json.loads(bench.create(background=True).body)['id']}?stream=true"
    bench.send("GET", path)
    cursor = next(event["cursor"] for event in page.all("event") if event["cursor"])
    resume = Request("GET", f"{path}&last_event_id={quote(cursor, safe='')}", KEYED)
    response = bench.service(resume)
    for _ in range(3):
        next(response.body)
    rules = [finding["rule"] for told in page.all("findings") for finding in told["findings"]]
    assert (rules, len(page.all("end"))) == (found, 2)
    for _ in response.body:
        pass
    assert len(page.all("end")) == 3
    assert [finding["rule"] for told in page.all("findings") for finding in told["findings"]] == found


def test_a_status_does_not_go_back_because_a_stream_is_read_again(bench: Bench) -> None:
    """A replayed stream begins with in_progress, and the run stays completed."""
    page = bench.open()
    name = json.loads(bench.create(background=True).body)["id"]
    for _ in range(2):
        bench.send("GET", f"/v1beta/interactions/{name}?stream=true")
    assert [status for status, _ in page.all("run")[-1]["statuses"]] == ["in_progress", "completed"]


def test_a_stream_that_is_read_after_its_run_leaves_its_status(bench: Bench) -> None:
    """A page that saw only the end of a run keeps it, though a replayed stream says in_progress first."""
    name = json.loads(bench.create(background=True).body)["id"]
    bench.send("GET", f"/v1beta/interactions/{name}?stream=true")
    page = bench.open()
    bench.send("GET", f"/v1beta/interactions/{name}")
    bench.send("GET", f"/v1beta/interactions/{name}?stream=true")
    assert [status for status, _ in page.all("run")[-1]["statuses"]] == ["completed"]


def test_a_may_rule_that_is_not_met_is_a_note(bench: Bench) -> None:
    """A page counts the MUST and SHOULD rules that are broken; a MAY rule is no violation."""
    page = bench.open()
    first = json.loads(bench.create().body)["id"]
    child = json.loads(bench.create(previous_interaction_id=first).body)["id"]
    bench.send("GET", f"/v1beta/interactions/{child}")
    (told,) = page.all("findings")
    assert [(finding["rule"], finding["level"], finding["weight"]) for finding in told["findings"]] == [
        ("chain.echo", "MAY", "note")
    ]


def test_exchanges_of_the_past_keep_their_times(bench: Bench, new_bench: Callable[..., Bench]) -> None:
    """Exchanges that are shown later come one after the other, each event when it arrived."""
    made = bench.create(stream=True)
    exchange = replace(made, seconds=2.0, arrivals=Arrivals(
        array("Q", [100, made.size - 100]), array("d", [0.5, 1.5]), 2
    ), notes={})  # fmt: skip
    bench.inspector.show([exchange, exchange])
    page = bench.open()
    assert [change["at"] for change in page.all("request")] == [0.0, 2.0]
    assert {change["at"] for change in page.all("event") if change["n"] == 2} == {3.5}
    assert [change["seconds"] for change in page.all("end")] == [2.0, 2.0]


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
            seen.note_chunks((Chunk(wire[at : at + 7]),))
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
        seen.note_chunks((Chunk(data),))
    if end:
        seen.note_end(COMPLETE)


def _take(traffic: SeenTraffic) -> list[dict[str, Any]]:
    """What happened, taken apart, as the pages are told."""
    traffic.catch_up()
    return traffic.take_changes() or []


def test_the_number_of_requests_is_bounded() -> None:
    """Beyond the bound the oldest go, also those that never end, and the page is told how many."""
    traffic = SeenTraffic(INTERACTIONS, requests=10)
    traffic.listen()
    totals = []
    for number in range(25):
        _pass(traffic, end=number % 2 == 0)
        totals += [(change["n"], change["total"]) for change in _take(traffic) if change["is"] == "dropped"]
    assert [seen.number for seen in traffic.all()] == list(range(16, 26))
    assert traffic.dropped == 15
    assert totals == [(number, number) for number in range(1, 16)]
    taken = list(iter(traffic.take_ended, None))
    assert 0 < len(taken) <= 10


def test_a_server_only_takes_notes() -> None:
    """With a page open, what goes out is taken apart when the page looks, in the order in which it went out."""
    traffic = SeenTraffic(INTERACTIONS)
    traffic.listen()
    first, second = (traffic.begin(Request("GET", f"/v1beta/interactions/{name}?stream=true")) for name in "ab")
    for seen in (first, second):
        seen.note_head(200, STREAM, Chunked())
    for seen in (first, second, first):
        seen.note_chunks((Chunk(b'data: {"a":1}\n\n'),))
    assert traffic.take_changes() == []
    told = [change["n"] for change in _take(traffic) if change["is"] == "event"]
    assert told == [first.number, second.number, first.number]


def test_a_run_of_chunks_keeps_its_pieces_and_its_moment() -> None:
    """Chunks that went out at once are kept as the pieces they were, all with the moment of the run."""
    now = iter(range(100))
    traffic = SeenTraffic(INTERACTIONS, now=lambda: float(next(now)))
    seen = traffic.begin(Request("GET", "/v1beta/interactions/x?stream=true"))
    seen.note_head(200, STREAM, Chunked())
    for run in ((b'data: {"a"', b":1}\n\ndata: 2", b"\n\n"), (b"data: 3\n\n",)):
        seen.note_chunks([Chunk(data) for data in run], 0, len(run))
    seen.note_end(COMPLETE)
    traffic.catch_up()
    assert seen.exchange is not None
    assert seen.exchange.body == b'data: {"a":1}\n\ndata: 2\n\ndata: 3\n\n'
    arrivals = seen.exchange.arrivals
    assert list(arrivals.sizes) == [10, 12, 2, 9]
    first, second = arrivals.moments[0], arrivals.moments[3]
    assert list(arrivals.moments) == [first, first, first, second]
    assert first < second
    assert [event.moment - seen.began for event in seen.events] == [first, first, second]


def test_a_flood_of_events_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """If no page looks for long, the oldest answers are forgotten unread; the newest is read as it goes out."""
    monkeypatch.setattr("harness.inspector.traffic.MOST_NOTES", 36)
    traffic = SeenTraffic(INTERACTIONS)
    traffic.listen()
    for _ in range(10):
        _pass(traffic, 9)
    assert [seen.number for seen in traffic.all()] == [8, 9, 10]
    assert traffic.dropped == 7
    _pass(traffic, 100)
    assert len(traffic.all()[-1].events) == 100
    monkeypatch.setattr("harness.inspector.traffic.MOST_NOTE_BYTES", 1000)
    _pass(traffic, 3, b"data: " + b"x" * 600 + b"\n\n")
    assert len(traffic.all()[-1].events) == 3


def test_replays_of_one_stream_share_the_weight_of_their_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks that several answers share are in memory once, and count once; those of another list count again."""
    monkeypatch.setattr("harness.inspector.traffic.MOST_NOTE_BYTES", 250)
    traffic = SeenTraffic(INTERACTIONS)
    shared = (Chunk(b"data: " + b"x" * 100 + b"\n\n"),) * 2
    for chunks, kept in ((shared, 1), (shared, 2), (shared, 3), ([*shared], 1), (shared, 1)):
        traffic.begin(Request("GET", "/v1beta/interactions/x?stream=true")).note_chunks(chunks, 0, 2)
        assert len(traffic._kept) == kept


def test_a_page_that_has_much_to_read_looks_less_often(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """All pages take a tenth of a server's time: a page rests nine times as long as the work, in short pauses."""
    page = bench.open()
    now = iter(range(1000))
    monkeypatch.setattr("harness.inspector.feed.time", SimpleNamespace(monotonic=lambda: next(now) / 10))
    bench.create()
    before = bench.inspector._news.rounds
    pauses = []
    for piece in page.feed:
        if bench.inspector._news.rounds > before + 1:
            break
        pauses += [piece.seconds] if isinstance(piece, Pause) else []
    assert max(pauses) <= 0.5
    assert sum(pauses) > 1.8


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


def test_a_page_that_comes_late_is_told_everything_once(bench: Bench) -> None:
    """What waits for the other pages when a page begins is in all that it is told, and does not come again."""
    first = bench.open()
    bench.create(stream=True)
    bench.inspector.traffic.catch_up()
    late = bench.open()
    for page in (first, late):
        page.all("end")
        numbers = [(change["n"], change["e"]) for change in page.changes if change["is"] == "event"]
        assert len(numbers) == len(set(numbers)) > 0


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


def test_a_page_that_does_not_read_is_told_everything_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page for which too much was kept loses track: its next look brings all that is kept, from the start."""
    slow, quick = bench.open(), bench.open()
    monkeypatch.setattr("harness.inspector.feed._MOST_BATCHES", 2)
    monkeypatch.setattr("harness.inspector.feed._WORK_SECONDS", 60)  # one look takes all, also on a busy machine
    for _ in range(3):
        bench.create(stream=True)
        assert quick.all("end")
    told = slow.read()
    assert [told[0]["is"], told[-1]["is"]] == ["hello", "ready"]
    assert sum(change["is"] == "request" for change in told) == 3
    bench.inspector.traffic.most_changes = 5
    bench.create(stream=True)
    for page in (slow, quick):
        fresh = [*page.read(), *page.read()]
        assert [change["is"] for change in fresh].count("hello") == 1


def test_a_cleared_journal_forgets_what_still_flows(bench: Bench) -> None:
    """After a clear, what an old stream still brings is not told: the page would not know of which."""
    page = bench.open()
    seen = bench.inspector.traffic.begin(Request("GET", "/v1beta/interactions/x?stream=true"))
    bench.send("POST", "/__harness__/inspector/clear", {})
    seen.note_head(200, STREAM, Chunked())
    seen.note_chunks((Chunk(b'data: {"a":1}\n\n'),))
    seen.note_end(COMPLETE)
    page.read()
    assert page.changes[-1]["is"] == "cleared"


def test_a_key_that_is_learned_later_is_hidden_in_what_is_told_again(bench: Bench) -> None:
    """A cursor is masked once, and again after a request named a part of it as a key."""
    page = bench.open()
    key, stream = "k3y-Zq81vN0xW5tR7uY2", b'data: {"event_type":"x","event_id":"k3y-Zq81vN0xW5tR7uY2"}\n\n'
    _pass(bench.inspector.traffic, data=stream)
    assert page.all("event")[-1]["cursor"] == key
    bench.driver.send(Request("GET", "/v1beta/interactions/y", Headers((*KEYED, ("x-api-key", key)))))
    _pass(bench.inspector.traffic, data=stream)
    assert page.all("event")[-1]["cursor"] == "***"


def test_another_resource_with_a_status_is_no_interaction(bench: Bench) -> None:
    """An environment has an id and a status, too."""
    page = bench.open()
    bench.send("POST", "/v1beta/environments", {})
    assert page.all("run") == []
    bench.create()
    assert len(page.all("run")) == 1
