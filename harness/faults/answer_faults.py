"""Applies the faults of whole answers (`values.answers`): raw text, changed members, the body of a refusal.

Layer 1. Knows events and JSON bodies; must not know services. The content coding is `harness.wire`'s.
"""

from __future__ import annotations

import json
from typing import Any

from harness.faults.event_stage import EventStage
from harness.faults.frame_faults import rewrite
from harness.faults.splitting import Event
from harness.faults.values.answers import Edit, Raw, Reshape, Status
from harness.wire import COMPLETE, Chunk, Ending, Pause, Piece, StreamProtocol
from harness.wire.json_value import encode_json

_JSON = "application/json"


class RawEnder(EventStage):
    """`raw:K+TEXT`."""

    def __init__(self, fault: Raw) -> None:
        super().__init__()
        self._left = fault.after
        self._text = fault.text.encode("utf-8", "surrogatepass")

    def begin(self) -> list[Piece]:
        """The text and the end, for `raw:0`."""
        return self._finish() if self._left == 0 else []

    def event(self, event: Event) -> list[Piece]:
        """The event; after the K-th one, the text and the end."""
        self._left -= 1
        return [Chunk(event.raw), *(self._finish() if self._left == 0 else [])]

    def _finish(self) -> list[Piece]:
        self.fired = True
        return [Chunk(self._text), COMPLETE]


class EventReshaper(EventStage):
    """`strip:NAME`, `empty:NAME` in a stream."""

    def __init__(self, fault: Reshape) -> None:
        super().__init__()
        self._fault = fault

    def event(self, event: Event) -> list[Piece]:
        """The event, without what is to go."""
        payload = event.payload()
        if payload is None:
            return [Chunk(event.raw)]
        changed = _reshape(payload, self._fault)
        if changed == payload:
            return [Chunk(event.raw)]
        self.fired = True
        return [rewrite(event, encode_json(changed, compact=True))]


class BodyReshaper:
    """`strip:NAME`, `empty:NAME` in a JSON body, which is held until it is whole."""

    def __init__(self, fault: Reshape) -> None:
        self._fault = fault
        self._held = bytearray()
        self.fired = False

    def begin(self) -> list[Piece]:
        """Nothing."""
        return []

    def feed(self, piece: Piece) -> list[Piece]:
        """Nothing but pauses until the ending; a body that is no JSON, or broke off, stays as it is."""
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
            changed = _reshape(value, self._fault)
        except (ValueError, RecursionError):
            return data
        if changed == value:
            return data
        self.fired = True
        return encode_json(changed, compact=True)


def build_refusal(fault: Status, words: str, protocol: StreamProtocol) -> tuple[str, bytes]:
    """The media type and the body of a refusal; `words` is its message where it has no better one."""
    if fault.body is not None:
        return _guess_media_type(fault.body), fault.body.encode("utf-8", "surrogatepass")
    return protocol.shaped_error(str(fault.shape), fault.code, words, fault.retry_info)


def _guess_media_type(body: str) -> str:
    start = body.lstrip()[:1]
    if start in ("{", "["):
        return _JSON
    return "text/html; charset=utf-8" if start == "<" else "text/plain; charset=utf-8"


def _reshape(value: Any, fault: Reshape) -> Any:
    if isinstance(value, list):
        return [_reshape(item, fault) for item in value]
    if not isinstance(value, dict):
        return value
    if fault.edit is Edit.STRIP:
        return {key: _reshape(item, fault) for key, item in value.items() if key != fault.member}
    return {key: _empty(item) if key == fault.member else _reshape(item, fault) for key, item in value.items()}


def _empty(value: Any) -> Any:
    """An empty value of the same kind; null for what has none."""
    return type(value)() if isinstance(value, str | list | dict) else None
