"""One key in sixty places of every answer: no command writes it, in no spelling, to no file and no screen."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.transport import ServerThread
from tests.cli.canary import KEY, TENANT, Repeats, leaks, repeat
from tests.cli.conftest import Harness

pytestmark = pytest.mark.slow

pytest.importorskip("vcr", reason="cassettes need vcrpy: pip install -e '.[record]'")

REPORTS = [
    word
    for report in ("json=r.json", "junit=r.xml", "html=r.html", "markdown=r.md", "badge=b.json")
    for word in ("--report", report)
]
TARGET = ["-H", f"X-Tenant: {TENANT}", "--timeout", "3"]
CLIENT = f"""
import json, os, sys, urllib.request
url = os.environ["GEMINI_BASE_URL"] + "/v1beta/interactions"
def send(headers, **more):
    body = json.dumps({{"model": "gemini-3.5-flash", "input": "hi", **more}}).encode()
    request = urllib.request.Request(url, body, {{"content-type": "application/json", **headers}})
    return urllib.request.urlopen(request).read()
send({{"x-goog-api-key": "another-0123456789"}})
send({{"x-goog-api-key": "another-0123456789"}}, stream=True)
send({{"x-goog-api-key": sys.argv[1], "x-tenant-secret": "{TENANT}"}})
"""
"""The first two requests carry another key: their answers quote one that nothing has named yet."""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The server that repeats keys."""
    with ServerThread(Repeats()) as server:
        yield server.url


def test_there_are_sixty_places() -> None:
    """The answers repeat the key in as many places as the tests of this file claim."""
    assert len(repeat(KEY)) + 9 + 11 >= 60


@pytest.mark.parametrize(
    "words",
    [
        ["check", "URL", *TARGET, *REPORTS, "-c", "create.*", "-c", "err.*", "-v"],
        ["check", "URL", *TARGET, "--json", "-c", "stream.*"],
        ["smoke", "URL", *TARGET],
        ["smoke", "URL", *TARGET, "--json"],
        ["fuzz", "URL", *TARGET, *REPORTS, "-e", "laws", "--max-examples", "3", "--store", "st", "-o", "out"],
    ],
    ids=lambda words: " ".join(words[:1] + words[-1:]),
)
def test_judges(harness: Harness, url: str, words: list[str], tmp_path: Path) -> None:
    """Neither a judge's screen nor its reports, nor its stored failures, show what the target repeats."""
    done = harness(*((word == "URL" and url) or word for word in words), "--api-key", KEY)
    assert done.code in (0, 1)
    assert leaks(done.out, done.err, folder=tmp_path) == []


@pytest.mark.parametrize("known", [True, False], ids=["known from the start", "learned late"])
def test_recordings(
    harness: Harness, url: str, tmp_path: Path, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A recording of a client, and all that is said about it, is free of the key; `verify --secrets` agrees."""
    if known:
        monkeypatch.setenv("GOOGLE_API_KEY", KEY)
    program = tmp_path.parent / "client.py"
    program.write_text(CLIENT)
    texts: list[str] = []
    for words in (
        ["record", "--target", url, "--cassette", "a.yaml", "--", sys.executable, str(program), KEY],
        ["record", "--target", url, "--cassette", "b.yaml", "--json", "--", sys.executable, str(program), KEY],
        ["verify", "a.yaml", *REPORTS],
        ["verify", "a.yaml", "--json"],
        ["diff", "a.yaml", "b.yaml"],
        ["replay", "a.yaml", "--", sys.executable, str(program), KEY],
    ):
        done = harness(*words)
        texts += [done.out, done.err]
    assert "REDACTED-1" in Path("a.yaml").read_text("utf-8")
    assert leaks(*texts, folder=tmp_path) == []
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    done = harness("verify", "--secrets", "a.yaml", "b.yaml")
    assert (done.code, done.out) == (0, "looked into 2 files: 0 possible secrets\n")


def test_the_gate_finds_what_a_recorder_would_remove(harness: Harness, url: str) -> None:
    """In a recording without redaction `verify --secrets` finds the user's key in every spelling."""
    program = Path("client.py")
    program.write_text(CLIENT)
    command = ["--", sys.executable, str(program), KEY]
    harness("record", "--target", url, "--cassette", "a.yaml", "--no-redaction", *command)
    raw = harness("verify", "--secrets", "a.yaml").out
    assert leaks(raw, folder=Path("none")) == []
    missed = [place for place in repeat(KEY) if place.startswith("as ") and f"echo.{place}" not in raw]
    assert int(raw.split(":")[-1].split()[0]) > 2 * len(repeat(KEY)), missed
