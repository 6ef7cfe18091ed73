"""Reads bytes that may or may not be JSON, and finds the values that later requests repeat.

As lenient as the standard library; never raises, whatever the bytes. The contract judges whether they are good
JSON.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote, unquote

import msgspec
from msgspec import Struct

from harness.wire.exchange import Exchange
from harness.wire.message import Request

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
