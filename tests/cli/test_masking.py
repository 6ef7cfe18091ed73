"""Tests of what commands print besides their reports: it never contains a key, whatever repeats the key."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Harness

KEY = "zq4/canary+0123456789abcdef"
BEARER = "zq5canary0123456789abcdefgh"
LOOKS = "sk-canary0123456789abcdefghijkl"


@pytest.mark.parametrize(
    "words",
    [
        ("check", f"https://host.example/v1beta?key={BEARER}"),
        ("check", f"ftp://me:{BEARER}@host.example"),
        ("record", "--target", f"http://me:{BEARER}@127.0.0.1:9", "--cassette", "a.yaml"),
        ("check", "emulator", "-H", f"Authorization {BEARER}"),
        ("check", "emulator", "-H", f"X Token: {BEARER}"),
        ("check", "emulator", "-H", BEARER),
    ],
)
def test_a_mistake_does_not_print_the_key(harness: Harness, words: tuple[str, ...]) -> None:
    """An error message about a wrong URL or header shows no secret in it."""
    done = harness(*words)
    assert done.code == 2
    assert BEARER not in done.out + done.err


def test_a_bug_of_ours(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """The traceback of a bug of ours does not show the key."""
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setattr("harness.cli.commands.check._read_selection", _fails)
    done = harness("check", "emulator")
    assert done.code == 5
    assert "RuntimeError: with ***" in done.err
    assert KEY not in done.err


def _fails(*_: object) -> None:
    raise RuntimeError(f"with {KEY}")


def test_recordings_of_another_recorder(harness: Harness) -> None:
    """`diff` shows no key from recordings whose recorder did not redact it."""
    for name, key in (("a.yaml", LOOKS), ("b.yaml", f"{LOOKS}x")):
        Path(name).write_text(_PLAIN.format(key=key))
    for words in (("diff", "a.yaml", "b.yaml"), ("diff", "a.yaml", "b.yaml", "--json")):
        done = harness(*words)
        assert LOOKS not in done.out + done.err
        assert "***" in done.out


_PLAIN = """\
version: 1
interactions:
- request: {{method: GET, uri: 'http://h/v1beta/interactions/v1_a', body: null, headers: {{}}}}
  response:
    status: {{code: 200, message: OK}}
    headers: {{content-type: [application/json]}}
    body: {{string: '{{"id": "v1_a", "note": "{key}"}}'}}
"""


def test_a_file_that_is_named_like_the_key(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that names a file shows no key of the environment in its name."""
    monkeypatch.setenv("GEMINI_API_KEY", BEARER)
    words = ("record", "--target", "http://127.0.0.1:1", "--cassette", f"{BEARER}.yaml", "--port", "0")
    done = harness(*words, "--", "true")
    assert "***.yaml was not written" in done.out + done.err
    assert BEARER not in done.out + done.err
