"""Makes `cassettes/emulator/`: real clients talk to the emulator through our own tap, over real sockets.

`python -m tests.e2e.emulator_library cassettes/emulator` records the whole library again, or only the cassettes
named after the folder. Each one starts with a fresh emulator of the same seed.
`tests/e2e/test_emulator_library.py` records the library into another folder and finds no drift.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from google import genai

from harness.benches.record.recorder import Recorder
from harness.cassette import Provenance, Target
from harness.contract import CURRENT, PROTOCOL
from harness.emulator import Emulator
from harness.faults import cut
from harness.interactions import INTERACTIONS
from harness.transport import ServerThread
from harness.wire import Decoder

KEY = "harness-library-key"
MODEL = "gemini-3.8-flash"
AGENT = "antigravity-preview-09-2026"
RECORDED = "2026-11-28"
"""The day the recordings in the repository were made; update it when recording again."""

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}


Script = Mapping[str, Any]
Drive = Callable[[Any], None]


class Entry(NamedTuple):
    """A cassette: what a client does, the emulator's scripts, and the fault plan for the connections."""

    drive: Drive
    client: Callable[[str], contextlib.AbstractContextManager[Any]]
    scripts: tuple[Script, ...] = ()
    fault: str = ""
    note: str = ""


LIBRARY: dict[str, Entry] = {}


@contextlib.contextmanager
def sdk(url: str) -> Iterator[Any]:
    """The interactions of a google-genai client for the server at `url`."""
    with closing(genai.Client(api_key=KEY, http_options=genai.types.HttpOptions(base_url=url))) as client:
        yield client.interactions


def settle(interactions: Any, identity: str) -> Any:
    """Poll until the run has settled; every poll advances the emulator."""
    for _ in range(50):
        interaction = interactions.get(identity)
        if interaction.status not in ("in_progress", "queued"):
            return interaction
    raise AssertionError(f"{identity} never settled")


def read(stream: Any) -> list[Any]:
    """Read all events of a stream of the SDK."""
    with closing(stream) as events:
        return list(events)


def result_of(asked: Any) -> dict[str, Any]:
    """Return a result for the function call that the interaction waits for."""
    call = next(step for step in asked.steps if step.type == "function_call")
    return {"type": "function_result", "call_id": call.id, "name": call.name, "result": {"sky": "sunny"}}


class Wire:
    """A plain httpx client, for what the SDK would hide: errors, and streams that break."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=f"{url}/v1beta", headers={"x-goog-api-key": KEY}, timeout=10)

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def ask(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """Send one request and read the whole answer."""
        return self._client.request(method, path, json=body, **options)

    def stream(self, method: str, path: str, body: Any = None, **options: Any) -> bytes:
        """Return the bytes that arrive of a stream, even if it breaks."""
        received = b""
        with (
            contextlib.suppress(httpx.TransportError),
            self._client.stream(method, path, json=body, **options) as answer,
        ):
            for data in answer.iter_raw():
                received += data
        return received

    def resume(self, received: bytes) -> bytes:
        """Resume the stream of which `received` is the beginning, and return the rest."""
        events = [value for value in _events(received) if PROTOCOL.cursor(value)]
        query = {"stream": "true", "last_event_id": PROTOCOL.cursor(events[-1])}
        return self.stream("GET", f"/interactions/{identity_of(received)}", params=query)


def identity_of(received: bytes) -> str:
    """Return the id of the interaction whose stream begins with `received`."""
    return next(found for value in _events(received) if (found := PROTOCOL.stream_id(value)))


def _events(received: bytes) -> list[Any]:
    frames = Decoder().feed(received)
    return [json.loads(frame.data) for frame in frames if frame.data != PROTOCOL.sentinel]


def with_sdk(*scripts: Script, name: str = "") -> Callable[[Drive], Drive]:
    """Register a function of the SDK's interactions as a cassette of its name; `scripts` answer its creates."""

    def register(drive: Drive) -> Drive:
        LIBRARY[name or drive.__name__.replace("_", "-")] = Entry(drive, sdk, scripts)
        return drive

    return register


def with_httpx(*scripts: Script, fault: str = "", note: str = "", name: str = "") -> Callable[[Drive], Drive]:
    """Register a function of a `Wire`; `fault` is a fault plan, `note` tells readers what is meant so."""

    def register(drive: Drive) -> Drive:
        LIBRARY[name or drive.__name__.replace("_", "-")] = Entry(drive, Wire, scripts, fault, note)
        return drive

    return register


# Lifecycle and chaining, with the SDK.


@with_sdk()
def lifecycle(interactions: Any) -> None:
    """Create, read and delete an interaction, then try to read it again."""
    made = interactions.create(model=MODEL, input="Say hi.")
    interactions.get(made.id)
    interactions.delete(made.id)
    with contextlib.suppress(Exception):
        interactions.get(made.id)


def poll(asked: str) -> Drive:
    """A background run that is polled until it has settled."""
    return lambda interactions: settle(
        interactions, interactions.create(model=MODEL, input=asked, background=True).id
    )


with_sdk(name="background")(poll("Think."))
with_sdk({"status": "failed"}, name="failed")(poll("Think."))
with_sdk({"text": "As far as it goes", "status": "incomplete"}, name="incomplete")(poll("Tell all."))
with_sdk({"text": "At last.", "queued": 2}, name="queued")(poll("Think."))


@with_sdk()
def cancelled(interactions: Any) -> None:
    """A background run that is cancelled."""
    made = interactions.create(model=MODEL, input="Think for long.", background=True)
    interactions.cancel(made.id)
    settle(interactions, made.id)


@with_sdk({"text": "Too late.", "ticks": 20, "cancel_lag": 3})
def cancelled_late(interactions: Any) -> None:
    """A background run whose cancel does not show in the next three polls."""
    made = interactions.create(model=MODEL, input="Think for long.", background=True)
    interactions.get(made.id)
    interactions.cancel(made.id)
    settle(interactions, made.id)


@with_sdk({"text": "Never read.", "ticks": 20})
def deleted_while_running(interactions: Any) -> None:
    """A background run that is deleted while it runs: the next poll gets 404."""
    made = interactions.create(model=MODEL, input="Think for long.", background=True)
    interactions.get(made.id)
    interactions.delete(made.id)
    with contextlib.suppress(Exception):
        interactions.get(made.id)


HALVES: tuple[Script, ...] = (
    {"text": "The first half, ", "status": "requires_continuation"},
    {"text": "and the second."},
)


@with_sdk(*HALVES)
def continuation(interactions: Any) -> None:
    """An answer in two parts; the SDK requests the second one by itself."""
    interactions.create(model=MODEL, input="Tell all.")


@with_sdk(*HALVES)
def continuation_stream(interactions: Any) -> None:
    """An answer in two parts, each of them a stream."""
    read(interactions.create(model=MODEL, input="Tell all.", stream=True))


@with_sdk()
def requires_action(interactions: Any) -> None:
    """A background run that waits for a function result, and a second run that continues with it."""
    question = {"model": MODEL, "input": "How is the weather in Paris?", "tools": [WEATHER], "background": True}
    asked = settle(interactions, interactions.create(**question).id)
    answer = {"input": [result_of(asked)], "previous_interaction_id": asked.id}
    settle(interactions, interactions.create(**{**question, **answer}).id)


@with_sdk()
def chain(interactions: Any) -> None:
    """Three turns, each chained to the one before; the last one is streamed."""
    one = interactions.create(model=MODEL, input="My name is Ada.")
    two = interactions.create(model=MODEL, input="What is my name?", previous_interaction_id=one.id)
    read(interactions.create(model=MODEL, input="Spell it.", previous_interaction_id=two.id, stream=True))


@with_sdk()
def background_chain(interactions: Any) -> None:
    """Two background runs; the second is chained to the first once that has settled."""
    one = interactions.create(model=MODEL, input="My name is Ada.", background=True)
    settle(interactions, one.id)
    two = interactions.create(
        model=MODEL, input="What is my name?", previous_interaction_id=one.id, background=True
    )
    settle(interactions, two.id)


@with_sdk()
def tool_loop(interactions: Any) -> None:
    """A function call, its result, and the final answer."""
    asked = interactions.create(model=MODEL, input="How is the weather in Paris?", tools=[WEATHER])
    interactions.create(model=MODEL, input=[result_of(asked)], tools=[WEATHER], previous_interaction_id=asked.id)


@with_sdk()
def chain_fork(interactions: Any) -> None:
    """Two turns chained to the same one, independent of each other."""
    one = interactions.create(model=MODEL, input="My name is Ada.")
    for question in ("What is my name?", "Spell it."):
        interactions.create(model=MODEL, input=question, previous_interaction_id=one.id)


@with_sdk()
def chain_tools(interactions: Any) -> None:
    """A chain with a function call in the middle: a call, its result, and a turn about the answer."""
    one = interactions.create(model=MODEL, input="I am in Paris.")
    asked = interactions.create(
        model=MODEL, input="How is the weather?", tools=[WEATHER], previous_interaction_id=one.id
    )
    told = interactions.create(
        model=MODEL, input=[result_of(asked)], tools=[WEATHER], previous_interaction_id=asked.id
    )
    interactions.create(model=MODEL, input="Do I need a coat?", previous_interaction_id=told.id)


@with_sdk()
def chain_running(interactions: Any) -> None:
    """A turn chained to a running interaction is refused; once that has settled, it is accepted."""
    one = interactions.create(model=MODEL, input="My name is Ada.", background=True)
    turn = {"model": MODEL, "input": "What is my name?", "previous_interaction_id": one.id}
    with contextlib.suppress(Exception):
        interactions.create(**turn)
    settle(interactions, one.id)
    interactions.create(**turn)


@with_sdk()
def chain_deleted(interactions: Any) -> None:
    """A turn chained to a deleted interaction is refused; one chained to its child still has the history."""
    one = interactions.create(model=MODEL, input="My name is Ada.")
    two = interactions.create(model=MODEL, input="Spell it.", previous_interaction_id=one.id)
    interactions.delete(one.id)
    with contextlib.suppress(Exception):
        interactions.create(model=MODEL, input="What is my name?", previous_interaction_id=one.id)
    interactions.create(model=MODEL, input="What is my name?", previous_interaction_id=two.id)


@with_sdk()
def agent(interactions: Any) -> None:
    """An agent's run in a fresh environment, and a second turn in the same environment."""
    made = interactions.create(agent=AGENT, input="Say hi.", environment="remote", background=True)
    place = settle(interactions, made.id).environment_id
    more = interactions.create(
        agent=AGENT, input="Again.", environment=place, background=True, previous_interaction_id=made.id
    )
    settle(interactions, more.id)


# Complete streams.


@with_sdk()
def stream(interactions: Any) -> None:
    """A streamed create."""
    read(interactions.create(model=MODEL, input="Count to three.", stream=True))


@with_sdk()
def background_stream(interactions: Any) -> None:
    """A background run whose events all have ids, streamed from the start and again from the middle."""
    made = interactions.create(model=MODEL, input="Think aloud.", background=True)
    events = read(interactions.get(made.id, stream=True))
    middle = events[len(events) // 2].event_id
    read(interactions.get(made.id, stream=True, last_event_id=middle))
    interactions.get(made.id)


@with_sdk()
def tool_stream(interactions: Any) -> None:
    """A streamed function call."""
    read(interactions.create(model=MODEL, input="How is the weather in Paris?", tools=[WEATHER], stream=True))


# Streams that break, and how a client continues.

BACKGROUND = {"model": MODEL, "input": "Count to three.", "background": True, "stream": True}


def resume(**options: Any) -> Drive:
    """A stream that breaks, then resumed to the end from the last event that had an id."""
    return lambda wire: wire.resume(wire.stream("POST", "/interactions", BACKGROUND, **options))


with_httpx(fault="event:5+60,rst", name="dropped-rst")(resume())
with_httpx(fault="event:5,fin", name="dropped-fin")(resume())
with_httpx(fault="utf8:3,rst", name="dropped-in-character")(resume())
with_httpx(fault="event:5,stall", name="stalled")(resume(timeout=0.5))
with_httpx(
    {"text": "Never all of it.", "error_event": {"after": 5, "code": "api_error", "message": "Try again."}},
    name="error-in-stream",
)(resume())


@with_httpx(fault="event:5+60,rst/event:2,fin")
def dropped_twice(wire: Wire) -> None:
    """Reset, resumed, closed again, then resumed to the end."""
    first = wire.stream("POST", "/interactions", BACKGROUND)
    second = wire.resume(first)
    wire.resume(first[: first.rindex(b"\n\n") + 2] + second)


@with_httpx(
    fault="event:5,end",
    note="The stream ends without its final event on purpose: a client must notice it and poll.",
)
def truncated(wire: Wire) -> None:
    """A clean end without completion: only the missing last event shows it, and the client polls."""
    received = wire.stream("POST", "/interactions", BACKGROUND)
    for _ in range(50):
        if wire.ask("GET", f"/interactions/{identity_of(received)}").json()["status"] != "in_progress":
            break


@with_httpx(fault="starts=before-headers,rst")
def dropped_before_headers(wire: Wire) -> None:
    """A create whose answer is lost, and the same create again."""
    for _ in range(2):
        wire.stream("POST", "/interactions", {"model": MODEL, "input": "Count to three.", "stream": True})


@with_httpx({"status": "failed", "error_event": {"after": 5, "code": "api_error", "message": "It broke."}})
def failed_stream(wire: Wire) -> None:
    """A stream whose run fails: its error event, and the answer of a poll afterwards."""
    received = wire.stream("POST", "/interactions", BACKGROUND)
    wire.ask("GET", f"/interactions/{identity_of(received)}")


@with_httpx(fault="all=pass,times:6/status:429,retry-after:2/status:503,retry-after-ms:250")
def errors(wire: Wire) -> None:
    """Requests that are refused for good, then temporary refusals."""
    create = {"model": MODEL, "input": "Say hi."}
    wire.ask("GET", "/interactions/v1_bm90LXRoZXJl")
    wire.ask("POST", "/interactions", {"input": "Say hi."})
    wire.ask("POST", "/interactions", {**create, "model": "no-such-model"})
    wire.ask("POST", "/interactions", {**create, "session_id": "x"})
    wire.ask("POST", "/interactions", {**create, "previous_interaction_id": "v1_bm90LXRoZXJl"})
    wire.ask("POST", "/interactions", create, headers={"x-goog-api-key": ""})
    for _ in range(3):
        wire.ask("POST", "/interactions", create)


def record(name: str, folder: Path, *, port: int = 0) -> Path:
    """Record one cassette of the library; `port` is the emulator's, which is part of the recording."""
    entry, path = LIBRARY[name], folder / f"{name}.yaml"
    clients = "httpx" if entry.client is Wire else "google-genai"
    provenance = Provenance(
        recorder=f"harness tap, {clients} (tests/e2e/emulator_library.py)",
        target=Target.EMULATOR,
        recorded=RECORDED,
        api="interactions",
        revision=CURRENT,
        note=entry.note,
    )
    emulator = Emulator()
    for script in entry.scripts:
        emulator.script(script)
    service = cut(emulator, entry.fault, PROTOCOL) if entry.fault else emulator
    with (
        ServerThread(service, port=port, clock=emulator.clock) as server,
        Recorder(
            server.url, path, INTERACTIONS, mode="all", encoding="identity", provenance=provenance
        ) as recorder,
        entry.client(recorder.url) as client,
    ):
        entry.drive(client)
    if recorder.summary.unrecorded:
        raise AssertionError(f"{name}: {recorder.summary.unrecorded}")
    return path


if __name__ == "__main__":
    where, names = Path(sys.argv[1]), sys.argv[2:]
    for old in [] if names else where.glob("*.yaml"):
        old.unlink()
    for each in names or LIBRARY:
        sys.stdout.write(f"{record(each, where, port=8000)}\n")
