"""What one more costs where there are 1, 100 or 10,000: runs, streams, webhooks, recorded exchanges.

`python -m benchmarks.scale [--write]`. Microseconds of processor time for one operation, in process: the median of
several. `--write` puts the table into `docs/performance.md`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.cassette import recording
from harness.cassette import Journal
from harness.emulator import Emulator, Settings
from harness.transport import ServiceDriver
from harness.wire import Chunk, Headers, Request

SIZES = (1, 100, 10_000)
MOST_WEBHOOKS = 1000
PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- scale -->\n", "<!-- /scale -->\n"
_PATH, _HEADERS = "/v1beta/interactions", Headers([("x-goog-api-key", "k"), ("content-type", "application/json")])

Operation = Callable[[int], object]
"""Called with a number that no other call gets."""


def _emulator(**settings: object) -> Emulator:
    return Emulator(Settings().with_values({"max_runs": 100_000, "max_run_bytes": 10**9, **settings}))


def _create(emulator: Emulator, **fields: object) -> str:
    body = json.dumps({"model": "gemini-3.5-flash", "input": "Hi", **fields}).encode()
    response = emulator(Request("POST", _PATH, _HEADERS, body))
    made = json.loads(b"".join(piece.data for piece in response.body if isinstance(piece, Chunk)))
    if response.status != 200:
        raise SystemExit(f"the create failed: {made}")
    return str(made["id"])


@contextmanager
def creates(size: int) -> Iterator[Operation]:
    """A create, by stored runs."""
    emulator = _emulator()
    for _ in range(size):
        _create(emulator)
    yield lambda number: _create(emulator)


@contextmanager
def reads(size: int) -> Iterator[Operation]:
    """A read of one run, by stored runs."""
    emulator = _emulator()
    found = [_create(emulator) for _ in range(size)]

    def read(number: int) -> None:
        path = f"{_PATH}/{found[number * 7919 % size]}"
        if emulator(Request("GET", path, _HEADERS)).status != 200:
            raise SystemExit("a stored run is gone")

    yield read


@contextmanager
def streams(size: int) -> Iterator[Operation]:
    """A stream from create to end, by streams that are open."""
    emulator = _emulator()
    emulator.hold()
    body = json.dumps({"model": "gemini-3.5-flash", "input": "Hi", "background": True, "stream": True}).encode()
    opened = [emulator(Request("POST", _PATH, _HEADERS, body)) for _ in range(size)]
    for response in opened:
        next(response.body)
    driver = ServiceDriver(emulator, emulator.clock)
    short = json.dumps({"model": "gemini-3.5-flash", "input": "Hi", "stream": True}).encode()
    yield lambda number: driver.send(Request("POST", _PATH, _HEADERS, short))
    for response in opened:
        response.body.close()


@contextmanager
def webhooks(size: int) -> Iterator[Operation]:
    """A background run to its end, by webhooks that want to know."""
    emulator = _emulator()
    for number in range(min(size, MOST_WEBHOOKS)):
        hook = {"name": f"hook {number}", "uri": f"http://127.0.0.1:9/{number}",
                "subscribed_events": ["interaction.completed"]}  # fmt: skip
        made = emulator(Request("POST", "/v1beta/webhooks", _HEADERS, json.dumps(hook).encode()))
        if made.status != 200:
            raise SystemExit(f"a webhook was refused with {made.status}")

    def run(number: int) -> None:
        found = _create(emulator, background=True)
        for _ in range(20):
            response = emulator(Request("GET", f"{_PATH}/{found}", _HEADERS))
            if b"completed" in b"".join(piece.data for piece in response.body if isinstance(piece, Chunk)):
                break
        for delivery in emulator.outbox.take_due():
            emulator.outbox.note_answer(delivery, 200)

    yield run


@contextmanager
def appends(size: int) -> Iterator[Operation]:
    """One more recorded exchange, by those in the cassette."""
    made = recording(20)
    with tempfile.TemporaryDirectory() as folder, Journal(Path(folder) / "scale.yaml") as journal:
        for number in range(size):
            journal.append(replace(made, request=Request("GET", f"/{number}")))
        yield lambda number: journal.append(replace(made, request=Request("GET", f"/more-{number}")))


ROWS = (creates, reads, streams, webhooks, appends)


def measure(row: Callable[[int], AbstractContextManager[Operation]], size: int) -> float:
    """Microseconds of processor time for one operation where there are so many."""
    with row(size) as operate:
        taken, number = [], 0
        for _ in range(9):
            began = time.process_time()
            for _ in range(20):
                operate(number)
                number += 1
            taken.append((time.process_time() - began) / 20 * 1e6)
    return statistics.median(taken)


def table() -> Iterator[str]:
    """The table as Markdown."""
    yield f"| Microseconds for | {' | '.join(f'{size:,}' for size in SIZES)} |"
    yield "|---" * (len(SIZES) + 1) + "|"
    for row in ROWS:
        costs = [measure(row, size) for size in SIZES]
        yield f"| {(row.__doc__ or '').rstrip('.')} | {' | '.join(f'{cost:,.0f}' for cost in costs)} |"


def main() -> None:
    """Print the table, or write it into the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="write the table into docs/performance.md")
    options = parser.parse_args()
    lines = []
    for line in table():
        print(line, flush=True)
        lines.append(line)
    if options.write:
        before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        made = "\n".join(lines)
        PAGE.write_text(f"{before}{BEGIN}\n{made}\n\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
