"""Rows of mutants, and where their defects act: the hooks, in the order in which a request meets them.

A row is an id, what is wrong, and the defect that does it, read in one look: what a user would notice comes first.
Every kept resource has the same mutants (`life_rows`); a row of its area is for what is special to it.

Every hook takes a change, a function that gets a thing and what it belongs to. Most changes edit the thing in
place or return a new one. A call is written as method and path, with `*` for a segment (`*:ping` for one that ends
so), `**` for any rest: `GET interactions/*`.

`parts` has the hooks for everything else: `instead`, `before` and `after` a method, and the `memory` of a part.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any, TypeAlias

import msgspec
from msgspec.structs import replace

from harness.emulator.create.validation import CreateValidator
from harness.emulator.engine import Engine
from harness.emulator.mutants import changes
from harness.emulator.mutants.parts import Change, Defect, after, around, before
from harness.emulator.reply.replies import ReplyBuilder
from harness.emulator.resources.router import Resources
from harness.emulator.run.event_writer import EventWriter
from harness.emulator.run.interaction_body import Bodies
from harness.emulator.run.run import Run
from harness.emulator.run.stream_response import Streams
from harness.emulator.service import Emulator
from harness.emulator.values.call import Call, Refusal, Route, match_path, route
from harness.emulator.values.create_request import CreateRequest
from harness.emulator.values.usage import Meter
from harness.kit.mutant import Mutant
from harness.wire import Body, Request, Response
from harness.wire.bodies import object_or_none

EVERY = "* **"

_METHODS = ("*", "GET", "POST", "PATCH", "PUT", "DELETE")
_COLLECTIONS = (
    "**", "interactions", "agents", "environments", "webhooks", "triggers", "credentials", "upload",
    "files", "fileSearchStores", "voices", "decisions",
)  # fmt: skip

_MAKERS: dict[str, Callable[..., Any]] = {
    "interaction.created": EventWriter.build_created,
    "interaction.status_update": EventWriter.status_update,
    "interaction.completed": EventWriter.build_completed,
    "step.start": EventWriter.start,
    "step.delta": EventWriter.delta,
    "step.stop": EventWriter.stop,
    "error": EventWriter.error,
}
"""Maps each type of event to the method that makes it."""

_DELTAS: dict[str, Callable[..., Any]] = {
    "text": EventWriter.text_pieces,
    "thought": EventWriter.build_thought_deltas,
    "arguments": EventWriter.arguments,
}
"""Maps what is streamed in pieces to the method that makes them."""


def arrival(change: Callable[[Request, Route], Request | Response | None]) -> Defect:
    """Change a request before its key is looked at, or answer it."""

    def operate(inner: Change, _: Emulator, engine: Engine, request: Request, where: Route) -> Any:
        changed = change(request, where)
        if isinstance(changed, Request):
            return inner(engine, changed, route(changed.target))
        return changed if changed is not None else inner(engine, request, where)

    return around(Emulator.operate, operate)


def request(calls: str, change: Callable[[Call, Engine], Call | Response | None]) -> Defect:
    """Change a call, or answer it."""
    concerns = _compile(calls)

    def perform(inner: Change, _: Emulator, engine: Engine, call: Call) -> Any:
        changed = change(call, engine) if concerns(call) else None
        if isinstance(changed, Response):
            return changed
        return inner(engine, changed if changed is not None else call)

    return around(Emulator.perform, perform)


def request_body(calls: str, change: Callable[[changes.Json, Call], changes.Json | None]) -> Defect:
    """Change the JSON object that a call brings, or refuse the call for it."""

    def edit(call: Call, _: Engine) -> Call:
        body = changes.read_json(call)
        other = change(body, call)
        changed = body if other is None else other
        return (
            call if changed == changes.read_json(call) else changes.with_data(call, msgspec.json.encode(changed))
        )

    return request(calls, changes.when(lambda call, _: object_or_none(call.request.body) is not None, edit))


def accept(name: str, **usual: Any) -> Defect:
    """Create what is refused in a collection as if it had these values, and keep its own ones."""

    def create(inner: Change, resources: Resources, call: Call) -> Any:
        try:
            return inner(call)
        except Refusal:
            if call.request.method != "POST" or tuple(call.segments) != (name,):
                raise
            odd = {field: call.body[field] for field in usual if field in call.body}
            made = inner(replace(call, body={**call.body, **usual}))

            def keep(value: changes.Json) -> changes.Json:
                getattr(resources.kept, name).require(call.project, value["id"]).fields.update(odd)
                return {**value, **odd}

            return changes.edit_json(made, keep)

    return around(Resources.handle, create)


def response(calls: str, change: Callable[[Any, Call], Any]) -> Defect:
    """Change the JSON value of an answer; streams, downloads and refusals stay as they are."""
    concerns = _compile(calls)

    def edit(response: Response | None, _: Emulator, engine: Engine, call: Call) -> Response | None:
        if response is None or not concerns(call):
            return None
        return changes.edit_json(response, lambda value: change(value, call))

    return after(Emulator.perform, edit)


def error(calls: str, change: Callable[[Refusal, Call], Response | None]) -> Defect:
    """Answer a refused call in another way; if the change itself refuses, that refusal is sent."""
    concerns = _compile(calls)

    def refuse(inner: Change, _: Emulator, refusal: Refusal, request: Request, where: Route) -> Response:
        call = Call(request, where.segments, where.query)
        try:
            changed = change(refusal, call) if concerns(call) else None
        except Refusal as other:
            changed = other.response()
        return changed if changed is not None else inner(refusal, request, where)

    return around(Emulator.refuse, refuse)


def admit(step: str, change: Change) -> Defect:
    """Change what a step of the validation looks at, refuse it, or leave the step out."""
    return before(getattr(CreateValidator, step), lambda _, *arguments: change(*arguments))


def create(change: Callable[[CreateRequest, Engine], object]) -> Defect:
    """Change an admitted create, or refuse it."""
    return before(Engine.open, lambda engine, order: change(order, engine))


def run(change: Callable[[Run, CreateRequest, Engine], object]) -> Defect:
    """Change a run that has just been made, or what is stored."""
    return after(Engine.open, lambda made, engine, _: change(made[0], made[1], engine))


def output(change: Callable[[list[changes.Json], CreateRequest], list[changes.Json] | None]) -> Defect:
    """Change the steps that a run will have, in its body and in its streams."""

    def edit(
        made: tuple[list[changes.Json], bool], _: ReplyBuilder, order: CreateRequest, script: object
    ) -> tuple[list[changes.Json], bool]:
        changed = change(made[0], order)
        return made if changed is None else (changed, made[1])

    return after(ReplyBuilder.steps, edit)


def usage(change: Change) -> Defect:
    """Change the token counts of a run."""
    return after(Meter.assemble, lambda usage, *_: change(usage))


def body(change: Callable[[changes.Json, Run], changes.Json | None]) -> Defect:
    """Change an interaction as JSON."""
    return after(Bodies.interaction, lambda body, _, run, **how: change(body, run))


def status(change: Callable[[str, Run], str]) -> Defect:
    """Change the status of an interaction as JSON."""
    return after(Bodies.status, lambda status, _, run: change(status, run))


def steps(change: Callable[[list[changes.Json], Run, bool], list[changes.Json]]) -> Defect:
    """Change the steps of an interaction as JSON, without touching those of the run."""
    return after(Bodies.steps, lambda steps, _, run, timeline: change(steps, run, timeline))


def event(name: str, change: Callable[[changes.Json], changes.Json | None]) -> Defect:
    """Change every event of one type."""
    return after(_MAKERS[name], lambda event, *_: change(event))


def events(change: Callable[[list[changes.Json], Run], list[changes.Json]]) -> Defect:
    """Change the events of a run but the last one, which is made when the run ends."""
    return after(EventWriter.sequence, lambda events, _, run: change(events, run))


def deltas(kind: str, change: Callable[[list[Any], Any], list[Any]]) -> Defect:
    """Change the pieces of a `text`, or the deltas of a `thought` or of `arguments`."""
    return after(_DELTAS[kind], lambda deltas, _, run, source: change(deltas, source))


def payload(change: Callable[[changes.Json], changes.Json | None]) -> Defect:
    """Change the content of an event, as late as possible; runs share events, so the change gets a copy."""

    def write(inner: Change, _: EventWriter, payload: changes.Json) -> Any:
        copy = dict(payload)
        changed = change(copy)
        return inner(copy if changed is None else changed)

    return around(EventWriter.frame, write)


def frame(change: Callable[[bytes, bytes], bytes]) -> Defect:
    """Write the bytes of an event from its name and its JSON."""
    return around(EventWriter.encode_frame, lambda inner, _, name, data: change(name, data))


def stream(change: Callable[[Body, Run, int], Body]) -> Defect:
    """Change the body of a stream."""
    return after(Streams.body, lambda body, _, run, position: change(body, run, position))


def _compile(calls: str) -> Callable[[Call], bool]:
    """Return the test for calls that are written as `METHOD path`. Raises ValueError for one that never comes."""
    method, _, path = calls.partition(" ")
    parts = path.split("/")
    if method not in _METHODS or parts[0] not in _COLLECTIONS:
        raise ValueError(
            f"no call is written {calls!r}: give a method ({', '.join(_METHODS)}) and a path that begins with "
            f"one of {', '.join(_COLLECTIONS)}, such as 'GET interactions/*'"
        )

    def concerns(call: Call) -> bool:
        segments = call.segments[:-1] if call.segments and not call.segments[-1] else call.segments
        found = match_path(parts, segments) if method in ("*", call.request.method) else None
        # a verb is part of a segment, and only `*:verb` means it
        return found is not None and (":" in path or not any(":" in text for text in found))

    return concerns


EmulatorMutant: TypeAlias = Mutant[type[Emulator]]


def row(mutant_id: str, summary: str, *defects: Defect) -> EmulatorMutant:
    """Return the emulator with these defects as a mutant. Raises ValueError if there is none."""
    for defect in defects:
        if not callable(defect):
            raise ValueError(f"the mutant {mutant_id!r} has the defect {defect!r}: write {_HOW}")
    if not defects:
        raise ValueError(f"the mutant {mutant_id!r} has no defect: write {_HOW}")
    return Mutant(mutant_id, summary, reduce(lambda emulator, defect: defect(emulator), defects, Emulator))


_HOW = "a hook of `mutants/hooks.py` or `mutants/parts.py` with a change, such as status(turn(queued='completed'))"


def life_rows(prefix: str, collection: str, many: str, *, paged: bool = True) -> tuple[EmulatorMutant, ...]:
    """The mutants whose resources, called `many`, do not live as they should; `paged`: a rule judges pages."""
    page = row(f"{prefix}-page-repeats", f"Every page of {many} is the first one.",
        request(f"GET {collection}", changes.ignore("page_token", "pageToken")))  # fmt: skip
    return (
        *([page] if paged else []),
        row(f"{prefix}-not-kept", f"Made {many} are not found.",
            request(f"GET {collection}/*", changes.not_found)),
        row(f"{prefix}-list-empty", f"The list of {many} is always empty.",
            request(f"GET {collection}", changes.answer({}))),
        row(f"{prefix}-delete-keeps", f"A delete of {many} returns 200 but they are kept.",
            request(f"DELETE {collection}/*", changes.answer({}))),
    )  # fmt: skip


def unknown_rows(prefix: str, collection: str, many: str) -> tuple[EmulatorMutant, ...]:
    """The mutants that do not refuse a read of `many` that do not exist."""
    return (
        row(f"{prefix}-unknown-200", f"A read of unknown {many} returns 200.",
            error(f"GET {collection}/*", changes.when(changes.is_missing, changes.answer({})))),
        row(f"{prefix}-unknown-crashes", f"A read of unknown {many} returns 500.",
            error(f"GET {collection}/*", changes.when(changes.is_missing, changes.crash))),
    )  # fmt: skip
