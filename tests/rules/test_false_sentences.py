"""A sentence of the ledger that is false of a server: one of its rules has to notice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from harness.contract.tables.protocol import operation_of
from harness.interactions.servers import SERVERS
from harness.rules.sentence_rows import Sentence, load_sentences
from harness.wire import Chunk, Piece, PieceBody, Request, Response
from lab.kill_matrix import Bench

CHECKS = {check.id: check for check in SERVERS.load_catalogue()}
FALSE = [sentence for sentence in load_sentences() if sentence.false_on]
GONE = object()


class FalseServer:
    """The emulator, of which the responses to one call are changed: their status, or members of their JSON."""

    def __init__(self, change: Mapping[str, Any]) -> None:
        self._service = SERVERS.new_service(SERVERS.load_contract(""))
        self._change = change
        self.clock, self.outbox = self._service.clock, self._service.outbox

    def __call__(self, request: Request) -> Response:
        response: Response = self._service(request)
        operation = operation_of(request)
        called = operation.call if operation is not None else ""
        if called != self._change["call"] or (response.status >= 300 and "of" not in self._change):
            return response
        if response.status != self._change.get("of", response.status):
            return response
        if response.headers.media_type() == "text/event-stream":
            body = PieceBody(self._edit_events(response.body), response.body.close)
            return Response(response.status, response.headers, response.framing, body)
        data = b"".join(piece.data for piece in response.body if isinstance(piece, Chunk))
        status = self._change.get("status", response.status)
        return Response.whole(status, response.headers, self._edit(data))

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
        try:
            value = json.loads(data)
        except ValueError:
            return data
        for path in self._change.get("drop", ()):
            edit(value, path.split("."), GONE)
        for path, new in self._change.get("set", {}).items():
            edit(value, path.split("."), new)
        return json.dumps(value).encode()


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
@pytest.mark.parametrize("sentence", FALSE, ids=lambda sentence: sentence.id)
def test_a_rule_notices_that_its_sentence_is_false(sentence: Sentence) -> None:
    assert find_killers(sentence, lambda: FalseServer(sentence.false_on))
