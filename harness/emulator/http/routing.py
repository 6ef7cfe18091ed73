"""Routing: which part of the service a raw request target addresses.

Layer 2. Knows the three version prefixes, the Vertex form and the session prefix; must not know what an operation
does. The routes of short targets are cached, because clients repeat the same few targets thousands of times.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

from harness.wire.control import CONTROL, split_session

VERSIONS = ("v1beta", "v1", "v1beta1")

LONGEST_CACHED = 256


class Route(NamedTuple):
    """Where a request goes.

    `session` is None for the default session. `version` is `""` for the control API and for a path without a
    version. `segments` are percent-decoded, without the session and the version; if `vertex` is set, also without
    the project and location of the Vertex form.
    """

    session: str | None
    control: bool
    version: str
    segments: tuple[str, ...]
    query: dict[str, str]
    vertex: bool = False


def route(target: str) -> Route:
    """Route a raw request target; never raises. `segments` keep the `upload` that comes before the version."""
    return route_short(target) if len(target) <= LONGEST_CACHED else _parse(target)


def _parse(target: str) -> Route:
    raw, _, query_text = target.partition("?")
    segments = tuple(unquote(part) for part in raw.split("/")[1:])
    query = dict(parse_qsl(query_text, keep_blank_values=True)) if query_text else {}
    session, segments = split_session(segments)
    if segments[:1] == (CONTROL,):
        return Route(session, True, "", tuple(part for part in segments[1:] if part), query)
    upload, segments = (segments[:1], segments[1:]) if segments[:1] == ("upload",) else ((), segments)
    if not segments or segments[0] not in VERSIONS:
        return Route(session, False, "", (*upload, *segments), query)
    vertex = len(segments) > 5 and segments[1] == "projects" and segments[3] == "locations"
    below = segments[5:] if vertex else segments[1:]
    return Route(session, False, segments[0], (*upload, *below), query, vertex)


route_short = lru_cache(maxsize=4096)(_parse)
"""Route a target of at most `LONGEST_CACHED` characters."""
