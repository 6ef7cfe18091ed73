"""Names and shapes tell a credential from ordinary text, and placeholders are none."""

from __future__ import annotations

from base64 import b64encode

import pytest

from harness.wire.secret_finder import SecretFinder
from harness.wire.secrets import (
    CREDENTIAL_NAMES,
    SecretFields,
    is_secret_header,
    is_secret_name,
    is_secret_parameter,
    secrets_in_header,
)
from tests.in_one_test import in_one_test


def find_secrets(text: str, *, for_files: bool = True) -> set[str]:
    """The parts of a text that would be hidden."""
    finder = SecretFinder(SecretFields(), lambda _: "***", for_files=for_files)
    return {text[edit.start : edit.end] for edit in finder.in_text(text)}


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
    "https://username@host.de/v1",
    "ssh://git@host.de/v1beta2",
    "docker run -u 1000:1000 -u root:wheel",
    "git push -u origin:refs/heads/x",
    "cookie: no",
    "the credentials: 12 of them",
    'form-data; name="file"; filename="key.pem"\r\n\r\nhm',
)


@in_one_test(text=INNOCENT)
def test_innocent(text: str) -> None:
    """Ordinary text, placeholders and loopback addresses are not reported as secrets."""
    assert find_secrets(text) == set()


PRIVATE_KEY = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----"
GUILTY = (
    ("https://u:pa55@host/x", "pa55"),
    ("see 1//0gaB3x_-aB3x_-aB3x_-aB3x_-aB3x_-", "1//0gaB3x_-aB3x_-aB3x_-aB3x_-aB3x_-"),
    (PRIVATE_KEY, PRIVATE_KEY),
    ("http://10.1.2.3:80/x", "10.1.2.3"),
    ("http://192.168.0.7", "192.168.0.7"),
    ("https://me:x@172.20.1.1/", "172.20.1.1"),
    ("https://db.corp.internal/", "db.corp.internal"),
    ("https://a.b/c?X-Goog-Signature=abcdef0123", "abcdef0123"),
    ("a&access_token=abcdefgh", "abcdefgh"),
    ("Authorization: Bearer abcdefg9.ijk", "abcdefg9.ijk"),
    ("client_secret: 'abc123def456ghi'", "abc123def456ghi"),
    ("export GEMINI_API_KEY=abc123def456ghi", "abc123def456ghi"),
    ("AWS_SECRET_ACCESS_KEY=wJa1r/K7MDENG", "wJa1r/K7MDENG"),
    ("refresh_token: abc123def456ghi", "abc123def456ghi"),
    ("https://0auth2token@host.de/x", "0auth2token"),
    ("/x;key=abcdefgh", "abcdefgh"),
    ("https://a.b/c#access-token=abcdefgh", "abcdefgh"),
    ("/x?api-key=abcdefgh", "abcdefgh"),
    (r"{\"a\":\"{\\\"api_key\\\": \\\"abcdefgh1jkl\\\"}\"}", "abcdefgh1jkl"),
    ("<a><password>Qx001mZ7kLp9vRt2</password></a>", "Qx001mZ7kLp9vRt2"),
    ('["Authorization: Qx001mZ7kLp9vRt2"]', "Qx001mZ7kLp9vRt2"),
    ("Authorization: Basic Qx001mZ7kLp9vRt2", "Qx001mZ7kLp9vRt2"),
    ("/x?user[password]=abcdefgh", "abcdefgh"),
    ('form-data; name="my_api_key"\r\nContent-Type: text/plain\r\n\r\nhm\r\n--B', "hm"),
)


@in_one_test(GUILTY)
def test_guilty(text: str, secret: str) -> None:
    """Credentials in URLs, private hosts and values of secret names are found with their exact span."""
    assert secret in find_secrets(text)


VALUE = "Qx001mZ7kLp9vRt2wYs8"
FORM_NAMES = ("name=api_key", 'name="user[password]"', 'filename="x"; name="db_credential"', 'name="key"')


@pytest.mark.parametrize("name", FORM_NAMES)
def test_the_field_of_a_form_in_parts(name: str) -> None:
    """The value of a field is found by its name, after whatever other headers of the part."""
    text = f"--B\r\nContent-Disposition: form-data; {name}\r\nA: b\r\n\r\n{VALUE}\r\n--B--\r\n"
    assert VALUE in find_secrets(text)


@in_one_test(name=CREDENTIAL_NAMES)
def test_every_reader_knows_every_name(name: str) -> None:
    """One table of names serves headers, parameters, members and texts, in each way to write them."""
    camel = "".join(word.capitalize() for word in name.split("_"))
    for spelled in (name, name.upper(), name.replace("_", "-"), f"my{camel}", f"db_{name}"):
        assert is_secret_name(spelled)
        assert SecretFields().covers(("a", spelled))
        assert is_secret_header(spelled)
        assert is_secret_parameter(spelled)
        assert find_secrets(f"/x?{spelled}={VALUE}")
    for text in (f"{name}={VALUE}", f"{name}: {VALUE}", f"<{name}>{VALUE}</{name}>", f'{{"{name}": "{VALUE}"}}'):
        assert VALUE in find_secrets(text)


PARAMETERS = (
    ("key", True), ("KEY", True), ("$key", True), ("key[]", True), ("keys", False), ("user[pwd]", True),
    ("a.token", True), ("auth_key", True), ("credential", True), ("jwt", True), ("session", True),
    ("page_token", False), ("max_tokens", False), ("pageKey", False), ("", False), ("[]", False),
)  # fmt: skip


@in_one_test(PARAMETERS)
def test_names_of_parameters(name: str, secret: bool) -> None:
    """A parameter may have a short name, in which other places have other things, and an index."""
    assert is_secret_parameter(name) == secret


HEADERS = (
    ("Key", True),
    ("Signature", True),
    ("webhook-signature", False),
    ("authorization", True),
    ("x-goog-api-key", True),
    ("Proxy-Authorization", True),
    ("set-cookie", True),
    ("x-auth-token", True),
    ("x-ratelimit-remaining-tokens", False),
    ("www-authenticate", False),
    ("access-control-allow-credentials", False),
    ("X-Session-Id", True),
    ("content-type", False),
    ("X_API_KEY", True),
    ("Ocp-Apim-Subscription-Key", True),
    ("X-Access-Key", True),
    ("x-jwt-assertion", True),
    ("X-Passphrase", True),
    ("idempotency-key", False),
    ("sec-websocket-key", False),
    ("x-cache-key", False),
)


@in_one_test(HEADERS)
def test_header_names(name: str, secret: bool) -> None:
    """A header is recognised as secret by its name; rate limits on tokens are not secret."""
    assert is_secret_header(name) == secret


NAMES = (
    ("api_key", True), ("GEMINI_API_KEY", True), ("X-Auth-Token", True), ("db_password", True),
    ("githubToken", True), ("total_tokens", False), ("next_page_token", False), ("token", False),
    ("continuation_token", False), ("secretary", False), ("passphrase", True), ("connectionString", True),
    ("GEMINI_KEY", True), ("MY_TOKEN", True), ("DB_PWD", True), ("PWD", False), ("OLDPWD", False),
    ("PUBLIC_KEY", False), ("DB_PRIMARY_KEY", False), ("cache_key", False), ("sort_token", False),
)  # fmt: skip


@in_one_test(NAMES)
def test_names_of_fields(name: str, secret: bool) -> None:
    """A field is recognised as secret by the end of its name; token counts and page tokens are not secret."""
    assert is_secret_name(name) == secret


FIELDS = SecretFields({"token"}, inside={"env": None, "headers": None, "box": {"value"}}, spared={"credential"})
PLACES = (
    (("token",), True), (("a", "", "Token"), True), (("token", "deep"), True), (("tokens",), False),
    (("db_password",), True), (("env",), False), (("env", "A"), True), (("env", "A", "value"), True),
    (("env", "A", "credential"), False), (("env", "CREDENTIAL"), True), (("env", "name"), True),
    (("env", "", "name"), False), (("env", "", "value"), True), (("headers", "X-Any"), True),
    (("headers", "Content-Type"), False), (("header", "X-Session"), True), (("header", "X-Any"), False),
    (("credential",), False), (("MY_TOKEN",), True),
    (("value",), False), (("box", "a", "value"), True), (("box", "a", "id"), False), ((), False),
)  # fmt: skip


@in_one_test(PLACES)
def test_places(path: tuple[str, ...], secret: bool) -> None:
    """A value is secret by its own name or by what contains it, unless it is a name or a reference."""
    assert FIELDS.covers(path) == secret


def test_where_a_body_stands() -> None:
    """Of the segments of a path, only those that can contain secrets are returned."""
    assert FIELDS.above(["v1", "box", "token"]) == ("box",)


BASIC = b64encode(b"user:pass:word").decode()


@pytest.mark.parametrize(
    ("name", "value", "secrets"),
    [
        ("x-goog-api-key", "k", ["k"]),
        ("Authorization", "Bearer t", ["t"]),
        ("authorization", f"basic  {BASIC}", [BASIC, "pass:word"]),
        ("Authorization", "Basic ###", ["###"]),
        ("Authorization", "Digest a=1, b=2", ["Digest a=1, b=2", "a=1, b=2"]),
        ("Cookie", "a=1; b=2", ["a=1; b=2", "1", "2"]),
        ("Set-Cookie", "a=1; Path=/", ["a=1; Path=/", "1"]),
    ],
)
def test_what_a_header_holds(name: str, value: str, secrets: list[str]) -> None:
    """A header yields its value without the auth scheme, then the password, each cookie or what follows a word."""
    assert secrets_in_header(name, value) == secrets


@pytest.mark.parametrize("text", ["http://10.1.2.3:80/x", "https://db.corp.internal/"])
def test_private_places_are_no_credentials(text: str) -> None:
    """A private host is kept out of shared files but may be shown on a screen."""
    assert find_secrets(text)
    assert not find_secrets(text, for_files=False)
