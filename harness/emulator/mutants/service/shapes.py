"""Mutants: one kind of response has the wrong shape, all others are right.

A test that looks only at the response to one create does not notice them.
"""

from __future__ import annotations

from harness.emulator.mutants.changes import Json, html, inside, put, when
from harness.emulator.mutants.hooks import error, event, response
from harness.emulator.mutants.parts import Change
from harness.emulator.mutants.rows import row
from harness.emulator.values.call import Call
from harness.kit.mutant import table


def _each_step(kind: str, change: Change) -> Change:
    """Change the steps of one type in an interaction."""

    def edit(body: Json, call: Call) -> None:
        for step in body.get("steps", ()):
            if step["type"] == kind:
                change(step)

    return edit


def _each_item(name: str, change: Change) -> Change:
    """Change every item of a list."""

    def edit(page: Json, call: Call) -> None:
        for item in page.get(name, ()):
            change(item)

    return edit


def _name_output_as_before(body: Json, call: Call) -> None:
    if "steps" in body:
        body["outputs"] = body.pop("steps")


def _name_model_in_object(body: Json, call: Call) -> None:
    if body.get("previous_interaction_id"):
        body["model"] = {"name": body.get("model")}


MUTANTS = table(
    "shapes",
    row("shape-outputs", "A create answers `outputs`, as before May 2026, in place of `steps`.",
        response("POST interactions", _name_output_as_before)),
    row("shape-get", "The labels in the response to a GET are a number.",
        response("GET interactions/*", put(labels=5))),
    row("shape-background", "The steps of a run that has just started are a string.",
        response("POST interactions", when(lambda body, _: body["status"] == "in_progress", put(steps="none")))),
    row("shape-requires-action", "The service tier of an interaction that requires action is a list.",
        response("POST interactions", when(
            lambda body, _: body["status"] == "requires_action", put(service_tier=[])))),
    row("shape-search", "The arguments of a search call are a string.",
        response("POST interactions", _each_step("google_search_call", put(arguments='{"queries": []}')))),
    row("shape-step-unlisted", "A search call is shown as a step of an undocumented type.",
        response("POST interactions", _each_step("google_search_call", put(type="tool_call")))),
    row("shape-child", "The model of a chained interaction is an object.",
        response("POST interactions", _name_model_in_object)),
    row("shape-cancel", "The labels in the response to a cancel are a number.",
        response("POST interactions/*/cancel", put(labels=5))),
    row("shape-cancelled-event", "The closing event of a cancelled run has a number as its creation time.",
        event("interaction.completed", inside("interaction", when(
            lambda interaction: interaction["status"] == "cancelled", put(created=4))))),
    row("shape-agent", "A read shows the description of a saved agent as a number.",
        response("GET agents/*", put(description=5))),
    row("shape-agents-listed", "The tools of listed agents are a string.",
        response("GET agents", _each_item("agents", put(tools="all")))),
    row("shape-environment", "A read shows the sources of an environment as a string.",
        response("GET environments/*", put(sources="none"))),
    row("shape-files", "The type of a file in a listing is a number.",
        response("GET environments/*/files", _each_item("files", put(type=1)))),
    row("shape-webhook", "A read shows the state of a webhook as a number.",
        response("GET webhooks/*", put(state=1))),
    row("shape-chain-refusal",
        "A create that continues an interaction is refused with an HTML page instead of an error object.",
        error("POST interactions", lambda refusal, call: (
            html(refusal.status) if b'"previous_interaction_id"' in call.request.body else None))),
    row("shape-cancel-refusal", "A cancel that comes too late is refused with an HTML page.",
        error("* interactions/*/cancel", lambda refusal, _: html(refusal.status))),
)  # fmt: skip
