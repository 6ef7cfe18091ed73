"""Addresses of a server become those of what stands in for it; all others stay."""

from __future__ import annotations

import pytest

from harness.wire import Headers, Request
from harness.wire.addresses import find_elsewhere, may_name_addresses, readdress, readdress_head, stand_in_url

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
