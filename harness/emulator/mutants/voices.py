"""Mutants: voices."""

from __future__ import annotations

from harness.emulator.engine import Engine
from harness.emulator.mutants.changes import drop, each_item, ignore, put, when
from harness.emulator.mutants.hooks import error, life_rows, request, request_body, response, row
from harness.emulator.values.call import Call, json_response
from harness.kit.mutant import table
from harness.wire import Response


def _list_oldest_first(call: Call, engine: Engine) -> Response | None:
    """One of the own voices a page, in the order in which they were made."""
    token = call.query.get("page_token", "0")
    if call.query.get("type") != "prompted" or not token.isdigit():
        return None
    whole = engine.resources.kept.voices.list_all(ignore("page_size", "page_token")(call, engine))
    voices = whole.get("voices", [])[::-1]
    place = int(token)
    more = {"next_page_token": str(place + 1)} if place + 1 < len(voices) else {}
    return json_response({"voices": voices[place : place + 1], **more})


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
    row("voice-page-repeats", "Every page of voices is the first one.",
        request("GET voices", ignore("page_token"))),
    row("voice-oldest-first", "A list of voices begins with the oldest own one.",
        request("GET voices", _list_oldest_first)),
)  # fmt: skip
