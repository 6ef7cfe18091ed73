"""Compares two recordings of the same session: drift in shape breaks clients, drift in content does not.

Knows how exchanges are paired and how their drifts are merged into one short list; `Facts` is what clients depend
on, and what may differ between two correct runs. Knows of any API only which fields hold ids.

`send_again` makes the second recording: it sends the requests of recorded sessions to a service again. A later
request may name what an earlier answer gave it (itself, a part of it): the recorded id is replaced by the one
that the service gave in the same place.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from harness.cassette import CassetteError, Pieces, Recording, load
from harness.cassette.har import decode_body
from harness.cassette.layout import SUFFIXES, is_copy
from harness.cassette.matching import Canon, IdMapping
from harness.errors import Unreadable
from harness.files import explain_unread, list_files, read_file
from harness.outcome.words import shorten_with_length
from harness.wire import Decoder, Driver, Headers, Request, StreamProtocol
from harness.wire.bodies import find_ambiguous, json_or_none, may_be_ambiguous
from harness.wire.mask import HIDDEN
from harness.wire.message import EVENT_STREAM

HEADERS = ("content-type", "content-encoding", "retry-after", "www-authenticate", "location")
"""Response headers that clients depend on: the first two by value, the others by presence."""

_BY_VALUE = frozenset({"content-type", "content-encoding"})
_TYPES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "integer"}
_LINE = " `event:` line"
"""The place of the line that names the type of an event, after the name of the event."""

_MOST_OUTLINES = 10_000
"""Of a stream whose every event has another number, no more than so many are remembered."""

ABSENT = "nothing"
PRESENT = "recorded"


@dataclass(slots=True)
class Facts:
    """The shape and the content of one exchange, or of several similar ones.

    `places` maps each place to the set of what was found there in all of the exchanges. `order` is the order of
    the events, repetitions left out. `whole` is False if a stream among them did not complete. `content` has the
    values that may differ (text, number of events, sizes, usage), each as one comparable line.
    """

    places: dict[str, set[str]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    whole: bool = True
    content: dict[str, str] = field(default_factory=dict)

    def add(self, place: str, what: str) -> None:
        self.places.setdefault(place, set()).add(what)


def facts_of(recordings: Sequence[Recording], protocol: StreamProtocol) -> Facts:
    """The places and types that any of these recordings has, and what sums up their content."""
    facts = Facts()
    seconds = sum(sum(recording.pieces.waits) + recording.wait for recording in recordings) / 1e6
    facts.content = {
        "exchanges": str(len(recordings)),
        "ending": ", ".join(dict.fromkeys(recording.ending.words for recording in recordings)),
        "bytes": str(sum(len(recording.body) for recording in recordings)),
        "pieces": str(sum(len(recording.pieces) for recording in recordings)),
        "seconds": f"{seconds:.1f}",
    }
    for recording in recordings:
        facts.add("status", "none" if recording.status is None else str(recording.status))
        for name in HEADERS:
            value = recording.headers.media_type() if name == "content-type" else recording.headers.get(name)
            if value:
                facts.add(f"header {name}", value if name in _BY_VALUE else "present")
        if recording.events:
            _add_stream(recording, facts, protocol)
        else:
            value = _decode(recording.body)
            _add_shape("body", recording.body, value, facts, protocol)
            _add_values("body", value, facts, protocol)
    return facts


def _add_stream(recording: Recording, facts: Facts, protocol: StreamProtocol) -> None:
    texts: defaultdict[str, list[str]] = defaultdict(list)
    count = 0
    # A stream may have a million events of few shapes. Two payloads that differ only in texts have the same one;
    # so have their names, as the values of `kind_fields` stay. A quote after a letter ends the name of a member.
    kinds = "".join(rf'(?<!"{name}":")(?<!"{name}": ")' for name in map(re.escape, sorted(protocol.kind_fields)))
    begin = rf'"(?:(?<=\w":")|(?<=\w": ")){kinds}'  # the quote first: a search for a character is fast
    free_text = re.compile(rf'{begin}[^"\\]*+(?:\\.[^"\\]*+)*+"'.encode(), re.DOTALL)
    names: dict[tuple[bytes, bytes | None, bool], str] = {}
    for frame in Decoder().each(recording.body):
        count += 1
        if protocol.sentinel and frame.data == protocol.sentinel:
            name = frame.data.decode("utf-8", "replace")
            facts.order.append(name)
            _add_line(name, frame.event, facts)
            continue
        event = _decode(frame.data)
        is_object = isinstance(event, dict)
        outline = free_text.sub(b"", frame.data), frame.event, is_object
        known = names.get(outline)
        if known is None:
            if len(names) >= _MOST_OUTLINES:
                names.clear()
            known = protocol.name_event(event)
            if not may_be_ambiguous(frame.data, event):  # where a name comes twice, the texts matter
                names[outline] = known
            _add_shape(known, frame.data, event, facts, protocol)
            _add_line(known, frame.event, facts)
        if not facts.order or facts.order[-1] != known:
            facts.order.append(known)
        if not is_object:
            continue
        fragment = protocol.text_of(event)
        if fragment is not None:
            texts[fragment[0]].append(fragment[1])
        elif not protocol.is_fragment(event):
            _add_values(known, event, facts, protocol)
    facts.whole = facts.whole and recording.complete
    facts.content["events"] = str(count)
    facts.content |= {f"text {key}": "".join(fragments) for key, fragments in texts.items()}


def _add_line(name: str, event: bytes | None, facts: Facts) -> None:
    line = (event or b"").decode("utf-8", "replace")
    facts.add(name + _LINE, "none" if event is None else "as its type" if line in name else line)


def _add_shape(place: str, data: bytes, value: Any, facts: Facts, protocol: StreamProtocol) -> None:
    if name := find_ambiguous(data, value):
        facts.add(f"{place}, a name twice", name)
    for where, what in _list_places(place, value, protocol):
        facts.add(where, what)


def _list_places(place: str, value: Any, protocol: StreamProtocol) -> Iterator[tuple[str, str]]:
    if isinstance(value, float):  # one without a fraction is an integer, as in JSON Schema
        yield place, "integer" if value.is_integer() else "number"
    else:
        yield place, _TYPES.get(type(value), "null")
    if isinstance(value, Mapping):
        for name, item in value.items():
            where = f"{place}.{name}"
            if name in protocol.ignored:
                continue
            if name in protocol.kind_fields and isinstance(item, str):
                yield where, repr(item)
            elif name not in protocol.opaque_fields or isinstance(item, str):
                yield from _list_places(where, item, protocol)
    elif isinstance(value, list):
        for item in value:
            kind = item.get("type", "") if isinstance(item, Mapping) else ""
            yield from _list_places(f"{place}[{kind}]", item, protocol)


def _add_values(place: str, value: Any, facts: Facts, protocol: StreamProtocol) -> None:
    if isinstance(value, Mapping):
        for name, item in value.items():
            if name not in protocol.kind_fields and name not in protocol.ignored:
                _add_values(f"{place}.{name}", item, facts, protocol)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            _add_values(f"{place}[{number}]", item, facts, protocol)
    else:
        facts.content[place] = json.dumps(value, ensure_ascii=False)


def _decode(data: bytes) -> Any:
    """The JSON value of a body, or its text."""
    value = json_or_none(data)
    if value is None and data and data.strip() != b"null":
        return data.decode("utf-8", "replace")
    return value


_SHOWN = 100
_MEMBER_END = re.compile(r"[.\[\] ]+")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
_SIZES = frozenset({"bytes", "pieces", "seconds"})

Key = tuple[str, str, tuple[str, ...], str]
Group = tuple[Key, list[Recording]]


class SeenIn(NamedTuple):
    """An exchange that shows a drift, and its cassette, "" if only two are compared."""

    exchange: str
    file: str = ""

    def __str__(self) -> str:
        return ": ".join(filter(None, (self.file, self.exchange)))


@dataclass(frozen=True, slots=True)
class Drift:
    """One difference: its place in an exchange, what was there before, what is there now.

    `is_volatile`: it is an id, a time, an opaque text or a size, which differ in any two recordings.
    """

    place: str
    before: str
    after: str
    is_volatile: bool = False

    @property
    def change(self) -> str:
        """The difference without its place."""
        if self.before == ABSENT:
            return "added" + (f", {self.after}" if self.after != PRESENT else "")
        if self.after == ABSENT:
            return "removed" + (f", was {self.before}" if self.before != PRESENT else "")
        return f"{self.before} → {self.after}"

    def __str__(self) -> str:
        return f"{self.place}: {self.change}"


Seen = dict[Drift, list[SeenIn]]


@dataclass(slots=True)
class Drifts:
    """The drifts in shape and in content, and why bodies were not read, each with the exchanges that show it."""

    compared: int = 0
    shape: Seen = field(default_factory=dict)
    content: Seen = field(default_factory=dict)
    unread: dict[str, list[SeenIn]] = field(default_factory=dict)
    empty: str = ""
    """The side that has no recording at all, so that nothing can be compared."""

    def content_places(self, *, volatile: bool) -> list[str]:
        """Where the content differs: what is volatile differs in any two recordings, and is counted apart."""
        return list(dict.fromkeys(drift.place for drift in self.content if drift.is_volatile is volatile))

    def add(self, other: Drifts, file: str = "") -> None:
        """Merge the drifts of another pair, which is of this cassette, into these."""
        self.compared += other.compared
        pairs: tuple[tuple[dict[Any, list[SeenIn]], dict[Any, list[SeenIn]]], ...] = (
            (self.shape, other.shape),
            (self.content, other.content),
            (self.unread, other.unread),
        )
        for mine, theirs in pairs:
            for drift, seen in theirs.items():
                mine.setdefault(drift, []).extend(where._replace(file=file) if file else where for where in seen)


def diff_paths(
    before: Path,
    after: Path,
    protocol: StreamProtocol,
    *,
    hear: Callable[[Request], object] = lambda request: None,
) -> Drifts:
    """Compare two cassettes, or the cassettes with the same names in two folders. Raises CassetteError.

    `hear` is called with each recorded request, whose keys must not be shown.
    """

    def load_one(path: Path) -> Sequence[Recording]:
        recordings = load(path).recordings
        for recording in recordings:
            hear(recording.request)
        return recordings

    if before.is_dir() != after.is_dir():
        raise CassetteError(
            f"{before} and {after}: one is a file, the other a folder; name two files or two folders"
        )
    if not before.is_dir():
        old, new = load_one(before), load_one(after)
        if not old or not new:
            return Drifts(empty=str(after if old else before))
        return diff_recordings(old, new, protocol)
    drifts = Drifts()
    ours, theirs = (
        {str(path.relative_to(folder)) for path in _list_files(folder) if path.suffix.lower() in SUFFIXES}
        for folder in (before, after)
    )
    if not ours or not theirs:
        return Drifts(empty=str(after if ours else before))
    for name in sorted(ours | theirs):
        if name in ours and name in theirs:
            old, new = load_one(before / name), load_one(after / name)
            drifts.add(diff_recordings(old, new, protocol), name)
        else:
            gone = Drift("cassette", PRESENT, ABSENT) if name in ours else Drift("cassette", ABSENT, PRESENT)
            drifts.shape.setdefault(gone, []).append(SeenIn("", name))
    return drifts


def _list_files(folder: Path) -> list[Path]:
    try:
        return [path for path in list_files(folder) if not is_copy(path)]
    except OSError as wrong:
        raise CassetteError(f"{wrong.filename} cannot be read: {explain_unread(wrong)}") from None


def diff_recordings(before: Sequence[Recording], after: Sequence[Recording], protocol: StreamProtocol) -> Drifts:
    """Compare the exchanges of two sessions, paired in order by what was asked."""
    drifts = Drifts()
    old, new = list(_group(before, protocol)), list(_group(after, protocol))
    pairs = _pair(old, new, protocol)
    for place, (key, before_group) in enumerate(old):
        where = SeenIn(_label(key))
        if place not in pairs:
            drifts.shape.setdefault(Drift("exchange", PRESENT, ABSENT), []).append(where)
            continue
        drifts.compared += 1
        sides = before_group, new[pairs[place]][1]
        try:
            was, now = (facts_of([_decode_body(one) for one in side], protocol) for side in sides)
        except Unreadable as wrong:  # whether two such bodies differ is unknown: their surroundings are compared
            drifts.unread.setdefault(str(wrong), []).append(where)
            was, now = (facts_of([_replace_body(one, b"") for one in side], protocol) for side in sides)
        shapes = list(_compare_shapes(was, now))
        for drift in shapes:
            drifts.shape.setdefault(drift, []).append(where)
        for drift in _compare_content(was.content, now.content, protocol):
            if all(drift.place != other.place for other in shapes):  # a value of another type is reported once
                drifts.content.setdefault(drift, []).append(where)
    paired = set(pairs.values())
    for place, (key, _) in enumerate(new):
        if place not in paired:
            drifts.shape.setdefault(Drift("exchange", ABSENT, PRESENT), []).append(SeenIn(_label(key)))
    return drifts


def _pair(old: Sequence[Group], new: Sequence[Group], protocol: StreamProtocol) -> dict[int, int]:
    """The place in `new` of each group of `old` that has one, by what was asked.

    Equal requests first: tests that share a cassette may run in another order. Of the others with one key, the
    first is paired with the first.
    """
    canon, pairs = Canon(protocol), dict[int, int]()
    asked = [[(key, canon.of(group[0].request)) for key, group in side] for side in (old, new)]
    for exact in (True, False):
        waiting, taken = defaultdict[object, deque[int]](deque), set(pairs.values())
        for place, both in enumerate(asked[1]):
            if place not in taken:
                waiting[both if exact else both[0]].append(place)
        for place, both in enumerate(asked[0]):
            if place not in pairs and (places := waiting[both if exact else both[0]]):
                pairs[place] = places.popleft()
    return pairs


def _decode_body(recording: Recording) -> Recording:
    """The recording with its content coding undone; other tools keep it. Raises Unreadable."""
    body = decode_body(recording.body, recording.headers)
    return recording if body is recording.body else _replace_body(recording, body)


def _replace_body(recording: Recording, body: bytes) -> Recording:
    return replace(recording, body=body, pieces=Pieces([len(body)], [0]))


def parent_of(place: str) -> str:
    """The place of the object or list that a place is in; "" for one that stands alone."""
    if place.endswith(_LINE):
        return place.removesuffix(_LINE)
    return place.rpartition("[")[0] if place.endswith("]") else place.rpartition(".")[0]


def _compare_shapes(before: Facts, after: Facts) -> Iterator[Drift]:
    partial = not (before.whole and after.whole)
    for place in dict.fromkeys((*before.places, *after.places)):
        old, new = before.places.get(place, set()), after.places.get(place, set())
        parent = parent_of(place)
        if parent and (parent not in before.places) != (parent not in after.places):
            continue  # the parent itself is new or gone, which is reported once
        if "number" in old:  # a number without a fraction may come by chance
            new = {"number" if what == "integer" else what for what in new}
            old = old - {"integer"}
        if old != new and not (partial and (not old or not new)):
            yield Drift(place, " or ".join(sorted(old)) or ABSENT, " or ".join(sorted(new)) or ABSENT)
    old_order, new_order = before.order, after.order
    if partial:
        shorter = min(len(old_order), len(new_order))
        old_order, new_order = old_order[:shorter], new_order[:shorter]
    if old_order != new_order:
        # Both, from the last event they share to one event after the first that differs.
        pairs = enumerate(zip(old_order, new_order, strict=False))
        at = next((n for n, (a, b) in pairs if a != b), min(len(old_order), len(new_order)))
        was, now = (", ".join(order[max(at - 1, 0) : at + 2]) or "no event" for order in (old_order, new_order))
        yield Drift("order of events", was, now)


def _compare_content(
    before: Mapping[str, str], after: Mapping[str, str], protocol: StreamProtocol
) -> Iterator[Drift]:
    """Where the content differs; the value of a member that holds a secret is not shown."""
    changing = protocol.id_fields | protocol.opaque_fields
    for place in dict.fromkeys((*before, *after)):
        old, new = before.get(place), after.get(place)
        if old is None or new is None or old == new:
            continue
        is_volatile = (
            place in _SIZES
            or place.rpartition(".")[2] in changing
            or all(TIME.fullmatch(text.strip('"')) for text in (old, new))
        )
        if protocol.secret_fields.covers(_MEMBER_END.split(place)):
            old = new = HIDDEN
        yield Drift(place, shorten_with_length(old, _SHOWN), shorten_with_length(new, _SHOWN), is_volatile)


def _group(recordings: Sequence[Recording], protocol: StreamProtocol) -> Iterator[Group]:
    """Group exchanges by what was asked. Consecutive polls are one group, because their number may vary."""
    ids = set(IdMapping(protocol).find_ids(*(recording.body for recording in recordings)))
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
    files, pairs, cassettes = _list_files(path), dict[str, list[Recording]](), list[list[Recording]]()
    for request in (file for file in files if file.name.endswith(_REQUEST)):
        stem = request.name.removesuffix(_REQUEST)
        for end, kind in _ANSWERS.items():
            if (answer := request.with_name(stem + end)).is_file():
                data = read_file(answer)
                body = json_or_none(data) if kind != EVENT_STREAM else None
                status = 400 if isinstance(body, dict) and "error" in body else 200
                sent = Request(
                    "POST", target, Headers((("content-type", "application/json"),)), read_file(request)
                )
                headers, pieces = Headers((("content-type", kind),)), Pieces((len(data),), (0,))
                recording = Recording(sent, status, headers, data, pieces, approximate=True)
                pairs.setdefault(_NUMBER.sub("", stem), []).append(recording)
                break
    for file in (file for file in files if file.suffix.lower() in SUFFIXES):
        with suppress(CassetteError):  # the file of another recorder, which left pairs, or nothing to send again
            cassettes.append(list(load(file).recordings))
    return [*pairs.values(), *cassettes]


def send_again(session: Sequence[Recording], driver: Driver, protocol: StreamProtocol) -> list[Recording]:
    """The answers of a service to the requests of a session, in their order."""
    ours: list[Recording] = []
    names: dict[str, str] = {}
    for recording in session:
        asked = recording.request
        text, target = asked.body.decode("utf-8", "surrogateescape"), asked.target
        for recorded, own in names.items():
            text = text.replace(json.dumps(recorded), json.dumps(own))
            target = target.replace(recorded, own)
        body = text.encode("utf-8", "surrogateescape")
        ours.append(Recording.of(driver.send(Request(asked.method, target, asked.headers, body))))
        given = _find_given(ours[-1], protocol)
        for place, ids in _find_given(recording, protocol).items():  # an empty id names nothing
            names.update((old, new) for old, new in zip(ids, given.get(place, ()), strict=False) if old)
    return ours


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
