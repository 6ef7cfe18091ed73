"""Content codings are decoded however the bytes are split, and never past the bounds."""

from __future__ import annotations

import gzip
import zlib

import pytest

from harness.transport import Limits
from harness.transport.client.stream import ContentDecoder, decoder_for
from harness.wire import By, Headers, How

TEXT = bytes(range(256)) * 20
CODED = {
    "gzip": ("gzip", gzip.compress(TEXT)),
    "two gzip members": ("gzip", gzip.compress(TEXT[:999]) + gzip.compress(TEXT[999:])),
    "deflate": ("deflate", zlib.compress(TEXT)),
    "raw deflate": ("deflate", zlib.compress(TEXT)[2:-4]),
}


@pytest.mark.parametrize("name", CODED)
@pytest.mark.parametrize("step", [1, 100, 100_000])
def test_a_coding_is_undone(name: str, step: int) -> None:
    """Fed whole, in parts or byte by byte, the coding decodes to the same text without a breach."""
    coding, data = CODED[name]
    decoder = ContentDecoder(coding, Limits())
    assert b"".join(decoder.feed(data[at : at + step]) for at in range(0, len(data), step)) == TEXT
    assert decoder.finish() is None


def test_a_cut_coding_gives_its_prefix_and_a_breach() -> None:
    """What arrived is decoded; the missing end is a breach by the server."""
    decoder = ContentDecoder("gzip", Limits())
    assert TEXT.startswith(decoder.feed(CODED["gzip"][1][:-9]))
    breach = decoder.finish()
    assert breach is not None
    assert (breach.by, breach.how) == (By.SERVER, How.BAD_HTTP)


BOMB = gzip.compress(b"0" * 30_000_000)


def test_a_bomb_is_never_unfolded() -> None:
    """No byte beyond the bound is decoded, and the breach names the bound."""
    decoder = ContentDecoder("gzip", Limits(decoded_bytes=100_000))
    assert len(decoder.feed(BOMB)) <= 100_000
    assert decoder.breach is not None
    assert decoder.breach.by is By.LIMIT
    assert "Limits.decoded_bytes" in decoder.breach.detail
    assert decoder.feed(BOMB) == b""


@pytest.mark.parametrize(("value", "decoded"), [("GZip", True), ("deflate", True), ("br", False), ("", False)])
def test_only_what_is_known_is_decoded(value: str, decoded: bool) -> None:
    """Only gzip and deflate are decoded; bodies with any other coding are left as they are."""
    assert (decoder_for(Headers((("content-encoding", value),)), Limits()) is not None) is decoded
