"""From a raw target to the part of the service it addresses.

Layer 2. Knows the three version prefixes, the Vertex form and the session prefix; must not know what an
operation does. Short targets are cached: clients send the same few thousands of times.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote

VERSIONS = ("v1beta", "v1", "v1beta1")
CONTROL = "__harness__"

_CACHED_LENGTH = 256


class Route(NamedTuple):
    """Where a request goes.

    `version` is `""` below the control prefix and where a path has none; `segments` are decoded and hold no
    version and no session. `session` is None for the default one.
    """

    session: str | None
    control: bool
    version: str
    segments: tuple[str, ...]
    query: dict[str, str]


def route(target: str) -> Route:
    """The route of a raw request target; never raises."""
    return _cached(target) if len(target) <= _CACHED_LENGTH else _parse(target)


def _parse(target: str) -> Route:
    raw, _, query_text = target.partition("?")
    segments = tuple(unquote(part) for part in raw.split("/")[1:])
    query = dict(parse_qsl(query_text, keep_blank_values=True)) if query_text else {}
    session, segments = _session(segments)
    if segments[:1] == (CONTROL,):
        return Route(session, True, "", tuple(part for part in segments[1:] if part), query)
    version, segments = _version(segments)
    return Route(session, False, version, segments, query)


_cached = lru_cache(maxsize=4096)(_parse)


def _session(segments: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    if segments[:2] == (CONTROL, "sessions") and len(segments) > 3:
        return segments[2], segments[3:]
    return None, segments


def _version(segments: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Uploads put their word before the version; it stays in front of the segments."""
    if segments[:1] == ("upload",) and segments[1:2] and segments[1] in VERSIONS:
        return segments[1], ("upload", *segments[2:])
    if not segments or segments[0] not in VERSIONS:
        return "", segments
    version, rest = segments[0], segments[1:]
    if len(rest) > 4 and rest[0] == "projects" and rest[2] == "locations":
        rest = rest[4:]
    return version, rest
