"""Addresses of a server become those of what stands in for it; all others stay."""

from __future__ import annotations

import pytest

from harness.wire import Headers, Request
from harness.wire.addresses import (
    find_elsewhere,
    find_in_body,
    may_name_addresses,
    readdress,
    readdress_head,
    settled_bytes,
    stand_in_url,
)

OURS = "http://127.0.0.1:9"
CASES = (
    ("https://api.example", "https://api.example/up?id=1", "http://127.0.0.1:9/up?id=1"),
    ("https://api.example:443", "https://API.example/up", "http://127.0.0.1:9/up"),
    ("http://[::1]:80", "http://[::1]/up", "http://127.0.0.1:9/up"),
    ("https://api.example", "https://api.example", "http://127.0.0.1:9"),
    ("http://api.example/below", "http://api.example/below/up", "http://127.0.0.1:9/up"),
    ("http://api.example/below", "http://api.example/beloved/up", ""),
    ("https://api.example", "http://api.example/up", ""),
    ("https://api.example", "https://api.example:8443/up", ""),
    ("https://api.example", "https://api.example.evil/up", ""),
    ("https://api.example", "https://api.example@evil/up", ""),
    ("https://api.example", "https://evil/?https://api.example/up", ""),
    ("https://api.example", "/up", ""),
)


@pytest.mark.parametrize(("server", "url", "expected"), CASES)
@pytest.mark.parametrize(
    "name", ["X-Goog-Upload-URL", "x-goog-upload-control-url", "Location", "Content-Location"]
)
def test_where_a_client_goes_on(name: str, server: str, url: str, expected: str) -> None:
    """An address below the server's, in any spelling, is put below that of the stand-in; any other stays."""
    new = expected or url
    assert readdress(Headers([(name, url), ("x", url)]), server, OURS).items() == ((name, new), ("x", url))
    head = f"HTTP/1.1 200 OK\r\n{name}: %b\r\nx: {url}\r\n\r\n".encode()
    assert readdress_head(head % url.encode(), server, OURS) == head % new.encode()
    assert may_name_addresses(head % url.encode())


@pytest.mark.parametrize(("server", "url", "expected"), CASES)
def test_links(server: str, url: str, expected: str) -> None:
    """Each address of a `Link` is put below that of the stand-in, and nothing else of the line changes."""
    line = '<{}>; rel="next"; title="<x>", </own?a=1>;rel=prev,<{}>; rel=last'
    before, after = line.format(url, url), line.format(expected or url, expected or url)
    assert readdress(Headers([("link", before), ("x-link", before)]), server, OURS).items() == (
        ("link", after),
        ("x-link", before),
    )
    head = "HTTP/1.1 200 OK\r\nLink: {}\r\nx: 1\r\n\r\n"
    assert readdress_head(head.format(before).encode(), server, OURS) == head.format(after).encode()
    assert may_name_addresses(head.format(before).encode())


def test_a_head_that_comes_byte_by_byte() -> None:
    """What is forwarded of a head that is still coming never ends within an address, and adds up to the whole."""
    whole = (
        b'HTTP/1.1 200 OK\r\nLink: <https://api.example/a>; rel="next"\r\nlocation: https://api.example/b\r\n\r\n'
    )
    told = b""
    for size in range(1, len(whole) + 1):
        part = whole[: settled_bytes(whole[:size])]
        begun = readdress_head(part, "https://api.example", OURS)
        assert begun.startswith(told)
        told = begun
    assert told == readdress_head(whole, "https://api.example", OURS)
    assert b"api.example" not in told


BODIES = (
    (b'{"file":{"uri":"https://api.example/v1/files/x"}}', ["https://api.example/v1/files/x"]),
    (b'data: {"u":"https:\\/\\/api.example\\/x?key=k1"}\n\n', ["https://api.example/x"]),
    (b'["https://api.example/a","https://api.example/b"]', ["https://api.example/a", "https://api.example/b"]),
    (b'{"text":"see https://api.example/x"}', []),
    (b'{"text":"https://api.example/x is it"}', []),
    (b'{"uri":"https://store.example/x"}', []),
    (b'{"uri":"https://api.example.evil/x"}', []),
    (b'{"uri":"https://api.example', []),
    (b"\xff\x00", []),
)


@pytest.mark.parametrize(("body", "expected"), BODIES)
def test_what_a_body_names(body: bytes, expected: list[str]) -> None:
    """An address of the server that is a whole string is told, without its query; prose is not."""
    assert list(find_in_body(body, "https://api.example")) == expected


def test_a_client_that_uses_the_name_of_the_server_keeps_it() -> None:
    """A transport in the process may be called by the name of the live service; its addresses stay as they are."""
    headers = Headers([("location", "https://api.example/up")])
    asked = Request("GET", "/", Headers([("host", "api.example")]))
    assert readdress(headers, "https://api.example", stand_in_url(asked)) == headers
    assert readdress(headers, "https://api.example", stand_in_url(Request("GET", "/"))) == headers


SENT = (
    ("x-goog-upload-url", "https://store.example/up?id=1", 200, ["https://store.example"]),
    ("location", "https://store.example/up", 200, ["https://store.example"]),
    ("location", "https://login.example/", 302, []),
    ("location", "https://api.example/up", 200, []),
    ("location", "/up", 201, []),
    ("x-docs-url", "https://docs.example/", 200, []),
)


@pytest.mark.parametrize(("name", "url", "status", "expected"), SENT)
def test_what_sends_a_client_elsewhere(name: str, url: str, status: int, expected: list[str]) -> None:
    """An upload or a result at another server is named, without its path; a redirect is told by others."""
    assert list(find_elsewhere(status, Headers([(name, url)]), "https://api.example")) == expected
