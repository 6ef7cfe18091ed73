"""HTTP for servers of the standard library alone: reads requests, writes JSON, bytes and streams of events.

What is answered is in the servers, which share nothing else with each other, and nothing with the package.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Json = dict[str, Any]


class Refused(Exception):
    """An answer that is an error in the form of the API."""

    def __init__(self, status: int, code: str, message: str = "no") -> None:
        super().__init__(message)
        self.status = status
        self.body = {"error": {"code": code, "message": message}}


def parse_object(data: bytes) -> Json:
    """The JSON object in a request."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise Refused(400, "invalid_request", "The body is not JSON.") from None
    if not isinstance(value, dict):
        raise Refused(400, "invalid_request", "The body is no object.")
    return value


def encode_event(name: str, data: str) -> bytes:
    """An event as a frame."""
    return f"event: {name}\ndata: {data}\n\n".encode()


class AnsweringHandler(BaseHTTPRequestHandler):
    """Reads requests and writes what `dispatch` returns: a JSON object, bytes, or what `stream` takes."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *words: Any) -> None:
        """Say nothing."""

    def handle_any(self) -> None:
        """Answer any request."""
        chunked = self.headers.get("transfer-encoding") == "chunked"
        data = self.read_chunks() if chunked else self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            value = self.dispatch(data)
        except Refused as refusal:
            self.reply(refusal.status, refusal.body)
            return
        if isinstance(value, dict):
            self.reply(200, value, getattr(value, "headers", {}))
        elif isinstance(value, bytes):
            self.send(200, "application/octet-stream", value, {})
        else:
            self.stream(iter(value))

    def read_chunks(self) -> bytes:
        """The body of a request that is sent in chunks."""
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = handle_any

    def dispatch(self, data: bytes) -> Any:
        """The answer to a request with this body."""
        raise NotImplementedError

    @property
    def parts(self) -> list[str]:
        """The parts of the path."""
        return [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]

    @property
    def query(self) -> dict[str, str]:
        """The query; of a name that comes several times, the first value."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}

    def reply(self, status: int, value: Any, headers: Json | None = None) -> None:
        """Write JSON."""
        self.send(status, "application/json", json.dumps(value).encode(), headers or {})

    def send(self, status: int, kind: str, data: bytes, headers: Json) -> None:
        """Write a body of any kind."""
        self.send_response_only(status)  # without a Date: the times of these servers are fixed
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        for name, text in headers.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data)

    def stream(self, frames: Any) -> None:
        """Write frames as they come, and the end."""
        self.begin_stream()
        self.write_frames(frames)

    def begin_stream(self) -> None:
        """Write the head of a stream."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def write_frames(self, frames: Iterable[bytes]) -> None:
        """Write frames as they come, and the end of the body; a client that leaves is nothing to report."""
        try:
            for frame in frames:
                self.chunk(frame)
            self.chunk(b"")
        except ConnectionError:
            self.close_connection = True

    def chunk(self, data: bytes) -> None:
        """Write one chunk; an empty one ends the body."""
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
