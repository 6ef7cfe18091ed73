"""Triggers follow their schedule in logical time, and webhooks hear of the runs."""

from __future__ import annotations

from typing import Any

import pytest

from harness.plugin.interactions.emulator import InteractionsEmulator
from harness.plugin.interactions.webhooks import WebhooksFixture

RUN = {"agent": "antigravity-preview-09-2026", "input": "Go.", "environment": "remote", "background": True}


class Scheduled:
    """An emulator with a trigger that runs every ten minutes."""

    def __init__(self) -> None:
        self.emulator = InteractionsEmulator()
        body = {"schedule": "*/10 * * * *", "time_zone": "UTC", "interaction": RUN}
        self.path = f"triggers/{self.emulator.call('POST', 'triggers', body)['id']}"

    def pass_seconds(self, seconds: float) -> None:
        """Let logical time pass."""
        self.emulator.clock.reached(self.emulator.clock.now + seconds)

    @property
    def executions(self) -> list[dict[str, Any]]:
        """The runs so far."""
        runs: list[dict[str, Any]] = self.emulator.call("GET", f"{self.path}/executions").get(
            "trigger_executions", []
        )
        return runs

    def change(self, status: str) -> None:
        """Pause or resume it."""
        self.emulator.call("PATCH", self.path, {"status": status})


@pytest.fixture
def scheduled() -> Scheduled:
    """A trigger that has just been made."""
    return Scheduled()


def test_a_run_starts_when_it_is_due(scheduled: Scheduled) -> None:
    """Not before; it names its interaction and the time for which it was scheduled."""
    scheduled.pass_seconds(599)
    assert scheduled.executions == []
    scheduled.pass_seconds(1)
    (run,) = scheduled.executions
    assert run["scheduled_time"] == "2026-06-09T00:10:00Z"
    assert scheduled.emulator.look(run["interaction_id"]) is not None
    assert len(scheduled.executions) == 1


def test_of_missed_runs_only_the_latest_is_made(scheduled: Scheduled) -> None:
    """However many were missed, and however long ago."""
    scheduled.pass_seconds(30 * 86_400 + 65 * 60)
    assert [run["scheduled_time"] for run in scheduled.executions] == ["2026-07-09T01:00:00Z"]


def test_a_paused_trigger_misses_its_runs(scheduled: Scheduled) -> None:
    """What was due while it was paused is not made up."""
    scheduled.change("paused")
    scheduled.pass_seconds(3600)
    scheduled.change("active")
    assert scheduled.executions == []
    scheduled.pass_seconds(600)
    assert len(scheduled.executions) == 1


def test_a_webhook_hears_of_a_scheduled_run(scheduled: Scheduled) -> None:
    """Nobody asks for anything: the next run comes, ends and is delivered."""
    hooks = WebhooksFixture(scheduled.emulator)
    hooks.register("interaction.completed")
    delivery = hooks.wait("interaction.completed")
    assert delivery.interaction_id == scheduled.executions[0]["interaction_id"]
    assert 600 <= delivery.moment < 700
