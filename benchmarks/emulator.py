"""The emulator over a socket next to aimock: creates, 500-event streams, and replays of a stored stream.

`python -m benchmarks.emulator [--rounds 7] [--seconds 1] [--json]`. Each server is a process of its own. One raw
client calls both in short turns (ours, theirs, ours …), so that other load on the machine affects both alike.
Figures are medians of the turns and, where the system reports it, the processor time that the server spent on one
unit, all its threads together, which changes less on a busy machine. Every answer is checked: its status, that it
is whole, and that it says `completed` or has every event. The bodies of creates differ, and the emulator validates
each. aimock has no GET, so replays are compared with its POST streams. aimock is expected in
`.harness/peers/aimock` (`make bench-peers` installs it there) and left out if it is missing.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks._starting import free_port, wait_for
from harness.transport.http1.reader import BodyReader, parse_response_head
from harness.transport.server.server import loop_factory
from harness.wire import Chunked, Decoder

ROOT = Path(__file__).resolve().parents[1]
AIMOCK = ROOT / ".harness" / "peers" / "aimock" / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
CREATES, STREAMS, REPLAYS = "creates", "POST streams", "GET replays"
FLOOR, BARE = "floor", "bare create"
"""The names of a server that only answers, whatever is asked, and of one that checks, counts and keeps, too.

They are measured with creates alone.
"""
WANTED = {CREATES: 2.0, STREAMS: 1.5, REPLAYS: 3.0}
"""How many times as fast as aimock the emulator is meant to be; printed next to the ratio, never a gate."""

CONNECTIONS = 16
BODIES = 64
DELTAS = 494
WORDS = "twenty characters — "
COUNT = "Count to five hundred"
LAST_CHUNK = b"\r\n0\r\n\r\n"
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


class Load(NamedTuple):
    """The requests that a client sends to a server in turn, again and again, and how to check an answer."""

    name: str
    wires: list[bytes]
    units: int
    mark: bytes
    marks: int


class Contender(NamedTuple):
    """A running server."""

    name: str
    port: int
    pid: int


class Turn(NamedTuple):
    """The result of one turn: units per second, and the server's processor time for one unit in microseconds."""

    rate: float
    cpu: float | None


# Servers


@contextmanager
def started(name: str, command: list[str], port: int) -> Iterator[Contender]:
    """Start a server process and wait until it accepts on `port`."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT) as process:
        try:
            wait_for(port, " ".join(command), alive=lambda: process.poll() is None)
            yield Contender(name, port, process.pid)
        finally:
            process.terminate()


def harness(folder: Path) -> tuple[list[str], int]:
    """Return the command of `harness serve` and its port; only the long stream is scripted."""
    script = {"text": WORDS * DELTAS, "deltas": DELTAS, "thought": False, "times": 0,
              "match": {"input_contains": COUNT}}  # fmt: skip
    scenario = folder / "scenario.yaml"
    scenario.write_text(json.dumps({"replies": [script]}))
    port = free_port()
    words = ["-m", "harness", "serve", "--port", str(port), "--scenario", str(scenario)]
    return [sys.executable, *words], port


def aimock(folder: Path) -> tuple[list[str], int] | None:
    """Return the command of aimock, with fixtures for the same requests, and its port; None if not installed."""
    node = shutil.which("node")
    if node is None or not AIMOCK.exists():
        return None
    long = {"match": {"userMessage": COUNT}, "response": {"content": WORDS * DELTAS}, "chunkSize": len(WORDS)}
    short = {"match": {"userMessage": "?"}, "response": {"content": "This answers your question; it was read."}}
    fixtures = folder / "fixtures.json"
    fixtures.write_text(json.dumps({"fixtures": [long, short]}))
    port = free_port()
    return [node, str(AIMOCK), "-p", str(port), "-f", str(fixtures), "--log-level", "warn"], port


def constant(body: bytes, *words: str) -> tuple[list[str], int]:
    """Return the command of a server that answers everything with `body`, and its port: the floor of a create.

    With the word `bare`, it is the floor of a create that is checked and stored.
    """
    port = free_port()
    return [sys.executable, "-m", "benchmarks._constant_answer", str(port), body.decode(), *words], port


@contextmanager
def contenders() -> Iterator[list[Contender]]:
    """The emulator, aimock where it is installed, and the floor."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = [stack.enter_context(started("harness", *harness(folder)))]
        peer = aimock(folder)
        if peer is None:
            print("aimock is left out: it needs node, and `make bench-peers` to install it", file=sys.stderr)
        else:
            servers.append(stack.enter_context(started("aimock", *peer)))
        made = ask_once(servers[0], list_asks(servers[0])[0]).body
        servers.append(stack.enter_context(started(FLOOR, *constant(made))))
        servers.append(stack.enter_context(started(BARE, *constant(made, "bare"))))
        yield servers


def cpu_seconds(pid: int) -> float | None:
    """Processor time of a process so far, all threads together; None without /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / _TICKS


# Loads


def loads(server: Contender) -> dict[str, Load]:
    """Return the three loads for one server and one turn, since the emulator forgets the oldest of what it stored.

    The answers are examined thoroughly here, so that the client only has to compare.
    """
    asks = list_asks(server)
    if server.name in (FLOOR, BARE):
        return {CREATES: Load(CREATES, asks, 1, b'"status":"completed"', 1)}
    stream = _create(server, COUNT, stream=True)
    events = count_events(server, stream)
    made = {
        CREATES: Load(CREATES, asks, 1, b'"status":"completed"', 1),
        STREAMS: Load(STREAMS, [stream], events, b"data: {", events),
        REPLAYS: Load(REPLAYS, [stream], events, b"data: {", events),
    }
    if server.name == "harness":
        stored = json.loads(ask_once(server, _create(server, COUNT, stream=False)).body)["id"]
        replay = _wire(server, "GET", f"/v1beta/interactions/{stored}?stream=true", b"")
        made[REPLAYS] = made[REPLAYS]._replace(wires=[replay])
        if count_events(server, replay) != events:
            sys.exit("a replay has not as many events as its stream")
    return made


def list_asks(server: Contender) -> list[bytes]:
    """The creates of a client, which differ in their text."""
    texts = (f"What is {number} times {number * 7}?" for number in range(BODIES))
    return [_create(server, text, stream=False) for text in texts]


def _create(server: Contender, text: str, *, stream: bool) -> bytes:
    body = json.dumps({"model": "gemini-3.8-flash", "input": text, "stream": stream}).encode()
    return _wire(server, "POST", "/v1beta/interactions", body)


def _wire(server: Contender, method: str, target: str, body: bytes) -> bytes:
    head = (
        f"{method} {target} HTTP/1.1\r\nhost: 127.0.0.1:{server.port}\r\naccept: */*\r\n"
        f"x-goog-api-key: any\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Answer(NamedTuple):
    """A whole answer, read slowly and carefully: its body and its number of chunks."""

    body: bytes
    chunks: int


def ask_once(server: Contender, wire: bytes) -> Answer:
    """Send one request on its own connection; exit the program unless the answer is a complete 200."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as sock:
        sock.sendall(wire)
        buffer = bytearray()
        while b"\r\n\r\n" not in buffer:
            buffer += sock.recv(65536)
        end = buffer.index(b"\r\n\r\n") + 4
        head = parse_response_head(bytes(buffer[:end]), "POST")
        del buffer[:end]
        if head.status != 200:
            sys.exit(f"{server.name} answers {head.status}: {bytes(buffer)!r}")
        reader = BodyReader(head.framing, buffer, most=1 << 30, most_trailers=1024)
        body, chunks = b"", 0
        while True:
            parts = reader.advance()
            body += b"".join(part.data for part in parts)
            chunks += sum(part.ends_chunk for part in parts)
            if reader.ended is not None:
                return Answer(body, chunks if isinstance(head.framing, Chunked) else 0)
            buffer += sock.recv(65536)


def count_events(server: Contender, wire: bytes) -> int:
    """Count the JSON events in the stream that answers `wire`; exit unless each frame is a chunk of its own."""
    answer = ask_once(server, wire)
    frames = Decoder().feed(answer.body)
    if len(frames) != answer.chunks:
        sys.exit(f"{server.name} sends {len(frames)} events in {answer.chunks} chunks")
    events = [json.loads(frame.data) for frame in frames if frame.data != b"[DONE]"]
    text = "".join(event["delta"]["text"] for event in events if event["event_type"] == "step.delta")
    if text != WORDS * DELTAS:
        sys.exit(f"{server.name} streams another text: {text[:60]!r}")
    return len(events)


# The client


class Asker(asyncio.Protocol):
    """Sends the next request as soon as one is answered, and checks every answer."""

    def __init__(self, load: Load, wires: Iterator[bytes]) -> None:
        self._load = load
        self._wires = wires
        self._buffer = bytearray()
        self._transport: Any = None
        self.answers = 0
        self.wrong = b""

    def connection_made(self, transport: Any) -> None:
        """Send the first request."""
        self._transport = transport
        transport.write(next(self._wires))

    def data_received(self, data: bytes) -> None:
        """Once the answer is complete, check it and send the next request."""
        buffer = self._buffer
        buffer += data
        if not self._whole():
            return
        load = self._load
        if buffer.startswith(b"HTTP/1.1 200 ") and buffer.count(load.mark) == load.marks:
            self.answers += 1
        else:
            self.wrong = bytes(buffer)
        buffer.clear()
        self._transport.write(next(self._wires))

    def _whole(self) -> bool:
        buffer = self._buffer
        if buffer.endswith(LAST_CHUNK):
            return True
        at = buffer.find(b"content-length: ", 0, 1024)
        if at < 0:
            return False
        end = buffer.find(b"\r\n\r\n", at)
        return end >= 0 and len(buffer) == end + 4 + int(buffer[at + 16 : buffer.index(b"\r\n", at)])

    def leave(self) -> None:
        """Disconnect."""
        self._transport.abort()


async def turn(server: Contender, load: Load, seconds: float) -> Turn:
    """Measure one turn of all connections; exit the program at a wrong answer."""
    loop = asyncio.get_running_loop()
    wires = itertools.cycle(load.wires)
    askers = [Asker(load, wires) for _ in range(CONNECTIONS)]
    for asker in askers:
        await loop.create_connection(lambda asker=asker: asker, "127.0.0.1", server.port)  # type: ignore[misc]
    await asyncio.sleep(seconds / 5)
    before, spent, began = sum(asker.answers for asker in askers), cpu_seconds(server.pid), loop.time()
    await asyncio.sleep(seconds)
    answers, took = sum(asker.answers for asker in askers) - before, loop.time() - began
    now = cpu_seconds(server.pid)
    for asker in askers:
        asker.leave()
        if asker.wrong:
            sys.exit(f"{server.name} answers {load.name} with {asker.wrong[:300]!r} …")
    units = answers * load.units
    cpu = None if spent is None or now is None or not units else (now - spent) / units * 1e6
    return Turn(units / took, cpu)


# The comparison


def measure(
    servers: list[Contender], rounds: int, seconds: float, names: Iterable[str] = tuple(WANTED)
) -> list[dict[str, Any]]:
    """Return one row for each load of `names` and server, after a warm-up round that does not count."""
    turns: dict[tuple[str, str], list[Turn]] = {}
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        for number in range(rounds + 1):
            for name in names:
                for server in servers:
                    if name != CREATES and server.name in (FLOOR, BARE):
                        continue
                    seen = runner.run(turn(server, loads(server)[name], seconds))
                    if number:
                        turns.setdefault((name, server.name), []).append(seen)
    return [_row(load, server, turns) for load, server in turns]


def _row(load: str, server: str, turns: dict[tuple[str, str], list[Turn]]) -> dict[str, Any]:
    """Return the medians of a server, and how many times better the emulator's are."""
    rate, cpu = _medians(turns[load, server])
    own_rate, own_cpu = _medians(turns[load, "harness"])
    unit = "creates/s" if load == CREATES else "events/s"
    return {
        "load": load, "server": server, "unit": unit, "rate": rate, "ratio": own_rate / rate, "cpu_us": cpu,
        "cpu_ratio": cpu / own_cpu if cpu and own_cpu else None, "wanted": WANTED[load],
    }  # fmt: skip


def _medians(turns: list[Turn]) -> tuple[float, float | None]:
    spent = [seen.cpu for seen in turns if seen.cpu is not None]
    return statistics.median(seen.rate for seen in turns), statistics.median(spent) if spent else None


def table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Format the rows for people: how much faster the emulator is, and how much less processor time it needs."""
    yield f"{'':<14}{'':<10}{'rate':>12} {'':<10}{'harness is':>12}{'cpu us':>10}{'harness is':>12}{'wanted':>8}"
    for row in rows:
        cpu = f"{row['cpu_us']:>10.2f}{row['cpu_ratio']:>11.1f}x" if row["cpu_us"] else f"{'?':>10}{'?':>12}"
        rate = f"{row['rate']:>12,.0f} {row['unit']:<10}{row['ratio']:>11.1f}x"
        yield f"{row['load']:<14}{row['server']:<10}{rate}{cpu}{row['wanted']:>7}x"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="turns of each server at each load (7)")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long a turn is measured (1)")
    parser.add_argument("--json", action="store_true", help="print numbers for machines")
    options = parser.parse_args()
    with contenders() as servers:
        rows = measure(servers, options.rounds, options.seconds)
    print(json.dumps(rows, indent=1) if options.json else "\n".join(table(rows)))


if __name__ == "__main__":
    main()
