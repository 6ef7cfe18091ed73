"""The player answers only what was recorded, in order; resumes at any event; and explains each miss."""

from __future__ import annotations

import gzip
import json
import math
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from harness.cassette import Player, Recording, Redactor, load
from harness.contract import PROTOCOL
from harness.resources import folder
from harness.wire import (
    COMPLETE,
    At,
    Chunk,
    Chunked,
    Decoder,
    Ending,
    Headers,
    How,
    Length,
    Pause,
    Piece,
    Request,
    Response,
)
from tests.cassette.samples import HELLO, URL, answered, frames, get, post, streamed
from tests.in_one_test import in_one_test

CREATE = post({"model": "m", "input": "hi", "stream": True, "background": True})
STREAM = frames()
WHOLE = streamed(CREATE, STREAM)


def pieces(response: Response) -> list[Piece]:
    """All pieces of a response."""
    taken: list[Piece] = []
    while not taken or not isinstance(taken[-1], Ending):
        taken.append(next(response.body))
    return taken


def body(response: Response) -> bytes:
    """All bytes of a response."""
    return b"".join(piece.data for piece in pieces(response) if isinstance(piece, Chunk))


def player(*recordings: Recording, **options: Any) -> Player:
    """A player of these recordings."""
    return Player(recordings, PROTOCOL, **options)


def poll(resource: str, status: str) -> Recording:
    """A recorded poll."""
    return answered(get(f"{URL}/{resource}"), {"id": resource, "status": status})


def test_pieces_pauses_and_ending_come_back() -> None:
    """A dropped stream is dropped again at the same byte, within the same chunk and after the same time."""
    cut = Ending(how=How.RST, at=At.IN_CHUNK, declared=len(STREAM[2]), sent=9)
    recording = replace(streamed(CREATE, [*STREAM[:2], STREAM[2][:4], STREAM[2][4:9]], cut), wait=7000)
    response = player(recording, speed=1)(CREATE)
    assert (response.status, response.framing) == (200, Chunked())
    assert pieces(response) == [
        Pause(0.02), Chunk(STREAM[0]), Pause(0.02), Chunk(STREAM[1]),
        Pause(0.047), Chunk(STREAM[2][:9], len(STREAM[2])), cut,
    ]  # fmt: skip


@pytest.mark.parametrize(("speed", "pauses"), [(4, [0.005] * 3), (0.5, [0.04] * 3), (math.inf, [])])
def test_speed(speed: float, pauses: list[float]) -> None:
    """Pauses are played as recorded, scaled, or not at all."""
    came = pieces(player(streamed(CREATE, STREAM[:3]), speed=speed)(CREATE))
    assert [piece.seconds for piece in came if isinstance(piece, Pause)] == pytest.approx(pauses)


def test_dead_before_the_head() -> None:
    """A connection that died before the response head does so again."""
    ending = Ending(how=How.REFUSED, at=At.BEFORE_HEADERS)
    recording = Recording(
        CREATE, None, WHOLE.headers.without("content-type"), b"", WHOLE.pieces.__class__(), ending
    )
    assert pieces(player(recording)(CREATE)) == [ending]


def test_same_request_in_order() -> None:
    """Repeated polls of one resource get the recorded responses in order, each one once."""
    play = player(poll("v1_a", "in_progress"), poll("v1_b", "failed"), poll("v1_a", "completed"))
    statuses = [json.loads(body(play(get(f"{URL}/{name}"))))["status"] for name in ("v1_a", "v1_a", "v1_b")]
    assert statuses == ["in_progress", "completed", "failed"]
    assert play.unused() == []
    assert play(get(f"{URL}/v1_a")).status == 400
    assert "was recorded 2 times, and each was already replayed" in str(play.misses[0])


SAME = (  # requests that are the same as CREATE
    post({"background": True, "stream": True, "input": "hi", "model": "m"}),
    structs.replace(CREATE, headers=CREATE.headers.having("x-goog-api-key", "another")),
    structs.replace(CREATE, target=f"{URL}?key=another"),
    structs.replace(CREATE, body=CREATE.body.replace(b": ", b" :  ")),
)


@pytest.mark.parametrize("request_", SAME)
def test_same(request_: Request) -> None:
    """Member order, whitespace and credentials do not make a request different."""
    assert body(player(WHOLE)(request_)) == b"".join(STREAM)


OTHERS = (  # a request, and what the miss says about the field that differs
    (post({"model": "n", "input": "hi", "stream": True, "background": True}), 'body.model: recorded "m", got "n"'),
    (post({"model": "m", "input": "hi", "background": True}), "body.stream: recorded true, got <absent>"),
    (structs.replace(CREATE, target=f"{URL}?alt=sse"), "query.alt: recorded <absent>, got sse"),
    (
        structs.replace(CREATE, target="/v1/interactions"),
        "path: recorded /v1beta/interactions, got /v1/interactions",
    ),
    (structs.replace(CREATE, method="PUT"), "method: recorded POST, got PUT"),
    (structs.replace(CREATE, body=b"{"), "body: recorded JSON, got text that is not JSON"),
)


@pytest.mark.parametrize(("request_", "said"), OTHERS)
def test_miss(request_: Request, said: str) -> None:
    """Any other request is refused with the nearest recording and the first field that differs."""
    play = player(poll("v1_z", "completed"), WHOLE)
    response = play(request_)
    told = json.loads(body(response))["error"]
    assert (response.status, told["code"]) == (400, "not_recorded")
    assert f"the nearest is recording 2, which differs in {said}" in told["message"]
    assert [miss.nearest for miss in play.misses] == [1]
    assert [number for number, _ in play.unused()] == [0, 1]


def sent(body: bytes, **headers: str) -> Request:
    """A request with exactly these bytes as its body."""
    return Request("POST", URL, Headers((name.replace("_", "-"), value) for name, value in headers.items()), body)


def parts(boundary: str, text: str = "hi") -> Request:
    """A multipart form; clients use a different boundary each time."""
    body = f'--{boundary}\r\nContent-Disposition: form-data; name="a"\r\n\r\n{text}\r\n--{boundary}--\r\n'
    return sent(body.encode(), content_type=f"multipart/form-data; boundary={boundary}")


FORM = "application/x-www-form-urlencoded"
PAIRS = (  # a recorded request, another one, whether they are the same
    (get(f"{URL}?a=1&b=2"), get(f"{URL}?b=2&a=1"), True),
    (get(f"{URL}?a=1&a=1"), get(f"{URL}?a=1"), False),
    (get(f"{URL}?a=x%20y"), get(f"{URL}?a=x+y"), True),
    (get(f"{URL}/x%5Fy"), get(f"{URL}/x_y"), True),
    (sent(b'{"a":1}'), sent(b'{"a": 1.0}'), True),
    (sent(b'{"a":1}'), sent(b'{"a":true}'), False),
    (sent(b'{"a":"\\u00e9\\ud83d\\ude00"}'), sent('{"a":"é😀"}'.encode()), True),
    (sent(b'{"a":null}'), sent(b"{}"), False),
    (sent(b"{}"), sent(b""), False),
    (sent(b'{"a":1}'), sent(gzip.compress(b'{"a":1}'), content_encoding="gzip"), True),
    (parts("0f3a"), parts("77b1"), True),
    (parts("0f3a"), parts("0f3a", "ho"), False),
    (sent(b"a=1&key=REDACTED-1", content_type=FORM), sent(b"a=1&key=mine", content_type=FORM), True),
)


@in_one_test(PAIRS)
def test_pairs(recorded: Request, asked: Request, same: bool) -> None:
    """Equivalent spellings in JSON, URLs and encodings match; values that these distinguish do not."""
    play = player(answered(recorded, {"ok": True}))
    assert (play(asked).status == 200) == same
    assert len(play.misses) == (not same)
    assert all(str(miss).isprintable() for miss in play.misses)


def test_miss_shows_no_secret() -> None:
    """The message of a miss contains none of the request's credentials."""
    key = "AIza" + "q1" * 18
    asked = post(
        {"input": f"my {key}", "password": "p4ssw0rd"}, target=f"{URL}?key={key}", authorization="tok-12345678"
    )
    play = player(answered(post({"input": "x"}), {}))
    told = body(play(asked)).decode()
    assert "<secret>" in told
    assert not any(secret in told for secret in (key, "p4ssw0rd", "tok-12345678"))


def test_redacted_requests_match() -> None:
    """A request with real secrets matches the recording in which they were replaced by placeholders."""
    key = "AIza" + "q1" * 18
    said = {
        "input": f"{key} or own-key-123 or told-before",
        "tools": [{"password": "hunter2-x1"}],
        "n": "hunter2-x1",
    }
    asked = post(said, target=f"{URL}?key=own-key-123", x_goog_api_key="own-key-123")
    kept = Redactor(PROTOCOL, secrets=["told-before"]).redact(answered(asked, {}))
    assert kept.request != asked
    other = structs.replace(asked, target=URL, headers=kept.request.headers)
    for recording, request in ((kept, asked), (kept, kept.request), (answered(asked, {}), asked)):
        assert player(recording, secrets=["told-before"])(request).status == 200
    assert player(kept, secrets=["told-before"])(structs.replace(other, body=b"{}")).status == 400


def chained(previous: str, text: str = "go on") -> Request:
    """A create request that continues a previous interaction."""
    return post({"model": "m", "input": text, "previous_interaction_id": previous})


def test_ids_that_were_given_out_must_come_back() -> None:
    """A client that chains to an id other than the one it was given is refused with both ids."""
    play = player(answered(post({"model": "m"}), {"id": "v1_a"}), answered(chained("v1_a"), {"id": "v1_b"}))
    assert play(post({"model": "m"})).status == 200
    assert play(chained("v1_x")).status == 400
    assert 'recorded "v1_a", got "v1_x"' in str(play.misses[0])
    assert play(chained("v1_a")).status == 200


def test_ids_from_outside_are_mapped() -> None:
    """An id that does not come from the cassette may differ, but must be the same throughout."""
    recorded = [
        answered(chained("old"), {"id": "v1_a"}),
        poll("old", "completed"),
        answered(chained("v1_a"), {"id": "v1_b"}),
    ]
    play = player(*recorded)
    assert play(chained("v1_a", "go on")).status == 200, "the very same request comes first"
    assert play(chained("new")).status == 200
    assert play(get(f"{URL}/other")).status == 400
    assert play(get(f"{URL}/new")).status == 200
    assert play.unused() == []


def test_two_new_ids_do_not_become_one() -> None:
    """Two different recorded ids cannot both be mapped to the same new id."""
    play = player(answered(chained("old1"), {}), answered(chained("old2"), {}))
    assert play(chained("new")).status == 200
    assert play(chained("new")).status == 400
    assert play(chained("newer")).status == 200


def resume(cursor: str | None, resource: str = "v1_a") -> Request:
    """The request for the stream after `cursor`."""
    return PROTOCOL.resume(CREATE, resource, cursor)


@pytest.mark.parametrize("parts", [STREAM, [b"".join(STREAM)], [bytes([b]) for b in b"".join(STREAM)]])
def test_resume_at_every_event(parts: list[bytes]) -> None:
    """Resuming after any event yields exactly the rest, however the recorded stream was split."""
    play = player(streamed(CREATE, parts), mode="resume")
    for number in range(len(STREAM)):
        rest = body(play(resume(f"e{number}" if number else None)))
        assert b"".join(STREAM[:number]) + rest == b"".join(STREAM)
    assert play.misses == play.unused() == []


def test_resume_as_often_as_asked() -> None:
    """The rest of a stream can be requested repeatedly, each time with its pauses and ending."""
    play = player(WHOLE, mode="resume", speed=1)
    for _ in range(3):
        came = pieces(play(resume("e5")))
        assert came == [
            Pause(0.02), Chunk(STREAM[5]), Pause(0.02), Chunk(STREAM[6]), Pause(0.02), Chunk(STREAM[7]), COMPLETE,
        ]  # fmt: skip


def test_strict_knows_no_other_resume() -> None:
    """In strict mode a resume is answered only at a cursor that was recorded."""
    recorded = streamed(resume("e3"), STREAM[3:])
    play = player(WHOLE, recorded)
    assert play(resume("e2")).status == 400
    assert "the mode resume serves" in play.misses[0].reason
    assert body(play(resume("e3"))) == b"".join(STREAM[3:])
    assert play(Request("GET", "/v1/interactions/nobody?stream=true&last_event_id=e2")).status == 400
    assert "the mode resume" not in play.misses[1].reason


NAMED = '{"api_key": "zq9nestedkey1234567890abcdef"}'
QUOTED = "the word zq9nestedkey1234567890abcdef"


@pytest.mark.parametrize("redacted", [False, True])
@pytest.mark.parametrize("inputs", [(NAMED, QUOTED), (NAMED, QUOTED, NAMED, QUOTED)], ids=len)
def test_a_secret_that_an_earlier_request_named(inputs: tuple[str, ...], *, redacted: bool) -> None:
    """A key is hidden where a later request only quotes it, as in the recording."""
    asked = [post({"model": "m", "input": text}) for text in inputs]
    recordings = [answered(request, {"id": f"v1_{n}"}) for n, request in enumerate(asked)]
    redactor = Redactor(PROTOCOL)
    play = player(*(map(redactor.redact, recordings) if redacted else recordings))
    assert [play(request).status for request in asked] == [200] * len(asked)
    assert play.unused() == []


TORN = [*STREAM[:4], STREAM[4][:9]]
RESET = Ending(how=How.RST)


@pytest.mark.parametrize(
    "rests",
    [
        [streamed(resume("e4"), STREAM[4:])],
        [streamed(resume("e4"), STREAM[3:])],
        [streamed(resume("e4"), STREAM[4:6], RESET), streamed(resume("e6"), STREAM[6:])],
        [streamed(resume("e6"), STREAM[6:]), streamed(resume("e2"), STREAM[2:6])],
        [streamed(resume("e4"), []), streamed(resume("e4"), STREAM[4:])],
    ],
    ids=["resumed", "inclusive", "dropped-twice", "in-any-order", "after-nothing"],
)
def test_a_stream_that_was_cut_and_resumed_is_whole(rests: list[Recording]) -> None:
    """A stream recorded in dropped and resumed parts can be resumed anywhere and reaches its end."""
    play = player(streamed(CREATE, TORN, RESET), *rests, mode="resume")
    assert body(play(CREATE)) == b"".join(TORN), "the create itself is cut as it was"
    for number in [*range(1, len(STREAM)), 4, 4]:
        came = pieces(play(resume(f"e{number}")))
        assert b"".join(piece.data for piece in came if isinstance(piece, Chunk)) == b"".join(STREAM[number:])
        assert came[-1] == COMPLETE
    assert body(play(resume(None))) == b"".join(STREAM)
    assert play.misses == play.unused() == []


@pytest.mark.parametrize("mode", ["strict", "resume"])
@pytest.mark.parametrize(
    "name", ["dropped-fin", "dropped-rst", "dropped-in-character", "dropped-twice", "stalled"]
)
def test_a_recorded_client_comes_to_its_end(name: str, mode: str) -> None:
    """A client that resumes at its last event, as the recorded one did, sees the stream complete."""
    recordings = load(folder("cassettes") / "emulator" / f"{name}.yaml").recordings
    play = player(*recordings, mode=mode)
    seen: list[dict[str, Any]] = []
    request = recordings[0].request
    for _ in recordings:
        seen += [
            json.loads(frame.data) for frame in Decoder().feed(body(play(request))) if frame.data != b"[DONE]"
        ]
        cursor = next(filter(None, map(PROTOCOL.cursor, reversed(seen))), None)  # not every event has an id
        request = PROTOCOL.resume(request, PROTOCOL.stream_id(seen[0]) or "", cursor)
    assert PROTOCOL.completes(seen[-1])
    assert play.misses == play.unused() == []


def test_a_stream_that_nobody_resumed_is_not_dropped_for_ever() -> None:
    """A resume at the end of a cut recording is refused, since clients would retry an empty answer forever."""
    play = player(streamed(CREATE, TORN, RESET), mode="resume")
    assert play(resume("e4")).status == 400
    assert "was cut after 'e4'" in str(play.misses[0])


def test_a_stream_that_nobody_resumed_ends_where_it_was_cut() -> None:
    """A recording that was cut and never continued is resumed only up to its recorded drop."""
    play = player(streamed(CREATE, TORN, RESET), streamed(resume("other"), STREAM[6:]), mode="resume")
    came = pieces(play(resume("e3")))
    assert came[-1].how is How.RST
    assert b"".join(piece.data for piece in came if isinstance(piece, Chunk)) == b"".join(TORN[3:])


@pytest.mark.parametrize(("status", "name"), [(307, "location"), (200, "x-goog-upload-url")])
def test_a_redirect_leads_to_no_other_server(status: int, name: str) -> None:
    """The client sends its key there: the recording may be a stranger's. The replay names the other server."""
    fields = Headers([(name, "http://evil.example/steal"), ("content-type", "application/json")])
    led = replace(HELLO, status=status, headers=fields)
    play = player(led)
    asked = structs.replace(led.request, headers=Headers([("host", "127.0.0.1:9"), *led.request.headers]))
    answer = play(asked)
    assert (answer.status, answer.headers.get(name)) == (status, "http://127.0.0.1:9/steal")
    assert play.elsewhere() == [(0, "http://evil.example")]


def test_no_resume_of_a_part() -> None:
    """If only the rest of a stream was recorded, it can be resumed only at that cursor."""
    play = player(streamed(resume("e3"), STREAM[3:]), mode="resume")
    assert play(resume(None)).status == 400
    assert play(resume("e4")).status == 400
    assert body(play(resume("e3"))) == b"".join(STREAM[3:])


def test_resume_of_a_promised_length() -> None:
    """A resumed body with a Content-Length declares the length of the rest."""
    size = sum(map(len, STREAM))
    play = player(replace(WHOLE, framing=Length(size)), mode="resume")
    assert play(resume("e2")).framing == Length(size - len(STREAM[0]) - len(STREAM[1]))


def test_without_event_ids() -> None:
    """A stream without event ids cannot be resumed, unless the player assigns ids, which are stable."""
    bare = frames(cursors=False)
    play = player(streamed(CREATE, bare), mode="resume")
    assert play(resume("h1")).status == 400
    assert "carries no event ids" in str(play.misses[0])
    for _ in range(2):
        play = player(streamed(CREATE, bare), mode="resume", assign_ids=True)
        whole = body(play(CREATE))
        assert _payloads(whole, without_ids=True) == _payloads(b"".join(bare))
        assert [event["event_id"] for event in _payloads(whole)] == [f"h{number}" for number in range(1, 8)]
        rest = body(play(resume("h2")))
        assert whole.endswith(rest)
        assert _payloads(rest)[0]["event_id"] == "h3"


def _payloads(data: bytes, *, without_ids: bool = False) -> list[dict[str, Any]]:
    events = [json.loads(frame.data) for frame in Decoder().feed(data) if frame.data != b"[DONE]"]
    return [PROTOCOL.with_cursor(event, None) for event in events] if without_ids else events


def test_what_is_a_guess_is_told() -> None:
    """A recording with approximate piece boundaries is listed only once it has been played."""
    play = player(replace(WHOLE, approximate=True), poll("v1_a", "completed"))
    assert play.approximate() == []
    play(get(f"{URL}/v1_a"))
    assert play.approximate() == []
    play(CREATE)
    assert [number for number, _ in play.approximate()] == [0]
