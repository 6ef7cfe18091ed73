"""A gateway of the standard library alone: it decodes each answer and writes it anew, chunk by chunk.

It shares no line with the harness. The faithful one passes everything on as it comes, and breaks off where its
upstream breaks off; each subclass has one defect, or one oddity that is none.
"""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from tests.foreign.answering import AnsweringHandler
from tests.foreign.listening import listening

HOP = {"connection", "transfer-encoding", "keep-alive", "host", "content-length"}


class Faithful(AnsweringHandler):
    """Passes everything on."""

    disable_nagle_algorithm = True  # head and body are two writes
    upstream = ""
    patience = 30.0
    connects = http.client.HTTPConnection

    def relay(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        connection = self.connects(urlsplit(self.upstream).netloc, timeout=self.patience)
        fields = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
        try:
            connection.request(self.command, self.path, self.edit_request(body), self.edit_fields(fields))
            sock = connection.sock  # the answer takes it over
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException):
            connection.close()
            self.answer_unreachable()
            return
        finally:
            self.close_connection = True
        over = threading.Event()
        threading.Thread(target=self.watch_client, args=(sock, over), daemon=True).start()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in HOP:
                self.send_header(name, self.edit_header(name.lower(), value))
        self.add_headers(answer)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for chunk in self.chunks(answer):
                self.write_chunk(self.edit(chunk))
        except (OSError, http.client.HTTPException):
            self.break_off()
        else:
            self.finish_body()
        finally:
            over.set()
            answer.close()
            connection.close()

    do_GET = do_POST = do_DELETE = relay

    def watch_client(self, upstream: socket.socket, over: threading.Event) -> None:
        """Hang up at the upstream once the client has."""
        with contextlib.suppress(OSError, ValueError):  # the relay is over, and its sockets are closed
            while not over.is_set():
                if select.select([self.connection], [], [], 0.02)[0]:
                    upstream.shutdown(socket.SHUT_RDWR)
                    return

    def chunks(self, answer: http.client.HTTPResponse) -> Iterator[bytes]:
        if answer.headers.get_content_type() != "text/event-stream":
            yield answer.read()
            return
        while chunk := answer.read1(65536):
            yield chunk

    def write_chunk(self, data: bytes) -> None:
        if data:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()

    def finish_body(self) -> None:
        self.wfile.write(b"0\r\n\r\n")

    def break_off(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def answer_unreachable(self) -> None:
        self.send(502, "text/html", b"<h1>Bad Gateway</h1>", {})

    def edit_request(self, body: bytes) -> bytes:
        return body

    def edit_fields(self, fields: dict[str, str]) -> dict[str, str]:
        return fields

    def add_headers(self, answer: http.client.HTTPResponse) -> None:
        """Write further header fields of the answer."""

    def edit_header(self, name: str, value: str) -> str:
        return value

    def edit(self, chunk: bytes) -> bytes:
        return chunk


@contextmanager
def serving(kind: type[Faithful], upstream: str) -> Iterator[str]:
    """The base URL of such a gateway in front of `upstream`."""
    handler = type(kind.__name__, (kind,), {"upstream": upstream})
    with listening(handler) as url:
        yield url
