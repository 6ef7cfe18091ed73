"""Mutants: several readers of a run in progress."""

from __future__ import annotations

from itertools import chain
from typing import Any

from harness.emulator.engine import Engine
from harness.emulator.mutants.mutant import Area
from harness.emulator.run.run import Run
from harness.emulator.run.stream_body import Reader
from harness.emulator.run.stream_response import Streams
from harness.emulator.values.call import Call, Refusal
from harness.wire import COMPLETE, Body, Piece, PieceBody, Response

READERS = Area("readers")


@READERS.mutant("second-reader-steals")
class _SecondReaderSteals(Streams):
    """Two readers of a run in progress share its events: each gets only those the other has not taken."""

    def __init__(self, *args: Any) -> None:
        self.taken: dict[str, int] = {}
        super().__init__(*args)

    def body(self, run: Run, position: int) -> Body:
        if run.settled:
            return super().body(run, position)
        return _Thief(self.taken, run, position, self.waiting(run), self._lock)


@READERS.mutant("second-reader-refused")
class _SecondReaderRefused(Engine):
    """A run in progress accepts only one reader."""

    def __init__(self, *args: Any) -> None:
        self.read: set[str] = set()
        super().__init__(*args)

    def get(self, call: Call, interaction_id: str) -> Response:
        run = self.existing(interaction_id, call.project)
        if call.query.get("stream") == "true" and not run.settled:
            if run.id in self.read:
                raise Refusal(409, "aborted", "Somebody reads it already.")
            self.read.add(run.id)
        return super().get(call, interaction_id)


@READERS.mutant("running-stream-stops")
class _RunningStreamStops(Streams):
    """A stream of a run in progress ends after the events so far."""

    def body(self, run: Run, position: int) -> Body:
        if run.settled:
            return super().body(run, position)
        return PieceBody(chain((run.frames.chunk(index) for index in range(position, run.readable)), (COMPLETE,)))


@READERS.mutant("running-resume-from-now")
class _RunningResumeFromNow(Streams):
    """A reader that resumes the stream of a run in progress gets only the events from then on."""

    def position(self, run: Run, cursor: str | None) -> int:
        position = super().position(run, cursor)
        return max(position, run.readable) if cursor and not run.settled else position


class _Thief(Reader):
    """Takes events away from the other readers of its run; `taken` maps a run's id to how many are gone."""

    def __init__(self, taken: dict[str, int], *args: Any) -> None:
        self.taken = taken
        super().__init__(*args)

    def _take(self) -> Piece:
        self._position = max(self._position, self.taken.get(self._run.id, 0))
        piece = super()._take()
        self.taken[self._run.id] = self._position
        return piece
