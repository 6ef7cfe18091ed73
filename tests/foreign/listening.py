"""Listens for the servers of the standard library alone with which tests judge what is not ours."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Server(ThreadingHTTPServer):
    request_queue_size = 64
    """The standard five make the sixth of parallel clients wait a second for its connection."""

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is nothing to report."""


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
        thread.join()
