"""Long bodies are redacted, matched and kept as short ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cassette import CassetteError, CassetteFile, Recording, framing, load
from harness.cassette.framing import ByteEdit, TextEdit, apply, pieces_of, text_of, to_byte_edits, windows_of
from harness.cassette.redactor import Redactor
from harness.contract import PROTOCOL
from harness.wire import Headers, Request

SIZE = 3_000_000
WORDS = "lorem ipsum dolor sit amet consectetur "
SECRET = "AIza" + "S" * 35


def delta(text: str) -> bytes:
    """One event of a stream."""
    event = {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": text}}
    return f"data: {json.dumps(event)}\n\n".encode()


def step(text: str) -> str:
    """One step of an interaction."""
    return json.dumps({"type": "model_output", "content": [{"type": "text", "text": text}]})


BODIES = {
    "text/event-stream": delta(WORDS * 2) * (SIZE // len(delta(WORDS * 2))),
    "application/json": f'{{"steps": [{", ".join([step(WORDS * 9)] * (SIZE // len(step(WORDS * 9))))}]}}'.encode(),
    "text/plain": WORDS.encode() * (SIZE // len(WORDS)),
    "image/x-bitmap": b"\xfe\xff" * (SIZE // 2),
}

MOST = {"image/x-bitmap": 3.1}


def recording(body: bytes, kind: str, asked: bytes = b"") -> Recording:
    """A recording whose body came in one piece."""
    request = Request("POST", "/v1beta/interactions", Headers([("content-type", kind)]), asked)
    pieces = pieces_of([(len(body), 7)]) if body else pieces_of([])
    return Recording(request, 200, Headers([("content-type", kind)]), body, pieces)


@given(st.binary(max_size=40) | st.text(max_size=12).map(str.encode))
@pytest.mark.slow
def test_windows(data: bytes) -> None:
    """Decoding a body window by window gives the same text as at once, even if a window cuts a character."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(framing, "WINDOW", 3)
        assert "".join(windows_of(data)) == text_of(data)


@given(st.binary(max_size=40), st.data())
def test_places_in_any_order(data: bytes, draw: st.DataObject) -> None:
    """A change in a text is mapped to its byte offset, in whatever order changes are given."""
    text = text_of(data)
    spots = draw.draw(st.lists(st.integers(0, len(text)), max_size=6))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(framing, "WINDOW", 3)
        found = list(to_byte_edits(5, text, [TextEdit(at, at, "é", "kind") for at in spots]))
    starts = [5 + len(text[:at].encode("utf-8", "surrogateescape")) for at in spots]
    assert [item.edit for item in found] == [ByteEdit(start, start, "é".encode()) for start in starts]


def test_edits() -> None:
    """Edits produce a new body, and without edits the body is unchanged."""
    assert apply(b"abcdef", [ByteEdit(0, 1, b"xx"), ByteEdit(3, 3, b"-"), ByteEdit(5, 6, b"")]) == b"xxbc-de"
    assert apply(b"abc", []) == b"abc"


def test_a_fragment_that_is_not_one_literal() -> None:
    """A secret that spans several data lines, outside of any single JSON literal, is refused."""
    stream = delta("Use " + SECRET).replace(b"Use ", b"Use\ndata: ")
    with pytest.raises(CassetteError, match="outside of any literal"):
        Redactor(PROTOCOL).redact(recording(stream, "text/event-stream"))


@pytest.mark.slow
def test_pieces_are_those_of_the_body(tmp_path: Path) -> None:
    """A long body in which a secret was replaced has the same pieces in the file and in memory."""
    body = BODIES["text/event-stream"] + delta(f"key {SECRET} end")
    pieces = pieces_of([(len(body) - 50, 1), (50, 2)])
    made = replace(recording(body, "text/event-stream"), pieces=pieces)
    with CassetteFile(tmp_path / "a.yaml", PROTOCOL) as file:
        kept = file.add(made)
    assert SECRET.encode() not in kept.body
    assert load(tmp_path / "a.yaml").recordings[0] == kept
