"""The frames of one run: each event encoded once, shared by all readers.

Layer 2. Knows bytes and cursors. The run decides how many of the frames a reader may have.
"""

from __future__ import annotations

from typing import Any
from weakref import proxy

from harness.emulator.run.event_writer import EventWriter, SharedDeltas
from harness.emulator.run.interaction import Interaction
from harness.wire import Chunk

Json = dict[str, Any]


class Frames:
    """Frames by number. The frame after the last event closes the stream."""

    __slots__ = ("_chunks", "_run", "_writer", "cursors")

    def __init__(self, run: Interaction, writer: EventWriter) -> None:
        # The run holds its frames: held in turn, a run of a megabyte would wait for the garbage collector.
        self._run: Interaction = proxy(run)
        self._writer = writer
        self._chunks: list[Chunk] = []
        self.cursors: list[str | None] = []

    def chunk(self, index: int) -> Chunk:
        """Return frame number `index`."""
        if len(self._chunks) <= index:
            self._encode(index + 1)
        return self._chunks[index]

    def all(self) -> list[Chunk]:
        """Return every frame that can be read now."""
        if self._run.readable:
            self.chunk(self._run.readable - 1)
        return self._chunks

    def interrupting(self) -> Chunk:
        """Return the error event that ends one stream while the run goes on; its id is not a valid cursor."""
        wanted, writer = self._run.script.error_event, self._writer
        assert wanted is not None
        payload = writer.error(wanted.code or "gateway_timeout", wanted.message)
        return Chunk(writer.frame(writer.with_id(payload, f"{self._run.tag}/error=" if wanted.id else None)))

    def _encode(self, count: int) -> None:
        """Encode events until there are `count` frames."""
        chunks, events, writer = self._chunks, self._run.events, self._writer
        marked, last = self._run.event_ids != "none", min(count, len(events))
        while len(chunks) < last:
            index = len(chunks)
            payload = events[index]
            if not marked and (deltas := SharedDeltas.at(events, index)) is not None:
                if not deltas.chunks:  # the first run that needs the frames encodes them
                    deltas.chunks = [Chunk(writer.frame(delta)) for delta in deltas]
                self.cursors += [None] * len(deltas)
                chunks += deltas.chunks
                continue
            cursor = self._cursor(index, payload) if marked else None
            self.cursors.append(cursor)
            chunks.append(Chunk(writer.frame(payload if cursor is None else writer.with_id(payload, cursor))))
        if count > len(events):
            chunks.append(Chunk(writer.encode_done()))

    def _cursor(self, index: int, payload: Json) -> str | None:
        wanted = self._run.script.error_event
        if payload["event_type"] == "error" and wanted is not None and not wanted.id:
            return None
        return self._writer.event_id(self._run, index, payload)
