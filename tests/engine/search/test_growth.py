"""Decoding and judging a stream takes linear work, measured in function calls instead of time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harness.contract import StreamJudge, load
from harness.wire import Decoder, encode

PIECE = 64
SIZES = (2_000, 20_000)
MOST = 12
"""The highest factor by which the work may grow when the input grows tenfold."""


def deltas(size: int) -> bytes:
    """A step that grows by many small deltas."""
    event = b'{"index":0,"delta":{"type":"text","text":"x"},"event_type":"step.delta"}'
    return encode("step.delta", event) * (size // len(event))


STREAMS: dict[str, Callable[[int], bytes]] = {
    "one long line": lambda size: b"data: " + b"x" * size + b"\n\n",
    "carriage returns": lambda size: b"\r" * size,
    "data lines": lambda size: b"data\n" * (size // 5) + b"\n",
    "crlf data lines": lambda size: b"data\r\n" * (size // 6) + b"\r\n",
    "colons": lambda size: b":" * size,
    "comments": lambda size: b": x\n" * (size // 4),
    "brackets": lambda size: b"data: " + b"[" * size + b"\n\n",
    "nothing but ids": lambda size: b"id: 1\n\n" * (size // 7),
    "deltas": deltas,
}


def pieces(stream: bytes) -> Iterator[bytes]:
    """The stream in small pieces, as a connection might deliver it."""
    return (stream[at : at + PIECE] for at in range(0, len(stream), PIECE))


def decode(stream: bytes) -> None:
    """Run only the decoder."""
    decoder = Decoder()
    for piece in pieces(stream):
        decoder.feed(piece)
    decoder.end()


def judge(stream: bytes) -> None:
    """Run the contract's judge, which includes a decoder."""
    judge = StreamJudge(load())
    for piece in pieces(stream):
        judge.feed(piece)
    judge.finish()


def work(act: Callable[[bytes], None], stream: bytes) -> int:
    """The number of function calls, including those to functions written in C."""
    calls = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        act(stream)
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize("act", [decode, judge], ids=lambda act: act.__name__)
@pytest.mark.parametrize("name", STREAMS)
def test_work_grows_with_the_bytes(name: str, act: Callable[[bytes], None]) -> None:
    """For every kind of stream, fed in small pieces, the work grows no faster than the input, within a factor."""
    small, large = (work(act, STREAMS[name](size)) for size in SIZES)
    assert large <= MOST * small, (small, large)


@pytest.mark.slow
def test_the_count_sees_what_is_quadratic() -> None:
    """The measurement itself detects a reader that scans everything again with each piece."""

    def naive(stream: bytes) -> None:
        pending = b""
        for piece in pieces(stream):
            pending += piece
            for line in pending.split(b"\n"):
                line.partition(b":")

    small, large = (work(naive, STREAMS["data lines"](size)) for size in SIZES)
    assert large > MOST * small
