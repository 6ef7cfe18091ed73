"""How one secret may be written: in URLs, JSON, HTML, hex, base64, and the headers that carry it. Layer 0, pure.

To hide a known secret, look for all of these. What an unknown secret looks like is defined in `secrets`.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Iterator
from html import escape
from html import unescape as unescape_html
from urllib.parse import quote, quote_plus, unquote

from harness.wire.secrets.hints import parts_of

SCHEME = re.compile(r"(?i:bearer|basic|token)\s+")
"""The name of an authorisation scheme in front of its secret."""

_SHORTEST_CORE = 8
"""Fewest characters of base64 that are looked for."""

_NESTED = 3
"""How many times a text is unescaped: a URL in a parameter of a URL in HTML."""

_ESCAPED = re.compile(r"%[2-7][0-9A-Fa-f]|&(?:#\d{2,7}|#[xX][0-9A-Fa-f]{2,6}|amp|lt|gt|quot|apos);|\\u00[2-7]|\\/")
_JSON_ESCAPE = re.compile(r"(?<!\\)\\+u00([2-7][0-9A-Fa-f])")
_SLASH = re.compile(r"(?<!\\)\\+/")
"""Both match only where a run of backslashes begins: tried at each of its characters, a long run takes minutes."""


def spellings(secret: str) -> Iterator[str]:
    """A secret unchanged, and as it is written in URLs, forms, JSON, HTML and hex; some of these may be equal.

    Look for them without regard to case: names of headers lose it, and hex and escapes are written either way.
    """
    yield secret
    literal = json.dumps(secret)[1:-1]
    yield literal
    yield literal.replace("/", r"\/")
    yield from (quote(secret, safe=""), quote(secret), quote_plus(secret))
    yield from (escape(secret), escape(secret, quote=False))
    data = secret.encode("utf-8", "surrogatepass")
    if len(data) >= _SHORTEST_CORE:
        yield data.hex()
        yield "".join(f"%{byte:02x}" for byte in data)
        yield "".join(f"&#{ord(character)};" for character in secret)
        yield "".join(f"&#x{ord(character):x};" for character in secret)


def cores(secret: str) -> Iterator[str]:
    """The base64 characters that depend on the secret alone, whatever is encoded before and after it."""
    data = secret.encode("utf-8", "surrogatepass")
    for before, start in enumerate((0, 2, 3)):
        end = (before + len(data)) // 3 * 4
        for encode in (b64encode, urlsafe_b64encode):
            core = encode(b"\0" * before + data)[start:end].decode("ascii")
            if len(core) >= _SHORTEST_CORE:
                yield core


def is_escaped(text: str) -> bool:
    """Whether a text contains JSON, URL or HTML escapes that may hide printable ASCII characters."""
    if "%" not in text and "&" not in text and "\\" not in text:
        return False
    return any(_ESCAPED.search(part) is not None for _, part in parts_of(text))


def find_escapes(text: str) -> Iterator[int]:
    """Where such escapes are."""
    for at, part in parts_of(text):
        yield from (at + found.start() for found in _ESCAPED.finditer(part))


def unescape(text: str) -> str:
    """Decode the JSON, URL and HTML escapes in a text that may hide printable ASCII characters, also nested."""
    for _ in range(_NESTED):
        plain = _SLASH.sub("/", _JSON_ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text))
        plain = unquote(plain) if "%" in plain else plain
        plain = unescape_html(plain) if "&" in plain else plain
        if plain == text:
            break
        text = plain
    return text


def secrets_in_header(name: str, value: str) -> list[str]:
    """The secrets in the value of a secret header: the main one first, then parts that are secrets by themselves.

    For `Bearer x` that is `x`; for `Basic x` also the password in it; for cookies the whole value, then each one.
    """
    if "cookie" in name.lower():
        pairs = value.split(";")[: 1 if name.lower() == "set-cookie" else None]
        return [value, *(pair.partition("=")[2].strip() for pair in pairs)]
    scheme = SCHEME.match(value)
    main = value[scheme.end() :] if scheme else value
    found = [main]
    if scheme and scheme[0].strip().lower() == "basic":
        found.append(_find_password(main))
    elif not scheme and " " in value:
        found.append(value.partition(" ")[2].strip())  # of a scheme that is not listed
    return found


def _find_password(credentials: str) -> str:
    """The part after the colon of `user:password` in base64; "" if it is not that."""
    try:
        return b64decode(credentials, validate=True).decode("utf-8").partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
