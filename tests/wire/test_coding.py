"""Decompression of bodies works for any chunking, for raw deflate and for several gzip members, up to a limit."""

from __future__ import annotations

import gzip
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.wire.bodies import Inflater, decode_pieces, is_coded

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
    """A compressed body decodes to the same bytes however it is split, and its end is detected."""
    coding, body = coded
    edges = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    inflater = Inflater(coding)
    assert b"".join(inflater.feed(body[a:b], 10_000) for a, b in pairwise(edges)) == TEXT
    assert inflater.whole
    assert b"".join(decode_pieces(coding, body, [b - a for a, b in pairwise(edges)])) == TEXT
    assert is_coded(coding.removeprefix("x-"), body) or coding == "x-gzip"


@pytest.mark.parametrize(("coding", "body"), BODIES[:4], ids=["gzip", "x-gzip", "members", "deflate"])
def test_a_cut_body(coding: str, body: bytes) -> None:
    """A truncated compressed body yields what could be decoded and is reported as incomplete."""
    inflater = Inflater(coding)
    assert TEXT.startswith(inflater.feed(body[:-5], 10_000))
    assert not inflater.whole


def test_a_bomb() -> None:
    """Decoding stops one byte past the limit, so that the caller can tell the limit was exceeded."""
    assert len(Inflater("gzip").feed(gzip.compress(b"0" * 10_000_000), 1000)) == 1001


@pytest.mark.parametrize("body", [b"{}", b'{"text": "hi"}', b"event: x\ndata: y\n\n", b""])
def test_what_was_decoded_already(body: bytes) -> None:
    """Plain text is not mistaken for compressed data, whatever coding a header names."""
    assert not any(is_coded(coding, body) for coding in ("gzip", "deflate"))


def test_broken() -> None:
    """Invalid compressed data raises a ValueError with zlib's own message."""
    with pytest.raises(ValueError, match="incorrect header check"):
        Inflater("gzip").feed(b"no gzip", 99)
