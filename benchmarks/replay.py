"""`harness replay` over a socket next to aimock's POST streams: replayed events per second of a 500-event stream.

`python -m benchmarks.replay [--rounds 7] [--seconds 1] [--json]`. The cassette holds one stream of the emulator
with the text of aimock's fixture, and is replayed in resume mode as often as requested. aimock has no GET, so its
POST streams with the same number of events are the comparison. Servers, client and turns are those of
`benchmarks.emulator`. Without aimock (`make bench-peers`) there is nothing to compare, and nothing is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks._starting import free_port
from benchmarks.emulator import (
    COUNT,
    DELTAS,
    STREAMS,
    WORDS,
    Contender,
    Load,
    Turn,
    aimock,
    count_events,
    loads,
    started,
    turn,
)
from harness.cassette import Provenance, Recording, Target, save
from harness.contract import PROTOCOL
from harness.emulator import Emulator
from harness.transport import ServiceDriver
from harness.transport.server.server import loop_factory
from harness.wire import Decoder, Headers, Request

REPLAY, PEER = "harness replay", "aimock"


def cassette(path: Path) -> str:
    """Write the recording of a long stream and return the target that requests it again."""
    emulator = Emulator()
    deltas = [WORDS] * (DELTAS - 2) + [WORDS * 2]  # one delta fewer, to match aimock's number of events
    emulator.script({"text": WORDS * DELTAS, "deltas": deltas, "thought": False})
    body = json.dumps({"model": "gemini-3.8-flash", "input": COUNT, "stream": True, "background": True}).encode()
    headers = Headers((("x-goog-api-key", "any"), ("content-type", "application/json")))
    recording = Recording.of(ServiceDriver(emulator).send(Request("POST", "/v1beta/interactions", headers, body)))
    made = Provenance(recorder="benchmark", target=Target.EMULATOR, recorded="2026-11-20")
    save(path, [recording], made)
    events = (json.loads(frame.data) for frame in Decoder().feed(recording.body))
    identity = next(found for event in events if (found := PROTOCOL.stream_id(event)))
    return PROTOCOL.resume(recording.request, identity, None).target


def replay(path: Path) -> tuple[list[str], int]:
    """Return the command of `harness replay` for a cassette, at full speed, and its port."""
    port = free_port()
    words = ["-m", "harness", "replay", str(path), "--mode", "resume", "--port", str(port)]
    return [sys.executable, *words], port


def replays(server: Contender, target: str) -> Load:
    """Return the requests for the recorded stream, after examining its answer thoroughly."""
    wire = f"GET {target} HTTP/1.1\r\nhost: 127.0.0.1:{server.port}\r\naccept: */*\r\n\r\n".encode()
    events = count_events(server, wire)
    return Load(REPLAY, [wire], events, b"data: {", events)


def measure(asked: list[tuple[Contender, Load]], rounds: int, seconds: float) -> dict[str, list[Turn]]:
    """Return the turns of each server, taken in alternation after a warm-up round that does not count."""
    turns: dict[str, list[Turn]] = {server.name: [] for server, _ in asked}
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        for number in range(rounds + 1):
            for server, load in asked:
                seen = runner.run(turn(server, load, seconds))
                if number:
                    turns[server.name].append(seen)
    return turns


def summary(turns: dict[str, list[Turn]], events: dict[str, int]) -> dict[str, Any]:
    """Return medians of rates and processor times, their ratio, and the ratios of the rounds, worst first."""
    rates = {name: statistics.median(seen.rate for seen in seens) for name, seens in turns.items()}
    cpu = {
        name: statistics.median(spent) if (spent := [seen.cpu for seen in seens if seen.cpu is not None]) else None
        for name, seens in turns.items()
    }
    pairs = zip(turns[REPLAY], turns[PEER], strict=True)
    ratios = sorted(ours.rate / theirs.rate for ours, theirs in pairs)
    return {
        "events": events, "events_per_second": rates, "cpu_us_per_event": cpu,
        "ratio": rates[REPLAY] / rates[PEER], "ratios": ratios,
    }  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="turns of each server (7)")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long a turn is measured (1)")
    parser.add_argument("--json", action="store_true", help="print numbers for machines")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        peer = aimock(folder)
        if peer is None:
            print("nothing is measured: aimock is missing, which needs node, and `make bench-peers` to install it")
            return
        target = cassette(folder / "long.yaml")
        ours = stack.enter_context(started(REPLAY, *replay(folder / "long.yaml")))
        theirs = stack.enter_context(started(PEER, *peer))
        asked = [(ours, replays(ours, target)), (theirs, loads(theirs)[STREAMS])]
        events = {server.name: load.units for server, load in asked}
        result = summary(measure(asked, options.rounds, options.seconds), events)
    print(json.dumps(result, indent=1) if options.json else table(result))


def table(result: dict[str, Any]) -> str:
    """The numbers for people."""
    lines = []
    for name, rate in result["events_per_second"].items():
        spent = result["cpu_us_per_event"][name]
        told = "" if spent is None else f"{spent:8.2f} us of processor time an event"
        lines.append(f"{name:<16}{result['events'][name]:>5} events a stream {rate:>12,.0f} events/s{told}")
    low, high = result["ratios"][0], result["ratios"][-1]
    lines.append(f"replay is {result['ratio']:.1f} times as fast ({low:.1f} to {high:.1f} in single rounds)")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
