"""Convert endings and framings to and from the plain mappings in a cassette. Layer 1, pure.

A reader that knows only `how` can still tell whether the body was complete. Default values are omitted.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from harness.errors import FieldError
from harness.outcome.suggest import did_you_mean
from harness.wire import At, By, Chunked, Ending, Framing, How, Length, UntilClose

_Member = TypeVar("_Member", bound=StrEnum)
_FIELDS = ("how", "by", "at", "declared", "sent", "detail", "after_us")


def ending_as_data(ending: Ending, wait: int) -> dict[str, Any]:
    """The value of `x-stream.end`; `wait` is the microseconds between the last piece and the ending."""
    data: dict[str, Any] = {"how": str(ending.how)}
    if ending.by is not By.SERVER:
        data["by"] = str(ending.by)
    if ending.at is not At.IN_BODY:
        data["at"] = str(ending.at)
    for name in ("declared", "sent"):
        if getattr(ending, name) is not None:
            data[name] = getattr(ending, name)
    if ending.detail:
        data["detail"] = ending.detail
    if wait:
        data["after_us"] = wait
    return data


def ending_from_data(data: object) -> tuple[Ending, int]:
    """The ending and its wait in microseconds. Raises FieldError."""
    if not isinstance(data, Mapping):
        raise FieldError(f"end={data!r} is no mapping: write at least `end: {{how: complete}}`", "end")
    refuse_unknown(data, _FIELDS, "end", "end")
    ending = Ending(
        by=_read_member(By, data, "by", By.SERVER),
        how=_read_member(How, data, "how", None),
        at=_read_member(At, data, "at", At.IN_BODY),
        declared=_count(data, "declared", "end"),
        sent=_count(data, "sent", "end"),
        detail=str(data.get("detail", "")),
    )
    return ending, _count(data, "after_us", "end") or 0


def framing_as_data(framing: Framing) -> dict[str, Any]:
    """The value of `x-stream.framing`, and the declared `length` if there is one."""
    if isinstance(framing, Length):
        return {"framing": "length", "length": framing.size}
    return {"framing": "chunked" if isinstance(framing, Chunked) else "close"}


def framing_from_data(data: Mapping[str, Any]) -> Framing:
    """The framing of an `x-stream` mapping. Raises FieldError."""
    kind = data.get("framing")
    if kind == "length":
        size = _count(data, "length")
        if size is None:
            raise FieldError(
                "framing is 'length' but no length is given: write what Content-Length promised", "framing"
            )
        return Length(size)
    if kind not in ("chunked", "close"):
        raise FieldError(f"framing={kind!r} is none of chunked, length, close", "framing")
    return Chunked() if kind == "chunked" else UntilClose()


def _read_member(kind: type[_Member], data: Mapping[str, Any], name: str, default: _Member | None) -> _Member:
    value = data.get(name, default)
    if value not in list(kind):
        raise FieldError(f"end.{name}={value!r} is none of {', '.join(kind)}", "end", name)
    return kind(value)


def _count(data: Mapping[str, Any], name: str, *place: str) -> int | None:
    value = data.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 0):
        message = f"{name}={value!r} is no number of bytes or microseconds: write 0 or more"
        raise FieldError(message, *place, name)
    return value


def refuse_unknown(data: Mapping[str, Any], known: Collection[str], name: str, *place: str) -> None:
    """Raise FieldError for a field of `data`, called `name` and found at `place`, that is not among the known."""
    for field in data:
        if field not in known:
            raise FieldError(f"{name} has no field `{field}`{did_you_mean(str(field), known)}", *place, str(field))
