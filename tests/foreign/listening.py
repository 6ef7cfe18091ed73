"""Listens for the servers of the standard library alone with which tests judge what is not ours."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class _Server(ThreadingHTTPServer):
    request_queue_size = 64
    """The standard five make the sixth of parallel clients wait a second for its connection."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.open: dict[threading.Thread, socket.socket] = {}

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is nothing to report."""

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Note the connection while it is served."""
        me = threading.current_thread()
        self.open[me] = request
        try:
            super().process_request_thread(request, client_address)
        finally:
            del self.open[me]

    def hang_up(self) -> None:
        """End the connections that clients keep.

        A thread that reads one would outlive the test, and no virtual clock of a later one could skip a wait.
        """
        for thread, connection in list(self.open.items()):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(10)


@contextmanager
def listening(
    handler: type[BaseHTTPRequestHandler], release: Callable[[], object] = lambda: None
) -> Iterator[str]:
    """Serve on loopback; yields the URL. `release` is called first at the end, to let go of threads that wait."""
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        release()
        server.shutdown()
        server.server_close()
        server.hang_up()
        thread.join()
