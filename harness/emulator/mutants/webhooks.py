"""Mutants: webhooks."""

from __future__ import annotations

from harness.emulator.mutants.changes import Json, answer, edit_json, put, refuse, with_data
from harness.emulator.mutants.hooks import accept, error, life_rows, request, response, row, unknown_rows
from harness.emulator.mutants.parts import after, memory
from harness.emulator.resources.router import Resources
from harness.emulator.values.call import Call
from harness.kit.mutant import table
from harness.wire import Response


def _show_secrets(value: Json, call: Call) -> None:
    for hook in value.get("webhooks", [value]):
        hook["new_signing_secret"] = "whsec_" + "A" * 44


def _keep_secret(response: Response | None, resources: Resources, call: Call) -> Response | None:
    if response is None or call.segments[0] != "webhooks" or call.request.method != "POST":
        return None

    def keep(value: Json) -> None:
        secrets = memory(resources).setdefault("secrets", {})
        if "new_signing_secret" in value:
            secrets[value["id"]] = value["new_signing_secret"]
        elif "secret" in value:
            value["secret"] = secrets[call.segments[1].partition(":")[0]]

    return edit_json(response, keep)


MUTANTS = table(
    "webhooks",
    *life_rows("webhooks", "webhooks", "webhooks"),
    *unknown_rows("webhooks", "webhooks", "webhooks"),
    row("webhooks-patch-ignored", "An update of a webhook returns 200 but changes nothing.",
        request("PATCH webhooks/*", lambda call, _: with_data(call, b"{}")),
        error("PATCH webhooks/*", answer({}))),
    row("webhooks-secret-shown-again", "Every read of a webhook shows its signing secret.",
        response("GET webhooks/**", _show_secrets)),
    row("webhooks-any-event", "Any name is accepted as an event.",
        accept("webhooks", subscribed_events=["interaction.completed"])),
    row("webhooks-ping-missing", "There is no ping operation.",
        request("POST webhooks/*:ping", refuse("Method not found.", 404, "not_found"))),
    row("webhooks-rotate-keeps", "A rotation returns the old secret.", after(Resources.handle, _keep_secret)),
    row("shape-webhook", "A read shows the state of a webhook as a number.",
        response("GET webhooks/*", put(state=1))),
)  # fmt: skip
