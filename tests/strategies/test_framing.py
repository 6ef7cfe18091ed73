"""The same events in any framing, and cuts of streams."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.contract import StreamJudge, StreamReading, judge_interaction, load
from harness.rules import BY_ID
from harness.strategies import (
    ClientCommand,
    EventStream,
    create_requests,
    cuts,
    event_streams,
    histories,
    interactions,
    splits,
    steps,
    wire_framings,
)
from harness.strategies.messages import RULES_BETWEEN_FIELDS
from harness.strategies.operations import KINDS
from harness.wire import Decoder
from tests.strategies.drawing import draws, least


@cache
def dressed() -> list[tuple[EventStream, list[bytes]]]:
    """Streams, each with its pieces in some framing."""
    return draws(event_streams().flatmap(lambda stream: st.tuples(st.just(stream), wire_framings(stream))), 60)


@cache
def drawn(name: str) -> list[Any]:
    """Legal values of a strategy."""
    return draws(STRATEGIES[name]())


def decoded(pieces: list[bytes]) -> list[tuple[str, bytes]]:
    """Event names and payloads, decoded from pieces."""
    decoder = Decoder()
    return [((frame.event or b"").decode(), frame.data) for piece in pieces for frame in decoder.feed(piece)]


@pytest.mark.slow
def test_a_framing_carries_the_same_events() -> None:
    """Whatever the line endings, comments, fields and pieces, the decoder returns the original payloads."""
    for stream, pieces in dressed():
        assert decoded(pieces) == stream.payloads()


@settings(database=None, derandomize=True, deadline=None)
@given(st.data(), st.binary(max_size=80))
def test_cuts_and_splits_stay_inside(data: st.DataObject, stream: bytes) -> None:
    assert 0 <= data.draw(cuts(stream)) <= len(stream)
    assert b"".join(data.draw(splits(stream))) == stream


def test_cuts_hit_the_middle_of_a_character() -> None:
    """Cuts inside a four-byte character are drawn often."""
    stream = b"data: " + b"a" * 500 + "🦊\n\n".encode()
    middle = set(range(507, 510))
    assert middle & set(draws(cuts(stream), 60))


# --- the contract accepts the bodies drawn as legal, and refuses those drawn as illegal


STRATEGIES = {"step": steps, "interaction": interactions, "requests/create-interaction": create_requests}


@pytest.mark.slow
@pytest.mark.parametrize("name", STRATEGIES)
def test_legal_values_hold_nothing_unknown(name: str) -> None:
    """A legal value fits the closed schema, so it has no unknown fields."""
    validator = load().schemas.validator(name, closed=True)
    for value in drawn(name):
        assert validator.problems(value) == [], value


@pytest.mark.slow
@pytest.mark.parametrize("name", STRATEGIES)
def test_illegal_values_are_refused(name: str) -> None:
    """An illegal value does not fit its schema: the open one for responses, the closed one for requests."""
    validator = load().schemas.validator(name, closed=name.startswith("requests/"))
    for value in draws(STRATEGIES[name](legal=False)):
        assert not validator.is_valid(value), value


@pytest.mark.slow
def test_legal_interactions_are_coherent() -> None:
    """A legal interaction has no findings: calls match results, totals add up, citations lie inside the text."""
    for value in drawn("interaction"):
        assert judge_interaction(value, load()) == [], value


@pytest.mark.parametrize("body", RULES_BETWEEN_FIELDS)
def test_each_rule_between_fields_is_broken_by_its_least_body(body: dict[str, object]) -> None:
    """Every entry in the table of broken cross-field rules really breaks its rule, even in its smallest body."""
    assert not load().schemas.validator("requests/create-interaction", closed=True).is_valid(body)


@pytest.mark.slow
def test_a_create_shrinks_to_model_and_input() -> None:
    body = least(create_requests(), lambda value: True)
    assert set(body) == {"model", "input"}


# --- legal streams have no findings; illegal streams break the rule that they name


def judged(stream: EventStream) -> StreamReading:
    """The stream judge's reading of a stream."""
    judge = StreamJudge(load(), background=stream.background)
    judge.feed(stream.data())
    return judge.finish()


@pytest.mark.slow
def test_legal_streams_have_no_findings() -> None:
    for stream in draws(event_streams()):
        reading = judged(stream)
        assert reading.findings == (), (stream, reading.findings)
        assert reading.unknowns == ()


@pytest.mark.slow
def test_an_illegal_stream_breaks_the_rule_that_it_names() -> None:
    """Many rules are among them, of order, of shape and of the end."""
    broken = {stream.breaks for stream in draws(event_streams(legal=False), 100)}
    assert broken <= BY_ID.keys()
    assert broken >= {"stream.first", "stream.json", "stream.start-before", "stream.stop-once"}
    assert len(broken) >= 8


# --- histories are data: they begin with a create, can be stored as JSON, and reject unknown operations


def test_histories_begin_with_a_create_and_keep_their_length() -> None:
    for history in draws(histories(steps=8), 80):
        assert history[0].kind == "create"
        assert 1 <= len(history) <= 8


@pytest.mark.slow
def test_every_kind_and_mode_is_drawn() -> None:
    seen = {(o.kind, o.mode) for history in draws(histories(steps=40), 400) for o in history}
    assert seen == {(kind, mode) for kind, modes in KINDS.items() for mode in modes}


def test_an_operation_survives_json() -> None:
    for history in draws(histories(), 50):
        records = json.loads(json.dumps([operation.record() for operation in history]))
        assert [ClientCommand(**record) for record in records] == history


@pytest.mark.parametrize(("kind", "mode"), [("dance", ""), ("poll", "sideways")])
def test_what_is_no_operation_is_refused_in_words(kind: str, mode: str) -> None:
    """An unknown operation is rejected with a message that says what came and what is allowed."""
    with pytest.raises(ValueError, match=r"is not an operation: there are create|is not one of poll: ") as caught:
        ClientCommand(kind, mode=mode)
    assert kind in str(caught.value) or mode in str(caught.value)


def test_a_history_needs_a_step() -> None:
    with pytest.raises(ValueError, match="steps=0"):
        histories(steps=0)


# --- what the strategies reach
