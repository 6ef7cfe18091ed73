"""Finds what an exchange depends on: what created or changed the resources it refers to, or gave its cursor.

Reads exchanges alone: nothing is sent or judged here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from itertools import chain, pairwise, takewhile

from harness.kit.api import Api
from harness.wire import Exchange, Request
from harness.wire.bodies import object_or_none


def referenced_ids(request: Request, api: Api) -> Iterator[str]:
    """The ids that a request refers to."""
    for part, segment in pairwise(request.segments):
        if part in api.collections and part != segment:
            yield segment
    body = object_or_none(request.body) or {}
    yield from (value for name in api.reference_fields if isinstance(value := body.get(name), str))


def list_ids(exchange: Exchange, api: Api) -> set[str]:
    """The ids that an exchange is about: those that its request refers to, and the one that it was given."""
    return {*referenced_ids(exchange.request, api), api.read_new_id(exchange)} - {""}


def made_or_changed(exchange: Exchange, needed: Set[str], api: Api) -> bool:
    """Whether an exchange created or changed a resource with one of the `needed` ids, or tried to.

    A DELETE or a cancel that was rejected may have taken effect all the same.
    """
    if exchange.request.method == "GET":
        return False
    own = set(referenced_ids(exchange.request, api))
    if own & needed & set(exchange.request.segments):
        return True
    shown = (known.encode("utf-8", "surrogatepass") in exchange.body for known in needed - own)
    return exchange.succeeded and any(shown)


def find_giver(resumed: Exchange, before: Sequence[Exchange], api: Api) -> Exchange | None:
    """The stream whose cursor a request resumes from: the last that was read before it, None if none gave it.

    The connection that was lost ended before the request; a reader beside it that stays has the cursor, too.
    """
    found = api.load_protocol().is_resume(resumed.request)
    cursor = (found[1] or "").encode("utf-8", "surrogatepass") if found is not None else b""
    givers = [seen for seen in before if cursor and seen.is_stream and cursor in seen.body]
    began = resumed.began
    ended = [seen for seen in givers if began and seen.began is not None and seen.began + seen.seconds <= began]
    return next(reversed(ended or givers), None)


def with_origins(shown: Sequence[Exchange], trail: Sequence[Exchange], api: Api) -> tuple[Exchange, ...]:
    """These exchanges of a trail, with those that they depend on, in the order in which they were sent.

    Those are the requests that created or changed the resources they refer to, and the streams whose cursors
    they resume from: the connection that was lost belongs to the story.
    """
    chosen = {id(exchange) for exchange in shown}
    wanted, needed = set(chosen), set[str]()
    origins = []
    for number, exchange in reversed([*enumerate(trail)]):
        if id(exchange) in wanted or made_or_changed(exchange, needed, api):
            origins.append(exchange)
            needed.update(list_ids(exchange, api))  # an id that was given before belongs to the story, too
            wanted.add(id(find_giver(exchange, trail[:number], api)))
    deleted: set[str] = set()
    kept = []
    for exchange in reversed(origins):
        is_delete = exchange.request.method == "DELETE"
        if id(exchange) in chosen or not (is_delete and exchange.request.target in deleted):
            kept.append(exchange)  # what is deleted already is rejected rightly
        if is_delete and exchange.succeeded:
            deleted.add(exchange.request.target)
    if all(exchange.began is not None for exchange in kept):
        kept.sort(key=lambda exchange: exchange.began or 0.0)
    return tuple(kept)


def list_earlier_deletes(denied: Exchange, trail: Sequence[Exchange], api: Api) -> list[Exchange]:
    """The DELETEs that may explain why a server denies something: of that, and of all that it depends on."""
    known = chain.from_iterable(list_ids(seen, api) for seen in with_origins([denied], trail, api))
    needed = set(known)
    before = takewhile(lambda seen: seen is not denied, trail)
    return [seen for seen in before if seen.request.method == "DELETE" and needed & list_ids(seen, api)]


def is_same_read(one: Exchange, other: Exchange) -> bool:
    """Whether both are the same plain read."""
    request = one.request
    same = (request.method, request.target) == (other.request.method, other.request.target)
    return same and request.method == "GET" and "?" not in request.target


def reads_before(accused: Exchange, trail: Sequence[Exchange], api: Api) -> list[Exchange]:
    """Equal reads between this one and the last with its state: an old state alone does not look wrong."""
    status = _read_status(accused, api)
    reads: list[Exchange] = []
    at = next((number for number, seen in enumerate(trail) if seen is accused), 0)
    for seen in reversed(trail[:at] if status else ()):
        if is_same_read(seen, accused) or api.read_new_id(seen) in referenced_ids(accused.request, api):
            if _read_status(seen, api) == status:
                return reads
            reads.append(seen)
    return []


def _read_status(exchange: Exchange, api: Api) -> str:
    body = object_or_none(exchange.body) if exchange.succeeded and not exchange.is_stream else None
    found = api.read_status(body) if body is not None else None
    return "" if found is None else found[1]
