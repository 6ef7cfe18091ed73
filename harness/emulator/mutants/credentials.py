"""Mutants: stored credentials."""

from __future__ import annotations

from harness.emulator.mutants.changes import answer, is_missing, not_found, put, read_json, when
from harness.emulator.mutants.hooks import error, life_rows, request, response, row
from harness.emulator.mutants.parts import Change
from harness.emulator.values.call import Refusal, json_response
from harness.kit.mutant import table


def _accept_refused(status: int) -> Change:
    return when(lambda refusal, _: refusal.status == status, lambda _, call: json_response(
        {"id": read_json(call).get("id") or call.segments[-1], "type": "bearer_token", "status": "active"}
    ))  # fmt: skip


MUTANTS = table(
    "credentials",
    *life_rows("credentials", "credentials", "credentials"),
    row("credentials-secret-shown", "The response to a create of a credential shows its secret.",
        response("POST credentials", lambda value, call: value.update(token=read_json(call).get("token", "")))),
    row("credentials-secret-in-error", "A refusal of a credential quotes the body, and with it the secret.",
        error("POST credentials", lambda refusal, call: Refusal(
            refusal.status, refusal.code, f"{refusal.message} Sent: {call.request.body.decode()}.").response())),
    row("credentials-type-number", "The type of a credential is a number.",
        response("GET credentials/*", put(type=1))),
    row("credentials-untyped-change", "A change of a credential needs no type.",
        error("PATCH credentials/*", _accept_refused(400))),
    row("credentials-overwrite", "A credential whose id is in use replaces the existing one.",
        error("POST credentials", _accept_refused(409))),
    row("credentials-any-field", "Any field of a credential is accepted.",
        error("POST credentials", _accept_refused(400))),
    row("credentials-incomplete", "A credential needs no token.",
        error("POST credentials", when(lambda _, call: "token" not in read_json(call), _accept_refused(400)))),
    row("credentials-unknown-200", "A read of a credential that does not exist returns 200.",
        error("GET credentials/*", when(is_missing, answer({"id": "x"})))),
    row("credentials-not-usable", "No allowlist may name a credential.",
        request("POST environments", lambda call, _: (
            not_found() if b'"credential"' in call.request.body else None))),
)  # fmt: skip
