"""A known value and the shape of a key are found in any text, as they are and as one encoding writes them."""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from functools import partial
from urllib.parse import quote, quote_plus

import pytest

from harness.contract import PROTOCOL
from harness.wire import secret_finder
from harness.wire.secret_finder import (
    SecretFinder,
    apply_edits,
    apply_to_bytes,
    bytes_of,
    decode_literal,
    text_of,
    values,
)
from harness.wire.secrets import SecretFields
from tests.in_one_test import in_one_test

KNOWN = "k3y/with+all=0f1e2d3c"
SHAPES = (
    "AIzaSyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY",
    "AQ.Ab8RN6" + "k" * 30,
    "ya29." + "a0Af" * 8,
    "sk-proj-" + "1a" * 20,
    "ghp_" + "A1b2" * 9,
    "AKIAABCDEFGH12345678",
    "xoxb-123456789012-abcdef",
    "hf_" + "aB3" * 12,
    "eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSMeK",
    "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "npm_" + "aB3x" * 9,
    "GOCSPX-" + "x1" * 14,
    "glpat-" + "aB3x" * 5,
    "sk_live_" + "4eC39HqLyjWDarjt",
    "pypi-AgEIcHlwaS5vcmc" + "aB3x" * 10,
)
ENCODINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "percent": lambda text: quote(text, safe=""),
    "percent in lower case": lambda text: quote(text, safe="").replace("%2F", "%2f"),
    "form": quote_plus,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON with slashes": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "base64": lambda text: b64encode(text.encode()).decode(),
    "base64 for URLs": lambda text: urlsafe_b64encode(text.encode()).decode(),
}


def hide_with(finder: SecretFinder, text: str) -> str:
    """The text without what the finder finds in its bytes."""
    return text_of(apply_to_bytes(bytes_of(text), finder.in_document(bytes_of(text))))


def hide(text: str, **more: object) -> str:
    """The text without its secrets."""
    finder = SecretFinder(SecretFields(), lambda _: "***", secrets=[KNOWN], **more)
    return hide_with(finder, text)


@in_one_test(encoding=ENCODINGS, secret=[KNOWN, *SHAPES], before=["", "\n", "a: ", "user:"])
def test_each_encoding(encoding: str, secret: str, before: str) -> None:
    """At whatever place of what is encoded the secret begins, no six characters of it are left."""
    encode = ENCODINGS[encoding]
    written = encode(f"{before}{secret} and more")
    secrets = encode(secret)
    if encoding.startswith("base64"):
        secrets = written[len(encode(before)) + 4 : len(secrets) - 8]
    shown = hide(f"x {written} y")
    assert "***" in shown
    assert "***" in hide(encode(f"{before}{secret}"))
    assert not any(secrets[at : at + 6] in shown for at in range(len(secrets) - 5))
    assert (shown[:2], shown[-2:]) == ("x ", " y")


def test_what_other_writers_of_json_escape() -> None:
    """.NET writes a plus as `\\u002B`."""
    assert hide(json.dumps({"note": f"see {KNOWN}"}).replace("+", "\\u002B")) == '{"note": "see ***"}'


def test_the_longest_of_several_secrets_is_replaced() -> None:
    """If one secret contains another, in whichever order they came."""
    finder = SecretFinder(
        SecretFields(), "<{}>".format, secrets=["a-long-secret", "a-long-secret-indeed", "secret"]
    )
    text = "x a-long-secret-indeed y hook.secret-once secret"
    assert apply_edits(text, finder.in_text(text)) == "x <a-long-secret-indeed> y hook.secret-once <secret>"


def test_the_user_names_patterns_and_names() -> None:
    """What no table knows is hidden for whoever says how it looks or what it is called."""
    fields = SecretFields().having(["X-Tenant", "account_number"], [r"acct-\d+"])
    finder = SecretFinder(fields, lambda _: "***")
    text = '{"account_number": 12, "tenant": "t", "note": "of acct-17, /x?x_tenant=abcdef"}'
    assert hide_with(finder, text) == ('{"account_number": 0, "tenant": "t", "note": "of ***, /x?x_tenant=***"}')
    assert fields.names_header("x-tenant")


TREE = '{"a": [1, {"b": "x\\n"}], "c": {"": -2.5e3, "d": [["y"]]}, "e": null}'


def test_the_places_of_values() -> None:
    """Each scalar has the names above it, and "" for an object or a list inside a list."""
    assert [(value.path, TREE[value.start : value.end]) for value in values(TREE.encode(), ["top"])] == [
        (("top", "", "a"), "1"),
        (("top", "", "a", "", "b"), '"x\\n"'),
        (("top", "", "c", ""), "-2.5e3"),
        (("top", "", "c", "d", ""), '"y"'),
        (("top", "", "e"), "null"),
    ]


@in_one_test(cut=range(1, len(TREE)))
def test_a_json_text_that_was_cut(cut: int) -> None:
    """The values before the cut have the same places, and of a string that is cut the beginning is a value."""
    whole, part = list(values(TREE.encode())), list(values(TREE.encode()[:cut]))
    closed = [value for value in part if value.closed and value.end < cut]
    assert closed == whole[: len(closed)]
    texts = [decode_literal(TREE[v.start : v.end], closed=v.closed) for v in part if v.is_string]
    assert set(texts) <= {"", "x", "x\n", "y"}


def write_events(text: str, size: int) -> str:
    """A stream that has the text in pieces of this size."""
    parts = [text[at : at + size] for at in range(0, len(text), size)]
    deltas = [{"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": part}} for part in parts]
    return "".join(f"event: step.delta\ndata: {json.dumps(delta)}\n\n" for delta in deltas)


LETTERS = "ab é "
FORMS: dict[str, Callable[[str], str]] = {
    "text": str,
    "JSON": lambda text: json.dumps([{"note": text, "password": text[:9]}] * 2, ensure_ascii=False),
    "events of 3": lambda text: write_events(text, 3),
    "events of 50": lambda text: write_events(text, 50),
    "one event": lambda text: write_events(text, 9999),
}


@in_one_test(form=FORMS, before=[*range(0, 70, 9), 300, 1000])
def test_a_long_body_is_searched_in_steps(form: str, before: int) -> None:
    """The result is that of a search at once, wherever a step ends; nothing is replaced twice."""
    text = LETTERS * (before // 5) + LETTERS[: before % 5] + f"{KNOWN} x {SHAPES[0]} y {SHAPES[-1]}" + LETTERS * 60
    data = FORMS[form](text * 2).encode()
    results = []
    for step, around in ((2**20, 2**16), (16, 160)):
        finder = SecretFinder(SecretFields(), lambda _: "***", secrets=[KNOWN])
        find = finder.in_document if form in ("text", "JSON") else partial(finder.in_stream, protocol=PROTOCOL)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(secret_finder, "STEP", step)
            patch.setattr(secret_finder, "_AROUND", around)
            results.append(apply_to_bytes(data, find(data)))
    assert results[0] == results[1] != data
    assert results[0].count(b"***") >= 6
