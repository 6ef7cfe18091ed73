"""Mutants: streams of existing interactions, from the beginning or from a cursor."""

from __future__ import annotations

from itertools import chain, repeat

from msgspec.structs import replace

from harness.emulator.engine import Engine
from harness.emulator.mutants.changes import (
    assign,
    crash,
    empty_stream,
    is_unknown,
    rename_events,
    replace_text,
    when,
)
from harness.emulator.mutants.hooks import error, request, row, stream
from harness.emulator.mutants.parts import after, instead
from harness.emulator.run.run import Run
from harness.emulator.run.stream_response import Streams
from harness.emulator.values.call import Call
from harness.kit.mutant import table
from harness.wire import COMPLETE, Body, Chunk, Chunked, Pause, PieceBody, Response


def _streams(call: Call, engine: Engine) -> bool:
    return call.query.get("stream") == "true"


def _decode_half(call: Call, engine: Engine) -> Call:
    if "last_event_id" not in call.query or "%30" not in call.request.target:
        return call
    raw = call.request.target.partition("last_event_id=")[2]
    return replace(call, query={**call.query, "last_event_id": raw})


def _is_resume(body: Body, run: Run, position: int) -> bool:
    return position > 0


MUTANTS = table(
    "resume",
    row("replay-from-third", "A stream without a cursor begins at the third event.",
        instead(Streams.position, when(lambda streams, run, cursor: (
            run.background and run.settled and not Streams.position(streams, run, cursor)), lambda *_: 2))),
    row("resume-skips-one", "A resume leaves out the event after the cursor.",
        instead(Streams.after, lambda streams, event: event + 2)),
    row("resume-skips-last", "A resume leaves out the closing event.",
        stream(when(
            lambda body, run, position: position and run.settled,
            lambda body, run, position: PieceBody(
                (*run.frames.all()[position:-2], run.frames.all()[-1], COMPLETE))))),
    row("resume-inclusive", "A resume repeats the event of its cursor.",
        instead(Streams.after, lambda streams, event: event)),
    row("resume-repeats-two", "A resume repeats the last two events.",
        instead(Streams.after, lambda streams, event: max(0, event - 1))),
    row("resume-from-start", "The cursor is ignored: every resume begins at the first event.",
        instead(Streams.position, when(lambda streams, run, cursor: bool(cursor), lambda *_: 0))),
    row("resume-ids-renumbered", "Events have different ids when they are read again.",
        stream(when(_is_resume, lambda body, run, _: rename_events(body, run, b"again-")))),
    row("resume-broken-frame", "A resumed stream begins in the middle of a frame.",
        stream(when(_is_resume, lambda body, *_: (
            PieceBody(chain((Chunk(b'"index":1}\n\n'),), body), body.close))))),
    row("resume-half-decoded",
        "A cursor with a percent-encoded digit is not decoded, because digits need no encoding.",
        request("GET interactions/*", _decode_half)),
    row("resume-repeats-at-end", "A resume after the last event with an event_id repeats the whole stream.",
        instead(Streams.after, when(
            lambda streams, _: streams._world.settings.resume == "inclusive", lambda streams, event: event + 1)),
        after(Streams.position, when(
            lambda position, _, run, cursor: cursor and run.settled and not any(run.frames.cursors[position:]),
            lambda *_: 0))),
    row("resume-at-end-hangs", "A resume at the final event opens a stream that sends nothing and never ends.",
        instead(Streams.open, when(lambda streams, run, cursor=None: (
            bool(cursor) and run.settled and Streams.position(streams, run, cursor) >= run.readable - 1),
            lambda streams, *_: Response(200, streams.headers(), Chunked(), PieceBody(repeat(Pause(1.0))))))),
    row("resume-bad-cursor-crashes", "A resume from an unknown cursor returns 500.",
        error("GET interactions/*", when(
            lambda refusal, _: refusal.message.startswith("last_event_id"), crash))),
    row("unknown-stream-empty", "A stream of an unknown id is empty instead of refused.",
        request("GET interactions/*", when(
            lambda call, engine: _streams(call, engine) and is_unknown(call, engine), empty_stream))),
    row("foreground-stream-crashes", "A stream of a stored foreground interaction returns 500.",
        request("GET interactions/*", when(
            lambda call, engine: (
                _streams(call, engine) and not engine.require_run(call.segments[1], call.project).background),
            crash))),
    row("stream-of-another", "The events of a stream that is read again name another interaction.",
        after(Engine.get, when(
            lambda response, engine, call, _: _streams(call, engine),
            assign(body=lambda response, *context: replace_text(
                response.body, f'"{context[-1]}"'.encode(), b'"v1_0000000000000000"'))))),
)  # fmt: skip
