"""Mutants: the events of a stream, its steps and its end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.emulator.engine import Engine
from harness.emulator.mutants.changes import (
    Json,
    assign,
    drop,
    each_step,
    inside,
    put,
    refuse,
    skip,
    turn,
    when,
    without,
)
from harness.emulator.mutants.hooks import create, deltas, event, events, frame, payload, request, row, stream
from harness.emulator.mutants.parts import after, before, instead, memory
from harness.emulator.run.event_writer import EventWriter
from harness.emulator.run.run import Run
from harness.kit.mutant import table
from harness.wire import Body, Chunk, Chunked, Ending, How, Pause, Piece, PieceBody, encode
from harness.wire.message import WrappedBody

_HIGH, _LOW = "\ue000", "\ue001"
"""Placeholders from the private use area for surrogate halves, which cannot be encoded."""


def _write_frame(name: bytes, data: bytes) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name, data)


def _split_character(pieces: list[str], text: str) -> list[str]:
    index = next((i for i, character in enumerate(text) if ord(character) > 0xFFFF), None)
    return pieces if index is None else [text[:index] + _HIGH, _LOW + text[index + 1 :]]


class _Tripwire(WrappedBody):
    """Notes in the memory of the engine that the reader disconnected before the end."""

    def __init__(self, body: Body, engine: Engine) -> None:
        super().__init__(body)
        self._memory = memory(engine)
        self._ended = False

    def __next__(self) -> Piece:
        piece = next(self._inner)
        self._ended = isinstance(piece, Ending)
        return piece

    def close(self) -> None:
        if not self._ended:
            self._memory["left"] = True
        super().close()


_NOTICED = after(Engine.answer, when(
    lambda response, engine, opened: opened[1].stream,
    assign(body=lambda response, engine, _: _Tripwire(response.body, engine))))  # fmt: skip
"""Notices that a reader disconnects."""


class _Hoard(WrappedBody):
    """Keeps all chunks until the body ends."""

    def __init__(self, body: Body) -> None:
        super().__init__(body)
        self._held = bytearray()
        self._last: Piece | None = None

    def __next__(self) -> Piece:
        if self._last is not None:
            return self._last
        while isinstance(piece := next(self._inner), Chunk):
            self._held += piece.data
        if isinstance(piece, Pause):
            return piece
        self._last = piece
        return Chunk(bytes(self._held))


def _without_end(pieces: Iterable[Piece]) -> Iterator[Piece]:
    for piece in pieces:
        yield Ending(how=How.STALL) if isinstance(piece, Ending) and piece.complete else piece


def _interleave(events: list[Json], run: Run) -> list[Json]:
    for place in range(len(events) - 1):
        here, after = events[place], events[place + 1]
        if here["event_type"] == "step.stop" and after["event_type"] == "step.start":
            return [*events[:place], after, here, *events[place + 2 :]]
    return events


def _rename_text_delta(payload: Json) -> None:
    delta = payload.get("delta")
    if delta is not None and delta["type"] == "text":
        payload["delta"] = {**delta, "type": "text_delta"}


def _show_own_usage(stop: Json, writer: EventWriter, run: Run, index: int) -> Json:
    before = run.usage_after(index)["total_tokens"] if index else 0
    return {**stop, "usage": {"total_tokens": run.usage_after(index + 1)["total_tokens"] - before}}


_ANOTHER_OUTPUT = {"content": [{"text": "Something else.", "type": "text"}], "type": "model_output"}


def _make_completed(run: Run) -> Json:
    interaction = {"id": run.public_id, "status": "completed", "usage": run.usage}
    return {"interaction": interaction, "event_type": "interaction.completed"}


MUTANTS = table(
    "stream",
    row("letters-replaced", "The first letter of each streamed text is a replacement character.",
        deltas("text", lambda texts, _: ["\ufffd" + texts[0][1:], *texts[1:]])),
    row("frames-latin1", "Streams are encoded in Latin-1.",
        frame(lambda name, data: _write_frame(name, data).decode().encode("latin-1", "replace"))),
    row("event-name-wrong", "The `event:` line of every frame is `message`.",
        frame(lambda name, data: _write_frame(b"message", data))),
    row("payload-not-json", "The payload of step.stop is broken JSON.",
        frame(lambda name, data: _write_frame(name, data[:-1] if name == b"step.stop" else data))),
    row("characters-split",
        "The surrogate halves of a character beyond the basic multilingual plane are split between two deltas.",
        deltas("text", _split_character),
        after(EventWriter.frame,
            lambda frame, *_: frame.replace(_HIGH.encode(), b"\\ud83e").replace(_LOW.encode(), b"\\udd8a"))),
    row("event-type-missing", "The event step.stop has no event_type.",
        frame(lambda name, data: _write_frame(name, data.replace(b',"event_type":"step.stop"', b"")))),
    row("created-missing", "Streams begin with the status update, not with interaction.created.",
        events(lambda events, _: events[1:])),
    row("created-twice", "interaction.created is sent twice.",
        events(lambda events, _: [*events[:2], events[0], *events[2:]])),
    row("created-completed", "interaction.created has the status completed.",
        event("interaction.created", inside("interaction", put(status="completed")))),
    row("update-completed", "The status update at the start of a stream has the status completed.",
        event("interaction.status_update", put(status="completed"))),
    row("created-without-id", "interaction.created has no id.",
        event("interaction.created", inside("interaction", drop("id")))),
    row("id-changes", "The status update names another interaction.",
        event("interaction.status_update", put(interaction_id="v1_other"))),
    row("event-id-repeats", "Every second event has the same id as the one before it.",
        instead(EventWriter.event_id,
            lambda writer, run, index, payload: EventWriter.event_id(writer, run, index // 2 * 2, payload))),
    row("event-ids-missing-on-deltas", "The deltas of a background stream have no event_id; other events do.",
        instead(EventWriter.event_id, when(
            lambda writer, run, index, payload: payload["event_type"] == "step.delta", lambda *_: None))),
    row("event-ids-numbers", "Event ids are numbers.", payload(when(
        lambda payload: "event_id" in payload, lambda payload: payload.update(event_id=len(payload))))),
    row("stream-buffered-if-compressible", "Events wait for the whole response if the client accepts compression.",
        after(Engine.create, when(
            lambda response, _, call: (
                isinstance(response.framing, Chunked) and "gzip" in call.request.headers.get("accept-encoding")),
            assign(body=lambda response, *_: _Hoard(response.body))))),
    row("stream-stays-open", "After [DONE] the connection stays open, and nothing comes any more.",
        stream(lambda body, run, position: PieceBody(_without_end(body), body.close))),
    row("background-stream-json", "background together with stream returns JSON.",
        create(assign(stream=lambda order, _: order.stream and not order.background))),
    row("hang-up-breaks", "After a reader has disconnected, every call returns 503.",
        _NOTICED,
        before(Engine.handle, when(
            lambda engine, call: "left" in memory(engine), refuse("Broken.", 503, "service_unavailable")))),
    row("alt-sse-refused", "alt=sse is refused as an unknown parameter.",
        request("POST interactions", when(
            lambda call, _: "alt" in call.query, refuse("Unknown query parameter 'alt'.")))),
    row("stream-drops-stop", "The last step has no step.stop.", events(lambda events, _: events[:-1])),
    row("stop-twice", "Each step has two step.stop events.",
        events(each_step(lambda events: [*events, events[-1]]))),
    row("start-missing", "Steps have no step.start.", events(each_step(lambda events: events[1:]))),
    row("delta-before-start", "The first delta of a step comes before its start.",
        events(each_step(lambda events: [events[1], events[0], *events[2:]] if len(events) > 2 else events))),
    row("delta-after-stop", "The last delta of a step comes after its stop.",
        events(each_step(lambda events: [*events[:-2], events[-1], events[-2]] if len(events) > 2 else events))),
    row("index-from-one", "Step indices count from 1.", payload(when(
        lambda payload: "index" in payload, lambda payload: payload.update(index=payload["index"] + 1)))),
    row("index-always-zero", "Every step has the index 0.", payload(when(
        lambda payload: "index" in payload, lambda payload: payload.update(index=0)))),
    row("steps-interleaved", "A step starts before the one before it has stopped.", events(_interleave)),
    row("delta-type-unknown", "Text deltas have the undocumented type `text_delta`.", payload(_rename_text_delta)),
    row("delta-misfit", "Thoughts get text deltas.",
        deltas("thought", lambda deltas, _: [{"text": "I think.", "type": "text"}, *deltas])),
    row("signature-first", "The signature of a thought comes before its summary.",
        deltas("thought", lambda deltas, _: deltas[::-1])),
    row("signature-dropped", "Streams leave out the signatures of thoughts.",
        deltas("thought", lambda deltas, _: deltas[:-1])),
    row("text-dropped", "One text delta of several is lost.",
        deltas("text", lambda pieces, _: [*pieces[:1], *pieces[2:]] if len(pieces) > 2 else pieces)),
    row("text-doubled", "One text delta is sent twice.", deltas("text", lambda pieces, _: [pieces[0], *pieces])),
    row("stop-usage-of-step", "The usage of a step.stop counts its own step, not the run so far.",
        after(EventWriter.stop, _show_own_usage)),
    row("call-streamed-as-text", "Streams show a function call as text.",
        instead(EventWriter.shell, when(
            lambda writer, step: step["type"] == "function_call", lambda *_: {"type": "model_output"})),
        deltas("arguments", lambda _, step: [{"text": f"{step['name']}()", "type": "text"}])),
    row("call-streamed-without-name", "The step.start of a function call lacks the function's name.",
        after(EventWriter.shell, lambda shell, *_: without(shell, "name"))),
    row("completed-twice", "interaction.completed is sent twice.",
        events(lambda events, run: [*events, _make_completed(run)])),
    row("completed-missing", "Streams end without interaction.completed.", before(Run._close, skip)),
    row("completed-legacy-name", "The last event has the name it had before May 2026, interaction.complete.",
        frame(lambda name, data: encode(
            name.decode().replace("completed", "complete"), data.replace(b".completed\"", b".complete\"")))),
    row("completed-otherwise", "The status in interaction.completed is incomplete where GET has completed.",
        event("interaction.completed", inside("interaction", inside("status", turn(completed="incomplete"))))),
    row("completed-still-running", "interaction.completed reports the interaction as in progress.",
        event("interaction.completed", inside("interaction", put(status="in_progress")))),
    row("completed-without-usage", "interaction.completed has no usage.",
        event("interaction.completed", inside("interaction", drop("usage")))),
    row("completed-with-steps-wrong",
        "interaction.completed contains steps that differ from those of the deltas.",
        event("interaction.completed", inside("interaction", put(steps=[_ANOTHER_OUTPUT])))),
    row("done-missing", "Streams end without [DONE].", instead(EventWriter.encode_done, lambda writer: b"")),
    row("done-not-final", "An event follows [DONE].",
        instead(EventWriter.encode_done, lambda writer: (
            EventWriter.encode_done(writer) + writer.frame({"index": 0, "event_type": "step.stop"})))),
    row("error-bare", "A failure is reported in bare JSON, outside the framing of the stream.",
        frame(lambda name, data: data + b"\n\n" if name == b"error" else encode(name.decode(), data)),
        instead(EventWriter.encode_done, lambda writer: b"")),
    row("error-event-string", "The error of an error event is a string.",
        instead(EventWriter.error, lambda writer, code, message: (
            {"error": message or "broken", "event_type": "error"}))),
)  # fmt: skip
