"""A service behind a proxy that has one defect: it changes the bytes of exchanges, and sees nothing but them.

A `DefectRun` belongs to one run of checks, whose drivers each get a service of their own. Must not know
what is judged, nor the service that it wraps: its control API is hidden, so it is a stranger to the checks.
"""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from harness.contract import PROTOCOL
from harness.interactions import INTERACTIONS
from harness.kit.api import OTHER_KEY, PRIMARY_KEY
from harness.wire import (
    COMPLETE,
    Chunk,
    Chunked,
    Ending,
    Headers,
    Length,
    Pause,
    Piece,
    PieceBody,
    Request,
    Response,
)
from harness.wire.bodies import object_or_none
from harness.wire.message import EVENT_STREAM, Body, ReadyBody, WrappedBody
from lab.defects import edits
from lab.defects.edits import ODDITIES, Oddity
from lab.defects.scenes import (
    BODY,
    EVENT,
    EVERY,
    FIRST,
    ODDITY,
    REQUEST,
    ROUTE,
    STATUS,
    STREAM,
    Scene,
    SceneTracker,
    WireDefect,
)

CONTROL = "/__harness__"
_PROBABILITY = 0.3
_NONE: Any = object()


@dataclass(slots=True)
class CleanExchange:
    """One undisturbed exchange of a clean run: what defects are generated from."""

    scene: Scene
    request: Request
    status: int
    value: Any = None
    frames: list[bytes] | None = None


@dataclass(slots=True)
class DefectRun:
    """One run of checks against one defect, or against none.

    `shown` counts the responses or frames that the defect changed. `sent` has the status and a checksum of every
    response as the client got it: of defects in requests, only a comparison shows whether anything changed.
    """

    defect: WireDefect | None = None
    key_header: str = INTERACTIONS.key_header
    keys: tuple[str, str] = (PRIMARY_KEY, OTHER_KEY)
    hides_control: bool = True
    shown: int = 0
    hit: int = 0
    sent: list[list[int]] = field(default_factory=list)
    seen: list[CleanExchange] | None = None
    values: dict[str, Any] = field(default_factory=dict)
    draw: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.draw = random.Random(self.defect.seed if self.defect is not None else 0)

    def wrap(self, service: Any) -> DefectiveService:
        """Return the service behind the proxy."""
        return DefectiveService(service, self)

    def is_due(self) -> bool:
        """Whether the defect acts now; asked only where it could."""
        assert self.defect is not None
        if self.defect.when == EVERY:
            return True
        if self.defect.when == FIRST:
            return not self.hit
        return self.draw.random() < _PROBABILITY

    def note_change(self) -> None:
        """Note that bytes were changed."""
        self.hit += 1
        self.shown += 1

    def edit_value(self, path: edits.Path, value: Any, subject: str) -> bytes | None:
        """Return the changed JSON, or None if the defect changes nothing of it."""
        defect = self.defect
        assert defect is not None
        former = self._recall(defect, subject)
        self.values[subject] = _first_at(value, path, self.values.get(subject))
        if former is _NONE and defect.operator in ("stale", "of a neighbor"):
            return None
        given = json.loads(defect.value) if defect.value else former
        changed = edits.copy_value(value)
        edits.edit_member(changed, path, _CHANGES.get(defect.operator, lambda _: given))
        if changed == value or not self.is_due():
            return None
        self.note_change()
        return edits.encode(changed)

    def _recall(self, defect: WireDefect, subject: str) -> Any:
        if defect.operator == "stale":
            return self.values.get(subject, _NONE)
        others = [value for name, value in self.values.items() if name != subject and value is not None]
        return others[-1] if others else _NONE

    def differs_from(self, clean: DefectRun) -> bool:
        """Whether the client got other bytes than from a clean run of the same checks in the same order."""
        return any(mine != other for mine, other in zip(self.sent, clean.sent, strict=False))


class DefectiveService:
    """The wrapped service; it has the clock and the outbox of the inner one."""

    def __init__(self, inner: Any, run: DefectRun) -> None:
        self.inner = inner
        self.clock = inner.clock
        self.outbox = inner.outbox
        self.run = run
        self.tracker = SceneTracker(run.key_header, run.keys[1])
        self._recent: dict[tuple[str, ...], tuple[int, Headers, bytes]] = {}
        self._names: dict[str, list[str]] = {}

    def __call__(self, request: Request) -> Response:
        if CONTROL in request.target:
            return self._answer_control(request)
        scene = self.tracker.find_scene(request)
        defect = self.run.defect
        asked: Request | Response = request
        if defect is not None and defect.scene == scene and defect.part in (REQUEST, ROUTE):
            asked = self._change_request(defect, request)
        if isinstance(asked, Response):
            return self._send(asked)
        response = self.inner(asked)
        if response.headers.media_type() == EVENT_STREAM:
            return self._send(self._pass_stream(scene, request, response))
        if response.headers.media_type() == "application/json":
            return self._send(self._pass_json(scene, request, response))
        if defect is not None and defect.part == ODDITY:
            ODDITIES[defect.operator].change_head(response)
        return self._send(response)

    def _answer_control(self, request: Request) -> Response:
        if self.run.hides_control:
            return Response.whole(404, Headers([("content-type", "text/plain")]), b"404 page not found\n")
        response: Response = self.inner(request)
        return response

    # Requests and routes.

    def _change_request(self, defect: WireDefect, request: Request) -> Request | Response:
        if defect.part == ROUTE:
            return self._reroute(defect, request)
        changed = change_query(request, defect) if defect.field.startswith("?") else change_body(request, defect)
        if changed is None or not self.run.is_due():
            return request
        self.run.hit += 1
        if defect.operator == "refused":
            text = PROTOCOL.error_body(400, "invalid_request", f"{defect.field} is not supported.")
            return Response.json(400, text)
        return changed

    def _reroute(self, defect: WireDefect, request: Request) -> Request | Response:
        if defect.operator == "of a moment ago":
            found = self._recent.get(self._name_caller_and_target(request))
            if found is None or not self.run.is_due():
                return request
            self.run.hit += 1
            return Response.whole(*found)
        if defect.operator == "of another key":
            own = request.headers.get(self.run.key_header)
            other = self.run.keys[0] if own == self.run.keys[1] else self.run.keys[1]
            if not own or not self.run.is_due():
                return request
            self.run.hit += 1
            headers = request.headers.having(self.run.key_header, other)
            return Request(request.method, request.target, headers, request.body)
        return self._ask_for_another(request)

    def _name_caller_and_target(self, request: Request) -> tuple[str, ...]:
        keys = (request.headers.get(name) for name in (self.run.key_header, "authorization"))
        return request.method, request.target, *keys

    def _ask_for_another(self, request: Request) -> Request:
        """The same request about another thing of its collection, if one was named before."""
        parts = request.target.split("/")
        if len(parts) < 4:
            return request
        own, query = parts[3].partition("?")[0], parts[3].partition("?")[2]
        known = self._names.setdefault(parts[2], [])
        others = [name for name in known if name != own]
        if own not in known:
            known.append(own)
        if not others or not self.run.is_due():
            return request
        self.run.hit += 1
        parts[3] = others[-1] + (f"?{query}" if query else "")
        return Request(request.method, "/".join(parts), request.headers, request.body)

    # Responses.

    def _send(self, response: Response) -> Response:
        response.body = _SentBody(response.body, self, response.status)
        return response

    def _pass_json(self, scene: Scene, request: Request, response: Response) -> Response:
        if isinstance(response.framing, Chunked):  # held until its run is settled
            response.body = _EditedBody(response.body, _WholeEdit(self, scene, request, response))
            return response
        data = b"".join(piece.data for piece in response.body if isinstance(piece, Chunk))
        response.body.close()
        data, response = self.edit_json(scene, request, response, data)
        response.framing = Length(len(data)) if isinstance(response.framing, Length) else response.framing
        pause = self._find_pause(scene)
        if pause:
            response.body = PieceBody((Pause(pause), Chunk(data), COMPLETE))
        else:
            response.body = ReadyBody((Chunk(data),))
        return response

    def _find_pause(self, scene: Scene) -> float:
        """The seconds that an oddity lets a client wait."""
        defect = self.run.defect
        if defect is None or defect.part != ODDITY or defect.scene.mode not in ("", scene.mode):
            return 0.0
        return ODDITIES[defect.operator].pause

    def edit_json(self, scene: Scene, request: Request, response: Response, data: bytes) -> tuple[bytes, Response]:
        """Return the body and the head as the client gets them."""
        value = _parse(data)
        scene = self.tracker.note_body(scene, request, response.status, value)
        if self.run.seen is not None:
            self.run.seen.append(CleanExchange(scene, request, response.status, value))
        defect = self.run.defect
        self._recent[self._name_caller_and_target(request)] = (response.status, response.headers, data)
        if defect is None or (defect.scene != scene and defect.part != ODDITY):
            return data, response
        if defect.part == ODDITY:
            return self._apply_oddity(defect, scene, response, value, data)
        return self._apply_defect(defect, request, response, value, data)

    def _apply_defect(
        self, defect: WireDefect, request: Request, response: Response, value: Any, data: bytes
    ) -> tuple[bytes, Response]:
        if self._change_status(defect, response):
            return (b"" if response.status == 204 else data), response
        if defect.part == BODY and value is not _NONE:
            subject = _subject_of(request, value)
            edited = self.run.edit_value(tuple(defect.field.split(".")), value, subject)
            return (data if edited is None else edited), response
        return data, response

    def _apply_oddity(
        self, defect: WireDefect, scene: Scene, response: Response, value: Any, data: bytes
    ) -> tuple[bytes, Response]:
        odd = self._take_oddity(defect, scene, response)
        return (data if odd is None or value is _NONE else odd.body(value, data)), response

    def _take_oddity(self, defect: WireDefect, scene: Scene, response: Response) -> Oddity | None:
        """The oddity of this response, if it has one; its head is then changed."""
        if defect.scene.mode not in ("", scene.mode) or not self.run.is_due():
            return None
        odd = ODDITIES[defect.operator]
        odd.change_head(response)
        self.run.note_change()
        return odd

    def _change_status(self, defect: WireDefect, response: Response) -> bool:
        if defect.part != STATUS or defect.field != str(response.status) or not self.run.is_due():
            return False
        self.run.note_change()
        response.status = int(defect.value)
        return True

    def _pass_stream(self, scene: Scene, request: Request, response: Response) -> Response:
        defect, seen = self.run.defect, None
        if self.run.seen is not None:
            seen = CleanExchange(scene, request, response.status, frames=[])
            self.run.seen.append(seen)
        acts: WireDefect | None = None  # what changes events
        odd: Oddity | None = None
        if defect is not None and defect.part == ODDITY:
            odd = self._take_oddity(defect, scene, response)
        elif defect is not None and defect.scene == scene:
            acts = defect if defect.part in (EVENT, STREAM) else None
            self._change_status(defect, response)
        edit = _StreamEdit(self, scene, request, acts, seen, odd)
        response.body = _EditedBody(response.body, edit, 0.0 if odd is None else odd.pause)
        return response


_CHANGES: dict[str, Callable[[Any], Any]] = {
    "dropped": lambda _: edits.GONE,
    "emptied": edits.empty,
    "retyped": edits.retype,
    "cut": edits.cut,
}


class _SentBody(WrappedBody):
    """Counts the body as open until it is closed, and notes what the client got of it."""

    __slots__ = ("_closed", "_entry", "_service")

    def __init__(self, inner: Body, service: DefectiveService, status: int) -> None:
        super().__init__(inner)
        self._service = service
        self._closed = False
        self._entry = [status, 0]
        service.tracker.open_bodies += 1
        service.run.sent.append(self._entry)

    def __next__(self) -> Piece:
        piece = next(self._inner)
        if isinstance(piece, Chunk):
            self._entry[1] = zlib.crc32(piece.data, self._entry[1])
        return piece

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._service.tracker.open_bodies -= 1
            self._inner.close()


class _WholeEdit:
    """Edits a body that is sent at its end."""

    def __init__(self, service: DefectiveService, scene: Scene, request: Request, response: Response) -> None:
        self._with = (service, scene, request, response)
        self._data = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        self._data += data
        return []

    def end(self) -> list[bytes]:
        service, scene, request, response = self._with
        return [service.edit_json(scene, request, response, bytes(self._data))[0]]


class _StreamEdit:
    """Edits the frames of one stream, and learns from them."""

    def __init__(
        self,
        service: DefectiveService,
        scene: Scene,
        request: Request,
        defect: WireDefect | None,
        seen: CleanExchange | None,
        odd: Oddity | None,
    ) -> None:
        self._service, self._scene, self._defect, self._seen, self._odd = service, scene, defect, seen, odd
        self._subject = request.target
        self._open = bytearray()
        self._held: list[tuple[int, bytes]] = []
        self._joins = b""

    def feed(self, data: bytes) -> list[bytes]:
        self._open += data
        sent: list[bytes] = []
        while (end := self._open.find(b"\n\n")) >= 0:
            block = bytes(self._open[: end + 2])
            del self._open[: end + 2]
            sent += self._take(block)
        return sent

    def end(self) -> list[bytes]:
        rest = [block for _, block in self._held]
        self._held = []
        return [*([self._joins] if self._joins else []), *rest, *([bytes(self._open)] if self._open else [])]

    def _take(self, block: bytes) -> list[bytes]:
        payload = edits.payload_of(block)
        if isinstance(payload, dict):
            self._service.tracker.note_value(self._scene, payload)
        if self._seen is not None and self._seen.frames is not None:
            self._seen.frames.append(block)
        if self._odd is not None:
            return self._odd.frames(block, payload)
        return [block] if self._defect is None else self._change(self._defect, block, payload)

    def _change(self, defect: WireDefect, block: bytes, payload: Any) -> list[bytes]:
        kind, _, path = defect.field.partition(": ")
        is_meant = edits.type_of(payload) == kind if payload is not None else kind == "[DONE]"
        if defect.part == EVENT:
            if not is_meant:
                return [block]
            edited = self._service.run.edit_value(tuple(path.split(".")), payload, self._subject)
            if edited is None:
                return [block]
            return [edits.with_payload(block, json.loads(edited))]
        sent = self._release(block)
        run = self._service.run
        if self._joins:
            joined, self._joins = self._joins + block, b""
            return [*sent[:-1], joined]
        if not is_meant or not run.is_due():
            return sent
        return [*sent[:-1], *self._change_order(defect.operator, block, payload)]

    def _change_order(self, operator: str, block: bytes, payload: Any) -> list[bytes]:
        self._service.run.note_change()
        if operator == "lost":
            return []
        if operator == "doubled":
            return [block, block]
        if operator == "renamed":
            return [_rename(block, payload)]
        if operator == "merged":
            self._joins = block[:-1]
            return []
        self._held.append((1 if operator == "swapped" else 3, block))
        return []

    def _release(self, block: bytes) -> list[bytes]:
        """The block, and before the next ones those that were held back for so many blocks."""
        due = [held for left, held in self._held if left == 0]
        self._held = [(left - 1, held) for left, held in self._held if left > 0]
        return [*due, block]


def _rename(block: bytes, payload: Any) -> bytes:
    name = str(payload.get("event_type")) if isinstance(payload, dict) else ""
    return block.replace(name.encode(), name.encode() + b"_v2") if name else block.replace(b"DONE", b"END")


class _EditedBody(WrappedBody):
    """Pulls on demand and passes pauses on; what an edit holds back comes before the ending."""

    __slots__ = ("_edit", "_pause", "_ready")

    def __init__(self, inner: Body, edit: _WholeEdit | _StreamEdit, pause: float = 0.0) -> None:
        super().__init__(inner)
        self._pause = pause
        self._edit = edit
        self._ready: Iterator[Piece] = iter(())

    def __next__(self) -> Piece:
        while (ready := next(self._ready, None)) is None:
            piece = next(self._inner)
            if isinstance(piece, Chunk):
                chunks: list[Piece] = [Chunk(data) for data in self._edit.feed(piece.data) if data]
                self._ready = iter([Pause(self._pause), *chunks] if self._pause else chunks)
            elif isinstance(piece, Ending):
                self._ready = iter([*(Chunk(data) for data in self._edit.end() if data), piece])
            else:
                return piece
        return ready


def change_body(request: Request, defect: WireDefect) -> Request | None:
    """Return the request without a member, or with half of it; None if it has no such member."""
    value = object_or_none(request.body)
    if value is None:
        return None
    changed = edits.copy_value(value)
    remove = defect.operator in ("ignored", "refused")
    edits.edit_member(changed, tuple(defect.field.split(".")), _CHANGES["dropped" if remove else "cut"])
    if changed == value:
        return None
    body = edits.encode(changed)
    return Request(request.method, request.target, request.headers.with_length(len(body)), body)


def change_query(request: Request, defect: WireDefect) -> Request | None:
    """Return the request without a query parameter, or with half of its value; None if it has none."""
    path, _, query = request.target.partition("?")
    name = defect.field[1:]
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    if not any(pair[0] == name for pair in pairs):
        return None
    if defect.operator == "cut":
        kept = [(key, edits.cut(value) if key == name else value) for key, _, value in pairs]
    else:
        kept = [(key, value) for key, _, value in pairs if key != name]
    asked = "&".join(f"{key}={value}" for key, value in kept)
    return Request(request.method, f"{path}?{asked}" if asked else path, request.headers, request.body)


def _parse(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return _NONE


def subject_of(seen: CleanExchange, value: Any) -> str:
    """Return a value that distinguishes one interaction from its neighbors."""
    return seen.request.target if seen.frames is not None else _subject_of(seen.request, value)


def _subject_of(request: Request, value: Any) -> str:
    own = value.get("id") if isinstance(value, dict) else None
    return own if isinstance(own, str) else request.target.partition("?")[0]


def _first_at(value: Any, path: edits.Path, otherwise: Any) -> Any:
    found: list[Any] = []

    def keep(member: Any) -> Any:
        found.append(member)
        return member

    edits.edit_member(value, path, keep)
    return found[0] if found else otherwise
