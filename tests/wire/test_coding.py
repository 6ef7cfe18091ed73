"""Claims about content codings: undone in any parts, raw deflate and further members too, within a bound."""

from __future__ import annotations

import gzip
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.wire.coding import Inflater, is_coded, undone

TEXT = b"data: some text, some text, some text\n\n" * 5
RAW = zlib.compressobj(wbits=-15)
BODIES = (
    ("gzip", gzip.compress(TEXT)),
    ("x-gzip", gzip.compress(TEXT)),
    ("gzip", gzip.compress(TEXT[:50]) + gzip.compress(TEXT[50:])),
    ("deflate", zlib.compress(TEXT)),
    ("deflate", RAW.compress(TEXT) + RAW.flush()),
)


@given(st.sampled_from(BODIES), st.lists(st.integers(0, 90), max_size=6))
def test_in_any_parts(coded: tuple[str, bytes], cuts: list[int]) -> None:
    """However the bytes are cut, what they decode to is the same, and its end is known."""
    coding, body = coded
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    inflater = Inflater(coding)
    assert b"".join(inflater.feed(body[a:b], 10_000) for a, b in pairwise(edges)) == TEXT
    assert inflater.whole
    assert b"".join(undone(coding, body, [b - a for a, b in pairwise(edges)])) == TEXT
    assert is_coded(coding.removeprefix("x-"), body) or coding == "x-gzip"


@pytest.mark.parametrize(("coding", "body"), BODIES[:4], ids=["gzip", "x-gzip", "members", "deflate"])
def test_a_cut_body(coding: str, body: bytes) -> None:
    """Of a body that was cut what came is told, and that its end did not."""
    inflater = Inflater(coding)
    assert TEXT.startswith(inflater.feed(body[:-5], 10_000))
    assert not inflater.whole


def test_a_bomb() -> None:
    """No more is decoded than was allowed, and one byte by which the caller sees it."""
    assert len(Inflater("gzip").feed(gzip.compress(b"0" * 10_000_000), 1000)) == 1001


@pytest.mark.parametrize("body", [b"{}", b'{"text": "hi"}', b"event: x\ndata: y\n\n", b""])
def test_what_was_decoded_already(body: bytes) -> None:
    """Text is not taken for what a header says it is in."""
    assert not any(is_coded(coding, body) for coding in ("gzip", "deflate"))


def test_broken() -> None:
    """What is no gzip is told as zlib tells it."""
    with pytest.raises(ValueError, match="incorrect header check"):
        Inflater("gzip").feed(b"no gzip", 99)
