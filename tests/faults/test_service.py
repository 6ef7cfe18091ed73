"""A faulty service applies its plan to the right requests in order, closes bodies once and logs what it did."""

from __future__ import annotations

import json

import pytest

from harness.contract import PROTOCOL
from harness.faults import cut
from harness.faults.event_faults import own_id
from harness.faults.service import kind_of
from harness.outcome import UsageFault
from harness.wire import COMPLETE, At, Chunk, Ending, Headers, How, PieceBody, Request, Response
from tests.faults.streams import BODY, CREATE, EVENTS, POLL, STREAM, Live, after, cursors, read, resume
from tests.in_one_test import in_one_test

UNARY = Request("POST", "/v1beta/interactions", Headers(), b'{"model":"m","input":"\\"stream\\": true"}')


def test_connections_suffer_in_order() -> None:
    """The first two attempts fail as planned and the third one is untouched."""
    service = cut(Live(), "event:3+5,rst/event:2,fin", PROTOCOL)
    first, second, third = (read(service(request)) for request in (CREATE, resume("e3"), resume("e5")))
    assert (first[0], first[1].how, first[1].at) == (BODY[: after(3) + 5], How.RST, At.IN_CHUNK)
    assert (second[0], second[1].how) == (BODY[after(3) : after(5)], How.FIN)
    assert third == (STREAM[5], COMPLETE)
    assert service.connections == 3


ACCEPT = Headers((("Accept", "text/event-stream"),))
KINDS = {
    "starts": [CREATE, Request("GET", "/events", ACCEPT), Request("POST", "/x", ACCEPT, b'{"stream": true}')],
    "resumes": [resume("e1"), resume(None)],
    "calls": [POLL, UNARY, Request("POST", "/x", ACCEPT, b"{}"), Request("POST", "/x", ACCEPT, b'{"stream"'),
              Request("GET", POLL.target, ACCEPT), Request("POST", f"{POLL.target}/cancel", ACCEPT)],
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_requests(kind: str) -> None:
    """A request with a body is classified by its `stream` field, an unknown one without by its Accept header."""
    assert [kind_of(request, PROTOCOL) for request in KINDS[kind]] == [kind] * len(KINDS[kind])


SCOPES = {
    "": [503, 503, 200, 200],
    "streams=": [503, 503, 200, 200],
    "starts=": [503, 200, 200, 200],
    "resumes=": [200, 503, 200, 200],
    "calls=": [200, 200, 503, 503],
    "all=": [503, 503, 503, 503],
}


@pytest.mark.parametrize("scope", SCOPES)
def test_scopes(scope: str) -> None:
    """Only requests within the scope are affected, and only they are counted."""
    service = cut(Live(), f"{scope}status:503,times:all", PROTOCOL)
    assert [service(request).status for request in (CREATE, resume("e1"), POLL, UNARY)] == SCOPES[scope]
    assert service.connections == SCOPES[scope].count(503)


def test_a_status_is_all_that_comes() -> None:
    """A planned status answers with the API's error body and retry headers without calling the service."""
    live = Live()
    service = cut(live, "status:429,retry-after:2,retry-after-ms:1500/status:599", PROTOCOL)
    response = service(CREATE)
    body, ending = read(response)
    assert (response.status, ending, live.requests) == (429, COMPLETE, [])
    assert (response.headers.get("Retry-After"), response.headers.get("retry-after-ms")) == ("2", "1500")
    assert json.loads(body)["error"]["code"] == "rate_limit_exceeded"
    assert service(CREATE).status == 599


HEADS = {
    "before-headers,rst": Ending(how=How.RST, at=At.BEFORE_HEADERS),
    "headers,fin": Ending(how=How.FIN, at=At.IN_HEADERS),
    "headers:20,stall": Ending(how=How.STALL, at=At.IN_HEADERS, sent=20),
    "headers,bad-head": Ending(how=How.BAD_HTTP, at=At.IN_HEADERS),
}


@pytest.mark.parametrize("plan", HEADS)
def test_head_cuts(plan: str) -> None:
    """For a cut in the head the service still handles the request, the head stays incomplete and the body is
    closed once.
    """
    live = Live()
    response = cut(live, plan, PROTOCOL)(CREATE)
    body, ending = read(response)
    response.body.close()
    wanted = HEADS[plan]
    assert (body, ending.how, ending.at, ending.sent) == (b"", wanted.how, wanted.at, wanted.sent)
    assert (len(live.requests), live.closings) == (1, 1)


@pytest.mark.parametrize("plan", ["event:2,rst", "ping:all", "headers,fin", "inclusive"])
@pytest.mark.parametrize("pulls", [0, 1, 2])
def test_close_reaches_the_service_once(plan: str, pulls: int) -> None:
    """Closing closes the service's body exactly once, even before the first piece, and ends the iteration."""
    live = Live()
    body = cut(live, plan, PROTOCOL)(CREATE).body
    for _ in range(min(pulls, 1 if plan == "headers,fin" else 2)):
        next(body)
    body.close()
    body.close()
    assert live.closings == 1
    with pytest.raises(StopIteration):
        next(body)


def test_reading_is_lazy() -> None:
    """Pieces are pulled one at a time on demand, and none after the ending."""
    pulled: list[bytes] = []

    def pieces() -> object:
        for block in STREAM:
            pulled.append(block)
            yield Chunk(block)

    service = cut(
        lambda _: Response(200, EVENTS, Live()(CREATE).framing, PieceBody(pieces())), "event:2,fin", PROTOCOL
    )  # type: ignore[arg-type]
    body = service(CREATE).body
    assert pulled == []
    assert (next(body), len(pulled)) == (Chunk(STREAM[0]), 1)
    assert isinstance([next(body), next(body)][1], Ending)
    assert len(pulled) == 2
    with pytest.raises(StopIteration):
        next(body)
    assert len(pulled) == 2


def test_other_answers_suffer_bytes_only() -> None:
    """A JSON response ignores event faults, is cut only at bytes and keeps its declared length."""
    whole = b'{"id":"int_1"}'
    for plan in ("event:0,rst", "ping:0", "completion,end", "ids:none"):
        assert read(cut(Live(), f"all={plan}", PROTOCOL)(POLL)) == (whole, COMPLETE)
    body, ending = read(cut(Live(), "all=byte:5,rst", PROTOCOL)(POLL))
    assert (body, ending.how) == (whole[:5], How.RST)


def test_an_inclusive_resume_repeats_one_event() -> None:
    """`inclusive` repeats and counts the cursor's event on a resume; a create and a full replay are unaffected."""
    live = Live()
    service = cut(live, "inclusive,times:all", PROTOCOL)
    assert cursors(read(service(resume("e2")))[0]) == ["e2", "e3", "e4", "e5"]
    assert read(service(resume(None)))[0] == BODY
    assert read(service(CREATE))[0] == BODY
    assert read(cut(live, "inclusive,event:2,end", PROTOCOL)(resume("e2")))[0] == STREAM[1] + STREAM[2]
    assert live.closings == 6


def test_a_made_up_id_resumes_where_it_stood() -> None:
    """Resuming from the id of an added error continues after the real event before it, on any connection."""
    live = Live()
    service = cut(live, "error:2+id,event:3,rst", PROTOCOL)
    seen = cursors(read(service(CREATE))[0])
    assert seen == ["e1", "e2", own_id("e2")]
    assert cursors(read(service(resume(seen[-1])))[0]) == ["e3", "e4", "e5"]
    assert cursors(read(service(resume(own_id(None))))[0]) == ["e1", "e2", "e3", "e4", "e5"]


def test_the_record_tells_what_fired() -> None:
    """The log has number, method, path without query, and the faults that fired for each connection."""
    service = cut(Live(), "ping:1,event:99,rst/status:500/inclusive,headers,fin/pass", PROTOCOL)
    for request in (CREATE, CREATE, resume("e1"), CREATE):
        read(service(request))
    assert [(one.number, one.method, [str(fault) for fault in one.fired]) for one in service.log] == [
        (1, "POST", ["ping:1"]), (2, "POST", ["status:500"]), (3, "GET", ["headers,fin"]), (4, "POST", []),
    ]  # fmt: skip
    assert service.log[2].path == "/v1beta/interactions/int_1"


def test_a_wrong_plan_is_refused_at_the_door() -> None:
    """An invalid plan is refused when the service is wrapped, not at the first request."""
    with pytest.raises(UsageFault, match="column 9"):
        cut(Live(), "event:3,rts", PROTOCOL)


@in_one_test(seed=range(200))
def test_any_drawn_plan_keeps_the_law_of_bodies(seed: int) -> None:
    """With any random plan each body has one final ending, torn chunks come last, and closing is forwarded."""
    live = Live()
    service = cut(live, f"random:{seed}+6", PROTOCOL)
    for request in (CREATE, resume("e2"), resume(None), CREATE):
        response = service(request)
        pieces = list(response.body)
        response.body.close()
        assert [isinstance(piece, Ending) for piece in pieces] == [False] * (len(pieces) - 1) + [True]
        torn = [index for index, piece in enumerate(pieces) if isinstance(piece, Chunk) and piece.declared]
        assert torn in ([], [len(pieces) - 2])
    assert live.closings == len(live.requests)
