"""Mutants: voices."""

from __future__ import annotations

from harness.emulator.mutants.changes import drop, each_item, put, when
from harness.emulator.mutants.hooks import error, life_rows, request_body, response, row
from harness.emulator.values.call import json_response
from harness.kit.mutant import table

MUTANTS = table(
    "voices",
    *life_rows("voice", "voices", "voices"),
    row("voice-without-type", "Voices do not say of what type they are.", response("POST voices", drop("type"))),
    row("voice-any-type", "A list of voices by type contains voices of another type.",
        response("GET voices", when(
            lambda _, call: "type" in call.query, each_item("voices", put(type="prompted"))))),
    row("voice-any-token", "A page token is taken with other filters.",
        error("GET voices", lambda refusal, call: json_response({}) if "page_token" in call.query else None)),
    row("voice-unstored", "A prompted voice that shall not be stored is stored all the same.",
        request_body("POST voices", put(store=True))),
)  # fmt: skip
