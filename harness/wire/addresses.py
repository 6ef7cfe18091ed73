"""Addresses in a response, by which a client of a stand-in would bypass it.

A stand-in is a recorder, a proxy or a replay. The head of a response may name the next address for its client: for
an upload, a result, or the next page. If that address names the server, the stand-in puts its own in its place. A
body stays as it is, because clients compare, sign and hash bodies: its addresses are only reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import SplitResult, unquote, urlsplit

from harness.wire.message import STEP, Headers, Request

_FIELD = r"(?:[\w-]+-)?(?:location|ur[il])"
_NAME = re.compile(rf"(?i){_FIELD}")
_ADDRESS = re.compile(rf"(?im)^(?P<name>(?:{_FIELD}|(?P<link>link)):[ \t]*)(?P<value>[^\r\n]*)".encode())
_LINKED = re.compile(r"(?<=<)[^<>]*(?=>)")
_IN_JSON = re.compile(rb'"(https?:\\?/\\?/[^"\s]*)"')
_ROOT = re.compile(r"(?i)(https?)://(\[[^\]\s/]+\]|[^\s/:?#@\[\]]+)(?::(\d{1,5}))?(?=[/?#]|\Z)")
_PORTS = {"http": "80", "https": "443"}
_REDIRECTS = range(300, 400)


_AUTHORITY = re.compile(
    r"(?:[^\s@/?#\\\[\]]*@)?"
    r"(?:\[(?P<address>[^\[\]]+)\]|(?P<name>[^\x00-\x20\x7f:@/?#\\\[\]<>\"^`{|}]+))(?::\d*)?"
)
"""User, host and port of a URL. Readers disagree on any other, such as `evil[::1]` or `evil\\@localhost`."""


def split_url(url: str) -> SplitResult:
    """The parts of a URL. Raises ValueError if its host is not exactly a name, or an address in brackets.

    Every part of this package that needs the host of a URL asks here, because keys are bound to hosts.
    """
    parts = urlsplit(url)
    if parts.netloc and not read_authority(parts.netloc):
        raise ValueError(f"{parts.netloc.rpartition('@')[2]!r} is neither a name nor an address in brackets")
    return parts


def read_host(url: str) -> str:
    """The host of a URL, in lower case and without brackets; "" if it has none, or is not a URL."""
    try:
        return split_url(url).hostname or ""
    except ValueError:
        return ""


def read_authority(text: str) -> str:
    """The host of a Host field, or of user, host and port of a URL, in lower case; "" if it is not one."""
    found = _AUTHORITY.fullmatch(text)
    if found is None:
        return ""
    if found["address"] and not isinstance(_read_address(found["address"]), IPv6Address):
        return ""
    return str(found["address"] or found["name"]).lower()


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine's own, so that no other machine can reach it."""
    address = read_address(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


def is_readable_on_the_way(url: str) -> bool:
    """Whether others could read what is sent to a URL: not over `https://`, and not to this machine."""
    try:
        parts = split_url(url)
    except ValueError:
        return True
    return parts.scheme != "https" and not is_loopback(parts.hostname or "")


def read_address(host: str) -> IPv4Address | IPv6Address | None:
    """The address that a text is, None for a name; of an IPv4 address in IPv6 the former."""
    address = _read_address(host)
    return getattr(address, "ipv4_mapped", None) or address


def _read_address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def stand_in_url(request: Request) -> str:
    """The URL under which a client reached this server, from its Host field; "" if it has none."""
    host = request.headers.get("host")
    return host and f"http://{host}"


def readdress(headers: Headers, server: str, stand_in: str, *, recorded: bool = False) -> Headers:
    """The headers with each address below the URL `server` put below `stand_in`; "" leaves all as they are.

    A client that already calls the stand-in by the name of the server gets no other. Those of a `recorded`
    response lead nowhere else, and of another address the path is kept: a stranger who wrote the recording
    would get the request, with its key.
    """

    def readdress_one(name: str, value: str) -> str:
        if name.lower() == "link":
            value = _readdress_links(value, server, stand_in)
            return _LINKED.sub(lambda link: _lead_here(link[0], stand_in), value) if recorded else value
        if not _NAME.fullmatch(name):
            return value
        value = _readdress(value, server, stand_in)
        return _lead_here(value, stand_in) if recorded else value

    return Headers((name, readdress_one(name, value)) for name, value in headers)


_RELATIVE = re.compile(r"(?![/\\]{2})[\w.~%-]*(?:[/?#][!-~]*)?", re.ASCII)
_HOST_OF_ANY = re.compile(r"(?:[^/\\?#]*:)?[/\\\s]*[^/\\?#]*")
"""What some reader takes for the scheme and the host of a URL."""


def _lead_here(url: str, stand_in: str) -> str:
    """The URL, or its path below the stand-in if some reader finds another host in it."""
    root = _ROOT.match(url)
    if _RELATIVE.fullmatch(url) or (root is not None and stand_in and _is_name_of(stand_in, root[0])):
        return url
    path = _HOST_OF_ANY.sub("", "".join(url.split()), count=1).lstrip("/\\")
    return f"{stand_in}/{path}"


def readdress_head(head: bytes, server: str, stand_in: str) -> bytes:
    """Readdress the bytes of a whole head, in which nothing else changes."""

    def readdress_one(field: re.Match[bytes]) -> bytes:
        change = _readdress_links if field["link"] else _readdress
        return field["name"] + change(field["value"].decode("latin-1"), server, stand_in).encode("latin-1")

    return _ADDRESS.sub(readdress_one, head)


def find_elsewhere(headers: Headers, server: str, status: int | None = None) -> Iterator[str]:
    """The roots of other servers to which an answer sends its client.

    With the `status` of the answer, those of redirects are left out.
    """
    for name, value in headers:
        is_location = name.lower() == "location"
        is_upload = "upload" in name.lower() and _NAME.fullmatch(name) is not None
        goes_on = status not in _REDIRECTS if is_location else is_upload
        if not goes_on or _cut_server(value, server) is not None:
            continue
        if root := _ROOT.match(value):
            yield root[0]
        elif _RELATIVE.fullmatch(value) is None and (other := _HOST_OF_ANY.match(value)):
            yield re.sub(r"(?:^|(?<=[/\\]))[^/\\@]*@", "…@", other[0])  # before it may be a password


def find_in_body(body: bytes, server: str) -> Iterator[str]:
    """The addresses below the URL `server` that are whole strings in a body of JSON or of events of JSON.

    Without their queries, which may hold secrets.
    """
    parts = (body[at : at + STEP + 2**16] for at in range(0, len(body), STEP))  # a long one is in a file
    for found in (found for part in parts for found in _IN_JSON.finditer(part) if found.start() < STEP):
        url = found[1].replace(b"\\/", b"/").decode("utf-8", "replace")
        if _cut_server(url, server) is not None:
            yield re.split("[?#]", url, maxsplit=1)[0]


def _readdress_links(value: str, server: str, stand_in: str) -> str:
    return _LINKED.sub(lambda link: _readdress(link[0], server, stand_in), value)


def _readdress(url: str, server: str, stand_in: str) -> str:
    rest = _cut_server(url, server)
    return url if rest is None or not stand_in or _is_name_of(stand_in, server) else stand_in + rest


def _cut_server(url: str, server: str) -> str | None:
    """The part of a URL after `server`, for a URL below it; None for any other URL."""
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


# Where the harness's own control API is: below `/__harness__/`, of a server or of one of its sessions.
# Knows paths; must not know what a control call does.


CONTROL = "__harness__"


def split_session(segments: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    """Split the segments of a path into the session, None if the path names none, and the rest."""
    if segments[:2] == (CONTROL, "sessions") and len(segments) > 3:
        return segments[2], segments[3:]
    return None, segments


def split_path(request: Request) -> tuple[str | None, tuple[str, ...]]:
    """Split the path of a request into the session, None if it names none, and the other segments, decoded."""
    return split_session(tuple(unquote(part) for part in request.raw_path.split("/")[1:]))


def is_control(request: Request) -> bool:
    """Whether a request is for the control API, of the server or of a session."""
    target = request.target
    if CONTROL not in target and "%" not in target:  # hot: only an escape could hide the word
        return False
    return split_path(request)[1][:1] == (CONTROL,)


def is_for_service(request: Request) -> bool:
    """Whether a request is for what is served, not for the control API."""
    target = request.target
    return (CONTROL not in target and "%" not in target) or not is_control(request)
