"""Writing an environment's files: one plain PUT, or one of two resumable forms.

Layer 2. Knows the upload protocols; must not know how files are kept. The resumable forms differ only in syntax:
`uploadType=resumable` uses Content-Range and 308, the X-Goog-Upload headers use an offset and a command. The URL
that they return contains an `upload_id` and needs no key: the id is the permission, and the upload's project is
stored with it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from harness.emulator.http.routing import route
from harness.emulator.resources import archive
from harness.emulator.resources.collection import Stamps
from harness.emulator.resources.environments import Environments
from harness.emulator.resources.fields import over_quota
from harness.emulator.resources.file_tree import clean
from harness.emulator.resources.files import entry
from harness.emulator.resources.refusals import flag, no_operation
from harness.emulator.values.call import Call, Refusal, invalid, json_response, not_found
from harness.wire import Headers, Request, Response

UPLOAD_BYTES = 32 * 2**20
"""Size limit in bytes of one upload; a gzipped archive may inflate to twice as much."""
PENDING_BYTES = 64 * 2**20
"""Total bytes that all unfinished uploads may hold."""
MOST_PENDING = 64


@dataclass(frozen=True, slots=True)
class Destination:
    """Where and how to store an upload, as given in its first request."""

    environment: str
    project: str
    path: str
    media_type: str
    overwrite: bool
    extract: bool


@dataclass(slots=True)
class Pending:
    """An unfinished resumable upload; `size` is the announced total in bytes, None if not announced."""

    destination: Destination
    size: int | None
    received: bytearray = field(default_factory=bytearray)


class Uploads:
    """PUT below `upload/environments/{id}/files`."""

    def __init__(self, stamps: Stamps, environments: Environments) -> None:
        self._stamps = stamps
        self._environments = environments
        self._pending: dict[str, Pending] = {}

    def knows(self, request: Request) -> bool:
        """Whether the request continues an unfinished upload and therefore needs no key.

        True only for the path of an upload: on any other path, an `upload_id` permits nothing.
        """
        if not self._pending:
            return False
        way = route(request.target)
        return way.segments[:2] == ("upload", "environments") and way.query.get("upload_id") in self._pending

    def handle(self, call: Call) -> Response:
        """Answer any request of the upload protocols."""
        method, upload_id = call.request.method, call.query.get("upload_id")
        if upload_id is not None:
            if method not in ("PUT", "POST"):
                raise no_operation(call, "PUT to continue an upload")
            return self._continue(call.request, upload_id)
        if method != "PUT":
            raise no_operation(call, "PUT")
        destination = _destination(call)
        self._environments.open(destination.environment, call.project)
        headers = call.request.headers
        if call.query.get("uploadType") == "resumable":
            return self._start(call, destination, headers.get("x-upload-content-length"), "location")
        if headers.get("x-goog-upload-protocol").lower() == "resumable":
            if _commands(headers) != {"start"}:
                raise invalid("A resumable upload begins with X-Goog-Upload-Command: start.")
            size = headers.get("x-goog-upload-header-content-length")
            return self._start(call, destination, size, "x-goog-upload-url")
        return self._store(destination, call.request.body)

    def _start(self, call: Call, destination: Destination, size: str, header: str) -> Response:
        if call.request.body:
            raise invalid("The first request of a resumable upload has no body: send it to the URL in the answer.")
        upload_id = self._stamps.ids("upload")
        if len(self._pending) >= MOST_PENDING:
            del self._pending[next(iter(self._pending))]
        self._pending[upload_id] = Pending(destination, _number(size, "the announced length") if size else None)
        host = call.request.headers.get("host")
        scheme = call.request.headers.get("x-forwarded-proto", "http")
        base = f"{scheme}://{host}" if host else ""
        fields = [(header, f"{base}{call.request.raw_path}?upload_id={upload_id}")]
        if header != "location":
            fields.append(("x-goog-upload-status", "active"))
        return Response.whole(200, Headers(fields), b"")

    def _continue(self, request: Request, upload_id: str) -> Response:
        pending = self._pending.get(upload_id)
        if pending is None:
            raise not_found(f"No upload {upload_id!r} is under way: it is finished, or was never started.")
        if "x-goog-upload-command" in request.headers:
            done = self._command(request, pending)
            answer = _active
        else:
            done = self._ranged(request, pending)
            answer = _incomplete
        if not done:
            return answer(pending)
        del self._pending[upload_id]
        if "cancel" in _commands(request.headers):
            return Response.whole(200, Headers((("x-goog-upload-status", "cancelled"),)), b"")
        response = self._store(pending.destination, bytes(pending.received))
        if answer is _active:
            response.headers = response.headers.having("x-goog-upload-status", "final")
        return response

    def _ranged(self, request: Request, pending: Pending) -> bool:
        """Take the part that Content-Range announces, or without it all the rest; True if it was the last."""
        text = request.headers.get("content-range")
        if not text:
            self._append(pending, len(pending.received), request.body)
            return True
        match = re.fullmatch(r"bytes (?:([0-9]{1,15})-([0-9]{1,15})|\*)/([0-9]{1,15}|\*)", text.strip())
        if match is None:
            raise invalid(f"Content-Range {text!r} must look like bytes 0-99/100, bytes 0-99/* or bytes */100.")
        first, last, total = match.groups()
        if total != "*":
            _agree(pending, int(total))
        if first is not None:
            if int(last) - int(first) + 1 != len(request.body):
                raise invalid(f"Content-Range {text!r} does not fit a body of {len(request.body)} bytes.")
            self._append(pending, int(first), request.body)
        return len(pending.received) == pending.size

    def _command(self, request: Request, pending: Pending) -> bool:
        """Execute X-Goog-Upload-Command; return True if the upload has ended."""
        commands = _commands(request.headers)
        if not commands or commands - {"upload", "finalize", "query", "cancel"}:
            raise invalid("X-Goog-Upload-Command must be upload, finalize, both, query or cancel.")
        if "upload" in commands:
            offset = request.headers.get("x-goog-upload-offset", str(len(pending.received)))
            self._append(pending, _number(offset, "X-Goog-Upload-Offset"), request.body)
        if "finalize" in commands:
            _agree(pending, len(pending.received))
        return bool(commands & {"finalize", "cancel"})

    def _append(self, pending: Pending, offset: int, data: bytes) -> None:
        held = len(pending.received)
        if offset != held:
            raise Refusal(416, "out_of_range", f"The piece starts at {offset}, but {held} bytes have arrived.")
        if pending.size is not None and held + len(data) > pending.size:
            raise invalid(f"More bytes came than were announced: {held + len(data)} instead of {pending.size}.")
        everything = sum(len(other.received) for other in self._pending.values())
        if held + len(data) > UPLOAD_BYTES or everything + len(data) > PENDING_BYTES:
            raise over_quota(f"An upload may hold {UPLOAD_BYTES} bytes, all unfinished ones {PENDING_BYTES}.")
        pending.received += data

    def _store(self, to: Destination, data: bytes) -> Response:
        if len(data) > UPLOAD_BYTES:
            raise over_quota(f"An upload of {len(data)} bytes is too large: the emulator takes {UPLOAD_BYTES}.")
        environment = self._environments.open(to.environment, to.project)
        if to.extract:
            below = f"{to.path}/" if to.path else ""
            files, directories = archive.unpack(data, UPLOAD_BYTES)
            paths = self._environments.write(
                environment,
                {below + name: content for name, content in files.items()},
                overwrite=to.overwrite,
                directories=tuple(below + name for name in directories),
            )
        else:
            paths = self._environments.write(
                environment, {to.path: data}, media_type=to.media_type, overwrite=to.overwrite
            )
        written = ((path, environment.tree.node(path)) for path in paths)
        return json_response({"files": [entry(path, node, times=False) for path, node in written if node]})


def _destination(call: Call) -> Destination:
    extract = flag(call, "extract")
    path = clean("/".join(call.segments[4:]))
    if not path and not extract:
        raise invalid("An upload needs the path of a file: …/files/{path}; only extract=true can name the root.")
    headers = call.request.headers
    resumable = call.query.get("uploadType") == "resumable" or "x-goog-upload-protocol" in headers
    declared = headers.get("x-upload-content-type") or headers.get("x-goog-upload-header-content-type")
    media_type = declared if resumable else headers.get("content-type")
    return Destination(call.segments[2], call.project, path, media_type, flag(call, "overwrite"), extract)


def _incomplete(pending: Pending) -> Response:
    held = len(pending.received)
    return Response.whole(308, Headers((("range", f"bytes=0-{held - 1}"),) if held else ()), b"")


def _active(pending: Pending) -> Response:
    received = ("x-goog-upload-size-received", str(len(pending.received)))
    return Response.whole(200, Headers((("x-goog-upload-status", "active"), received)), b"")


def _agree(pending: Pending, total: int) -> None:
    if pending.size is not None and pending.size != total:
        raise invalid(f"A total of {total} bytes was named, but {pending.size} before.")
    pending.size = total


def _commands(headers: Headers) -> set[str]:
    return {word.strip().lower() for word in headers.get("x-goog-upload-command").split(",")} - {""}


def _number(text: str, what: str) -> int:
    if re.fullmatch(r"[0-9]{1,15}", text.strip()) is None:
        raise invalid(f"The value of {what} is {text!r}: it must be a whole number of bytes.")
    return int(text)
