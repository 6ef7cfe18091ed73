"""Mutants: voices."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from harness.emulator.engine import Engine
from harness.emulator.mutants.changes import (
    drop,
    each_item,
    put,
    read_json,
    when,
)
from harness.emulator.mutants.hooks import error, life_rows, request, response, row
from harness.emulator.values.call import Call, json_response
from harness.kit.mutant import table


def _store_always(call: Call, engine: Engine) -> Call:
    body = {**read_json(call), "store": True}
    return replace(call, request=replace(call.request, body=msgspec.json.encode(body)))


MUTANTS = table(
    "voices",
    *life_rows("voice", "voices", "voices"),
    row("voice-without-type", "Voices do not say of what type they are.",
        response("POST voices", drop("type"))),
    row("voice-any-type", "A list of voices by type contains voices of another type.",
        response("GET voices", when(
            lambda _, call: "type" in call.query, each_item("voices", put(type="prompted"))))),
    row("voice-any-token", "A page token is taken with other filters.",
        error("GET voices", lambda refusal, call: json_response({}) if "page_token" in call.query else None)),
    row("voice-unstored", "A prompted voice that shall not be stored is stored all the same.",
        request("POST voices", _store_always)),
)  # fmt: skip
