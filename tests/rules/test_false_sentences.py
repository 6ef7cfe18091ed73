"""Servers of which a sentence of the ledger is false, which one of its rules notices, or true, which none does."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import reduce
from typing import Any

import pytest

from harness.contract.tables.protocol import operation_of
from harness.interactions.servers import SERVERS
from harness.rules.sentence_rows import Sentence, load_sentences
from harness.wire import Chunk, Piece, PieceBody, Request, Response
from lab.kill_matrix import Bench

CHECKS = {check.id: check for check in SERVERS.load_catalogue()}
SERVED = [
    pytest.param(sentence, id=sentence.id, marks=pytest.mark.thorough if number % 2 else ())
    for number, sentence in enumerate(one for one in load_sentences() if one.false_on or one.true_on)
]
GONE = object()


class FalseServer:
    """The emulator, of which one call reads other requests, or sends other responses; `touched` counts them."""

    touched = 0

    def __init__(self, change: Mapping[str, Any]) -> None:
        self._service = SERVERS.new_service(SERVERS.load_contract(""))
        self._change = change
        self.clock, self.outbox = self._service.clock, self._service.outbox

    def __call__(self, request: Request) -> Response:
        change, operation = self._change, operation_of(request)
        said = f"{request.target}\n{request.body.decode(errors='replace')}"
        if (operation.call if operation is not None else "") != change["call"] or not re.search(
            change.get("when", ""), said
        ):
            return self._service(request)  # type: ignore[no-any-return]
        for old, new in change.get("reads", {}).items():
            body = re.sub(old.encode(), new.encode(), request.body)
            request = Request(request.method, re.sub(old, new, request.target), request.headers, body)
            self.touched += 1
        response: Response = self._service(request)
        if response.status != change.get("of", response.status) or (response.status >= 300 and "of" not in change):
            return response
        self.touched += "status" in change or "headers" in change
        headers = reduce(
            lambda known, one: known.having(*one), change.get("headers", {}).items(), response.headers
        )
        streams, status = (
            response.headers.media_type() == "text/event-stream",
            change.get("status", response.status),
        )
        if streams and "status" not in change:
            body = PieceBody(self._edit_events(response.body), response.body.close)
            return Response(status, headers, response.framing, body)
        # Of a run in progress the whole stream would never come: it is not read in the time of the client.
        data = b"{}" if streams else b"".join(piece.data for piece in response.body if isinstance(piece, Chunk))
        response.body.close()
        return Response.whole(status, headers, self._edit(data))

    def _edit_events(self, pieces: Iterator[Piece]) -> Iterator[Piece]:
        for piece in pieces:
            if not isinstance(piece, Chunk):
                yield piece
                continue
            lines = piece.data.split(b"\n")
            yield Chunk(
                b"\n".join(b"data: " + self._edit(x[6:]) if x.startswith(b"data: {") else x for x in lines)
            )

    def _edit(self, data: bytes) -> bytes:
        new = data
        for old, instead in self._change.get("writes", {}).items():
            new = re.sub(old.encode(), instead.encode(), new)
        if "drop" in self._change or "set" in self._change:
            with suppress(ValueError):
                value = json.loads(new)
                for path in self._change.get("drop", ()):
                    edit(value, path.split("."), GONE)
                for path, other in self._change.get("set", {}).items():
                    edit(value, path.split("."), other)
                new = new if value == json.loads(new) else json.dumps(value).encode()
        self.touched += new != data
        return new


def edit(value: Any, path: list[str], new: Any) -> None:
    """Replace or remove a member that is there; `*` is each item of a list."""
    if path[0] == "*":
        for item in value if isinstance(value, list) else ():
            edit(item, path[1:], new)
    elif isinstance(value, dict) and path[0] in value:
        if len(path) > 1:
            edit(value[path[0]], path[1:], new)
        elif new is GONE:
            del value[path[0]]
        else:
            value[path[0]] = new


def find_killers(sentence: Sentence, build: Callable[[], Any]) -> tuple[str, ...]:
    """Those of the sentence's rules that a server breaks, in their own exercises."""
    row = Bench(SERVERS, [CHECKS[rule] for rule in sentence.rules if rule in CHECKS]).row(build)
    assert row.errors == (), sentence.id
    return row.killers


@pytest.mark.slow
@pytest.mark.parametrize("sentence", SERVED)
def test_a_rule_notices_that_its_sentence_is_false(sentence: Sentence) -> None:
    """It does not notice a server that only does what the sentence allows."""
    built: list[FalseServer] = []

    def build() -> FalseServer:
        built.append(FalseServer(sentence.false_on or sentence.true_on or {}))
        return built[-1]

    assert bool(find_killers(sentence, build)) is bool(sentence.false_on)
    assert any(server.touched for server in built)
