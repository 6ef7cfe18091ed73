"""Makes `cassettes/emulator/`: real clients talk to the emulator through our own tap, over real sockets.

`python -m tests.e2e.emulator_library cassettes/emulator` records the whole library again, or only the cassettes
named after the folder. Each one starts with a fresh emulator of the same seed.
`tests/e2e/test_emulator_library.py` records the library into another folder and finds no drift.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import httpx
from google import genai

from harness.benches.record import Recorder
from harness.cassette import Provenance, Target
from harness.contract import CURRENT, PROTOCOL
from harness.emulator import Emulator
from harness.faults import cut
from harness.interactions import INTERACTIONS
from harness.transport import ServerThread

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


class Entry(NamedTuple):
    """A cassette: the client that makes it, the emulator's scripts, and the fault plan for the connections."""

    drive: Callable[[str], None]
    scripts: tuple[Script, ...] = ()
    fault: str = ""
    note: str = ""


LIBRARY: dict[str, Entry] = {}


def cassette(
    *scripts: Script, fault: str = "", note: str = ""
) -> Callable[[Callable[[str], None]], Callable[[str], None]]:
    """Register a function that takes the recorder's URL as a cassette of the same name.

    `scripts` are the answers to the creates (emulator-reference.md), `fault` is a fault plan (docs/faults.md),
    and `note` tells its readers what is meant so.
    """

    def register(drive: Callable[[str], None]) -> Callable[[str], None]:
        LIBRARY[drive.__name__.replace("_", "-")] = Entry(drive, scripts, fault, note)
        return drive

    return register


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
    import json

    from harness.wire import Decoder

    frames = Decoder().feed(received)
    return [json.loads(frame.data) for frame in frames if frame.data != PROTOCOL.sentinel]


# Lifecycle and chaining, with the SDK.


@cassette()
def lifecycle(url: str) -> None:
    """Create, read and delete an interaction, then try to read it again."""
    with sdk(url) as interactions:
        made = interactions.create(model=MODEL, input="Say hi.")
        interactions.get(made.id)
        interactions.delete(made.id)
        with contextlib.suppress(Exception):
            interactions.get(made.id)


@cassette()
def background(url: str) -> None:
    """A background run that is polled until it has settled."""
    with sdk(url) as interactions:
        settle(interactions, interactions.create(model=MODEL, input="Think.", background=True).id)


@cassette()
def cancelled(url: str) -> None:
    """A background run that is cancelled."""
    with sdk(url) as interactions:
        made = interactions.create(model=MODEL, input="Think for long.", background=True)
        interactions.cancel(made.id)
        settle(interactions, made.id)


@cassette({"text": "Too late.", "ticks": 20, "cancel_lag": 3})
def cancelled_late(url: str) -> None:
    """A background run whose cancel does not show in the next three polls."""
    with sdk(url) as interactions:
        made = interactions.create(model=MODEL, input="Think for long.", background=True)
        interactions.get(made.id)
        interactions.cancel(made.id)
        settle(interactions, made.id)


@cassette({"status": "failed"})
def failed(url: str) -> None:
    """A background run that fails."""
    with sdk(url) as interactions:
        settle(interactions, interactions.create(model=MODEL, input="Think.", background=True).id)


@cassette({"text": "As far as it goes", "status": "incomplete"})
def incomplete(url: str) -> None:
    """A background run that stops at a limit and keeps what it has."""
    with sdk(url) as interactions:
        settle(interactions, interactions.create(model=MODEL, input="Tell all.", background=True).id)


@cassette({"text": "At last.", "queued": 2})
def queued(url: str) -> None:
    """A background run that two polls show as queued before it starts."""
    with sdk(url) as interactions:
        settle(interactions, interactions.create(model=MODEL, input="Think.", background=True).id)


@cassette({"text": "Never read.", "ticks": 20})
def deleted_while_running(url: str) -> None:
    """A background run that is deleted while it runs: the next poll gets 404."""
    with sdk(url) as interactions:
        made = interactions.create(model=MODEL, input="Think for long.", background=True)
        interactions.get(made.id)
        interactions.delete(made.id)
        with contextlib.suppress(Exception):
            interactions.get(made.id)


@cassette({"text": "The first half, ", "status": "requires_continuation"}, {"text": "and the second."})
def continuation(url: str) -> None:
    """An answer in two parts; the SDK requests the second one by itself."""
    with sdk(url) as interactions:
        interactions.create(model=MODEL, input="Tell all.")


@cassette({"text": "The first half, ", "status": "requires_continuation"}, {"text": "and the second."})
def continuation_stream(url: str) -> None:
    """An answer in two parts, each of them a stream."""
    with sdk(url) as interactions:
        read(interactions.create(model=MODEL, input="Tell all.", stream=True))


@cassette()
def requires_action(url: str) -> None:
    """A background run that waits for a function result, and a second run that continues with it."""
    with sdk(url) as interactions:
        question = {
            "model": MODEL,
            "input": "How is the weather in Paris?",
            "tools": [WEATHER],
            "background": True,
        }
        asked = settle(interactions, interactions.create(**question).id)
        answer = {"input": [result_of(asked)], "previous_interaction_id": asked.id}
        settle(interactions, interactions.create(**{**question, **answer}).id)


@cassette()
def chain(url: str) -> None:
    """Three turns, each chained to the one before; the last one is streamed."""
    with sdk(url) as interactions:
        one = interactions.create(model=MODEL, input="My name is Ada.")
        two = interactions.create(model=MODEL, input="What is my name?", previous_interaction_id=one.id)
        read(interactions.create(model=MODEL, input="Spell it.", previous_interaction_id=two.id, stream=True))


@cassette()
def background_chain(url: str) -> None:
    """Two background runs; the second is chained to the first once that has settled."""
    with sdk(url) as interactions:
        one = interactions.create(model=MODEL, input="My name is Ada.", background=True)
        settle(interactions, one.id)
        two = interactions.create(
            model=MODEL, input="What is my name?", previous_interaction_id=one.id, background=True
        )
        settle(interactions, two.id)


@cassette()
def tool_loop(url: str) -> None:
    """A function call, its result, and the final answer."""
    with sdk(url) as interactions:
        asked = interactions.create(model=MODEL, input="How is the weather in Paris?", tools=[WEATHER])
        interactions.create(
            model=MODEL, input=[result_of(asked)], tools=[WEATHER], previous_interaction_id=asked.id
        )


@cassette()
def chain_fork(url: str) -> None:
    """Two turns chained to the same one, independent of each other."""
    with sdk(url) as interactions:
        one = interactions.create(model=MODEL, input="My name is Ada.")
        for question in ("What is my name?", "Spell it."):
            interactions.create(model=MODEL, input=question, previous_interaction_id=one.id)


@cassette()
def chain_tools(url: str) -> None:
    """A chain with a function call in the middle: a call, its result, and a turn about the answer."""
    with sdk(url) as interactions:
        one = interactions.create(model=MODEL, input="I am in Paris.")
        asked = interactions.create(
            model=MODEL, input="How is the weather?", tools=[WEATHER], previous_interaction_id=one.id
        )
        told = interactions.create(
            model=MODEL, input=[result_of(asked)], tools=[WEATHER], previous_interaction_id=asked.id
        )
        interactions.create(model=MODEL, input="Do I need a coat?", previous_interaction_id=told.id)


@cassette()
def chain_running(url: str) -> None:
    """A turn chained to a running interaction is refused; once that has settled, it is accepted."""
    with sdk(url) as interactions:
        one = interactions.create(model=MODEL, input="My name is Ada.", background=True)
        turn = {"model": MODEL, "input": "What is my name?", "previous_interaction_id": one.id}
        with contextlib.suppress(Exception):
            interactions.create(**turn)
        settle(interactions, one.id)
        interactions.create(**turn)


@cassette()
def chain_deleted(url: str) -> None:
    """A turn chained to a deleted interaction is refused; one chained to its child still has the history."""
    with sdk(url) as interactions:
        one = interactions.create(model=MODEL, input="My name is Ada.")
        two = interactions.create(model=MODEL, input="Spell it.", previous_interaction_id=one.id)
        interactions.delete(one.id)
        with contextlib.suppress(Exception):
            interactions.create(model=MODEL, input="What is my name?", previous_interaction_id=one.id)
        interactions.create(model=MODEL, input="What is my name?", previous_interaction_id=two.id)


@cassette()
def agent(url: str) -> None:
    """An agent's run in a fresh environment, and a second turn in the same environment."""
    with sdk(url) as interactions:
        made = interactions.create(agent=AGENT, input="Say hi.", environment="remote", background=True)
        place = settle(interactions, made.id).environment_id
        more = interactions.create(
            agent=AGENT, input="Again.", environment=place, background=True, previous_interaction_id=made.id
        )
        settle(interactions, more.id)


# Complete streams.


@cassette()
def stream(url: str) -> None:
    """A streamed create."""
    with sdk(url) as interactions:
        read(interactions.create(model=MODEL, input="Count to three.", stream=True))


@cassette()
def background_stream(url: str) -> None:
    """A background run whose events all have ids, streamed from the start and again from the middle."""
    with sdk(url) as interactions:
        made = interactions.create(model=MODEL, input="Think aloud.", background=True)
        events = read(interactions.get(made.id, stream=True))
        middle = events[len(events) // 2].event_id
        read(interactions.get(made.id, stream=True, last_event_id=middle))
        interactions.get(made.id)


@cassette()
def tool_stream(url: str) -> None:
    """A streamed function call."""
    with sdk(url) as interactions:
        read(interactions.create(model=MODEL, input="How is the weather in Paris?", tools=[WEATHER], stream=True))


# Streams that break, and how a client continues.

BACKGROUND = {"model": MODEL, "input": "Count to three.", "background": True, "stream": True}


@cassette(fault="event:5+60,rst")
def dropped_rst(url: str) -> None:
    """Reset inside the sixth event, then resumed to the end."""
    with Wire(url) as wire:
        wire.resume(wire.stream("POST", "/interactions", BACKGROUND))


@cassette(fault="event:5,fin")
def dropped_fin(url: str) -> None:
    """Closed after the fifth event without the end of the chunked body, then resumed to the end."""
    with Wire(url) as wire:
        wire.resume(wire.stream("POST", "/interactions", BACKGROUND))


@cassette(fault="event:5+60,rst/event:2,fin")
def dropped_twice(url: str) -> None:
    """Reset, resumed, closed again, then resumed to the end."""
    with Wire(url) as wire:
        first = wire.stream("POST", "/interactions", BACKGROUND)
        second = wire.resume(first)
        wire.resume(first[: first.rindex(b"\n\n") + 2] + second)


@cassette(fault="utf8:3,rst")
def dropped_in_character(url: str) -> None:
    """Reset in the middle of a multi-byte character, then resumed to the end."""
    with Wire(url) as wire:
        wire.resume(wire.stream("POST", "/interactions", BACKGROUND))


@cassette(
    fault="event:5,end",
    note="The stream ends without its final event on purpose: a client must notice it and poll.",
)
def truncated(url: str) -> None:
    """A clean end without completion: only the missing last event shows it, and the client polls."""
    with Wire(url) as wire:
        received = wire.stream("POST", "/interactions", BACKGROUND)
        for _ in range(50):
            if wire.ask("GET", f"/interactions/{identity_of(received)}").json()["status"] != "in_progress":
                break


@cassette(fault="event:5,stall")
def stalled(url: str) -> None:
    """Silence after the fifth event until the client times out, disconnects and resumes."""
    with Wire(url) as wire:
        wire.resume(wire.stream("POST", "/interactions", BACKGROUND, timeout=0.5))


@cassette(fault="starts=before-headers,rst")
def dropped_before_headers(url: str) -> None:
    """A create whose answer is lost, and the same create again."""
    with Wire(url) as wire:
        for _ in range(2):
            wire.stream("POST", "/interactions", {"model": MODEL, "input": "Count to three.", "stream": True})


@cassette({"text": "Never all of it.", "error_event": {"after": 5, "code": "api_error", "message": "Try again."}})
def error_in_stream(url: str) -> None:
    """An error event in place of the rest; the run goes on and is resumed from the last event that had an id."""
    with Wire(url) as wire:
        wire.resume(wire.stream("POST", "/interactions", BACKGROUND))


@cassette({"status": "failed", "error_event": {"after": 5, "code": "api_error", "message": "It broke."}})
def failed_stream(url: str) -> None:
    """A stream whose run fails: its error event, and the answer of a poll afterwards."""
    with Wire(url) as wire:
        received = wire.stream("POST", "/interactions", BACKGROUND)
        wire.ask("GET", f"/interactions/{identity_of(received)}")


# Errors.


@cassette(fault="all=pass,times:6/status:429,retry-after:2/status:503,retry-after-ms:250")
def errors(url: str) -> None:
    """Requests that are refused for good, then temporary refusals."""
    create = {"model": MODEL, "input": "Say hi."}
    with Wire(url) as wire:
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
    clients = "httpx" if entry.drive.__code__.co_names.count("Wire") else "google-genai"
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
    ):
        entry.drive(recorder.url)
    if recorder.summary.unrecorded:
        raise AssertionError(f"{name}: {recorder.summary.unrecorded}")
    return path


if __name__ == "__main__":
    where, names = Path(sys.argv[1]), sys.argv[2:]
    for old in [] if names else where.glob("*.yaml"):
        old.unlink()
    for each in names or LIBRARY:
        sys.stdout.write(f"{record(each, where, port=8000)}\n")
