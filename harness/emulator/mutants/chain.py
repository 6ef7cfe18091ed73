"""Mutants: continuing an interaction, by its id or by a continuation token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.emulator.create.validation import CreateValidator
from harness.emulator.engine import Engine
from harness.emulator.mutants.changes import Json, assign, crash, drop, html, refuse, skip, when
from harness.emulator.mutants.hooks import admit, body, create, error, row, run
from harness.emulator.mutants.parts import Change, Defect, after, before, count, instead, memory
from harness.emulator.run.run import Run
from harness.emulator.values.create_request import CreateRequest
from harness.kit.mutant import table
from harness.wire import COMPLETE, Chunk, Chunked, Pause, PieceBody, Response
from harness.wire.message import JSON_HEADERS


def _change_chained(change: Callable[[Run, Any, Engine], None]) -> Defect:
    """Change a run that has just been made, where it continues another one; the change gets that, too."""

    def change_child(run: Run, order: CreateRequest, engine: Engine) -> None:
        change(run, order.previous, engine)

    return run(when(lambda run, order, engine: order.previous is not None, change_child))


def _take_parents_place(run: Run, parent: Run, engine: Engine) -> None:
    if run.stored:
        engine.store.forget(run)
        run.id = parent.id
        engine.store.keep(run)


def _append_to_parent(run: Run, parent: Run, *_: object) -> None:
    parent.steps = [*parent.steps, *run.steps]


def _repeat_parents_instruction(run: Run, parent: Run, *_: object) -> None:
    told = parent.body.get("system_instruction")
    if told:
        run.steps = [*run.steps, {"type": "model_output", "content": [{"type": "text", "text": told}]}]


def _has_unknown_parent(validator: CreateValidator, body: Json, project: str, *surface: object) -> bool:
    parent = body.get("previous_interaction_id", "")
    return parent != "" and validator.find(parent, project) is None


def _drop_parent(validator: CreateValidator, body: Json, project: str, *surface: object) -> None:
    del body["previous_interaction_id"]


def _forget_if(field: str) -> Defect:
    return run(when(lambda run, order, engine: order.body.get(field) and run.context, assign(context=0)))


def _inherit(field: str) -> Defect:
    return create(when(
        lambda order, _: order.previous is not None and order.previous.body.get(field),
        assign(body=lambda order, _: {field: order.previous.body[field], **order.body})))  # fmt: skip


def _streams_after_running(validator: CreateValidator, body: Json, project: str, *surface: object) -> bool:
    parent = validator.find(body.get("previous_interaction_id", ""), project)
    return bool(body.get("stream")) and parent is not None and not parent.settled


def _wait(response: Response, engine: Engine, opened: tuple[Run, CreateRequest]) -> Response:
    run = opened[0]
    if not run.settled:
        run.settle("completed")
    late = PieceBody((Pause(5.0), Chunk(engine.bodies.render(run, timeline=False)), COMPLETE))
    return Response(200, JSON_HEADERS, Chunked(), late)


def _change_second(change: Change) -> Defect:
    """Change a second child of a parent, or the first one, which the change gets, too."""

    def edit(run: Run, parent: Run, engine: Engine) -> None:
        sibling = memory(engine).get(parent.id)
        if sibling is not None:
            change(run, sibling)
        memory(engine)[parent.id] = run

    return _change_chained(edit)


MUTANTS = table(
    "chain",
    row("chain-ignored", "`previous_interaction_id` is ignored, whatever it names.",
        admit("shape", when(lambda body, *_: "previous_interaction_id" in body, drop("previous_interaction_id")))),
    row("chain-not-echoed", "A chained interaction does not name its parent.",
        body(drop("previous_interaction_id"))),
    row("chain-history-lost", "The history is not carried over.", instead(Run.total_context, lambda run: 0)),
    row("chain-one-turn-only", "A turn carries over the turn before it, and none of those before that.",
        run(when(
            lambda run, order, _: order.previous is not None and order.previous.context > 0,
            assign(context=lambda run, order, _: order.previous.total_context() - order.previous.context)))),
    row("chain-streamed-turn-lost", "A turn after a streamed one carries over only the turns before that one.",
        run(when(
            lambda run, order, _: order.previous is not None and order.previous.body.get("stream"),
            assign(context=lambda run, order, _: order.previous.context)))),
    row("chain-streamed-ignored", "A streamed turn carries nothing over.", _forget_if("stream")),
    row("chain-background-ignored", "A background turn carries nothing over.", _forget_if("background")),
    row("chain-repeats-steps", "The response to a chained create repeats the steps of its parent.",
        _change_chained(assign(steps=lambda run, parent, _: [*parent.steps, *run.steps]))),
    row("chain-same-id", "A chained interaction takes its parent's id and place.",
        _change_chained(_take_parents_place)),
    row("parent-mutated", "A child appends its steps to its parent.", _change_chained(_append_to_parent)),
    row("sibling-continued", "A second child continues the first one, not their parent.",
        _change_second(assign(context=lambda run, sibling: sibling.total_context()))),
    row("one-child-only", "A parent can be continued only once.",
        after(CreateValidator.parent, when(
            lambda run, validator, *_: count(validator, run.id) > 1,
            refuse("It was continued already.", 400, "failed_precondition")))),
    row("chained-background-waits", "The response to a background create with a parent waits for its run.",
        after(Engine.answer, when(
            lambda response, _, opened: opened[1].previous and opened[0].background and not opened[1].stream,
            _wait))),
    row("chain-running-allowed", "A run in progress can be continued.",
        admit("parent_settled", when(lambda run: not run.settled, skip))),
    row("chain-running-streamed", "A streamed turn can continue a run in progress.",
        before(CreateValidator.resolve, when(_streams_after_running, _drop_parent))),
    row("chain-running-crashes", "A create with the previous_interaction_id of a run in progress returns 500.",
        admit("parent_settled", when(lambda run: not run.settled, crash))),
    row("chain-background-refused", "A background run cannot be continued, even when it has settled.",
        admit("parent_settled", when(
            lambda run: run.background, refuse("It ran in the background.", 400, "failed_precondition")))),
    row("chain-unknown-allowed", "An unknown `previous_interaction_id` is ignored.",
        before(CreateValidator.resolve, when(_has_unknown_parent, _drop_parent))),
    row("tools-inherited", "The tools of a parent are inherited.", _inherit("tools")),
    row("instruction-inherited", "A chained turn answers by the system_instruction of its parent.",
        _change_chained(_repeat_parents_instruction)),
    row("limits-inherited", "The generation_config of a parent is inherited.", _inherit("generation_config")),
    row("chained-not-stored", "A chained interaction has an id but is not stored.",
        _change_chained(when(
            lambda run, *_: run.stored, lambda run, parent, engine: engine.store.forget(run)))),
    row("stateless-turn-refused", "The output steps of an earlier turn are refused as input.",
        admit("signatures", when(
            lambda order: any(step.get("type") == "model_output" for step in order.given),
            refuse("Input takes no step of type 'model_output'.")))),
    row("shape-chain-refusal",
        "A create that continues an interaction is refused with an HTML page instead of an error object.",
        error("POST interactions", lambda refusal, call: (
            html(refusal.status) if b'"previous_interaction_id"' in call.request.body else None))),
)  # fmt: skip
