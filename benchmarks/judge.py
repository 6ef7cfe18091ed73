"""What judging a stream costs next to merely parsing it, in one run and on one machine.

`python -m benchmarks.judge [--json] [--events N] [--rounds N]`. We do everything: SSE frames, JSON, schema, order.
The others do less: `json.loads` decodes only the payloads, already extracted; google-genai runs its own stream
parser. Rounds are interleaved so that noise affects all alike; figures are medians, with the best in brackets.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Iterator
from time import perf_counter

from harness.contract import StreamJudge, load
from harness.wire import encode

SIZES = (160, 300, 1000)
BOUNDS = {160: 1.5, 300: 1.0, 1000: 1.0}
CHUNK = 64 * 1024


def stream(size: int, events: int) -> tuple[bytes, list[bytes]]:
    """Return a whole stream whose deltas have payloads of about `size` bytes, and those payloads."""
    head: list[dict[str, object]] = [
        {
            "interaction": {"id": "v1_x", "status": "in_progress", "object": "interaction"},
            "event_type": "interaction.created",
        },
        {"index": 0, "step": {"type": "model_output"}, "event_type": "step.start"},
    ]
    empty = {"index": 0, "delta": {"text": "", "type": "text"}, "event_id": "e0000000", "event_type": "step.delta"}
    words = ("the quick brown fox said “no” " * (size // 20 + 1))[: max(1, size - len(_payload(empty)) - 4)]
    deltas: list[dict[str, object]] = [
        {"index": 0, "delta": {"text": words, "type": "text"}, "event_id": f"e{i:07}", "event_type": "step.delta"}
        for i in range(events)
    ]
    usage = {"total_input_tokens": 1, "total_output_tokens": 1, "total_thought_tokens": 0, "total_tokens": 2}
    tail: list[dict[str, object]] = [
        {"index": 0, "event_type": "step.stop"},
        {
            "interaction": {"id": "v1_x", "status": "completed", "usage": usage},
            "event_type": "interaction.completed",
        },
    ]
    whole: list[dict[str, object]] = [*head, *deltas, *tail]
    body = b"".join(encode(str(event["event_type"]), _payload(event)) for event in whole)
    return body + encode("done", b"[DONE]"), [_payload(event) for event in whole]


def _payload(event: dict[str, object]) -> bytes:
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()


def ours(body: bytes, payloads: list[bytes]) -> None:
    """Judge the bytes, fed as a socket would deliver them."""
    judge = StreamJudge(load())
    for at in range(0, len(body), CHUNK):
        judge.feed(body[at : at + CHUNK])
    reading = judge.finish()
    if reading.findings or sum(reading.counts.values()) != len(payloads):
        sys.exit(f"the benchmark's own stream is judged wrong: {reading.findings[:3]}")


def plain_json(body: bytes, payloads: list[bytes]) -> None:
    """Decode the payloads with the standard library and do nothing else."""
    for payload in payloads:
        json.loads(payload)


def google_genai() -> Callable[[bytes, list[bytes]], None] | None:
    """Run the official client's stream parser from memory; None if it is not installed."""
    try:
        import httpx2
        from google.genai import Client, types
    except ImportError:
        return None

    def run(body: bytes, payloads: list[bytes]) -> None:
        answer = httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)
        transport = httpx2.MockTransport(lambda request: answer)
        options = types.HttpOptions(httpx_client=httpx2.Client(transport=transport))
        client = Client(api_key="x", http_options=options)
        seen = sum(1 for _ in client.interactions.create(model="m", input="x", stream=True))
        if seen != len(payloads):
            sys.exit(f"google-genai saw {seen} of {len(payloads)} events")

    return run


def measure(size: int, events: int, rounds: int) -> Iterator[dict[str, object]]:
    """Return one row per contender: microseconds per event, median and best, and the ratio to json.loads."""
    body, payloads = stream(size, events)
    contenders: dict[str, Callable[[bytes, list[bytes]], None]] = {"json.loads": plain_json, "harness": ours}
    few = stream(size, min(events, 500))
    official = google_genai()
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            times[name].append(_timed(run, body, payloads))
    if official is not None:
        times["google-genai"] = [_timed(official, *few) for _ in range(max(2, rounds // 5))]
    base = statistics.median(times["json.loads"])
    for name, taken in times.items():
        median = statistics.median(taken)
        yield {
            "bytes": size, "name": name, "us_per_event": median, "best_us_per_event": min(taken),
            "ratio": median / base, "best_ratio": min(taken) / min(times["json.loads"]),
        }  # fmt: skip


def _timed(run: Callable[[bytes, list[bytes]], None], body: bytes, payloads: list[bytes]) -> float:
    began = perf_counter()
    run(body, payloads)
    return (perf_counter() - began) / len(payloads) * 1e6


def main() -> int:
    """Print the table; return 1 if a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    rows = [row for size in SIZES for row in measure(size, arguments.events, arguments.rounds)]
    if arguments.json:
        print(json.dumps(rows, indent=1))
    else:
        print(f"{'bytes':>6}  {'what':<14}{'us/event':>18}{'x json.loads':>18}")
        for row in rows:
            took = f"{row['us_per_event']:.2f} ({row['best_us_per_event']:.2f})"
            ratio = f"{row['ratio']:.2f} ({row['best_ratio']:.2f})"
            print(f"{row['bytes']:>6}  {row['name']:<14}{took:>18}{ratio:>18}")
    missed = [row for row in rows if row["name"] == "harness" and row["ratio"] > BOUNDS[row["bytes"]]]  # type: ignore[index, operator]
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
