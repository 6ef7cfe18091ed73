"""The floors of the benchmark `emulator`: bare protocols on the emulator's event loop.

`python -m benchmarks._constant_answer PORT BODY`: whatever arrives is answered with BODY. What it costs is the
price of the socket calls and of the loop, which no server in Python can fall below. With `bare` behind it, each
request is read as JSON, and answered with a copy of BODY that has its own id and count, and is kept. No server
that stores what it creates costs less.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from functools import cached_property
from typing import Any, ClassVar

import msgspec

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


class BareCreate(ConstantAnswer):
    """Answers a request that arrives as a whole, and keeps what it answered, as little as that can be."""

    kept: ClassVar[dict[str, Any]] = {}
    numbers = itertools.count()

    def data_received(self, data: bytes) -> None:
        """Read the request, and answer it with an id and a count of its own."""
        asked = msgspec.json.decode(data.partition(b"\r\n\r\n")[2])
        template: dict[str, Any] = self._template
        usage = {**template["usage"], "total_input_tokens": len(asked["input"]) // 4}
        made = {**template, "id": f"v1_{next(self.numbers):070}", "usage": usage, "model": asked["model"]}
        self.kept[made["id"]] = made
        if len(self.kept) > 5_000:  # as many as the emulator keeps
            del self.kept[next(iter(self.kept))]
        answer = msgspec.json.encode(made)
        self._transport.write(_HEAD % len(answer) + answer)

    @cached_property
    def _template(self) -> dict[str, Any]:
        return dict(msgspec.json.decode(self._answer))


_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"


async def _serve(port: int, body: bytes, *, bare: bool) -> None:
    loop = asyncio.get_running_loop()
    answer = _HEAD % len(body) + body
    await loop.create_server(lambda: BareCreate(body) if bare else ConstantAnswer(answer), "127.0.0.1", port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(int(sys.argv[1]), sys.argv[2].encode(), bare="bare" in sys.argv[3:]))
