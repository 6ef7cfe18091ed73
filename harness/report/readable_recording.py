"""A cassette as text for `git diff`: indented bodies, one event a line, real characters. Layer 6."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote

from harness.cassette import Recording
from harness.cassette.redactor import Redactor
from harness.wire import Headers, StreamProtocol
from harness.wire.json_value import json_or_none

_BLOCK = re.compile(r"(?:\r\n|\n|\r)(?:\r\n|\n|\r)+")
_LINE = re.compile(r"\r\n|\n|\r")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_PART = re.compile(r"[^/?&=]+")
_CHANGING = frozenset({"host", "date", "content-length", "user-agent", "server-timing", "connection"})
"""Headers that differ from one recording to the next and say nothing of the API."""


def describe_cassette(
    recordings: Iterable[Recording], protocol: StreamProtocol, *, stable: bool = False
) -> Iterator[str]:
    """The lines of a cassette, without the secrets that it may hold.

    With `stable`, ids and times that change with each recording have fixed names.
    """
    values = _Values(protocol) if stable else None
    redactor = Redactor(protocol)
    for number, recording in enumerate(map(redactor.redact, recordings), 1):
        request = recording.request
        yield from ([""] if number > 1 else [])
        path = request.target if values is None else values.name_path(request.target)
        yield f"{number}. {request.method} {path}"
        yield from _describe_headers(request.headers, stable=stable)
        yield from _describe_body(request.body, values, is_stream=False)
        yield f"   {recording.status or 'no response'} {recording.reason}".rstrip()
        yield from _describe_headers(recording.headers, stable=stable)
        yield from _describe_body(recording.body, values, is_stream=recording.events)
        yield f"   ends: {recording.ending.words if not recording.ending.complete else 'complete'}"


def _describe_headers(headers: Headers, *, stable: bool) -> Iterator[str]:
    for name, value in headers:
        if not (stable and (name.lower() in _CHANGING or name.lower().endswith("-api-client"))):
            yield f"   {name}: {value}"


def _describe_body(body: bytes, values: _Values | None, *, is_stream: bool) -> Iterator[str]:
    if not body:
        return
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        yield f"     {len(body):,} bytes that are no text"
        return
    if is_stream:
        for block in filter(None, _BLOCK.split(text)):
            fields = (_describe_field(line, values) for line in filter(None, _LINE.split(block)))
            yield f"     {'  '.join(fields)}"
        return
    value = json_or_none(body)
    if value is not None:
        text = json.dumps(value if values is None else values.name(value), ensure_ascii=False, indent=2)
    yield from (f"     {line}" for line in text.splitlines())


def _describe_field(line: str, values: _Values | None) -> str:
    """A line of an event; JSON in it with real characters."""
    name, colon, text = line.partition(":")
    text = text.removeprefix(" ")
    if name == "data" and (value := json_or_none(text.encode("utf-8"))) is not None:
        text = json.dumps(value if values is None else values.name(value), ensure_ascii=False)
    elif name == "id" and values is not None:
        text = values.name_id(text)
    return f"{name}{colon} {text}".rstrip() if name else line


class _Values:
    """Names values that change with each recording by the order in which they first occur."""

    def __init__(self, protocol: StreamProtocol) -> None:
        self._ids: dict[str, str] = {}
        self._id_fields = protocol.id_fields
        self._opaque = protocol.opaque_fields

    def name_id(self, text: str) -> str:
        """The name of an id."""
        return self._ids.setdefault(text, f"<id {len(self._ids) + 1}>")

    def name_path(self, path: str) -> str:
        """The path with the names of the ids that occurred before."""
        return _PART.sub(lambda part: self._ids.get(unquote(part[0]), part[0]), path)

    def name(self, value: Any, field: str = "") -> Any:
        """The value with those names, and without times and opaque texts."""
        match value:
            case dict():
                return {key: self.name(item, key) for key, item in value.items()}
            case list():
                return [self.name(item, field) for item in value]
            case str() if field in self._opaque and value:
                return f"<{field}>"
            case str() if field in self._id_fields and value:
                return self.name_id(value)
            case str() if _TIME.fullmatch(value):
                return "<time>"
        return value
