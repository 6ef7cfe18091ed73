"""Gateways with defects in streams: events, their names and ids, their timing, their end. Layer 2."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from harness.checks.gateway.mutants.mutant import FrameEdit, Gateway, MutantTable, event_of, with_payload
from harness.contract import PROTOCOL
from harness.wire import COMPLETE, Body, Ending, Frame, How, Pause, Piece, PieceBody, Request, encode
from harness.wire.sse import encode_frame

AREA = MutantTable()
_DONE = encode("done", PROTOCOL.sentinel)


def _is_delta(frame: Frame) -> bool:
    return b'"step.delta"' in frame.data


@AREA.mutant("events.lost", "events")
class LosesAnEvent(FrameEdit):
    """One delta is dropped."""

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        return () if number == 4 else (encode_frame(frame),)


@AREA.mutant("events.doubled", "events")
class DoublesAnEvent(FrameEdit):
    """One delta is sent twice."""

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        return (encode_frame(frame),) * (2 if number == 4 else 1)


@AREA.mutant("events.swapped", "events")
class SwapsEvents(FrameEdit):
    """Two deltas are swapped."""

    held = b""

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        if number == 4:
            self.held = encode_frame(frame)
            return ()
        held, self.held = self.held, b""
        return (encode_frame(frame), held) if held else (encode_frame(frame),)


@AREA.mutant("events.invented", "events")
class InventsAnEvent(FrameEdit):
    """A delta is added that the upstream did not send."""

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        own = {"index": 0, "delta": {"type": "text", "text": " (by the gateway)"}, "event_type": "step.delta"}
        return (with_payload(frame, own), encode_frame(frame)) if number == 5 else (encode_frame(frame),)


@AREA.mutant("events.retold", "events")
class Retells(FrameEdit):
    """The text of each delta is trimmed."""

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        event = event_of(frame)
        if event is None or not _is_delta(frame) or "text" not in event["delta"]:
            return (encode_frame(frame),)
        text = event["delta"]["text"].strip()
        return (with_payload(frame, {**event, "delta": {**event["delta"], "text": text}}),)


@AREA.mutant("events.uncompleted", "events")
class DropsCompletion(FrameEdit):
    """The interaction.completed event is dropped."""

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        return () if b'"interaction.completed"' in frame.data else (encode_frame(frame),)


@AREA.mutant("events.better", "events")
class EndsWell(FrameEdit):
    """A run that failed is told as one that completed."""

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        return (encode_frame(frame._replace(data=frame.data.replace(b'"failed"', b'"completed"'))),)


@AREA.mutant("events.errors", "events")
class HidesErrors(FrameEdit):
    """The upstream's error events are dropped."""

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        return () if PROTOCOL.is_error(event_of(frame) or {}) else (encode_frame(frame),)


@AREA.mutant("events.signatures", "events")
class DropsSignatures(FrameEdit):
    """Signatures of thoughts are dropped."""

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        return () if b'"thought_signature"' in frame.data else (encode_frame(frame),)


@AREA.mutant("events.calls", "events")
class ForgetsCallSignatures(FrameEdit):
    """A function call loses its signature."""

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        event = event_of(frame)
        if event is None or event.get("step", {}).get("type") != "function_call":
            return (encode_frame(frame),)
        step = {name: value for name, value in event["step"].items() if name != "signature"}
        return (with_payload(frame, {**event, "step": step}),)


@AREA.mutant("events.images", "events")
class DropsImages(FrameEdit):
    """Images are dropped."""

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        return () if b'"image/png"' in frame.data else (encode_frame(frame),)


@AREA.mutant("events.model", "additions")
class AddsTheModel(FrameEdit):
    """Each event gets a field of the gateway's own."""

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        event = event_of(frame)
        return (encode_frame(frame) if event is None else with_payload(frame, {**event, "served_by": "alias"}),)


@AREA.mutant("ids.dropped", "event-ids")
class DropsIds(FrameEdit):
    """Events lose their event_id."""

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        event = event_of(frame)
        return (encode_frame(frame) if event is None else with_payload(frame, PROTOCOL.with_cursor(event, None)),)


@AREA.mutant("ids.background", "event-ids")
class DropsIdsOfCreates(DropsIds):
    """Events lose their event_id if the create asked for the stream."""

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        return super().frame(number, frame) if self.request.method == "POST" else (encode_frame(frame),)


@AREA.mutant("ids.one", "event-ids")
class OneIdForAll(FrameEdit):
    """All events get the same event_id."""

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        event = event_of(frame)
        return (encode_frame(frame) if event is None else with_payload(frame, PROTOCOL.with_cursor(event, "1")),)


@AREA.mutant("names.dropped", "event-names")
class DropsNames(FrameEdit):
    """Events lose their `event:` line."""

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        return (encode_frame(frame._replace(event=None)),)


@AREA.mutant("strangers.events", "unknown-event")
class DropsUnknownEvents(FrameEdit):
    """Events of types that the gateway does not know are dropped."""

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        event = event_of(frame) or {}
        return () if "unknown" in event.get("event_type", "") else (encode_frame(frame),)


@AREA.mutant("strangers.fields", "unknown-event-field")
class DropsUnknownFields(FrameEdit):
    """Fields of events that the gateway does not know are dropped."""

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        event = event_of(frame)
        if event is None:
            return (encode_frame(frame),)
        return (with_payload(frame, {k: v for k, v in event.items() if not k.startswith("harness_")}),)


@AREA.mutant("broken.skipped", "broken-frame")
class SkipsWhatItCannotRead(FrameEdit):
    """An event that is not valid JSON is skipped."""

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        readable = event_of(frame) is not None or frame.data == PROTOCOL.sentinel
        return (encode_frame(frame),) if readable else ()


@AREA.mutant("live.buffered", "live")
class Buffers(FrameEdit):
    """The whole stream is buffered until it has ended."""

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self.held = b""

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        self.held += encode_frame(frame)
        return ()

    def end(self, rest: bytes, ending: Ending) -> tuple[bytes, Ending]:
        return self.held + rest, ending


@AREA.mutant("live.later", "live")
class BuffersLater(Buffers):
    """The first events pass at once, and the rest only when the stream has ended."""

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        return (encode_frame(frame),) if number < 4 else super().frame(number, frame)


@AREA.mutant("live.behind", "live")
class IsOneBehind(Buffers):
    """Each event is held back until the next one arrives."""

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        held, self.held = self.held, encode_frame(frame)
        return (held,) if held else ()


def _lose_patience(body: Body, ending: Ending) -> Iterator[Piece]:
    """The pieces of a body, which ends with `ending` in place of a pause of two seconds or more."""
    for piece in body:
        if isinstance(piece, Pause) and piece.seconds >= 2:
            body.close()
            yield ending
            return
        yield piece


@AREA.mutant("idle.ended", "idle")
class EndsWhatStandsStill(Gateway):
    """A stream that stands still for two seconds is ended normally."""

    ending = COMPLETE

    def relay_stream(self, request: Request, body: Body) -> Body:
        return PieceBody(_lose_patience(body, self.ending), body.close)


@AREA.mutant("idle.dropped", "idle")
class DropsWhatStandsStill(EndsWhatStandsStill):
    """A stream that stands still for two seconds is broken off."""

    ending = Ending(how=How.FIN)


@AREA.mutant("cut.done", "truncated")
class SaysDone(FrameEdit):
    """A stream that breaks off is ended normally, with a sentinel."""

    done = False

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        self.done = self.done or frame.data == PROTOCOL.sentinel
        return (encode_frame(frame),)

    def end(self, rest: bytes, ending: Ending) -> tuple[bytes, Ending]:
        return (b"", ending) if self.done else (self.words(), COMPLETE)

    def words(self) -> bytes:
        """The frames that end the stream."""
        return _DONE


@AREA.mutant("cut.completed", "truncated")
class SaysCompleted(SaysDone):
    """A stream that breaks off gets an interaction.completed of the gateway's own."""

    def words(self) -> bytes:
        event = {
            "interaction": {"id": "v1_x", "status": "completed", "object": "interaction"},
            "event_type": "interaction.completed",
        }
        return encode("interaction.completed", json.dumps(event).encode()) + _DONE


@AREA.mutant("cut.clean", "truncated")
class EndsInOrder(SaysDone):
    """A stream that breaks off ends normally, with nothing added."""

    def words(self) -> bytes:
        return b""


@AREA.mutant("bare.dropped", "bare-error")
class DropsBareErrors(SaysDone):
    """What is no event is dropped, and the stream ends normally."""

    def words(self) -> bytes:
        return b""


@AREA.mutant("cut.own-error", "error-event")
class TellsAnErrorOfItsOwn(SaysDone):
    """A stream that breaks off ends with an error that is not an event of the API."""

    def words(self) -> bytes:
        error = {"error": {"message": "upstream closed", "type": "None", "param": None, "code": "500"}}
        return encode(None, json.dumps(error).encode())


@AREA.mutant("resume.late", "resume-through")
class ResumesLate(FrameEdit):
    """A resumed stream starts one event too late."""

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        late = self.request.parameter("last_event_id") is not None and number == 0
        return () if late else (encode_frame(frame),)


@AREA.mutant("resume.stutters", "resume-through")
class Stutters(FrameEdit):
    """A resumed stream repeats one event."""

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        again = self.request.parameter("last_event_id") is not None and number == 1
        return (encode_frame(frame),) * (2 if again else 1)
