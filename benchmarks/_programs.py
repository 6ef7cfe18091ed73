"""Programs that measure one checkout from inside, run by its own interpreter with its own package on the path.

`python _programs.py NAME` prints a JSON object of figures, all of them costs. An older commit is measured by the
same programs, so they use only what stays: the command line, HTTP, the fixtures, and the names that the packages
export. A program that needs a name which a commit lacks prints nothing for it.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

_BODY = json.dumps({"model": "gemini-3.8-flash", "input": "What is 3 times 21?"}).encode()


def _ask(sock: socket.socket, wire: bytes) -> None:
    sock.sendall(wire)
    received = b""
    while b"\r\n\r\n" not in received:
        received += sock.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"the create was answered with {received!r}")
    left = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]) - len(body)
    while left > 0:
        left -= len(sock.recv(65536))


def calls() -> dict[str, float]:
    """Calls of the package's own functions for one create under `harness serve`, from socket to socket."""
    import harness

    own = str(Path(harness.__file__).parent) + os.sep
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    counted = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal counted
        if event == "call" and frame.f_code.co_filename.startswith(own):  # type: ignore[attr-defined]
            counted += 1

    def client() -> None:
        sys.setprofile(None)
        while True:
            try:
                sock = socket.create_connection(("127.0.0.1", port))
                break
            except OSError:
                time.sleep(0.02)
        head = f"POST /v1beta/interactions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nx-goog-api-key: any\r\n"
        wire = f"{head}content-type: application/json\r\ncontent-length: {len(_BODY)}\r\n\r\n".encode() + _BODY
        figures = []
        for _ in range(
            40
        ):  # now and then the thread that looks for deliveries is counted, too: the least is a create
            before = counted
            _ask(sock, wire)
            time.sleep(0.005)
            figures.append(counted - before)
        os.write(3, json.dumps({"calls of own functions": min(figures[5:])}).encode())
        os._exit(0)

    os.dup2(1, 3)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    threading.Thread(target=client).start()
    threading.setprofile(count)
    sys.setprofile(count)
    from harness.cli import main

    sys.argv = ["harness", "serve", "--port", str(port)]
    main(sys.argv[1:])
    raise SystemExit("the server ended")


def startup() -> dict[str, float]:
    """Processor milliseconds until the first create of a process has its response, and of its imports alone.

    What a commit imports late it pays for in the create, so the create alone cannot be compared.
    """

    def lap(work: Callable[[], object]) -> float:
        began = time.process_time()
        work()
        return (time.process_time() - began) * 1e3

    made: list[object] = []

    def imports() -> None:
        from harness.emulator import Emulator
        from harness.transport import ServiceDriver
        from harness.wire import Headers, Request

        made.extend((Emulator, ServiceDriver, Headers, Request))

    def create() -> None:
        emulator_type, driver_type, headers_type, request_type = made
        headers = headers_type([("x-goog-api-key", "k"), ("content-type", "application/json")])  # type: ignore[operator]
        request = request_type("POST", "/v1beta/interactions", headers, _BODY)  # type: ignore[operator]
        if driver_type(emulator_type()).send(request).status != 200:  # type: ignore[operator]
            raise SystemExit("the create failed")

    before = lap(imports)
    return {"imports before it": before, "first create of a process": before + lap(create)}


def dropped() -> dict[str, float]:
    """Processor seconds of 1,000 dropped streams that httpx follows, each judged by the oracle."""
    import httpx

    from harness.plugin import DroppedStream, InteractionsEmulator, cases_of, no_sleep
    from harness.resume import follow

    try:
        from harness.plugin.interactions.dropped_stream import Loop
    except ImportError:
        from harness.plugin.drops import Loop  # type: ignore[no-redef]
    cases = cases_of(cuts="every-byte", endings=("rst",))[:1000]
    emulator = InteractionsEmulator()
    key = {"x-goog-api-key": "key"}
    with httpx.Client(transport=emulator.transport, base_url="http://x.test", headers=key) as client:
        began = time.process_time()
        with no_sleep():
            for stream in DroppedStream(emulator, Loop(tuple(cases))):
                stream.assert_seen_once(list(follow(client, stream.id)))
        spent = time.process_time() - began
    return {
        "1,000 dropped streams": spent * 1000 / len(cases),
        "1,000 dropped streams, httpx alone": _read_constant_streams(len(cases)) * 1000 / len(cases),
    }


def _read_constant_streams(times: int) -> float:
    """Processor seconds of httpx for the same requests, answered with constant bytes: no client needs less."""
    import httpx

    event = b'id: 1\ndata: {"index":0,"delta":{"text":"hello","type":"text"},"event_type":"step.delta"}\n\n'

    class Events(httpx.SyncByteStream):
        def __init__(self, is_cut: bool) -> None:
            self._is_cut = is_cut

        def __iter__(self) -> Iterator[bytes]:
            for _ in range(6):
                yield event
            if self._is_cut:
                raise httpx.ReadError("the connection was reset")

    class Constant(httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            fields = {"content-type": "text/event-stream"}
            return httpx.Response(200, headers=fields, stream=Events(request.method == "POST"))

    body = {"model": "gemini-3.8-flash", "input": "What is 3 times 21?", "stream": True}
    path = "/v1beta/interactions"
    key = {"x-goog-api-key": "key"}
    with httpx.Client(transport=Constant(), base_url="http://x.test", headers=key) as client:
        began = time.process_time()
        for _ in range(times):
            with suppress(httpx.ReadError), client.stream("POST", path, json=body) as cut:
                for _ in cut.iter_bytes():
                    pass
            with client.stream("GET", f"{path}/v1_x?stream=true&last_event_id=1") as rest:
                for _ in rest.iter_bytes():
                    pass
        return time.process_time() - began


_TESTS = """
import time, pytest
FIGURES = []

def test_first(request):
    began = time.process_time()
    request.getfixturevalue("interactions_emulator")
    FIGURES.append(time.process_time() - began)

@pytest.mark.parametrize("number", range(300))
def test_later(request, number):
    began = time.process_time()
    request.getfixturevalue("interactions_emulator")
    FIGURES.append(time.process_time() - began)

def test_told():
    first, *later = FIGURES
    with open("figures", "w") as file:
        file.write(f"{first} {sorted(later)[150]}")
"""


def plugin() -> dict[str, float]:
    """Processor milliseconds of the plugin: collecting nothing beside an empty one, and an emulator for a test."""
    import pytest

    def collect(*plugins: str) -> float:
        here, there = os.pipe()
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            began = time.process_time()
            loaded = (word for name in plugins for word in ("-p", name))
            pytest.main(["--collect-only", "-p", "no:cacheprovider", *loaded])
            os.write(there, str(time.process_time() - began).encode())
            os._exit(0)
        os.close(there)
        with os.fdopen(here) as said:
            seconds = float(said.read())
        os.waitpid(child, 0)
        return seconds

    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        # For a plugin that `-p` names, pytest reads the metadata of all packages: beside an empty plugin, only
        # what is in ours counts, and not how much an environment has installed.
        Path("empty_plugin.py").write_text("")
        sys.path.insert(0, folder)
        pairs = [(collect("empty_plugin"), collect("harness.pytest_plugin")) for _ in range(30)]
        added = min(loaded for _, loaded in pairs) - min(bare for bare, _ in pairs)
        Path("test_fixture.py").write_text(_TESTS)
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os._exit(pytest.main(["-q", "-p", "no:cacheprovider", "-p", "harness.pytest_plugin"]))
        if os.waitpid(child, 0)[1]:
            raise SystemExit("the tests with a fixture failed")
        first, later = map(float, Path("figures").read_text().split())
        os.chdir("/")
    return {
        "pytest, only our plugin, 1 + ms": 1 + max(added, 0.0) * 1e3,  # a difference near 0 has no ratio
        "first emulator of a session": first * 1e3,
        "an emulator for a test": later * 1e3,
    }


def judge() -> dict[str, float]:
    """What judging an event takes beside json.loads of the same events."""
    from harness.contract import StreamJudge, load

    delta = b'{"index":0,"delta":{"text":"%b","type":"text"},"event_id":"e%07d","event_type":"step.delta"}'
    payloads = [
        b'{"interaction":{"id":"v1_x","status":"in_progress","object":"interaction"},"event_type":"interaction.created"}',
        b'{"index":0,"step":{"type":"model_output"},"event_type":"step.start"}',
        *(delta % (b"the quick brown fox said no " * 7, number) for number in range(20_000)),
    ]
    names = [b"interaction.created", b"step.start", *[b"step.delta"] * 20_000]
    body = b"".join(b"event: %b\ndata: %b\n\n" % pair for pair in zip(names, payloads, strict=True))
    make: Callable[[], Any] = lambda: StreamJudge(load())  # noqa: E731
    try:
        make()
    except TypeError:  # in older commits there is one contract
        make = StreamJudge  # type: ignore[assignment]
    ratios = []
    for _ in range(9):
        began = time.process_time()
        for payload in payloads:
            json.loads(payload)
        parsed = time.process_time()
        judging = make()
        for at in range(0, len(body), 65536):
            judging.feed(body[at : at + 65536])
        ratios.append((time.process_time() - parsed) / (parsed - began))
    return {"judge one event, × json.loads": sorted(ratios)[4]}


PROGRAMS = {one.__name__: one for one in (calls, startup, dropped, plugin, judge)}

if __name__ == "__main__":
    print(json.dumps(PROGRAMS[sys.argv[1]]()))
