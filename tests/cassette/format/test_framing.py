"""Pieces survive packing unchanged, malformed ones are quoted, and regrouping keeps bytes and time."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.cassette import pack, unpack
from harness.cassette.framing import after, by_event, pieces_of
from harness.wire import encode

PAIRS = st.lists(st.tuples(st.integers(0, 10**12), st.integers(0, 10**14)), max_size=8)


@given(PAIRS)
@example([(1, 1_009), (2, 1_023), (3, 10**15 - 1)])
def test_packing(pairs: list[tuple[int, int]]) -> None:
    """Packed pieces unpack to the same sizes and the same waits, to the microsecond."""
    pieces = pieces_of(pairs)
    assert unpack(pack(pieces)) == pieces


def test_packed_form() -> None:
    """The packed form is as documented: bytes, `@` and milliseconds without trailing zeros."""
    assert pack(pieces_of([(277, 49_000), (118, 50_500), (0, 1), (1, 0)])) == "277@49 118@50.5 0@0.001 1@0"
    assert pack(pieces_of([])) == ""


@pytest.mark.parametrize(
    ("packed", "wrong"),
    [
        ("1", "'1'"), ("1@", "'1@'"), ("@1", "'@1'"), ("1@2 x", "'x'"), ("1@2  3@4", "''"), ("1@2 ", "''"),
        (" 1@2", "''"), ("1@2.1234", "'1@2.1234'"), ("-1@2", "'-1@2'"), ("1_0@2", "'1_0@2'"),
        ("1@2\n", r"'1@2\n'"), ("١@2", "'١@2'"), ("1@2 3@4@5", "'3@4@5'"), ("9" * 16 + "@0", "9999"),
        ("1@2 01@2", "'01@2'"), ("1@02.5", "'1@02.5'"),
    ],
)  # fmt: skip
def test_malformed(packed: str, wrong: str) -> None:
    """Any other form is refused with an error that quotes the first malformed piece."""
    with pytest.raises(ValueError, match="is not a piece") as refusal:
        unpack(packed)
    assert wrong in str(refusal.value)


def test_by_event() -> None:
    """There is one piece for each event and one for an unfinished rest; waits are kept if the count matches."""
    frames = [encode("a", b"1"), encode(None, b"2\n3", newline=b"\r\n"), b": note\n\n" + encode("b", b"4")]
    body = b"".join(frames)
    assert list(by_event(body, [5, 6, 7]).waits) == [5, 6, 7]
    assert by_event(body).total == len(body)
    cut = by_event(body + b"data: x", [10, 10])
    assert (list(cut.sizes)[-1], list(cut.waits)) == (7, [5, 5, 5, 5])
    assert len(by_event(b"")) == 0


@given(st.lists(st.integers(0, 5), max_size=8), st.integers(0, 45))
def test_after(sizes: list[int], offset: int) -> None:
    """The pieces after an offset have the remaining bytes and the waits of their original pieces."""
    pieces = pieces_of((size, number) for number, size in enumerate(sizes))
    rest = after(pieces, offset)
    assert rest.total == max(0, sum(sizes) - offset)
    assert list(rest.waits) == list(range(len(sizes)))[len(sizes) - len(rest) :]
