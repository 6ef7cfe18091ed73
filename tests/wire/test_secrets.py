"""Claims about the looks of secrets: ordinary text and placeholders have none, what opens something has one."""

from __future__ import annotations

import pytest

from harness.wire.secrets import CREDENTIALS, is_secret_header, sightings

INNOCENT = (
    "AIza",
    "the bearer of this letter",
    "Bearer authentication",
    "Bearer realm=example",
    "Bearer <your token here please>",
    "task-force-of-the-year-2024-and-later",
    "sk-learn",
    "key=value",
    "?key=abc",
    "?key=REDACTED-1",
    "?key=${GEMINI_API_KEY}",
    "monkey=banana-split-12345",
    "max_output_tokens=123456789012",
    "total_tokens: 1234567890",
    "password: ****",
    "api_key = os.environ['X']",
    "http://localhost:8080/v1",
    "http://127.0.0.1/x?a=b",
    "https://example.com/10.0.0.1",
    "https://10.example.com/",
    "v1_REDACTED_1",
    "signature_REDACTED_1",
)


@pytest.mark.parametrize("text", INNOCENT)
def test_innocent(text: str) -> None:
    """Ordinary text, placeholders and loopback addresses are no secrets."""
    assert list(sightings(text)) == []


GUILTY = (
    ("https://u:pa55@host/x", "pa55"),
    ("http://10.1.2.3:80/x", "10.1.2.3"),
    ("http://192.168.0.7", "192.168.0.7"),
    ("https://me:x@172.20.1.1/", "172.20.1.1"),
    ("https://db.corp.internal/", "db.corp.internal"),
    ("https://a.b/c?X-Goog-Signature=abcdef0123", "abcdef0123"),
    ("a&access_token=abcdefgh", "abcdefgh"),
    ("Authorization: Bearer abcdefg9.ijk", "abcdefg9.ijk"),
    ("client_secret: 'abc123def456ghi'", "abc123def456ghi"),
)


@pytest.mark.parametrize(("text", "secret"), GUILTY)
def test_guilty(text: str, secret: str) -> None:
    """Credentials in URLs, private hosts and named secrets are seen, and exactly they."""
    assert secret in {text[seen.start : seen.end] for seen in sightings(text)}


HEADERS = (
    ("authorization", True),
    ("x-goog-api-key", True),
    ("Proxy-Authorization", True),
    ("set-cookie", True),
    ("x-auth-token", True),
    ("x-ratelimit-remaining-tokens", False),
    ("www-authenticate", False),
    ("content-type", False),
)


@pytest.mark.parametrize(("name", "secret"), HEADERS)
def test_header_names(name: str, secret: bool) -> None:
    """A header is a secret by its name, a limit on tokens is not."""
    assert is_secret_header(name) == secret


@pytest.mark.parametrize("text", ["http://10.1.2.3:80/x", "https://db.corp.internal/"])
def test_private_places_are_no_credentials(text: str) -> None:
    """Where a server stands is kept out of shared files and may be shown on a screen."""
    assert list(sightings(text))
    assert not list(sightings(text, CREDENTIALS))
