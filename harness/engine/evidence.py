"""Finds what an exchange depends on: what created or changed the resources it refers to, or gave its cursor.

Layer 4, pure. Knows ids in requests and answers; must not know why an exchange is looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from itertools import pairwise

from harness.kit.api import Api
from harness.wire import Exchange
from harness.wire.json_value import object_or_none


def referenced_ids(exchange: Exchange, api: Api) -> Iterator[str]:
    """The ids that a request refers to."""
    for part, segment in pairwise(exchange.request.segments):
        if part in api.collections and part != segment:
            yield segment
    body = object_or_none(exchange.request.body) or {}
    yield from (value for name in api.reference_fields if isinstance(value := body.get(name), str))


def made_or_changed(exchange: Exchange, needed: Set[str], api: Api) -> bool:
    """Whether an exchange created or changed a resource with one of the `needed` ids."""
    if exchange.request.method == "GET" or not exchange.succeeded:
        return False
    own = set(referenced_ids(exchange, api))
    in_path = own.intersection(exchange.request.segments)
    return bool(in_path & needed) or any(
        known.encode("utf-8", "surrogatepass") in exchange.body for known in needed - own
    )


def resumed_from(exchange: Exchange, api: Api) -> set[str]:
    """The cursor that a request resumes a stream from; empty if it resumes none."""
    resumed = api.load_protocol().is_resume(exchange.request)
    return {resumed[1]} if resumed is not None and resumed[1] else set()


def gave_cursors(exchange: Exchange, cursors: Set[str]) -> set[str]:
    """Those of the cursors that a reader has from this stream."""
    if not exchange.is_stream:
        return set()
    return {cursor for cursor in cursors if cursor.encode("utf-8", "surrogatepass") in exchange.body}
