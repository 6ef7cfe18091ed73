"""Faults of whole answers: refusals in foreign shapes, raw text, changed members, codings, and time."""

from __future__ import annotations

import gzip
import json
import zlib

import pytest

from harness.contract import PROTOCOL
from harness.faults import FaultyService, cut
from harness.transport import ServerThread, ServiceDriver, UrlDriver
from harness.wire import COMPLETE, Chunk, Decoder, Ending, Headers, Pause, Request, Response
from harness.wire.bodies import accepts
from tests.faults.streams import (
    BODY,
    CREATE,
    POLL,
    STREAM,
    Live,
    after,
    payloads,
    pieces_through,
    read,
    resume,
    through,
)

ZIPPED = Headers((("accept-encoding", "gzip, deflate;q=0.5"),))
CANCEL = Request("POST", "/v1beta/interactions/int_1/cancel")
DELETE = Request("DELETE", "/v1beta/interactions/int_1")


def refusal(plan: str, request: Request = POLL) -> tuple[int, str, bytes]:
    """Status, media type and body of the response to a request under a plan."""
    response = cut(Live(), plan, PROTOCOL)(request)
    return response.status, response.headers.media_type(), read(response)[0]


def test_shapes_of_refusals() -> None:
    """Each shape is what was seen live: numbers and capitals, a list, a sentence as code, a page."""
    _, media_type, body = refusal("gets=status:404,shape:front-end")
    assert media_type == "application/json"
    assert json.loads(body)["error"] | {"message": ""} == {"code": 404, "message": "", "status": "NOT_FOUND"}
    assert [error["error"]["code"] for error in json.loads(refusal("gets=status:404,shape:list")[2])] == [404]
    assert " " in json.loads(refusal("gets=status:400,shape:sentence")[2])["error"]["code"]
    status, media_type, body = refusal("gets=status:502,shape:html")
    assert (status, media_type) == (502, "text/html")
    assert b"<h1>502 Bad Gateway</h1>" in body


def test_a_wait_in_the_body() -> None:
    """`retry-info` stands in the message and in the details, and in no header."""
    response = cut(Live(), "gets=status:429,retry-info:34.430985", PROTOCOL)(POLL)
    assert "retry-after" not in response.headers
    error = json.loads(read(response)[0])["error"]
    assert error["status"] == "RESOURCE_EXHAUSTED"
    assert error["message"].endswith("Please retry in 34.430985s.")
    assert error["details"][0]["retryDelay"] == "34.430985s"


@pytest.mark.parametrize(
    ("text", "media_type"), [("%7B%7D", "application/json"), ("%3Cp%3E", "text/html"), ("", "text/plain")]
)
def test_a_body_of_ones_own(text: str, media_type: str) -> None:
    """A body of one's own is sent as it is, under the media type that its first character suggests."""
    assert refusal(f"gets=status:500,body:{text}")[1] == media_type


OPERATIONS = {"creates": CREATE, "gets": POLL, "cancels": CANCEL, "deletes": DELETE}


@pytest.mark.parametrize("scope", OPERATIONS)
def test_scopes_of_operations(scope: str) -> None:
    """A plan for one operation concerns requests of that operation, and no others."""
    for name, request in OPERATIONS.items():
        assert (refusal(f"{scope}=status:418", request)[0] == 418) is (name == scope)
    assert refusal(f"{scope}=status:418", resume("e1"))[0] == 200


def test_the_narrowest_scope_counts() -> None:
    """A request counts once, in the narrowest part that is for it, in whatever order the parts are written."""
    faulty = cut(Live(), "all=status:500/calls=status:501/deletes=status:502/resumes=status:503", PROTOCOL)
    answers = [faulty(request).status for request in (CREATE, POLL, DELETE, resume("e1"), CREATE)]
    assert answers == [500, 501, 502, 503, 200]


def test_each_part_counts_for_itself() -> None:
    """The parts of a plan have their own connections, logs and counts."""
    faulty = cut(Live(), "event:2,rst/resumes=pass/status:404/gets=status:503", PROTOCOL)
    answers = [faulty(request).status for request in (CREATE, resume("e1"), POLL, resume("e1"), POLL)]
    assert answers == [200, 200, 503, 404, 200]
    assert faulty.connections == 5
    assert [(suffered.scope, suffered.number) for suffered in faulty.log] == [
        ("streams", 1), ("resumes", 1), ("gets", 1), ("resumes", 2), ("gets", 2),
    ]  # fmt: skip


def test_raw_text() -> None:
    """After K events comes the text, byte for byte, and then a clean end."""
    pieces = pieces_through("raw:2+x", [*map(Chunk, STREAM), COMPLETE])
    assert through("raw:2+%5Bnow%5D%0A") == BODY[: after(2)] + b"[now]\n"
    assert pieces[-1] == COMPLETE
    assert through("raw:0+x") == b"x"
    assert through("raw:99+x") == BODY


def test_a_comment_in_a_frame() -> None:
    """The comment is a line of the frame, before its data; no event changes."""
    body = through("comment:1")
    assert payloads(body) == payloads(BODY)
    assert body == STREAM[0] + b": heartbeat\n" + b"".join(STREAM[1:])
    assert through("comment:all").count(b": heartbeat\nevent:") == len(STREAM)


def test_the_last_frame_without_its_newline() -> None:
    """Only the line ends of the last frame are missing, be it the sentinel or the completion."""
    assert through("no-newline") == BODY[:-2]
    assert through("no-done,no-newline") == b"".join(STREAM[:-1])[:-2]
    assert through("no-newline", STREAM[:2]) == b"".join(STREAM[:2])


def test_members_that_are_missing_or_empty() -> None:
    """`strip` and `empty` change members at any depth of events and of JSON bodies, and nothing else."""
    assert b"event_id" not in through("strip:event_id")
    assert [json.loads(data) for data in payloads(through("empty:text"))[:-1]] == [
        json.loads(data.replace(f"é{number} ".encode(), b"")) for number, data in enumerate(payloads(BODY)[:-1], 1)
    ]
    assert refusal("gets=empty:id")[2] == b'{"id":""}'
    assert refusal("gets=strip:id")[2] == b"{}"
    assert refusal("gets=strip:nothing")[2] == b'{"id":"int_1"}'


def test_a_silence_and_a_cut_by_time() -> None:
    """A silence is a pause of its length; a cut by time ends the body within the pause in which time runs out."""
    assert [
        piece for piece in pieces_through("silence:2+1.5", [*map(Chunk, STREAM)]) if isinstance(piece, Pause)
    ] == [Pause(1.5)]
    slow = [Chunk(STREAM[0]), Pause(6), Chunk(STREAM[1]), Pause(6), Chunk(STREAM[2]), COMPLETE]
    pieces = pieces_through("time:10,fin", slow)
    assert pieces[:4] == [Chunk(STREAM[0]), Pause(6), Chunk(STREAM[1]), Pause(4)]
    assert isinstance(pieces[4], Ending)
    assert not pieces[4].complete
    assert pieces_through("time:13,fin", slow) == slow


def test_a_connection_that_never_ends() -> None:
    """`after-completion` delivers the completing event, and not what follows it."""
    pieces = pieces_through("after-completion,stall", [*map(Chunk, STREAM), COMPLETE])
    assert [piece for piece in pieces if isinstance(piece, Chunk)] == list(map(Chunk, STREAM[:5]))
    assert isinstance(pieces[-1], Ending)


def open_zipped(plan: str, request: Request = CREATE) -> Response:
    """The response to a client that accepts gzip and deflate."""
    return cut(Live(), plan, PROTOCOL)(Request(request.method, request.target, ZIPPED, request.body))


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
@pytest.mark.parametrize("request_", [CREATE, POLL], ids=["stream", "json"])
def test_codings(coding: str, request_: Request) -> None:
    """A compressed answer decodes to what it would have been, and each event is flushed as it comes."""
    plain = read(Live()(request_))[0]
    response = open_zipped(f"all={coding}", request_)
    assert response.headers.get("content-encoding") == coding
    inflater = zlib.decompressobj(47)
    sizes = [len(inflater.decompress(piece.data)) for piece in response.body if isinstance(piece, Chunk)]
    assert sum(sizes) == len(plain)
    assert inflater.eof
    if request_ is CREATE:
        assert sizes[: len(STREAM)] == list(map(len, STREAM))


def test_a_client_that_accepts_no_coding_gets_none() -> None:
    """Without Accept-Encoding nothing is compressed, and the log says so."""
    faulty = cut(Live(), "gzip", PROTOCOL)
    response, suffered = faulty.answer(CREATE)
    assert "content-encoding" not in response.headers
    assert read(response)[0] == BODY
    assert suffered is not None
    assert suffered.fired == ()
    for accepted, asked in {"gzip": True, "*": True, "gzip;q=0": False, "br": False, "GZIP ; q=1": True}.items():
        assert accepts(accepted, "gzip") is asked


def test_places_in_a_compressed_stream() -> None:
    """Events are counted before the coding, bytes after it; what was sent before a cut can be decoded."""
    body, ending = read(open_zipped("gzip,event:2,rst"))
    assert zlib.decompressobj(47).decompress(body) == BODY[: after(2)]
    assert not ending.complete
    body, _ = read(open_zipped("gzip,event:2,end"))
    assert gzip.decompress(body) == BODY[: after(2)]
    assert len(read(open_zipped("gzip,byte:30,fin"))[0]) == 30


@pytest.mark.parametrize("plan", ["gzip", "gzip,crlf", "deflate,event:3,end", "gzip,event:2+9,rst"])
@pytest.mark.parametrize("socket", [False, True], ids=["in-process", "socket"])
def test_every_carrier_brings_codings(plan: str, socket: bool) -> None:
    """Over a socket and in-process the decoded events are those that the plan lets through."""
    faulty: FaultyService = cut(Live(), plan, PROTOCOL)
    whole = payloads(through(plan.partition(",")[2] or "pass"))
    asked = Request(CREATE.method, CREATE.target, ZIPPED, CREATE.body)
    if not socket:
        body = ServiceDriver(faulty).send(asked).body
    else:
        with ServerThread(faulty) as server:
            driver = UrlDriver(server.url)
            body = driver.send(asked).body
            driver.close()
    assert [frame.data for frame in Decoder().feed(_decoded(body))] == whole


def _decoded(body: bytes) -> bytes:
    """The body without its coding, unless the driver has decoded it already."""
    return body if body.startswith(b"event") else zlib.decompressobj(47).decompress(body)
