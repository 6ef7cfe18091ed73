"""One stream of each kind that a target supports: the exercise that most checks of streams share.

Layer 2. Costs four short answers of the model; reading them again uses no tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.checks.vocabulary.background_runs import read_whole_stream
from harness.checks.vocabulary.polling import poll_after_stream
from harness.checks.vocabulary.stored import HELLO
from harness.checks.vocabulary.stream_events import events_in, is_stream, stream_id
from harness.contract import PROTOCOL
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Part, Steps
from harness.kit.check import exercise
from harness.wire import By, Exchange, Request

Streams = Mapping[str, Exchange]
"""Accepted streams by kind."""

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of one place.",
    "parameters": {
        "type": "object",
        "properties": {"location": {"type": "string", "description": "A city."}},
        "required": ["location"],
    },
}
"""The function that checks declare."""

FORCED: Mapping[str, Any] = {"generation_config": {"tool_choice": "any"}}

_PART = 12
"""Which part of its time a background run gets to begin, while its stream is read."""

SPELLED = "Repeat these words: żółćłóżąęśćźń 東京都北京市大阪府 😀🚀🐍🍕🎸🌍."
"""Letters of two, three and four bytes in a row: wherever a server cuts its bytes, it cuts a letter."""

KINDS: Mapping[str, Mapping[str, Any]] = {
    "background": {"input": SPELLED, "background": True},
    "tool": {"input": "How is the weather in Zürich?", "tools": [WEATHER], **FORCED},
    "thought": {
        "input": "What is 17 times 23?",
        "generation_config": {"thinking_level": "low", "thinking_summaries": "auto"},
    },
}
"""The kinds of stream besides plain text, with the body that requests them."""


@exercise(requests=9, interactions=4)
def streams_of_all_kinds(t: RequestBuilder) -> Steps:
    """A stream of each kind, a GET of each interaction, and a replay of the text stream."""
    words, text = yield from _read_text(t)
    answers: dict[str, Exchange] = {"text": text}
    for name, body in KINDS.items():
        body = {**body, "input": words} if name == "background" else body
        answers[name] = yield from _read_kind(t, t.create(body, stream=True), background=name == "background")
    stored = yield from _read_stored(t, answers)
    found = _told_id(text)
    replay = (yield from read_whole_stream(t.get(found, stream=True))) if found else None
    streams = {name: answer for name, answer in answers.items() if is_stream(answer)}
    if _never_began(answers["background"]):  # polling says what is wrong with it
        streams.pop("background", None)
    if replay is not None and is_stream(replay):
        streams["replay"] = replay
    return {**answers, "streams": streams, "stored": stored, "replay": replay}


def _read_text(t: RequestBuilder) -> Part[tuple[str, Exchange]]:
    """Read a stream of plain text → its input, and the stream."""
    for words in (SPELLED, SPELLED, HELLO):  # two refusals may be about the letters, which streams have no part in
        text = yield from read_whole_stream(t.create(input=words, stream=True))
        if text.status not in range(400, 500):
            break
    return words, text


def _read_kind(t: RequestBuilder, request: Request, *, background: bool) -> Part[Exchange]:
    """Read a stream; a background run that does not begin is left soon, as it may wait for ever."""
    answer = yield from read_whole_stream(request, t.wait / _PART if background else None)
    if background and answer.ending.by is By.LIMIT and not _never_began(answer):
        answer = yield from read_whole_stream(request)
    return answer


def _never_began(answer: Exchange) -> bool:
    """Whether we left a stream that had told of no step, and of no end."""
    silent = answer.ending.by is By.LIMIT and is_stream(answer)
    return silent and not any("step" in event or PROTOCOL.ends(event) for event in events_in(answer))


def _read_stored(t: RequestBuilder, answers: Streams) -> Part[dict[str, Exchange]]:
    stored: dict[str, Exchange] = {}
    for name, answer in answers.items():
        found = _told_id(answer)
        if found:
            stored[name] = (yield from poll_after_stream(t, found, answer))[-1]
    return stored


def _told_id(answer: Exchange) -> str:
    return stream_id(events_in(answer)) if is_stream(answer) and not answer.truncated else ""
