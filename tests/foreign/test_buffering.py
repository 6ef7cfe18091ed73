"""A proxy that holds streams back, one that does not, and a server that is merely quick."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Json, Run


class HoldsBack(ForeignService):
    """Behind a proxy that hands a stream on when it is over."""

    lasts = 1.2

    def events(self, run: Run) -> Iterator[tuple[float, Json]]:
        yield from ((run.lasts, event) for _, event in super().events(run))


class HoldsBackBehindComments(HoldsBack):
    """The proxy sends comments while it waits."""

    def encode(self, event: Json) -> bytes:
        return b": waiting\n\n" + super().encode(event)


class BeginsLate(ForeignService):
    """Correct, but odd: nothing comes in the first third of the run."""

    lasts = 1.5

    def events(self, run: Run) -> Iterator[tuple[float, Json]]:
        yield from ((max(due, run.lasts / 3), event) for due, event in super().events(run))


class StallsOnce(ForeignService):
    """Correct, but odd: the machine had no time for one stream, all of which came late at once."""

    stalled = False

    def events(self, run: Run) -> Iterator[tuple[float, Json]]:
        late = 1.2 if run.body.get("background") and not self.stalled else 0.0
        self.stalled = self.stalled or late > 0
        yield from ((max(due, late), event) for due, event in super().events(run))


class Quick(ForeignService):
    """Its runs are over at once, and their events come together."""

    lasts = 0.0


@pytest.mark.parametrize(
    ("service", "verdict"),
    [
        (HoldsBack(), "warn"),
        (HoldsBackBehindComments(), "warn"),
        (BeginsLate(), "pass"),
        (StallsOnce(), "pass"),
        (Quick(), "untestable"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, ForeignService) else "",
)
def test_only_a_stream_that_is_held_back_is_said_to_be(service: ForeignService, verdict: str) -> None:
    """The time of the first event is compared with that of the last, on a run that lasts."""
    report = check(service, "stream.incremental")
    assert report.verdicts == {"stream.incremental": verdict}
