"""Decide whether two requests are the same, and if not, where they first differ.

Compares the method, the path, the query without order, and the body as canonical JSON; never host or port, which
differ at every replay, never credentials, and nothing that the protocol ignores. Ids that a recorded answer gave
out must be sent back unchanged. An id from outside the cassette may be replaced by another, as long as it is the
same one throughout.
"""

from __future__ import annotations

import json
import re
from collections import ChainMap, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from harness.cassette.recording import Recording
from harness.cassette.redactor import Redactor
from harness.outcome.words import shorten_with_length
from harness.wire import Request, StreamProtocol
from harness.wire.secret_finder import decode_literal, text_of

HIDDEN = "<secret>"
ABSENT = "<absent>"
_CACHED = 4096
"""How many requests are kept in their comparable form."""

_PLAIN = re.compile(r"[\w-]+")
_BOUNDARY = re.compile(r"""(?i:^multipart/.*\bboundary=)(?:"([^"]+)"|([^\s;"]+))""")
"""The boundary between the parts of a multipart form; clients choose a new one for each request."""

PLACEHOLDER = re.compile(r"REDACTED-\d+")


@dataclass(frozen=True, slots=True)
class RequestDifference:
    """Where a request differs from a recorded one; `field` is e.g. `path`, `query.x`, `body.input[0]`."""

    field: str
    recorded: str
    got: str

    def __str__(self) -> str:
        return f"{self.field}: recorded {self.recorded}, got {self.got}"


@dataclass(frozen=True, slots=True)
class CanonicalRequest:
    """A request in comparable form. `body` is the kind of body ("" for none), `leaves` its scalars by place."""

    method: str
    path: tuple[str, ...]
    query: tuple[tuple[str, str], ...]
    body: str
    leaves: tuple[tuple[str, str, str], ...]


class Canon:
    """Makes requests of one API comparable; `secrets` are those that the recorder was given.

    Secrets are removed from a request as from a recording, and all placeholders are made equal. So it does not
    matter which key a client uses, or whether the recording was redacted. What one request names as secret is
    hidden wherever a later one quotes it. Safe to use from several threads.
    """

    def __init__(self, protocol: StreamProtocol, *, secrets: Iterable[str] = ()) -> None:
        self._protocol = protocol
        self._redactor = Redactor(protocol, secrets=secrets)
        self._made: dict[Request, CanonicalRequest] = {}

    def of(self, request: Request) -> CanonicalRequest:
        """The canonical form of a request; recent results are cached."""
        made = self._made.get(request)
        if made is None:
            known = self._redactor.learned
            made = self._canonicalize(request)
            if len(self._made) >= _CACHED or self._redactor.learned != known:
                self._made.clear()
            self._made[request] = made
        return made

    def _canonicalize(self, request: Request) -> CanonicalRequest:
        clean = self._redactor.request(request)
        self._redactor.report.clear()  # it is never read, and would grow with every request
        kind, value = "JSON" if clean.body else "", None
        try:
            value = _hide_in(json.loads(clean.body), self._protocol.ignored) if clean.body else None
        except (ValueError, RecursionError):
            text, kind = text_of(clean.body), "text that is not JSON"
            boundary = _BOUNDARY.search(clean.headers.get("content-type"))
            if boundary is not None:
                text = text.replace(f"--{boundary[1] or boundary[2]}", "--boundary")
            value = _hide_placeholders(text)
        is_secret, ignored = self._protocol.secret_fields.names_parameter, self._protocol.ignored
        return CanonicalRequest(
            method=clean.method.upper(),
            path=tuple(_hide_placeholders(unquote(segment)) for segment in clean.raw_path.split("/")[1:]),
            query=tuple(
                sorted((n, _hide_placeholders(v)) for n, v in clean.query if n not in ignored and not is_secret(n))
            ),
            body=kind,
            leaves=tuple(_leaves(value, "body", "")) if kind else (),
        )


def _hide_in(value: Any, ignored: Collection[str]) -> Any:
    """The value with all placeholders made equal, and without the members whose names are ignored."""
    if isinstance(value, dict):
        kept = ((name, item) for name, item in value.items() if name not in ignored)
        return {_hide_placeholders(name): _hide_in(item, ignored) for name, item in kept}
    if isinstance(value, list):
        return [_hide_in(item, ignored) for item in value]
    if isinstance(value, str):
        return _hide_placeholders(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def _hide_placeholders(text: str) -> str:
    return PLACEHOLDER.sub(HIDDEN, text)


class IdMapping:
    """The ids that a cassette's answers gave out, and the substitutes for all other ids in this replay."""

    def __init__(self, protocol: StreamProtocol) -> None:
        self._fields = protocol.id_fields
        names = "|".join(map(re.escape, sorted(protocol.id_fields)))
        self._values = re.compile(rf'"(?:{names})"\s*:\s*("[^"\\]*(?:\\.[^"\\]*)*")'.encode())
        self._known: set[str] = set()
        self._mine: set[str] = set()
        self._foreign: set[str] = set()
        self._bound: dict[str, str] = {}

    def learn(self, recordings: Sequence[Recording]) -> None:
        """Learn the ids of recordings; they follow those learned so far."""
        values = [({*self.find_ids(r.request.body)}, {*self.find_ids(r.body)}) for r in recordings]
        self._known.update(*(value for pair in values for value in pair))
        for recording, (asked, given) in zip(recordings, values, strict=True):
            self._foreign |= (asked | (self._known & {*recording.request.segments})) - self._mine
            self._mine |= given - self._foreign

    def find_ids(self, *bodies: bytes) -> Iterator[str]:
        """The values of id fields in bodies, which may be JSON or a stream of JSON events."""
        for body in bodies:
            for literal in self._values.findall(body):
                if literal != b'""':
                    yield decode_literal(literal.decode("utf-8", "replace"))

    def is_field(self, field: str) -> bool:
        """Whether the values of a field with this name are ids."""
        return field in self._fields

    def may_stand(self, got: str, recorded: str, bound: dict[str, str]) -> bool:
        """Whether `got` may be this replay's substitute for a recorded id; if so, the pair is added to `bound`."""
        if recorded not in self._foreign or got in self._mine or got in self._foreign:
            return False
        known = ChainMap(bound, self._bound)
        if known.get(recorded, got) != got or (recorded not in known and got in known.values()):
            return False
        bound[recorded] = got
        return True

    def bind(self, bound: dict[str, str]) -> None:
        """Keep the substitutes with which a request matched, for the rest of the replay."""
        self._bound.update(bound)


def differences(
    got: CanonicalRequest, recorded: CanonicalRequest, ids: IdMapping, bound: dict[str, str]
) -> Iterator[RequestDifference]:
    """Every difference, in the order in which a person reads a request; substituted ids are added to `bound`."""
    if got.method != recorded.method:
        yield RequestDifference("method", recorded.method, got.method)
    if len(got.path) != len(recorded.path) or not all(
        mine == theirs or ids.may_stand(mine, theirs, bound)
        for mine, theirs in zip(got.path, recorded.path, strict=True)
    ):
        yield RequestDifference(
            "path", _format_value("/" + "/".join(recorded.path)), _format_value("/" + "/".join(got.path))
        )
    yield from _compare_pairs(
        ((f"query.{name}", "", value) for name, value in got.query),
        ((f"query.{name}", "", value) for name, value in recorded.query),
        ids,
        bound,
    )
    if got.body == recorded.body:
        yield from _compare_pairs(got.leaves, recorded.leaves, ids, bound)
    else:
        yield RequestDifference("body", recorded.body or ABSENT, got.body or ABSENT)


def _compare_pairs(
    got: Iterable[tuple[str, str, str]],
    recorded: Iterable[tuple[str, str, str]],
    ids: IdMapping,
    bound: dict[str, str],
) -> Iterator[RequestDifference]:
    mine, theirs = _by_place(got), _by_place(recorded)
    for place in [*theirs, *(place for place in mine if place not in theirs)]:
        field, value = mine.get(place, ("", ABSENT))
        _, other = theirs.get(place, ("", ABSENT))
        if value != other and not (ids.is_field(field) and ids.may_stand(value[1:-1], other[1:-1], bound)):
            yield RequestDifference(place, _format_value(other), _format_value(value))


def _by_place(leaves: Iterable[tuple[str, str, str]]) -> dict[str, tuple[str, str]]:
    """Leaves by place; repeated places, such as of a query parameter, are numbered."""
    placed: dict[str, tuple[str, str]] = {}
    for place, field, value in leaves:
        number, name = 1, place
        while name in placed:
            number += 1
            name = f"{place}#{number}"
        placed[name] = (field, value)
    return placed


def _leaves(value: Any, place: str, field: str) -> Iterator[tuple[str, str, str]]:
    """(place, name of the field, JSON of the scalar) for each scalar and each empty container."""
    if isinstance(value, dict) and value:
        for name in sorted(value):
            inner = f".{name}" if _PLAIN.fullmatch(name) else f"[{json.dumps(name, ensure_ascii=False)}]"
            yield from _leaves(value[name], place + inner, name)
    elif isinstance(value, list) and value:
        for number, item in enumerate(value):
            yield from _leaves(item, f"{place}[{number}]", field)
    else:
        yield place, field, json.dumps(value, ensure_ascii=False)


def _format_value(text: str) -> str:
    printable = text.encode("utf-8", "backslashreplace").decode("utf-8")  # a lone surrogate is not
    return shorten_with_length(printable, 80)


# Find the recording that answers a request: the next unplayed one, with ids mapped. Each is made comparable once
# and then found by its form, so a look-up costs the same in a cassette of ten entries and of ten thousand.


class Index:
    """Recordings by the form of their requests; a position is a recording's index in the order of addition.

    Not safe to use from several threads.
    """

    def __init__(self, protocol: StreamProtocol) -> None:
        self.forms: list[CanonicalRequest] = []
        self._mapping = IdMapping(protocol)
        self._unread: list[Recording] = []
        self._same: defaultdict[CanonicalRequest, list[int]] = defaultdict(list)
        self._alike: defaultdict[tuple[Any, ...], list[int]] = defaultdict(list)
        self.played: set[int] = set()
        """What was replayed, so that no further request gets it."""

    def add(self, recordings: Sequence[Recording], forms: Iterable[CanonicalRequest]) -> None:
        self._unread += recordings
        for form in forms:
            number = len(self.forms)
            self.forms.append(form)
            self._same[form].append(number)
            self._alike[self._shape(form)].append(number)

    @property
    def _ids(self) -> IdMapping:
        """The ids of all that was added, read late: a recorder that plays nothing needs none of a million."""
        self._mapping.learn(self._unread)
        self._unread.clear()
        return self._mapping

    def match(self, asked: CanonicalRequest) -> int | None:
        """The first unplayed recording of a request, else of one that differs only in ids from outside."""
        if len(self.played) == len(self.forms):
            return None
        if same := self._drop_played(self._same, asked):
            return same[0]
        for number in self._drop_played(self._alike, self._shape(asked)):
            bound: dict[str, str] = {}
            if not any(differences(asked, self.forms[number], self._ids, bound)):
                self._ids.bind(bound)
                return number
        return None

    def _shape(self, form: CanonicalRequest) -> tuple[Any, ...]:
        """A key that is equal for any two forms without a difference, whatever ids are substituted."""
        leaves = sorted(
            (place, field, "" if self._mapping.is_field(field) else value) for place, field, value in form.leaves
        )
        return form.method, len(form.path), form.query, form.body, tuple(leaves)

    def _drop_played(self, found: defaultdict[Any, list[int]], key: object) -> list[int]:
        """The recordings of one group that were not replayed; drop the others from it."""
        if key not in found:
            return []
        found[key] = [number for number in found[key] if number not in self.played]
        return found[key]

    def times(self, asked: CanonicalRequest) -> list[int]:
        """Every recording of a request, replayed or not."""
        return [n for n, form in enumerate(self.forms) if not any(differences(asked, form, self._ids, {}))]

    def nearest(self, asked: CanonicalRequest) -> tuple[int, RequestDifference]:
        """The nearest recording and its first difference; ranked by same path, same method, fewest differences."""
        ranked = []
        for number, form in enumerate(self.forms):
            found = list(differences(asked, form, self._ids, {}))
            fields = {item.field for item in found}
            ranked.append(("path" in fields, "method" in fields, len(found), number, found[0]))
        *_, number, first = min(ranked, key=lambda entry: entry[:4])
        return number, first
