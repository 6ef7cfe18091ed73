"""Masking hides known secrets everywhere and unknown ones by their look, and leaves ordinary text alone."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import quote

import pytest

from harness.wire import Headers, Request
from harness.wire.mask import HIDDEN, Mask
from harness.wire.secrets import SecretFields
from tests.cli.canary import spell
from tests.growth import TIMES, assert_linear
from tests.in_one_test import in_one_test

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
    """The longest known secret is hidden first, then what looks like one; very short keys are ignored."""
    assert MASK.text(text) == masked


def test_what_is_shown_is_masked_and_paints_nothing() -> None:
    """A text for a terminal has neither a secret nor a control character; its lines stay lines."""
    assert MASK.show("one the-secret\r\n\ttwo \x1b[2J\x07\u202e") == f"one {HIDDEN}\n\ttwo \\x1b[2J\\x07\\u202e"


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
    """Whether a header is secret depends on its name, not on its value."""
    assert (MASK.header(name, "ab") == HIDDEN) is secret


def test_trees() -> None:
    """Every string in a JSON-like value is masked; other values stay as they are."""
    assert MASK.tree({"a": ["the-secret", 1, None]}) == {"a": [HIDDEN, 1, None]}


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
KEYED = Mask({"KEY": KEY, "WORDS": "harness-primary-key"}, FIELDS)
NEVER_KEPT = Request("GET", "/")
"""The masked form of the body of a request is not kept, so that each look at one costs the whole."""


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"/x?next={quote(KEY, safe='')}", f"/x?next={HIDDEN}"),
        (f"a {KEY.upper()}", f"a {HIDDEN}"),
        (r'{"a": "k3y\/with+all=0f1e2d3c"}', f'{{"a": "{HIDDEN}"}}'),
        ("".join(f"\\u{ord(c):04x}" for c in KEY), HIDDEN),
        ("".join(f"%{ord(c):02X}" for c in f"<{KEY}>"), f"%3C{HIDDEN}%3E"),
        (f"said 'no k3y/with+all…' and {KEY[:9]}", f"said 'no {HIDDEN}…' and {HIDDEN}"),
        (f'{{"text": "{KEY[9:]}", "b": 1}}', f'{{"text": "{HIDDEN}", "b": 1}}'),
        ("k3y/with care", "k3y/with care"),
        ("harness", "harness"),
        ("'harness-wrong-key'", "'harness-wrong-key'"),
        (r"100%25 \/ \u0041", r"100%25 \/ \u0041"),
    ],
)
def test_spellings(text: str, masked: str) -> None:
    """A known key is hidden in any escaping and even when truncated; an ordinary word never is."""
    assert KEYED.text(text) == masked


@in_one_test(name=spell(KEY), end=["", "…' is no status", "...", '", which is cut', "')", "</p>"])
def test_a_text_that_was_cut_inside_the_key(name: str, end: str) -> None:
    """Wherever a text was cut inside a key, in any spelling, both parts of the key are hidden."""
    spelled = spell(KEY)[name]
    for left in range(len(spelled) // 2, len(spelled)):
        head, tail = spelled[:left], spelled[-left:]
        assert head[-14:-6] not in KEYED.text(f'{{"id": 1, "x":"{head}{end}')
        assert tail[8:16] not in KEYED.text(f"{end[::-1]}{tail} and 1")


def test_base64_hides_the_key() -> None:
    """A key inside base64, as in a Basic header, is hidden although it does not appear literally."""
    packed = b64encode(f"user:{KEY}".encode()).decode()
    assert packed[8:24] not in KEYED.text(f"Basic-{packed}")
    twice = b64encode(f"data:{packed}".encode()).decode()
    assert twice[20:32] not in KEYED.text(f"x {twice}")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("/x?api-key=ab&a=1", f"/x?api-key={HIDDEN}&a=1"),
        ("/x?X-Goog-Api-Key=ab", f"/x?X-Goog-Api-Key={HIDDEN}"),
        ("https://a/b#access_token=ab", f"https://a/b#access_token={HIDDEN}"),
        ("/x?pageToken=ab;monkey=b", "/x?pageToken=ab;monkey=b"),
    ],
)
def test_parameters(text: str, masked: str) -> None:
    """A query or fragment parameter is secret by its name, ignoring case and hyphens."""
    assert MASK.text(text) == masked


def test_forms() -> None:
    """The first parameter of a form body is hidden too, although no `?` or `&` precedes it."""
    form = Request("POST", "/token", Headers([("content-type", "application/x-www-form-urlencoded")]))
    assert MASK.text("client_secret=ab&a=1", form) == f"client_secret={HIDDEN}&a=1"


def test_names_of_members() -> None:
    """A secret used as the name of a JSON member is hidden."""
    assert MASK.tree({"the-secret": 1}) == {HIDDEN: 1}


@pytest.mark.parametrize(
    "text",
    [
        "k3y/wi" * 50_000,
        "\\u0061" * 50_000,
        "%61" * 50_000,
        "&key=" * 50_000,
        "…'" * 90_000,
        "\\" * 400_000,
        '{"text": "' + "\\" * 400_000,
        '{"error": {"message": "' + "\\\\" * 200_000 + '"}}',
        "\\/" * 100_000,
        "\\u00" * 80_000,
        '\\"' * 100_000,
    ],
    ids=lambda text: f"{text[:12]!r}",
)
def test_long_texts_cost_what_they_are_long(text: str) -> None:
    """Masking takes time proportional to the length of the text."""
    assert_linear(lambda: KEYED.text(text[: len(text) // TIMES], NEVER_KEPT), lambda: KEYED.text(text, NEVER_KEPT))


@pytest.mark.parametrize("text", ["session-token-01 ", "session-token-010101-abcdef, 'session-token-01…' "])
def test_many_secrets_cost_what_one_does(text: str) -> None:
    """A text with as many more characters as there are more secrets takes only so much longer to mask."""
    few, many = (
        Mask({str(n): f"session-token-{n:06d}-abcdef{n}" for n in range(number)}) for number in (100, 100 * TIMES)
    )
    assert_linear(lambda: few.text(text * 200, NEVER_KEPT), lambda: many.text(text * 200 * TIMES, NEVER_KEPT))


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


def test_a_text_is_masked_once(monkeypatch):
    """Reports repeat texts. A secret more makes each text be masked again, and memory stays bounded."""
    mask, searched = Mask({"KEY": KEY}), list[str]()
    hide_known = Mask.hide_known
    monkeypatch.setattr(Mask, "hide_known", lambda mask, text: searched.append(text) or hide_known(mask, text))
    assert [mask.text(f"<{KEY}>") for _ in range(3)] == [f"<{HIDDEN}>"] * 3
    assert searched == [f"<{KEY}>"]
    later = KEY[::-1]
    assert mask.text(f"<{later}>") == f"<{later}>"
    mask.learn(Request("GET", "/", Headers([("x-goog-api-key", later)])))
    assert (mask.text(f"<{later}>"), mask.text(f"<{KEY}>")) == (f"<{HIDDEN}>", f"<{HIDDEN}>")
    for number in range(1000):
        mask.text(f"{number:5}" * 2000)
    assert sum(map(len, mask._kept)) <= 4 * 1024 * 1024
