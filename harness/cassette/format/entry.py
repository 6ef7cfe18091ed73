"""Convert a recording to an entry of a vcrpy file, and back. Layer 1, pure.

vcrpy preserves unknown keys of a response but rejects unknown keys of a request, so everything this project adds
is in `response.x-stream`. An entry without it is a plain vcrpy recording: its pieces are a guess, and are marked
`approximate`. The same holds if the body was edited since, which its digest reveals.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.cassette.format.ending_fields import (
    ending_as_data,
    ending_from_data,
    framing_as_data,
    framing_from_data,
)
from harness.cassette.format.framing import Pieces, by_event, pack, pieces_of, unpack
from harness.cassette.format.recording import UNKNOWN_ORIGIN, Recording, Unit
from harness.wire import Chunked, Framing, Headers, Length, Request, UntilClose
from harness.wire.message import MORE_THAN_A_LINE, is_sendable

KEY = "x-stream"
VERSION = 1
REQUEST_KEYS = frozenset({"method", "uri", "body", "headers"})
NO_ANSWER = 0
"""The status code of an entry whose connection ended before the response head arrived."""

_STATUSES = range(200, 1000)
_ORIGIN = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^/?#*]*)(.*)", re.DOTALL)


def as_entry(recording: Recording) -> dict[str, Any]:
    """The entry: a plain mapping of `request` and `response`. Bodies are bytes; an empty request body is None."""
    return {
        "request": request_entry(recording.request, recording.origin),
        "response": {
            "status": {
                "code": NO_ANSWER if recording.status is None else recording.status,
                "message": recording.reason,
            },
            "headers": _group_by_name(recording.headers),
            "body": {"string": recording.body},
            KEY: _extension(recording),
        },
    }


def request_entry(request: Request, origin: str) -> dict[str, Any]:
    """The `request` of an entry."""
    return {
        "method": request.method,
        "uri": request.target if _ORIGIN.match(request.target) else origin + request.target,
        "body": request.body or None,
        "headers": _join_repeated(request.headers),
    }


def from_entry(entry: Mapping[str, Any]) -> Recording:
    """Read the recording of one entry. Raises ValueError saying what is wrong and what belongs there."""
    asked, came = _mapping(entry, "request"), _mapping(entry, "response")
    extra = asked.keys() - REQUEST_KEYS
    if extra:
        raise ValueError(f"request holds {sorted(extra)}, which vcrpy cannot load: only {sorted(REQUEST_KEYS)}")
    origin, target = _split(asked.get("uri"))
    status = _mapping(came, "status")
    body = came.get("body")
    data = _bytes(body.get("string") if isinstance(body, Mapping) else body)
    headers = _headers(came)
    plain = Recording(
        request=Request(str(asked.get("method")), target, _headers(asked), _bytes(asked.get("body"))),
        status=_code(status.get("code")),
        headers=headers,
        body=data,
        pieces=_one(data),
        framing=_likely_framing(headers, data),
        unit=Unit.EVENT,
        approximate=True,
        reason=str(status.get("message") or ""),
        origin=origin,
    )
    _check_head(plain)
    return _as_recorded(plain, came[KEY]) if KEY in came else replace(plain, pieces=_guess(plain, ()))


def _check_head(recording: Recording) -> None:
    """Raise ValueError for a response head that no server could send."""
    for name, value in recording.headers:
        if not is_sendable(name, value):
            raise ValueError(
                f"response header {name!r}: {value[:60]!r} cannot be sent: a name is a word, a value one line"
            )
    if MORE_THAN_A_LINE.search(recording.reason) is not None:
        raise ValueError(f"response.status.message={recording.reason[:60]!r} is more than one line")


def _extension(recording: Recording) -> dict[str, Any]:
    extension: dict[str, Any] = {"v": VERSION, **framing_as_data(recording.framing)}
    extension["pieces"] = pack(recording.pieces)
    extension["unit"] = str(recording.unit)
    if recording.approximate:
        extension["approximate"] = True
    if recording.coding:
        extension["coding"] = recording.coding
    extension["size"] = len(recording.body)
    extension["sha256"] = hashlib.sha256(recording.body).hexdigest()
    extension["end"] = ending_as_data(recording.ending, recording.wait)
    return extension


def _as_recorded(plain: Recording, extension: object) -> Recording:
    """Add the extension's pieces, framing and ending; if the body was edited since, the pieces are a guess."""
    if not isinstance(extension, Mapping):
        raise ValueError(f"response.{KEY}={extension!r} is no mapping: delete it or record again")
    if extension.get("v") != VERSION:
        raise ValueError(f"response.{KEY}.v={extension.get('v')!r}: this release reads version {VERSION}")
    unit = extension.get("unit", Unit.PIECE)
    if unit not in list(Unit):
        raise ValueError(f"unit={unit!r} is none of {', '.join(Unit)}")
    size, pieces = extension.get("size"), unpack(str(extension.get("pieces", "")))
    if size != pieces.total:
        raise ValueError(f"size={size!r} but the pieces add up to {pieces.total} bytes: record it again")
    ending, wait = ending_from_data(extension.get("end"))
    framing = framing_from_data(extension)
    if isinstance(framing, Length) and framing.size < pieces.total:
        raise ValueError(
            f"length={framing.size} but the body has {pieces.total} bytes: a longer one is never sent"
        )
    coding = str(extension.get("coding", ""))
    if hashlib.sha256(plain.body).hexdigest() == extension.get("sha256") and pieces.total == len(plain.body):
        approximate = extension.get("approximate") is True
        return replace(
            plain, pieces=pieces, framing=framing, ending=ending, wait=wait, unit=Unit(unit),
            approximate=approximate, coding=coding,
        )  # fmt: skip
    known = replace(plain, framing=framing, ending=ending, wait=wait, coding=coding)
    return known.with_body(plain.body, _guess(plain, pieces.waits), before=pieces.total)


def _guess(recording: Recording, waits: Sequence[int]) -> Pieces:
    """One piece per event; for anything but an event stream, a single piece."""
    if recording.events:
        return by_event(recording.body, waits)
    return _one(recording.body, sum(waits))


def _one(body: bytes, wait: int = 0) -> Pieces:
    return pieces_of([(len(body), wait)]) if body else Pieces()


def _likely_framing(headers: Headers, body: bytes) -> Framing:
    """The framing that a plain recording's headers name; a length is that of the body, whatever they say."""
    if "chunked" in headers.get("transfer-encoding").lower():
        return Chunked()
    return Length(len(body)) if "content-length" in headers else UntilClose()


def _join_repeated(headers: Headers) -> dict[str, list[str]]:
    """One value per name, since vcrpy keeps no more for a request: repeated fields are joined as HTTP allows."""
    folded: dict[str, list[str]] = {}
    for name, values in _group_by_name(headers).items():
        folded[name] = [("; " if name.lower() == "cookie" else ", ").join(values)]
    return folded


def _group_by_name(headers: Headers) -> dict[str, list[str]]:
    """All values by name, under the spelling that came first; names are compared without case."""
    spelling: dict[str, str] = {}
    grouped: dict[str, list[str]] = {}
    for name, value in headers:
        grouped.setdefault(spelling.setdefault(name.lower(), name), []).append(value)
    return grouped


def _headers(part: Mapping[str, Any]) -> Headers:
    fields = part.get("headers") or {}
    if not isinstance(fields, Mapping):
        raise ValueError(f"headers={str(fields)[:60]!r} is no mapping: write `name: [value]`")
    return Headers(
        (str(name), _text(value))
        for name, values in fields.items()
        for value in (values if isinstance(values, (list, tuple)) else [values])
    )


def _text(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _mapping(entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = entry.get(name)
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} is {'missing' if value is None else repr(value)[:60]}: a mapping belongs there")
    return value


def _split(uri: object) -> tuple[str, str]:
    """Split a URI into origin and target; the target is kept as it is, without normalisation."""
    if not isinstance(uri, str) or not uri:
        raise ValueError(f"request.uri={uri!r} is no URI: write scheme, host, path and query")
    match = _ORIGIN.fullmatch(uri)
    return (match[1], match[2]) if match else (UNKNOWN_ORIGIN, uri)


def _code(value: object) -> int | None:
    if value == NO_ANSWER and value is not False:
        return None
    if not isinstance(value, int) or value not in _STATUSES:
        raise ValueError(
            f"response.status.code={value!r} is no final HTTP status: write 200 to 599, 0 for no answer"
        )
    return value


def _bytes(value: object) -> bytes:
    if value is None:
        return b""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    raise ValueError(f"a body is {type(value).__name__}: text or !!binary belongs there")
