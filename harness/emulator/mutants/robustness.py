"""Mutants: many requests at once, and input that no client should send."""

from __future__ import annotations

from harness.emulator.create.validation import CreateValidator
from harness.emulator.engine import Engine
from harness.emulator.mutants.changes import Json, crash, refuse, when
from harness.emulator.mutants.hooks import arrival, error, request, row, run
from harness.emulator.mutants.parts import before, memory
from harness.emulator.run.run import Run
from harness.emulator.values.create_request import CreateRequest
from harness.emulator.values.hints import snake
from harness.kit.mutant import table


def _take_camel_case(validator: CreateValidator, body: Json) -> None:
    known = validator.known_fields
    for name in [name for name in body if name not in known and snake(name) in known]:
        body[snake(name)] = body.pop(name)


def _mix_inputs(run: Run, order: CreateRequest, engine: Engine) -> None:
    if isinstance(order.body.get("input"), str):
        run.given = memory(engine).get("given", run.given)
    memory(engine)["given"] = order.given


def _mix_outputs(run: Run, order: CreateRequest, engine: Engine) -> None:
    asked, steps = memory(engine).get("before", (order.text, run.steps))
    memory(engine)["before"] = order.text, run.steps
    if not order.body.get("stream") and not order.body.get("background") and asked != order.text:
        run.steps = steps


MUTANTS = table(
    "robustness",
    row("parallel-outputs-mixed", "A create returns the output of the create before it.", run(_mix_outputs)),
    row("inputs-mixed-up", "Creates are stored with the input of the create before them.", run(_mix_inputs)),
    row("deep-json-crashes", "A very deeply nested body returns 500.",
        error("POST interactions", when(
            lambda refusal, _: "too deeply" in refusal.message,
            refuse("maximum recursion depth exceeded", 500, "api_error")))),
    row("empty-body-crashes", "A create without a body returns 500.",
        request("POST interactions", when(lambda call, _: not call.request.body, crash))),
    row("bad-utf8-crashes", "A create that is not UTF-8 returns 500.",
        request("POST interactions", when(
            lambda call, _: call.request.body.decode("utf-8", "replace").encode() != call.request.body, crash))),
    row("content-type-crashes", "A create with the Content-Type text/plain returns 500.",
        request("POST interactions", when(
            lambda call, _: call.request.headers.media_type() not in {"application/json", ""}, crash))),
    row("put-crashes", "An unsupported method returns 500.", before(Engine.refuse_method, crash)),
    row("odd-id-crashes", "An id with unusual characters returns 500.", arrival(when(lambda request, where: (
        any(set(segment) & set("/?\x00") or segment in {".", ".."} for segment in where.segments)), crash))),
    row("long-id-crashes", "An id of more than a thousand characters returns 500.",
        arrival(when(lambda request, where: any(len(segment) > 1_000 for segment in where.segments), crash))),
    row("camel-case-accepted", "Field names in camelCase are accepted.",
        before(CreateValidator.shape, _take_camel_case)),
)  # fmt: skip
