"""Mutants: the bytes and events of streams as a whole."""

from __future__ import annotations

from collections.abc import Iterator

from harness.emulator.engine import Engine
from harness.emulator.mutants.mutant import Area
from harness.emulator.mutants.surgery import Json
from harness.emulator.run.event_writer import Events
from harness.emulator.run.run import Run
from harness.emulator.run.stream_body import Regrouped
from harness.emulator.run.stream_response import Streams
from harness.emulator.values.call import Call, Refusal, invalid
from harness.emulator.values.create_request import Order
from harness.wire import Body, Ending, Piece, Response

STREAM = Area("stream")


@STREAM.mutant("frames-run-together")
class _FramesRunTogether(Events):
    """Frames are not separated by a blank line."""

    def framed(self, name: bytes, data: bytes) -> bytes:
        return super().framed(name, data)[:-1]


@STREAM.mutant("frames-ndjson")
class _FramesNdjson(Events):
    """The stream is newline-delimited JSON, not server-sent events."""

    def framed(self, name: bytes, data: bytes) -> bytes:
        return data + b"\n"


@STREAM.mutant("frames-latin1")
class _FramesLatin1(Events):
    """Streams are encoded in Latin-1."""

    def frame(self, payload: Json) -> bytes:
        return super().frame(payload).decode().encode("latin-1", "replace")


@STREAM.mutant("event-name-wrong")
class _EventNameWrong(Events):
    """Every frame is named `message`."""

    def framed(self, name: bytes, data: bytes) -> bytes:
        return super().framed(b"message", data)


@STREAM.mutant("payload-not-json")
class _PayloadNotJson(Events):
    """The payload of step.stop is broken JSON."""

    def framed(self, name: bytes, data: bytes) -> bytes:
        return super().framed(name, data[:-1] if name == b"step.stop" else data)


@STREAM.mutant("payload-list")
class _PayloadList(Events):
    """Every payload is a list of one event."""

    def framed(self, name: bytes, data: bytes) -> bytes:
        return super().framed(name, b"[" + data + b"]")


@STREAM.mutant("characters-split")
class _CharactersSplit(Events):
    """The surrogate halves of a character beyond the basic multilingual plane are split between two deltas."""

    def text_pieces(self, run: Run, text: str) -> list[str]:
        index = next((i for i, character in enumerate(text) if ord(character) > 0xFFFF), None)
        if index is None:
            return super().text_pieces(run, text)
        return [text[:index] + _HIGH, _LOW + text[index + 1 :]]

    def frame(self, payload: Json) -> bytes:
        return super().frame(payload).replace(_HIGH.encode(), b"\\ud83e").replace(_LOW.encode(), b"\\udd8a")


@STREAM.mutant("event-type-missing")
class _EventTypeMissing(Events):
    """The event step.stop has no event_type."""

    def framed(self, name: bytes, data: bytes) -> bytes:
        return super().framed(name, data.replace(b',"event_type":"step.stop"', b""))


@STREAM.mutant("index-string")
class _IndexString(Events):
    """The index of a delta is a string."""

    def frame(self, payload: Json) -> bytes:
        if payload["event_type"] == "step.delta":
            payload = {**payload, "index": str(payload["index"])}
        return super().frame(payload)


@STREAM.mutant("delta-text-missing")
class _DeltaTextMissing(Events):
    """Text deltas have their text in `content`."""

    def frame(self, payload: Json) -> bytes:
        delta = payload.get("delta", {})
        if delta.get("type") == "text":
            payload = {**payload, "delta": {"content": delta["text"], "type": "text"}}
        return super().frame(payload)


@STREAM.mutant("created-missing")
class _CreatedMissing(Events):
    """Streams begin with the status update, not with interaction.created."""

    def opening(self, run: Run) -> list[Json]:
        return super().opening(run)[1:]


@STREAM.mutant("created-second")
class _CreatedSecond(Events):
    """interaction.created comes second."""

    def opening(self, run: Run) -> list[Json]:
        return super().opening(run)[::-1]


@STREAM.mutant("created-twice")
class _CreatedTwice(Events):
    """interaction.created is sent twice."""

    def opening(self, run: Run) -> list[Json]:
        return [*super().opening(run), self.created(run)]


@STREAM.mutant("created-completed")
class _CreatedCompleted(Events):
    """interaction.created says that the interaction is completed."""

    def created(self, run: Run) -> Json:
        event = super().created(run)
        event["interaction"]["status"] = "completed"
        return event


@STREAM.mutant("created-without-id")
class _CreatedWithoutId(Events):
    """interaction.created has no id."""

    def created(self, run: Run) -> Json:
        event = super().created(run)
        del event["interaction"]["id"]
        return event


@STREAM.mutant("id-changes")
class _IdChanges(Events):
    """The status update names another interaction."""

    def status_update(self, run: Run, status: str) -> Json:
        return {**super().status_update(run, status), "interaction_id": "v1_other"}


@STREAM.mutant("event-id-repeats")
class _EventIdRepeats(Events):
    """Every second event has the same id as the one before it."""

    def event_id(self, run: Run, index: int, payload: Json) -> str | None:
        return super().event_id(run, index // 2 * 2, payload)


@STREAM.mutant("event-ids-missing-on-deltas")
class _EventIdsMissingOnDeltas(Events):
    """The deltas of a background stream have no event_id; other events do."""

    def event_id(self, run: Run, index: int, payload: Json) -> str | None:
        return None if payload["event_type"] == "step.delta" else super().event_id(run, index, payload)


@STREAM.mutant("event-ids-numbers")
class _EventIdsNumbers(Events):
    """Event ids are numbers."""

    def frame(self, payload: Json) -> bytes:
        if "event_id" in payload:
            payload = {**payload, "event_id": len(payload)}
        return super().frame(payload)


@STREAM.mutant("stream-buffered")
class _StreamBuffered(Streams):
    """Streams are buffered and arrive in one piece."""

    def body(self, run: Run, position: int) -> Body:
        return Regrouped(super().body(run, position), None)


@STREAM.mutant("background-stream-json")
class _BackgroundStreamJson(Engine):
    """background together with stream is answered with JSON."""

    def answer(self, opened: tuple[Run, Order]) -> Response:
        run, order = opened
        order.stream = order.stream and not run.background
        return super().answer((run, order))


@STREAM.mutant("background-stream-refused")
class _BackgroundStreamRefused(Engine):
    """background together with stream is refused."""

    def open(self, order: Order) -> tuple[Run, Order]:
        if order.stream and order.background:
            raise invalid("'stream' and 'background' exclude each other.")
        return super().open(order)


@STREAM.mutant("hang-up-breaks")
class _HangUpBreaks(Engine):
    """After a reader has hung up, every call is answered with 503."""

    broken = False

    def answer(self, opened: tuple[Run, Order]) -> Response:
        response = super().answer(opened)
        if opened[1].stream:
            response.body = _Tripwire(response.body, self)
        return response

    def handle(self, call: Call) -> Response | None:
        if self.broken:
            raise Refusal(503, "service_unavailable", "Broken.")
        return super().handle(call)


@STREAM.mutant("hang-up-deletes")
class _HangUpDeletes(_HangUpBreaks):
    """When a reader hangs up, the interaction is deleted."""

    def handle(self, call: Call) -> Response | None:
        if self.broken:
            self.broken = False
            self.store.clear()
        return super().handle(call)


@STREAM.mutant("stream-unstored")
class _StreamUnstored(Engine):
    """Interactions created with a stream are not stored although their events name an id."""

    def remember(self, run: Run) -> None:
        if run.body.get("stream") is not True:
            super().remember(run)


@STREAM.mutant("status-update-unknown")
class _StatusUpdateUnknown(Events):
    """The first status update lacks its status."""

    def status_update(self, run: Run, status: str) -> Json:
        event = super().status_update(run, status)
        del event["status"]
        return event


class _Tripwire:
    """Tells the engine if the reader hangs up before the end."""

    def __init__(self, body: Body, engine: _HangUpBreaks) -> None:
        self._body = body
        self._engine = engine
        self._ended = False

    def __iter__(self) -> Iterator[Piece]:
        return self

    def __next__(self) -> Piece:
        piece = next(self._body)
        self._ended = isinstance(piece, Ending)
        return piece

    def close(self) -> None:
        self._engine.broken = self._engine.broken or not self._ended
        self._body.close()


_HIGH, _LOW = "\ue000", "\ue001"
"""Placeholders from the private use area for surrogate halves, which cannot be encoded."""


@STREAM.mutant("alt-sse-refused")
class _AltSseRefused(Engine):
    """alt=sse is refused as an unknown parameter."""

    def create(self, call: Call) -> Response:
        if "alt" in call.query:
            raise invalid("Unknown query parameter 'alt'.")
        return super().create(call)
