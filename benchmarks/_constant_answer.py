"""The floors of the benchmark `emulator`: bare protocols on the emulator's event loop.

`python -m benchmarks._constant_answer PORT BODY`: whatever arrives is answered with BODY. What it costs is the
price of the socket calls and of the loop, which no server in Python can fall below. With `bare` behind it, each
request is read, checked by the schema, and answered with a copy of BODY that has its own id, signature, text and
counts, and is kept. No server that checks and stores what it creates costs less.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from typing import Any, ClassVar

import msgspec

from harness.contract import CURRENT, load
from harness.emulator.values.stamps import interaction_id, sign
from harness.transport.http1.reader import HeadCache, RequestReader, ServerLimits
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
    """Answers creates by the same reader of HTTP and the same compiled schema, and keeps what came and went.

    It does what a create cannot do without, and nothing else: there are no scripts, rules, projects, models,
    sessions, streams or bounds of memory.
    """

    kept: ClassVar[dict[str, Any]] = {}
    numbers = itertools.count(1)
    heads = HeadCache()

    def __init__(self, answer: bytes) -> None:
        super().__init__(answer)
        self._reader = RequestReader(self.heads, ServerLimits())
        self._template: dict[str, Any] = msgspec.json.decode(answer)
        self._accepts = load(CURRENT).schemas.validator("requests/create-interaction", closed=True).is_valid

    def data_received(self, data: bytes) -> None:
        """Read a request, check it, and answer it with an id, a signature, a text and counts of its own."""
        incoming = self._reader.at_once(data)
        if incoming is None:
            self._reader.feed(data)
            incoming = self._reader.take()
        assert incoming is not None, "a client of the benchmark sends each request at once"
        asked = msgspec.json.decode(incoming.request.body)
        assert self._accepts(asked), asked
        template, number = self._template, next(self.numbers)
        text = f"This answers “{asked['input']}”; {len(asked['input'])} characters were read."
        own, made = (len(asked["input"]) + 3) // 4, (len(text) + 3) // 4
        usage = {
            **template["usage"],
            "total_tokens": own + made + template["usage"]["total_thought_tokens"],
            "total_input_tokens": own,
            "input_tokens_by_modality": [{"modality": "text", "tokens": own}],
            "total_output_tokens": made,
        }
        steps = [
            {"signature": sign(number), "type": "thought"},
            {"content": [{"text": text, "type": "text"}], "type": "model_output"},
        ]
        found = {**template, "id": interaction_id(number), "usage": usage, "steps": steps, "model": asked["model"]}
        self.kept[found["id"]] = incoming.request, found
        if len(self.kept) > 5_000:  # as many as the emulator keeps
            del self.kept[next(iter(self.kept))]
        answer = msgspec.json.encode(found)
        self._transport.write(_HEAD % len(answer) + answer)


_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"


async def _serve(port: int, body: bytes, *, bare: bool) -> None:
    loop = asyncio.get_running_loop()
    answer = _HEAD % len(body) + body
    await loop.create_server(lambda: BareCreate(body) if bare else ConstantAnswer(answer), "127.0.0.1", port)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(int(sys.argv[1]), sys.argv[2].encode(), bare="bare" in sys.argv[3:]))
