"""Mutants: the bytes and events of streams as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.emulator.engine import Engine
from harness.emulator.mutants.changes import Json, assign, drop, inside, put, refuse, skip, when
from harness.emulator.mutants.hooks import create, deltas, event, events, frame, payload, request, stream
from harness.emulator.mutants.parts import after, before, instead, part
from harness.emulator.mutants.rows import row
from harness.emulator.run.event_writer import EventWriter
from harness.emulator.run.run import Run
from harness.emulator.values.call import Call, Refusal
from harness.emulator.values.create_request import CreateRequest
from harness.kit.mutant import table
from harness.wire import Body, Chunk, Chunked, Ending, How, Pause, Piece, PieceBody, Response
from harness.wire.message import WrappedBody

_HIGH, _LOW = "\ue000", "\ue001"
"""Placeholders from the private use area for surrogate halves, which cannot be encoded."""


def _write_frame(name: bytes, data: bytes) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name, data)


def _split_character(pieces: list[str], text: str) -> list[str]:
    index = next((i for i, character in enumerate(text) if ord(character) > 0xFFFF), None)
    return pieces if index is None else [text[:index] + _HIGH, _LOW + text[index + 1 :]]


def _write_halves(frame: bytes, *context: object) -> bytes:
    return frame.replace(_HIGH.encode(), b"\\ud83e").replace(_LOW.encode(), b"\\udd8a")


def _write_index_as_text(payload: Json) -> None:
    if payload["event_type"] == "step.delta":
        payload["index"] = str(payload["index"])


def _move_text_to_content(payload: Json) -> None:
    delta = payload.get("delta", {})
    if delta.get("type") == "text":
        payload["delta"] = {"content": delta["text"], "type": "text"}


def _number_event_id(payload: Json) -> None:
    if "event_id" in payload:
        payload["event_id"] = len(payload)


def _id_of_event_before(writer: EventWriter, run: Run, index: int, payload: Json) -> str | None:
    return EventWriter.event_id(writer, run, index // 2 * 2, payload)


def _no_id_on_deltas(writer: EventWriter, run: Run, index: int, payload: Json) -> str | None:
    return None if payload["event_type"] == "step.delta" else EventWriter.event_id(writer, run, index, payload)


class _HangUpBreaks(Engine):
    broken = False

    def answer(self, opened: tuple[Run, CreateRequest]) -> Response:
        response = super().answer(opened)
        if opened[1].stream:
            response.body = _Tripwire(response.body, self)
        return response

    def handle(self, call: Call) -> Response | None:
        if self.broken:
            raise Refusal(503, "service_unavailable", "Broken.")
        return super().handle(call)


class _HangUpDeletes(_HangUpBreaks):
    def handle(self, call: Call) -> Response | None:
        if self.broken:
            self.broken = False
            self.store.clear()
        return super().handle(call)


class _Tripwire(WrappedBody):
    """Tells the engine if the reader hangs up before the end."""

    def __init__(self, body: Body, engine: _HangUpBreaks) -> None:
        super().__init__(body)
        self._engine = engine
        self._ended = False

    def __next__(self) -> Piece:
        piece = next(self._inner)
        self._ended = isinstance(piece, Ending)
        return piece

    def close(self) -> None:
        self._engine.broken = self._engine.broken or not self._ended
        super().close()


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


def _hoard_if_compressible(response: Response, engine: Engine, call: Call) -> None:
    if isinstance(response.framing, Chunked) and "gzip" in call.request.headers.get("accept-encoding"):
        response.body = _Hoard(response.body)


MUTANTS = table(
    "stream",
    row("frames-run-together", "Frames are not separated by a blank line.",
        frame(lambda name, data: _write_frame(name, data)[:-1])),
    row("frames-ndjson", "The stream is newline-delimited JSON, not server-sent events.",
        frame(lambda name, data: data + b"\n")),
    row("frames-latin1", "Streams are encoded in Latin-1.",
        frame(lambda name, data: _write_frame(name, data).decode().encode("latin-1", "replace"))),
    row("event-name-wrong", "Every frame is named `message`.",
        frame(lambda name, data: _write_frame(b"message", data))),
    row("payload-not-json", "The payload of step.stop is broken JSON.",
        frame(lambda name, data: _write_frame(name, data[:-1] if name == b"step.stop" else data))),
    row("payload-list", "Every payload is a list of one event.",
        frame(lambda name, data: _write_frame(name, b"[" + data + b"]"))),
    row("characters-split",
        "The surrogate halves of a character beyond the basic multilingual plane are split between two deltas.",
        deltas("text", _split_character),
        after(EventWriter.frame, _write_halves)),
    row("event-type-missing", "The event step.stop has no event_type.",
        frame(lambda name, data: _write_frame(name, data.replace(b',"event_type":"step.stop"', b"")))),
    row("index-string", "The index of a delta is a string.",
        payload(_write_index_as_text)),
    row("delta-text-missing", "Text deltas have their text in `content`.",
        payload(_move_text_to_content)),
    row("created-missing", "Streams begin with the status update, not with interaction.created.",
        events(lambda events, _: events[1:])),
    row("created-second", "interaction.created comes second.",
        events(lambda events, _: [events[1], events[0], *events[2:]])),
    row("created-twice", "interaction.created is sent twice.",
        events(lambda events, _: [*events[:2], events[0], *events[2:]])),
    row("created-completed", "interaction.created says that the interaction is completed.",
        event("interaction.created", inside("interaction", put(status="completed")))),
    row("created-without-id", "interaction.created has no id.",
        event("interaction.created", inside("interaction", drop("id")))),
    row("id-changes", "The status update names another interaction.",
        event("interaction.status_update", put(interaction_id="v1_other"))),
    row("event-id-repeats", "Every second event has the same id as the one before it.",
        instead(EventWriter.event_id, _id_of_event_before)),
    row("event-ids-missing-on-deltas", "The deltas of a background stream have no event_id; other events do.",
        instead(EventWriter.event_id, _no_id_on_deltas)),
    row("event-ids-numbers", "Event ids are numbers.",
        payload(_number_event_id)),
    row("stream-buffered", "Streams are held back until the run is over, and arrive in one piece.",
        stream(lambda body, run, position: _Hoard(body))),
    row("stream-buffered-if-compressible", "Streams are held back from clients that accept compression.",
        after(Engine.create, _hoard_if_compressible)),
    row("stream-stays-open", "After [DONE] the connection stays open, and nothing comes any more.",
        stream(lambda body, run, position: PieceBody(_without_end(body), body.close))),
    row("background-stream-json", "background together with stream is answered with JSON.",
        create(assign(stream=lambda order, _: order.stream and not order.background))),
    row("background-stream-refused", "background together with stream is refused.",
        create(when(
            lambda order, _: order.stream and order.background,
            refuse("'stream' and 'background' exclude each other.")))),
    row("hang-up-breaks", "After a reader has hung up, every call is answered with 503.",
        part(_HangUpBreaks)),
    row("hang-up-deletes", "When a reader hangs up, the interaction is deleted.",
        part(_HangUpDeletes)),
    row("stream-unstored", "Interactions created with a stream are not stored although their events name an id.",
        before(Engine.remember, when(lambda engine, run: run.body.get("stream") is True, skip))),
    row("status-update-unknown", "The first status update lacks its status.",
        event("interaction.status_update", drop("status"))),
    row("alt-sse-refused", "alt=sse is refused as an unknown parameter.",
        request("POST interactions", when(
            lambda call, _: "alt" in call.query, refuse("Unknown query parameter 'alt'.")))),
)  # fmt: skip
