"""Mutants: triggers and their runs."""

from __future__ import annotations

from harness.emulator.engine import Engine
from harness.emulator.mutants.changes import answer, drop, ignore, inside, put, refuse
from harness.emulator.mutants.hooks import accept, life_rows, request, response, row
from harness.emulator.values.call import Call, json_response
from harness.kit.mutant import table


def _delete_runs(call: Call, engine: Engine) -> None:
    triggers = engine.resources.kept.triggers
    kept = triggers.find(call.project, call.segments[1])
    for _, execution in kept.executions if kept is not None else ():
        run = engine.find(execution.get("interaction_id", ""), call.project)
        if run is not None:
            engine.store.forget(run)


MUTANTS = table(
    "triggers",
    *life_rows("triggers", "triggers", "triggers"),
    row("triggers-without-schedule", "The response to a create of a trigger lacks its schedule.",
        response("POST triggers", drop("schedule"))),
    row("triggers-start-paused", "A new trigger is paused.", response("POST triggers", put(status="paused"))),
    row("triggers-next-run-off", "The next run is given in another zone than that of the schedule, as if in UTC.",
        response("POST triggers", inside("next_run_time", lambda text, *_: text.replace("T09:30", "T01:30")))),
    row("triggers-pause-ignored", "A pause of a trigger returns 200 but changes nothing.",
        request("PATCH triggers/*", lambda call, engine: (
            json_response(engine.resources.kept.triggers.view(
                engine.resources.kept.triggers.require(call.project, call.segments[1])))))),
    row("triggers-paused-refuse", "A paused trigger cannot be run by hand.",
        request("POST triggers/*/executions", refuse("The trigger is paused.", 400, "failed_precondition"))),
    row("triggers-executions-empty", "The list of a trigger's runs is always empty.",
        request("GET triggers/*/executions", answer({}))),
    row("triggers-delete-takes-runs", "Deleting a trigger deletes the interactions that it made.",
        request("DELETE triggers/*", _delete_runs)),
    row("triggers-any-schedule", "Any text is accepted as a schedule, a cron expression or not.",
        accept("triggers", schedule="30 9 * * 1-5")),
    row("triggers-any-zone", "Any text is accepted as a time zone.", accept("triggers", time_zone="UTC")),
    row("executions-page-repeats", "Every page of a trigger's runs is the first one.",
        request("GET triggers/*/executions", ignore("page_token"))),
)  # fmt: skip
