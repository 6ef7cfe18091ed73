"""What exercises waited for: the spans of their exchanges, each second counted once."""

from __future__ import annotations

import pytest

from harness.engine.events import ExerciseFinished, ExerciseTimes
from harness.report.collected_run import timing_records
from harness.wire import COMPLETE, Chunk, Exchange, ExchangeBuilder, Headers, Request, UntilClose


def spent(began: float, first: float, seconds: float) -> Exchange:
    """An exchange that began then, had its first byte after `first` and its last after `seconds`."""
    builder = ExchangeBuilder(Request("GET", "/v1beta/interactions/a"), began=began)
    builder.head(200, Headers(), UntilClose())
    if first < seconds:
        builder.chunk(Chunk(b"{"), first)
        builder.chunk(Chunk(b"}"), seconds)
    return builder.finish(COMPLETE, seconds)


@pytest.mark.parametrize(
    ("trail", "seconds", "times"),
    [
        ([], 0.5, (0.5, 0, 0.0, 0.0, 0.5)),
        ([spent(10, 1, 3)], 4.0, (4.0, 1, 1.0, 2.0, 1.0)),
        ([spent(10, 1, 3), spent(15, 2, 2)], 7.0, (7.0, 2, 3.0, 2.0, 2.0)),
        ([spent(10, 1, 3), spent(10, 2, 4)], 4.0, (4.0, 2, 2.0, 2.0, 0.0)),
        ([spent(12, 1, 2), spent(10, 1, 5)], 5.0, (5.0, 2, 2.0, 3.0, 0.0)),
        ([spent(0, 30, 30)], 0.1, (30.0, 1, 30.0, 0.0, 0.0)),
    ],
    ids=["nothing", "one", "a pause", "two at a time", "one within another", "virtual time"],
)
def test_each_second_is_counted_once(trail: list[Exchange], seconds: float, times: tuple[float, ...]) -> None:
    """Requests that were under way at the same time share their seconds."""
    measured = ExerciseTimes.of(trail, seconds)
    assert measured == ExerciseTimes(times[0], int(times[1]), *times[2:])


def test_the_records_keep_the_order_of_the_run() -> None:
    """Each exercise has a record, in the order in which they ended."""
    run = [ExerciseFinished(f"quick_{n}", ExerciseTimes(0.1, 1, 0.1, 0.0, 0.0)) for n in range(2)]
    run.append(ExerciseFinished("a_slow_run", ExerciseTimes(6.0, 4, 1.0, 2.0, 3.0)))
    assert timing_records(run)[2] == {
        "exercise": "a_slow_run", "requests": 4, "seconds": 6.0, "first_byte": 1.0, "body": 2.0, "between": 3.0,
    }  # fmt: skip
