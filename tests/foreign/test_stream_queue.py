"""Foreign servers with one queue of output for all streams, and such that are odd but right."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Json, Run

pytestmark = pytest.mark.slow


class SharesOneQueue(ForeignService):
    """Every run puts its events into one queue, and every open stream takes from it what comes next."""

    def __init__(self) -> None:
        super().__init__()
        self.output: queue.Queue[Any] = queue.Queue()

    def create(self, body: Json) -> Any:
        answer = super().create(body)
        if not body.get("stream"):
            return answer
        return self.stream(list(answer))

    def stream(self, events: list[Any]) -> Iterator[Any]:
        """Take events until one is an end, while a thread puts those of this run."""
        threading.Thread(target=self.put, args=(events,)).start()
        ended = False
        try:
            while not ended:
                due, event = self.output.get()
                ended = event["event_type"] == "interaction.completed"
                yield due, event
        finally:
            while not ended:  # whoever hangs up leaves nothing to others
                ended = self.output.get()[1]["event_type"] == "interaction.completed"

    def put(self, events: list[Any]) -> None:
        """Put events, at the pace of a model."""
        for event in events:
            self.output.put(event)
            time.sleep(0.01)


class StreamsInTurn(SharesOneQueue):
    """Correct, but odd: one queue for all, into which a run puts its events when the one before is through."""

    def __init__(self) -> None:
        super().__init__()
        self.turn = threading.Lock()

    def stream(self, events: list[Any]) -> Iterator[Any]:
        with self.turn:
            yield from super().stream(events)


class LeavesStepsOpen(ForeignService):
    """Streams keep apart, and none of them stops its step."""

    def events(self, run: Run) -> Iterator[tuple[float, Json]]:
        return (event for event in super().events(run) if event[1]["event_type"] != "step.stop")


GLOBS = ("stream.*", "rob.concurrent-streams", "create.format-streamed", "resume.*")


@pytest.mark.parametrize("jobs", [1, 8])
def test_mixed_streams_are_the_one_reason(jobs: int, capsys: pytest.CaptureFixture[str]) -> None:
    """What the order of one stream suffers from the events of another is blocked by that."""
    report = check(SharesOneQueue(), *GLOBS, words=("-j", str(jobs)))
    assert (report.exit, report.faults) == (1, {"rob.concurrent-streams": "fail"})
    assert set(report.codes["rob.concurrent-streams"]) == {"rob.concurrent-streams/mixed"}
    assert "(1 cause: rob.concurrent-streams/mixed)" in capsys.readouterr().out


@pytest.mark.parametrize("jobs", [1, 8])
@pytest.mark.parametrize(
    ("kind", "faults"), [(StreamsInTurn, {}), (LeavesStepsOpen, {"stream.stop-once": "fail"})]
)
def test_streams_that_keep_apart_are_not_said_to_mix(
    kind: type[ForeignService], faults: dict[str, str], jobs: int
) -> None:
    """Neither a queue in itself nor what a stream alone gets wrong, too, is a mixture."""
    assert check(kind(), *GLOBS, words=("-j", str(jobs))).faults == faults
