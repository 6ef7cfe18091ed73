"""Canary secrets in every place a client or server could put one, and a search for them in all written output."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from urllib.parse import quote

import pytest

from harness.benches.record import Recorder
from harness.cli import main
from harness.contract import PROTOCOL
from harness.interactions import INTERACTIONS
from harness.report.evidence.curl import EMBEDDED_ROOT, Display
from harness.report.evidence.evidence_text import body_lines
from harness.transport import ServerThread, UrlDriver
from harness.wire import COMPLETE, Chunk, Chunked, Headers, PieceBody, Request, Response, encode
from harness.wire.mask import Mask
from harness.wire.request_log import RequestLog

API_KEY = "AIzaSyD-canary0123456789abcdefghijklmno"
BEARER = "ya29.canary-0123456789-ABCDEFGHIJKLMNOPQRST"
COOKIE = "canary-session-0f9e8d7c6b5a4938"
PASSWORD = "canary-horse-battery-staple-77"
IN_TEXT = "sk-canary0123456789abcdefghijklmnopqrstuvwxyz012345"
PLACED = {name: f"zq{number}e8canary{name}0f1d2c3b" for number, name in enumerate((
    "token", "value", "variable", "variablevalue", "listed", "injected", "header", "zipped", "part", "oauth",
    "nested",
))}  # fmt: skip
"""Secrets without a recognizable form: only their place identifies them."""

ISSUED = (
    "1//0gcanary-0123456789ABCDEFGHIJ",
    "glpat-canary0123456789abcd",
    "sk_live_canary0123456789ab",
    "npm_canary0123456789ABCDEFGHIJKLMNOP",
    "pypi-AgEIcanary0123456789ABCDEFGHIJKLMNOPQRST",
)
SECRETS = (API_KEY, BEARER, COOKIE, PASSWORD, IN_TEXT, *PLACED.values(), *ISSUED)


def leaky(request: Request) -> Response:
    """A server that repeats whatever it received, in headers, error messages and streams, split over deltas."""
    headers = [("content-type", "application/json"), ("set-cookie", f"session={COOKIE}; HttpOnly")]
    if request.parameter("stream") == "true" or b'"stream"' in request.body:
        return Response(200, Headers([("content-type", "text/event-stream"), *headers[1:]]), Chunked(), _stream())
    body = {
        "error": {"message": f"API key not valid: {API_KEY}", "code": "invalid_request"},
        "echo": {
            "deep": [{"client_secret": PASSWORD, "note": f"Bearer {BEARER}"}],
            "text": f"use {IN_TEXT} please",
        },
        "said": request.body.decode() if PLACED["nested"].encode() in request.body else "",
        "gone": f"see https://storage.example/x?key={API_KEY}",
    }
    answer = Response.whole(400, Headers([*headers, ("x-debug", API_KEY)]), json.dumps(body).encode())
    answer.reason = f"Bad key {API_KEY}"
    return answer


def _stream() -> PieceBody:
    created = {"interaction": {"id": "int_1", "status": "in_progress"}, "event_type": "interaction.created"}
    halves = [API_KEY[:9], API_KEY[9:21], API_KEY[21:], " and ", IN_TEXT[:20], IN_TEXT[20:]]
    deltas = [{"index": 0, "delta": {"type": "text", "text": half}, "event_type": "step.delta"} for half in halves]
    return PieceBody(
        [*(Chunk(encode(e["event_type"], json.dumps(e).encode())) for e in (created, *deltas)), COMPLETE]
    )


def requests() -> list[Request]:
    """Requests with a secret in every part."""
    basic = base64.b64encode(f"user:{PASSWORD}".encode()).decode()
    headers = Headers(
        (
            ("x-goog-api-key", API_KEY),
            ("authorization", f"Bearer {BEARER}"),
            ("proxy-authorization", f"Basic {basic}"),
            ("cookie", f"session={COOKIE}"),
            ("content-type", "application/json"),
        )
    )
    environment = {
        "env": {"DSN": PLACED["variable"], "B": {"value": PLACED["variablevalue"]}},
        "network": {"allowlist": [{"domain": "a.example", "transform": {"X-Vault": PLACED["injected"]}}]},
    }
    tool = {"type": "mcp_server", "url": "https://mcp.example", "headers": {"X-Tenant": PLACED["header"]}}
    listed = {"env": [{"name": "API_TOKEN", "value": PLACED["listed"]}], "input": " ".join(ISSUED)}
    part = f'--b\r\nContent-Disposition: form-data; name="api_key"\r\n\r\n{PLACED["part"]}\r\n--b--\r\n'
    zipped = json.dumps({"api_key": PLACED["zipped"]}).encode()
    nested = {"input": json.dumps({"n": json.dumps({"db_password": PLACED["nested"]})})}
    oauth = {"type": "oauth2", "client_secret": PLACED["oauth"], "refresh_token": PLACED["oauth"]}
    body = {"input": f"my key is {IN_TEXT}", "deep": {"list": [{"password": PASSWORD}], "api_key": API_KEY}}
    return [
        Request("POST", f"/v1beta/interactions?key={quote(API_KEY)}", headers, json.dumps(body).encode()),
        Request("POST", "/v1beta/interactions", headers, json.dumps({**body, "stream": True}).encode()),
        Request("GET", f"/v1beta/interactions/{quote(API_KEY)}?access_token={quote(BEARER)}", headers),
        sent("/v1beta/credentials", {"id": "c1", "type": "bearer_token", "token": PLACED["token"]}),
        sent("/v1beta/credentials/c2", {"type": "environment_variable", "value": PLACED["value"]}),
        sent("/v1beta/credentials", oauth),
        sent("/v1beta/interactions", {"agent": "a", "environment": environment, "tools": [tool]}),
        sent("/v1beta/interactions", listed),
        sent("/v1beta/x", gzip.compress(zipped), content_encoding="gzip"),
        sent("/v1beta/x", part.encode(), content_type="multipart/form-data; boundary=b"),
        sent("/v1beta/x", nested),
    ]


def quoting() -> Request:
    """A request with a secret that only an earlier one, two JSON strings deep, calls by its name."""
    return sent("/v1beta/x", {"input": f"once more {PLACED['nested']}"})


def sent(path: str, body: object, **headers: str) -> Request:
    """A request with this body, and the key in two headers of the same name."""
    fields = [("X-Goog-Api-Key", API_KEY), ("X-Goog-Api-Key", BEARER)]
    fields += [(name.replace("_", "-"), value) for name, value in headers.items()]
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request("POST", path, Headers(fields), data)


@pytest.mark.slow
def test_no_canary_survives(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No planted secret is in the cassette, journal, state, reports, standard output or standard error."""
    monkeypatch.chdir(tmp_path)
    seen_while_recording: list[bytes] = []
    for name in ("a.yaml", "b.yaml"):
        with (
            ServerThread(leaky) as server,
            Recorder(server.url, Path(name), INTERACTIONS, encoding="identity") as tap,
        ):
            driver = UrlDriver(tap.url)
            for request in (*requests(), quoting()):
                assert driver.send(request).complete
            driver.close()
            seen_while_recording += [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    words = [str(reason) for reason in tap.summary.unrecorded] + list(tap.summary.replaced)
    for command in (
        ["verify", "a.yaml"],
        ["verify", "a.yaml", "--json"],
        ["diff", "a.yaml", "b.yaml"],
        ["diff", "a.yaml", "b.yaml", "--json"],
    ):
        main(command)
    assert main(["verify", "--secrets", "a.yaml"]) == 0
    with Recorder(server.url, Path("a.yaml"), INTERACTIONS, mode="none") as player:
        driver = UrlDriver(player.url)
        answers = [driver.send(request) for request in requests()]
        missed = driver.send(Request("GET", f"/v1beta/nothing/{quote(API_KEY)}", requests()[0].headers))
        driver.close()
    captured = capsys.readouterr()
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    everything = [*seen_while_recording, *written, captured.out.encode(), captured.err.encode()]
    everything += [word.encode() for word in (*words, *player.summary.misses)]
    everything += [answer.body for answer in (*answers, missed)]
    for secret in SECRETS:
        for form in {secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode()}:
            assert not any(form.encode() in text for text in everything), form
    assert [answer.status for answer in answers] == [400, 200] + [400] * (len(answers) - 2)
    assert player.summary.misses == [str(missed.body and json.loads(missed.body)["error"]["message"])]


def test_the_log_of_requests_shows_no_canary() -> None:
    log = RequestLog(100, PROTOCOL.secret_fields)
    for request in requests():
        log.add(request)
    shown = json.dumps(log.to_dicts())
    assert [secret for secret in (*PLACED.values(), *ISSUED) if secret in shown] == []


def test_reports_show_no_canary() -> None:
    display = Display(INTERACTIONS, EMBEDDED_ROOT, Mask(fields=PROTOCOL.secret_fields))
    bodies = [line for request in requests() for line in body_lines(request.body, request, display)]
    assert [name for name, secret in PLACED.items() if secret in "\n".join(bodies)] == []
