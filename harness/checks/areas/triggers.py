"""Checks of triggers: schedules that create interactions, and the record of their runs.

The schedule names a time of day, so a run by hand is the only one; the trigger is deleted in the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any

from harness.checks.vocabulary import resources
from harness.checks.vocabulary.expect import finding, text_in
from harness.checks.vocabulary.runs import id_of, poll_until_found, status_of
from harness.checks.vocabulary.shared import HELLO
from harness.contract import read
from harness.contract.judge.reading import format_answer, format_value
from harness.contract.requests import RequestBuilder
from harness.kit.check import Exchanges, Send, Steps, exercise, play_each, send, send_each, stop_exercise
from harness.outcome import Finding, Unmet
from harness.wire import Exchange
from harness.wire.bodies import as_object, read_instant
from harness.wire.message import segment

SCHEDULE = "30 9 * * 1-5"
"""Half past nine on weekdays, in UTC."""


def describe_trigger(t: RequestBuilder) -> Mapping[str, Any]:
    """The body of a create."""
    run = {"agent": t.agent, "input": HELLO, **({"environment": t.environment} if t.environment else {})}
    return {"schedule": SCHEDULE, "time_zone": "UTC", "display_name": "harness-check", "interaction": run}


@exercise(requests=23, interactions=0)
def a_trigger_of_our_own(t: RequestBuilder) -> Steps:
    """Create a trigger beside another; read, list, pause, run, resume, run again and delete it."""
    body = describe_trigger(t)
    seen: Exchanges = yield from send_each(
        bad=t.request("POST", "triggers", {**body, "schedule": "every morning"}),
        nowhere=t.request("POST", "triggers", {**body, "time_zone": "Atlantis/Harbor"}),
        made=t.request("POST", "triggers", body),
    )
    found = id_of(seen["made"])
    if not found:
        return stop_exercise(seen, f"the target created no trigger: {format_answer(seen['made'])}")
    path = f"triggers/{segment(found)}"
    seen |= yield from resources.read_and_list(t, path)
    seen |= yield from resources.page_beside(t, "triggers", found, body)
    seen["paused"] = yield Send(t.request("PATCH", path, {"status": "paused"}))
    seen["ran"] = yield Send(t.request("POST", f"{path}/executions", {}))
    listed, resume = t.request("GET", f"{path}/executions"), t.request("PATCH", path, {"status": "active"})
    seen |= yield from send_each(executions=listed, resumed=resume)
    seen["looked"] = yield Send(t.request("GET", path))
    ran = seen["ran"], (yield Send(t.request("POST", f"{path}/executions", {})))
    seen["runs"] = list(filter(None, map(id_of, ran)))
    seen["pages_of_runs"] = yield from resources.pages(t, f"{path}/executions", 1)
    seen |= yield from resources.delete_and_read(t, path, *seen["beside"], listed=seen["listed"])
    first, *others = (text_in(answer, "interaction_id") for answer in ran)
    seen["left"] = (yield from poll_until_found(t, first))[-1] if first else None
    yield from play_each(send(t.delete(one)) for one in (first, *others) if one)
    return seen


can_be_managed = resources.judge_lives("triggers", {"schedule": SCHEDULE, "time_zone": "UTC"})
pages_hold_each_once = resources.judge_pages("triggers")


def pages_hold_each_run_once(runs: list[str], pages_of_runs: list[Exchange]) -> Iterator[Finding]:
    if len(runs) < 2:
        raise Unmet("the trigger was not run twice")
    yield from resources.each_once(pages_of_runs, "trigger_executions", runs, name="pages_of_runs")


def has_status(answer: Exchange, status: str) -> Iterator[Finding]:
    if status_of(answer) != status:
        yield finding("the trigger has another status than requested", status, status_of(answer) or "none")


def runs_on_time(made: Exchange) -> Iterator[Finding]:
    text = as_object(read(made).json).get("next_run_time")
    if text is None:
        raise Unmet("the trigger has no next_run_time")
    moment = read_instant(text)
    if moment is None:
        return  # trigger.schema reports what is no time
    moment = moment.astimezone(UTC)
    if (moment.hour, moment.minute, moment.second) != (9, 30, 0) or moment.weekday() > 4:
        yield finding("the schedule names another time", f"{SCHEDULE} in UTC", f"{moment:%a %H:%M:%S}")


def runs_when_paused(ran: Exchange) -> Iterator[Finding]:
    if status_of(ran) == "skipped":
        yield finding("the run was skipped", "a run", "skipped")


def lists_its_runs(ran: Exchange, executions: Exchange) -> Iterator[Finding]:
    listed = resources.entries(executions, "trigger_executions")
    mine = next((entry for entry in listed if entry.get("id") == id_of(ran)), None)
    if mine is None:
        names = [entry.get("id") for entry in listed]
        yield finding("the list lacks the run", id_of(ran), format_value(names))
    elif not mine.get("interaction_id") and mine.get("status") in ("in_progress", "completed"):
        yield finding("the run names no interaction", "interaction_id", format_value(mine))
