"""Legal streams have no findings; illegal streams break the rule that they name."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st

from harness.contract import StreamJudge, StreamReading, load
from harness.rules import BY_ID
from harness.strategies import EventStream, event_streams
from harness.strategies.streams import BREAKAGES, _legal
from tests.strategies.drawing import draws, least


def judged(stream: EventStream) -> StreamReading:
    """The stream judge's reading of a stream."""
    judge = StreamJudge(load(), start=stream.start, background=stream.background)
    judge.feed(stream.data())
    return judge.finish()


@pytest.mark.slow
def test_legal_streams_have_no_findings() -> None:
    for stream in draws(event_streams()):
        reading = judged(stream)
        assert reading.findings == (), (stream, reading.findings)
        assert reading.unknowns == ()


@pytest.mark.slow
def test_illegal_streams_break_the_rule_they_name() -> None:
    """The stream judge, which shares no code with the generator, finds the rule that was broken."""
    for stream in draws(event_streams(legal=False), 200):
        assert stream.breaks in {finding.rule for finding in judged(stream).findings}, stream


@pytest.mark.slow
@pytest.mark.parametrize("rule", sorted(BREAKAGES))
def test_each_breakage_breaks_its_rule(rule: str) -> None:
    """Every entry of the table breaks its rule of the contract in any stream that it is applied to."""
    assert rule in BY_ID

    @st.composite
    def broken(draw: st.DrawFn) -> EventStream:
        plain = draw(_legal(load(), BREAKAGES[rule].cursors or draw(st.booleans()), least=1, plain=True, most=2))
        return BREAKAGES[rule].apply(draw, plain)

    for stream in draws(broken(), 8):
        assert rule in {finding.rule for finding in judged(stream).findings}, stream


@pytest.mark.parametrize("background", [True, False])
@pytest.mark.slow
def test_background_is_as_asked(background: bool) -> None:
    """`background` selects the kind of run; the deltas of a background run carry cursors."""
    for stream in draws(event_streams(background=background), 60):
        assert stream.background is background
        if background:
            deltas = [e for e in stream.events if not isinstance(e, bytes) and e["event_type"] == "step.delta"]
            assert all("event_id" in event for event in deltas)


@pytest.mark.slow
def test_a_stream_shrinks_to_its_creation_and_its_end() -> None:
    assert len(least(event_streams(), lambda stream: True).events) == 2
