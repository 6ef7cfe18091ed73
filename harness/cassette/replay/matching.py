"""Decide whether two requests are the same, and if not, where they first differ. Layer 1, pure.

Compares the method, the path, the query without order, and the body as canonical JSON; never host or port, which
differ at every replay, and never credentials. Ids that a recorded answer gave out must be sent back unchanged. An
id from outside the cassette may be replaced by another, as long as it is the same one throughout.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from harness.cassette.format.byte_edits import text_of
from harness.cassette.format.recording import Recording
from harness.cassette.redaction.redactor import Redactor, decode_request, is_secret_parameter
from harness.outcome.words import shorten_with_length
from harness.wire import Request, StreamProtocol
from harness.wire.tokens import decode_literal

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
            made = self._canonicalise(request)
            if len(self._made) >= _CACHED or self._redactor.learned != known:
                self._made.clear()
            self._made[request] = made
        return made

    def write_form(self, request: Request) -> CanonicalRequest:
        """The same form with secrets and placeholders as they are written; never to be shown."""
        return self._build_form(decode_request(request), str)

    def _canonicalise(self, request: Request) -> CanonicalRequest:
        clean = self._redactor.request(request)
        self._redactor.report.clear()  # nobody reads it, and it would grow with every request
        return self._build_form(clean, _hide_placeholders)

    def _build_form(self, request: Request, shown: Callable[[str], str]) -> CanonicalRequest:
        kind, value = _read_value(request, shown)
        kept = (
            (n, shown(v)) for n, v in request.query if not is_secret_parameter(n, self._protocol.secret_fields)
        )
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
    return "text that is no JSON", shown(text)


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
        for recording, (asked, told) in zip(recordings, values, strict=True):
            self._foreign |= (asked | (self._known & {*recording.request.segments})) - self._mine
            self._mine |= told - self._foreign

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
