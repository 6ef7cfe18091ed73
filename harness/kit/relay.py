"""The actions of an exercise with an intermediary in the middle, and the API's facts that the bench needs.

The actions send requests through the intermediary and script the service behind it. Must not know which API passes
through: `RelayClient` is implemented where the API is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from msgspec import Struct

from harness.wire import By, Exchange, Request, Response, Service
from harness.wire.message import BUSY, NOT_READY

if TYPE_CHECKING:
    from harness.kit.check import Check, Exercise

Answer: TypeAlias = Callable[[Service, Request], Response]
"""How the upstream answers a request, with the help of the reference service or without."""


class Relay(Struct, frozen=True):
    """Send a request through the intermediary and read the whole answer → `RelayedExchange` of this name.

    `token` is something that no other request has: by it the request is known upstream. There the reference
    service plays `script`, or `answer` answers.
    """

    name: str
    request: Request
    token: str
    script: Mapping[str, Any] | None = None
    answer: Answer | None = None


class RelayOpen(Struct, frozen=True):
    """Send a request through the intermediary and leave its stream unread.

    `Read`, `Finish` and `Close` take the stream that this returns; the last two → `RelayedExchange`. A read takes
    at most `timeout` seconds, by default as long as any response may take.
    """

    relay: Relay
    timeout: float | None = None


class RelayAside(Struct, frozen=True):
    """Send a request through the intermediary, and go on once it has arrived upstream.

    Its answer is read meanwhile, for at most `timeout` seconds. `Finish` takes what this returns and waits for the
    end → `RelayedExchange`.
    """

    relay: Relay
    timeout: float


class RelayTogether(Struct, frozen=True):
    """Send requests through the intermediary at the same time → `list[RelayedExchange]` in the same order."""

    relays: tuple[Relay, ...]


class Release(Struct, frozen=True):
    """Let the runs that scripts hold upstream go on → None."""


class NoteArrivals(Struct, frozen=True):
    """Keep with an open stream, for each event that came, how many the upstream had sent by then → None."""

    stream: Any
    arrivals: tuple[int, ...]


class CountCalls(Struct, frozen=True):
    """How many requests have arrived upstream so far → `int`."""


class CollectStrays(Struct, frozen=True):
    """Wait for the rest of the time to watch, then collect what arrived that no client sent → `RelayedExchange`.

    `client` is the exchange it is shown with; `start` is the number of the first call that counts.
    """

    name: str
    client: Exchange
    start: int


class Kinship(IntEnum):
    """How a request that arrived upstream is related to the one that the client sent."""

    NONE = 0
    ALIKE = 1
    """The same operation, but nothing in it tells that it is this one."""
    SAME = 2


class RelayClient(Protocol):
    """The client's side of one run: it makes requests, and remembers which id stands for which upstream."""

    product: str
    """The name and version of the intermediary, as far as it is known; `""` if it is not."""
    patience: float
    """How many seconds something may take that should happen at once."""

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The ids learnt so far: the upstream's, then the client's."""
        ...

    def create(self, name: str) -> Relay:
        """A plain request that must come through, or nothing does."""
        ...

    def knock(self, name: str) -> Relay:
        """A plain request with a key that no intermediary has as its own."""
        ...

    def rejects_key(self, answer: Exchange) -> bool:
        """Whether a response means, in the words of the API, that the key is not valid."""
        ...

    def is_primable(self, request: Request) -> bool:
        """Whether a primed answer may answer this request upstream."""
        ...

    def compare_calls(self, sent: Relay, arrived: Request) -> Kinship:
        """How a request that arrived is related to what was sent."""
        ...

    def note(self, relayed: RelayedExchange) -> None:
        """See an exchange that has passed, before any judge does."""
        ...


class RelayCatalogue(Struct, frozen=True):
    """The checks of an intermediary, and the exercises that they need, in their order."""

    checks: tuple[Check, ...]
    exercises: tuple[Exercise, ...]


# One request through an intermediary, seen from both of its ends.
# Must not know which API passes through, how a request is sent, or what is right.


class RelayedExchange(Struct, frozen=True, kw_only=True):
    """`client` is what the client sent and got; `upstream` is what arrived behind the intermediary, in order.

    If nothing of the kind arrived, `misrouted` is the request that did: it is taken for what became of that of the
    client.
    `pairs` are the ids that earlier answers gave: the upstream's, then the client's. An upstream answer that was
    still being read has an ending `By.LIMIT`. If the upstream waited for its client, `arrivals` has for each event
    that came how many had been sent by then. `product` is the intermediary, as earlier answers named it. The name
    begins with that of its exercise, up to the dot.
    """

    name: str
    client: Exchange
    upstream: tuple[Exchange, ...] = ()
    misrouted: tuple[Exchange, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    arrivals: tuple[int, ...] | None = None
    product: str = ""

    @property
    def answer(self) -> Exchange | None:
        """The last upstream exchange, whose answer the client should have got; None if nothing arrived."""
        return self.upstream[-1] if self.upstream else None

    @property
    def not_offered(self) -> bool:
        """Whether the intermediary itself refused the request (4xx but 429, 501): nothing arrived upstream."""
        status = self.client.status or 0
        return self.stayed and not self.put_off and (400 <= status < 500 or status == 501)

    @property
    def put_off(self) -> bool:
        """Whether the intermediary itself refused the request for now (429, 503, …): nothing arrived upstream."""
        return self.stayed and self.client.status in BUSY | NOT_READY

    @property
    def stayed(self) -> bool:
        """Whether nothing arrived upstream."""
        return not self.upstream and not self.misrouted

    @property
    def answered(self) -> bool:
        """Whether the client got an answer that came to an end.

        A failure or a limit of the intermediary's own (5xx, 429, and nothing arrived upstream) is none.
        """
        failed = self.put_off or (self.stayed and (self.client.status or 0) >= 500 and not self.not_offered)
        return self.client.status is not None and self.client.ending.by is not By.LIMIT and not failed
