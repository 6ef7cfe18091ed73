"""Mutants: the shape of errors, and crashes on one feature of a create while all else works."""

from __future__ import annotations

from collections.abc import Callable

from harness.emulator.create.validation import CreateValidator
from harness.emulator.engine import Engine
from harness.emulator.mutants.changes import (
    Json,
    answer,
    crash,
    drop,
    edit_json,
    empty_stream,
    inside,
    put,
    read_json,
    skip,
    when,
    with_status,
)
from harness.emulator.mutants.hooks import EVERY, admit, error, request, row
from harness.emulator.mutants.parts import Defect, after, before, instead
from harness.emulator.service import Emulator
from harness.emulator.values.call import Refusal
from harness.kit.mutant import table
from harness.wire import Response
from harness.wire.bodies import as_object, objects_in

_LEVELS = {"minimal", "low", "medium", "high"}


def _error_with(refusal: Refusal, **fields: object) -> Response:
    return edit_json(refusal.response(), inside("error", put(**fields)))


def _find_unknown_fields(validator: CreateValidator, body: Json, *more: object) -> set[str]:
    return set(body) - set(validator.known_fields)


def _drop_unknown_fields(validator: CreateValidator, body: Json) -> None:
    for name in _find_unknown_fields(validator, body):
        del body[name]


def _drop_unknown_level(body: Json) -> None:
    config = body.get("generation_config")
    if isinstance(config, dict) and config.get("thinking_level") not in {None, *_LEVELS}:
        del config["thinking_level"]


def _names_unknown_tool(validator: CreateValidator, body: Json) -> bool:
    return any(tool.get("type") not in validator.tools for tool in objects_in(body.get("tools")))


def _crash_on(asks: Callable[[Json], object]) -> Defect:
    return request("POST interactions", when(lambda call, _: asks(read_json(call)), crash))


MUTANTS = table(
    "errors",
    row("error-no-message", "Errors have a code but no message.",
        error(EVERY, lambda refusal, _: edit_json(refusal.response(), inside("error", drop("message"))))),
    row("error-code-upper", "Error codes are in capitals, like the status of other Google APIs.",
        error(EVERY, lambda refusal, _: _error_with(refusal, code=refusal.code.upper()))),
    row("error-code-empty", "Error codes are empty.",
        error(EVERY, lambda refusal, _: _error_with(refusal, code=""))),
    row("error-code-mismatch", "Every error has the code not_found, whatever its HTTP status.",
        error(EVERY, lambda refusal, _: _error_with(refusal, code="not_found"))),
    row("errors-are-200", "Errors have the HTTP status 200.",
        error(EVERY, lambda refusal, _: with_status(refusal.response(), 200))),
    row("malformed-json-crashes", "A body that is not JSON returns 500.",
        error("POST interactions", when(lambda refusal, _: "not valid JSON" in refusal.message, crash))),
    row("wrong-type-crashes", "A known field with the wrong type returns 500.",
        error("POST interactions", when(lambda refusal, _: "should be" in refusal.message, crash))),
    row("array-body-crashes", "A body that is an array returns 500.",
        admit("parse", when(lambda data: data.lstrip()[:1] == b"[", crash))),
    row("unknown-field-dropped", "Unknown fields are silently dropped.",
        before(CreateValidator.shape, _drop_unknown_fields)),
    row("unknown-field-crashes", "A create with an unknown field returns 500.",
        before(CreateValidator.unknown_fields, when(_find_unknown_fields, crash))),
    row("unknown-model-mapped", "Any name that is not an agent is accepted as a model.",
        instead(CreateValidator.is_model, when(
            lambda validator, name: CreateValidator.is_model(validator, name) is validator.is_agent(name, ""),
            lambda validator, name: (
            not CreateValidator.is_model(validator, name))))),
    row("bad-enum-accepted", "Unknown tool types and thinking levels are ignored.",
        admit("shape", _drop_unknown_level),
        before(CreateValidator.tool_types, when(_names_unknown_tool, skip))),
    row("unknown-route-200", "An unknown path returns 200 and an empty object.",
        after(Emulator.perform, when(lambda response, *_: response is None, answer({})))),
    row("refused-stream-silent",
        "A streaming create that is refused returns an empty stream, without an error.",
        instead(Engine.refuse_create, lambda engine, call, refusal: (
            empty_stream() if read_json(call).get("stream") is True
            else Engine.refuse_create(engine, call, refusal)))),
    row("retry-after-in-words", "Retry-After is neither seconds nor a date.",
        error(EVERY, when(
            lambda refusal, _: refusal.status == 429,
            lambda refusal, _: Refusal(
                429, refusal.code, refusal.message, (("retry-after", "soon"),)).response()))),
    row("unstored-crashes", "A create with store=false returns 500.",
        _crash_on(lambda body: body.get("store") is False)),
    row("streamed-tools-crash", "A streaming create with tools returns 500.",
        _crash_on(lambda body: body.get("stream") is True and "tools" in body)),
    row("search-crashes", "A create that declares the search tool returns 500.",
        _crash_on(lambda body: any(
            tool.get("type") == "google_search" for tool in objects_in(body.get("tools"))))),
    row("choice-crashes", "A create whose tool_choice forbids calls returns 500.",
        _crash_on(lambda body: as_object(body.get("generation_config")).get("tool_choice") == "none")),
    row("turns-crash", "A create whose input is a list of turns with a role returns 500.",
        _crash_on(lambda body: any("role" in item for item in objects_in(body.get("input"))))),
)  # fmt: skip
