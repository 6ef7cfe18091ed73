"""Both sides of a gateway: what is recorded on each, and which client and upstream requests belong together."""

from __future__ import annotations

from itertools import chain, takewhile

import pytest

from harness.checks.gateway.exercises import truncation
from harness.checks.gateway.upstream_answers import AGENT, FIELDS, refusing
from harness.contract import load, read
from harness.kit.relay import CollectStrays
from harness.wire import COMPLETE, At, Body, By, Chunk, Ending, How, Pause, PieceBody, Request, Response
from lab.gateways.mutant import Gateway, read_body
from tests.benches.gateway.inprocess import Sides, bench_through, play_all

_OWN_ERROR = b'data: {"error": {"message": "upstream broke", "code": "502"}}\n\n'
SCRIPT = {"deltas": ["a", "b", "c"], "thought": False, "times": 0}


def test_a_hang_up_is_written_down() -> None:
    """If the client disconnects, the record of the upstream ends where the client did."""
    in_flight = Sides().open("x.stream", script=SCRIPT)
    in_flight.read(2)
    passage = in_flight.close()
    assert passage.answer is not None
    assert (passage.answer.ending.by, passage.answer.ending.how) == (By.CLIENT, How.FIN)
    assert passage.answer.body.count(b"data: ") >= 2
    assert b"[DONE]" not in passage.answer.body


class Busy(Gateway):
    """A gateway that makes a request of its own before each request, and sends every create twice."""

    def __call__(self, request: Request) -> Response:
        read_body(self.upstream(Request("GET", "/v1beta/interactions/v1_own", request.headers)))
        if request.method == "POST":
            read_body(self.upstream(request))
        return self.upstream(request)


def test_what_belongs_to_a_request() -> None:
    """Creates are matched by their text and GETs by their id; requests of the gateway's own match nothing."""
    line = Sides(Busy)
    create = line.create("x.create")
    assert [call.request.method for call in create.upstream] == ["POST", "POST"]
    got = line.get("x.get", "v1_nothing")
    assert [call.request.raw_path for call in got.upstream] == ["/v1beta/interactions/v1_nothing"]
    strays = line.bench.perform(CollectStrays("x.strays", create.client, 0)).upstream
    assert [call.request.raw_path for call in strays] == ["/v1beta/interactions/v1_own"] * 2


class Polls(Gateway):
    """A gateway that polls a run itself while it relays a GET: `first`, or after it."""

    first = False

    def __call__(self, request: Request) -> Response:
        if request.method != "GET":
            return self.upstream(request)
        poll = Request("GET", request.raw_path, request.headers)
        requests = (poll, request) if self.first else (request, poll)
        responses = {sent is request: self.upstream(sent) for sent in requests}
        read_body(responses[False])
        return responses[True]


@pytest.mark.parametrize("first", [False, True])
def test_a_poll_of_the_gateway_is_not_the_request_of_a_client(first: bool) -> None:
    """A poll beside a stream is one of its own; of two polls the client's is the one whose answer it got."""
    line = Sides(type("Polling", (Polls,), {"first": first}))
    create = line.create("x.create", background=True, script={**SCRIPT, "ticks": 1})
    found = read(create.client).id
    assert found is not None
    got = line.get("x.get", found)
    assert (len(got.upstream), got.answer and got.answer.body) == (2, got.client.body)
    streamed = line.bench.send(line.client.get("x.stream", found, stream=True))
    assert [call.request.query for call in streamed.upstream] == [[("stream", "true")]]
    strays = line.bench.perform(CollectStrays("x.strays", create.client, 0)).upstream
    assert [call.request.target for call in strays] == [f"/v1beta/interactions/{found}"]


class Late(Gateway):
    """A gateway that hangs up on the first GET, and passes it on with the next request, `times` times."""

    times = 1
    kept: Request | None = None

    def __call__(self, request: Request) -> Response:
        if self.kept is None and request.method == "GET":
            self.kept = request
            return Response.dead(Ending(By.SERVER, How.FIN, At.BEFORE_HEADERS))
        for _ in range(self.times if self.kept else 0):
            read_body(self.upstream(self.kept))
        return self.upstream(request)


class LateTwice(Late):
    """It passes it on twice."""

    times = 2


@pytest.mark.parametrize(("gateway", "own"), [(Late, 0), (LateTwice, 1)])
def test_what_a_client_gave_up_may_come_late(gateway: type[Late], own: int) -> None:
    """A request that had no answer, and arrives after its client has gone, is no request of the gateway's own."""
    line = Sides(gateway)
    create = line.create("x.create")
    assert line.get("x.get", "v1_nothing").stayed
    deleted = line.bench.send(line.client.delete("x.delete", "v1_other"))
    assert [call.request.method for call in deleted.upstream] == ["DELETE"]
    strays = line.bench.perform(CollectStrays("x.strays", create.client, 0)).upstream
    assert [call.request.raw_path for call in strays] == ["/v1beta/interactions/v1_nothing"] * own


class RefusesTheFirst(Gateway):
    """A gateway that refuses the first stream."""

    refused = False

    def __call__(self, request: Request) -> Response:
        if b'"stream"' in request.body and not self.refused:
            self.refused = True
            return Response.json(429, b'{"error": {"code": "overloaded", "message": "Later."}}')
        return self.upstream(request)


def test_a_refused_request_takes_no_call_of_those_beside_it() -> None:
    """Of requests at the same time, each has the call that is certainly its own, and a refused one has none."""
    line = Sides(RefusesTheFirst)
    scripts = {f"x.{word}": SCRIPT for word in ("one", "two", "three")}
    one, *rest = line.bench.perform(line.client.together(scripts, refusing(503, "service_unavailable", "no")))
    assert (one.client.status, one.upstream, one.misrouted) == (429, (), ())
    assert [relayed.answer and relayed.answer.request.body for relayed in rest] == [
        relayed.client.request.body for relayed in rest
    ]


def test_a_request_that_nobody_finished_is_no_stray() -> None:
    """A call of a client is none of the gateway's own, also if its exercise ended before it came."""
    line = Sides()
    create = line.create("x.create")
    line.open("x.left", script=SCRIPT)
    assert line.bench.perform(CollectStrays("x.strays", create.client, 0)).upstream == ()


class Slow(Gateway):
    """A gateway that buffers until the upstream pauses or ends, and discards it if the answer broke off."""

    def relay_stream(self, request: Request, body: Body) -> Body:
        come = list(takewhile(lambda piece: not isinstance(piece, Pause), body))
        last = come[-1] if come else COMPLETE
        broken = isinstance(last, Ending) and not last.complete
        return PieceBody((Chunk(_OWN_ERROR), COMPLETE) if broken else chain(come, body), on_close=body.close)


def test_a_slow_gateway_has_the_events_before_their_stream_breaks() -> None:
    """A stream breaks only after the client has seen its beginning, even through a gateway that buffers."""
    bench = bench_through(Slow)
    passages = play_all(bench, truncation.run(bench.client))
    broken = [passage for passage in passages if passage.answer and not passage.answer.ending.complete]
    streams = [passage.client for passage in broken if read(passage.client).is_stream]
    assert len(streams) >= 4
    assert not [client for client in streams if b"upstream broke" in client.body]


def test_what_arrives_instead_is_astray() -> None:
    """If a request reaches the upstream as a different one, it is found and recorded as misrouted."""

    class Elsewhere(Gateway):
        def relay_request(self, request: Request) -> Request:
            return Request(request.method, request.target + "/elsewhere", request.headers, request.body)

    passage = (line := Sides(Elsewhere)).bench.send(line.client.delete("x.delete", "v1_a"))
    assert passage.upstream == ()
    assert [call.request.raw_path for call in passage.misrouted] == ["/v1beta/interactions/v1_a/elsewhere"]
    assert not passage.not_offered


def test_every_documented_field_is_sent() -> None:
    """The fields sent are exactly those of the schema, and each field is in the request made for it."""
    documented = set(load().schemas.document("requests/create-interaction")["$defs"]["fields"]["properties"])
    assert set(FIELDS) == documented
    assert [name for name, extra in FIELDS.items() if name not in {*extra, "model"}] == []
    assert FIELDS["agent"] == {"agent": AGENT}
