"""The upload protocols: one plain, raw or multipart request, or one of two resumable forms.

What is stored where is the receiver's.

Knows the protocols; must not know what becomes of the bytes. The resumable forms differ only in syntax:
`uploadType=resumable` uses Content-Range and 308, the X-Goog-Upload headers use an offset and a command. The URL
that they return contains an `upload_id` and needs no key: the id is the permission, and the upload's project is
stored with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from harness.emulator.values.call import Call, Refusal, invalid, json_response, no_operation, not_found, over_quota
from harness.emulator.values.stamps import Stamps
from harness.wire import Headers, Request, Response

UPLOAD_BYTES = 32 * 2**20
"""Size limit in bytes of one upload to an environment."""
MOST_PENDING = 64
"""Limit on the uploads that are not finished, and on those that are and can still be queried."""

GRANULARITY = 8 * 2**20
"""Every piece of a file but the last is a multiple of this many bytes, as the first response states."""

_STATUS = "x-goog-upload-status"


class Receiver(Struct, frozen=True):
    """The receiver of an upload: `store` gets all its bytes and returns the JSON value to answer; it may refuse.

    `largest`: the most bytes it takes, `remedy` a sentence with the way to make it take more. `takes_metadata`:
    whether the first request of a resumable upload may have a body. `granularity`: what the size of every piece
    but the last must be a multiple of, in the form with X-Goog-Upload headers.
    """

    store: Callable[[bytes], Any]
    largest: int
    remedy: str = ""
    takes_metadata: bool = False
    granularity: int = 1


class Pending(Struct):
    """An unfinished resumable upload; `size` is the announced total in bytes, None if not announced."""

    receiver: Receiver
    size: int | None
    received: bytearray = field(default_factory=bytearray)

    def agree(self, total: int) -> None:
        """Note the announced total. Raises `Refusal` 400 if another one was announced before."""
        if self.size is not None and self.size != total:
            raise invalid(f"A total of {total} bytes was named, but {self.size} before.")
        self.size = total


class Uploads:
    """The uploads under way, of all projects and to all receivers."""

    def __init__(self, stamps: Stamps) -> None:
        self._stamps = stamps
        self._pending: dict[str, Pending] = {}
        self._finished: dict[str, Any] = {}

    def knows(self, upload_id: str | None) -> bool:
        """Whether this is an upload under way, or one that was finished and may still be queried."""
        return upload_id in self._pending or upload_id in self._finished

    def handle(self, call: Call, method: str, receive: Callable[[Call], Receiver]) -> Response:
        """Answer any request of the upload protocols; `receive` judges the first one, of that `method`."""
        upload_id = call.query.get("upload_id")
        if upload_id is not None:
            if call.request.method not in ("PUT", "POST"):
                raise no_operation(call, "PUT to continue an upload")
            return self._continue(call.request, upload_id)
        if call.request.method != method:
            raise no_operation(call, method)
        sent = _unpack(call)
        if sent is not None:
            described, data = sent
            return json_response(_store(receive(described), data))
        receiver = receive(call)
        headers = call.request.headers
        if call.query.get("uploadType") == "resumable":
            return self._start(call, receiver, headers.get("x-upload-content-length"), "location")
        if headers.get("x-goog-upload-protocol").lower() == "resumable":
            if _commands(headers) != {"start"}:
                raise invalid("A resumable upload begins with X-Goog-Upload-Command: start.")
            size = headers.get("x-goog-upload-header-content-length")
            return self._start(call, receiver, size, "x-goog-upload-url")
        return json_response(_store(receiver, call.request.body))

    def _start(self, call: Call, receiver: Receiver, size: str, header: str) -> Response:
        if call.request.body and not receiver.takes_metadata:
            raise invalid("The first request of a resumable upload has no body: send that to the returned URL.")
        pending = Pending(receiver, _number(size, "the announced length") if size else None)
        _judge_size(pending.size or 0, receiver)
        upload_id = self._stamps.ids("upload")
        if len(self._pending) >= MOST_PENDING:
            del self._pending[next(iter(self._pending))]
        self._pending[upload_id] = pending
        host = call.request.headers.get("host")
        scheme = call.request.headers.get("x-forwarded-proto", "http")
        address = f"{scheme}://{host}" if host else ""
        address += f"{call.request.raw_path}?upload_id={upload_id}"
        if header == "location":
            return Response.whole(200, Headers(((header, address),)), b"")
        fields = [(header, f"{address}&upload_protocol=resumable"), (_STATUS, "active")]
        if receiver.granularity > 1:
            fields.append(("x-goog-upload-chunk-granularity", str(receiver.granularity)))
        return Response.whole(200, Headers(fields), b"")

    def _continue(self, request: Request, upload_id: str) -> Response:
        commands = _commands(request.headers)
        if upload_id in self._finished and commands == {"query"}:
            return _mark_final(json_response(self._finished[upload_id]))
        pending = self._pending.get(upload_id)
        if pending is None:
            missing = not_found(f"No upload {upload_id!r} is under way: it is finished, or was never started.")
            raise _with_status(missing, "final")
        if "x-goog-upload-command" not in request.headers:
            if not self._ranged(request, pending):
                held = len(pending.received)
                return Response.whole(308, Headers((("range", f"bytes=0-{held - 1}"),) if held else ()), b"")
            del self._pending[upload_id]
            return json_response(_store(pending.receiver, bytes(pending.received)))
        if not self._command(request, commands, pending):
            received = ("x-goog-upload-size-received", str(len(pending.received)))
            return Response.whole(200, Headers(((_STATUS, "active"), received)), b"")
        del self._pending[upload_id]
        if "cancel" in commands:
            return Response.whole(200, Headers(((_STATUS, "cancelled"),)), b"")
        try:
            answer = _store(pending.receiver, bytes(pending.received))
        except Refusal as refusal:
            raise _with_status(refusal, "final") from None
        # a client that did not get the last answer can query it
        if len(self._finished) >= MOST_PENDING:
            del self._finished[next(iter(self._finished))]
        self._finished[upload_id] = answer
        return _mark_final(json_response(answer))

    def _ranged(self, request: Request, pending: Pending) -> bool:
        """Take the part that Content-Range announces, or without it all the rest; True if it was the last."""
        text = request.headers.get("content-range")
        if not text:
            _append(pending, len(pending.received), request.body)
            return True
        match = re.fullmatch(r"bytes (?:([0-9]{1,15})-([0-9]{1,15})|\*)/([0-9]{1,15}|\*)", text.strip())
        if match is None:
            raise invalid(f"Content-Range {text!r} must look like bytes 0-99/100, bytes 0-99/* or bytes */100.")
        first, last, total = match.groups()
        if total != "*":
            pending.agree(int(total))
        if first is not None:
            if int(last) - int(first) + 1 != len(request.body):
                raise invalid(f"Content-Range {text!r} does not fit a body of {len(request.body)} bytes.")
            _append(pending, int(first), request.body)
        return len(pending.received) == pending.size

    def _command(self, request: Request, commands: set[str], pending: Pending) -> bool:
        """Execute X-Goog-Upload-Command; return True if the upload has ended.

        A refusal states that the upload is still active: a client without that header tries again and again.
        """
        try:
            if not commands or commands - {"upload", "finalize", "query", "cancel"}:
                raise invalid("X-Goog-Upload-Command must be upload, finalize, both, query or cancel.")
            if "upload" in commands:
                size, step = len(request.body), pending.receiver.granularity
                if "finalize" not in commands and size % step:
                    raise invalid(
                        f"A piece of {size} bytes came: all but the last must be a multiple of {step} bytes."
                    )
                offset = request.headers.get("x-goog-upload-offset", str(len(pending.received)))
                _append(pending, _number(offset, "X-Goog-Upload-Offset"), request.body)
            if "finalize" in commands:
                pending.agree(len(pending.received))
        except Refusal as refusal:
            raise _with_status(refusal, "active") from None
        return bool(commands & {"finalize", "cancel"})


def _append(pending: Pending, offset: int, data: bytes) -> None:
    held = len(pending.received)
    if offset != held:
        raise Refusal(416, "out_of_range", f"The piece starts at {offset}, but {held} bytes have arrived.")
    if pending.size is not None and held + len(data) > pending.size:
        raise invalid(f"More bytes came than were announced: {held + len(data)} instead of {pending.size}.")
    _judge_size(held + len(data), pending.receiver)
    pending.received += data


def _unpack(call: Call) -> tuple[Call, bytes] | None:
    """Return the first request of an upload without its bytes, and those, if one request brings both.

    The raw protocol sends bare bytes, the multipart one a JSON part before them (seen for file search stores).
    """
    headers = call.request.headers
    protocol = headers.get("x-goog-upload-protocol").lower() or call.query.get("uploadType")
    if protocol == "raw":
        name = call.query.get("displayName") or call.query.get("display_name")
        about = msgspec.json.encode({"displayName": name}) if name and call.segments[1] != "files" else b""
        return _describe(call, about, headers.get("content-type")), call.request.body
    if protocol != "multipart":
        return None
    boundary = re.search(r'boundary="?([^";,\s]+)', headers.get("content-type"))
    parts = call.request.body.split(b"--" + boundary[1].encode()) if boundary is not None else []
    if len(parts) != 4:  # before the first boundary, two parts, after the last one
        raise invalid(
            "A multipart upload has two parts, JSON and then the bytes, and a boundary in its Content-Type."
        )
    (_, _, about), (fields, _, data) = (part.partition(b"\r\n\r\n") for part in parts[1:3])
    declared = re.search(rb"(?im)^content-type: *([^\r\n]+)", fields)
    media_type = declared[1].decode("latin-1") if declared is not None else ""
    return _describe(call, about.strip(), media_type), data.removesuffix(b"\r\n")


def _describe(call: Call, about: bytes, media_type: str) -> Call:
    headers = call.request.headers.having("x-goog-upload-protocol", "raw")
    if media_type:
        headers = headers.having("x-goog-upload-header-content-type", media_type)
    return replace(call, request=replace(call.request, headers=headers, body=about))


def declared_type(call: Call) -> str:
    """Return the media type that the first request of an upload declares for its bytes, or `""`."""
    headers = call.request.headers
    declared = headers.get("x-upload-content-type") or headers.get("x-goog-upload-header-content-type")
    return declared if is_resumable(call) else headers.get("content-type")


def is_resumable(call: Call) -> bool:
    """Whether the first request of an upload begins a resumable one."""
    return call.query.get("uploadType") == "resumable" or "x-goog-upload-protocol" in call.request.headers


def _store(receiver: Receiver, data: bytes) -> Any:
    _judge_size(len(data), receiver)
    return receiver.store(data)


def _judge_size(size: int, receiver: Receiver) -> None:
    if size > receiver.largest:
        reason = f"An upload of {size} bytes is too large: there is room for {receiver.largest}. {receiver.remedy}"
        raise over_quota(reason.rstrip())


def _with_status(refusal: Refusal, status: str) -> Refusal:
    return Refusal(refusal.status, refusal.code, refusal.message, (*refusal.headers, (_STATUS, status)))


def _mark_final(response: Response) -> Response:
    response.headers = response.headers.having(_STATUS, "final")
    return response


def _commands(headers: Headers) -> set[str]:
    return {word.strip().lower() for word in headers.get("x-goog-upload-command").split(",")} - {""}


def _number(text: str, what: str) -> int:
    if re.fullmatch(r"[0-9]{1,15}", text.strip()) is None:
        raise invalid(f"The value of {what} is {text!r}: it must be a whole number of bytes.")
    return int(text)
