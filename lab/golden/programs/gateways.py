"""Serves one gateway of the project: `faithful`, or a defective one by its id; with no argument, lists the ids.

The only program here that imports inner modules, because no command serves these gateways. Whoever moves them
changes the imports here, and nothing else.
"""

import os
import sys
import threading

from harness.transport.proxy import UpstreamServer
from harness.transport.server.server import InThread, WaitingServer
from lab.gateways import MUTANTS, Gateway


def serve(kind: str, port: int) -> None:
    """Serve one gateway in front of $HARNESS_UPSTREAM_URL until the process is ended."""
    make = Gateway if kind == "faithful" else MUTANTS[kind].build
    with InThread(WaitingServer(make(UpstreamServer(os.environ["HARNESS_UPSTREAM_URL"])), port=port)):
        threading.Event().wait()


if __name__ == "__main__":
    if sys.argv[1:]:
        serve(sys.argv[1], int(sys.argv[2]))
    else:
        print("\n".join(MUTANTS))
