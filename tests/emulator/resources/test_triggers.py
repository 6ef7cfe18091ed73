"""Triggers: their schedules, their lifecycle, runs on demand, and how runs affect them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import available_timezones

import pytest

from harness.emulator.resources import triggers
from harness.emulator.resources.triggers import parse_schedule
from harness.emulator.values.call import Refusal
from tests.emulator.resources.api import NOON, Api

MONDAY = datetime(2026, 9, 21, 12, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "due"),
    [
        ("* * * * *", "2026-09-21T12:01"),
        ("0 9 * * 1-5", "2026-09-22T09:00"),
        ("0 13 * * *", "2026-09-21T13:00"),
        ("0 12 * * *", "2026-09-22T12:00"),
        ("*/15 * * * *", "2026-09-21T12:15"),
        ("5/20 12 * * *", "2026-09-21T12:05"),
        ("0 0 1 * *", "2026-10-01T00:00"),
        ("0 0 1 jan *", "2027-01-01T00:00"),
        ("0 0 * * sun", "2026-09-27T00:00"),
        ("0 0 * * 7", "2026-09-27T00:00"),
        ("0 0 * * fri-sat", "2026-09-25T00:00"),
        ("0 0 30 * wed", "2026-09-23T00:00"),
        ("30 8,18 * * *", "2026-09-21T18:30"),
        ("0 0 29 2 *", "2028-02-29T00:00"),
        ("0 0 31 2 *", None),
    ],
)
def test_the_next_due_minute(expression: str, due: str | None) -> None:
    """The next run is after the given moment; of two restricted day fields either counts; some dates never are."""
    found = parse_schedule(expression, "UTC").after(MONDAY)
    assert (found and f"{found:%Y-%m-%dT%H:%M}") == due


@pytest.mark.skipif("Europe/Paris" not in available_timezones(), reason="this machine has no time zone database")
@pytest.mark.parametrize(
    ("moment", "due"),
    [
        ("2026-09-21T06:00:00+00:00", "2026-09-21T07:00"),
        ("2026-10-24T08:00:00+00:00", "2026-10-25T08:00"),
        ("2026-12-01T07:59:59+00:00", "2026-12-01T08:00"),
    ],
)
def test_zones_and_their_summer_time_count(moment: str, due: str) -> None:
    """Nine o'clock in Paris is seven or eight in UTC, depending on summer time."""
    found = parse_schedule("0 9 * * *", "Europe/Paris").after(datetime.fromisoformat(moment))
    assert f"{found:%Y-%m-%dT%H:%M}" == due


@pytest.mark.parametrize(
    "expression",
    ["", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8",
     "5-1 * * * *", "*/0 * * * *", "*-5 * * * *", "a * * * *", "1,,2 * * * *", "-1 * * * *", "@daily",
     "²  * * * *"],
)  # fmt: skip
def test_what_is_no_schedule_is_refused(expression: str) -> None:
    """A wrong number of fields, a value out of range, an empty range or a step of zero gets 400."""
    with pytest.raises(Refusal) as refused:
        parse_schedule(expression, "UTC")
    assert refused.value.status == 400


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../../etc/passwd", "Europe"])
def test_unknown_zones_are_refused(zone: str) -> None:
    """A name that is not a time zone is refused, even if it is a path."""
    with pytest.raises(Refusal, match="IANA"):
        parse_schedule("* * * * *", zone)


TRIGGERS = "/v1beta/triggers"
BODY: dict[str, Any] = {
    "schedule": "0 9 * * 1-5",
    "time_zone": "UTC",
    "interaction": {"agent": "csv-helper", "input": "go", "environment": "remote", "stream": True},
}


class Engine:
    """A stand-in for interactions: it records bodies and answers with a status that tests may change later."""

    def __init__(self, api: Api, status: str = "completed") -> None:
        self.status = status
        self.bodies: list[dict[str, Any]] = []
        api.run = self.run
        api.look_up = self.look_up

    def run(self, body: dict[str, Any], project: str) -> dict[str, Any]:
        """Stand in for `Triggers.run`."""
        if self.status == "refused":
            raise Refusal(404, "not_found", "no such agent")
        self.bodies.append(body)
        return {"id": f"v1_{len(self.bodies)}", "status": self.status, "environment_id": "env-of-run"}

    def look_up(self, interaction: str, project: str) -> dict[str, Any] | None:
        """Stand in for `Triggers.look_up`."""
        return None if self.status == "gone" else {"id": interaction, "status": self.status}


@pytest.fixture
def target(api: Api) -> str:
    """Create a trigger and return its path."""
    return f"{TRIGGERS}/{api.ok('POST', TRIGGERS, BODY)['id']}"


@pytest.mark.parametrize(
    "change",
    [
        {"schedule": None},
        {"schedule": "daily"},
        {"time_zone": None},
        {"time_zone": "Nowhere"},
        {"interaction": None},
        {"interaction": "go"},
        {"max_consecutive_failures": 0},
        {"execution_timeout_seconds": -1},
        {"status": "paused"},
    ],
)
def test_what_cannot_be_triggered_is_400(api: Api, change: dict[str, Any]) -> None:
    """Missing, invalid and unknown fields are refused, and nothing is saved."""
    assert api.refused("POST", TRIGGERS, BODY | change) == (400, "invalid_request")
    assert api.ok("GET", TRIGGERS) == {}


@pytest.mark.parametrize("body", [{"status": "disabled"}, {"schedule": "* * * * *"}])
def test_only_name_and_status_can_change(api: Api, target: str, body: dict[str, Any]) -> None:
    """A patch of any other field, or to an unknown status, is refused."""
    assert api.refused("PATCH", target, body) == (400, "invalid_request")


def test_runs_share_one_environment(api: Api, target: str) -> None:
    """The first run creates the environment and later runs reuse it; a run is never streamed."""
    engine = Engine(api)
    first, second = (api.ok("POST", f"{target}/executions") for _ in range(2))
    assert first == {
        "id": first["id"],
        "trigger_id": target.rpartition("/")[2],
        "status": "completed",
        "scheduled_time": NOON,
        "start_time": NOON,
        "end_time": NOON,
        "interaction_id": "v1_1",
        "environment_id": "env-of-run",
    }
    assert [body["environment"] for body in engine.bodies] == ["remote", "env-of-run"]
    assert not any("stream" in body for body in engine.bodies)
    shown = api.ok("GET", target)
    assert (shown["environment_id"], shown["previous_interaction_id"], shown["last_run_time"]) == (
        "env-of-run", "v1_2", NOON,
    )  # fmt: skip
    assert api.ok("GET", f"{target}/executions") == {"trigger_executions": [first, second]}


@pytest.mark.parametrize(
    ("later", "status"),
    [
        ("in_progress", "in_progress"),
        ("completed", "completed"),
        ("requires_action", "completed"),
        ("failed", "failed"),
        ("cancelled", "failed"),
        ("gone", "failed"),
    ],
)
def test_a_run_follows_its_interaction(api: Api, target: str, later: str, status: str) -> None:
    """A background run is in progress until its interaction settles, and ends as the interaction does."""
    engine = Engine(api, "in_progress")
    assert api.ok("POST", f"{target}/executions")["status"] == "in_progress"
    engine.status = later
    (seen,) = api.ok("GET", f"{target}/executions")["trigger_executions"]
    assert (seen["status"], "end_time" in seen) == (status, status != "in_progress")


def test_a_run_is_skipped_while_one_goes_on(api: Api, target: str) -> None:
    """While a run goes on, later ones are skipped; they start nothing and do not hide how the run ends."""
    engine = Engine(api, "queued")
    statuses = [api.ok("POST", f"{target}/executions")["status"] for _ in range(3)]
    engine.status = "completed"
    statuses.append(api.ok("POST", f"{target}/executions")["status"])
    assert (statuses, len(engine.bodies)) == (["in_progress", "skipped", "skipped", "completed"], 2)
    listed = api.ok("GET", f"{target}/executions")["trigger_executions"]
    assert [one["status"] for one in listed] == ["completed", "skipped", "skipped", "completed"]


def test_a_run_past_its_limit_is_timed_out(api: Api, target: str) -> None:
    """A run still in progress after execution_timeout_seconds is timed_out and counts as a failure."""
    Engine(api, "in_progress")
    api.ok("POST", f"{target}/executions")
    seen = []
    for api.now in ("2026-09-21T12:10:00Z", "2026-09-21T12:10:01Z"):
        seen.append(api.ok("GET", f"{target}/executions")["trigger_executions"][0]["status"])
    assert (seen, api.ok("GET", target)["consecutive_failure_count"]) == (["in_progress", "timed_out"], 1)


@pytest.mark.parametrize("how", ["failed", "refused"])
def test_failures_in_a_row_stop_a_trigger(api: Api, how: str) -> None:
    """A good run resets the count of failures; at the limit the status is error; resuming resets the count."""
    target = f"{TRIGGERS}/{api.ok('POST', TRIGGERS, {**BODY, 'max_consecutive_failures': 2})['id']}"
    engine = Engine(api)
    counts = []
    for engine.status in (how, "completed", how, how):
        execution = api.ok("POST", f"{target}/executions")
        counts.append(api.ok("GET", target)["consecutive_failure_count"])
    assert (counts, execution["status"], bool(execution["error"])) == ([1, 0, 1, 2], "failed", True)
    shown = api.ok("GET", target)
    assert (shown["status"], "next_run_time" in shown) == ("error", False)
    assert api.ok("PATCH", target, {"status": "active"})["consecutive_failure_count"] == 0


def test_executions_have_pages_and_a_bound(api: Api, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages add up to all runs; beyond the limit, the oldest runs are forgotten."""
    monkeypatch.setattr(triggers, "MOST_ITEMS", 3)
    Engine(api)
    ids = [api.ok("POST", f"{target}/executions")["id"] for _ in range(5)]
    first = api.ok("GET", f"{target}/executions?page_size=2")
    rest = api.ok("GET", f"{target}/executions?page_size=2&page_token={first['next_page_token']}")
    found = [one["id"] for one in first["trigger_executions"] + rest["trigger_executions"]]
    assert found == ids[2:]
