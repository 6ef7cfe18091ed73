"""Claims about secrets: known ones vanish everywhere, others where they look like one, ordinary text stays."""

from __future__ import annotations

import pytest

from harness.wire import Request
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
        ('it\'s 5" of "db_password": "x", "a": 1', f'it\'s 5" of "db_password": "{HIDDEN}", "a": 1'),
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
    """The longest known secret first, then what looks like one; a two-letter key does not eat words."""
    assert MASK.text(text) == masked


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("x-goog-api-key", True),
        ("Authorization", True),
        ("Set-Cookie", True),
        ("WWW-Authenticate", False),
        ("x-ratelimit-remaining-tokens", False),
        ("api-revision", False),
        ("Date", False),
    ],
)
def test_headers(name: str, secret: bool) -> None:
    """A header is secret by its name, whatever it holds."""
    assert (MASK.header(name, "ab") == HIDDEN) is secret


def test_trees() -> None:
    """Every string in plain data is masked, other values are not touched."""
    assert MASK.tree({"a": ["the-secret", 1, None]}) == {"a": [HIDDEN, 1, None]}


BODIES = (
    ({"env": {"A": "hm", "B": {"credential": "c1"}}}, {"env": {"A": HIDDEN, "B": {"credential": "c1"}}}),
    ({"value": "hm", "a": [{"token": 12}]}, {"value": "hm", "a": [{"token": HIDDEN}]}),
    ({"secret": ["a", None], "b": "the-secret"}, {"secret": [HIDDEN, None], "b": HIDDEN}),
)


@pytest.mark.parametrize(("body", "masked"), BODIES)
def test_bodies(body: object, masked: object) -> None:
    """What is a secret by its place in a body is hidden whole, what only refers to one is not."""
    assert MASK.body(body, Request("POST", "/v1/interactions")) == masked


def test_where_a_body_stands() -> None:
    """What is sent to a collection of credentials is one."""
    assert MASK.body({"value": "hm", "id": "c1"}, Request("POST", "/v1/credentials")) == {
        "value": HIDDEN,
        "id": "c1",
    }
