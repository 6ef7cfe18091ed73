"""Servers of which a sentence of the ledger is false, which one of its rules notices, or true, which none does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
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
        change, accept = self._change, request.headers.get("accept")
        said = f"{request.target}\n{request.body.decode(errors='replace')}\nAccept: {accept}"
        is_meant = getattr(operation_of(request), "call", "") == change["call"]
        if not (is_meant and re.search(change.get("when", ""), said)):
            return self._service(request)  # type: ignore[no-any-return]
        for old, new in change.get("reads", {}).items():
            body = re.sub(old.encode(), new.encode(), request.body)
            request = Request(request.method, re.sub(old, new, request.target), request.headers, body)
            self.touched += 1
        response: Response = self._service(request)
        if response.status != change.get("of", response.status) or (response.status >= 300 and "of" not in change):
            return response
        self.touched += "status" in change or "headers" in change
        headers, streams = response.headers, response.headers.media_type() == "text/event-stream"
        for name, value in change.get("headers", {}).items():
            headers = headers.having(name, value)
        if streams and "status" not in change:
            events = PieceBody(self._edit_events(response.body), response.body.close)
            return Response(response.status, headers, response.framing, events)
        # The whole stream of a run in progress would never come: no client that reads it moves the clock.
        data = b"{}" if streams else b"".join(piece.data for piece in response.body if isinstance(piece, Chunk))
        response.body.close()
        return Response.whole(change.get("status", response.status), headers, self._edit(data))

    def _edit_events(self, pieces: Iterator[Piece]) -> Iterator[Piece]:
        for piece in pieces:
            chunk = piece.data if isinstance(piece, Chunk) else b""
            edited = re.sub(rb"(?m)^data: (\{.*)$", lambda found: b"data: " + self._edit(found[1]), chunk)
            yield Chunk(edited) if chunk else piece

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


@pytest.mark.slow
@pytest.mark.parametrize("sentence", SERVED)
def test_a_rule_notices_that_its_sentence_is_false(sentence: Sentence) -> None:
    """It does not notice a server that only does what the sentence allows."""
    built: list[FalseServer] = []

    def build() -> FalseServer:
        built.append(FalseServer(sentence.false_on or sentence.true_on or {}))
        return built[-1]

    row = Bench(SERVERS, [CHECKS[rule] for rule in sentence.rules if rule in CHECKS]).row(build)
    assert (bool(row.killers), row.errors) == (bool(sentence.false_on), ())
    assert any(server.touched for server in built)
