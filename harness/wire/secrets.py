"""What a secret looks like in HTTP, URLs and text: the one table that recordings and reports share. Layer 0, pure.

Knows no API (fields that hold secrets are its `StreamProtocol`'s) and not what becomes of a secret. A pattern is
here when its shape is a promise of whoever issues the secret, or when the words around it say what it is. Guesses
by randomness alone are not: ids and signatures are random too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Look(NamedTuple):
    """A kind of secret and where it shows; the group `secret` is what must not be written."""

    kind: str
    pattern: re.Pattern[str]


class Sighting(NamedTuple):
    """A secret seen in a text, at these offsets."""

    kind: str
    start: int
    end: int


_PLACEHOLDER = re.compile(r"(?:\w{1,12}_)?REDACTED(?:[-_]\d+)?|\*{3,}|<[\w -]+>|\{\{.*\}\}|\$\{?\w+\}?|[xX]{8,}")
_AROUND = " \t.,;:!?()[]'\""

SECRET_PARAMETERS = (
    "key", "api_key", "apikey", "access_token", "refresh_token", "id_token", "token", "auth", "password", "secret",
    "client_secret", "code_verifier", "sig", "signature", "x-goog-signature", "x-goog-credential",
    "x-amz-signature", "x-amz-credential", "x-amz-security-token",
)  # fmt: skip
"""Names of query parameters whose values are secrets."""

SECRET_NAMES = frozenset(
    {
        "apikey", "accesstoken", "refreshtoken", "idtoken", "clientsecret", "password", "passwd", "secret",
        "privatekey", "authorization", "proxyauthorization", "xgoogapikey", "xapikey", "cookie", "setcookie",
    }
)  # fmt: skip
"""Field names, as `plain_name` has them, that mean a secret in any API."""

_SECRET_HEADER = re.compile(
    r"auth(?!enticate)|api-?key|(?<!ratelimit)(?<!rate-limit)token(?!s)|secret|cookie|passw|credential", re.I
)
_WITH_DIGIT = r"(?=[\w\-+/.]*\d)"
_PRIVATE_HOST = (
    r"10(?:\.\d{1,3}){3}|192\.168(?:\.\d{1,3}){2}|172\.(?:1[6-9]|2\d|3[01])(?:\.\d{1,3}){2}|169\.254(?:\.\d{1,3}){2}"
    r"|(?:[\w-]+\.)+(?:internal|intranet|local|corp|lan|home\.arpa)"
)

_TABLE = (
    ("Google API key", r"AIza[0-9A-Za-z_\-]{20,}"),
    ("Google authorisation key", r"(?<![\w.])AQ\.[0-9A-Za-z_\-]{20,}"),
    ("Google access token", r"ya29\.[0-9A-Za-z_\-.]{20,}"),
    ("Google client secret", r"GOCSPX-[0-9A-Za-z_\-]{20,}"),
    ("bearer token", r"(?i:bearer)\s+(?P<secret>" + _WITH_DIGIT + r"[\w\-.~+/]{8,}=*)"),
    ("provider key", r"(?<![0-9A-Za-z_])sk-" + _WITH_DIGIT + r"[0-9A-Za-z_\-]{20,}"),
    ("GitHub token", r"(?:gh[pousr]_[0-9A-Za-z]{30,}|github_pat_\w{30,})"),
    ("AWS key id", r"(?<![0-9A-Za-z])(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Za-z])"),
    ("Slack token", r"xox[abprs]-[0-9A-Za-z\-]{10,}"),
    ("Hugging Face token", r"(?<![0-9A-Za-z_])hf_[0-9A-Za-z]{30,}"),
    ("JSON web token", r"eyJ[\w\-]{8,}\.eyJ[\w\-]{8,}\.[\w\-]{8,}"),
    ("webhook secret", r"whsec_[0-9A-Za-z+/=_\-]{16,}"),
    ("private key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"),
    ("credential in a URL", r"[?&](?i:" + "|".join(SECRET_PARAMETERS) + r")=(?P<secret>[^&#\s\"'<>\\]{6,})"),
    ("password in a URL", r"[a-z][a-z0-9+.\-]*://[^/\s:@\"']+:(?P<secret>[^/\s@\"']+)@"),
    (
        "named secret",
        r"(?i:\b(?:api[_-]?key|client[_-]?secret|access[_-]?token|secret|password|passwd))[\"']?\s*[=:]\s*[\"']?"
        r"(?P<secret>" + _WITH_DIGIT + r"[\w\-+/.]{12,}=*)",
    ),
)  # fmt: skip

CREDENTIALS = tuple(
    Look(kind, re.compile(pattern if "(?P<secret>" in pattern else f"(?P<secret>{pattern})"))
    for kind, pattern in _TABLE
)
"""What opens something, wherever it is read."""

_PRIVATE_URL = r"(?i:https?|wss?)://(?:[^/\s@\"']*@)?(?P<secret>(?i:" + _PRIVATE_HOST + r"))(?![\w.])"
PRIVATE_PLACES = (Look("private URL", re.compile(_PRIVATE_URL)),)
"""What tells strangers about a network: out of place in a shared file, an ordinary target on a screen."""

_HINT = re.compile(
    r"AIza|AQ\.|ya29|GOCSPX|[bB][eE][aA][rR][eE][rR]|sk-|gh[pousr]_|github_pat|AKIA|ASIA|xox|hf_|eyJ|whsec"
    r"|PRIVATE KEY|://|[?&][\w\-]+=|(?i:api[_-]?key|secret|access[_-]?token|passw)"
)
"""A text in which this finds nothing has no look of a secret; cheaper than asking them all."""


def is_placeholder(value: str) -> bool:
    """Whether a value stands where a secret was, here or in another recorder's file."""
    return _PLACEHOLDER.fullmatch(value.strip(_AROUND)) is not None


def hints(text: str) -> bool:
    """Whether anything in a text could be the start of a secret."""
    return _HINT.search(text) is not None


def sightings(text: str, looks: Iterable[Look] = (*CREDENTIALS, *PRIVATE_PLACES)) -> Iterator[Sighting]:
    """Everything in `text` that has one of the `looks` and is no placeholder, kind by kind; they may overlap."""
    if not hints(text):
        return
    for kind, pattern in looks:
        for found in pattern.finditer(text):
            if not is_placeholder(found["secret"]):
                yield Sighting(kind, *found.span("secret"))


def is_secret_header(name: str) -> bool:
    """Whether a header's value is a secret by its name alone."""
    return _SECRET_HEADER.search(name) is not None


def plain_name(name: str) -> str:
    """A field name as it is compared: without case, `-` and `_`."""
    return name.lower().replace("-", "").replace("_", "")


def looks_random(text: str) -> bool:
    """Whether a value is so unlike a word that it may be hidden wherever it turns up."""
    return (
        len(text) >= 10 and any(c.isdigit() for c in text) and any(c.isalpha() for c in text) and " " not in text
    )
