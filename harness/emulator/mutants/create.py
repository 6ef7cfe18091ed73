"""Mutants: the response to a create, the forms of input and the options that it takes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from harness.emulator.create.validation import CreateValidator
from harness.emulator.engine import Engine
from harness.emulator.mutants.changes import (
    Json,
    assign,
    crash,
    drop,
    each,
    put,
    refuse,
    when,
    with_contents,
    with_status,
)
from harness.emulator.mutants.hooks import (
    admit,
    body,
    create,
    deltas,
    output,
    request,
    request_body,
    response,
    row,
    steps,
)
from harness.emulator.mutants.parts import Defect, after, before, instead
from harness.emulator.reply.replies import ReplyBuilder
from harness.emulator.run.interaction_body import Bodies
from harness.emulator.service import Emulator
from harness.emulator.values.create_request import CreateRequest
from harness.emulator.values.stamps import IdSequence
from harness.kit.mutant import table
from harness.wire.bodies import objects_in


def _is(kind: str) -> Callable[..., bool]:
    return lambda content, *context: content.get("type") == kind


def _in_words(content: Json, *context: object) -> Json:
    return {"text": f"Imagine: {content['mime_type']}.", "type": "text"}


def _blank_in_background(field: str, value: Any) -> Defect:
    return create(when(
        lambda order, _: order.body.get("background") and order.body.get(field),
        assign(body=lambda order, _: {**order.body, field: value})))  # fmt: skip


def _has_stops(replies: ReplyBuilder, order: CreateRequest, steps: list[Json]) -> bool:
    return bool(order.generation.get("stop_sequences"))


def _begins_with(validator: CreateValidator, body: Json, *, content: bool) -> bool:
    given = objects_in(body.get("input"))
    return bool(given) and (given[0].get("type") in validator.contract.contents) is content


def _with_texts(order: CreateRequest, change: Callable[[str], str]) -> list[Json]:
    return with_contents(order, lambda parts: [_with_text(part, change) for part in parts])


def _with_text(part: Any, change: Callable[[str], str]) -> Any:
    if isinstance(part, dict) and isinstance(part.get("text"), str):
        return {**part, "text": change(part["text"])}
    return part


MUTANTS = table(
    "create",
    row("create-crashes", "Every create returns 500.", request("POST interactions", crash)),
    row("create-202", "A create returns 202.",
        after(Engine.create, lambda response, *_: with_status(response, 202))),
    row("create-wrapped", "The created interaction is wrapped in another object.",
        response("POST interactions", lambda body, _: {"interaction": body})),
    row("status-missing", "Interactions have no status.", body(drop("status"))),
    row("never-final",
        "A foreground create returns the status in_progress, as if it ran in the background.",
        response("POST interactions", put(status="in_progress"))),
    row("id-missing", "Stored interactions have no id.", body(drop("id"))),
    row("object-missing", "Interactions lack the field `object`.", body(drop("object"))),
    row("object-wrong", "Interactions have the `object` of another API, `response`.",
        body(put(object="response"))),
    row("times-not-rfc3339", "Times are written as day.month.year.",
        body(put(created="09.06.2026 00:00", updated="09.06.2026 00:00"))),
    row("times-missing", "Interactions have no times.", body(drop("created", "updated"))),
    row("updated-before-created", "The time of the last update is before the creation.",
        body(put(updated="2026-06-08T12:00:00Z"))),
    row("model-not-told", "Interactions do not name the model.", instead(Bodies.author, lambda bodies, run: {})),
    row("steps-repeat-input", "The response to a create begins with the user's input.",
        steps(lambda steps, run, timeline: steps if timeline else [*run.given, *steps])),
    row("completed-empty", "Completed interactions have a thought but no output.",
        output(lambda steps, _: [step for step in steps if step["type"] != "model_output"])),
    row("streams-unasked", "A create that does not mention `stream` returns a stream.",
        create(assign(stream=lambda order, _: order.body.get("stream") is not False))),
    row("stream-false-streams", "A create with `stream: false` returns a stream.",
        create(assign(stream=lambda order, _: "stream" in order.body))),
    row("format-ignored", "A create with a JSON response format returns prose.",
        instead(ReplyBuilder.fill_format,
                lambda replies, order, wanted: replies.text_content(order, replies.words(order)))),
    row("format-schema-ignored", "A create with a JSON response format returns JSON of another shape.",
        after(ReplyBuilder.fill_format, when(_is("text"), lambda content, *_: {**content, "text": "{}"}))),
    row("format-list-ignored", "A response format in a list is ignored.",
        request_body("POST interactions", when(
            lambda body, _: isinstance(body.get("response_format"), list), drop("response_format")))),
    row("image-described", "A create that asks for an image returns a text about one.",
        after(ReplyBuilder.fill_format, when(_is("image"), _in_words))),
    row("speech-written", "A create that asks for speech returns its text.",
        after(ReplyBuilder.fill_format, when(_is("audio"), _in_words))),
    row("format-streamed-fenced", "Streams wrap JSON in a Markdown code fence.",
        deltas("text", lambda pieces, _: ["```json\n", *pieces, "\n```"] if pieces[0][:1] == "{" else pieces)),
    row("instruction-lost-later", "`system_instruction` has no effect in the background.",
        _blank_in_background("system_instruction", "")),
    row("zero-refused", "A create with the temperature 0 returns 400.",
        admit("shape", when(
            lambda body: (body.get("generation_config") or {}).get("temperature") == 0, refuse("temperature")))),
    row("summaries-unasked", "Thoughts have a summary although the request disabled it.",
        output(each("thought", put(summary=[{"type": "text", "text": "I think."}])))),
    row("tier-not-shown", "Interactions do not show their service tier.", body(drop("service_tier"))),
    row("tier-header-other", "The header of the service tier names another tier than the body.",
        after(Emulator.perform, when(
            lambda response, *_: response is not None and "x-gemini-service-tier" in response.headers,
            assign(headers=lambda response, *_: response.headers.having("x-gemini-service-tier", "priority"))))),
    row("tiny-limit-ignored", "max_output_tokens changes nothing.",
        instead(ReplyBuilder.within_limit, when(
            lambda replies, order, _: "max_output_tokens" in (order.body.get("generation_config") or {}),
            lambda replies, order, steps: (steps, False)))),
    row("tiny-limit-ignored-later", "max_output_tokens changes nothing in the background.",
        _blank_in_background("generation_config", {})),
    row("tiny-limit-completes", "A run whose output was cut by max_output_tokens has the status completed.",
        instead(ReplyBuilder.status, lambda replies, steps, script, cut: (
            ReplyBuilder.status(replies, steps, script, False)))),
    row("stops-ignored", "`stop_sequences` change nothing.",
        instead(ReplyBuilder.before_stop, when(_has_stops, lambda replies, order, steps: steps))),
    row("stops-ignored-in-streams", "`stop_sequences` change nothing in streams.",
        instead(ReplyBuilder.before_stop, when(
            lambda replies, order, steps: order.stream and _has_stops(replies, order, steps),
            lambda replies, order, steps: steps))),
    row("stops-ignored-later", "`stop_sequences` change nothing in the background.",
        instead(ReplyBuilder.before_stop, when(
            lambda replies, order, steps: order.background and _has_stops(replies, order, steps),
            lambda replies, order, steps: steps))),
    row("ids-restart", "Ids are repeated after a few interactions.",
        before(IdSequence.number, assign(_count=lambda ids: ids._count % 2))),
    row("content-input-refused", "A single content is not accepted as input.",
        admit("needs_input", when(
            lambda body: isinstance(body.get("input"), dict), refuse("'input' must be a string.")))),
    row("contents-input-refused", "A list of contents is not accepted as input.",
        before(CreateValidator.needs_input, when(
            partial(_begins_with, content=True), refuse("'input' must be steps.")))),
    row("steps-input-refused", "A list of steps is not accepted as input.",
        before(CreateValidator.needs_input, when(
            partial(_begins_with, content=False), refuse("'input' must be a string or contents.")))),
    row("bare-step-refused", "A bare string is not accepted as the content of a step.",
        admit("needs_input", when(
            lambda body: isinstance(body.get("input"), list) and any(
                isinstance(item.get("content"), str) for item in body["input"]),
            refuse("'content' must be a list.")))),
    row("author-not-needed", "A create that names neither model nor agent runs a default model.",
        admit("shape", when(
            lambda body: "model" not in body and "agent" not in body, put(model="gemini-3.8-flash")))),
    row("agent-beside-model-dropped", "A create that names both model and agent runs the model.",
        admit("shape", when(lambda body: {"model", "agent"} <= body.keys(), drop("agent")))),
    row("input-not-needed", "A create without input is accepted.",
        admit("shape", when(lambda body: not body.get("input"), put(input="?")))),
    row("agent-config-dropped", "agent_config with a model is silently dropped.",
        admit("shape", when(lambda body: {"model", "agent_config"} <= body.keys(), drop("agent_config")))),
    row("generation-config-dropped", "generation_config with an agent is silently dropped.",
        admit("shape", when(lambda body: "agent" in body, drop("generation_config")))),
    row("webhook-crashes", "A create with webhook_config but without background returns 500.",
        admit("between_fields", when(
            lambda body: "webhook_config" in body and body.get("background") is not True, crash))),
    row("labels-crash", "A create with labels returns 500.",
        admit("between_fields", when(lambda body: "labels" in body, crash))),
    row("input-ascii-only", "Characters beyond ASCII in the input are stored as question marks.",
        create(assign(given=lambda order, _: _with_texts(
            order, lambda text: text.encode("ascii", "replace").decode())))),
    row("input-cut", "Input is cut to 64 KiB of text.",
        create(assign(given=lambda order, _: _with_texts(order, lambda text: text[:65_536])))),
    row("large-crashes", "A create of more than half a megabyte returns 500.",
        request("POST interactions", when(lambda call, _: len(call.request.body) > 500_000, crash))),
    row("shape-outputs", "A create returns `outputs`, as before May 2026, in place of `steps`.",
        response("POST interactions", when(
            lambda body, _: "steps" in body, lambda body, _: body.update(outputs=body.pop("steps"))))),
)  # fmt: skip
