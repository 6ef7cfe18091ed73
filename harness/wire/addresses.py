"""Addresses in the head of an answer, by which a client that talks to a stand-in would go round it. Layer 0, pure.

A stand-in is a recorder, a proxy or a replay. An answer may say where its client is to go on: where to upload to,
where to find a result. If that address names the server, the stand-in puts its own in its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.wire.message import Headers, Request

_FIELD = r"(?:[\w-]+-)?(?:location|ur[il])"
_NAME = re.compile(rf"(?i){_FIELD}")
_LINE = re.compile(rf"(?im)^({_FIELD}:[ \t]*)(\S+)".encode())
_OPEN = re.compile(rf"(?i){_FIELD}:[ \t]*".encode())
_ROOT = re.compile(r"(?i)(https?)://(\[[^\]\s/]+\]|[^\s/:?#@\[\]]+)(?::(\d{1,5}))?(?=[/?#]|\Z)")
_PORTS = {"http": "80", "https": "443"}
_REDIRECTS = range(300, 400)


def stand_in_url(request: Request) -> str:
    """The root under which the client of a stand-in, which speaks plain HTTP, reaches it; "" if none is said."""
    host = request.headers.get("host")
    return host and f"http://{host}"


def readdress(headers: Headers, server: str, stand_in: str) -> Headers:
    """The headers with each address below the URL `server` put below `stand_in`; "" leaves all as they are.

    A client that already calls the stand-in by the name of the server gets no other.
    """
    return Headers(
        (name, _readdress(value, server, stand_in) if _NAME.fullmatch(name) else value) for name, value in headers
    )


def readdress_head(head: bytes, server: str, stand_in: str) -> bytes:
    """The same for the bytes of a head, in which nothing else changes."""
    return _LINE.sub(
        lambda line: line[1] + _readdress(line[2].decode("latin-1"), server, stand_in).encode("latin-1"), head
    )


def settled_bytes(head: bytes) -> int:
    """How many bytes of a head that is still coming cannot belong to an address that goes on."""
    line = head.rfind(b"\n") + 1
    open_ = _OPEN.match(head, line)
    return len(head) if open_ is None else open_.end()


def may_name_addresses(head: bytes) -> bool:
    """Whether `readdress_head` could change these bytes, which may go on after the head."""
    return _LINE.search(head) is not None


def find_elsewhere(status: int, headers: Headers, server: str) -> Iterator[str]:
    """The roots of other servers to which an answer sends its client, redirects left out."""
    for name, value in headers:
        low = name.lower()
        goes_on = (low == "location" and status not in _REDIRECTS) or ("upload" in low and _NAME.fullmatch(low))
        root = _ROOT.match(value) if goes_on else None
        if root is not None and _below(value, server) is None:
            yield root[0]


def _readdress(url: str, server: str, stand_in: str) -> str:
    rest = _below(url, server)
    return url if rest is None or not stand_in or _is_name_of(stand_in, server) else stand_in + rest


def _below(url: str, server: str) -> str | None:
    """What follows the URL `server` in a URL below it; None for any other URL."""
    mine, theirs = _ROOT.match(url), _ROOT.match(server)
    if mine is None or theirs is None or _place(mine) != _place(theirs):
        return None
    prefix, rest = server[theirs.end() :].rstrip("/"), url[mine.end() :]
    below = rest.startswith(prefix) and rest[len(prefix) : len(prefix) + 1] in ("", "/", "?", "#")
    return rest[len(prefix) :] if below else None


def _place(root: re.Match[str]) -> tuple[str, str, str]:
    scheme = root[1].lower()
    return scheme, root[2].lower(), root[3] or _PORTS[scheme]


def _is_name_of(stand_in: str, server: str) -> bool:
    return stand_in.partition("://")[2].lower() == server.partition("://")[2].lower()
