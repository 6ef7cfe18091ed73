"""Gateways with defects in streams and in how bodies pass: events, timing, chunks, hang-ups, the end."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain, count, islice

from msgspec.structs import replace

from harness.contract import PROTOCOL
from harness.wire import (
    COMPLETE,
    Body,
    By,
    Chunk,
    Chunked,
    Ending,
    Frame,
    Headers,
    How,
    Length,
    Pause,
    Piece,
    PieceBody,
    Request,
    Response,
    Service,
    UntilClose,
    encode,
)
from harness.wire.bodies import CodedBody, accepts
from harness.wire.message import WrappedBody
from harness.wire.sse import encode_frame
from lab.gateways.mutant import (
    FrameEdit,
    Gateway,
    GatewayBuild,
    Json,
    change_events,
    change_frames,
    change_pieces,
    drop_frames,
    edit_streams,
    event_of,
    row,
    with_payload,
)

_DONE = encode("done", PROTOCOL.sentinel)
_OWN_DELTA = {"index": 0, "delta": {"type": "text", "text": " (by the gateway)"}, "event_type": "step.delta"}


class SwapsEvents(FrameEdit):
    """Holds one frame back until after the next."""

    held = b""

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        if number == 4:
            self.held = encode_frame(frame)
            return ()
        held, self.held = self.held, b""
        return (encode_frame(frame), held) if held else (encode_frame(frame),)


def _trim(frame: Frame, *_: object) -> bytes:
    event = event_of(frame)
    if event is None or b'"step.delta"' not in frame.data or "text" not in event["delta"]:
        return encode_frame(frame)
    text = event["delta"]["text"].strip()
    return with_payload(frame, {**event, "delta": {**event["delta"], "text": text}})


def _forget_call_signature(frame: Frame, *_: object) -> bytes:
    event = event_of(frame)
    if event is None or event.get("step", {}).get("type") != "function_call":
        return encode_frame(frame)
    step = {name: value for name, value in event["step"].items() if name != "signature"}
    return with_payload(frame, {**event, "step": step})


def _drop_id_of_create(frame: Frame, _: int, request: Request) -> bytes:
    event = event_of(frame)
    if event is None or request.method != "POST":
        return encode_frame(frame)
    return with_payload(frame, PROTOCOL.with_cursor(event, None))


def _is_resume(request: Request) -> bool:
    return request.parameter("last_event_id") is not None


class EndsAtStrangers(FrameEdit):
    """Sends nothing from an unknown event on."""

    ended = False

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        self.ended = self.ended or _is_unknown(frame)
        return () if self.ended else (encode_frame(frame),)


def _is_unknown(frame: Frame) -> bool:
    return "unknown" in (event_of(frame) or {}).get("event_type", "")


def _drop_strangers(event: Json) -> Json:
    return {name: value for name, value in event.items() if not name.startswith("harness_")}


def _buffer(after: int) -> GatewayBuild:
    """Hold everything behind the first frames until the end."""

    class Buffers(FrameEdit):
        held = b""

        def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
            if number < after:
                return (encode_frame(frame),)
            self.held += encode_frame(frame)
            return ()

        def end(self, rest: bytes, ending: Ending) -> tuple[bytes, Ending]:
            return self.held + rest, ending

    return edit_streams(Buffers)


class IsOneBehind(FrameEdit):
    """Holds one frame."""

    held = b""

    def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
        held, self.held = self.held, encode_frame(frame)
        return (held,) if held else ()

    def end(self, rest: bytes, ending: Ending) -> tuple[bytes, Ending]:
        return self.held + rest, ending


def _end_what_stands_still(ending: Ending) -> GatewayBuild:
    """End a stream with `ending` in place of a pause of two seconds or more."""

    def pass_pieces(body: Body) -> Iterator[Piece]:
        for piece in body:
            if isinstance(piece, Pause) and piece.seconds >= 2:
                body.close()
                yield ending
                return
            yield piece

    return change_pieces(pass_pieces)


def _end_in_order(words: bytes) -> GatewayBuild:
    """End normally a stream that was dropped upstream, after some words of the gateway."""

    class EndsInOrder(FrameEdit):
        done = False

        def frame(self, number: int, frame: Frame) -> Iterable[bytes]:
            ends = frame.data == PROTOCOL.sentinel or PROTOCOL.is_error(event_of(frame) or {})
            self.done = self.done or ends
            return (encode_frame(frame),)

        def end(self, rest: bytes, ending: Ending) -> tuple[bytes, Ending]:
            return (b"", ending) if self.done else (words, COMPLETE)

    return edit_streams(EndsInOrder)


class DropsWhatIsNoEvent(FrameEdit):
    """Data at the end of a complete body that belongs to no event is dropped."""

    def end(self, rest: bytes, ending: Ending) -> tuple[bytes, Ending]:
        return b"" if ending.complete else rest, ending


_COMPLETED: Json = {
    "interaction": {"id": "v1_x", "status": "completed", "object": "interaction"},
    "event_type": "interaction.completed",
}
_OWN_ERROR = b'{"error": {"message": "upstream closed", "type": "None", "param": null, "code": "500"}}'


def _decode_chunks(body: Body) -> Iterator[Piece]:
    for piece in body:
        yield Chunk(piece.data.decode("utf-8", "replace").encode()) if isinstance(piece, Chunk) else piece


def _lose_when_paced(body: Body) -> Iterator[Piece]:
    """Drop the first chunk after the third run of pauses."""
    runs, paused = 0, False
    for piece in body:
        ends_run, paused = paused, isinstance(piece, Pause)
        runs += ends_run and not paused
        if not (ends_run and runs == 3 and isinstance(piece, Chunk)):
            yield piece


class Hoards(Gateway):
    """Streams are compressed for clients that accept gzip, and arrive only after their end."""

    def relay_stream(self, request: Request, body: Body) -> Body:
        return _Hoarding(body, "gzip") if accepts(request.headers.get("accept-encoding"), "gzip") else body

    def relay_response(self, request: Request, response: Response) -> Response:
        response = super().relay_response(request, response)
        if isinstance(response.body, _Hoarding):
            response.headers = response.headers.having("content-encoding", "gzip")
        return response


class _Hoarding(CodedBody):
    """A compressed body that is flushed only at its end."""

    def _code(self, piece: Chunk) -> Chunk:
        return Chunk(self._coder.compress(piece.data))


class ForgetsCoding(Gateway):
    """Compressed responses are forwarded without their Content-Encoding.

    It compresses what arrives plain: a carrier may ask its upstream for no coding.
    """

    def relay_response(self, request: Request, response: Response) -> Response:
        plain = "content-encoding" not in response.headers
        if plain and accepts(request.headers.get("accept-encoding"), "gzip"):
            response.body, response.framing = CodedBody(response.body, "gzip"), Chunked()
        response.headers = response.headers.without("content-encoding")
        return super().relay_response(request, response)


class InventsCoding(Gateway):
    """Clients that accept gzip get plain text with a gzip Content-Encoding."""

    def relay_request(self, request: Request) -> Request:
        return replace(request, headers=request.headers.without("accept-encoding"))

    def relay_response(self, request: Request, response: Response) -> Response:
        if accepts(request.headers.get("accept-encoding"), "gzip"):
            response.headers = response.headers.having("content-encoding", "gzip")
        return super().relay_response(request, response)


class AnnouncesClosedBodies(Gateway):
    """A body that ends with its connection is forwarded as complete, even after a reset."""

    def relay_response(self, request: Request, response: Response) -> Response:
        if isinstance(response.framing, UntilClose):
            response.framing = Chunked()
            body = response.body
            forgiving = (COMPLETE if isinstance(piece, Ending) else piece for piece in body)
            response.body = PieceBody(forgiving, body.close)
        return super().relay_response(request, response)


class HoldsOn(Gateway):
    """A stream stays open upstream after its client disconnects."""

    def __init__(self, upstream: Service) -> None:
        super().__init__(upstream)
        self._held: list[Body] = []  # otherwise garbage collection would close the connection

    def relay_stream(self, request: Request, body: Body) -> Body:
        self._held.append(body)
        return PieceBody(body)


class _Listed(WrappedBody):
    """A body that is in a list as long as it is open."""

    def __init__(self, inner: Body, everybody: list[Body]) -> None:
        super().__init__(inner)
        self._everybody = everybody
        everybody.append(self)

    def close(self) -> None:
        """Close the wrapped body, and leave the list."""
        if self in self._everybody:
            self._everybody.remove(self)
        super().close()


class _Counted(Gateway):
    """Counts the streams that are open; from the fifth on it has a defect."""

    most = 4

    def __init__(self, upstream: Service) -> None:
        super().__init__(upstream)
        self.open: list[Body] = []

    def relay_stream(self, request: Request, body: Body) -> Body:
        return _Listed(body, self.open)


class HasFewConnections(_Counted):
    """The fifth parallel stream returns 502."""

    def __call__(self, request: Request) -> Response:
        if len(self.open) >= self.most:
            return Response(502, Headers([("content-type", "text/html")]), Length(0), PieceBody([COMPLETE]))
        return super().__call__(request)


class CutsTheFifth(_Counted):
    """The fifth parallel stream is dropped after its first event."""

    def relay_stream(self, request: Request, body: Body) -> Body:
        crowded = len(self.open) >= self.most
        kept = super().relay_stream(request, body)
        cut = chain(islice(kept, 1), (Ending(By.SERVER, How.RST),))
        return PieceBody(cut, kept.close) if crowded else kept


class Mixes(Gateway):
    """Parallel streams get each other's events."""

    def __init__(self, upstream: Service) -> None:
        super().__init__(upstream)
        self._open: list[Body] = []

    def relay_stream(self, request: Request, body: Body) -> Body:
        listed = _Listed(body, self._open)
        return PieceBody(self._mix(listed), listed.close)

    def _mix(self, own: Body) -> Iterator[Piece]:
        """Take every second piece from another stream."""
        for turn in count(1):
            others = [body for body in self._open if body is not own]
            taken = next(others[0], COMPLETE) if others and turn % 2 == 0 else None
            yield taken if isinstance(taken, Chunk) else next(own, COMPLETE)


MUTANTS = (
    row("events.lost", "events", "One delta is dropped.",
        change_frames(lambda frame, number, _: b"" if number == 4 else encode_frame(frame))),
    row("events.doubled", "events", "One delta is sent twice.",
        change_frames(lambda frame, number, _: encode_frame(frame) * (2 if number == 4 else 1))),
    row("events.swapped", "events", "Two deltas are swapped.", edit_streams(SwapsEvents)),
    row("events.invented", "events", "A delta is added that the upstream did not send.",
        change_frames(lambda frame, number, _: (
            (with_payload(frame, _OWN_DELTA) if number == 5 else b"") + encode_frame(frame)))),
    row("events.retold", "events", "The text of each delta is trimmed.", change_frames(_trim)),
    row("events.uncompleted", "events", "The interaction.completed event is dropped.",
        drop_frames(lambda frame: b'"interaction.completed"' in frame.data)),
    row("events.better", "events", "A failed run is returned as completed.",
        change_frames(lambda frame, *_: (
            encode_frame(frame._replace(data=frame.data.replace(b'"failed"', b'"completed"')))))),
    row("events.errors", "events", "The upstream's error events are dropped.",
        drop_frames(lambda frame: PROTOCOL.is_error(event_of(frame) or {}))),
    row("events.signatures", "events", "Signatures of thoughts are dropped.",
        drop_frames(lambda frame: b'"thought_signature"' in frame.data)),
    row("events.calls", "events", "A function call loses its signature.", change_frames(_forget_call_signature)),
    row("events.images", "events", "Images are dropped.",
        drop_frames(lambda frame: b'"image/png"' in frame.data)),
    row("events.model", "additions", "Each event gets a field of the gateway's own.",
        change_events(lambda event: {**event, "served_by": "alias"})),
    row("ids.dropped", "event-ids", "Events lose their event_id.",
        change_events(lambda event: PROTOCOL.with_cursor(event, None))),
    row("ids.background", "event-ids", "Events lose their event_id if the create requested the stream.",
        change_frames(_drop_id_of_create)),
    row("ids.one", "event-ids", "All events get the same event_id.",
        change_events(lambda event: PROTOCOL.with_cursor(event, "1"))),
    row("names.dropped", "event-names", "Events lose their `event:` line.",
        change_frames(lambda frame, *_: encode_frame(frame._replace(event=None)))),
    row("strangers.events", "unknown-event",
        "Events of types that the gateway does not know are dropped.", drop_frames(_is_unknown)),
    row("strangers.end", "events", "A stream ends at an event of a type that the gateway does not know.",
        edit_streams(EndsAtStrangers)),
    row("strangers.fields", "unknown-event-field",
        "Fields of events that the gateway does not know are dropped.", change_events(_drop_strangers)),
    row("broken.skipped", "broken-frame", "An event that is not valid JSON is skipped.",
        drop_frames(lambda frame: event_of(frame) is None and frame.data != PROTOCOL.sentinel)),
    row("live.buffered", "live", "The whole stream is buffered until it has ended.", _buffer(0)),
    row("live.later", "live",
        "The first events are forwarded at once, the others only after the end of the stream.",
        _buffer(4)),
    row("live.behind", "live", "Each event is delayed until the next one arrives.", edit_streams(IsOneBehind)),
    row("idle.ended", "idle", "A stream that is idle for two seconds is ended normally.",
        _end_what_stands_still(COMPLETE)),
    row("idle.dropped", "idle", "A stream that is idle for two seconds is dropped.",
        _end_what_stands_still(Ending(how=How.FIN))),
    row("cut.done", "truncated", "A truncated stream is ended normally, with a sentinel.",
        _end_in_order(_DONE)),
    row("cut.completed", "truncated",
        "A truncated stream gets an interaction.completed of the gateway.",
        _end_in_order(encode("interaction.completed", json.dumps(_COMPLETED).encode()) + _DONE)),
    row("cut.clean", "truncated", "A truncated stream ends normally, with nothing added.",
        _end_in_order(b"")),
    row("bare.dropped", "bare-error", "Data outside of events is dropped, and the stream ends normally.",
        edit_streams(DropsWhatIsNoEvent)),
    row("cut.own-error", "error-event",
        "A truncated stream ends with an error that is not an event of the API.",
        _end_in_order(encode(None, _OWN_ERROR))),
    row("resume.late", "resume-through", "A resumed stream starts one event too late.",
        change_frames(lambda frame, number, request: (
            b"" if _is_resume(request) and number == 0 else encode_frame(frame)))),
    row("resume.stutters", "resume-through", "A resumed stream repeats one event.",
        change_frames(lambda frame, number, request: (
            encode_frame(frame) * (2 if _is_resume(request) and number == 1 else 1)))),
    row("utf8.chunks", "utf8", "Each chunk is decoded as text on its own.", change_pieces(_decode_chunks)),
    row("live.lossy", "events",
        "An event is lost if the stream paused before it; a stream without pauses is complete.",
        change_pieces(_lose_when_paced)),
    row("live.compressed", "live",
        "Streams are compressed for clients that accept gzip, and arrive only after their end.", Hoards),
    row("coding.unnamed", "coding",
        "Compressed responses are forwarded without their Content-Encoding.", ForgetsCoding),
    row("coding.invented", "coding",
        "Clients that accept gzip get plain text with a gzip Content-Encoding.", InventsCoding),
    row("close.completed", "truncated",
        "A body that ends with its connection is forwarded as complete, even after a reset.",
        AnnouncesClosedBodies),
    row("hang-up.ignored", "hang-up", "A stream stays open upstream after its client disconnects.", HoldsOn),
    row("crowd.refused", "crowd", "The fifth parallel stream returns 502.", HasFewConnections),
    row("crowd.cut", "crowd", "The fifth parallel stream is dropped after its first event.", CutsTheFifth),
    row("two.mixed", "isolated", "Parallel streams get each other's events.", Mixes),
)  # fmt: skip
