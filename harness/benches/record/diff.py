"""Compares two recordings of the same session: drift in shape breaks clients, drift in content does not.

Layer 5. Knows how exchanges are paired and how their drifts are merged into one short list; `Shape` is what
clients depend on. Knows nothing of any API but which fields hold ids.

`send_again` makes the second recording: it sends the requests of recorded sessions to a service again. A later
request may name what an earlier answer gave it (itself, a part of it): the recorded id is replaced by the one
that the service gave in the same place.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from harness.cassette import CassetteError, Pieces, Recording, load
from harness.cassette.har import decode_body
from harness.documents import explain_unread, list_files, read_file
from harness.errors import Unreadable
from harness.outcome.words import shorten_with_length
from harness.wire import Decoder, Driver, Headers, Request, StreamProtocol
from harness.wire.json_value import find_ambiguous, json_or_none
from harness.wire.mask import HIDDEN
from harness.wire.message import EVENT_STREAM

# Separates the shape of a recorded answer from its content, which may differ between two correct runs.


HEADERS = ("content-type", "content-encoding", "retry-after", "www-authenticate", "location")
"""Response headers that clients depend on: the first two by value, the others by presence."""

_BY_VALUE = frozenset({"content-type", "content-encoding"})
_TYPES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer"}
ABSENT = "nothing"
PRESENT = "recorded"


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
    """The values that may differ (text, number of events, sizes, usage): place → one comparable line."""

    lines: dict[str, str] = field(default_factory=dict)


def shape_of(recordings: Iterable[Recording], protocol: StreamProtocol) -> Shape:
    """The shape that these exchanges share."""
    shape = Shape()
    for recording in recordings:
        shape.add("status", "none" if recording.status is None else str(recording.status))
        for name in HEADERS:
            value = recording.headers.media_type() if name == "content-type" else recording.headers.get(name)
            if value:
                shape.add(f"header {name}", value if name in _BY_VALUE else "present")
        if recording.events:
            _add_stream(recording, shape, protocol)
        else:
            _add_json("body", recording.body, _decode(recording.body), shape, protocol)
    return shape


_LINE = " `event:` line"
"""The place of the line that names the type of an event, after the name of the event."""


def _add_stream(recording: Recording, shape: Shape, protocol: StreamProtocol) -> None:
    for frame in Decoder().feed(recording.body):
        last = bool(protocol.sentinel) and frame.data == protocol.sentinel
        if last:
            name = frame.data.decode("utf-8", "replace")
        else:
            event = _decode(frame.data)
            name = protocol.name_event(event)
            _add_json(name, frame.data, event, shape, protocol)
        line = (frame.event or b"").decode("utf-8", "replace")
        shape.add(name + _LINE, "none" if frame.event is None else "as its type" if line in name else line)
        if last or not shape.order or shape.order[-1] != name:
            shape.order.append(name)
    shape.whole = shape.whole and recording.complete


def _add_json(place: str, data: bytes, value: Any, shape: Shape, protocol: StreamProtocol) -> None:
    if name := find_ambiguous(data, value):
        shape.add(f"{place}, a name twice", name)
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
    content.lines["ending"] = ", ".join(dict.fromkeys(recording.ending.words for recording in recordings))
    content.lines["bytes"] = str(sum(len(recording.body) for recording in recordings))
    content.lines["pieces"] = str(sum(len(recording.pieces) for recording in recordings))
    seconds = sum(sum(recording.pieces.waits) + recording.wait for recording in recordings) / 1e6
    content.lines["seconds"] = f"{seconds:.1f}"
    for recording in recordings:
        if recording.events:
            _add_stream_content(recording, content, protocol)
        else:
            _add_values("body", _decode(recording.body), content, protocol)
    return content


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


_SUFFIXES = (".yaml", ".yml")
_SHOWN = 100
_MEMBER_END = re.compile(r"[.\[\] ]+")

Key = tuple[str, str, tuple[str, ...], str]


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference: its place in an exchange, what was there before, what is there now."""

    place: str
    before: str
    after: str

    def __str__(self) -> str:
        if self.before == ABSENT:
            return f"{self.place}: added" + (f", {self.after}" if self.after != PRESENT else "")
        if self.after == ABSENT:
            return f"{self.place}: removed" + (f", was {self.before}" if self.before != PRESENT else "")
        return f"{self.place}: {self.before} → {self.after}"


@dataclass(slots=True)
class Drifts:
    """The drifts in shape and in content, and why bodies were not read, each with the labels of its exchanges."""

    compared: int = 0
    shape: dict[Drift, list[str]] = field(default_factory=dict)
    content: dict[Drift, list[str]] = field(default_factory=dict)
    unread: dict[str, list[str]] = field(default_factory=dict)
    empty: str = ""
    """The side that has no recording at all, so that nothing can be compared."""

    def add(self, other: Drifts) -> None:
        """Merge the drifts of another pair into these."""
        self.compared += other.compared
        for mine, theirs in ((self.shape, other.shape), (self.content, other.content)):
            for drift, labels in theirs.items():
                mine.setdefault(drift, []).extend(labels)
        for why, labels in other.unread.items():
            self.unread.setdefault(why, []).extend(labels)


def diff_paths(before: Path, after: Path, protocol: StreamProtocol) -> Drifts:
    """Compare two cassettes, or the cassettes with the same names in two folders. Raises CassetteError."""
    if before.is_dir() != after.is_dir():
        raise CassetteError(f"{before} and {after}: compare two files or two folders")
    if not before.is_dir():
        old, new = load(before).recordings, load(after).recordings
        if not old or not new:
            return Drifts(empty=str(after if old else before))
        return diff_recordings(old, new, protocol)
    drifts = Drifts()
    ours, theirs = _find_cassettes(before), _find_cassettes(after)
    if not ours or not theirs:
        return Drifts(empty=str(after if ours else before))
    for name in sorted(ours | theirs):
        if name in ours and name in theirs:
            old, new = load(before / name).recordings, load(after / name).recordings
            drifts.add(diff_recordings(old, new, protocol))
        else:
            gone = Drift("cassette", PRESENT, ABSENT) if name in ours else Drift("cassette", ABSENT, PRESENT)
            drifts.shape.setdefault(gone, []).append(name)
    return drifts


def _list_files(folder: Path) -> list[Path]:
    try:
        return list_files(folder)
    except OSError as wrong:
        raise CassetteError(f"{wrong.filename} cannot be read: {explain_unread(wrong)}") from None


def _find_cassettes(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in _list_files(folder) if path.suffix.lower() in _SUFFIXES}


def diff_recordings(before: Sequence[Recording], after: Sequence[Recording], protocol: StreamProtocol) -> Drifts:
    """Compare the exchanges of two sessions, paired in order by what was asked."""
    drifts = Drifts()
    old, new = list(_group(before, protocol)), list(_group(after, protocol))
    waiting: defaultdict[Key, deque[int]] = defaultdict(deque)
    for place, (key, _) in enumerate(new):
        waiting[key].append(place)
    paired: set[int] = set()
    for key, before_group in old:  # of equal keys the first with the first, the second with the second
        if waiting[key]:
            paired.add(place := waiting[key].popleft())
            _pair(_label(key), before_group, new[place][1], drifts, protocol)
        else:
            drifts.shape.setdefault(Drift("exchange", PRESENT, ABSENT), []).append(_label(key))
    for place, (key, _) in enumerate(new):
        if place not in paired:
            drifts.shape.setdefault(Drift("exchange", ABSENT, PRESENT), []).append(_label(key))
    return drifts


def _pair(
    label: str, before: list[Recording], after: list[Recording], drifts: Drifts, protocol: StreamProtocol
) -> None:
    drifts.compared += 1
    try:
        before, after = list(map(_decode_body, before)), list(map(_decode_body, after))
    except Unreadable as wrong:  # whether two such bodies differ is unknown: only their surroundings are compared
        drifts.unread.setdefault(str(wrong), []).append(label)
        before, after = ([_replace_body(one, b"") for one in side] for side in (before, after))
    for drift in _compare_shapes(shape_of(before, protocol), shape_of(after, protocol)):
        drifts.shape.setdefault(drift, []).append(label)
    for drift in _find_content_drifts(content_of(before, protocol), content_of(after, protocol), protocol):
        drifts.content.setdefault(drift, []).append(label)


def _decode_body(recording: Recording) -> Recording:
    """The same with its content coding undone; other tools keep it. Raises Unreadable."""
    body = decode_body(recording.body, recording.headers)
    return recording if body is recording.body else _replace_body(recording, body)


def _replace_body(recording: Recording, body: bytes) -> Recording:
    return replace(recording, body=body, pieces=Pieces([len(body)], [0]))


def _compare_shapes(before: Shape, after: Shape) -> Iterator[Drift]:
    partial = not (before.whole and after.whole)
    for place in dict.fromkeys((*before.places, *after.places)):
        old, new = before.places.get(place, set()), after.places.get(place, set())
        parent = place.removesuffix(_LINE) if place.endswith(_LINE) else place.rpartition(".")[0]
        if parent and (parent not in before.places) != (parent not in after.places):
            continue  # the parent itself is new or gone, which is reported once
        if "number" in old:  # a number without a fraction may come by chance
            new = {"number" if what == "integer" else what for what in new}
            old = old - {"integer"}
        if old != new and not (partial and (not old or not new)):
            yield Drift(place, _set(old), _set(new))
    old_order, new_order = before.order, after.order
    if partial:
        shorter = min(len(old_order), len(new_order))
        old_order, new_order = old_order[:shorter], new_order[:shorter]
    if old_order != new_order:
        yield Drift("order of events", *_cut_to_first_difference(old_order, new_order))


def _set(values: set[str]) -> str:
    return " or ".join(sorted(values)) or ABSENT


def _cut_to_first_difference(old: list[str], new: list[str]) -> tuple[str, str]:
    """Both orders, from the last event they share to one event after the first that differs."""
    at = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    start = max(at - 1, 0)
    return tuple(", ".join(order[start : at + 2]) or "no event" for order in (old, new))  # type: ignore[return-value]


def _find_content_drifts(before: Content, after: Content, protocol: StreamProtocol) -> Iterator[Drift]:
    """Where the content differs; the value of a member that holds a secret is not shown."""
    for place in dict.fromkeys((*before.lines, *after.lines)):
        old, new = before.lines.get(place), after.lines.get(place)
        if old is not None and new is not None and old != new:
            if protocol.secret_fields.covers(_MEMBER_END.split(place)):
                old = new = HIDDEN
            yield Drift(place, shorten_with_length(old, _SHOWN), shorten_with_length(new, _SHOWN))


def _group(recordings: Sequence[Recording], protocol: StreamProtocol) -> Iterator[tuple[Key, list[Recording]]]:
    """Group exchanges by what was asked. Consecutive polls are one group, because their number may vary."""
    ids = _collect_ids(recordings, protocol)
    keyed = [(_build_key(recording, ids), recording) for recording in recordings]
    for key, run in groupby(keyed, key=lambda pair: pair[0]):
        members = [recording for _, recording in run]
        if key[0] == "GET" and key[3] != "stream":
            yield key, members
        else:
            yield from ((key, [member]) for member in members)


def _build_key(recording: Recording, ids: set[str]) -> Key:
    """Method, path without ids, query without values but that of `stream`, and the requested kind of response."""
    request = recording.request
    path = "/" + "/".join("{id}" if segment in ids else segment for segment in request.segments)
    names = tuple(sorted({f"stream={value}" if name == "stream" else name for name, value in request.query}))
    body = json_or_none(request.body)
    asked = body if isinstance(body, dict) else {}
    streams = asked.get("stream") is True or request.parameter("stream") == "true"
    background = " background" if asked.get("background") is True else ""
    return request.method, path, names, ("stream" if streams else "") + background


def _label(key: Key) -> str:
    method, path, names, sort = key
    query = "?" + "&".join(names) if names else ""
    return f"{method} {path}{query}{f' ({sort.strip()})' if sort else ''}"


def _collect_ids(recordings: Sequence[Recording], protocol: StreamProtocol) -> set[str]:
    """Every id that an answer contains."""
    given = (_find_given(recording, protocol) for recording in recordings)
    return {identity for found in given for identities in found.values() for identity in identities}


_REQUEST = ".request.json"
_ANSWERS = {".json": "application/json", ".sse": EVENT_STREAM}
_NUMBER = re.compile(r"\.(\d+)$")


def sessions_in(path: Path, target: str) -> list[list[Recording]]:
    """The sessions of a cassette, or those of all cassettes and pairs of files in a folder.

    A pair is `NAME.request.json` beside `NAME.json` or `NAME.sse`; it does not name the receiver of the request,
    so `target` does. `NAME.0`, `NAME.1` … are one session. Raises CassetteError.
    """
    if not path.is_dir():
        return [list(load(path).recordings)]
    found: dict[str, list[Recording]] = {}
    for request in (file for file in _list_files(path) if file.name.endswith(_REQUEST)):
        stem = request.name.removesuffix(_REQUEST)
        answer = next((file for end in _ANSWERS if (file := request.with_name(stem + end)).is_file()), None)
        if answer is not None:
            found.setdefault(_NUMBER.sub("", stem), []).append(_read_pair(request, answer, target))
    return [*found.values(), *_load_cassettes(path)]


def send_again(session: Sequence[Recording], driver: Driver, protocol: StreamProtocol) -> list[Recording]:
    """The answers of a service to the requests of a session, in their order."""
    ours: list[Recording] = []
    names: dict[str, str] = {}
    for recording in session:
        ours.append(Recording.of(driver.send(_rename(recording.request, names))))
        names.update(_match(_find_given(recording, protocol), _find_given(ours[-1], protocol)))
    return ours


def _load_cassettes(folder: Path) -> Iterator[list[Recording]]:
    for file in (file for file in _list_files(folder) if file.suffix.lower() in _SUFFIXES):
        try:
            yield list(load(file).recordings)
        except CassetteError:
            continue  # the file of another recorder, which left pairs, or nothing to send again


def _read_pair(request: Path, answer: Path, target: str) -> Recording:
    kind = next(kind for end, kind in _ANSWERS.items() if answer.name.endswith(end))
    data = read_file(answer)
    failed = kind != EVENT_STREAM and isinstance(body := json_or_none(data), dict) and "error" in body
    headers = Headers((("content-type", kind),))
    sent = Request("POST", target, Headers((("content-type", "application/json"),)), read_file(request))
    return Recording(sent, 400 if failed else 200, headers, data, Pieces((len(data),), (0,)), approximate=True)


def _rename(request: Request, names: Mapping[str, str]) -> Request:
    """The request with every known id replaced, in its body and in its path."""
    text, target = request.body.decode("utf-8", "surrogateescape"), request.target
    for recorded, own in names.items():
        text = text.replace(json.dumps(recorded), json.dumps(own))
        target = target.replace(recorded, own)
    return Request(request.method, target, request.headers, text.encode("utf-8", "surrogateescape"))


def _match(recorded: Mapping[str, list[str]], own: Mapping[str, list[str]]) -> Iterator[tuple[str, str]]:
    """Pairs of ids that stand in the same place; an empty one names nothing."""
    for place, values in recorded.items():
        yield from ((old, new) for old, new in zip(values, own.get(place, ()), strict=False) if old)


def _find_given(recording: Recording, protocol: StreamProtocol) -> dict[str, list[str]]:
    """The ids in an answer by the field and the type of what holds it, each once, in their order."""
    frames = [frame.data for frame in Decoder().feed(recording.body)] if recording.events else [recording.body]
    found: dict[str, dict[str, None]] = {}
    for value in map(json_or_none, frames):
        for place, identity in _walk(value, protocol.id_fields):
            found.setdefault(place, {})[identity] = None
    return {place: list(values) for place, values in found.items()}


def _walk(value: Any, fields: Iterable[str]) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        kind = value.get("type", value.get("object", ""))
        for name, item in value.items():
            if name in fields and isinstance(item, str):
                yield f"{kind} {name}", item
            else:
                yield from _walk(item, fields)
    elif isinstance(value, list):
        for item in value:
            yield from _walk(item, fields)
