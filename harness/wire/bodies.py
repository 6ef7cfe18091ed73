"""Reads bodies: their content coding while bytes pass, and JSON, which may or may not be there.

Sans-IO, and never raises, whatever the bytes. Knows gzip and deflate (RFC 9110, 8.4.1). At every step the caller
limits how many decoded bytes it accepts. Each compressed piece is flushed, so that a reader gets every event as
soon as it was sent.

`json_or_none` and its like are as lenient as the standard library; they also find the values that later requests
repeat. `loads` is as strict as RFC 8259, and the contract judges by it. Msgspec parses. What it rejects is parsed
again with the standard library, so that the reason is exact and a value that is merely odd (half a surrogate pair,
a huge number) can still be judged. A time in a body is an instant: two are equal if they are the same moment,
however they are written.
"""

from __future__ import annotations

import json
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from harness.wire.message import (
    At,
    Body,
    Chunk,
    Chunked,
    Ending,
    Exchange,
    Headers,
    Length,
    Piece,
    Request,
    Response,
    WrappedBody,
)

CODINGS = frozenset({"gzip", "x-gzip", "deflate"})
DECODED_BYTES = 64 * 1024 * 1024
"""Limit on the decoded size of a body that is decoded as a whole."""


def coding_of(headers: Headers) -> str:
    """The content coding of a body; "" if there is none."""
    coding = headers.get("content-encoding").strip().lower()
    return "" if coding == "identity" else coding


class Inflater:
    """Decodes one of `CODINGS`; several gzip members in a row are allowed."""

    def __init__(self, coding: str) -> None:
        self._may_be_raw = coding == "deflate"
        self._start = b""
        self._inflate = zlib.decompressobj(47)  # gzip or zlib, by its header

    @property
    def whole(self) -> bool:
        """Whether the end of the coded data was reached."""
        return self._inflate.eof

    def feed(self, data: bytes, most: int) -> bytes:
        """Decode these bytes; output stops at `most` + 1 bytes. Raises ValueError with zlib's message."""
        if len(self._start) < 2:
            data = self._start = self._start + data
            if len(data) < 2:
                return b""
            if self._may_be_raw and not _is_zlib(data):
                self._inflate = zlib.decompressobj(-zlib.MAX_WBITS)
        parts, room = [], most + 1
        while data and room > 0:
            try:
                parts.append(self._inflate.decompress(data, room))
            except zlib.error as wrong:
                raise ValueError(str(wrong)) from None
            room -= len(parts[-1])
            data = self._inflate.unconsumed_tail
            if self._inflate.eof and self._inflate.unused_data:
                data, self._inflate = self._inflate.unused_data, zlib.decompressobj(47)
        return b"".join(parts)


def decode_pieces(coding: str, body: bytes, sizes: Iterable[int]) -> Iterator[bytes]:
    """Decode a body piece by piece, by the sizes of its pieces.

    Raises ValueError for a broken coding and for a decompression bomb.
    """
    inflater, at, room = Inflater(coding), 0, DECODED_BYTES
    for size in sizes:
        try:
            out = inflater.feed(body[at : at + size], room)
        except ValueError as wrong:
            raise ValueError(f"its gzip or deflate is broken: {wrong}") from None
        at += size
        room -= len(out)
        if room < 0:
            raise ValueError(f"it has more than {DECODED_BYTES} bytes once decompressed: refused")
        yield out


def is_coded(coding: str, body: bytes) -> bool:
    """Whether a body begins like one in this coding: many recorders decode the body and leave the header."""
    if coding == "deflate":
        return len(body) > 1 and (
            _is_zlib(body) or not body.lstrip().startswith((b"{", b"[", b"event:", b"data:"))
        )
    return body.startswith(b"\x1f\x8b")


def _is_zlib(body: bytes) -> bool:
    """Whether the body begins with a zlib header; many servers send raw deflate and call it deflate."""
    return body[0] & 0x0F == zlib.DEFLATED and int.from_bytes(body[:2], "big") % 31 == 0


_WINDOWS = {"gzip": 31, "deflate": zlib.MAX_WBITS}
"""The window of each coding; HTTP's deflate is the zlib format."""


def accepts(accepted: str, coding: str) -> bool:
    """Whether an Accept-Encoding header allows a coding: named, or by `*`, and not with a weight of 0."""
    weights = {name.strip().lower(): _read_weight(rest) for name, _, rest in (
        item.partition(";") for item in accepted.split(",")
    )}  # fmt: skip
    return weights.get(coding, weights.get("*", 0.0)) > 0


def _read_weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    try:
        return float(value) if name.strip().lower() == "q" else 1.0
    except ValueError:
        return 1.0


def compress(response: Response, coding: str) -> Response:
    """The response with its body in a coding, `gzip` or `deflate`; a Content-Length gives way to chunks."""
    headers = response.headers.without("content-length").having("content-encoding", coding)
    response.headers = headers if "vary" in headers else headers.having("vary", "Accept-Encoding")
    response.framing = Chunked() if isinstance(response.framing, Length) else response.framing
    response.body = CodedBody(response.body, coding)
    return response


class CodedBody(WrappedBody):
    """A body in a content coding. What a broken body had sent can be decoded; only a complete one is finished."""

    __slots__ = ("_coder", "_missing", "_ready", "_sent")

    def __init__(self, inner: Body, coding: str) -> None:
        super().__init__(inner)
        self._coder = zlib.compressobj(wbits=_WINDOWS[coding])
        self._ready: list[Piece] = []
        self._missing = 0  # bytes that the last chunk declared but did not contain
        self._sent = 0

    def __next__(self) -> Piece:
        if self._ready:
            return self._ready.pop()
        piece = next(self._inner)
        if isinstance(piece, Chunk):
            return self._code(piece)
        if isinstance(piece, Ending):
            if piece.complete:
                self._ready.append(piece)
                return Chunk(self._coder.flush(zlib.Z_FINISH))
            if piece.at is At.IN_CHUNK:
                return replace(piece, declared=self._sent + self._missing, sent=self._sent)
            return piece
        return piece

    def _code(self, piece: Chunk) -> Chunk:
        data = self._coder.compress(piece.data) + self._coder.flush(zlib.Z_SYNC_FLUSH)
        self._sent = len(data)
        self._missing = 0 if piece.declared is None else max(0, piece.declared - len(piece.data))
        return Chunk(data, self._sent + self._missing if self._missing else None)

    def close(self) -> None:
        """Close the body inside."""
        self._ready.clear()
        super().close()


_decode = msgspec.json.Decoder().decode


def json_or_none(data: bytes) -> Any:
    """The JSON value of `data`; None for `null`, for what is not JSON, and for JSON nested too deeply."""
    try:
        return _decode(data)  # three times as fast, and whatever it accepts means the same to both
    except (msgspec.DecodeError, ValueError, RecursionError):
        pass
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def is_part_of_json(data: bytes) -> bool:
    """Whether more bytes could make JSON of `data`, which is not the whole of one already."""
    return _is_cut(data) or _is_cut(data + b"0")  # a number may end in its sign, its dot or its exponent


def _is_cut(data: bytes) -> bool:
    try:
        return isinstance(_decode(data), int | float) and data[-1:].isdigit()
    except msgspec.DecodeError as wrong:
        return str(wrong) == "Input data was truncated"
    except (ValueError, RecursionError):
        return False


def object_or_none(data: bytes) -> dict[str, Any] | None:
    """The JSON object in `data`; None for any other value and for what is not JSON."""
    if not data:  # as in most requests: to find out by trying takes fifteen times as long
        return None
    value = json_or_none(data)
    return value if isinstance(value, dict) else None


def encode_json(value: Any, *, compact: bool = False) -> bytes:
    """The value as UTF-8, `compact` without spaces. Half a surrogate, which some send, stays one."""
    encoder = _COMPACT if compact else _SPACIOUS
    return encoder.encode(value).encode("utf-8", "surrogatepass")


_SPACIOUS = json.JSONEncoder(ensure_ascii=False)
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
write_sorted = json.JSONEncoder(sort_keys=True).encode
"""A value as text, the same for whatever order of members. Made once: `json.dumps` makes an encoder for each."""


_SPACED = re.compile(rb'"[ \t\r\n]+:')
_encode = msgspec.json.Encoder().encode


def may_be_ambiguous(data: bytes, *values: Any) -> bool:
    """Whether an object in JSON `data`, or in a stream of JSON that has these values, may have a name twice.

    Where it is False, which it nearly always is, `data` has `":` as often as the values written again.
    """
    try:
        count = sum([_encode(value).count(b'":') for value in values])
    except (msgspec.EncodeError, ValueError, OverflowError, RecursionError):
        return True
    return data.count(b'":') != count or b"\\u00" in data or _SPACED.search(data) is not None


def find_ambiguous(data: bytes, value: Any) -> str:
    """The name that an object in JSON `data`, which has this value, has twice with two values; "" for none.

    Of these, one reader takes the first and another one the last.
    """
    if not may_be_ambiguous(data, value):
        return ""
    found: list[str] = []

    def note(members: list[tuple[str, Any]]) -> dict[str, Any]:
        kept = dict(members)
        found.extend(name for name, member in members if kept[name] != member)
        return kept

    try:
        json.loads(data, object_pairs_hook=note)
    except (ValueError, RecursionError):
        return ""
    return found[0] if found else ""


# Values that an answer gives and later requests repeat: ids, cursors, signatures.
# A session that repeats recorded requests takes these from the new responses. A value is named by its place: the
# number-th field with this name in the text of an answer, whether that is JSON or a stream of events, so that a
# line of shell finds it, too.


_FIELD = re.compile(rb'"(\w*id|name|signature)": *"([^"]*)"')


class GivenValue(Struct, frozen=True):
    """A value, and where it was given: field `name`, its `number`-th in answer `answer`, both from 0."""

    answer: int
    name: str
    number: int
    value: str


def given_values(trail: Sequence[Exchange]) -> list[GivenValue]:
    """The values that answers gave first and later requests repeat, in the order of the answers."""
    found: dict[str, GivenValue] = {}
    sent = ""
    for number, exchange in enumerate(trail):
        sent += _join_text(exchange.request)
        later = "\n".join(_join_text(following.request) for following in trail[number + 1 :])
        for value in _list_fields(exchange.body, number):
            if value.value not in found and names(later, value.value) and not names(sent, value.value):
                found[value.value] = value
    return list(found.values())


def find_given(body: bytes, name: str, number: int) -> str | None:
    """The value of the number-th field with this name in the text of an answer."""
    values = [value for value in _list_fields(body, 0) if value.name == name]
    return values[number].value if number < len(values) else None


def names(text: str, value: str) -> bool:
    """Whether a text contains the value, and not merely a longer word around it."""
    return value in text and _match_whole(value).search(text) is not None


def replace_given(request: Request, value: str, new: str) -> Request:
    """The request with another value in its path, query and body."""
    target = _match_whole(value).sub(lambda _: new, request.target)
    escaped = quote(value, safe="")
    if escaped != value:
        target = _match_whole(escaped).sub(lambda _: quote(new, safe=""), target)
    body = request.body.decode("utf-8", "surrogateescape")
    body = _match_whole(value).sub(lambda _: new, body)
    return Request(request.method, target, request.headers, body.encode("utf-8", "surrogateescape"))


def _match_whole(value: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-]){re.escape(value)}(?![\w-])")


def _join_text(request: Request) -> str:
    return f"{request.target}\n{unquote(request.target)}\n{request.body.decode('utf-8', 'replace')}\n"


def _list_fields(body: bytes, answer: int) -> Iterator[GivenValue]:
    seen: Counter[str] = Counter()
    for match in _FIELD.finditer(body):
        name, value = (part.decode("utf-8", "replace") for part in match.groups())
        number, seen[name] = seen[name], seen[name] + 1
        # a shorter one might occur anywhere
        if len(value) >= 2 and "\\" not in value and (name != "name" or "/" in value):
            yield GivenValue(answer, name, number, value)


decode = msgspec.json.Decoder().decode
"""The fast path: raises one of `REFUSALS`."""

REFUSALS = (msgspec.DecodeError, ValueError, RecursionError)


class JsonResult(NamedTuple):
    """A value, or why there is none.

    `fault` is "" if all is well, else one of `encoding`, `syntax`, `surrogate`, `depth`. With `surrogate` there
    still is a value, in which each lone half of a pair was replaced.
    """

    value: Any
    fault: str = ""
    detail: str = ""


def loads(data: bytes) -> JsonResult:
    """Parse `data`; never raises."""
    try:
        return JsonResult(decode(data))
    except REFUSALS as refusal:
        return _decode_again(data, str(refusal))


def objects(payloads: Iterable[bytes]) -> list[dict[str, Any]]:
    """The JSON objects among `payloads`; everything else is left out."""
    # Each stream ends with a payload that is no JSON, for which the standard library would be asked, too.
    values = (loads(payload).value for payload in payloads if payload.lstrip().startswith(b"{"))
    return [value for value in values if isinstance(value, dict)]


def as_object(value: Any) -> Mapping[str, Any]:
    """The value if it is an object, else an empty one: the members of any value can be read."""
    # isinstance takes five times as long for a Mapping, and nearly every value is from JSON
    return value if isinstance(value, dict) or isinstance(value, Mapping) else {}  # noqa: SIM101


def as_list(value: Any) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def objects_in(value: Any) -> list[dict[str, Any]]:
    """The objects in a list; none if the value is no list."""
    return [item for item in as_list(value) if isinstance(item, dict)]


def _decode_again(data: bytes, refusal: str) -> JsonResult:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as wrong:
        return JsonResult(
            None, "encoding", f"not UTF-8 at byte {wrong.start}: {data[wrong.start : wrong.start + 4]!r}"
        )
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
        clean = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except RecursionError:
        return JsonResult(None, "depth", "nested deeper than can be read")
    except json.JSONDecodeError as wrong:
        what, around = wrong.msg.removesuffix(" at"), text[max(0, wrong.pos - 20) : wrong.pos + 10]
        return JsonResult(None, "syntax", f"{what} at character {wrong.pos}, in {around!r}")
    except ValueError as wrong:
        return JsonResult(None, "syntax", str(wrong) if str(wrong) else refusal)
    except OverflowError:
        return JsonResult(None, "syntax", refusal)
    return JsonResult(
        clean, "surrogate" if clean != value else "", "half of a surrogate pair" if clean != value else ""
    )


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def read_instant(value: object) -> datetime | None:
    """The moment that an ISO 8601 time with a zone names; None for anything else."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) and "T" in value else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None
