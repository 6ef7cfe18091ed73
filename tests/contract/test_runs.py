"""Of which kind of plain create no run ever completed."""

from __future__ import annotations

from harness.contract.judge.history.run_judge import GETS, RunEnds
from harness.wire import Exchange
from tests.contract.exchanges import ROOT, exchange
from tests.in_one_test import in_one_test

PLAIN = {"model": "m", "input": "hi"}


def ask_for(status: str, number: int = 1, **more: object) -> Exchange:
    """A create and its answer."""
    return exchange(sent={**PLAIN, **more}, body={"id": f"v1_{number}", "status": status, "object": "interaction"})


def got(status: str, number: int = 1) -> Exchange:
    """A GET of an interaction."""
    name = f"v1_{number}"
    return exchange("GET", f"{ROOT}/{name}", body={"id": name, "status": status, "object": "interaction"})


def stuck(number: int, **more: object) -> list[Exchange]:
    """A background run that does not end."""
    return [ask_for("in_progress", number, background=True, **more), *[got("in_progress", number)] * GETS]


ENDED = [ask_for("in_progress", background=True), got("completed")]


@in_one_test(
    [
        ([], ""),
        ([ask_for("failed")], "no run completed: 1 run ended"),
        ([ask_for("failed"), ask_for("failed", 2)], "no run completed: 2 runs ended"),
        ([ask_for("failed"), ask_for("completed", 2)], ""),
        ([ask_for("failed"), ask_for("requires_action", 2)], ""),
        ([ask_for("in_progress", background=True), got("failed")], "no run completed: 1 run ended"),
        ([ask_for("in_progress", background=True), got("in_progress")], ""),
        ([ask_for("in_progress", background=True), got("cancelled")], ""),
        (
            [ask_for("cancelled", 2, background=True), ask_for("failed", background=True)],
            "no run completed: 1 run",
        ),
        ([ask_for("in_progress", background=True), got("completed"), got("failed")], ""),
        (
            [ask_for("failed", background=True), ask_for("completed", 2)],
            "no background run completed: 1 run ended",
        ),
        ([ask_for("failed", stream=True), ask_for("completed", 2)], "no streamed run completed: 1 run ended"),
        ([ask_for("failed", agent="a")], ""),
        ([ask_for("failed", tools=[])], ""),
        ([ask_for("failed", previous_interaction_id="v1_0")], ""),
        ([ask_for("failed", input=[{"type": "text", "text": "hi"}])], ""),
        ([got("failed")], ""),
        (
            [ask_for("in_progress", background=True), *[got("in_progress")] * GETS],
            f"no background run completed: 1 run was looked at {GETS} times and more",
        ),
        ([ask_for("in_progress", background=True), *[got("in_progress")] * (GETS - 1)], ""),
        ([ask_for("in_progress", background=True), *[got("in_progress")] * GETS, got("completed")], ""),
        ([ask_for("in_progress", background=True), *[got("in_progress")] * GETS, got("cancelled")], ""),
        (
            [
                ask_for("in_progress", background=True),
                *[got("in_progress")] * GETS,
                ask_for("in_progress", 2, background=True),
                ask_for("completed", 2, background=True),
            ],
            "",
        ),
        # A pool of workers gets none back: one that is slow shows nothing, nor do those that others overtook.
        (
            [*ENDED, *stuck(2), ask_for("completed", 8), *stuck(3), *stuck(4), got("cancelled", 4)],
            f"no background run completed any more (canceled: 1): 2 runs were looked at {GETS} times and more",
        ),
        ([*ENDED, *stuck(2)], ""),
        ([*ENDED, *stuck(2, previous_interaction_id="v1_1")], "no chained background run completed: 1 run was"),
        ([*ENDED, *stuck(2, previous_interaction_id="v1_1"), got("completed", 2)], ""),
        ([*ENDED, *stuck(2, previous_interaction_id="v1_1"), got("failed", 2)], ""),
        ([*ENDED, *stuck(2, tools=[])], ""),
        ([*ENDED, *stuck(2), ask_for("completed", 3, background=True), *stuck(4)], ""),
        ([*ENDED, *stuck(2), *stuck(3), got("cancelled", 3)], ""),
        ([exchange(sent=PLAIN, status=400, body={"error": {"code": "x", "message": "failed"}})], ""),
    ]
)
def test_what_is_said_of_runs_that_only_fail(seen: list[Exchange], said: str) -> None:
    ends = RunEnds()
    for one in seen:
        ends.note(one)
    told = list(ends.describe())
    assert len(told) == bool(said)
    assert "".join(told).startswith(said)
