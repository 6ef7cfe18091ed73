"""A server whose process ends at a request: `python -m tests.foreign.mortal PORT`, told by `DIES_OF` at which.

With `workers` after the port, a parent owns the socket and forks a worker whenever one ends: no connection is
refused. Its input ends with the test that started it, even if that is killed, and so does it.

It imports nothing that takes long, as nobody waits for seconds until a supervisor has started it again.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from http.server import ThreadingHTTPServer
from typing import Any

from tests.foreign.server import ForeignService, Handler


class Mortal(Handler):
    """Its process ends where a parser fails: one that is nested too deep for it, or any that is no JSON."""

    service = ForeignService()

    def dispatch(self, data: bytes) -> Any:
        if os.environ["DIES_OF"].encode() in data:
            os._exit(1)
        return super().dispatch(data)


def end_with_input() -> None:
    """End the process and its workers once nobody holds the other end of its input."""
    sys.stdin.read()
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=end_with_input, daemon=True).start()
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Mortal)
    while "workers" in sys.argv and (worker := os.fork()):
        os.waitpid(worker, 0)
    server.serve_forever()
