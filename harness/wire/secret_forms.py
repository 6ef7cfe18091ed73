"""How one secret may be written: in URLs, in JSON, inside base64, and in the headers that carry it. Layer 0, pure.

To hide a known secret, look for all of these. What an unknown secret looks like is defined in `secrets`.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Iterator
from urllib.parse import quote, quote_plus, unquote

SCHEME = re.compile(r"(?i:bearer|basic|token)\s+")
"""The name of an authorisation scheme in front of its secret."""

_SHORTEST_CORE = 8
"""Fewest characters of base64 that are looked for."""

_ESCAPE = re.compile("%[0-9A-F]{2}")
_JSON_ESCAPE = re.compile(r"(?<!\\)\\+u00([2-7][0-9A-Fa-f])")
_SLASH = re.compile(r"(?<!\\)\\+/")
"""Both match only where a run of backslashes begins: tried at each of its characters, a long run takes minutes."""


def spellings(secret: str) -> Iterator[str]:
    """A secret unchanged, and as it is written in URLs, forms and JSON; some of these may be equal."""
    yield secret
    literal = json.dumps(secret)[1:-1]
    yield literal
    yield literal.replace("/", r"\/")
    for quoted in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield quoted
        yield _ESCAPE.sub(lambda escape: escape[0].lower(), quoted)


def cores(secret: str) -> Iterator[str]:
    """The base64 characters that depend on the secret alone, whatever is encoded before and after it."""
    data = secret.encode("utf-8", "surrogatepass")
    for before, start in enumerate((0, 2, 3)):
        end = (before + len(data)) // 3 * 4
        for encode in (b64encode, urlsafe_b64encode):
            core = encode(b"\0" * before + data)[start:end].decode("ascii")
            if len(core) >= _SHORTEST_CORE:
                yield core


def unescape(text: str) -> str:
    """Decode the JSON and URL escapes in a text that may hide printable ASCII characters."""
    text = _SLASH.sub("/", _JSON_ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text))
    return unquote(text) if "%" in text else text


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
        found.append(_password(main))
    elif not scheme and " " in value:
        found.append(value.partition(" ")[2].strip())  # of a scheme that is not listed
    return found


def _password(credentials: str) -> str:
    """The part after the colon of `user:password` in base64; "" if it is not that."""
    try:
        return b64decode(credentials, validate=True).decode("utf-8").partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
