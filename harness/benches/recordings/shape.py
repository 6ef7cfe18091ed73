"""Separates the shape of a recorded answer from its content, which may differ between two correct runs.

Layer 5, pure. The shape of a body is its fields with their types, the values that name a kind or a state, and the
order of a stream's events. The number of deltas, their text and their ids are content.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.cassette import Recording
from harness.wire import Decoder, StreamProtocol

HEADERS = ("content-type", "content-encoding", "retry-after", "www-authenticate", "location")
"""Response headers that clients depend on: the first two by value, the others by presence."""

_BY_VALUE = frozenset({"content-type", "content-encoding"})
_TYPES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer"}
ABSENT = "nothing"


@dataclass(slots=True)
class Shape:
    """The shape of one exchange or of several similar ones.

    `places` maps each place to the set of what was found there in all of the exchanges. `order` is the order of
    the events, repetitions left out. `whole` is False if a stream among them did not complete.
    """

    places: dict[str, set[str]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    whole: bool = True

    def add(self, place: str, what: str) -> None:
        """Note that `what` was found at `place`."""
        self.places.setdefault(place, set()).add(what)


@dataclass(slots=True)
class Content:
    """What may differ (text, number of events, sizes, usage): place → one comparable line."""

    lines: dict[str, str] = field(default_factory=dict)


def shape_of(recordings: Iterable[Recording], protocol: StreamProtocol) -> Shape:
    """The shape that these exchanges share."""
    shape = Shape()
    for recording in recordings:
        shape.add("status", "none" if recording.status is None else str(recording.status))
        _add_headers(recording, shape)
        if recording.events:
            _add_stream(recording, shape, protocol)
        else:
            _add_json("body", _decode(recording.body), shape, protocol)
    return shape


def _add_headers(recording: Recording, shape: Shape) -> None:
    for name in HEADERS:
        value = recording.headers.get(name)
        if name == "content-type":
            value = recording.headers.media_type()
        if value:
            shape.add(f"header {name}", value if name in _BY_VALUE else "present")


def _add_stream(recording: Recording, shape: Shape, protocol: StreamProtocol) -> None:
    for frame in Decoder().feed(recording.body):
        last = bool(protocol.sentinel) and frame.data == protocol.sentinel
        if last:
            name = frame.data.decode("utf-8", "replace")
        else:
            event = _decode(frame.data)
            name = protocol.name_event(event)
            _add_json(name, event, shape, protocol)
        line = (frame.event or b"").decode("utf-8", "replace")
        shape.add(f"{name} `event:` line", "none" if frame.event is None else "same" if line in name else line)
        if last or not shape.order or shape.order[-1] != name:
            shape.order.append(name)
    shape.whole = shape.whole and recording.complete


def _add_json(place: str, value: Any, shape: Shape, protocol: StreamProtocol) -> None:
    for where, what in _list_places(place, value, protocol):
        shape.add(where, what)


def _list_places(place: str, value: Any, protocol: StreamProtocol) -> Iterator[tuple[str, str]]:
    yield place, _name_type(value)
    if isinstance(value, Mapping):
        for name, item in value.items():
            where = f"{place}.{name}"
            if name in protocol.kind_fields and isinstance(item, str):
                yield where, repr(item)
            elif name not in protocol.opaque_fields or isinstance(item, str):
                yield from _list_places(where, item, protocol)
    elif isinstance(value, list):
        for item in value:
            kind = item.get("type", "") if isinstance(item, Mapping) else ""
            yield from _list_places(f"{place}[{kind}]", item, protocol)


def _name_type(value: Any) -> str:
    """The type by JSON Schema's names; a float without a fraction is an integer."""
    if isinstance(value, float):
        return "integer" if value.is_integer() else "number"
    return _TYPES.get(type(value), "null")


def content_of(recordings: list[Recording], protocol: StreamProtocol) -> Content:
    """The content of these exchanges, which may differ between two correct runs."""
    content = Content()
    content.lines["exchanges"] = str(len(recordings))
    content.lines["ending"] = ", ".join(dict.fromkeys(_name_ending(recording) for recording in recordings))
    content.lines["bytes"] = str(sum(len(recording.body) for recording in recordings))
    content.lines["pieces"] = str(sum(len(recording.pieces) for recording in recordings))
    content.lines["seconds"] = f"{sum(_sum_seconds(recording) for recording in recordings):.1f}"
    for recording in recordings:
        if recording.events:
            _add_stream_content(recording, content, protocol)
        else:
            _add_values("body", _decode(recording.body), content, protocol)
    return content


def _name_ending(recording: Recording) -> str:
    ending = recording.ending
    return str(ending.how) if ending.complete else f"{ending.how} by the {ending.by}, {ending.at}"


def _sum_seconds(recording: Recording) -> float:
    return (sum(recording.pieces.waits) + recording.wait) / 1e6


def _add_stream_content(recording: Recording, content: Content, protocol: StreamProtocol) -> None:
    texts: dict[str, list[str]] = {}
    events = 0
    for frame in Decoder().feed(recording.body):
        events += 1
        event = _decode(frame.data)
        if not isinstance(event, Mapping):
            continue
        fragment = protocol.text_of(event)
        if fragment is not None:
            texts.setdefault(fragment[0], []).append(fragment[1])
        elif not protocol.is_fragment(event):
            _add_values(protocol.name_event(event), event, content, protocol)
    content.lines["events"] = str(events)
    for key, fragments in texts.items():
        content.lines[f"text {key}"] = "".join(fragments)


def _add_values(place: str, value: Any, content: Content, protocol: StreamProtocol) -> None:
    if isinstance(value, Mapping):
        for name, item in value.items():
            if name not in protocol.kind_fields:
                _add_values(f"{place}.{name}", item, content, protocol)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            _add_values(f"{place}[{number}]", item, content, protocol)
    else:
        content.lines[place] = json.dumps(value, ensure_ascii=False)


def _decode(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return data.decode("utf-8", "replace") if data else None
