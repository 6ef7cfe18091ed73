"""The scenarios of a library: short exercises of lifecycle, streams, resumes, chains, tools and agents.

The exercises are like those of the checks, but small and the same on every target: nothing is scripted and nothing
races, so two recordings of one scenario can be compared. A scenario deletes all that it creates, and these
requests are not recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.checks.areas.agents import environment_of
from harness.checks.areas.inputs import MEDIA
from harness.checks.areas.tools import QUESTION, first_call, result_of
from harness.checks.vocabulary import runs
from harness.checks.vocabulary.shared import FORCED, UNKNOWN_ID, WEATHER
from harness.checks.vocabulary.streams import last_cursor, stream_id
from harness.contract.requests import RequestBuilder
from harness.kit.check import Close, Open, Scenario, Send, Steps, exercise
from harness.outcome import UsageFault
from harness.outcome.words import did_you_mean
from harness.wire import Exchange, LiveStream


@exercise(requests=4, interactions=1)
def lifecycle(t: RequestBuilder) -> Steps:
    """Create, read, delete, and read again what is deleted."""
    created: Exchange = yield Send(t.create(input="Say hi."))
    found = runs.need_id(created)
    read = yield from runs.poll_until_found(t, found)
    deleted = yield Send(t.delete(found))
    return {"created": created, "read": read, "deleted": deleted, "gone": (yield Send(t.get(found)))}


@exercise(requests=5, interactions=1)
def background(t: RequestBuilder) -> Steps:
    """A background run, polled until it has settled."""
    created: Exchange = yield Send(t.create(input="Say hi.", background=True))
    return {"created": created, "polled": (yield from runs.poll_until_settled(t, runs.need_id(created)))}


@exercise(requests=4, interactions=1)
def cancel(t: RequestBuilder) -> Steps:
    """A background run that is cancelled while it works."""
    created: Exchange = yield Send(t.create(input=runs.LONG, background=True))
    found = runs.need_id(created)
    cancelled = yield Send(t.cancel(found))
    return {"created": created, "cancelled": cancelled, "polled": (yield from runs.poll_until_settled(t, found))}


@exercise(requests=2, interactions=2)
def streaming(t: RequestBuilder) -> Steps:
    """A stream of text, and one with a summary of its thoughts."""
    plain = yield from runs.read_whole_stream(t.create(input="Count to twenty in words.", stream=True))
    thinking = {"thinking_level": "low", "thinking_summaries": "auto"}
    body = {"input": "What is 17 times 23?", "generation_config": thinking, "stream": True}
    return {"plain": plain, "thought": (yield from runs.read_whole_stream(t.create(body)))}


@exercise(requests=4, interactions=1)
def resume(t: RequestBuilder) -> Steps:
    """A background stream that is left after some events, resumed there, and read again from its start."""
    stream: LiveStream = yield Open(t.create(input="Count to twenty in words.", background=True, stream=True))
    had = yield from runs.read_to_a_cursor(stream, 3, most=40)  # until one of the events has a cursor
    left: Exchange = yield Close(stream)
    found, cursor = stream_id(had), last_cursor(had)
    if not found or cursor is None:
        return {"left": left}
    rest = yield from runs.read_whole_stream(t.get(found, stream=True, last_event_id=cursor))
    polled = yield from runs.poll_until_settled(t, found)
    return {
        "left": left,
        "rest": rest,
        "polled": polled,
        "all": (yield from runs.read_whole_stream(t.get(found, stream=True))),
    }


@exercise(requests=3, interactions=3)
def chaining(t: RequestBuilder) -> Steps:
    """A conversation of three turns, the last of them streamed."""
    first: Exchange = yield Send(t.create(input="My name is Ada."))
    second: Exchange = yield Send(t.create(input="What is my name?", previous_interaction_id=runs.need_id(first)))
    third = yield from runs.read_whole_stream(
        t.create(input="Spell it.", previous_interaction_id=runs.need_id(second), stream=True)
    )
    return {"first": first, "second": second, "third": third}


@exercise(requests=3, interactions=3)
def tools(t: RequestBuilder) -> Steps:
    """A forced function call, the turn with its result, and a call that is streamed."""
    asked: Exchange = yield Send(t.create(input=QUESTION, tools=[WEATHER], **FORCED))
    turn = {
        "input": [result_of(first_call(asked))],
        "tools": [WEATHER],
        "previous_interaction_id": runs.need_id(asked),
    }
    answered = yield Send(t.create(turn))
    streamed = yield from runs.read_whole_stream(t.create(input=QUESTION, tools=[WEATHER], stream=True, **FORCED))
    return {"asked": asked, "answered": answered, "streamed": streamed}


@exercise(requests=8, interactions=2)
def agent(t: RequestBuilder) -> Steps:
    """An agent's run in a fresh environment, and a second turn in the same one."""
    body = {"agent": t.agent, "input": "Say hi.", "environment": "remote", "background": True}
    created: Exchange = yield Send(t.create(body))
    found = runs.need_id(created)
    polled = yield from runs.poll_until_settled(t, found)
    turn = {**body, "previous_interaction_id": found, "environment": environment_of(polled[-1]) or "remote"}
    chained: Exchange = yield Send(t.create(turn))
    again = yield from runs.poll_until_settled(t, runs.need_id(chained))
    return {"created": created, "polled": polled, "chained": chained, "again": again}


@exercise(requests=4)
def errors(t: RequestBuilder) -> Steps:
    """Requests that are refused: an unknown id, an unknown model, a wrong field, malformed JSON."""
    return {
        "unknown": (yield Send(t.get(UNKNOWN_ID))),
        "model": (yield Send(t.create(model="harness-no-such-model", input="Say hi."))),
        "field": (yield Send(t.create(input="Say hi.", temperature="warm"))),
        "malformed": (yield Send(t.request("POST", "interactions", b'{"model": '))),
    }


@exercise(requests=9, interactions=2)
def waiting(t: RequestBuilder) -> Steps:
    """A background run that calls a function: polled, streamed, and given the result."""
    created: Exchange = yield Send(t.create(input=QUESTION, tools=[WEATHER], background=True, **FORCED))
    found = runs.need_id(created)
    polled = yield from runs.poll_until_settled(t, found)
    streamed = yield from runs.read_whole_stream(t.get(found, stream=True))
    turn = {"input": [result_of(first_call(polled[-1]))], "tools": [WEATHER], "previous_interaction_id": found}
    return {"created": created, "polled": polled, "streamed": streamed, "answered": (yield Send(t.create(turn)))}


@exercise(requests=8, interactions=3)
def limits(t: RequestBuilder) -> Steps:
    """Limits of models: levels, a history that ends on their turn, other operations."""
    turns = [{"type": "user_input", "content": [_SAY_HI]}, {"type": "model_output", "content": [_SAY_HI]}]
    note = {"type": "document", "mime_type": "text/plain", "data": "SGVsbG8="}
    minimal = {"thinking_level": "minimal"}
    bodies: dict[str, dict[str, Any]] = {
        "level": {"model": _NEWER, "input": "Say hi.", "generation_config": minimal},
        "level of Gemini 4": {"model": "gemini-4-hydrogen", "input": "Say hi.", "generation_config": minimal},
        "model's turn last": {"model": _NEWER, "input": turns},
        "top_k": {"model": _NEWER, "input": "Say hi.", "generation_config": {"top_k": 10}},
        "plain text": {"model": _NEWER, "input": [_SAY_HI, note]},
        "video of a text model": {"model": _NEWER, "input": "Say hi.", "response_format": {"type": "video"}},
        "model of embeddings": {"model": "gemini-embedding-2", "input": "Say hi."},
        "retired model": {"model": "gemini-3.7-flash", "input": "Say hi."},
    }
    answers: dict[str, Exchange] = {}
    for name, body in bodies.items():
        answers[name] = yield Send(t.create(body))
    return dict(answers)


@exercise(requests=2, interactions=1)
def inputs(t: RequestBuilder) -> Steps:
    """One create with a text, an image, audio, a video and a document, and a GET of it."""
    created: Exchange = yield Send(t.create(input=[{"type": "user_input", "content": [_SAY_HI, *MEDIA.values()]}]))
    return {"created": created, "read": (yield from runs.poll_until_found(t, runs.need_id(created)))}


_SAY_HI = {"type": "text", "text": "Say hi."}
_NEWER = "gemini-3.8-flash"
"""A model whose guide was read, and which has each of the limits."""


SCENARIOS: Mapping[str, Scenario] = {
    found.name: Scenario(found.name, (found.run.__doc__ or "").strip(), found)
    for found in (
        lifecycle, background, cancel, streaming, resume, chaining, tools, agent, errors, waiting, limits, inputs,
    )
}  # fmt: skip
"""The scenarios by name, which is also the name of the cassette."""


def select_scenarios(names: list[str]) -> list[Scenario]:
    """The scenarios with these names; `all` means every one. Raises UsageFault, with a suggestion, for others."""
    wanted: dict[str, Scenario] = {}
    for name in names:
        if name == "all":
            wanted.update(SCENARIOS)
        elif name in SCENARIOS:
            wanted[name] = SCENARIOS[name]
        else:
            hint = did_you_mean(name, SCENARIOS, otherwise=f": known are {', '.join(SCENARIOS)}, all")
            raise UsageFault(f"no scenario is named {name!r}{hint}")
    return list(wanted.values())
