"""Mutants: cancelling."""

from __future__ import annotations

from msgspec.structs import replace

from harness.emulator.engine import Engine
from harness.emulator.mutants.changes import (
    Json,
    crash,
    drop,
    edit_json,
    inside,
    is_unknown,
    not_found,
    put,
    refuse,
    skip,
    turn,
    when,
)
from harness.emulator.mutants.hooks import request, response, row
from harness.emulator.mutants.parts import after, before, count, instead
from harness.emulator.run.run import Run
from harness.emulator.run.stream_response import StreamBody, Streams
from harness.emulator.values.call import Call, json_response
from harness.kit.mutant import table
from harness.wire import Piece, Response


def _is_late(engine: Engine, run: Run) -> bool:
    return run.settled and run.status != "cancelled"


def _end_completed(engine: Engine, run: Run) -> None:
    run.cancel()
    run._goal = "completed"


def _stop_all(engine: Engine, run: Run) -> None:
    for other in [*engine.store._runs.values()]:
        if other.background and not other.settled and other is not run:
            other.cancel()


def _cancel_and_forget(engine: Engine, run: Run) -> None:
    run.cancel()
    engine.store.forget(run)


def _call_settled_cancelled(engine: Engine, run: Run) -> object:
    """Leave out the refusal, and show a settled run as cancelled."""
    if run.settled:
        run._goal = "cancelled"
    return skip()


def _wipe(engine: Engine, run: Run) -> None:
    run.steps = []


def _bill_on(response: Response, engine: Engine, call: Call, interaction_id: str) -> Response | None:
    """Count more output tokens with each read of a cancelled run."""
    run = engine.require_run(interaction_id, call.project)
    if call.query.get("stream") == "true" or run.status != "cancelled":
        return None
    more = count(engine, run.id)
    names = ("total_output_tokens", "total_tokens")
    return edit_json(response, inside("usage", lambda usage: (
        {**usage, **{name: usage.get(name, 0) + more for name in names}})))  # fmt: skip


class _Deaf(StreamBody):
    """Never ends once its run has been cancelled."""

    def _take(self) -> Piece:
        return self._waiting.begin() if self._run.status == "cancelled" else super()._take()


def _close_as_completed(run: Run, events: list[Json]) -> None:
    goal, run._goal = run._goal, "completed"
    Run._close(run, events)
    run._goal = goal


MUTANTS = table(
    "cancel",
    row("cancel-missing", "There is no cancel operation.",
        request("POST interactions/*/cancel", refuse("Method not found.", 404, "not_found"))),
    row("cancel-noop", "A cancel returns 200 but the run continues.", before(Engine.stop, skip)),
    row("cancel-stops-all", "A cancel stops all background runs in progress.", before(Engine.stop, _stop_all)),
    row("cancel-completes", "A cancelled run is shown as completed.", instead(Engine.stop, _end_completed)),
    row("cancel-answers-bare", "A cancel returns an interaction without the output that GET shows.",
        response("POST interactions/*/cancel", drop("steps", "usage"))),
    row("cancelled-comes-back", "A few polls after the cancel, the run is shown as completed after all.",
        after(Engine.get, when(
            lambda response, engine, call, run_id: count(engine, run_id) > 1,
            lambda response, *_: edit_json(response, inside("status", turn(cancelled="completed")))))),
    row("cancelled-bills-on", "Each look at a cancelled run shows more output tokens.",
        after(Engine.get, _bill_on)),
    row("cancelled-vanishes", "A cancelled interaction can no longer be read.",
        request("GET interactions/*", when(
            lambda call, engine: engine.require_run(call.segments[1], call.project).status == "cancelled",
            not_found))),
    row("cancelled-stream-hangs", "A stream that is open while its run is cancelled never ends.",
        instead(Streams.body, when(lambda streams, run, position: not run.settled,
            lambda streams, run, position: _Deaf(run, position, streams.waiting(run), streams._lock)))),
    row("cancelled-stream-silent",
        "A stream that is open while its run is cancelled ends without a closing event.",
        before(Run._close, when(lambda run, events: run._goal == "cancelled", skip))),
    row("cancelled-stream-goes-on",
        "A stream that is open while its run is cancelled delivers the whole output and reports it as completed.",
        before(Run._stop_here, skip),
        instead(Run._close, _close_as_completed)),
    row("cancel-twice-crashes", "A second cancel returns 500.",
        before(Engine.require_cancellable, when(lambda engine, run: run.status == "cancelled", crash))),
    row("cancel-foreground", "A finished foreground interaction becomes cancelled.",
        before(Engine.require_cancellable, when(lambda engine, run: not run.background, _call_settled_cancelled))),
    row("cancel-settled", "A finished background run becomes cancelled.",
        before(Engine.require_cancellable, when(lambda engine, run: run.background, _call_settled_cancelled))),
    row("cancel-wipes-foreground", "A refused cancel of a foreground interaction removes its output.",
        before(Engine.require_cancellable, when(lambda engine, run: not run.background, _wipe))),
    row("cancel-wipes-background", "A refused cancel of a finished background run removes its output.",
        before(Engine.require_cancellable, when(
            lambda engine, run: run.background and _is_late(engine, run), _wipe))),
    row("cancel-late-crashes", "A cancel of a settled run returns 500.",
        before(Engine.require_cancellable, when(_is_late, crash))),
    row("cancel-unknown-200", "A cancel of an unknown id returns 200.",
        request("POST interactions/*/cancel", when(is_unknown, lambda call, _: json_response(
            {"id": call.segments[1], "status": "cancelled", "object": "interaction"})))),
    row("cancel-colon", "`{id}:cancel` is a route too.", request("POST interactions/*:cancel",
        lambda call, engine: (
            replace(call, segments=("interactions", call.segments[1].removesuffix(":cancel"), "cancel"))))),
    row("cancel-deletes", "A cancel deletes the interaction.", instead(Engine.stop, _cancel_and_forget)),
    row("shape-cancel", "The labels in the response to a cancel are a number.",
        response("POST interactions/*/cancel", put(labels=5))),
)  # fmt: skip
