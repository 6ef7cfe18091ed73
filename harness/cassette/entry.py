"""Convert a recording to an entry of a vcrpy file, and back.

vcrpy preserves unknown keys of a response but rejects unknown keys of a request, so everything this project adds
is in `response.x-stream`. An entry without it is a plain vcrpy recording: its pieces are a guess, and are marked
`approximate`. The same holds if the body was edited since, which its digest reveals.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, ValidationError, convert, to_builtins
from msgspec.structs import asdict

from harness.cassette.framing import Pieces, by_event, pack, pieces_of, unpack
from harness.cassette.recording import UNKNOWN_ORIGIN, Recording, Unit
from harness.cassette.stored_bytes import steps
from harness.errors import FieldError
from harness.outcome.words import did_you_mean
from harness.wire import At, By, Chunked, Ending, Framing, Headers, How, Length, Request, UntilClose
from harness.wire.message import MORE_THAN_A_LINE, TOKEN, is_sendable

KEY = "x-stream"
VERSION = 1
_REQUEST_KEYS = ("method", "uri", "body", "headers")
NO_ANSWER = 0
"""The status code of an entry whose connection ended before the response head arrived."""

_STATUSES = range(200, 1000)
"""What a status line may say; above 599 it is invalid, but servers send it, and a recording keeps it."""
_NO_ADDRESS = re.compile(r"[\x00-\x20\x7f]")
"""Characters that end an address on its way (RFC 9112, 3)."""
_ORIGIN = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^/?#*]*)(.*)", re.DOTALL)
_Count = Annotated[int, Meta(ge=0)]


class _End(Struct, omit_defaults=True):
    """How a response ended; a reader that knows only `how` can still tell whether the body was complete.

    `after_us` is the microseconds between the last piece and the ending.
    """

    how: How
    by: By = By.SERVER
    at: At = At.IN_BODY
    declared: _Count | None = None
    sent: _Count | None = None
    detail: str = ""
    after_us: _Count = 0


class _Extension(Struct):
    """The fields of `x-stream`."""

    v: int
    framing: Literal["length", "chunked", "close"]
    size: int
    end: _End
    length: _Count | None = None
    pieces: str | int = ""
    unit: Unit = Unit.PIECE
    approximate: bool = False
    coding: str = ""
    sha256: str = ""


def as_entry(recording: Recording) -> dict[str, Any]:
    """The entry: a plain mapping of `request` and `response`. Bodies are bytes; an empty request body is None."""
    request, framing = recording.request, recording.framing
    extension: dict[str, Any] = {"v": VERSION}
    if isinstance(framing, Length):
        extension |= {"framing": "length", "length": framing.size}
    else:
        extension["framing"] = "chunked" if isinstance(framing, Chunked) else "close"
    extension["pieces"] = pack(recording.pieces)
    extension["unit"] = str(recording.unit)
    if recording.approximate:
        extension["approximate"] = True
    if recording.coding:
        extension["coding"] = recording.coding
    extension["size"] = len(recording.body)
    digest = hashlib.sha256()
    for step in steps(recording.body):
        digest.update(step)
    extension["sha256"] = digest.hexdigest()
    end = to_builtins(_End(**asdict(recording.ending), after_us=recording.wait))
    # vcrpy keeps one value per name of a request: repeated fields are joined as HTTP allows.
    joined = {
        name: [("; " if name.lower() == "cookie" else ", ").join(values)]
        for name, values in _group_by_name(request.headers).items()
    }
    return {
        "request": {
            "method": request.method,
            "uri": request.target if _ORIGIN.match(request.target) else recording.origin + request.target,
            "body": request.body or None,
            "headers": joined,
        },
        "response": {
            "status": {
                "code": NO_ANSWER if recording.status is None else recording.status,
                "message": recording.reason,
            },
            "headers": _group_by_name(recording.headers),
            "body": {"string": recording.body},
            KEY: {**extension, "end": end},
        },
    }


def replace_halves(entry: Mapping[str, Any], recording: Recording) -> dict[str, Any]:
    """The entry with another recording in it; fields of other tools stay, and a plain entry stays plain."""
    new, came = as_entry(recording), entry["response"]
    if KEY not in came:
        del new["response"][KEY]
    return {**entry, "request": {**entry["request"], **new["request"]}, "response": {**came, **new["response"]}}


def from_entry(entry: Mapping[str, Any]) -> Recording:
    """Read the recording of one entry. Raises FieldError saying what is wrong and what belongs there."""
    asked, came = _read_mapping(entry, "request"), _read_mapping(entry, "response")
    _refuse_unknown(asked, _REQUEST_KEYS, "request", "request")
    if missing := [name for name in _REQUEST_KEYS if name not in asked]:
        raise FieldError(f"request lacks {', '.join(missing)}: write it, or vcrpy cannot load the file", "request")
    uri = asked.get("uri")
    if not isinstance(uri, str) or not uri:
        message = f"request.uri={uri!r} is not a URI: write scheme, host, path and query"
        raise FieldError(message, "request", "uri")
    match = _ORIGIN.fullmatch(uri)
    origin, target = (match[1], match[2]) if match else (UNKNOWN_ORIGIN, uri)  # as it is, not normalized
    status = _read_mapping(came, "status", "response")
    data = _read_body(came.get("body"))
    headers = _read_headers(came, "response")
    sent = _read_bytes(asked.get("body"), "request", "body")
    framing: Framing = Length(len(data)) if "content-length" in headers else UntilClose()
    if "chunked" in headers.get("transfer-encoding").lower():
        framing = Chunked()
    plain = Recording(
        request=Request(str(asked.get("method")), target, _read_headers(asked, "request"), sent),
        status=_code(status.get("code")),
        headers=headers,
        body=data,
        pieces=_send_at_once(data),
        framing=framing,
        unit=Unit.EVENT,
        approximate=True,
        reason=str(status.get("message") or ""),
        origin=origin,
    )
    _check_head(plain)
    if KEY not in came:
        return replace(plain, pieces=_guess(plain, ()))
    try:
        return _as_recorded(plain, came[KEY])
    except FieldError as wrong:
        raise wrong.inside("response", KEY) from None


def _check_head(recording: Recording) -> None:
    """Raise FieldError for a head that no client or server could send."""
    method, target = recording.request.method, recording.origin + recording.request.target
    if TOKEN.fullmatch(method) is None:
        raise FieldError(f"request.method={method[:60]!r} is not a method: write a word", "request", "method")
    if _NO_ADDRESS.search(target) is not None:
        message = f"request.uri={target[:60]!r} has a blank or a control character: write it with %"
        raise FieldError(message, "request", "uri")
    for half, headers in (("request", recording.request.headers), ("response", recording.headers)):
        for name, value in headers:
            if not is_sendable(name, value):
                raise FieldError(
                    f"{half} header {name!r}: {value[:60]!r} cannot be sent: a name is a word, a value one line",
                    half, "headers", name,
                )  # fmt: skip
    if MORE_THAN_A_LINE.search(recording.reason) is not None:
        message = f"response.status.message={recording.reason[:60]!r} is more than one line"
        raise FieldError(message, "response", "status", "message")


def _as_recorded(plain: Recording, written: Any) -> Recording:
    """Add the extension's pieces, framing and ending; if the body was edited since, the pieces are a guess."""
    if isinstance(written, Mapping):
        if (version := written.get("v")) != VERSION:
            raise FieldError(f"response.{KEY}.v={version!r}: this release reads version {VERSION}", "v")
        _refuse_unknown(written, _Extension.__struct_fields__, f"response.{KEY}")
    if isinstance(written, Mapping) and isinstance(written.get("end"), Mapping):
        _refuse_unknown(written["end"], _End.__struct_fields__, "end", "end")
    try:
        extension = convert(written, _Extension)
    except ValidationError as wrong:
        why, _, where = str(wrong).partition(" - at `$")
        place = [name for name in where.rstrip("`").split(".") if name]
        raise FieldError(f"{'.'.join(place) or KEY}: {why[0].lower()}{why[1:]}", *place) from None
    try:
        pieces = unpack(str(extension.pieces))
    except ValueError as wrong:
        raise FieldError(str(wrong), "pieces") from None
    size, end, length = extension.size, extension.end, extension.length
    if size != pieces.total:
        raise FieldError(f"size={size!r} but the pieces add up to {pieces.total} bytes: record it again", "size")
    framing: Framing = Chunked() if extension.framing == "chunked" else UntilClose()
    if extension.framing == "length":
        if length is None or length < pieces.total:
            message = f"length={length} but the body has {pieces.total} bytes: write what Content-Length promised"
            raise FieldError(message, "length")
        framing = Length(length)
    ending = Ending(by=end.by, how=end.how, at=end.at, declared=end.declared, sent=end.sent, detail=end.detail)
    known = replace(plain, framing=framing, ending=ending, wait=end.after_us, coding=extension.coding)
    if hashlib.sha256(plain.body).hexdigest() == extension.sha256 and pieces.total == len(plain.body):
        return replace(known, pieces=pieces, unit=extension.unit, approximate=extension.approximate)
    return known.with_body(plain.body, _guess(plain, pieces.waits), before=pieces.total)


def _guess(recording: Recording, waits: Sequence[int]) -> Pieces:
    """One piece per event; for anything but an event stream, a single piece."""
    if recording.events:
        return by_event(recording.body, waits)
    return _send_at_once(recording.body, sum(waits))


def _send_at_once(body: bytes, wait: int = 0) -> Pieces:
    return pieces_of([(len(body), wait)]) if body else Pieces()


def _group_by_name(headers: Headers) -> dict[str, list[str]]:
    """All values by name, under the spelling that came first; names are compared without case."""
    spelling: dict[str, str] = {}
    grouped: dict[str, list[str]] = {}
    for name, value in headers:
        grouped.setdefault(spelling.setdefault(name.lower(), name), []).append(value)
    return grouped


def _read_headers(part: Mapping[str, Any], name: str) -> Headers:
    fields = part.get("headers") or {}
    if not isinstance(fields, Mapping):
        message = f"{name}.headers={str(fields)[:60]!r} is not a mapping: write `name: [value]`"
        raise FieldError(message, name, "headers")
    return Headers(
        (str(name), value.decode("latin-1") if isinstance(value, bytes) else str(value))
        for name, values in fields.items()
        for value in (values if isinstance(values, (list, tuple)) else [values])
    )


def _read_mapping(data: Mapping[str, Any], name: str, *place: str) -> Mapping[str, Any]:
    value = data.get(name)
    if not isinstance(value, Mapping):
        what = "missing" if value is None else repr(value)[:60]
        raise FieldError(f"{name} is {what}: a mapping belongs there", *place, name)
    return value


def _code(value: object) -> int | None:
    if value == NO_ANSWER and value is not False:
        return None
    if not isinstance(value, int) or value not in _STATUSES:
        raise FieldError(
            f"response.status.code={value!r} is not a final HTTP status: write 200 to 599 "
            "(up to 999 if a server really sent it), 0 for no response",
            "response", "status", "code",
        )  # fmt: skip
    return value


def _read_body(value: object) -> bytes:
    """The body of a response; vcrpy writes `{}` if there was none to read."""
    if not isinstance(value, Mapping):
        return _read_bytes(value, "response", "body")
    if value and "string" not in value:
        raise FieldError(
            f"response.body lacks `string`: it has {', '.join(map(repr, value))}; write the text as "
            "`string: …`, bytes as `string: !!binary …` in base64",
            "response", "body", str(next(iter(value))),
        )  # fmt: skip
    return _read_bytes(value.get("string"), "response", "body", "string")


def _read_bytes(value: object, *place: str) -> bytes:
    if value is None:
        return b""
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, (bytes, bytearray)):
        return bytes(value)
    kind = type(value).__name__
    raise FieldError(f"{'.'.join(place)} is {kind}: a body is text or !!binary", *place)


def _refuse_unknown(data: Mapping[str, Any], known: Collection[str], name: str, *place: str) -> None:
    """Raise FieldError for a field of `data`, called `name` and found at `place`, that is not among the known."""
    for field in data:
        if field not in known:
            raise FieldError(f"{name} has no field `{field}`{did_you_mean(str(field), known)}", *place, str(field))
