"""The judges of the checks on triggers, on hand-made exchanges."""

from __future__ import annotations

from harness.checks.areas.triggers import SCHEDULE
from tests.checks._play import EMPTY, MISSING, answer, case, page_cases, refusal

BODY = {"id": "t1", "schedule": SCHEDULE, "time_zone": "UTC", "interaction": {"agent": "a", "input": "x"}}


def trigger(**fields):
    """A trigger as GET returns it."""
    return answer(body={**BODY, "status": "active", **fields}, target="/v1beta/triggers/t1")


def executions(**fields):
    """The list of runs, with one run."""
    run = {"id": "e1", "trigger_id": "t1", "status": "completed", "interaction_id": "v1_a", **fields}
    return answer(body={"trigger_executions": [run]}, target="/v1beta/triggers/t1/executions")


def ran(**fields):
    """The answer to a run by hand."""
    body = {"id": "e1", "trigger_id": "t1", "status": "completed", "interaction_id": "v1_a", **fields}
    return answer(body=body, method="POST", target="/v1beta/triggers/t1/executions")


READ = trigger()
PAGE = answer(body={"triggers": [BODY]}, target="/v1beta/triggers")
LIFE = {"made": READ, "fetched": READ, "listed": PAGE, "deleted": EMPTY, "unlisted": None, "gone": MISSING}
TURNS = {"paused": trigger(status="paused"), "resumed": READ, "looked": READ}

CASES = [
    case("trigger.crud", "not_met", "still there", **{**LIFE, "gone": READ}),
    case("trigger.starts-active", "not_met", "paused", made=trigger(status="paused")),
    case("trigger.pause-resume", "not_met", "for good", **{**TURNS, "looked": trigger(status="paused")}),
    case("trigger.next-run", "met", "in UTC", made=trigger(next_run_time="2026-11-23T09:30:00Z")),
    case("trigger.next-run", "met", "elsewhere", made=trigger(next_run_time="2026-11-23T18:30:00+09:00")),
    case("trigger.next-run", "not_met", "an hour off", made=trigger(next_run_time="2026-11-23T08:30:00Z")),
    case("trigger.next-run", "untestable", "not told", made=READ),
    case("trigger.run-when-paused", "met", "it runs", ran=ran()),
    case("trigger.run-when-paused", "not_met", "skipped", ran=ran(status="skipped")),
    case("trigger.executions-list", "met", "there", ran=ran(), executions=executions()),
    case("trigger.executions-list", "met", "failed without an interaction", ran=ran(),
         executions=executions(status="failed", interaction_id="")),
    case("trigger.executions-list", "not_met", "nameless", ran=ran(), executions=executions(interaction_id="")),
    case("trigger.executions-list", "untestable", "not run", ran=refusal(400), executions=executions()),
    case("trigger.keeps-runs", "not_met", "gone", ran=ran(), deleted=EMPTY, left=MISSING),
    case("trigger.keeps-runs", "untestable", "no run", ran=refusal(400), deleted=EMPTY, left=None),
    case("trigger.keeps-runs", "untestable", "not deleted", ran=ran(), deleted=refusal(400), left=None),
    *page_cases("page.triggers", "triggers"),
    *page_cases("page.executions", "trigger_executions", names=("pages_of_runs", "runs"), whole=""),
]  # fmt: skip
