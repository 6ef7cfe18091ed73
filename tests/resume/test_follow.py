"""The resume helper against the emulator: every kind of drop, each client library, sync and async."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import httpx2
import pytest

from harness.contract import PROTOCOL
from harness.emulator import Emulator, Settings
from harness.faults import cut, every_event, structural
from harness.outcome import UsageFault
from harness.resume import GaveUp, Refused, RetryLimits, follow, follow_async
from harness.transport import transport
from harness.wire import Chunk, Headers, Request, Response

TEXT = "Déjà vu in 東京 🦊, told in several pieces that belong together."
MODEL = "gemini-3.8-flash"
KEY = {"x-goog-api-key": "key"}
BOUNDS = ("step.start", "step.stop")
ID_SETTINGS = ("all", "deltas", "sparse", "none")


class World:
    """An emulator with one background interaction, and clients whose connections follow a fault plan."""

    def __init__(self, plan: str = "pass", *, script: dict[str, Any] | None = None, **settings: Any) -> None:
        self.emulator = Emulator(Settings(**{"platform": "any", **settings}))
        self.service = cut(self.emulator, plan, PROTOCOL)
        self.slept: list[float] = []
        if script is not None:
            self.emulator.script(script)

    def client(self) -> httpx.Client:
        served = transport(self.service, self.emulator.clock)
        return httpx.Client(transport=served, base_url="http://emulator.test", headers=KEY)

    def create(self, **fields: Any) -> str:
        body = {"model": MODEL, "input": "Tell me.", "background": True, **fields}
        with self.client() as client:
            answer = client.post("/v1beta/interactions", json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    def follow(self, interaction_id: str | None = None, **options: Any) -> Any:
        return follow(self.client(), interaction_id, sleep=self.slept.append, **options)


def whole_body() -> bytes:
    """The bytes of an uninterrupted stream."""
    world = World(script={"text": TEXT})
    target = f"/v1beta/interactions/{world.create()}?stream=true"
    body = world.emulator(Request("GET", target, Headers(KEY.items()))).body
    return b"".join(getattr(piece, "data", b"") for piece in body)


def deltas(events: list[Any]) -> str:
    """The text assembled from the events."""
    return "".join(e["delta"]["text"] for e in events if e.get("delta", {}).get("type") == "text")


def assert_whole(stream: Any, events: list[Any]) -> None:
    """Assert that the text came once and in order, and that the completion was noticed."""
    assert deltas(events) == TEXT == stream.text
    kinds = [event["event_type"] for event in events]
    assert kinds.count("interaction.completed") == 1
    bounds = [(event["event_type"], event["index"]) for event in events if event["event_type"] in BOUNDS]
    assert len(set(bounds)) == len(bounds)
    assert kinds[-1] == "interaction.completed"
    assert stream.status == "completed"
    starts = [event["index"] for event in events if event["event_type"] == "step.start"]
    assert starts == [0, 1]


def follow_through(plan: str, **settings: Any) -> World:
    """Follow an interaction through a fault plan, and assert that all of it came."""
    world = World(plan, script={"text": TEXT}, **settings)
    stream = world.follow(world.create())
    assert_whole(stream, list(stream))
    return world


@pytest.mark.parametrize("resume", ["exclusive", "inclusive"])
@pytest.mark.parametrize("event_ids", ID_SETTINGS)
@pytest.mark.parametrize("drop", ["rst", "end"])
def test_every_event(drop: str, event_ids: str, resume: str) -> None:
    """A drop after any event loses and doubles nothing, wherever event ids are and however the server resumes."""
    for place in every_event(whole_body()):
        follow_through(f"{place},{drop}", event_ids=event_ids, resume=resume)


@pytest.mark.slow
@pytest.mark.parametrize(("drop", "event_ids"), [("stall", "deltas"), ("bad-chunk", "none"), ("end", "deltas")])
def test_structural_cuts(drop: str, event_ids: str) -> None:
    """A cut inside an event, a name, a character or a blank line is handled like any other drop."""
    for place in structural(whole_body()):
        follow_through(f"{place},{drop}", event_ids=event_ids)


@pytest.mark.parametrize(
    "plan",
    [
        "error:5+id,event:6,end",
        "error:5,event:6,rst",
        "dup:5,event:7,rst",
        "replay:6+3,event:9,fin",
        "unknown:all,event:9,rst/unknown:all",
        "ping:all,event:4+3,rst/ping:all",
        "crlf,event:5,rst/crlf",
        "chunks:3,byte:700,rst/chunks:3",
        "inclusive,event:5,end/inclusive,event:3,end/inclusive",
        "before-headers,rst/before-headers,fin/headers,rst",
        "status:503,retry-after-ms:1/status:429,retry-after:2/event:3,rst/status:500",
        "ids:3,event:5,rst/ids:3,event:2,rst/ids:3",
        "ids:none,event:5,rst/ids:none",
        "late:30,event:5,rst/late:30",
    ],
)
def test_odd_streams(plan: str) -> None:
    """Errors, duplicates, noise and refusals on the way do not change the events that the caller gets."""
    follow_through(plan)


def test_error_event_is_no_cursor() -> None:
    """The id of an error event is never used as a cursor, because the service would not know it."""
    world = World("error:5+id,event:6,end", script={"text": TEXT})
    stream = world.follow(world.create())
    list(stream)
    asked = [r["target"] for r in world.emulator.requests if "last_event_id" in r["target"]]
    assert len(asked) == 1
    assert stream.connections == 2


@pytest.mark.parametrize("event_ids", ID_SETTINGS)
def test_streams_that_never_finish(event_ids: str) -> None:
    """If every stream dies early, the rest comes from GET, and the events still end with the completion."""
    assert sum(follow_through("event:2,rst,times:all", event_ids=event_ids).slept) < 60


def test_text_in_the_middle_comes_by_get() -> None:
    """If a text was streamed only in part, the fetched interaction supplies the rest, from the right character."""
    follow_through("event:7,rst/status:400,times:all", event_ids="none")


@pytest.mark.parametrize("consistent", [True, False], ids=["get agrees", "get differs"])
def test_another_replay(consistent: bool) -> None:
    """A replay that differs is not joined to the events already seen; GET supplies the rest, if it agrees."""
    world = World("event:7,rst", script={"text": TEXT}, event_ids="none")

    def resplit(request: Request) -> Response:
        response = world.service(request)
        if len(world.service.log) < 2 or (consistent and "stream=true" not in request.target):
            return response
        data = b"".join(piece.data for piece in response.body if isinstance(piece, Chunk))
        return Response.whole(200, response.headers, data.replace(TEXT[:4].encode(), TEXT[:2].encode()))

    with httpx.Client(transport=transport(resplit), base_url="http://x.test", headers=KEY) as client:
        stream = follow(client, world.create(), sleep=world.slept.append)
        if consistent:
            assert_whole(stream, list(stream))
        else:
            with pytest.raises(GaveUp, match="another text"):
                list(stream)
    assert stream.connections == 2


def test_gives_up_on_a_dead_service() -> None:
    """If every connection is reset, it makes a bounded number of attempts with growing pauses, then raises."""
    emulator = Emulator()
    service = cut(emulator, "all=before-headers,rst,times:all", PROTOCOL)
    slept: list[float] = []
    with httpx.Client(transport=transport(service), base_url="http://x.test") as client:
        stream = follow(client, "v1_x", sleep=slept.append, patience=RetryLimits(failures=3))
        with pytest.raises(GaveUp, match="3 attempts in a row"):
            list(stream)
    assert slept == [0.5, 1.0, 2.0, 0.5, 1.0]


def test_waits_only_so_long() -> None:
    """A run that never ends is given up after `waiting` seconds of pauses."""
    world = World("all=pass", script={"text": TEXT, "hold": True})
    found = world.create()
    service = cut(world.emulator, "event:0,end,times:all", PROTOCOL)
    with httpx.Client(transport=transport(service), base_url="http://x.test", headers=KEY) as client:
        stream = follow(client, found, sleep=world.slept.append, patience=RetryLimits(waiting=60))
        with pytest.raises(GaveUp, match="waiting") as gave_up:
            list(stream)
    assert gave_up.value.interaction_id == found
    assert sum(world.slept) <= 60


@pytest.mark.parametrize(("status", "plan"), [(401, "status:401"), (403, "event:3,rst/status:403")])
def test_refused_for_good(status: int, plan: str) -> None:
    """A rejected key is reported at once, without a retry."""
    world = World(plan, script={"text": TEXT})
    stream = world.follow(world.create())
    with pytest.raises(Refused) as refused:
        list(stream)
    assert refused.value.status == status
    assert world.slept == []


@pytest.mark.parametrize("place", [0, 1, 3, 7])
@pytest.mark.parametrize("event_ids", ["all", "none"])
def test_bare_json_that_tells_an_outage_is_a_drop(place: int, event_ids: str) -> None:
    """A stream that ends with a 503 in bare JSON is taken up again, wherever that came."""
    follow_through(f"bare-error:{place}", event_ids=event_ids)


def test_bare_json_that_tells_a_refusal_is_final() -> None:
    """A stream that ends with a refusal in bare JSON is not asked for again, and its message is told."""
    world = World("bare-error:2+refusal", script={"text": TEXT})
    stream = world.follow(create={"model": MODEL, "input": "Hi", "background": True})
    with pytest.raises(Refused, match="prohibited_content: Input blocked") as refused:
        list(stream)
    assert (refused.value.status, refused.value.interaction_id) == (400, stream.id)
    assert world.slept == []
    assert len(world.service.log) == 1


def test_a_create_that_dies_in_bare_json_says_so() -> None:
    """Without an id nothing can be taken up again; the message of the bare JSON is told."""
    world = World("starts=bare-error:0", script={"text": TEXT})
    with pytest.raises(GaveUp, match="503: The service is currently unavailable"):
        list(world.follow(create={"model": MODEL, "input": "Hi"}))


def test_an_outage_that_lasts_is_given_up_with_its_message() -> None:
    """If every connection ends so, following ends with what the service said."""
    world = World("bare-error:0,times:all", script={"text": TEXT, "hold": {"after": 8}})
    with pytest.raises(GaveUp):
        list(world.follow(world.create(), patience=RetryLimits(waiting=20.0)))


def test_deleted_meanwhile() -> None:
    """If a known interaction answers 404, it is reported as gone without waiting."""
    world = World("event:3,rst", script={"text": TEXT})
    found = world.create()
    stream = world.follow(found)
    for _ in range(3):
        next(stream)
    with world.client() as client:
        client.delete(f"/v1beta/interactions/{found}")
    with pytest.raises(Refused, match="404"):
        list(stream)
    assert world.slept == []


@pytest.mark.parametrize("status", ["failed", "incomplete", "cancelled", "requires_action"])
def test_other_ends(status: str) -> None:
    """Following ends with any final status of the run."""
    world = World("event:3,rst/event:1,end", script={"text": TEXT, "status": status})
    stream = world.follow(world.create())
    list(stream)
    assert stream.status == status
    assert stream.interaction["status"] == status


def test_failed_with_an_error_event() -> None:
    """If a run fails in its stream without a completion event, GET supplies the final status."""
    world = World(script={"text": TEXT, "status": "failed", "error_event": {"after": 5}})
    stream = world.follow(world.create())
    kinds = [event["event_type"] for event in stream]
    assert kinds.count("error") == 1
    assert stream.status == "failed"


def test_create_streamed_and_dropped() -> None:
    """A foreground create that drops after its id was received is resumed, and posted only once."""
    world = World("event:4,rst", script={"text": TEXT})
    stream = world.follow(create={"model": MODEL, "input": "Hi"})
    assert_whole(stream, list(stream))
    assert [r["method"] for r in world.emulator.requests].count("POST") == 1


def test_create_without_an_id_is_not_repeated() -> None:
    """A create that drops before its id was received is not posted again, because it may already exist."""
    world = World("starts=event:0+9,rst", script={"text": TEXT})
    with pytest.raises(GaveUp, match="not sent again"):
        list(world.follow(create={"model": MODEL, "input": "Hi"}))
    assert [r["method"] for r in world.emulator.requests].count("POST") == 1


def test_create_refused_for_a_moment() -> None:
    """A create refused with 429 or 503 created nothing, so it is sent again after a pause."""
    world = World("starts=status:503/status:429,retry-after:3", script={"text": TEXT})
    stream = world.follow(create={"model": MODEL, "input": "Hi"})
    assert_whole(stream, list(stream))
    assert world.slept == [0.5, 3.0]


@pytest.mark.parametrize("status", [400, 408, 409, 500, 502, 504])
def test_create_that_may_have_been_made(status: int) -> None:
    """After any other refusal the interaction may exist and be billed, so the create is posted only once."""
    world = World(f"starts=status:{status},times:all", script={"text": TEXT})
    posted = []
    with world.client() as client:
        client.event_hooks["request"].append(posted.append)
        with pytest.raises(Refused) as refused:
            list(follow(client, create={"model": MODEL, "input": "Hi"}, sleep=world.slept.append))
    assert refused.value.status == status
    assert len(posted) == 1
    assert world.slept == []


def test_no_pause_is_longer_than_the_longest() -> None:
    """Pauses double up to `longest`, even if the service asks for an hour."""
    world = World("status:503,retry-after:3600/status:503", script={"text": TEXT})
    found = world.create()
    stream = world.follow(found, patience=RetryLimits(delay=2.0, longest=3.0))
    assert_whole(stream, list(stream))
    assert world.slept == [3.0, 3.0]


def test_service_that_does_not_stream() -> None:
    """If a gateway ignores `stream=true` and answers JSON, the helper polls."""
    world = World(script={"text": TEXT})

    def jsonly(request: Request) -> Any:
        target = request.target.replace("stream=true", "x=1").split("&last_event_id")[0]
        return world.emulator(Request(request.method, target, request.headers, request.body))

    found = world.create()
    with httpx.Client(transport=transport(jsonly), base_url="http://x.test", headers=KEY) as client:
        stream = follow(client, found, sleep=world.slept.append)
        assert_whole(stream, list(stream))
    assert world.slept == [3.0]


def genai_client(world: World) -> Any:
    """google-genai over the in-process transports."""
    genai = pytest.importorskip("google.genai")
    clock = world.emulator.clock
    options = genai.types.HttpOptions(
        base_url="http://emulator.test",
        httpx_client=httpx2.Client(transport=transport(world.service, clock)),
        httpx_async_client=httpx2.AsyncClient(transport=transport(world.service, clock)),
    )
    return genai.Client(api_key="key", http_options=options)


@pytest.mark.parametrize("body", [b"no JSON", b"[]", b'"v1_x"', b'{"status":["completed"],"id":7,"steps":[1]}'])
@pytest.mark.parametrize("library", ["httpx", "google-genai"])
def test_a_get_that_cannot_be_read(library: str, body: bytes) -> None:
    """Whatever GET answers, following ends in bounded time with `GaveUp`, and without warnings."""
    world = World()
    world.service = lambda request: Response.whole(200, Headers([("content-type", "application/json")]), body)
    client = world.client() if library == "httpx" else genai_client(world)
    stream = follow(client, "v1_x", sleep=world.slept.append, patience=RetryLimits(failures=2, waiting=10))
    with pytest.raises(GaveUp) as ended:
        list(stream)
    assert not isinstance(ended.value, Refused), "what cannot be read is no refusal"
    client.close()


def httpx_client(world: World) -> Any:
    """A synchronous httpx client."""
    return world.client()


def httpx2_client(world: World) -> Any:
    """A synchronous client of httpx2, the library that google-genai uses."""
    served = transport(world.service, world.emulator.clock)
    return httpx2.Client(transport=served, base_url="http://emulator.test", headers=KEY)


def async_httpx_client(world: World) -> Any:
    """An asynchronous httpx client."""
    served = transport(world.service, world.emulator.clock)
    return httpx.AsyncClient(transport=served, base_url="http://emulator.test", headers=KEY)


PLANS = ["event:5,rst/event:2+40,end", "event:6+30,fin", "error:5+id,event:6,end", "event:2,rst,times:all"]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("build", [httpx_client, httpx2_client, genai_client])
def test_sync_clients(build: Callable[[World], Any], plan: str) -> None:
    """Every sync client library works with `follow`."""
    world = World(plan, script={"text": TEXT})
    found = world.create()
    client = build(world)
    stream = follow(client, found, sleep=world.slept.append)
    assert_whole(stream, list(stream))
    client.close()


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("build", [async_httpx_client, genai_client])
def test_async_clients(build: Callable[[World], Any], plan: str) -> None:
    """Every async client library works with `follow_async`."""
    world = World(plan, script={"text": TEXT})
    found = world.create()

    async def sleep(seconds: float) -> None:
        world.slept.append(seconds)

    async def run() -> None:
        client = build(world)
        async with follow_async(client, found, sleep=sleep) as stream:
            events = [event async for event in stream]
        assert_whole(stream, events)
        await (client.aio if hasattr(client, "aio") else client).aclose()

    asyncio.run(run())


def test_leaving_early_hangs_up() -> None:
    """Closing the iterator early closes the connection that it was reading."""
    world = World(script={"text": TEXT})
    found = world.create()
    client = world.client()
    with follow(client, found) as stream:
        next(stream)
    assert list(stream) == []
    client.close()


@pytest.mark.parametrize(
    ("client", "arguments", "said"),
    [
        (object(), {"interaction_id": "v1_x"}, "object cannot be followed"),
        (None, {}, "exactly one"),
        (None, {"interaction_id": "v1_x", "create": {}}, "exactly one"),
        (None, {"interaction_id": ""}, "store=false"),
    ],
)
def test_wrong_use(client: object, arguments: dict[str, Any], said: str) -> None:
    """Wrong arguments are rejected before anything is sent."""
    with httpx.Client() as plain, pytest.raises(UsageFault, match=said):
        follow(client or plain, **arguments)


def test_the_other_kind_of_client() -> None:
    """`follow` rejects an async client, `follow_async` a sync one, and the message names the other function."""
    genai = pytest.importorskip("google.genai")
    with pytest.raises(UsageFault, match=r"AsyncClient cannot be followed with.*`follow_async`"):
        follow(genai.Client(api_key="key").aio, "v1_x")
    with pytest.raises(UsageFault, match=r"AsyncClient cannot be followed with.*`follow_async`"):
        follow(httpx.AsyncClient(), "v1_x")
    with httpx.Client() as plain, pytest.raises(UsageFault, match=r"Client cannot be followed with.*`follow`"):
        follow_async(plain, "v1_x")
