"""A server whose process ends at a request: `python -m tests.foreign.mortal PORT`, told by `DIES_OF` at which.

With `workers` after the port, a parent owns the socket and forks a worker whenever one ends: no connection is
refused.

It imports nothing that takes long, as nobody waits for seconds until a supervisor has started it again.
"""

from __future__ import annotations

import os
import sys
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


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Mortal)
    while "workers" in sys.argv and (worker := os.fork()):
        os.waitpid(worker, 0)
    server.serve_forever()
