"""Faults of whole answers as values: refusals, raw text after the events, changed members, content codings.

Layer 1. `service` and `answer_faults` apply them. `str` of every value is its spelling in the grammar, where a
text of one's own is percent-encoded, so that no character of it means anything there or in a shell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote

from harness.faults.values.ranges import require_range

_WAIT = re.compile(r"[0-9]{1,6}(\.[0-9]{1,9})?")
_MEMBER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class ErrorShape(StrEnum):
    """Who seems to have written the body of a refusal."""

    SERVICE = "service"
    FRONT_END = "front-end"
    LIST = "list"
    SENTENCE = "sentence"
    HTML = "html"


@dataclass(frozen=True, slots=True)
class Status:
    """An error response in place of the real one; the service never receives the request.

    `retry_info` is a wait in seconds that only the body tells, as text with up to nine decimals; `body` is a body
    of one's own in place of `shape`.
    """

    code: int
    retry_after: int | None = None
    retry_after_ms: int | None = None
    shape: ErrorShape = ErrorShape.SERVICE
    retry_info: str | None = None
    body: str | None = None

    def __post_init__(self) -> None:
        require_range("a status", self.code, least=400, most=600)
        require_range("retry-after", self.retry_after or 0)
        require_range("retry-after-ms", self.retry_after_ms or 0)
        if self.body is not None and (self.shape is not ErrorShape.SERVICE or self.retry_info is not None):
            raise ValueError("a body of one's own is the whole body: leave out shape and retry-info")
        if self.retry_info is None:
            return
        if _WAIT.fullmatch(self.retry_info) is None:
            raise ValueError(f"retry-info:{self.retry_info} is no number of seconds: write for example 34.430985")
        if self.shape not in (ErrorShape.FRONT_END, ErrorShape.LIST):
            raise ValueError("retry-info stands in the body of a front end: write shape:front-end or shape:list")

    def __str__(self) -> str:
        words = [f"status:{self.code}"]
        words += [] if self.retry_after is None else [f"retry-after:{self.retry_after}"]
        words += [] if self.retry_after_ms is None else [f"retry-after-ms:{self.retry_after_ms}"]
        told = ErrorShape.SERVICE if self.retry_info is None else ErrorShape.FRONT_END
        words += [] if self.shape is told else [f"shape:{self.shape}"]
        words += [] if self.retry_info is None else [f"retry-info:{self.retry_info}"]
        words += [] if self.body is None else [f"body:{spell_text(self.body)}"]
        return ",".join(words)


@dataclass(frozen=True, slots=True)
class Raw:
    """After `after` events `text` comes as it is, outside the framing, and the stream ends in order."""

    after: int
    text: str

    def __post_init__(self) -> None:
        require_range("raw", self.after)
        if not self.text:
            raise ValueError(f"raw:{self.after} has no text: write for example raw:{self.after}+Bad%20gateway")

    def __str__(self) -> str:
        return f"raw:{self.after}+{spell_text(self.text)}"


class Edit(StrEnum):
    """What can be done to a member."""

    STRIP = "strip"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Reshape:
    """Each member with this name, at any depth of events and JSON bodies, is missing, or is there and empty."""

    edit: Edit
    member: str

    def __post_init__(self) -> None:
        if _MEMBER.fullmatch(self.member) is None:
            raise ValueError(f"{self.edit}:{self.member} names no member: write for example {self.edit}:usage")

    def __str__(self) -> str:
        return f"{self.edit}:{self.member}"


class Coding(StrEnum):
    """The content codings."""

    GZIP = "gzip"
    DEFLATE = "deflate"


@dataclass(frozen=True, slots=True)
class Compress:
    """The answer is compressed, if the client accepts this coding."""

    coding: Coding

    def __str__(self) -> str:
        return str(self.coding)


def spell_text(text: str) -> str:
    """A text of one's own in the grammar."""
    return quote(text, safe="", errors="surrogatepass")
