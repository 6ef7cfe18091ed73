"""Proof of a recording: when a replay differs from it, and when it must not replace an older recording."""

from __future__ import annotations

import pytest

from harness.benches.record.session import _is_alike, refused_since
from harness.benches.recordings.diff import Drift, Drifts
from harness.wire import COMPLETE, By, Chunk, Ending, Exchange, ExchangeBuilder, Headers, How, Request, UntilClose

CUT = Ending(by=By.CLIENT, how=How.FIN)
RST = Ending(how=How.RST)


def answered(body: bytes, *, status: int = 200, ending: Ending = COMPLETE) -> Exchange:
    """An exchange with this answer."""
    recorder = ExchangeBuilder(Request("GET", "/x"))
    recorder.head(status, Headers(), UntilClose())
    recorder.chunk(Chunk(body), 0.0)
    return recorder.finish(ending, 0.0)


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        (answered(b"ab"), answered(b"ab"), True),
        (answered(b"ab"), answered(b"ac"), False),
        (answered(b"ab"), answered(b"ab", status=201), False),
        (answered(b"ab"), answered(b"ab", ending=RST), False),
        (answered(b"a-key-b"), answered(b"a-REDACTED-1-b"), True),
        (answered(b"a-key-b-other-c"), answered(b"a-REDACTED-1-b-REDACTED-12-c"), True),
        (answered(b"a-key-b"), answered(b"a-REDACTED-1-c"), False),
        (answered(b"a-key-b"), answered(b"b-REDACTED-1-b"), False),
        (answered(b"a--b"), answered(b"a-REDACTED-1-b"), False),
        (answered(b"a-key-b-c"), answered(b"a-REDACTED-1-x-REDACTED-2-c"), False),
        (answered(b"a-key-b"), answered(b"a-REDACTED-1-b", ending=RST), False),
        (answered(b"abc", ending=CUT), answered(b"ab", ending=CUT), True),
        (answered(b"ab", ending=CUT), answered(b"abc"), True),
        (answered(b"abc", ending=CUT), answered(b"ax"), False),
        (answered(b"ab-key-c", ending=CUT), answered(b"ab-REDACTED-1"), True),
        (answered(b"xb-key-c", ending=CUT), answered(b"ab-REDACTED-1"), False),
    ],
)
def test_a_replay_is_the_same_but_for_secrets(before: Exchange, after: Exchange, same: bool) -> None:
    """A replay equals its recording except that placeholders stand for secrets, and only in their places."""
    assert _is_alike(before, after) is same


@pytest.mark.parametrize(
    ("before", "after", "refused"),
    [
        ("200", "404", True),
        ("200", "201", False),
        ("404", "400", False),
        ("404", "200", False),
        ("200", "none", True),
    ],
)
def test_what_was_answered_and_is_refused_now(before: str, after: str, refused: bool) -> None:
    """Only a success that is now refused or unanswered prevents replacing the older recording."""
    drifts = Drifts(shape={Drift("status", before, after): ["POST /v1beta/interactions"]})
    assert bool(refused_since(drifts)) is refused
