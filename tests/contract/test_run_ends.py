"""Of which kind of plain create no run ever completed."""

from __future__ import annotations

import pytest

from harness.contract.runs import LOOKS, RunEnds
from harness.wire import Exchange
from tests.contract.exchanges import ROOT, exchange

PLAIN = {"model": "m", "input": "hi"}


def create(status: str, number: int = 1, **more: object) -> Exchange:
    """A create and its answer."""
    return exchange(sent={**PLAIN, **more}, body={"id": f"v1_{number}", "status": status, "object": "interaction"})


def got(status: str) -> Exchange:
    """A GET of the first interaction."""
    return exchange("GET", f"{ROOT}/v1_1", body={"id": "v1_1", "status": status, "object": "interaction"})


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ([], ""),
        ([create("failed")], "no run completed: 1 run ended"),
        ([create("failed"), create("failed", 2)], "no run completed: 2 runs ended"),
        ([create("failed"), create("completed", 2)], ""),
        ([create("failed"), create("requires_action", 2)], ""),
        ([create("in_progress", background=True), got("failed")], "no run completed: 1 run ended"),
        ([create("in_progress", background=True), got("in_progress")], ""),
        ([create("in_progress", background=True), got("cancelled")], ""),
        ([create("cancelled", 2, background=True), create("failed", background=True)], "no run completed: 1 run"),
        ([create("in_progress", background=True), got("completed"), got("failed")], ""),
        ([create("failed", background=True), create("completed", 2)], "no background run completed: 1 run ended"),
        ([create("failed", stream=True), create("completed", 2)], "no streamed run completed: 1 run ended"),
        ([create("failed", agent="a")], ""),
        ([create("failed", tools=[])], ""),
        ([create("failed", previous_interaction_id="v1_0")], ""),
        ([create("failed", input=[{"type": "text", "text": "hi"}])], ""),
        ([got("failed")], ""),
        (
            [create("in_progress", background=True), *[got("in_progress")] * LOOKS],
            f"no background run completed: 1 run was looked at {LOOKS} times and more",
        ),
        ([create("in_progress", background=True), *[got("in_progress")] * (LOOKS - 1)], ""),
        ([create("in_progress", background=True), *[got("in_progress")] * LOOKS, got("completed")], ""),
        ([create("in_progress", background=True), *[got("in_progress")] * LOOKS, got("cancelled")], ""),
        (
            [
                create("in_progress", background=True),
                *[got("in_progress")] * LOOKS,
                create("in_progress", 2, background=True),
                create("completed", 2, background=True),
            ],
            "",
        ),
        ([exchange(sent=PLAIN, status=400, body={"error": {"code": "x", "message": "failed"}})], ""),
    ],
)
def test_what_is_said_of_runs_that_only_fail(seen: list[Exchange], said: str) -> None:
    ends = RunEnds()
    for one in seen:
        ends.note(one)
    told = list(ends.describe())
    assert len(told) == bool(said)
    assert "".join(told).startswith(said)
