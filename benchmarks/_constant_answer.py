"""The floor of the benchmark `emulator`: a bare protocol on the emulator's event loop that reads no request.

`python -m benchmarks._constant_answer PORT BODY`: whatever arrives is answered with BODY. What it costs is the
price of the socket calls and of the loop, which no server in Python can fall below.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from harness.transport.server.server import loop_factory


class ConstantAnswer(asyncio.Protocol):
    """Answers everything that arrives at once with the same bytes."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer: a client of the benchmark sends each request at once, and waits."""
        self._transport.write(self._answer)


async def _serve(port: int, body: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    answer = head % len(body) + body
    loop = asyncio.get_running_loop()
    await loop.create_server(lambda: ConstantAnswer(answer), "127.0.0.1", port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(int(sys.argv[1]), sys.argv[2].encode()))
