"""What one more costs where there are 1, 100 or 10,000: runs, streams, webhooks, recorded exchanges, open pages.

`python -m benchmarks.scale [--write]`. Microseconds of processor time for one operation, in process: the lower
quartile of several. `--write` puts the table into `docs/performance.md`, and draws it into `docs/scale.svg`.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.cassette import recording
from benchmarks.inspector import FEED, inspect
from harness.cassette import Journal
from harness.emulator import Emulator, Settings
from harness.transport import ServiceDriver
from harness.wire import Chunk, Headers, Pause, Request

SIZES = (1, 100, 10_000)
MOST_WEBHOOKS = 1000
MOST_PAGES = 1000
SHOWN = (
    "The table as a picture, on logarithmic axes: the line of webhooks rises, that of reads a little, "
    "the others are level"
)
"""What the picture shows, for whoever does not see it."""
READS = 20
"""How many reads there are for one look of each page."""
PLOT = Path(__file__).resolve().parents[1] / "docs" / "scale.svg"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "performance.md"
BEGIN, END = "<!-- scale -->\n", "<!-- /scale -->\n"
_PATH, _HEADERS = "/v1beta/interactions", Headers([("x-goog-api-key", "k"), ("content-type", "application/json")])

Operation = Callable[[int], object]
"""Called with a number that no other call gets."""


def _emulator(**settings: object) -> Emulator:
    return Emulator(Settings().with_values({"max_runs": 100_000, "max_run_bytes": 10**9, **settings}))


def _create(emulator: Emulator, **fields: object) -> str:
    body = json.dumps({"model": "gemini-3.8-flash", "input": "Hi", **fields}).encode()
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
    body = json.dumps({"model": "gemini-3.8-flash", "input": "Hi", "background": True, "stream": True}).encode()
    opened = [emulator(Request("POST", _PATH, _HEADERS, body)) for _ in range(size)]
    for response in opened:
        next(response.body)
    driver = ServiceDriver(emulator, emulator.clock)
    short = json.dumps({"model": "gemini-3.8-flash", "input": "Hi", "stream": True}).encode()
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
    with tempfile.TemporaryDirectory() as folder, closing(Journal(Path(folder) / "scale.yaml")) as journal:
        for number in range(size):
            journal.append(replace(made, request=Request("GET", f"/{number}")))
        yield lambda number: journal.append(replace(made, request=Request("GET", f"/more-{number}")))


@contextmanager
def pages(size: int) -> Iterator[Operation]:
    """A read of one run, by open pages of the inspector."""
    emulator = _emulator()
    found = _create(emulator)
    service = inspect(emulator)
    host = Headers((("host", "127.0.0.1:8000"),))
    feeds = [service(Request("GET", FEED, host)).body for _ in range(min(size, MOST_PAGES))]

    def read(number: int) -> None:
        response = service(Request("GET", f"{_PATH}/{found}", _HEADERS))
        for _ in response.body:
            pass
        response.body.close()
        if number % READS == 0:
            for feed in feeds:
                vars(feed)["_rest"] = 0.0  # as if the page had rested
                while not isinstance(next(feed), Pause):
                    pass

    yield read
    for feed in feeds:
        feed.close()


ROWS = (creates, reads, streams, webhooks, appends, pages)


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
    return statistics.quantiles(taken)[0]


Costs = Mapping[str, Sequence[float]]
"""The microseconds of each row, by its name: one for each size."""


def list_lines(costs: Costs) -> Iterator[str]:
    """The table as Markdown."""
    yield f"| Microseconds for | {' | '.join(f'{size:,}' for size in SIZES)} |"
    yield "|---" * (len(SIZES) + 1) + "|"
    for name, row in costs.items():
        yield f"| {name} | {' | '.join(f'{cost:,.0f}' for cost in row)} |"


_WIDE, _HIGH, _LEFT, _RIGHT, _TOP, _FOOT = 820, 360, 74, 380, 20, 40
_MOST = 4.0
"""The decimal logarithm of the microseconds at the top."""
_COLORS = ("#0b57d0", "#b3261e", "#146c2e", "#8430ce", "#7a4f01", "#00639b")


def draw(costs: Costs) -> str:
    """The same as a picture, with logarithms on both axes: what does not depend on the number is level."""
    step = (_WIDE - _LEFT - _RIGHT) / (len(SIZES) - 1)

    def height(cost: float) -> float:
        part = min(max(math.log10(max(cost, 1.0)) / _MOST, 0.0), 1.0)
        return _HIGH - _FOOT - part * (_HIGH - _FOOT - _TOP)

    told = "; ".join(f"{name}: {', '.join(f'{cost:,.0f}' for cost in row)}" for name, row in costs.items())
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDE} {_HIGH}" role="img" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#1f1f1f">'
    )
    parts = [
        head,
        f"<title>Microseconds for one operation where there are 1, 100 and 10,000. {told}</title>",
        f'<rect width="{_WIDE}" height="{_HIGH}" fill="#fff"/>',
    ]
    for power in range(int(_MOST) + 1):
        y = height(10**power)
        parts.append(f'<path d="M{_LEFT} {y:.0f}H{_WIDE - _RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.0f}" text-anchor="end">{10**power:,} µs</text>')
    for number, size in enumerate(SIZES):
        parts.append(
            f'<text x="{_LEFT + number * step:.0f}" y="{_HIGH - 14}" text-anchor="middle">{size:,}</text>'
        )
    free = float(_TOP)
    colors = dict(zip(costs, _COLORS, strict=False))
    for name, row in sorted(costs.items(), key=lambda item: -item[1][-1]):
        points = " ".join(f"{_LEFT + n * step:.0f},{height(cost):.0f}" for n, cost in enumerate(row))
        color, y = colors[name], max(free, height(row[-1]))
        free = y + 16
        parts.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts.append(f'<text x="{_WIDE - _RIGHT + 10}" y="{y + 4:.0f}" fill="{color}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


def main() -> None:
    """Print the table, or write it into the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="write the table and its picture into docs")
    options = parser.parse_args()
    costs = {(row.__doc__ or "").rstrip("."): [measure(row, size) for size in SIZES] for row in ROWS}
    lines = list(list_lines(costs))
    print(*lines, sep="\n")
    if options.write:
        before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        made = "\n".join(lines)
        picture = f"![{SHOWN}](scale.svg)"
        PAGE.write_text(f"{before}{BEGIN}\n{picture}\n\n{made}\n\n{END}{after}", "utf-8")
        PLOT.write_text(draw(costs), "utf-8")


if __name__ == "__main__":
    main()
