"""Streaming responses over runs: where a reader begins, and which headers and body the response has.

Layer 2. Source: the OpenAPI text on `last_event_id` (the stream continues after the marked event); the setting
`resume` imitates implementations that repeat that event. Mutants override the position of a cursor, the headers or
the body.
"""

from __future__ import annotations

from threading import RLock

from harness.emulator.run.run import Run, RunContext
from harness.emulator.run.stream_body import Regrouped, StreamBody, StreamPauses, replay
from harness.emulator.values.call import invalid
from harness.wire import Body, Chunked, Headers, Response
from harness.wire.message import EVENT_STREAM

STREAM_HEADERS = Headers((("content-type", EVENT_STREAM),))


class Streams:
    """Builds the streaming responses of one engine."""

    def __init__(self, world: RunContext, lock: RLock) -> None:
        self._world = world
        self._lock = lock

    def open(self, run: Run, cursor: str | None = None) -> Response:
        """Stream all events of a run, or those from a cursor on. Raises Refusal 400 for an unknown cursor."""
        position = self.position(run, cursor)
        body = self.body(run, position)
        chunking = self._world.settings.chunking
        if chunking != "event":
            body = Regrouped(body, chunking if isinstance(chunking, int) else None)
        return Response(200, self.headers(), Chunked(), body)

    def headers(self) -> Headers:
        """Return the headers of every stream; recordings show no charset."""
        return STREAM_HEADERS

    def body(self, run: Run, position: int) -> Body:
        """Return a live reader, or a plain replay if the run has settled and no interruption is due."""
        if run.settled and run.interruption is None:
            return replay(run, position)
        return StreamBody(run, position, self.waiting(run), self._lock)

    def waiting(self, run: Run) -> StreamPauses:
        """Return the pauses of a new reader."""
        return StreamPauses(run, self._world.clock, run.pace)

    def position(self, run: Run, cursor: str | None) -> int:
        """Return the number of the first frame for a reader with this cursor."""
        if not cursor or self._world.settings.resume == "start":
            return 0
        return self.after(self.find_event(run, cursor))

    def find_event(self, run: Run, cursor: str) -> int:
        """Return the number of the event with this cursor, among those that have happened. Raises Refusal 400."""
        run.frames.all()
        try:
            return run.frames.cursors.index(cursor)
        except ValueError:
            raise invalid(
                f"last_event_id '{cursor[:100]}' is not the event_id of any event of this interaction so far."
            ) from None

    def after(self, event: int) -> int:
        """Return the number of the first frame for a reader whose cursor is event number `event`."""
        return event if self._world.settings.resume == "inclusive" else event + 1
