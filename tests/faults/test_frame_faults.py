"""Faults of single frames: what arrives is exactly what the plan says."""

from __future__ import annotations

import json

import pytest

from harness.wire import COMPLETE, Chunk, Pause, encode
from tests.faults.streams import BODY, CRLF_STREAM, bytes_of, payloads, pieces_through, through

WHOLE = payloads(BODY)


def test_a_garbled_frame() -> None:
    """One frame is whole and holds broken JSON; the others are as they were."""
    got = payloads(through("garble:2"))
    assert len(got) == len(WHOLE)
    assert [number for number, pair in enumerate(zip(WHOLE, got, strict=True)) if pair[0] != pair[1]] == [2]
    with pytest.raises(ValueError):
        json.loads(got[2])
    assert through(f"garble:{len(WHOLE) + 3}") == BODY


def test_a_missing_frame() -> None:
    """`no-done` lacks the sentinel, `no-completion` the completing event, and nothing else."""
    assert payloads(through("no-done")) == [data for data in WHOLE if data != b"[DONE]"]
    left = payloads(through("no-completion"))
    assert len(left) == len(WHOLE) - 1
    assert left == [data for data in WHOLE if data in left]
    assert len(payloads(through("no-completion,no-done"))) == len(WHOLE) - 2


def test_a_trickle() -> None:
    """A trickle changes no byte, and pauses between any two pieces."""
    pieces = pieces_through("trickle:7", [Chunk(BODY), COMPLETE])
    assert bytes_of(pieces) == BODY
    assert all(len(piece.data) <= 7 for piece in pieces if isinstance(piece, Chunk))
    assert sum(isinstance(piece, Pause) for piece in pieces) == (len(BODY) - 1) // 7


def test_a_trickle_waits_inside_characters() -> None:
    """A reader on a busy machine, too, gets the halves of some characters one by one."""
    pieces = pieces_through("trickle:1", [Chunk("aéàü\né\n".encode()), COMPLETE])
    waits = [piece.seconds for piece in pieces if isinstance(piece, Pause)]
    assert waits == [0.001, 0.2, 0.001, 0.2, 0.001, 0.2, 0.02, 0.001, 0.02, 0.02]


@pytest.mark.parametrize("body", [BODY, b"".join(CRLF_STREAM)], ids=["lf", "crlf"])
def test_additions_that_mean_nothing(body: bytes) -> None:
    """`glue` changes no frame for a reader, and `members` no member that was there."""
    in_two = [b"{\n" + data[1:] if data != b"[DONE]" else data for data in payloads(body)]  # the same JSON
    assert payloads(through("glue", [body])) == in_two
    assert through("glue", [body]).count(b": a comment") == len(WHOLE)
    for before, after in zip(payloads(body), payloads(through("members", [body])), strict=True):
        if before == b"[DONE]":
            assert after == before
        else:
            assert json.loads(after).items() >= json.loads(before).items()


def test_members_beside_half_a_surrogate() -> None:
    """A payload that cannot be UTF-8 gets its member like any other, and the stream goes on."""
    (data,) = payloads(through("members", [encode("step.delta", b'{"text":"\\ud83e"}')]))
    assert len(json.loads(data.decode("utf-8", "surrogatepass"))) == 3
