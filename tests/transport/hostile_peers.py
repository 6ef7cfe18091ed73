"""Servers that break HTTP, each in one way: what a proxy, a load balancer or a wrong port may answer.

Each is a handler of a `RawServer`, which has read the request and sends something.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from functools import cache, partial

from tests.transport.peers import RawConnection

INTERACTION = (
    b'{"id":"i1","object":"interaction","status":"completed","model":"m","steps":[],'
    b'"created":"2026-11-20T10:00:00Z","updated":"2026-11-20T10:00:00Z"}'
)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"


@cache
def _bomb() -> bytes:
    """16 kB that hold 16 MB."""
    return gzip.compress(bytes(16 << 20), 1)


def _with(fields: bytes, body: bytes = INTERACTION) -> bytes:
    return HEAD + fields + b"\r\n" + body


def _send(connection: RawConnection, data: bytes) -> None:
    connection.send(data)


def _for_ever(connection: RawConnection, first: bytes, piece: bytes, every: float) -> None:
    connection.send(first)
    connection.send_for_ever(piece, every=every)


def _sends(data: bytes) -> Callable[[RawConnection], None]:
    return partial(_send, data=data)


def _never_ends(first: bytes, piece: bytes, every: float = 0.0) -> Callable[[RawConnection], None]:
    return partial(_for_ever, first=first, piece=piece, every=every)


_SIZE = b"content-length: %d\r\n" % len(INTERACTION)
_CHUNKED = b"transfer-encoding: chunked\r\n"

ENDING: dict[str, Callable[[RawConnection], None]] = {
    "a line of 1 MB": _sends(_with(b"x: " + b"a" * (1 << 20) + b"\r\n" + _SIZE)),
    "a length and chunks": _sends(_with(b"content-length: 5\r\n" + _CHUNKED, b"3\r\n{}\n\r\n0\r\n\r\n")),
    "two lengths": _sends(_with(b"content-length: 5\r\n" + _SIZE)),
    "a length below zero": _sends(_with(b"content-length: -1\r\n")),
    "an unknown transfer coding": _sends(_with(b"transfer-encoding: br, chunked\r\n", b"0\r\n\r\n")),
    "a huge chunk": _sends(_with(_CHUNKED, b"f" * 20 + b"\r\nabc")),
    "an end in the head": _sends(HEAD[:30]),
    "an end in the body": _sends(_with(b"content-length: 9999\r\n")),
    "no answer": _sends(b""),
    "HTTP/2": _sends(b"\0\0\x12\4\0\0\0\0\0"),
    "SSH": _sends(b"SSH-2.0-OpenSSH_9.9\r\n"),
    "a body without a head": _sends(INTERACTION),
    "a zero byte in a field": _sends(_with(b"x: a\0b\r\n" + _SIZE)),
    "another protocol": _sends(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\nxxxx"),
    "broken UTF-8": _sends(_with(b"content-length: 12\r\n", b'{"id":"\xff\xfe"}\n')),
    "no gzip": _sends(_with(b"content-encoding: gzip\r\n" + _SIZE)),
    "a bomb": lambda connection: connection.send(_with(b"content-encoding: gzip\r\n", _bomb())),
    "a page of a proxy": _sends(
        b"HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 24\r\n\r\n"
        b"<h1>502 Bad Gateway</h1>"
    ),
}
"""Those that end their answer, or hang up."""

ENDLESS: dict[str, Callable[[RawConnection], None]] = {
    "a field that drips": _never_ends(HEAD + b"x: ", b"a", 0.1),
    "fields that drip": _never_ends(HEAD, b"x: y\r\n", 0.1),
    "a flood of fields": _never_ends(HEAD, b"x: y\r\n" * 1000),
    "interim answers": _never_ends(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.02),
    "a flood of interim answers": _never_ends(b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 100),
    "a chunk size that drips": _never_ends(_with(_CHUNKED, b""), b"0", 0.1),
    "an extension without end": _never_ends(_with(_CHUNKED, b"1;"), b"a" * 1000),
    "trailers without end": _never_ends(_with(_CHUNKED, b"2\r\n{}\r\n0\r\n"), b"t: u\r\n", 0.05),
    "a body that drips": _never_ends(_with(b"", b""), b" ", 0.1),
    "silence": RawConnection.wait_for_hangup,
}
"""Those that never end."""

PEERS = {**ENDING, **ENDLESS}
