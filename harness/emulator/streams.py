"""Opens streams over runs: where a reader begins, and what the answer looks like.

Layer 2. Source: the OpenAPI text on `last_event_id` (the stream goes on after the marked event); the setting
`resume` serves implementations that repeat it. Seams: the position of a cursor, the headers, the body.
"""

from __future__ import annotations

from threading import RLock

from harness.emulator.call import invalid
from harness.emulator.reader import Reader, Regrouped, Waiting, replay
from harness.emulator.run import Run, World
from harness.wire import Body, Chunked, Headers, Response
from harness.wire.message import EVENT_STREAM

STREAM_HEADERS = Headers((("content-type", EVENT_STREAM),))


class Streams:
    """Makes streaming answers of one engine."""

    def __init__(self, world: World, lock: RLock) -> None:
        self._world = world
        self._lock = lock

    def open(self, run: Run, cursor: str | None = None) -> Response:
        """The events of a run: all, or the rest from a cursor. Raises Refusal 400 for a cursor it never gave."""
        position = self.position(run, cursor)
        body = self.body(run, position)
        chunking = self._world.settings.chunking
        if chunking != "event":
            body = Regrouped(body, chunking if isinstance(chunking, int) else None)
        return Response(200, self.headers(), Chunked(), body)

    def headers(self) -> Headers:
        """Those of every stream; recordings show no charset."""
        return STREAM_HEADERS

    def body(self, run: Run, position: int) -> Body:
        """A reader; over a settled run with nothing special a plain replay."""
        if run.settled and run.interruption is None:
            return replay(run, position)
        return Reader(run, position, self.waiting(run), self._lock)

    def waiting(self, run: Run) -> Waiting:
        """The pauses of a new reader."""
        return Waiting(run, self._world.clock, self._world.settings.pace)

    def position(self, run: Run, cursor: str | None) -> int:
        """The first frame for a reader with this cursor."""
        if not cursor:
            return 0
        return self.after(self.found(run, cursor))

    def found(self, run: Run, cursor: str) -> int:
        """The number of the event with this cursor, among those that happened."""
        run.frames.all()
        try:
            return run.frames.cursors.index(cursor)
        except ValueError:
            raise invalid(
                f"last_event_id '{cursor[:100]}' is not the event_id of any event of this interaction so far."
            ) from None

    def after(self, event: int) -> int:
        """Where a reader begins that has seen event number `event`."""
        return event if self._world.settings.resume == "inclusive" else event + 1
