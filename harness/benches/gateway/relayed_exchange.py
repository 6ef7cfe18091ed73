"""A passage: one request through a gateway, seen from both sides. Layer 5, values only.

Must not know how a request is sent or what is right.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from harness.emulator.http.routing import route
from harness.kit.relayed_exchange import RelayedExchange
from harness.wire import Exchange, Request

COLLECTION = "interactions"


class OperationName(StrEnum):
    """What a request asks for."""

    CREATE = "create"
    GET = "get"
    CANCEL = "cancel"
    DELETE = "delete"
    OTHER = "other"


_WITH_ID = {"GET": OperationName.GET, "DELETE": OperationName.DELETE}


def operation_of(request: Request) -> OperationName:
    """The documented operation of a request, under any version and also in the Vertex form."""
    where = route(request.target)
    segments = tuple(part for part in where.segments if part)
    if not where.version or segments[:1] != (COLLECTION,):
        return OperationName.OTHER
    if len(segments) == 1 and request.method == "POST":
        return OperationName.CREATE
    if len(segments) == 2 and ":" not in segments[1]:
        return _WITH_ID.get(request.method, OperationName.OTHER)
    if len(segments) == 3 and segments[2] == "cancel" and request.method == "POST":
        return OperationName.CANCEL
    return OperationName.OTHER


@dataclass(frozen=True, slots=True)
class Early:
    """How many events the client had received while the upstream stood still, and how many had been sent."""

    arrived: int
    existed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage(RelayedExchange):
    """A relayed exchange with what a judge needs besides.

    `pairs` are the ids that earlier creates returned: the upstream's, then the client's. An upstream answer that
    was still being read has an ending `By.LIMIT`. The first part of the name, up to the dot, is the trial's name.
    """

    pairs: tuple[tuple[str, str], ...] = ()
    early: Early | None = None

    @property
    def operation(self) -> OperationName:
        """What the client asked for."""
        return operation_of(self.client.request)

    @property
    def answer(self) -> Exchange | None:
        """The last upstream exchange, whose answer the client should have got; None if nothing arrived."""
        return self.upstream[-1] if self.upstream else None

    @property
    def not_offered(self) -> bool:
        """Whether the gateway itself refused the request: nothing arrived upstream."""
        status = self.client.status
        return not self.upstream and not self.astray and status is not None and 400 <= status < 600
