"""What exercises waited for: the spans of their exchanges, each second counted once."""

from __future__ import annotations

import pytest

from harness.cli import main
from harness.engine.events import ExerciseFinished, ExerciseTimes
from harness.report.collected_run import list_timings, timing_records
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


def test_the_slowest_come_first_with_their_bars() -> None:
    """The longest bar fills its column; what is not shown is summed up; the records keep the order of the run."""
    run = [ExerciseFinished(f"quick_{n}", ExerciseTimes(0.1, 1, 0.1, 0.0, 0.0)) for n in range(20)]
    run.append(ExerciseFinished("a_slow_run", ExerciseTimes(6.0, 4, 1.0, 2.0, 3.0)))
    lines = list(list_timings(run))
    assert lines[0] == "21 exercises, the slowest first:"
    bar = "█" * 5 + "▒" * 10 + "·" * 15
    assert lines[1].split() == ["6.00", "s", bar, "a", "slow", "run", "(4", "requests)"]
    assert "0.60 s  in 6 more" in lines[16]
    assert "█ until the first byte: 3.00 s, ▒ until the end: 2.00 s, · between: 3.00 s" in lines[17]
    assert [one["exercise"] for one in timing_records(run)][-1] == "a_slow_run"


def test_check_prints_the_table_where_it_is_asked_to(capsys: pytest.CaptureFixture[str]) -> None:
    """The option adds the table before the totals."""
    main(["check", "emulator", "-c", "bg.settles", "-v"])
    shown = capsys.readouterr().out
    assert "1 exercise, the slowest first:" in shown
    assert shown.index("until the first byte") < shown.index(" checks in ")
    main(["check", "emulator", "-c", "bg.settles"])
    assert "the slowest first" not in capsys.readouterr().out
