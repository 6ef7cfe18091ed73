"""How one secret may be written: in URLs, in JSON, inside base64, and in the headers that carry it. Layer 0, pure.

Who hides a known secret looks for all of these. What an unknown secret looks like is `secrets`' business.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Iterator
from urllib.parse import quote, quote_plus, unquote

SCHEME = re.compile(r"(?i:bearer|basic|token)\s+")
"""The name of an authorisation scheme before the secret that it goes with."""

_SHORTEST_CORE = 8
"""Characters of base64 below which it is not looked for."""

_ESCAPE = re.compile("%[0-9A-F]{2}")
_JSON_ESCAPE = re.compile(r"\\+u00([2-7][0-9A-Fa-f])")
_SLASH = re.compile(r"\\+/")


def spellings(secret: str) -> Iterator[str]:
    """A secret as it is, and as URLs, forms and JSON write it; some of them may be equal."""
    yield secret
    literal = json.dumps(secret)[1:-1]
    yield literal
    yield literal.replace("/", r"\/")
    for quoted in (quote(secret, safe=""), quote(secret), quote_plus(secret)):
        yield quoted
        yield _ESCAPE.sub(lambda escape: escape[0].lower(), quoted)


def cores(secret: str) -> Iterator[str]:
    """The characters of base64 that a secret alone decides, whatever stands before and behind it."""
    data = secret.encode("utf-8", "surrogatepass")
    for before, start in enumerate((0, 2, 3)):
        end = (before + len(data)) // 3 * 4
        for encode in (b64encode, urlsafe_b64encode):
            core = encode(b"\0" * before + data)[start:end].decode("ascii")
            if len(core) >= _SHORTEST_CORE:
                yield core


def unescaped(text: str) -> str:
    """A text without the escapes of JSON and of URLs under which a printable ASCII character may hide."""
    text = _SLASH.sub("/", _JSON_ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text))
    return unquote(text) if "%" in text else text


def secrets_in_header(name: str, value: str) -> list[str]:
    """The secrets in the value of a header that holds some: the main one first, then what else is one by itself.

    Of `Bearer x` that is `x`; of `Basic x` also the password in it; of cookies all together, then each value.
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
    """What `user:password` in base64 holds behind the colon, "" where it is none."""
    try:
        return b64decode(credentials, validate=True).decode("utf-8").partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
