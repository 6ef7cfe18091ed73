"""Mutants: voices."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from harness.emulator.engine import Engine
from harness.emulator.mutants.changes import (
    drop,
    read_json,
)
from harness.emulator.mutants.hooks import life_rows, request, response, row
from harness.emulator.values.call import Call
from harness.kit.mutant import table


def _store_always(call: Call, engine: Engine) -> Call:
    body = {**read_json(call), "store": True}
    return replace(call, request=replace(call.request, body=msgspec.json.encode(body)))


MUTANTS = table(
    "voices",
    *life_rows("voice", "voices", "voices"),
    row("voice-without-type", "Voices do not say of what type they are.",
        response("POST voices", drop("type"))),
    row("voice-unstored", "A prompted voice that shall not be stored is stored all the same.",
        request("POST voices", _store_always)),
)  # fmt: skip
