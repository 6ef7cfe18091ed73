"""Legal noise in words: every word is one of the grammar, and what breaks a stream is not called legal."""

from __future__ import annotations

import pytest

from harness.faults import parse
from harness.faults.grammar import LEGAL_NOISE, spell_out

PLANS = {
    "ping": "ping:all",
    "unknown": "unknown:2",
    "comment": "comment:all",
    "trickle": "trickle:5",
    "chunks": "chunks:3",
}


@pytest.mark.parametrize("word", LEGAL_NOISE)
def test_the_words_are_those_of_plans(word: str) -> None:
    """Each is a fault that a plan can name, and is told with what a client sees."""
    plan = PLANS.get(word, word)
    assert str(parse(plan)) == plan
    assert spell_out(plan) == f"{plan} (legal: {LEGAL_NOISE[word]})"


def test_what_breaks_a_stream_is_not_legal() -> None:
    """A drop stands as it is; noise beside it is told once."""
    assert spell_out("event:5,rst") == "event:5,rst"
    assert spell_out("status:400,body:%7B%22a%22:1%7D%1b,rst") == r'status:400,body:{"a":1}\x1b,rst'
    assert spell_out("ping:1,ping:4,event:5,rst") == f"ping:1,ping:4,event:5,rst (legal: {LEGAL_NOISE['ping']})"
