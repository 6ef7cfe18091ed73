"""Both ends of a gateway: sends requests as its client, and pairs them with what arrives upstream as passages.

Layer 5. Knows which requests upstream belong to which request of the client; must not know what is right.
Requests are sent one after another, so what arrives belongs to the current one. Where possible it is matched by
the words of its input or by its id, since a gateway may still be busy with an earlier request. Except for the
watch at the end, every wait is for a condition and is bounded.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from harness.benches.gateway.relayed_exchange import Early, OperationName, Passage, operation_of
from harness.benches.gateway.upstream import Answer, Upstream, UpstreamCall
from harness.contract import read
from harness.contract.requests import RequestBuilder
from harness.wire import Driver, Exchange, Frame, LiveStream, Request

SETTLING = 1.0
"""Real seconds that the upstream's side may take to end after the client's side has ended."""


class Line:
    """`driver` sends to the gateway, and `upstream` stands behind it.

    `patience` is how many seconds something may take that should happen at once; `watch` is how many seconds the
    run lasts at least. `real`: the gateway has threads of its own, so the upstream's side may need a moment.
    """

    def __init__(
        self,
        driver: Driver,
        upstream: Upstream,
        target: RequestBuilder,
        *,
        patience: float = 5.0,
        watch: float = 10.0,
        real: bool = True,
    ) -> None:
        self.driver = driver
        self.upstream = upstream
        self.target = target
        self.patience = patience
        self.watch = watch
        self._real = real
        self._began = time.monotonic()
        self._count = 0
        self._mine: set[int] = set()
        self._behind: dict[str, str] = {}  # the client's id → the upstream's

    def words(self) -> str:
        """A prompt that no other request has."""
        self._count += 1
        return f"Say hi, number {self._count:04d}."

    def create(self, name: str, *, script: dict[str, Any] | None = None, **options: Any) -> Passage:
        """Send a create with these fields; its run plays `script`, or the upstream answers it with `answer`."""
        answer: Answer | None = options.pop("answer", None)
        request, token = self._create(script, options)
        return self._send(name, request, token, answer)

    def open(self, name: str, *, script: dict[str, Any], answer: Answer | None = None) -> Crossing:
        """Send a streaming create and leave its stream to be read."""
        request, token = self._create(script, {"stream": True})
        self.upstream.prime(answer)
        return Crossing(self, name, request, token)

    def together(self, scripts: Mapping[str, dict[str, Any]], answer: Answer) -> list[Passage]:
        """Send streaming creates at the same time; `scripts` maps the names of their passages to their scripts."""
        start = len(self.upstream.calls)
        made = [self._create(script, {"stream": True}) for script in scripts.values()]
        self.upstream.prime(answer, len(made))
        exchanges = self.driver.together([request for request, _ in made])
        tokens = [token for _, token in made]
        sides = zip(scripts, exchanges, tokens, strict=True)
        return [self.passage(name, exchange, start, token) for name, exchange, token in sides]

    def get(self, name: str, interaction_id: str, **query: Any) -> Passage:
        """GET one interaction."""
        return self._send(name, self.target.get(interaction_id, **query), self._id_behind(interaction_id))

    def open_get(self, name: str, interaction_id: str, **query: Any) -> Crossing:
        """GET one interaction as a stream, and leave it to be read."""
        return Crossing(self, name, self.target.get(interaction_id, **query), self._id_behind(interaction_id))

    def cancel(self, name: str, interaction_id: str) -> Passage:
        """POST …/cancel."""
        return self._send(name, self.target.cancel(interaction_id), self._id_behind(interaction_id))

    def delete(self, name: str, interaction_id: str) -> Passage:
        """DELETE one interaction."""
        return self._send(name, self.target.delete(interaction_id), self._id_behind(interaction_id))

    def until_watched(self) -> None:
        """Wait for the rest of the time to watch."""
        self.driver.wait(max(0.0, self.watch - (time.monotonic() - self._began)))

    def strays(self, name: str, client: Exchange, start: int) -> Passage:
        """A passage of all calls since number `start` that belong to no request of the client."""
        calls = [call for number, call in enumerate(self.upstream.calls) if number >= start]
        strays = [call for call in calls if id(call) not in self._mine]
        passage = Passage(name=name, client=client, upstream=self.upstream.records(strays))
        for exchange in (client, *passage.upstream):
            read(exchange, self.target.contract)
        return passage

    def hung_up(self, start: int) -> None:
        """Wait until no answer to the calls since number `start` is being read, for at most `patience` seconds."""
        self._until_ended(start, self.patience)

    def passage(self, name: str, client: Exchange, start: int, token: str, early: Early | None = None) -> Passage:
        """The passage of one request: the client's side and its own calls since number `start`."""
        self._until_ended(start, SETTLING)
        self.upstream.prime(None)
        operation = operation_of(client.request)
        fresh = [call for call in self.upstream.calls[start:] if id(call) not in self._mine]
        mine = _own(fresh, operation, token)
        astray = [] if mine else fresh[:1]
        self._mine.update(map(id, (*mine, *astray)))
        passage = Passage(
            name=name,
            client=client,
            upstream=self.upstream.records(mine),
            astray=self.upstream.records(astray),
            pairs=tuple((behind, before) for before, behind in self._behind.items()),
            early=early,
        )
        for exchange in (client, *passage.upstream, *passage.astray):
            read(exchange, self.target.contract)
        self._learn(passage)
        return passage

    def _create(self, script: dict[str, Any] | None, fields: dict[str, Any]) -> tuple[Request, str]:
        token = self.words()
        if script is not None:
            self.upstream.emulator.script({**script, "match": {"input_contains": token}})
        given = fields.pop("input", "{}")
        return self.target.create({"input": _fill_in(given, token), **fields}), token

    def _send(self, name: str, request: Request, token: str, answer: Answer | None = None) -> Passage:
        start = len(self.upstream.calls)
        self.upstream.prime(answer)
        return self.passage(name, self.driver.send(request), start, token)

    def _until_ended(self, start: int, seconds: float) -> None:
        calls = self.upstream.calls
        self.upstream.until(lambda: all(call.ended for call in calls[start:]), seconds if self._real else 0.0)

    def _learn(self, passage: Passage) -> None:
        if passage.operation is OperationName.CREATE and passage.answer is not None:
            before, behind = read(passage.client).id, read(passage.answer).id
            if before and behind:
                self._behind.setdefault(before, behind)

    def _id_behind(self, interaction_id: str) -> str:
        return self._behind.get(interaction_id, interaction_id)


class Crossing:
    """A stream on its way through the gateway, read step by step."""

    def __init__(self, line: Line, name: str, request: Request, token: str) -> None:
        self.start = len(line.upstream.calls)
        self._line = line
        self._name = name
        self._token = token
        self._early: Early | None = None
        self._stream: LiveStream = line.driver.open(request, timeout=line.patience)

    def read(self, events: int) -> list[Frame]:
        """Read the next events; fewer if they do not arrive in time."""
        return self._stream.read(events)

    def note_early(self, arrived: int, existed: int) -> None:
        """Record how many events had arrived and existed before the upstream went on."""
        self._early = Early(arrived, existed)

    def finish(self) -> Passage:
        """Read to the end."""
        return self._to_passage(self._stream.finish())

    def hang_up(self) -> Passage:
        """Hang up, and give the upstream time to notice it."""
        client = self._stream.close()
        self._line.hung_up(self.start)
        return self._to_passage(client)

    def _to_passage(self, client: Exchange) -> Passage:
        return self._line.passage(self._name, client, self.start, self._token, self._early)


def _own(calls: Sequence[UpstreamCall], operation: OperationName, token: str) -> list[UpstreamCall]:
    """The calls of this operation that contain `token`; if there are none, a create takes all creates."""
    alike = [call for call in calls if call.operation is operation]
    exact = [call for call in alike if token in _text(call)]
    return exact or (alike if operation is OperationName.CREATE else [])


def _text(call: UpstreamCall) -> str:
    if call.operation is OperationName.CREATE:
        return call.request.body.decode("utf-8", "replace")
    return unquote(call.request.raw_path)


def _fill_in(given: Any, token: str) -> Any:
    """The input with `token` in place of `{}`."""
    if isinstance(given, str):
        return given.replace("{}", token)
    if isinstance(given, dict):
        return {name: _fill_in(value, token) for name, value in given.items()}
    return [_fill_in(item, token) for item in given] if isinstance(given, list) else given
