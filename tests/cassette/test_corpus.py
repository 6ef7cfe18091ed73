"""Traffic that this project did not write survives a cassette unchanged and contains no secrets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.cassette import Player, Recording, Redactor, load, save, scan
from harness.cassette.framing import by_event
from harness.cassette.har import exchanges_in
from harness.cassette.layout import parse_all
from harness.contract import PROTOCOL
from harness.wire import Chunk, Chunked, Ending, Exchange, Piece, Request
from tests.cassette.samples import SSE, URL, answered, plain_vcr, streamed


def request_of(path: Path) -> Request:
    """The recorded request for a response, or one made up from its file name."""
    beside = path.with_name(path.name.removesuffix(path.suffix) + ".request.json")
    return Request("POST", URL, body=beside.read_bytes() if beside.is_file() else path.name.encode())


def streams(corpus: Path) -> dict[str, Recording]:
    """The streams of the corpus: raw bodies, payloads framed anew, and those in the files of other recorders."""
    found = {}
    for path in sorted((corpus / "files").glob("*.yaml")):
        for name, exchange in exchanges_in(parse_all(path, path.read_bytes())) or ():
            if isinstance(exchange, Exchange) and exchange.headers.media_type() == "text/event-stream":
                found[f"{path.name} {name}"] = Recording.of(exchange)
    for path in sorted((corpus / "files").glob("*.sse")):
        body = path.read_bytes()
        found[path.name] = Recording(
            request_of(path), 200, SSE, body, by_event(body, [1] * body.count(b"data: ")), framing=Chunked()
        )
    for path in sorted((corpus / "files").glob("*.events.jsonl")):
        lines = [b"data: " + line + b"\n\n" for line in path.read_bytes().splitlines() if line.strip()]
        found[path.name] = streamed(request_of(path), lines)
    return found


def played(pieces: Any) -> bytes:
    """The bytes of a response, whose ending must be complete."""
    body = b""
    while True:
        piece: Piece = next(pieces)
        if isinstance(piece, Ending):
            assert piece.complete
            return body
        if isinstance(piece, Chunk):
            body += piece.data


@pytest.mark.slow
def test_streams_there_and_back(corpus: Path, tmp_path: Path) -> None:
    """Every stream is unchanged after redaction, a cassette, a save by plain vcrpy and the player."""
    given = streams(corpus)
    assert {name.partition(" ")[0].rpartition(".")[2] for name in given} == {"sse", "jsonl", "yaml"}
    path = tmp_path / "corpus.yaml"
    redactor = Redactor(PROTOCOL)
    save(path, [redactor.redact(recording) for recording in given.values()])
    assert redactor.report == []
    for _ in range(2):
        kept = load(path).recordings
        assert [r.body for r in kept] == [before.body for before in given.values()]
        assert [r.pieces for r in kept] == [before.pieces for before in given.values()]
        assert [r.approximate for r in kept] == [before.approximate for before in given.values()]
        plain_vcr(path).save_again()
    player = Player(kept, PROTOCOL)
    assert [played(player(before.request).body) for before in given.values()] == [r.body for r in given.values()]
    assert player.misses == player.unused() == []


@pytest.mark.slow
def test_bodies_come_through(corpus: Path) -> None:
    """No body of the corpus is changed by redaction or reported as containing a secret."""
    for path in sorted((corpus / "files").glob("*.json")):
        recording = answered(Request("POST", URL), None)
        body = path.read_bytes()
        recording = Recording(recording.request, 200, recording.headers, body, by_event(body))
        assert Redactor(PROTOCOL).redact(recording).body == body, path.name
        assert scan(recording, PROTOCOL) == [], path.name
