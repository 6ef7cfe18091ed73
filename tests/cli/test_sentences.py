"""A target that is reached in the wrong way: the message names the word to write instead."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable

import pytest

from harness.transport import ServerThread
from harness.wire import Headers, Request, Response, Service
from tests.cli.conftest import Harness


def redirects_to(where: str) -> Callable[[Request], Response]:
    """A server that sends every call somewhere else."""

    def redirect(request: Request) -> Response:
        return Response.whole(308, Headers([("location", where.format(path=request.raw_path))]), b"")

    return redirect


redirects = redirects_to("https://other.example{path}")


def wants_bearer(request: Request) -> Response:
    """Takes no key."""
    fields = [("www-authenticate", 'Bearer realm="api"'), ("content-type", "application/json")]
    return Response.whole(401, Headers(fields), b'{"error": {"message": "No token.", "code": "authentication"}}')


def takes_either(request: Request) -> Response:
    """Takes a key or a token, and refuses this one."""
    refusal = wants_bearer(request)
    refusal.headers = Headers([("www-authenticate", 'ApiKey realm="api"'), *refusal.headers])
    return refusal


def knows_keys(request: Request) -> Response:
    """Refuses a key as the service does: with 400, and a reason in the details."""
    said = b'{"error":{"code":400,"message":"API key not valid.","details":[{"reason": "API_KEY_INVALID"}]}}'
    return Response.whole(400, Headers([("content-type", "application/json")]), said)


def expects_tls(request: Request) -> Response:
    """Says what nginx says to plain HTTP on a port for TLS."""
    said = b"<center>The plain HTTP request was sent to HTTPS port</center>"
    return Response.whole(400, Headers([("content-type", "text/html")]), said)


def created_elsewhere(request: Request) -> Response:
    """Names with every answer where a thing is, which redirects nobody."""
    return Response.whole(404, Headers([("location", f"https://other.example{request.raw_path}")]), b"")


def streams_something_else(request: Request) -> Response:
    """Streams events in answer to everything, and none of them is of this API."""
    events = b'event: ping\ndata: {"event_type": "ping"}\n\ndata: {"id": "x", "choices": []}\n\n'
    return Response.whole(200, Headers([("content-type", "text/event-stream")]), events)


def chats(request: Request) -> Response:
    """Returns what another API returns to a chat, which has an id."""
    body = b'{"id": "chatcmpl-1", "object": "chat.completion", "choices": [{"message": {"content": "hi"}}]}'
    return Response.whole(200, Headers([("content-type", "application/json")]), body)


COMMANDS = {
    "check": ["check", "URL"],
    "fuzz": ["fuzz", "URL", "--no-store"],
    "gateway": ["gateway", "URL", "--upstream-port", "0"],
    "record": ["record", "--target", "URL", "--send", "lifecycle", "--max-requests", "9"],
}
"""Each command that sends requests of its own to a target."""


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("service", "sentence"),
    [
        (redirects, "308: it redirects to https://other.example: name that URL"),
        (
            redirects_to("https://other.example/deep{path}"),
            "it redirects to https://other.example/deep: name that",
        ),
        (redirects_to("/login?then=here"), "it redirects to /login?then=here: is this a login"),
        (redirects_to("{path}/"), "/interactions/ (trailing slash): clients request /v1beta/interactions"),
        (wants_bearer, "it requires a bearer token, not a key: -H 'Authorization: Bearer …'"),
        (expects_tls, "it requires TLS: write https://"),
    ],
    ids=["elsewhere", "deeper", "login", "slash", "bearer", "TLS"],
)
def test_every_command_says_what_to_write(harness: Harness, command: str, service: Service, sentence: str) -> None:
    """Each command repeats an answer that says how to call the target in the words of the command line."""
    with ServerThread(service) as server:
        done = harness(
            *(word if word != "URL" else server.url for word in COMMANDS[command]), "--api-key", "a-key"
        )
    assert (done.code, sentence in done.out + done.err) == (4, True), done.out + done.err


@pytest.mark.parametrize(
    ("service", "words", "sentence"),
    [
        (wants_bearer, ("-H", "Authorization: Bearer wrong-token"), "the target does not accept the key"),
        (takes_either, (), "the target does not accept the key"),
        (knows_keys, (), "the target does not accept the key"),
        (created_elsewhere, (), "the target returns no interactions"),
        (redirects_to(""), (), "the target returns no interactions"),
        (streams_something_else, (), "the target returns no interactions"),
        (chats, (), "the target returns no interactions"),
    ],
)
def test_the_sentence_only_where_it_helps(
    harness: Harness, service: Service, words: tuple[str, ...], sentence: str
) -> None:
    """A token that was refused, a choice of schemes, and an answer that only names a place are something else."""
    with ServerThread(service) as server:
        done = harness("check", server.url, "--api-key", "a-key", *words)
    assert (done.code, sentence in done.err) == (4, True), done.err


PROGRAM = """
import os, urllib.error, urllib.request
for _ in range(2):
    try:
        urllib.request.urlopen(os.environ["GEMINI_BASE_URL"] + "/v1beta/interactions", b"{}").read()
    except urllib.error.HTTPError as answer:
        print(answer.code)
"""


_AWAY = "308: it redirects to https://other.example: name that URL"
_AGAIN = 'API_KEY_INVALID"}]}}: a replay returns it, too, until `--record-mode all` records again'
_RECORD = ["record", "--cassette", "a.yaml"]


@pytest.mark.parametrize(
    ("words", "service", "said"),
    [(_RECORD, redirects, _AWAY), (["proxy"], redirects, _AWAY), (_RECORD, knows_keys, _AGAIN)],
    ids=["record", "proxy", "key"],
)
def test_what_passes_a_tap(harness: Harness, words: list[str], service: Service, said: str) -> None:
    """A client is redirected away from what stands in front of the target, or refused: that is said once."""
    with ServerThread(service) as server:
        done = harness(*words, "--target", server.url, "--", sys.executable, "-c", PROGRAM)
    assert (done.code, (done.out + done.err).count(said)) == (0, 1), done.out + done.err


def test_plain_http_to_a_port_for_tls(harness: Harness) -> None:
    """A server that answers plain HTTP with a TLS alert is told as what it is."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_answer_with_an_alert, args=[listener])
        thread.start()
        done = harness("check", f"http://127.0.0.1:{listener.getsockname()[1]}", "--timeout", "60")
        thread.join()
    assert (done.code, "a TLS alert and not HTTP: write https://" in done.err) == (4, True), done.err


def _answer_with_an_alert(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"\x15\x03\x01\x00\x02\x02\x46")
