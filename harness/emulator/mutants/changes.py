"""Changes that many rows share: crash, refuse, skip, put a field, drop a field.

A change gets the thing that its hook hands over, then what that belongs to; see `hooks`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import Any, NoReturn

import msgspec
from msgspec import structs
from msgspec.structs import replace

from harness.emulator.engine import Engine
from harness.emulator.mutants.parts import SKIP, Change, ConditionalChange
from harness.emulator.run.run import Run
from harness.emulator.values.call import Call, Refusal, json_response
from harness.emulator.values.create_request import CreateRequest
from harness.wire import COMPLETE, Body, Chunk, Chunked, Headers, Length, Piece, PieceBody, Response
from harness.wire.bodies import object_or_none
from harness.wire.message import EVENT_STREAM

Json = dict[str, Any]


def when(test: Callable[..., object], change: Change) -> Change:
    """Change only what passes the test, which gets the same arguments."""
    return ConditionalChange(test, change)


# Refusing


def crash(*context: Any) -> NoReturn:
    """Refuse with 500."""
    raise Refusal(500, "api_error", "Internal error.")


def refuse(message: str, status: int = 400, code: str = "invalid_request") -> Change:
    """Refuse with a message."""

    def refusing(*context: Any) -> NoReturn:
        raise Refusal(status, code, message)

    return refusing


not_found = refuse("Not found.", 404, "not_found")
"""Refuse as if there were no such thing."""


def skip(*context: Any) -> object:
    """Leave a step out."""
    return SKIP


# Answering


def answer(value: Any) -> Change:
    """Answer with 200 and a JSON value."""
    return lambda *context: json_response(value)


def html(status: int) -> Response:
    """Return an HTML error page such as a proxy or a web framework would send."""
    page = b"<!doctype html><title>Error</title><h1>Something went wrong</h1>"
    return Response.whole(status, Headers((("content-type", "text/html"),)), page)


def empty_stream(*context: Any) -> Response:
    """Answer with a stream without events."""
    return Response(200, Headers((("content-type", EVENT_STREAM),)), Chunked(), PieceBody((COMPLETE,)))


def with_status(response: Response, status: int) -> Response:
    """Return the response with another status."""
    return structs.replace(response, status=status)


# Editing values


def put(**fields: Any) -> Change:
    """Set fields of a JSON object."""
    return lambda value, *context: value.update(fields)


def drop(*names: str) -> Change:
    """Remove fields of a JSON object."""

    def edit(value: Json, *context: Any) -> None:
        for name in names:
            value.pop(name, None)

    return edit


def inside(name: str, change: Change) -> Change:
    """Change the value of a field."""

    def edit(value: Json, *context: Any) -> None:
        other = change(value[name], *context)
        if other is not None:
            value[name] = other

    return edit


def turn(**words: str) -> Change:
    """Replace some words by others; other words stay."""
    return lambda word, *context: words.get(word, word)


def assign(**values: Any) -> Change:
    """Set attributes; a function among the values is called with what the change gets."""

    def edit(thing: Any, *context: Any) -> None:
        for name, value in values.items():
            setattr(thing, name, value(thing, *context) if callable(value) else value)

    return edit


# Editing steps and events


def each(kind: str, change: Change) -> Callable[..., list[Json]]:
    """Change each step of one type, in a copy of the steps."""

    def edit(steps: list[Json], *context: Any) -> list[Json]:
        return [edit_copy(step, change) if step["type"] == kind else step for step in steps]

    return edit


def edit_copy(value: Json, change: Change) -> Json:
    """Return a changed copy of a JSON object."""
    copy = dict(value)
    other: Json | None = change(copy)
    return copy if other is None else other


def without(value: Json, *names: str) -> Json:
    """Return a JSON object without some of its fields."""
    return {name: item for name, item in value.items() if name not in names}


def each_step(change: Callable[[list[Json]], list[Json]]) -> Change:
    """Change the events of each step, given the events of a run."""

    def edit(events: list[Json], *context: Any) -> list[Json]:
        groups = groupby(events, lambda event: event.get("index"))
        return [event for index, group in groups for event in (group if index is None else change(list(group)))]

    return edit


def drop_header(name: str) -> Change:
    """Remove a header of a response."""

    def edit(response: Response, *context: Any) -> None:
        kept = [(field, value) for field, value in response.headers.items() if field.lower() != name]
        response.headers = Headers(tuple(kept))

    return when(lambda response, *_: response is not None and name in response.headers, edit)


# Looking into calls and responses


def is_unknown(call: Call, engine: Engine) -> bool:
    """Whether a call names an interaction that is not stored, or is another project's."""
    return engine.find(call.segments[1], call.project) is None


def is_missing(refusal: Refusal, call: Call) -> bool:
    """Whether a call is refused with 404."""
    return refusal.status == 404


def read_json(call: Call) -> Json:
    """Return the body of a call as an object, `{}` if it is not one."""
    return object_or_none(call.request.body) or {}


def ignore(*names: str) -> Callable[[Call, Engine], Call]:
    """Leave out query parameters of a call."""
    return lambda call, _: replace(call, query=without(dict(call.query), *names))


def ask(**parameters: str) -> Callable[[Call, Engine], Call]:
    """Set query parameters of a call."""
    return lambda call, _: replace(call, query={**call.query, **parameters})


def with_contents(order: CreateRequest, change: Callable[[list[Json]], list[Json]]) -> list[Json]:
    """Return the input of a create with the contents of its steps changed."""
    return [
        {**step, "content": change(step["content"])} if isinstance(step.get("content"), list) else step
        for step in order.given
    ]


def with_data(call: Call, data: bytes) -> Call:
    """Return the call with another body."""
    return replace(call, request=replace(call.request, body=data))


def read_bytes(response: Response) -> bytes:
    """Read a whole response and return its body."""
    return b"".join(piece.data for piece in response.body if isinstance(piece, Chunk))


def with_bytes(response: Response, data: bytes) -> Response:
    """Return the same status and headers with another body."""
    return Response.whole(response.status, response.headers, data)


def is_json(response: Response) -> bool:
    """Whether this is a whole JSON response."""
    return isinstance(response.framing, Length) and response.headers.media_type() == "application/json"


def edit_json(response: Response, change: Callable[[Any], Any]) -> Response:
    """Apply a change to the value of a whole JSON response; any other response is left as it is."""
    if not is_json(response):
        return response
    value = msgspec.json.decode(read_bytes(response))
    other = change(value)
    return with_bytes(response, msgspec.json.encode(value if other is None else other))


def replace_text(body: Body, old: bytes, new: bytes) -> Body:
    """Replace one text in each chunk of a body."""
    return PieceBody(_reword(body, old, new), body.close)


def _reword(pieces: Iterable[Piece], old: bytes, new: bytes) -> Iterator[Piece]:
    for piece in pieces:
        yield Chunk(piece.data.replace(old, new)) if isinstance(piece, Chunk) else piece


def rename_events(body: Body, run: Run, prefix: bytes) -> Body:
    """Put a prefix before the event ids of a run's stream."""
    field, tag = b'"event_id":"', run.tag.encode()
    return replace_text(body, field + tag, field + prefix + tag)


def each_item(name: str, change: Callable[..., Any]) -> Callable[[Json, object], None]:
    """Change every item of a list in a page, or every value of an object."""

    def edit(page: Json, _: object) -> None:
        found = page.get(name, ())
        for item in found.values() if isinstance(found, dict) else found:
            change(item)

    return edit
