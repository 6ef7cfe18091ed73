"""A client sees the same on a replayed drop as on the real one: the same bytes, the same exception, the same rest.

A raw socket sees every byte and how the connection ended; the SDK and Node show what users' clients make of that.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.benches.record.recorder import Recorder
from harness.cassette import Player, load
from harness.contract import PROTOCOL
from harness.emulator import Emulator
from harness.faults import cut
from harness.interactions import INTERACTIONS
from harness.transport import ServerThread
from harness.transport.http1.reader import Data, ResponseReader
from harness.wire import Decoder, Service
from tests.transport.peers import raw_exchange

pytestmark = pytest.mark.e2e

BODY = {"model": "gemini-3.8-flash", "input": "Count to three.", "background": True, "stream": True}
Seen = list[tuple[Any, str]]
"""For each of the two requests: the bytes or events received, and the name of the exception, or ""."""


def rest_of(received: bytes) -> str:
    """Return the target that resumes the stream of which `received` is the beginning."""
    events = [json.loads(frame.data) for frame in Decoder().feed(received)]
    identity = next(found for event in events if (found := PROTOCOL.stream_id(event)))
    cursor = [found for event in events if (found := PROTOCOL.cursor(event))][-1]
    return f"/v1beta/interactions/{identity}?stream=true&last_event_id={cursor}"


def with_a_raw_socket(url: str) -> Seen:
    """A raw socket: all bytes, head included, and how the connection closed if the answer is incomplete."""
    port = int(url.rpartition(":")[2])

    def read(request: str, body: bytes = b"") -> tuple[tuple[bytes, str], bytes]:
        fields = f"host: h\r\nx-goog-api-key: any-key-of-mine\r\ncontent-length: {len(body)}\r\nconnection: close"
        received, closed = raw_exchange(port, f"{request} HTTP/1.1\r\n{fields}\r\n\r\n".encode() + body)
        reader = ResponseReader("POST")
        events = b"".join(event.data for event in reader.feed(received) if isinstance(event, Data))
        return (received, "" if reader.fin().complete and closed == "fin" else closed), events

    first, events = read("POST /v1beta/interactions", json.dumps(BODY).encode())
    rest, _ = read(f"GET {rest_of(events)}")
    return [first, rest]


def with_the_sdk(url: str) -> Seen:
    """google-genai, sync."""
    genai = pytest.importorskip("google.genai")
    client = genai.Client(api_key="any-key-of-mine", http_options=genai.types.HttpOptions(base_url=url))
    seen: list[Any] = []

    def read(open_stream: Callable[[], Any]) -> tuple[list[str], str]:
        events: list[str] = []
        try:
            for event in open_stream():
                seen.append(event)
                events.append(repr(event))
        except Exception as error:
            return events, type(error).__name__
        return events, ""

    try:
        first = read(lambda: client.interactions.create(**BODY))
        identity = next(event.interaction.id for event in seen if getattr(event, "interaction", None))
        rest = read(lambda: client.interactions.get(identity, stream=True, last_event_id=seen[-1].event_id))
        return [first, rest]
    finally:
        client.close()


FETCH = """
const [url, method, body] = process.argv.slice(1);
const headers = {"x-goog-api-key": "any-key-of-mine", "content-type": "application/json"};
const parts = [];
let failed = "";
try {
  const answer = await fetch(url, {method, headers, body: body || undefined});
  for await (const part of answer.body) parts.push(Buffer.from(part));
} catch (error) { failed = error.name; }  // its cause is ECONNRESET or UND_ERR_SOCKET, as it happens
process.stdout.write(JSON.stringify({body: Buffer.concat(parts).toString("base64"), failed}));
"""


def with_fetch(url: str) -> Seen:
    """Node's fetch."""
    if shutil.which("node") is None:
        pytest.skip("there is no node")

    def read(method: str, target: str, body: str = "") -> tuple[bytes, str]:
        command = ["node", "--input-type=module", "-e", FETCH, url + target, method, body]
        said = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=30).stdout)
        return base64.b64decode(said["body"]), said["failed"]

    first = read("POST", "/v1beta/interactions", json.dumps(BODY))
    return [first, read("GET", rest_of(first[0]))]


CLIENTS: dict[str, Callable[[str], Seen]] = {
    "raw socket": with_a_raw_socket,
    "google-genai": with_the_sdk,
    "node-fetch": with_fetch,
}


def against(service: Service, client: Callable[[str], Seen]) -> Seen:
    """Return what the client sees of a service behind a real port."""
    with ServerThread(service) as server:
        return client(server.url)


@pytest.mark.slow
@pytest.mark.parametrize("plan", ["event:5+60,rst", "event:5,fin"])
@pytest.mark.parametrize("name", CLIENTS)
def test_a_replay_is_to_a_client_what_the_server_was(name: str, plan: str, tmp_path: Path) -> None:
    """Directly, while being recorded, and on replay, a client gets the same, run after run."""
    client = CLIENTS[name]
    direct = against(cut(Emulator(), plan, PROTOCOL), client)
    path = tmp_path / "a.yaml"
    with (
        ServerThread(cut(Emulator(), plan, PROTOCOL)) as server,
        Recorder(server.url, path, INTERACTIONS, encoding="identity") as recorder,
    ):
        assert client(recorder.url) == direct
    recordings = load(path).recordings
    for _ in range(2):
        assert against(Player(recordings, PROTOCOL), client) == direct
    assert direct[0][1] != ""
    assert direct[1][1] == ""
