"""Legal streams are judged without a finding, illegal ones break the rule they name."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from harness.contract import StreamJudge, StreamReading
from harness.contract.rules import BY_ID
from harness.strategies import EventStream, event_streams
from harness.strategies.breakage import BREAKAGES
from harness.strategies.streams import _legal
from tests.strategies.drawing import draws, least


def judged(stream: EventStream) -> StreamReading:
    """The judge's word on a stream."""
    judge = StreamJudge(start=stream.start, background=stream.background)
    judge.feed(stream.data())
    return judge.finish()


def test_legal_streams_have_no_findings() -> None:
    """Nothing of any level is found, and nothing unknown."""
    for stream in draws(event_streams()):
        reading = judged(stream)
        assert reading.findings == (), (stream, reading.findings)
        assert reading.unknowns == ()


def test_illegal_streams_break_the_rule_they_name() -> None:
    """The judge, which shares no code with the generator, finds what was broken."""
    for stream in draws(event_streams(legal=False), 200):
        assert stream.breaks in {finding.rule for finding in judged(stream).findings}, stream


@pytest.mark.parametrize("rule", sorted(BREAKAGES))
def test_each_breakage_breaks_its_rule(rule: str) -> None:
    """Every entry of the table is a rule of the contract, and does what it says whatever stream it is given."""
    assert rule in BY_ID

    @st.composite
    def broken(draw: st.DrawFn) -> EventStream:
        plain = draw(_legal(BREAKAGES[rule].cursors or draw(st.booleans()), least=1, plain=True, most=2))
        return BREAKAGES[rule].apply(draw, plain)

    for stream in draws(broken(), 8):
        assert rule in {finding.rule for finding in judged(stream).findings}, stream


@pytest.mark.parametrize("background", [True, False])
def test_background_is_as_asked(background: bool) -> None:
    """`background` fixes the kind of run; its deltas then carry cursors."""
    for stream in draws(event_streams(background=background), 60):
        assert stream.background is background
        if background:
            deltas = [e for e in stream.events if not isinstance(e, bytes) and e["event_type"] == "step.delta"]
            assert all("event_id" in event for event in deltas)


def test_a_stream_shrinks_to_its_creation_and_its_end() -> None:
    """The least stream has two events."""
    assert len(least(event_streams(), lambda stream: True).events) == 2
