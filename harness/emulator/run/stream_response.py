"""Streaming responses over runs: where a reader begins, its headers, and the body that delivers the events.

One reader per response, all reading the same frames. A reader returns the frames that are ready, pauses for a
tick, and looks again. Pulling a piece does not move a run; finishing a pause does. While a run is held, its
readers pause for longer and longer (up to 25 ticks or steps of `pace`), so that a socket carrier does not spin; an
in-process carrier stops such a reader at its own limit on pauses without data. Source: the OpenAPI text on
`last_event_id` (the stream continues after the marked event); the setting `resume` imitates implementations that
repeat that event. Mutants override the position of a cursor, the headers or the body.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import RLock

from harness.emulator.run.run import Run, RunContext
from harness.emulator.values.call import invalid
from harness.wire import COMPLETE, Body, Chunk, Chunked, Clock, Headers, Pause, Piece, Response
from harness.wire.message import EVENT_STREAM, ReadyBody, WrappedBody


class StreamPauses:
    """The pauses of one reader of one run."""

    def __init__(self, run: Run, clock: Clock, pace: float | None) -> None:
        self._run = run
        self._step = pace or clock.tick_seconds
        self._mark: int | None = None
        self._idle = 0

    def finish(self) -> None:
        """End the pause that was begun, if any."""
        if self._mark is not None:
            mark, self._mark = self._mark, None
            self._run.pause_finished(mark)

    def begin(self) -> Pause:
        """Begin a pause, after which the run may have moved."""
        self._mark = self._run.moves
        self._idle = self._idle + 1 if self._run.held else 0
        if not self._idle and (due := self._run.until_due()) is not None:
            return Pause(due)
        return Pause(self._step * min(2 ** max(self._idle - 1, 0), 25))


class LiveBody:
    """The body of a run that may still be in progress; subclasses produce its pieces."""

    def __init__(self, run: Run, waiting: StreamPauses, lock: RLock) -> None:
        self._run = run
        self._waiting = waiting
        self._lock = lock
        self._over = False

    def __iter__(self) -> Iterator[Piece]:
        return self

    def __next__(self) -> Piece:
        with self._lock:
            if self._over:
                raise StopIteration
            self._waiting.finish()
            return self._take()

    def _take(self) -> Piece:
        """Return the next piece, or a pause; the caller holds the lock."""
        raise NotImplementedError

    def close(self) -> None:
        self._over = True


class StreamBody(LiveBody):
    """Delivers the events of a run from frame `position` to its end, as they happen."""

    def __init__(self, run: Run, position: int, waiting: StreamPauses, lock: RLock) -> None:
        super().__init__(run, waiting, lock)
        self._position = position
        self._broken = False

    def _take(self) -> Piece:
        run = self._run
        if self._broken:
            self._over = True
            return COMPLETE
        if run.interruption is not None and run.interruption <= self._position:
            return self._interrupt()
        if self._position < run.readable:
            self._position += 1
            chunk: Chunk = run.frames.chunk(self._position - 1)
            return chunk
        if run.settled:
            self._over = True
            return COMPLETE
        return self._waiting.begin()

    def _interrupt(self) -> Piece:
        """End this stream with the error event; other streams, and this client's next one, do not get it."""
        self._broken = True
        self._run.interruption = None
        chunk: Chunk = self._run.frames.interrupting()
        return chunk


class HeldBody(LiveBody):
    """The body of a JSON response that waits until a held run has settled."""

    def __init__(self, run: Run, waiting: StreamPauses, lock: RLock, render: Callable[[], bytes]) -> None:
        super().__init__(run, waiting, lock)
        self._render: Callable[[], bytes] | None = render

    def _take(self) -> Piece:
        if not self._run.settled:
            return self._waiting.begin()
        render, self._render = self._render, None
        self._over = render is None
        return Chunk(render()) if render is not None else COMPLETE


class Regrouped(WrappedBody):
    """A body with other chunks: all bytes that are ready in one chunk or, with `size`, chunks of that size."""

    def __init__(self, body: Body, size: int | None) -> None:
        super().__init__(body)
        self._size = size
        self._held = bytearray()
        self._next: Piece | None = None

    def __next__(self) -> Piece:
        while self._next is None and (self._size is None or len(self._held) < self._size):
            piece = next(self._inner)
            if isinstance(piece, Chunk):
                self._held += piece.data
            else:
                self._next = piece
        if self._held:
            data = bytes(self._held[: self._size])
            del self._held[: len(data)]
            return Chunk(data)
        piece, self._next = self._next or COMPLETE, None
        return piece

    def close(self) -> None:
        self._held.clear()
        super().close()


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
            return ReadyBody(run.frames.all(), position)  # all of it is final, so no lock is needed
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
        cursors: list[str | None] = run.frames.cursors
        try:
            return cursors.index(cursor)
        except ValueError:
            raise invalid(
                f"last_event_id '{cursor[:100]}' is not the event_id of any event of this interaction so far."
            ) from None

    def after(self, event: int) -> int:
        """Return the number of the first frame for a reader whose cursor is event number `event`."""
        return event if self._world.settings.resume == "inclusive" else event + 1
