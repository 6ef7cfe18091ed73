"""What a cassette costs next to plain vcrpy: loading a long stream, and recording many exchanges.

`python -m benchmarks.cassette [--json] [--events N] [--exchanges N] [--rounds N]`. Loading: vcrpy and we read the
same body from a file of plain vcrpy and from one with pieces, times and ending; to justify the packed form, vcrpy
also reads the pieces as a YAML list. Appending: the journal, and vcrpy's way, which writes the whole file again
after each exchange. Handling: redaction, and a resume in the middle. Rounds are interleaved so that noise affects
all alike; the YAML list and appending are measured once. Figures are medians, with the best in brackets; a ratio
is the median of the ratios of the rounds.

"Plain vcrpy" reads the file, parses it and makes bytes of the bodies. We also check the digest and the pieces.
Both spend most of the time in libyaml; we pass it the bytes of the file where vcrpy passes a decoded text, which
pays for the digest. Pieces are unpacked when first needed, so one row includes that.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import yaml

from harness.cassette import Journal, Player, Recording, Redactor, load, save
from harness.cassette.framing import pieces_of
from harness.contract import PROTOCOL
from harness.wire import Chunked, Headers, Request, encode

BOUND = 1.2
"""Loading with pieces may take up to this many times as long as plain vcrpy takes for the body alone."""

Contender = tuple[str, Callable[[], Any]]


def recording(events: int) -> Recording:
    """Make a recording of a stream of this many events, each a piece of its own, about 50 ms apart."""
    frames = [
        encode(
            "step.delta",
            json.dumps(
                {"index": 0, "delta": {"type": "text", "text": f"word “{n}” "}, "event_type": "step.delta"},
                ensure_ascii=False,
                separators=(",", ":"),
            ).encode(),
        )
        for n in range(events)
    ]
    pieces = pieces_of((len(frame), 50_000 + n % 1000) for n, frame in enumerate(frames))
    headers = Headers([("content-type", "text/event-stream")])
    request = Request("POST", "/v1/interactions", body=b'{"stream":true}')
    return Recording(request, 200, headers, b"".join(frames), pieces, framing=Chunked())


def plain_load(path: Path) -> Callable[[], Any]:
    """Return vcrpy's own function to read a file."""
    from vcr.persisters.filesystem import FilesystemPersister  # type: ignore[import-untyped]
    from vcr.serializers import yamlserializer  # type: ignore[import-untyped]

    return lambda: FilesystemPersister.load_cassette(path, yamlserializer)


def loading(folder: Path, events: int) -> list[Contender]:
    """Return the ways of loading; the others are compared with the first."""
    ours, plain, listed = folder / "ours.yaml", folder / "plain.yaml", folder / "listed.yaml"
    save(ours, [recording(events)])
    document = yaml.load(ours.read_bytes(), Loader=yaml.CSafeLoader)
    stream = document["interactions"][0]["response"].pop("x-stream")
    plain.write_text(yaml.dump(document, Dumper=yaml.CSafeDumper))
    pieces = [[int(size), int(float(ms))] for size, ms in (p.split("@") for p in stream["pieces"].split())]
    document["interactions"][0]["response"]["x-stream"] = {**stream, "pieces": pieces}
    listed.write_text(yaml.dump(document, Dumper=yaml.CSafeDumper))
    if load(ours).recordings[0] != recording(events):
        sys.exit("the benchmark's own recording is not read back as it was written")
    return [
        ("vcrpy, body only", plain_load(plain)),
        ("vcrpy, packed pieces", plain_load(ours)),
        ("harness, packed pieces", lambda: load(ours)),
        ("harness, and each piece", lambda: load(ours).recordings[0].pieces.waits),
        ("vcrpy, pieces as a list", plain_load(listed)),
    ]


def appending(folder: Path, count: int) -> list[Contender]:
    """Return the ways of recording `count` exchanges so that each is on the disk before the next."""
    made = [replace(recording(20), request=Request("GET", f"/{n}")) for n in range(count)]

    def anew() -> None:
        for n in range(1, count + 1):
            save(folder / "anew.yaml", made[:n])

    def journal() -> None:
        (folder / "journal.yaml").unlink(missing_ok=True)
        with closing(Journal(folder / "journal.yaml")) as file:
            for item in made:
                file.append(item)

    return [(f"{count} exchanges, file anew each", anew), (f"{count} exchanges, journal", journal)]


def handling(events: int) -> list[Contender]:
    """Return redaction and a resume, next to plain JSON decoding."""
    made = recording(events)
    started = encode("interaction.created", b'{"interaction":{"id":"v1_a"},"event_type":"interaction.created"}')
    pieces = pieces_of([(len(started), 0), *zip(made.pieces.sizes, made.pieces.waits, strict=True)])
    whole = replace(made, body=started + made.body, pieces=pieces)
    player = Player([whole], PROTOCOL, mode="resume", assign_ids=True)
    ask = PROTOCOL.resume(whole.request, "v1_a", f"h{events // 2}")
    return [
        ("json.loads of each event", lambda: [json.loads(line[6:]) for line in made.body.split(b"\n")[1::3]]),
        ("redaction", lambda: Redactor(PROTOCOL).redact(made)),
        ("resume in the middle", lambda: player(ask)),
    ]


def timed(contenders: list[Contender], rounds: int) -> list[dict[str, Any]]:
    """Return one row for each contender: median and best seconds, and the ratio to the first."""
    times: dict[str, list[float]] = {name: [] for name, _ in contenders}
    for _ in range(rounds):
        for name, run in contenders:
            began = perf_counter()
            run()
            times[name].append(perf_counter() - began)
    base = times[contenders[0][0]]
    return [
        {
            "name": name,
            "seconds": statistics.median(taken),
            "best": min(taken),
            "ratio": statistics.median(one / other for one, other in zip(taken, base, strict=True)),
        }
        for name, taken in times.items()
    ]


def main() -> int:
    """Print the tables; return 1 if the bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--exchanges", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        read = loading(Path(name), arguments.events)
        rows = timed(read[:-1], arguments.rounds) + timed([read[0], read[-1]], 1)[1:]
        rows += timed(appending(Path(name), arguments.exchanges), 1)
    rows += timed(handling(arguments.events // 10), arguments.rounds)
    if arguments.json:
        print(json.dumps(rows, indent=1))
    else:
        print(f"{'what':<34}{'seconds':>20}{'ratio':>9}")
        for row in rows:
            print(f"{row['name']:<34}{row['seconds']:>11.4f} ({row['best']:.4f}){row['ratio']:>8.2f}")
    ratio = next(row["ratio"] for row in rows if row["name"] == "harness, packed pieces")
    return int(ratio > BOUND)


if __name__ == "__main__":
    raise SystemExit(main())
