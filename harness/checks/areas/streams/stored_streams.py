"""Checks of streams beside something else: the create that asked for them, and what GET stores and streams again.

Layer 2. `stream` checks what each stream must look like by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.expect import (
    at,
    expect_interaction,
    expect_reply,
    expect_status,
    finding,
    interaction_in,
    of_rule,
)
from harness.checks.vocabulary.stream_events import (
    adds_up,
    completion,
    cursor,
    events_in,
    expect_stream,
    is_stream,
    is_whole,
    stream_id,
)
from harness.checks.vocabulary.streamed import Streams, streams_of_all_kinds
from harness.contract import read
from harness.contract.judge.agreement import judge_streamed_end, judge_streamed_steps, judge_streamed_text
from harness.contract.judge.replies import CLIENT_ERROR, SUCCESS
from harness.contract.judge.wording import format_answer
from harness.outcome import Finding, Unmet
from harness.wire import Exchange

_STREAM = new_registry()
CHECKS = _STREAM.checks


@_STREAM.check(
    "stream.opens",
    streams_of_all_kinds,
    title="a create with stream=true answers an event stream",
    profile="streaming",
    requires=["stream"],
    accepts=["server-sent events", "a refusal of tools or thoughts, where the model has none"],
)
def _opens(text: Exchange, tool: Exchange, thought: Exchange) -> Iterator[Finding]:
    yield from at("text", expect_stream(text))
    for name, answer in (("tool", tool), ("thought", thought)):
        if answer.status not in CLIENT_ERROR:
            yield from at(name, expect_stream(answer))


@_STREAM.check(
    "stream.text",
    streams_of_all_kinds,
    title="the text of a stream is the text that GET stores",
    profile="streaming",
    requires=["stream", "store"],
    accepts=["the same text, however it is split", "any text of a stream that was cut or failed"],
)
def _brings_the_stored_text(streams: Streams, stored: Mapping[str, Exchange]) -> Iterator[Finding]:
    compared = 0
    for name, body in _stored_bodies(streams, stored).items():
        ended = completion(events_in(streams[name])) or {}
        if adds_up(streams[name]) and ended.get("status") == body.get("status") == "completed":
            compared += 1
            yield from at(f"stored[{name}]", judge_streamed_text(read(streams[name]).streamed_steps, body))
    if not compared:
        raise Unmet("no whole stream of a completed interaction can be read again")


@_STREAM.check(
    "stream.equals-get",
    streams_of_all_kinds,
    title="the assembled events are what GET stores",
    profile="streaming",
    requires=["stream", "store"],
    accepts=[
        "the same output steps; text joined, fragments concatenated",
        "any of a stream that was cut or failed",
    ],
)
def _equals_what_is_stored(streams: Streams, stored: Mapping[str, Exchange]) -> Iterator[Finding]:
    if not stored:
        raise Unmet("no stream told the id of its interaction")
    bodies = _stored_bodies(streams, stored)
    for name, answer in stored.items():
        place = f"stored[{name}]"
        if name not in bodies:
            yield from at(place, expect_interaction(answer))
        elif adds_up(streams[name]) and completion(events_in(streams[name])) is not None:
            yield from at(place, judge_streamed_steps(read(streams[name]).streamed_steps, bodies[name]))


@_STREAM.check(
    "stream.end-matches-get",
    streams_of_all_kinds,
    title="a stream ends with the status and the cost that GET shows",
    profile="streaming",
    requires=["stream", "store"],
    accepts=["the same status and token counts", "none in one of them"],
)
def _ends_as_stored(streams: Streams, stored: Mapping[str, Exchange]) -> Iterator[Finding]:
    compared = 0
    for name, body in _stored_bodies(streams, stored).items():
        end = completion(events_in(streams[name]))
        if is_whole(streams[name]) and end is not None:
            compared += 1
            yield from at(f"stored[{name}]", judge_streamed_end(end, body))
    if not compared:
        raise Unmet("no whole stream can be read again")


def _stored_bodies(streams: Streams, stored: Mapping[str, Exchange]) -> dict[str, Mapping[str, Any]]:
    """The interactions that GET returned, by the kind of their streams."""
    return {
        name: interaction_in(answer)
        for name, answer in stored.items()
        if name in streams and not list(expect_interaction(answer))
    }


@_STREAM.check(
    "stream.bg-and-stream",
    streams_of_all_kinds,
    title="background and stream together give a stream with an id",
    profile="background",
    requires=["stream", "background"],
    accepts=["2xx and a stream that tells an id"],
)
def _streams_the_background(background: Exchange) -> Iterator[Finding]:
    yield from expect_status(background, accepts=SUCCESS)
    if background.status not in SUCCESS:
        return
    if not is_stream(background):
        yield finding("no event stream", expected="text/event-stream", actual=format_answer(background))
    elif not stream_id(events_in(background)):
        yield finding("the stream never tells the id of its interaction", expected="an id in interaction.created")


@_STREAM.check(
    "stream.evid-delta",
    streams_of_all_kinds,
    title="every delta of a background stream has an event_id",
    profile="background",
    requires=["stream", "background", "event-ids"],
    accepts=["an event_id on each step.delta, with or without others", "no event_id at all: untestable"],
)
def _deltas_have_cursors(background: Exchange) -> Iterator[Finding]:
    events = events_in(background)
    if not any(cursor(event) for event in events):
        raise Unmet("no event of the background stream carries an event_id")
    yield from of_rule("stream.evid-delta", background)


@_STREAM.check(
    "resume.foreground",
    streams_of_all_kinds,
    title="a stored foreground interaction streams, or says that it cannot",
    profile="streaming",
    requires=["stream", "store"],
    accepts=["the events again", "any 4xx"],
    about="replay",
)
def _replays_the_foreground(text: Exchange, replay: Exchange | None) -> Iterator[Finding]:
    events = events_in(text)
    if replay is None:
        raise Unmet("the stream told no id to ask for")
    yield from expect_reply("resume.foreground", replay)
    if replay.status not in SUCCESS:
        return
    if not is_stream(replay):
        yield finding("stream=true brought no stream", expected="text/event-stream", actual=format_answer(replay))
    elif completion(events) is not None and completion(events_in(replay)) is None:
        yield finding("the replay ends early", expected="interaction.completed", actual="none")
