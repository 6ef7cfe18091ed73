"""Parses JSON as strictly as RFC 8259, and never raises, whatever a target sent.

Msgspec parses. What it rejects is parsed again with the standard library, so that the reason is exact and a value
that is merely odd (half a surrogate pair, a huge number) can still be judged. A time in a body is an instant: two
are equal if they are the same moment, however they are written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

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
        return _look_again(data, str(refusal))


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


def _look_again(data: bytes, refusal: str) -> JsonResult:
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
