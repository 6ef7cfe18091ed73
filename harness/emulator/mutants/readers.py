"""Mutants: several readers of a run in progress."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from harness.emulator.engine import Engine
from harness.emulator.mutants.changes import assign, rename_events, when
from harness.emulator.mutants.hooks import request, row, stream
from harness.emulator.mutants.parts import after, count, instead, memory
from harness.emulator.run.run import Run
from harness.emulator.run.stream_response import Streams
from harness.emulator.values.call import Call, Refusal
from harness.emulator.values.create_request import CreateRequest
from harness.kit.mutant import table
from harness.wire import COMPLETE, Body, Chunk, Ending, How, Piece, PieceBody, Response


def _refuse_second(call: Call, engine: Engine) -> None:
    run = engine.find(call.segments[1], call.project)
    if run is None or run.settled or call.query.get("stream") != "true":
        return
    if count(engine, run.id) > 1:
        raise Refusal(409, "aborted", "Another reader is connected.")


def _mix(streams: Streams, body: Body) -> Iterator[Piece]:
    """Put words of others into a stream, as long as another one is open."""
    opened = memory(streams).setdefault("open", [])
    opened.append(body)
    try:
        for piece in body:
            if len(opened) > 1 and isinstance(piece, Chunk):
                yield replace(
                    piece, data=piece.data.replace(b'"delta":{"text":"', b'"delta":{"text":"Not yours. ')
                )
            else:
                yield piece
    finally:
        opened.remove(body)


def _streams_create(response: Response, engine: Engine, opened: tuple[Run, CreateRequest]) -> bool:
    return opened[0].background and opened[1].stream


def _cancel_with_stream(response: Response, engine: Engine, opened: tuple[Run, CreateRequest]) -> None:
    body, run = response.body, opened[0]

    def close() -> None:
        body.close()
        if not run.settled:
            run.cancel()

    response.body = PieceBody(body, close)


def _without_completion(pieces: Body) -> Iterator[Piece]:
    for piece in pieces:
        is_last = isinstance(piece, Chunk) and b'"status":"completed"' in piece.data
        yield Ending(how=How.STALL) if is_last else piece


MUTANTS = table(
    "readers",
    row("left-create-cancels", "A background run is cancelled when the client of its stream disconnects.",
        after(Engine.answer, when(_streams_create, _cancel_with_stream))),
    row("create-stream-own-ids", "The stream of a background create has event ids that no GET understands.",
        after(Engine.answer, when(_streams_create, assign(
            body=lambda response, engine, opened: rename_events(response.body, opened[0], b"first-"))))),
    row("second-reader-refused", "A run in progress accepts only one reader.",
        request("GET interactions/*", _refuse_second)),
    row("parallel-streams-mixed", "Streams that are read at the same time carry words of each other.",
        after(Streams.body, when(
            lambda body, streams, run, position: run.settled,
            lambda body, streams, *_: PieceBody(_mix(streams, body))))),
    row("running-stream-stops", "A stream of a run in progress ends after the events so far.",
        stream(when(lambda body, run, position: not run.settled, lambda _, run, position: PieceBody(
            (*(run.frames.chunk(index) for index in range(position, run.readable)), COMPLETE))))),
    row("running-resume-from-now",
        "A reader that resumes the stream of a run in progress gets only the events from then on.",
        instead(Streams.position, when(
            lambda _, run, cursor: bool(cursor) and not run.settled,
            lambda streams, run, cursor: max(Streams.position(streams, run, cursor), run.readable)))),
    row("running-reader-unheard", "A reader that comes while a run goes on never gets its final event.",
        stream(when(
            lambda body, run, position: run.readable and not run.settled,
            lambda body, *_: PieceBody(_without_completion(body), body.close)))),
)  # fmt: skip
