"""Foreign servers whose runs never settle: that is said once, and does not cost the whole time of every check."""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any

import pytest

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Json, Run

TIMEOUT = 4.0


class NeverSettles(ForeignService):
    """A background run goes on for ever, unless it is cancelled; it remembers when each run was looked at."""

    lasts = 1e6

    def __init__(self) -> None:
        super().__init__()
        self.looks: dict[str, list[float]] = defaultdict(list)

    def get(self, run: Run, query: Json) -> Any:
        self.looks[run.id].append(time.monotonic())
        return super().get(run, query)

    @property
    def longest(self) -> list[float]:
        """The seconds for which each run was looked at, the longest first."""
        return sorted((looks[-1] - looks[0] for looks in self.looks.values()), reverse=True)


@pytest.mark.slow
def test_the_stream_of_a_run_that_never_begins_is_left() -> None:
    """It is no stream to judge; the others are judged, and what never settles is told by polling."""
    report = check(NeverSettles(), "bg.settles", "stream.first", "stream.done", words=("--timeout", str(TIMEOUT)))
    assert report.faults == {"bg.settles": "warn"}
    assert report.verdicts["stream.first"] == report.verdicts["stream.done"] == "pass"


@pytest.mark.slow
def test_one_run_is_waited_for_and_the_others_less() -> None:
    """The check of settling waits as long as the user allows, the others a part of that."""
    service = NeverSettles()
    words = ("-j", "1", "--timeout", str(TIMEOUT), "--capability", "-stream")
    report = check(service, "bg.*", "cancel.keeps*", words=words)
    assert report.faults == {"bg.settles": "warn"}
    first, *others = service.longest
    assert first > 0.9 * TIMEOUT
    assert sum(seconds > 1.0 for seconds in others) >= 1
    assert all(seconds < 0.9 * TIMEOUT for seconds in others)


class Slow(ForeignService):
    """Odd, but right: runs take a while, and whoever waits looks often."""

    lasts = 2.0


@pytest.mark.slow
@pytest.mark.parametrize(("service", "code"), [(NeverSettles(), 4), (Slow(), 0)])
def test_background_runs_that_never_end_are_not_green(service: ForeignService, code: int) -> None:
    """A warning alone would leave the run green, though nobody saw the result of any background run."""
    report = check(service, "bg.*", words=("--timeout", str(TIMEOUT), "--capability", "-stream"))
    assert (report.exit, report.verdicts["bg.settles"]) == (code, "pass" if code == 0 else "warn")
