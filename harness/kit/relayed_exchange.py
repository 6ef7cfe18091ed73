"""One request through an intermediary, seen from both of its ends. Layer 1, values.

Must not know which API passes through, how a request is sent, or what is right.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.wire import By, Exchange

_NOT_IMPLEMENTED = 501


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayedExchange:
    """`client` is what the client sent and got; `upstream` is what arrived behind the intermediary, in order.

    If nothing of the kind arrived, `misrouted` is the request that did: it is taken for what became of that of the
    client.
    `pairs` are the ids that earlier answers gave: the upstream's, then the client's. An upstream answer that was
    still being read has an ending `By.LIMIT`. If the upstream waited for its client, `arrivals` has for each event
    that came how many had been sent by then. The name begins with that of its exercise, up to the dot.
    """

    name: str
    client: Exchange
    upstream: tuple[Exchange, ...] = ()
    misrouted: tuple[Exchange, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    arrivals: tuple[int, ...] | None = None

    @property
    def answer(self) -> Exchange | None:
        """The last upstream exchange, whose answer the client should have got; None if nothing arrived."""
        return self.upstream[-1] if self.upstream else None

    @property
    def not_offered(self) -> bool:
        """Whether the intermediary itself refused the request (4xx, 501): nothing arrived upstream."""
        status = self.client.status or 0
        return self.stayed and (400 <= status < 500 or status == _NOT_IMPLEMENTED)

    @property
    def stayed(self) -> bool:
        """Whether nothing arrived upstream."""
        return not self.upstream and not self.misrouted

    @property
    def answered(self) -> bool:
        """Whether the client got an answer that came to an end.

        A failure of the intermediary's own (5xx, and nothing arrived upstream) is none.
        """
        failed = self.stayed and (self.client.status or 0) >= 500 and not self.not_offered
        return self.client.status is not None and self.client.ending.by is not By.LIMIT and not failed
