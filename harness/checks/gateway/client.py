"""The client's side of a run through a gateway: its requests, and which ids stand for which upstream.

Implements `kit.relay.RelayClient` for this API. Must not know how a request is sent, or what is right.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from secrets import token_hex
from typing import Any, TypeAlias
from urllib.parse import unquote

from harness.checks.gateway.findings import find_product
from harness.contract import read
from harness.contract.judge.body import rejects_key
from harness.contract.requests import KEY_HEADER, RequestBuilder
from harness.contract.tables.protocol import CANCEL, CREATE, DELETE, GET, operation_of
from harness.kit.relay import Answer, Kinship, Relay, RelayAside, RelayedExchange, RelayOpen, RelayTogether
from harness.wire import Exchange, Request

FIRST_KEY = "harness-first-"
_OPERATIONS = {CREATE: "create", GET: "get", CANCEL: "cancel", DELETE: "delete"}


def name_operation(request: Request) -> str:
    """The documented operation of a request in a word: `other` if it is none about interactions."""
    operation = operation_of(request) if re.match(r"v\d", "".join(request.segments[:1])) else None
    return _OPERATIONS.get(operation.call, "other") if operation is not None else "other"


HeaderFields: TypeAlias = tuple[tuple[str, str], ...]
CURSOR, INCLUDE_INPUT = "last_event_id", "include_input"
QUERY = ("stream", CURSOR, INCLUDE_INPUT)
"""The documented parameters of a GET."""


class GatewayClient:
    """Builds requests with `builder`; `patience` is the limit in seconds for an immediate effect.

    `idle` is how many seconds a stream stands still, to see whether it arrives to its end; 0 leaves that out.
    `product` is the name of the gateway by its command, until a response names it. Every create has a prompt that
    no other request has; requests with an id are known upstream by the id there.
    """

    def __init__(
        self, builder: RequestBuilder, *, patience: float = 5.0, idle: float = 11.0, product: str = ""
    ) -> None:
        self.builder = builder
        self.idle = idle
        self.patience = patience
        self.product = product
        self._count = 0
        self._behind: dict[str, str] = {}  # the client's id → the upstream's

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        return tuple((behind, before) for before, behind in self._behind.items())

    @staticmethod
    def rejects_key(answer: Exchange) -> bool:
        return rejects_key(answer)

    @staticmethod
    def is_primable(request: Request) -> bool:
        return name_operation(request) == "create"

    def compare_calls(self, sent: Relay, arrived: Request) -> Kinship:
        operation = name_operation(sent.request)
        if name_operation(arrived) != operation:
            return Kinship.NONE
        if operation == "create":
            same = sent.token in arrived.body.decode("utf-8", "replace")
            return Kinship.SAME if same else Kinship.ALIKE
        if sent.token not in unquote(arrived.raw_path):
            return Kinship.NONE
        # A gateway that polls on its own asks about the same id, but not for a stream.
        same = all((sent.request.parameter(n) is None) == (arrived.parameter(n) is None) for n in QUERY)
        return Kinship.SAME if same else Kinship.ALIKE

    def note(self, relayed: RelayedExchange) -> None:
        """Bind both sides to the contract of the run, and learn the product and the ids of a create."""
        self.product = find_product(relayed) or self.product
        for exchange in (relayed.client, *relayed.upstream, *relayed.misrouted):
            read(exchange, self.builder.contract)
        if name_operation(relayed.client.request) == "create" and relayed.answer is not None:
            before, behind = read(relayed.client).id, read(relayed.answer).id
            if before and behind:
                self._behind.setdefault(before, behind)

    def create(
        self,
        name: str,
        *,
        script: Mapping[str, Any] | None = None,
        answer: Answer | None = None,
        headers: HeaderFields = (),
        **fields: Any,
    ) -> Relay:
        """A create with these fields; its run plays `script`, or the upstream answers it with `answer`.

        `headers` are sent beside those of every request.
        """
        self._count += 1
        token = f"Say hi, number {self._count:04d}."
        request = self.builder.create({**fields, "input": _fill_in(fields.get("input", "{}"), token)})
        played = None if script is None else {**script, "match": {"input_contains": token}}
        return Relay(name, request.having(*headers), token, played, answer)

    def knock(self, name: str) -> Relay:
        """A create with a key that no gateway can have, which `gw.keys` knows again by its beginning."""
        return self.create(name, headers=((KEY_HEADER, f"{FIRST_KEY}{token_hex(8)}"),))

    def open(self, name: str, *, timeout: float | None = None, **given: Any) -> RelayOpen:
        """A streaming create whose stream is left to be read; `timeout` limits one read (the patience)."""
        return RelayOpen(self.create(name, stream=True, **given), self.patience if timeout is None else timeout)

    def create_aside(self, name: str, *, timeout: float, **given: Any) -> RelayAside:
        """A create whose response comes while other requests pass, within `timeout` seconds."""
        return RelayAside(self.create(name, **given), timeout)

    def together(self, scripts: Mapping[str, Mapping[str, Any]], answer: Answer) -> RelayTogether:
        """Streaming creates at the same time; `scripts` maps their names to their scripts."""
        made = (self.create(name, stream=True, script=script, answer=answer) for name, script in scripts.items())
        return RelayTogether(tuple(made))

    def get(self, name: str, interaction_id: str, **query: Any) -> Relay:
        return Relay(name, self.builder.get(interaction_id, **query), self._id_behind(interaction_id))

    def cancel(self, name: str, interaction_id: str) -> Relay:
        return Relay(name, self.builder.cancel(interaction_id), self._id_behind(interaction_id))

    def delete(self, name: str, interaction_id: str) -> Relay:
        return Relay(name, self.builder.delete(interaction_id), self._id_behind(interaction_id))

    def _id_behind(self, interaction_id: str) -> str:
        return self._behind.get(interaction_id, interaction_id)


def _fill_in(given: Any, token: str) -> Any:
    if isinstance(given, str):
        return given.replace("{}", token)
    if isinstance(given, dict):
        return {name: _fill_in(value, token) for name, value in given.items()}
    return [_fill_in(item, token) for item in given] if isinstance(given, list) else given
