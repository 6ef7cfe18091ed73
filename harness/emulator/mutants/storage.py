"""Mutants: reading what is stored, store=false, isolation, deleting."""

from __future__ import annotations

import math

from msgspec.structs import replace

from harness.emulator.engine import Engine
from harness.emulator.mutants.changes import (
    answer,
    assign,
    crash,
    drop,
    each,
    ignore,
    is_unknown,
    not_found,
    put,
    refuse,
    when,
)
from harness.emulator.mutants.hooks import admit, create, request, response, row, steps
from harness.emulator.mutants.parts import Change, Defect, after, around, before, count, instead, memory
from harness.emulator.run.interaction_body import Bodies
from harness.emulator.run.store import InteractionStore
from harness.emulator.values.call import Call, json_response
from harness.kit.mutant import table
from harness.wire import Response

_OTHER_INPUT = [{"type": "text", "text": "What another user asked."}]


def _read_newest(call: Call, engine: Engine) -> Call:
    engine.require_run(call.segments[1], call.project)
    mine = [run.id for run in engine.store.all() if run.project == call.project]
    return replace(call, segments=("interactions", mine[-1]))


def _delete_for_anybody(call: Call, engine: Engine) -> Response | None:
    run = engine.store.get(call.segments[1])
    if run is None:
        return None
    engine.store.forget(run)
    return engine.json(b"{}")


def _read_from_cache(call: Call, engine: Engine) -> Call | None:
    run, cached = engine.store.get(call.segments[1]), memory(engine)
    if run is not None and run.project == call.project:
        cached[run.id] = run
    return replace(call, project=run.project) if run is not None and run.id in cached else None


def _is_running(call: Call, engine: Engine) -> bool:
    run = engine.find(call.segments[1], call.project)
    return run is not None and not run.settled


def _is_dead(engine: Engine, call: Call, interaction_id: str) -> bool:
    return interaction_id in memory(engine)


def _bury(inner: Change, engine: Engine, call: Call, interaction_id: str) -> Response:
    run = engine.find(interaction_id, call.project)
    response: Response = inner(call, interaction_id)
    if run is not None:
        memory(engine)[interaction_id] = run
    return response


_REMEMBERED = around(Engine.delete, _bury)
"""Remembers deleted interactions."""


def _find_the_dead(engine: Engine, call: Call) -> None:
    engine.validator.find = lambda parent, project: memory(engine).get(parent) or engine.find(parent, project)


def _come_back(*, settled: bool) -> tuple[Defect, Defect]:
    """Show a deleted interaction again half a second later, if it was or was not settled."""

    def note(engine: Engine, call: Call, interaction_id: str) -> None:
        run = engine.find(interaction_id, call.project)
        if run is not None and run.settled is settled:
            memory(engine)[interaction_id] = run, engine.clock.now + 0.5

    def is_back(engine: Engine, call: Call, interaction_id: str) -> bool:
        return bool(engine.clock.now >= memory(engine).get(interaction_id, (None, math.inf))[1])

    def show(engine: Engine, call: Call, interaction_id: str) -> Response:
        return engine.json(engine.bodies.render(memory(engine)[interaction_id][0], timeline=True))

    return before(Engine.delete, note), instead(Engine.get, when(is_back, show))


def _hold_and_forget(call: Call, engine: Engine) -> Response:
    run = engine.require_run(call.segments[1], call.project)
    run.hold()
    engine.store.forget(run)
    return engine.json(b"{}")


MUTANTS = table(
    "storage",
    row("get-halves-usage", "GET shows half the tokens that the create brought.",
        response("GET interactions/*", when(
            lambda body, _: isinstance(body.get("usage"), dict),
            lambda body, _: {**body, "usage": {"total_tokens": body["usage"]["total_tokens"] // 2}}))),
    row("reads-nothing", "Stored interactions are not found.", request("GET interactions/*", not_found)),
    row("reads-another", "A read returns the newest interaction, whatever id was requested.",
        request("GET interactions/*", _read_newest)),
    row("interactions-page-repeats", "Every page of interactions is the first one.",
        request("GET interactions", ignore("page_token"))),
    row("interactions-page-of-50", "A page of interactions has 50 entries by default.",
        request("GET interactions", lambda call, _: replace(call, query={"page_size": "50", **call.query}))),
    row("created-moves", "`created` is another second in every response.",
        after(Bodies.interaction, lambda body, bodies, *_, **how: (
            {**body, "created": f"2026-06-08T00:00:{count(bodies) % 60:02}Z"}))),
    row("reads-differ", "The token counts of a settled interaction grow with every read.",
        after(Bodies.usage, lambda usage, bodies, _: (
            {**usage, "total_tokens": usage["total_tokens"] + count(bodies)}))),
    row("stored-output-cut", "A stored interaction lacks the last step of its output.", steps(
        lambda steps, run, timeline: (
            steps[:-1] if timeline and run.settled and run.status == "completed" else steps))),
    row("stored-without-input", "The timeline that a read shows lacks the user's input.",
        steps(lambda steps, run, timeline: run.finished_steps())),
    row("stored-with-other-input", "The timeline that a read shows begins with the input of another interaction.",
        steps(lambda steps, run, timeline: each("user_input", put(content=_OTHER_INPUT))(steps))),
    row("include-input-refused", "include_input returns 400.",
        request("GET interactions/*", when(
            lambda call, _: "include_input" in call.query,
            refuse("Unknown parameter 'include_input'.", 400, "parameter_unknown")))),
    row("stream-parameter-truthy",
        "A read with any value of `stream` returns a stream, `false` included.",
        instead(Engine.read_flag, when(
            lambda engine, query, name: name == "stream" and query.get(name, "true") != "true",
            lambda *_: True))),
    row("cursor-without-stream-crashes", "`last_event_id` without stream=true returns 500.",
        request("GET interactions/*", when(
            lambda call, _: "last_event_id" in call.query and call.query.get("stream") != "true", crash))),
    row("unknown-read-200", "A read of an unknown id returns 200 and an empty object.",
        request("GET interactions/*", when(
            lambda call, engine: call.query.get("stream") != "true" and is_unknown(call, engine), answer({})))),
    row("store-false-stored", "Interactions created with `store: false` are stored anyway.",
        create(assign(store=True))),
    row("store-false-chained-stored", "Chained interactions created with `store: false` are stored anyway.",
        create(when(lambda order, _: order.previous is not None and not order.store, assign(store=True)))),
    row("store-false-background", "A background run may be created with `store: false`.",
        admit("shape", when(lambda body: body.get("background") is True and "store" in body, drop("store")))),
    row("projects-shared", "Another project's key can read, cancel and delete every interaction.",
        instead(InteractionStore.may_see, when(
            lambda store, run, project: run.project != project, lambda *_: True))),
    row("projects-share-webhooks", "Another project's key can read the webhook that was made last.",
        request("POST webhooks", lambda call, engine: memory(engine).update(owner=call.project)),
        request("GET webhooks/*", lambda call, engine: (
            replace(call, project=memory(engine).get("owner", call.project))))),
    row("projects-shared-for-deletes", "Another project's key can delete every interaction.",
        request("DELETE interactions/*", _delete_for_anybody)),
    row("projects-shared-for-cached-reads",
        "A response that its own project has read can be read with any key, as from a cache that ignores keys.",
        request("GET interactions/*", _read_from_cache)),
    row("delete-refused", "Every delete is refused.",
        request("DELETE interactions/*", refuse("DELETE is not implemented.", 501, "unimplemented"))),
    row("delete-keeps", "A delete returns 200 but deletes nothing.",
        request("DELETE interactions/*", when(lambda *context: not is_unknown(*context), answer({})))),
    row("deleted-streams-on", "A deleted interaction can still be streamed.",
        _REMEMBERED,
        instead(Engine.get, when(
            lambda engine, call, deleted: _is_dead(engine, call, deleted) and call.query.get("stream") == "true",
            lambda engine, call, deleted: engine.streams.open(memory(engine)[deleted])))),
    row("deleted-cancels", "A deleted interaction can be canceled, and the response shows it.",
        _REMEMBERED,
        instead(Engine.cancel, when(_is_dead, lambda engine, _, deleted: (
            engine.json(engine.bodies.render(memory(engine)[deleted], timeline=True)))))),
    row("deleted-chains-on", "A deleted interaction can still be continued.",
        _REMEMBERED,
        before(Engine.create, _find_the_dead)),
    row("delete-undone", "A deleted interaction is gone, and half a second later it is there again.",
        *_come_back(settled=True)),
    row("deleted-run-written-back",
        "A run that is deleted while it is in progress is gone, and half a second later it is there again.",
        *_come_back(settled=False)),
    row("deleted-reader-hangs", "A stream that is open while its run is deleted never ends.",
        request("DELETE interactions/*", when(_is_running, _hold_and_forget))),
    row("deleted-shown", "A read of a deleted interaction returns 200 and the status `deleted`.",
        _REMEMBERED,
        instead(Engine.get, when(_is_dead, lambda engine, call, deleted: (
            json_response({"id": deleted, "status": "deleted", "object": "interaction"}))))),
    row("delete-twice-crashes", "A second delete returns 500.",
        _REMEMBERED,
        before(Engine.delete, when(_is_dead, crash))),
    row("delete-takes-all", "A delete removes all interactions.",
        after(Engine.delete, lambda response, engine, *_: engine.store.clear())),
    row("delete-unknown-403", "A delete of an unknown id returns 403.",
        request("DELETE interactions/*", when(is_unknown, refuse("Not yours.", 403, "permission_denied")))),
    row("delete-running-crashes", "A delete of a run in progress returns 500.",
        request("DELETE interactions/*", when(_is_running, crash))),
    row("delete-running-ignored", "A delete of a run in progress returns 200 but the run is kept.",
        request("DELETE interactions/*", when(_is_running, answer({})))),
    row("id-reused-after-delete", "The id of a deleted interaction is given to the next one.",
        after(Engine.delete, lambda _, engine, call, deleted: (
            memory(engine).setdefault("free", []).append(deleted))),
        instead(Engine.interaction_id, when(
            lambda engine, number: memory(engine).get("free"),
            lambda engine, number: memory(engine)["free"].pop()))),
    row("shape-get", "The labels in the response to a GET are a number.",
        response("GET interactions/*", put(labels=5))),
)  # fmt: skip
