"""The secrets in a header are extracted whole and in parts, and every way to write a secret is known."""

from __future__ import annotations

from base64 import b64encode

import pytest

from harness.wire.secret_texts import cores, secrets_in_header, spellings, unescape

BASIC = b64encode(b"user:pass:word").decode()


@pytest.mark.parametrize(
    ("name", "value", "secrets"),
    [
        ("x-goog-api-key", "k", ["k"]),
        ("Authorization", "Bearer t", ["t"]),
        ("authorization", f"basic  {BASIC}", [BASIC, "pass:word"]),
        ("Authorization", "Basic ###", ["###", ""]),
        ("Authorization", "Digest a=1, b=2", ["Digest a=1, b=2", "a=1, b=2"]),
        ("Cookie", "a=1; b=2", ["a=1; b=2", "1", "2"]),
        ("Set-Cookie", "a=1; Path=/", ["a=1; Path=/", "1"]),
    ],
)
def test_what_a_header_holds(name: str, value: str, secrets: list[str]) -> None:
    """A header yields its value without the auth scheme, then the password, each cookie or what follows a word."""
    assert secrets_in_header(name, value) == secrets


def test_every_spelling_of_a_secret() -> None:
    """A secret is generated as it is in URLs, with escaped slashes, in HTML and in hex."""
    assert {"a/b+c=", "a%2Fb%2Bc%3D", "a/b%2Bc%3D", r"a\/b+c="} <= set(spellings("a/b+c="))
    assert {"k&amp;0123456", "6b2630313233343536", "%6b%26%30%31%32%33%34%35%36"} <= set(spellings("k&0123456"))


@pytest.mark.parametrize("before", ["", "u", "u:", "u:v", "user:"])
def test_base64_shows_a_core(before: str) -> None:
    """Wherever a secret starts within base64-encoded text, one of its cores appears in the result."""
    packed = b64encode(f"{before}canary-0123456789{before}".encode()).decode()
    assert any(core in packed for core in cores("canary-0123456789", nested=False))
    for around in ("", "x", "xy", "xyz"):
        twice = b64encode(f"{around}{packed}{around}".encode()).decode()
        assert any(core in twice for core in cores("canary-0123456789"))


@pytest.mark.parametrize(
    "text", [r"\u0061\u002Fb", r"\\u0061/b", r"a\/b", "%61%2Fb", "a%2fb", "a%252Fb", "&#97;/b", "a&#x2F;b"]
)
def test_escapes_are_undone(text: str) -> None:
    """JSON escapes, percent-encoding and HTML entities are undone, doubled ones included."""
    assert unescape(text) == "a/b"
