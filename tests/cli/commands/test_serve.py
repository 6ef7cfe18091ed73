"""Tests of `harness serve`: it prints its address first, gives it to a command, and ends cleanly."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.benches.server.fault_control import Faulty
from harness.cli.arguments import read_options
from harness.cli.commands import serve
from harness.cli.serving import BASE_URL_VARIABLES, command_environment
from harness.transport.server import server
from tests.cli.conftest import PATIENCE, Harness, start
from tests.emulator.client import Api
from tests.transport.certificates import certificate_in


@pytest.mark.slow
def test_first_line_and_clean_end() -> None:
    """The first line has the base URL and comes once the server answers; SIGTERM ends it silently with 0."""
    with start("serve", "--port", "0", "--json", stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE)
    assert line["base_url"].startswith("http://127.0.0.1:")
    assert line["pid"] == process.pid
    assert (process.returncode, out, err) == (0, "", "")


def test_environment() -> None:
    """In the environment of a command every base URL is ours, no real key is left, and no proxy applies."""
    real = {
        "GOOGLE_API_KEY": "real",
        "GEMINI_API_KEY": "real",
        "HTTPS_PROXY": "http://p",
        "NO_PROXY": "x",
        "PATH": "/bin",
    }
    made = command_environment("http://127.0.0.1:1", real)
    assert {made[name] for name in BASE_URL_VARIABLES} == {"http://127.0.0.1:1"}
    assert "real" not in made.values()
    assert made["NO_PROXY"] == "x,127.0.0.1,localhost,::1"
    assert made["PATH"] == "/bin"


def test_keys_of_the_server_are_the_commands() -> None:
    """If the server accepts only some keys, its command gets the first two of them."""
    made = command_environment("http://127.0.0.1:1", {}, ["k1", "k2", "k3"])
    assert (made["GEMINI_API_KEY"], made["OTHER_GEMINI_API_KEY"]) == ("k1", "k2")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--port", "x"], "must be a port, 0 to 65535"),
        (["--port", "70000"], "must be a port, 0 to 65535"),
        (["--port=--"], "'--' must be a port, 0 to 65535"),
        (["--host", "a..example"], "'a..example' is not the name of a host (--host)"),
        ([""], "one argument too many: ''"),
        (["--tls-key", "key.pem"], "--tls-cert"),
        (["--tls-cert", "none.pem"], "none.pem"),
        (["--setting", "foo=1"], "no setting 'foo'"),
        (["--setting", "foo"], "NAME=VALUE"),
        (
            ["--setting", "lifecycle=2026-13-01"],
            "--setting lifecycle: the value is not readable as YAML: month must be in 1..12",
        ),
        (["--setting", "ticks=" + "9" * 5000], "Exceeds the limit (4300 digits)"),
        (["--setting", "ticks=[" + "[" * 5000], "--setting ticks: the value is not readable as YAML"),
        (["--scenario", "none.yaml"], "none.yaml"),
        (["--mutant", "no-such-mutant"], "no mutant"),
        (["--"], "name the command"),
        (["--port", "0", "--", "no-such-command-at-all"], "cannot run"),
    ],
)
def test_usage(words: list[str], told: str, harness: Harness) -> None:
    """A mistake on the command line is refused before anything is served."""
    done = harness("serve", *words)
    assert done.code == 2
    assert told in done.err


@pytest.mark.slow
def test_https(tmp_path: Path, harness: Harness) -> None:
    """With a certificate the server speaks TLS; `check` accepts it only with that certificate as --ca-file."""
    certificate_in(tmp_path)
    files = ["--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem")]
    check = (
        "import os, subprocess, sys; url = os.environ['INTERACTIONS_BASE_URL']; assert url.startswith('https'); "
    )
    check += "words = [sys.executable, '-m', 'harness', 'check', url, '-c', 'create.ok', *sys.argv[1:]]; "
    check += "done = subprocess.run(words, capture_output=True); "
    check += "raise SystemExit(6 if b'check the URL' in done.stderr else done.returncode)"
    trusting = [sys.executable, "-c", check, "--ca-file", str(tmp_path / "cert.pem")]
    assert harness("serve", "--port", "0", *files, "--", *trusting).code == 0
    assert harness("serve", "--port", "0", *files, "--", *trusting[:3]).code == 4


@pytest.mark.parametrize("words", [[], ["--mutant", "call-ids-same"]], ids=["reference", "mutant"])
def test_pace_is_of_real_time(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """With a pace, a served run advances with real time and not with the number of polls."""
    client = Api(serve._build_emulator(read_options(serve.ServeArguments, [*words, "--setting", "pace=0.05"])))
    found = client.created(background=True)
    assert {client.status(found) for _ in range(500)} == {"in_progress"}
    later = time.monotonic() + 10.0
    monkeypatch.setattr(server.time, "monotonic", lambda: later)
    assert client.status(found) == "completed"


@pytest.mark.parametrize(("words", "origins"), [(["--cors"], ["*"]), ([], []), (["--no-cors"], [])])
def test_web_pages(words: list[str], origins: list[str], harness: Harness) -> None:
    """With --cors pages of any origin may call the server and read answers and refusals; else not."""
    code = """
import http.client, os, sys
host = os.environ["INTERACTIONS_BASE_URL"].removeprefix("http://")
asking = {"origin": "http://page", "access-control-request-method": "POST"}
create = b'{"model": "gemini-3.8-flash", "input": "hi"}'
calls = ("OPTIONS", asking, b""), ("POST", {"x-goog-api-key": "k"}, create), ("POST", {}, b"")
for method, headers, body in calls:
    connection = http.client.HTTPConnection(host)
    connection.request(method, "/v1beta/interactions", body, headers)
    answer = connection.getresponse()
    assert (answer.headers.get_all("access-control-allow-origin") or []) == sys.argv[1:], (method, answer.headers)
    connection.close()
"""
    done = harness("serve", "--port", "0", *words, "--", sys.executable, "-c", code, *origins)
    assert done.code == 0, done.err


def test_a_retirement_is_named_once_before_the_response(harness: Harness) -> None:
    """A retired model that a request named is noted once, before the last line of the command."""
    code = (
        "import os, urllib.request as u; "
        "[u.urlopen(u.Request(os.environ['INTERACTIONS_BASE_URL'] + '/v1beta/interactions', method='POST', "
        'data=b\'{"model": "gemini-2.5-pro", "input": "hi"}\', '
        "headers={'x-goog-api-key': os.environ['GEMINI_API_KEY'], 'content-type': 'application/json'})) "
        "for _ in range(2)]; print('the verdict')"
    )
    words = ["serve", "--port", "0", "--setting", "lifecycle=2026-12-01", "--", sys.executable, "-c", code]
    done = subprocess.run(
        [sys.executable, "-m", "harness", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    note, verdict = done.stdout.splitlines()
    assert note.startswith("note: gemini-2.5-pro has the retirement date 2026-12-01.")
    assert verdict == "the verdict"
    words[4] = "lifecycle=never"
    assert harness(*words[:-1], "").code == 2


def test_a_fault_of_the_server_is_printed_when_it_happens(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its client gets a 500; whoever started the server must not look for the reason in the client."""

    def fail(service: Faulty, request: object) -> None:
        raise ZeroDivisionError("a step too far")

    monkeypatch.setattr(Faulty, "__call__", fail)
    code = (
        "import os, urllib.error, urllib.request as u\n"
        "try: u.urlopen(os.environ['INTERACTIONS_BASE_URL'] + '/v1beta/interactions/x')\n"
        "except urllib.error.HTTPError as answer: raise SystemExit(answer.code - 500)"
    )
    done = harness("serve", "--port", "0", "--", sys.executable, "-c", code)
    assert done.code == 0
    assert "ZeroDivisionError on GET /v1beta/interactions/x: a step too far" in done.err
