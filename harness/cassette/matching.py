"""Decide whether two requests are the same, and if not, where they first differ. Layer 1, pure.

Compares the method, the path, the query without order, and the body as canonical JSON; never host or port, which
differ at every replay, and never credentials. Ids that a recorded answer gave out must be sent back unchanged. An
id from outside the cassette may be replaced by another, as long as it is the same one throughout.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import ChainMap, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from harness.cassette.framing import text_of
from harness.cassette.recording import Recording
from harness.cassette.redactor import SHORTEST_LEARNED, Redactor, decode_request
from harness.outcome.words import shorten_with_length
from harness.wire import Request, StreamProtocol
from harness.wire.secret_finder import decode_literal

HIDDEN = "<secret>"
ABSENT = "<absent>"
_SHOWN = 80
_CACHED = 4096
_LONG = 65_536
"""Characters above which a scalar is compared by digest, to save memory; no id is that long."""

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

    def write_form(self, request: Request) -> CanonicalRequest:
        """The same form with secrets and placeholders as they are written; never to be shown."""
        return self._build_form(decode_request(request), str)

    def _canonicalize(self, request: Request) -> CanonicalRequest:
        clean = self._redactor.request(request)
        self._redactor.report.clear()  # it is never read, and would grow with every request
        return self._build_form(clean, _hide_placeholders)

    def _build_form(self, request: Request, shown: Callable[[str], str]) -> CanonicalRequest:
        kind, value = _read_value(request, shown)
        kept = ((n, shown(v)) for n, v in request.query if not self._protocol.secret_fields.names_parameter(n))
        return CanonicalRequest(
            method=request.method.upper(),
            path=tuple(shown(unquote(segment)) for segment in request.raw_path.split("/")[1:]),
            query=tuple(sorted(kept)),
            body=kind,
            leaves=tuple(_leaves(value, "body", "")) if kind else (),
        )


def _read_value(request: Request, shown: Callable[[str], str]) -> tuple[str, Any]:
    """(kind, value) of a body; kind is "" for none. If not JSON, the value is its text with a fixed boundary."""
    if not request.body:
        return "", None
    try:
        return "JSON", _show_tree(json.loads(request.body), shown)
    except (ValueError, RecursionError):
        text = text_of(request.body)
    boundary = _BOUNDARY.search(request.headers.get("content-type"))
    if boundary is not None:
        text = text.replace(f"--{boundary[1] or boundary[2]}", "--boundary")
    return "text that is not JSON", shown(text)


def _show_tree(value: Any, shown: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {shown(name): _show_tree(item, shown) for name, item in value.items()}
    if isinstance(value, list):
        return [_show_tree(item, shown) for item in value]
    if isinstance(value, str):
        return shown(value)
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
        values = [({*self._find_ids(r.request.body)}, {*self._find_ids(r.body)}) for r in recordings]
        self._known.update(*(value for pair in values for value in pair))
        for recording, (asked, given) in zip(recordings, values, strict=True):
            self._foreign |= (asked | (self._known & {*recording.request.segments})) - self._mine
            self._mine |= given - self._foreign

    def _find_ids(self, body: bytes) -> Iterator[str]:
        """The values of id fields in a body, which may be JSON or a stream of JSON events."""
        for found in self._values.finditer(body):
            if found[1] != b'""':
                yield decode_literal(found[1].decode("utf-8", "replace"))

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


def shape(form: CanonicalRequest, ids: IdMapping) -> tuple[Any, ...]:
    """A key that is equal for any two forms without a difference, whatever ids are substituted."""
    leaves = sorted((place, field, "" if ids.is_field(field) else value) for place, field, value in form.leaves)
    return form.method, len(form.path), form.query, form.body, tuple(leaves)


def difference(
    got: CanonicalRequest, recorded: CanonicalRequest, ids: IdMapping, bound: dict[str, str]
) -> RequestDifference | None:
    """The first difference that matters, None if there is none; substituted ids are added to `bound`."""
    return next(iter(differences(got, recorded, ids, bound)), None)


def differences(
    got: CanonicalRequest, recorded: CanonicalRequest, ids: IdMapping, bound: dict[str, str]
) -> Iterator[RequestDifference]:
    """Every difference, in the order in which a person reads a request."""
    if got.method != recorded.method:
        yield RequestDifference("method", recorded.method, got.method)
    if not _same_path(got.path, recorded.path, ids, bound):
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


def _same_path(got: tuple[str, ...], recorded: tuple[str, ...], ids: IdMapping, bound: dict[str, str]) -> bool:
    return len(got) == len(recorded) and all(
        mine == theirs or ids.may_stand(mine, theirs, bound) for mine, theirs in zip(got, recorded, strict=True)
    )


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
        if value != other and not (ids.is_field(field) and ids.may_stand(_unquote(value), _unquote(other), bound)):
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
        yield place, field, _show_literal(value)


def _show_literal(value: Any) -> str:
    """The JSON of a scalar; for a very long text, its shown beginning, a NUL, and the digest of its JSON."""
    if not isinstance(value, str) or len(value) <= _LONG:
        return json.dumps(value, ensure_ascii=False)
    digest, size = hashlib.sha256(), len('""')
    for at in range(0, len(value), _LONG):
        part = json.dumps(value[at : at + _LONG], ensure_ascii=False)[1:-1]
        digest.update(part.encode("utf-8", "surrogatepass"))
        size += len(_escape_surrogates(part))
    beginning = _escape_surrogates(json.dumps(value[:_SHOWN], ensure_ascii=False))[:_SHOWN]
    return f"{beginning}… ({size} characters)\0{digest.hexdigest()}"


def _unquote(literal: str) -> str:
    return literal[1:-1]


def _format_value(text: str) -> str:
    shown, long, _ = text.partition("\0")
    return shown if long else shorten_with_length(_escape_surrogates(text), _SHOWN)


def _escape_surrogates(text: str) -> str:
    """Escape lone surrogates, which cannot be printed."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


# Find the recording that answers a request: the next unplayed one, with ids mapped. Both player and recorder
# match with this. Each recording is made comparable once and then found by its form, so a look-up costs the
# same in a cassette of ten entries and of ten thousand.


class Index:
    """Recordings by the form of their requests; a position is a recording's index in the order of addition.

    Not safe to use from several threads.
    """

    def __init__(self, protocol: StreamProtocol) -> None:
        self.forms: list[CanonicalRequest] = []
        self._ids = IdMapping(protocol)
        self._same: defaultdict[CanonicalRequest, list[int]] = defaultdict(list)
        self._alike: defaultdict[tuple[Any, ...], list[int]] = defaultdict(list)
        self._played: set[int] = set()

    def add(self, recordings: Sequence[Recording], forms: Iterable[CanonicalRequest]) -> None:
        """Add recordings, with the forms of their requests."""
        self._ids.learn(recordings)
        for form in forms:
            number = len(self.forms)
            self.forms.append(form)
            self._same[form].append(number)
            self._alike[shape(form, self._ids)].append(number)

    def is_played(self, number: int) -> bool:
        """Whether this recording has been replayed."""
        return number in self._played

    def play(self, number: int) -> None:
        """Mark a recording as replayed, so that no further request gets it."""
        self._played.add(number)

    def next(self, asked: CanonicalRequest) -> int | None:
        """The first unplayed recording of exactly this request."""
        return next(iter(self._drop_played(self._same, asked)), None)

    def match(self, asked: CanonicalRequest) -> int | None:
        """Like `next`, with a fallback to a request that differs only in ids the cassette did not give out."""
        same = self.next(asked)
        if same is not None:
            return same
        for number in self._drop_played(self._alike, shape(asked, self._ids)):
            if self.bind(asked, self.forms[number]):
                return number
        return None

    def substitutes(self, asked: CanonicalRequest, form: CanonicalRequest) -> dict[str, str] | None:
        """The ids that stand for recorded ones if this request is of that form; None if it is not."""
        bound: dict[str, str] = {}
        return bound if difference(asked, form, self._ids, bound) is None else None

    def bind(self, asked: CanonicalRequest, form: CanonicalRequest) -> bool:
        """Keep the ids that stand for recorded ones for the rest of the replay; false if there is a difference."""
        bound = self.substitutes(asked, form)
        if bound is not None:
            self._ids.bind(bound)
        return bound is not None

    def _drop_played(self, found: defaultdict[Any, list[int]], key: object) -> list[int]:
        """The recordings of one group that were not replayed; drop the others from it."""
        if key not in found:
            return []
        found[key] = [number for number in found[key] if number not in self._played]
        return found[key]

    def times(self, asked: CanonicalRequest) -> list[int]:
        """Every recording of a request, replayed or not."""
        return [n for n, form in enumerate(self.forms) if difference(asked, form, self._ids, {}) is None]

    def nearest(self, asked: CanonicalRequest) -> tuple[int, RequestDifference]:
        """The nearest recording and its first difference; ranked by same path, same method, fewest differences."""
        ranked = [
            (_rank(found := list(differences(asked, form, self._ids, {}))), number, found)
            for number, form in enumerate(self.forms)
        ]
        _, number, found = min(ranked, key=lambda entry: entry[:2])
        return number, found[0]


def _rank(found: Sequence[RequestDifference]) -> tuple[bool, bool, int]:
    fields = {item.field for item in found}
    return "path" in fields, "method" in fields, len(found)


# Match a request that quotes a secret before any request has named it. The recorder learned the secret later
# and went back: the recording has a placeholder where the client of a replay writes an unknown text
# to be a secret. Such a request is the recorded one if it differs only there, and if nothing else could be
# meant: one placeholder stands for one text throughout a replay, and two for two.


_MARK = b"REDACTED-"
_SECRET = re.compile(rf'(?=.{{{SHORTEST_LEARNED}}})[\w+/~-][^\s"\\<>]*[\w+/~=-]')
"""What a placeholder may stand for: the recorder learns no shorter one; a full stop after it is not its own."""


class QuoteMatcher:
    """Finds the recording whose placeholders stand for a request's texts. Not safe to use from several threads."""

    def __init__(self, canon: Canon, index: Index) -> None:
        self._canon = canon
        self._index = index
        self._texts: dict[str, str] = {}
        self._written: dict[int, CanonicalRequest] = {}

    def match(self, request: Request, asked: CanonicalRequest, recordings: Sequence[Recording]) -> int | None:
        """The first unplayed recording that fits; None if none does, or if different requests do."""
        if not request.body:  # as of every resume and poll, which are asked most
            return None
        waiting = [
            number
            for number, recording in enumerate(recordings)
            if _MARK in recording.request.body and not self._index.is_played(number)
        ]
        if not waiting:
            return None
        got = self._canon.write_form(request)
        fits = [(number, fit) for number in waiting for fit in self._fits(asked, got, number, recordings[number])]
        if len({self._index.forms[number] for number, _ in fits}) != 1:
            return None
        number, (form, texts) = fits[0]
        self._texts.update(texts)
        self._index.bind(asked, form)
        return number

    def _fits(
        self, asked: CanonicalRequest, got: CanonicalRequest, number: int, recording: Recording
    ) -> Iterator[tuple[CanonicalRequest, dict[str, str]]]:
        """The recorded form with the request's texts in it, and these texts; nothing if it is another request."""
        form = self._index.forms[number]
        if number not in self._written:
            self._written[number] = self._canon.write_form(recording.request)
        filled = fill_in(asked, got, form, self._written[number], self._texts)
        if filled is not None and self._index.substitutes(asked, filled[0]) is not None:
            yield filled


def fill_in(
    asked: CanonicalRequest,
    got: CanonicalRequest,
    form: CanonicalRequest,
    written: CanonicalRequest,
    known: dict[str, str],
) -> tuple[CanonicalRequest, dict[str, str]] | None:
    """Put the texts of a request where a recorded one has placeholders; None if they cannot be the same.

    `asked` and `form` are compared, with their secrets hidden; `got` and `written` are the same requests as they
    are written. `known` are the texts that placeholders already stand for.
    """
    if [leaf[:2] for leaf in asked.leaves] != [leaf[:2] for leaf in form.leaves]:
        return None
    texts: dict[str, str] = {}
    leaves = list(form.leaves)
    for at, (mine, theirs) in enumerate(zip(asked.leaves, form.leaves, strict=True)):
        if mine == theirs or not PLACEHOLDER.search(written.leaves[at][2]):
            continue
        found = _read_texts(got.leaves[at][2], written.leaves[at][2])
        if found is None or not all(_may_stand(*pair, texts | known) for pair in found):
            return None
        texts.update(found)
        leaves[at] = mine
    return (replace(form, leaves=tuple(leaves)), texts) if texts else None


def _may_stand(placeholder: str, text: str, known: dict[str, str]) -> bool:
    """Whether nothing else is known of this placeholder, and no other of this text."""
    return known.get(placeholder, text) == text and (placeholder in known or text not in known.values())


def _read_texts(got: str, written: str) -> list[tuple[str, str]] | None:
    """Each placeholder of `written`, and what `got` has in its place; None if all else is not the same.

    Reads from the left, without going back, so that no text takes long; a text ends where what follows the
    placeholder begins.
    """
    parts = PLACEHOLDER.split(written)
    if "" in parts[1:-1] or not got.startswith(parts[0]):
        return None  # two placeholders side by side could be split in many ways
    found: list[tuple[str, str]] = []
    at = len(parts[0])
    for placeholder, after in zip(PLACEHOLDER.findall(written), parts[1:], strict=True):
        last = len(found) == len(parts) - 2
        end = len(got) - len(after) if last else got.find(after, at + SHORTEST_LEARNED)
        if end < at or not got.startswith(after, end) or not _SECRET.fullmatch(got, at, end):
            return None
        found.append((placeholder, got[at:end]))
        at = end + len(after)
    return found if len({*found}) == len({name for name, _ in found}) else None
