"""The faults of a whole response: a refusal in its place, changed members, a coding, and where a resume begins."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from typing import Any, ClassVar, Self

from harness.faults.event_stage import edit_payloads
from harness.faults.fault import BareFault, BodyKind, Fault, NamedFault, Stage, Word, require_range, spell_text
from harness.wire import Chunk, Ending, Pause, Piece, StreamProtocol
from harness.wire.bodies import encode_json

OF_STATUS = ("retry-after", "retry-after-ms", "retry-info", "shape", "body")
"""The words that may follow a status."""

_WAIT = re.compile(r"[0-9]{1,6}(\.[0-9]{1,9})?")
_MEMBER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class ErrorShape(StrEnum):
    """The apparent author of the body of a rejection."""

    SERVICE = "service"
    FRONT_END = "front-end"
    LIST = "list"
    SENTENCE = "sentence"
    HTML = "html"


class Status(Fault, frozen=True):
    """An error response in place of the real one; the service never receives the request.

    `retry_info` is a wait in seconds in the body alone, as text with up to nine decimals; `body` is a body
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
            raise ValueError(
                f"retry-info:{self.retry_info} is not a number of seconds: write for example 34.430985"
            )
        if self.shape not in (ErrorShape.FRONT_END, ErrorShape.LIST):
            raise ValueError("retry-info stands in the body of a front end: write shape:front-end or shape:list")

    @classmethod
    def read(cls, word: Word) -> Self:
        code, given = word.number(), dict[str, Word]()
        while word.more and word.more[0].name in OF_STATUS:
            option = word.more.popleft()
            if option.name in given:
                option.fail(f"{option.name} appears twice")
            given[option.name] = option
        waits = {name: given[name].number() for name in ("retry-after", "retry-after-ms") if name in given}
        retry_info = given["retry-info"].value or "" if "retry-info" in given else None
        shape = ErrorShape.SERVICE if retry_info is None else ErrorShape.FRONT_END
        if (named := given.get("shape")) is not None:
            if named.value not in list(ErrorShape):
                named.reject("is not a shape of an error", named.value or "", ErrorShape)
            shape = ErrorShape(named.value)
        body = given["body"].free_text(given["body"].value or "") if "body" in given else None
        return cls(code, waits.get("retry-after"), waits.get("retry-after-ms"), shape, retry_info, body)

    def __str__(self) -> str:
        words = [f"status:{self.code}"]
        words += [] if self.retry_after is None else [f"retry-after:{self.retry_after}"]
        words += [] if self.retry_after_ms is None else [f"retry-after-ms:{self.retry_after_ms}"]
        usual = ErrorShape.SERVICE if self.retry_info is None else ErrorShape.FRONT_END
        words += [] if self.shape is usual else [f"shape:{self.shape}"]
        words += [] if self.retry_info is None else [f"retry-info:{self.retry_info}"]
        words += [] if self.body is None else [f"body:{spell_text(self.body)}"]
        return ",".join(words)


def build_refusal(fault: Status, words: str, protocol: StreamProtocol) -> tuple[str, bytes]:
    """The media type and the body of a refusal; `words` is its message where it has no better one."""
    if fault.body is None:
        return protocol.shaped_error(str(fault.shape), fault.code, words, fault.retry_info)
    start = fault.body.lstrip()[:1]
    media_type = "text/html; charset=utf-8" if start == "<" else "text/plain; charset=utf-8"
    if start in ("{", "["):
        media_type = "application/json"
    return media_type, fault.body.encode("utf-8", "surrogatepass")


class Edit(StrEnum):
    """An operation on a member."""

    STRIP = "strip"
    EMPTY = "empty"


class Reshape(Fault, frozen=True):
    """Each member with this name, at any depth of events and JSON bodies, is missing, or is there and empty."""

    edit: Edit
    member: str

    def __post_init__(self) -> None:
        if _MEMBER.fullmatch(self.member) is None:
            raise ValueError(f"{self.edit}:{self.member} names no member: write for example {self.edit}:usage")

    @classmethod
    def read(cls, word: Word) -> Self:
        return cls(Edit(word.name), word.value or "")

    def __str__(self) -> str:
        return f"{self.edit}:{self.member}"

    def stage(self, body: BodyKind) -> Stage:
        if not body.streams:
            return BodyReshaper(self)
        return edit_payloads(lambda payload: reshape(payload, self))


def reshape(value: Any, fault: Reshape) -> Any:
    """A value without the members that `strip:NAME` names, or with empty ones for `empty:NAME`."""
    if isinstance(value, list):
        return [reshape(item, fault) for item in value]
    if not isinstance(value, dict):
        return value
    if fault.edit is Edit.STRIP:
        return {key: reshape(item, fault) for key, item in value.items() if key != fault.member}
    emptied = value.get(fault.member)  # of the same kind, or null for what has no empty value
    empty = type(emptied)() if isinstance(emptied, str | list | dict) else None
    return {key: empty if key == fault.member else reshape(item, fault) for key, item in value.items()}


class BodyReshaper(Stage):
    """`strip:NAME`, `empty:NAME` in a JSON body, which is held until it is whole."""

    def __init__(self, fault: Reshape) -> None:
        self._fault = fault
        self._held = bytearray()

    def feed(self, piece: Piece) -> list[Piece]:
        """Nothing but pauses until the ending; a body that is no JSON, or ended early, stays as it is."""
        if isinstance(piece, Pause):
            return [piece]
        if isinstance(piece, Chunk):
            self._held += piece.data
            return []
        return [*([Chunk(self._change(piece))] if self._held else []), piece]

    def _change(self, ending: Ending) -> bytes:
        data = bytes(self._held)
        try:
            value = json.loads(data) if ending.complete else None
            changed = reshape(value, self._fault)
        except (ValueError, RecursionError):
            return data
        if changed == value:
            return data
        self.fired = True
        return encode_json(changed, compact=True)


class Coding(StrEnum):
    """The content codings that a fault can apply."""

    GZIP = "gzip"
    DEFLATE = "deflate"


class Compress(NamedFault, frozen=True):
    """`gzip`, `deflate`: the response is compressed, if the client accepts this coding."""

    kinds: ClassVar[type[StrEnum]] = Coding


class Inclusive(BareFault, frozen=True):
    """`inclusive`: a resumed stream begins with the event whose cursor the client sent, which it already has."""
