"""One request through an intermediary, seen from both of its ends. Layer 1, a value.

Must not know which API passes through, how a request is sent, or what is right.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.wire import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayedExchange:
    """`client` is what the client sent and got; `upstream` is what arrived behind the intermediary, in order.

    If nothing of the kind arrived, `astray` is the request that did; it is taken for what became of the client's.
    """

    name: str
    client: Exchange
    upstream: tuple[Exchange, ...] = ()
    astray: tuple[Exchange, ...] = ()
