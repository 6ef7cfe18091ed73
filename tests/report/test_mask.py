"""Claims about secrets: known ones vanish everywhere, others where they look like one, ordinary text stays."""

from __future__ import annotations

import pytest

from harness.report.mask import HIDDEN, Mask

MASK = Mask({"KEY": "the-secret", "LONGER": "the-secret-two", "TINY": "ab"}, {"new_signing_secret"})


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("a the-secret b", f"a {HIDDEN} b"),
        ("the-secret-two", HIDDEN),
        ("crab", "crab"),
        ("/x?key=abc&y=1", f"/x?key={HIDDEN}&y=1"),
        ('{"new_signing_secret": "whsec_\\"x"}', f'{{"new_signing_secret": "{HIDDEN}"}}'),
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
