"""A target that is reached in the wrong way: the message names the word to write instead."""

from __future__ import annotations

import socket
import threading

import pytest

from harness.transport import ServerThread
from harness.wire import Headers, Request, Response, Service
from tests.cli.conftest import Harness


def redirects(request: Request) -> Response:
    """Sends every call to another host."""
    return Response.whole(308, Headers([("location", f"https://other.example{request.raw_path}")]), b"")


def wants_bearer(request: Request) -> Response:
    """Takes no key."""
    fields = [("www-authenticate", 'Bearer realm="api"'), ("content-type", "application/json")]
    return Response.whole(401, Headers(fields), b'{"error": {"message": "No token.", "code": "authentication"}}')


def takes_either(request: Request) -> Response:
    """Takes a key or a token, and refuses this one."""
    refusal = wants_bearer(request)
    refusal.headers = Headers([("www-authenticate", 'ApiKey realm="api"'), *refusal.headers])
    return refusal


def expects_tls(request: Request) -> Response:
    """Says what nginx says to plain HTTP on a port for TLS."""
    said = b"<center>The plain HTTP request was sent to HTTPS port</center>"
    return Response.whole(400, Headers([("content-type", "text/html")]), said)


@pytest.mark.parametrize(
    ("service", "words", "sentence"),
    [
        (redirects, (), "it redirects to https://other.example, name that URL"),
        (wants_bearer, (), "-H 'Authorization: Bearer …'"),
        (wants_bearer, ("-H", "Authorization: Bearer wrong-token"), "the key that was sent is not accepted"),
        (takes_either, (), "the key that was sent is not accepted"),
        (expects_tls, (), "the target speaks TLS"),
    ],
)
def test_the_sentence_that_helps(
    harness: Harness, service: Service, words: tuple[str, ...], sentence: str
) -> None:
    """A refusal that says how to call the target is repeated in the words of the command line."""
    with ServerThread(service) as server:
        done = harness("smoke", server.url, "--api-key", "a-key", *words)
    assert (done.code, sentence in done.err) == (4, True), done.err


def test_plain_http_to_a_port_for_tls(harness: Harness) -> None:
    """A server that answers plain HTTP with a TLS alert is told as what it is."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_answer_with_an_alert, args=[listener])
        thread.start()
        done = harness("smoke", f"http://127.0.0.1:{listener.getsockname()[1]}", "--timeout", "5")
        thread.join()
    assert (done.code, "a TLS alert and not HTTP: write https://" in done.err) == (4, True), done.err


def _answer_with_an_alert(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"\x15\x03\x01\x00\x02\x02\x46")
