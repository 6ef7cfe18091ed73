"""Addresses of a server become those of what stands in for it; all others stay."""

from __future__ import annotations

import ast

import pytest

from harness.wire import Headers, Request
from harness.wire.addresses import (
    find_elsewhere,
    find_in_body,
    is_loopback,
    is_readable_on_the_way,
    read_host,
    readdress,
    readdress_head,
    split_url,
    stand_in_url,
)
from tests.in_one_test import in_one_test
from tests.packages import PACKAGE, parse_package

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


@in_one_test(CASES)
def test_links(server: str, url: str, expected: str) -> None:
    """Each address of a `Link` is put below that of the stand-in, and nothing else of the line changes."""
    line = '<{0}>; rel="next"; title="<x>", </own?a=1>;rel=prev,<{0}>; rel=last'
    before, after = line.format(url), line.format(expected or url)
    fields = [("link", before), ("x-link", before)]
    assert readdress(Headers(fields), server, OURS).items() == (("link", after), ("x-link", before))
    head = "HTTP/1.1 200 OK\r\nLink: {}\r\nx: 1\r\n\r\n"
    assert readdress_head(head.format(before).encode(), server, OURS) == head.format(after).encode()


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
    ("location", "//evil.example/x", 201, ["//evil.example"]),
    ("location", "/\\evil.example/x", 201, ["/\\evil.example"]),
    ("location", "wss://evil.example/x?a", 201, ["wss://evil.example"]),
    ("location", "ht\ttp://evil.example/x", 201, ["ht\ttp://evil.example"]),
    ("x-goog-upload-url", "https://api.example:secret@evil.example/x", 200, ["https://…@evil.example"]),
    ("x-goog-upload-url", "///evil.example/x", 200, ["///evil.example"]),
)


@in_one_test(SENT)
def test_what_sends_a_client_elsewhere(name: str, url: str, status: int, expected: list[str]) -> None:
    """An upload or a result at another server is named, without its path; a redirect is told by others."""
    assert list(find_elsewhere(Headers([(name, url)]), "https://api.example", status)) == expected


SERVER = "https://api.example"
LED = (
    ("location", "https://evil.example/steal?a=1", "/steal?a=1"),
    ("location", "https://evil.example", "/"),
    ("x-goog-upload-url", "https://evil.example:8/up?id=1", "/up?id=1"),
    ("content-location", "wss://evil.example/x", "/x"),
    ("link", "<https://evil.example/2>; rel=next", "</2>; rel=next"),
    *(("location", url, "/x") for url in (
        "//evil.example/x", "wss:evil.example/x", "\\\\evil.example\\x", "/\\evil.example/x",
        "http:/\\evil.example/x", "http:\\\\evil.example/x",
        "https://api.example@evil.example/x", "https://api.example:443@evil.example/x", "////evil.example/x",
        "ht\ttp://evil.example/x", "/\t/evil.example/x", "https:///evil.example/x", "http://[::1]@evil.example/x",
        "http:evil.example/x", " https://evil.example/x",
    )),
    ("location", "https://evil.example//evil.example/x", "/evil.example/x"),
)  # fmt: skip


@in_one_test(LED)
def test_a_recording_leads_to_no_other_server(name: str, url: str, path: str) -> None:
    """Of an address elsewhere, however it is spelled, the path is left, below the server that was asked."""
    for stand_in in ("http://127.0.0.1:9", ""):
        expected = path.replace("</", f"<{stand_in}/") if name == "link" else stand_in + path
        assert readdress(Headers([(name, url)]), SERVER, stand_in, recorded=True).get(name) == expected


@pytest.mark.parametrize(
    "url", ["http://api.example/up", "https://api.example/up?a#b", "/up", "up/1", "?page=2", "#a", ""]
)
def test_an_address_here_stays(url: str) -> None:
    """So does a path, and the name of the recorded server, if the client calls by it."""
    headers = Headers([("location", url), ("x-docs", "https://docs.example/")])
    assert readdress(headers, SERVER, "http://api.example", recorded=True) == headers


@in_one_test([
        ("http://127.0.0.1:80/a", "127.0.0.1"), ("HTTPS://A.Example.", "a.example."), ("http://[::1]:8/", "::1"),
        ("http://me:pass@h.example", "h.example"), ("http://b\u00fccher.example", "b\u00fccher.example"),
        ("http://[::ffff:127.0.0.1]", "::ffff:127.0.0.1"), ("http://127.0.0.1@evil.example", "evil.example"),
        ("http://evil[::1]", ""), ("http://[::1]evil", ""), ("http://evil.example[::1]:80", ""),
        ("http://[::1].evil.example", ""), ("http://[127.0.0.1]", ""), ("http://[localhost]", ""),
        ("http://[v1.a]", ""), ("http://[::1", ""), ("http://::1", ""), ("http://evil\\@127.0.0.1", ""),
        ("http://127.0.0.1\\.evil.example", ""), ("http://a@b@127.0.0.1", ""), ("http://evil example", ""),
        ("http://[evil@::1]", ""), ("http://evil<127.0.0.1", ""), ("http://", ""), ("localhost", ""), ("", ""),
    ])  # fmt: skip
def test_the_host_of_a_url_is_read_exactly(url: str, host: str) -> None:
    """A key is bound to a host, so one that another reader of URLs takes for another host is none."""
    assert read_host(url) == host
    if not host and "://" in url and url != "http://":
        assert not is_loopback(read_host(url))
        with pytest.raises(ValueError, match=r"Invalid|neither|bracket|address"):
            split_url(url)


@pytest.mark.slow
def test_one_function_reads_the_host_of_a_url() -> None:
    """A module that asks for the host of a URL has split it with `split_url`."""
    wrong = [
        f"{path.relative_to(PACKAGE)}: {used.lineno}"
        for path, tree in parse_package(r"\.hostname\b").items()
        if path.name != "addresses.py"
        for used in ast.walk(tree)
        if isinstance(used, ast.Attribute) and used.attr == "hostname"
        if any(
            isinstance(node, ast.ImportFrom | ast.Import)
            and {name.name for name in node.names} & {"urlsplit", "urlparse", "urllib.parse"}
            for node in ast.walk(tree)
        )
    ]
    assert not wrong, "\n".join(wrong)


@in_one_test([
        ("http://gateway.example/v1", True), ("HTTP://192.0.2.7:80", True), ("http://127.0.0.1@192.0.2.7", True),
        ("http://localhost.example", True), ("http://[2001:db8::1]:80", True), ("http://0.0.0.0:80", True),
        ("http://127.0.0.1\\@192.0.2.7", True), ("http://localhost:80", False), ("http://LOCALHOST", False),
        ("http://127.8.9.1:80/a", False), ("http://[::1]:80", False), ("http://[::ffff:127.0.0.1]", False),
        (" http://192.0.2.7", True), ("ht\ttp://192.0.2.7", True), ("\x01http://192.0.2.7", True),
        ("192.0.2.7", True),
        ("HTTPS://gateway.example", False), ("https://gateway.example", False),
    ])  # fmt: skip
def test_plain_text_is_read_on_its_way_to_another_machine(url: str, expected: bool) -> None:
    """Nothing else says where a key may go: over TLS, or to this machine."""
    assert is_readable_on_the_way(url) is expected
