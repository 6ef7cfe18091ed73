"""The frames of one run: each event encoded once, shared by all readers.

Layer 2. Knows bytes and cursors; how many of the frames a reader may have is the run's to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.wire import Chunk

if TYPE_CHECKING:
    from harness.emulator.run import Run

Json = dict[str, Any]


class Frames:
    """Frames by number; the one after the last event closes the stream."""

    __slots__ = ("_chunks", "_run", "cursors")

    def __init__(self, run: Run) -> None:
        self._run = run
        self._chunks: list[Chunk] = []
        self.cursors: list[str | None] = []

    def chunk(self, index: int) -> Chunk:
        """Frame number `index`."""
        while len(self._chunks) <= index:
            self._encode_next()
        return self._chunks[index]

    def all(self) -> list[Chunk]:
        """Every frame that can be read now."""
        if self._run.readable:
            self.chunk(self._run.readable - 1)
        return self._chunks

    def interrupting(self) -> Chunk:
        """The error event that ends one stream while the run goes on; its id is no cursor of the run."""
        wanted, writer = self._run.script.error_event, self._run.writer
        assert wanted is not None
        payload = writer.error(wanted.code or "gateway_timeout", wanted.message)
        return Chunk(writer.frame(writer.with_id(payload, f"{self._run.tag}/error=" if wanted.id else None)))

    def _encode_next(self) -> None:
        index, events, writer = len(self._chunks), self._run.events, self._run.writer
        if index >= len(events):
            self._chunks.append(Chunk(writer.done()))
            return
        cursor = self._cursor(index, events[index])
        self.cursors.append(cursor)
        self._chunks.append(Chunk(writer.frame(writer.with_id(events[index], cursor))))

    def _cursor(self, index: int, payload: Json) -> str | None:
        wanted = self._run.script.error_event
        if payload["event_type"] == "error" and wanted is not None and not wanted.id:
            return None
        return self._run.writer.event_id(self._run, index, payload)
