"""Mutants: background runs, and how clients see them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

from harness.contract.transcript import results
from harness.emulator.engine import Engine
from harness.emulator.mutants.changes import Json, drop, edit_json, not_found, put, refuse, turn, when
from harness.emulator.mutants.hooks import body, create, request, response, row, status, steps
from harness.emulator.mutants.parts import Change, Defect, after, around, count
from harness.emulator.run.event_writer import EventWriter
from harness.emulator.run.interaction_body import Bodies
from harness.emulator.run.run import Run
from harness.emulator.values.call import Call
from harness.emulator.values.create_request import CreateRequest
from harness.kit.mutant import table
from harness.wire import COMPLETE, Chunk, Chunked, Pause, Piece, PieceBody, Response
from harness.wire.message import JSON_HEADERS


def _drip(response: Response, engine: Engine, opened: tuple[Run, CreateRequest]) -> Response:
    run = opened[0]
    drip: tuple[Piece, ...] = (Chunk(b" "), Pause(20.0)) * 4
    pieces = (*drip, Chunk(engine.bodies.render(run, timeline=False)), COMPLETE)
    return Response(200, JSON_HEADERS, Chunked(), PieceBody(pieces))


def _hide_until_settled(call: Call, engine: Engine) -> None:
    run = engine.require_run(call.segments[1], call.project)
    if run.background and not run.settled:
        run.poll()
        not_found()


def _change_polls(change: Callable[[Json, Run, int], None]) -> Defect:
    """Change what a poll of a background run shows; the change gets its number, too."""

    def edit(body: Json, bodies: Bodies, run: Run, *, timeline: bool, include_input: bool = False) -> None:
        if timeline and run.background:
            change(body, run, count(bodies))

    return after(Bodies.interaction, edit)


def _show_a_draft(body: Json, run: Run) -> None:
    """Show text in a poll of a run in progress that its result does not have."""
    if run.background and body["status"] == "in_progress" and "steps" in body:
        draft = {"type": "model_output", "content": [{"type": "text", "text": "a first draft " * 1000}]}
        body["steps"] = [*body["steps"], draft]


def _wait_for_the_end(inner: Change, engine: Engine, call: Call, interaction_id: str) -> Response:
    run = engine.require_run(interaction_id, call.project)
    waits = run.background and not run.settled and call.query.get("stream") is None
    if waits:
        run.release()
        for _ in range(100):  # polls, which more than suffice
            run.poll()
    response: Response = inner(call, interaction_id)
    if waits:
        response.body = PieceBody(chain((Pause(2.0),), response.body))
    return response


MUTANTS = table(
    "background",
    row("background-without-id", "The response to a background create has no id.",
        response("POST interactions", when(lambda body, _: body.get("status") == "in_progress", drop("id")))),
    row("polls-wait", "A GET of a run in progress returns when the run has settled.",
        around(Engine.get, _wait_for_the_end)),
    row("background-slow", "The response to a background create takes more than a minute.",
        after(Engine.answer, when(
            lambda response, engine, opened: opened[0].background and not opened[1].stream, _drip))),
    row("result-missing", "A completed background run has no output.",
        steps(lambda steps, run, timeline: list(run.given) if run.background else steps)),
    row("polls-name-another", "Every poll shows a different id.",
        _change_polls(lambda body, run, number: body.update(id=f"{run.id}-{number}"))),
    row("poll-regresses", "After a run has settled, every second poll shows it in progress again.",
        after(Engine.get, when(
            lambda _, engine, call, run_id: (
                (run := engine.require_run(run_id, call.project)).settled
                and run.background and count(engine, run_id) % 2 == 0),
            lambda response, *_: edit_json(response, put(status="in_progress"))))),
    row("transition-impossible", "Polls after the create show a run in progress as queued.",
        status(when(lambda status, run: run.background and run.shown > 2, turn(in_progress="queued")))),
    row("background-call-completed", "Reads show a background run with a pending call as completed.",
        status(when(lambda status, run: run.background, turn(requires_action="completed")))),
    row("background-call-hangs", "Reads show a background run with a pending call as in progress for ever.",
        status(when(lambda status, run: run.background, turn(requires_action="in_progress")))),
    row("background-call-streamed-completed", "Streams of a background run with a pending call end as completed.",
        after(EventWriter.build_completed, when(
            lambda event, writer, run, *_: run.background and event["interaction"]["status"] == "requires_action",
            lambda event, *_: {**event, "interaction": {**event["interaction"], "status": "completed"}}))),
    row("background-result-refused", "The result of a function call is refused if a background run made the call.",
        create(when(
            lambda order, _: order.previous and order.previous.body.get("background") and results(order.given),
            refuse("The previous interaction ran in the background.")))),
    row("status-unknown", "A run in progress has the status `running`.", status(turn(in_progress="running"))),
    row("updated-goes-back", "The time of the last update goes back from poll to poll.",
        _change_polls(lambda body, run, number: body.update(updated=f"2026-06-10T00:00:{59 - number % 60:02}Z"))),
    row("output-taken-back", "A run in progress shows a long draft, which its result does not have.",
        body(_show_a_draft)),
    row("background-404-after-create", "A background run is not found until it has settled.",
        request("GET interactions/*", _hide_until_settled)),
)  # fmt: skip
