"""Masking hides known secrets everywhere and unknown ones by their look, and leaves ordinary text alone."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import SplitResult

import pytest

from harness.wire import Headers, Request
from harness.wire.mask import HIDDEN, Mask
from harness.wire.secrets import SecretFields

FIELDS = SecretFields({"token"}, inside={"env": None, "credentials": {"value"}}, spared={"credential"})
MASK = Mask({"KEY": "the-secret", "LONGER": "the-secret-two", "TINY": "ab"}, FIELDS)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("a the-secret b", f"a {HIDDEN} b"),
        ("the-secret-two", HIDDEN),
        ("crab", "crab"),
        ("/x?key=abc&y=1", f"/x?key={HIDDEN}&y=1"),
        ('{"new_signing_secret": "whsec_\\"x"}', f'{{"new_signing_secret": "{HIDDEN}"}}'),
        (
            '{"env": {"A": "hm"}, "headers": {"X-Session": "b"}}',
            '{"env": {"A": "***"}, "headers": {"X-Session": "***"}}',
        ),
        (
            '[{"name": "API_TOKEN", "value": "hm"}, {"token": "h',
            '[{"name": "API_TOKEN", "value": "***"}, {"token": "***',
        ),
        ("AIza" + "x" * 35, HIDDEN),
        ("Bearer abcdefg9.ijk", f"Bearer {HIDDEN}"),
        ("Bearer authentication is missing", "Bearer authentication is missing"),
        ("ask sk-0123456789abcdefghijklmno, or AKIAABCDEFGHIJKLMNOP", f"ask {HIDDEN}, or {HIDDEN}"),
        (
            "?sig=abc#x https://u:pw0@h/?token=sk-0123456789abcdefghijkl",
            f"?sig={HIDDEN}#x https://u:{HIDDEN}@h/?token={HIDDEN}",
        ),
        ("http://10.1.2.3:8000/v1beta", "http://10.1.2.3:8000/v1beta"),
        ("monkey=banana", "monkey=banana"),
    ],
)
def test_text(text: str, masked: str) -> None:
    """The longest known secret is hidden first, then what looks like one; very short keys are ignored."""
    assert MASK.text(text) == masked
    assert MASK.tree([SplitResult(text, *"abcd"), [text]]) == [(masked, *"abcd"), [masked]]


def test_what_is_shown_is_masked_and_paints_nothing() -> None:
    """A text for a terminal has neither a secret nor a control character; its lines stay lines."""
    assert MASK.show("one the-secret\r\n\ttwo \x1b[2J\x07\u202e") == f"one {HIDDEN}\n\ttwo \\x1b[2J\\x07\\u202e"


BODIES = (
    ({"env": {"A": "hm", "B": {"credential": "c1"}}}, {"env": {"A": HIDDEN, "B": {"credential": "c1"}}}),
    ({"value": "hm", "a": [{"token": 12}]}, {"value": "hm", "a": [{"token": HIDDEN}]}),
    ({"secret": ["a", None], "b": "the-secret"}, {"secret": [HIDDEN, None], "b": HIDDEN}),
)


@pytest.mark.parametrize(("body", "masked"), BODIES)
def test_bodies(body: object, masked: object) -> None:
    """A field that is secret by its place is hidden entirely; a field that only refers to a secret is kept."""
    assert MASK.body(body, Request("POST", "/v1/interactions")) == masked


def test_where_a_body_stands() -> None:
    """A body sent to a collection of credentials is treated as a credential."""
    assert MASK.body({"value": "hm", "id": "c1"}, Request("POST", "/v1/credentials")) == {
        "value": HIDDEN,
        "id": "c1",
    }


KEY = "k3y/with+all=0f1e2d3c"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (b64encode(f"user:{KEY}:".encode()).decode(), f"dXNlcjp{HIDDEN}M6"),
        ("k3y/with care", "k3y/with care"),
        ("harness", "harness"),
        ("'harness-wrong-key'", "'harness-wrong-key'"),
        (r"100%25 \/ \u0041", r"100%25 \/ \u0041"),
        ("/x?pageToken=ab;monkey=b", "/x?pageToken=ab;monkey=b"),
    ],
)
def test_spellings(text: str, masked: str) -> None:
    """A known key is hidden as one encoding writes it; an ordinary word never is."""
    assert Mask({"KEY": KEY, "WORDS": "harness-primary-key"}, FIELDS).text(text) == masked


def test_forms() -> None:
    """The first parameter of a form body is hidden too, although no `?` or `&` precedes it."""
    form = Request("POST", "/token", Headers([("content-type", "application/x-www-form-urlencoded")]))
    assert MASK.text("client_secret=ab&a=1", form) == f"client_secret={HIDDEN}&a=1"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("hook.secret-once", "hook.secret-once"),
        ("secret.hidden, cred.secret", "secret.hidden, cred.secret"),
        ("secretary secret_name", "secretary secret_name"),
        ("-H 'x-goog-api-key: secret'", f"-H 'x-goog-api-key: {HIDDEN}'"),
        ('{"key": "Secret"} said so: secret.', f'{{"key": "{HIDDEN}"}} said so: {HIDDEN}.'),
        ("/x?k=secret&a=1", f"/x?k={HIDDEN}&a=1"),
    ],
)
def test_a_key_that_is_a_word(text: str, masked: str) -> None:
    """A key that is a plain word is hidden where it stands alone; names of which it is a part stay whole."""
    assert Mask({"KEY": "secret"}, FIELDS).text(text) == masked
