"""Addresses in an answer, by which a client that talks to a stand-in would go round it. Layer 0, pure.

A stand-in is a recorder, a proxy or a replay. The head of an answer may say where its client is to go on: where to
upload to, where to find a result, which page is next. If that address names the server, the stand-in puts its own
in its place. A body stays as it is, because clients compare, sign and hash bodies: its addresses are only told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.wire.message import Headers, Request

_FIELD = r"(?:[\w-]+-)?(?:location|ur[il])"
_NAME = re.compile(rf"(?i){_FIELD}")
_LINE = re.compile(rf"(?im)^({_FIELD}:[ \t]*)(\S+)".encode())
_LINKS = re.compile(rb"(?im)^link:[^\r\n]*")
_LINKED = re.compile(r"<([^<>]*)>")
_OPEN = re.compile(rf"(?i)(?:{_FIELD}|link):[ \t]*".encode())
_IN_JSON = re.compile(rb'"(https?:\\?/\\?/[^"\s]*)"')
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

    def readdress_one(name: str, value: str) -> str:
        if name.lower() == "link":
            return _readdress_links(value, server, stand_in)
        return _readdress(value, server, stand_in) if _NAME.fullmatch(name) else value

    return Headers((name, readdress_one(name, value)) for name, value in headers)


def readdress_head(head: bytes, server: str, stand_in: str) -> bytes:
    """The same for the bytes of a head, in which nothing else changes."""
    head = _LINE.sub(
        lambda line: line[1] + _readdress(line[2].decode("latin-1"), server, stand_in).encode("latin-1"), head
    )
    return _LINKS.sub(
        lambda line: _readdress_links(line[0].decode("latin-1"), server, stand_in).encode("latin-1"), head
    )


def settled_bytes(head: bytes) -> int:
    """How many bytes of a head that is still coming cannot belong to an address that goes on."""
    line = head.rfind(b"\n") + 1
    open_ = _OPEN.match(head, line)
    return len(head) if open_ is None else open_.end()


def may_name_addresses(head: bytes) -> bool:
    """Whether `readdress_head` could change these bytes, which may go on after the head."""
    return _LINE.search(head) is not None or _LINKS.search(head) is not None


def find_elsewhere(status: int, headers: Headers, server: str) -> Iterator[str]:
    """The roots of other servers to which an answer sends its client, redirects left out."""
    for name, value in headers:
        low = name.lower()
        goes_on = (low == "location" and status not in _REDIRECTS) or ("upload" in low and _NAME.fullmatch(low))
        root = _ROOT.match(value) if goes_on else None
        if root is not None and _below(value, server) is None:
            yield root[0]


def find_in_body(body: bytes, server: str) -> Iterator[str]:
    """The addresses below the URL `server` that are whole strings in a body of JSON or of events of JSON.

    Without their queries, which may hold secrets.
    """
    for found in _IN_JSON.finditer(body):
        url = found[1].replace(b"\\/", b"/").decode("utf-8", "replace")
        if _below(url, server) is not None:
            yield re.split("[?#]", url, maxsplit=1)[0]


def _readdress_links(value: str, server: str, stand_in: str) -> str:
    return _LINKED.sub(lambda link: f"<{_readdress(link[1], server, stand_in)}>", value)


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
