"""What a secret looks like in HTTP, URLs and text: the one table that recordings and reports share. Layer 0, pure.

Knows no API (which members of its JSON hold secrets is told by its `StreamProtocol`, as `SecretFields`) and not
what becomes of a secret. A pattern is here when its shape is a promise of whoever issues the secret, or when the
words around it say what it is. Guesses by randomness alone are not: ids and signatures are random too.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
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

SECRET_ENDS = (
    "apikey", "accesskey", "secretkey", "privatekey", "password", "passwd", "secret", "accesstoken",
    "refreshtoken", "idtoken", "authtoken", "bearertoken", "apitoken", "sessiontoken", "githubtoken",
    "authorization", "cookie",
)  # fmt: skip
"""What a field's name ends with, as `plain_name` has it, if the field holds a secret in any API. `token` alone is
none: models count, page and continue with tokens."""

PAIR_NAMES = ("name", "key")
"""What the name of a pair is called where a list of `{"name": …, "value": …}` stands for members."""

_HEADER_MAPS = frozenset({"headers", "header"})
"""Members, as `plain_name` has them, whose own members are headers of HTTP."""

_LONGEST_NAME = 64
"""Characters of a name whose plain form is remembered: the same few come again and again."""

_NO_SECRETS = frozenset({"accept", "acceptencoding", "acceptlanguage", "contenttype", "useragent"})
"""Headers, as `plain_name` has them, that hold no secret in any API."""

_SECRET_HEADER = re.compile(
    r"\A(?!access-control-).*(?:auth(?!enticate)|api[_-]?key|(?<!ratelimit)(?<!rate-limit)token(?!s)|secret|cookie|passw"
    r"|credential|session|passphrase|(?:^|[_-])jwt(?:$|[_-])"
    r"|(?:access|account|functions?|master|private|service|shared|subscription)[_-]?key)",
    re.I,
)
_WITH_DIGIT = r"(?=[\w\-+/.]{0,200}\d)"
_SCHEME = r"(?<![a-z0-9+.\-])[a-z][a-z0-9+.\-]{0,30}://"
"""Bounded, as all that repeats here: a text of a megabyte without a space must not take a minute."""

_PRIVATE_HOST = (
    r"10(?:\.\d{1,3}){3}|192\.168(?:\.\d{1,3}){2}|172\.(?:1[6-9]|2\d|3[01])(?:\.\d{1,3}){2}|169\.254(?:\.\d{1,3}){2}"
    r"|(?:[\w-]+\.)+(?:internal|intranet|local|corp|lan|home\.arpa)"
)
_FORM_FIELD = (
    r"(?i:form-data;[^\r\n]{0,200}\bname=\"?[\w.\-]{0,99}(?:key|token|secret|password|authorization)\"?)"
    r"(?:[^\r\n]{0,999}\r?\n){1,8}?\r?\n(?P<secret>[^\r\n]+)"
)

_PARAMETER = "|".join(SECRET_PARAMETERS).replace("_", "[_-]?")

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
    ("Google refresh token", r"(?<![\w/])1//0[0-9A-Za-z_\-]{20,}"),
    ("GitLab token", r"(?<![0-9A-Za-z_])glpat-[0-9A-Za-z_\-]{20,}"),
    ("Stripe key", r"(?<![0-9A-Za-z])[sr]k_(?:live|test)_[0-9A-Za-z]{16,}"),
    ("npm token", r"(?<![0-9A-Za-z_])npm_[0-9A-Za-z]{30,}"),
    ("PyPI token", r"(?<![0-9A-Za-z_])pypi-[0-9A-Za-z_\-]{30,}"),
    ("Hugging Face token", r"(?<![0-9A-Za-z_])hf_[0-9A-Za-z]{30,}"),
    ("JSON web token", r"eyJ[\w\-]{8,1000}+\.eyJ[\w\-]{8,}+\.[\w\-]{8,}"),
    ("webhook secret", r"whsec_[0-9A-Za-z+/=_\-]{16,}"),
    ("private key", r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"),
    ("credential in a URL", rf"[?&;#](?i:{_PARAMETER})=(?P<secret>[^&#\s\"'<>\\]{{6,}})"),
    ("password in a URL", _SCHEME + r"[^/\s:@\"']{1,200}:(?P<secret>[^/\s@\"']{1,1000})@"),
    ("token in a URL", _SCHEME + r"(?P<secret>" + _WITH_DIGIT + r"[^/\s:@\"']{8,1000})@"),
    (
        "named secret",
        r"(?i:(?<![A-Za-z0-9])(?:api[_-]?key|client[_-]?secret|(?:access|refresh|auth)[_-]?token|access[_-]?key"
        r"|secret[_-]?key|secret|password|passwd))[\"']?\s*[=:]\s*[\"']?"
        r"(?P<secret>" + _WITH_DIGIT + r"[\w\-+/.]{12,}=*)",
    ),
    ("form field", _FORM_FIELD),
)  # fmt: skip

CREDENTIALS = tuple(
    Look(kind, re.compile(pattern if "(?P<secret>" in pattern else f"(?P<secret>{pattern})"))
    for kind, pattern in _TABLE
)
"""What opens something, wherever it is read."""

_PRIVATE_URL = r"(?i:https?|wss?)://(?:[^/\s@\"']{0,1000}@)?(?P<secret>(?i:" + _PRIVATE_HOST + r"))(?![\w.])"
PRIVATE_PLACES = (Look("private URL", re.compile(_PRIVATE_URL)),)
"""What tells strangers about a network: out of place in a shared file, an ordinary target on a screen."""

_HINT = re.compile(
    r"AIza|AQ\.|ya29|GOCSPX|[bB][eE][aA][rR][eE][rR]|sk-|gh[pousr]_|github_pat|AKIA|ASIA|xox|hf_|eyJ|whsec|1//0|glpat-|k_live_|k_test_|npm_|pypi-"
    r"|PRIVATE KEY|://|[?&;#][\w\-]+=|(?i:(?:api|access)[_-]?key|secret|(?:access|refresh|auth)[_-]?token|passw"
    r"|form-data)"
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


def is_secret_name(name: str) -> bool:
    """Whether the value under this name, of a field or a parameter, is a secret in any API."""
    return plain_name(name).endswith(SECRET_ENDS)


def plain_name(name: str) -> str:
    """A field name as it is compared: without case, `-` and `_`."""
    return _plain(name) if len(name) <= _LONGEST_NAME else _plain.__wrapped__(name)


@lru_cache(4096)
def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


class SecretFields:
    """Which members of one API's JSON hold secrets, beside those whose names say so in any API.

    `names` hold one wherever they appear. `inside` gives members below which there are secrets: those of these
    names, or every value where it gives None (a map of variables, of headers). `spared` are members of such a
    value that only refer to a secret. Names are compared as `plain_name` has them.

    A place is a path of member names from the outermost; an object or a list that stands in a list adds "".
    """

    def __init__(
        self,
        names: Iterable[str] = (),
        *,
        inside: Mapping[str, Collection[str] | None] = MappingProxyType({}),
        spared: Iterable[str] = (),
    ) -> None:
        self._names = frozenset(map(plain_name, names))
        self._inside = {
            plain_name(name): None if members is None else frozenset(map(plain_name, members))
            for name, members in inside.items()
        }
        self._spared = frozenset(map(plain_name, spared))
        self.stems = self._names.union(SECRET_ENDS, self._inside, _HEADER_MAPS)
        """One of these is in every text, as `plain_name` has it, that has a member which holds a secret."""

    def names(self, name: str) -> bool:
        """Whether the value under this name is a secret wherever it stands."""
        return plain_name(name) in self._names or is_secret_name(name)

    def covers(self, path: Sequence[str]) -> bool:
        """Whether a value at this place is a secret."""
        return any(
            name and (self.names(name) or _is_header(path, at) or self._reaches(path, at))
            for at, name in enumerate(path)
        )

    def above(self, segments: Iterable[str]) -> tuple[str, ...]:
        """The place at which the body of a request to a path of these segments stands."""
        return tuple(name for name in segments if plain_name(name) in self._inside)

    def _reaches(self, path: Sequence[str], at: int) -> bool:
        """Whether the member at `at` is one below which the value at the end of the path is a secret."""
        plain, below = plain_name(path[at]), path[at + 1 :]
        if plain not in self._inside or not below:
            return False
        members = self._inside[plain]
        if members is not None:
            return any(plain_name(name) in members for name in below)
        last = plain_name(below[-1])
        if len(below) > 1 and (last in self._spared or (below[-1] in PAIR_NAMES and not below[-2])):
            return False
        return last not in _NO_SECRETS


def _is_header(path: Sequence[str], at: int) -> bool:
    """Whether the member at `at` is a header that holds a secret."""
    return at > 0 and plain_name(path[at - 1]) in _HEADER_MAPS and is_secret_header(path[at])


def looks_random(text: str) -> bool:
    """Whether a value is so unlike a word that it may be hidden wherever it turns up."""
    return (
        len(text) >= 10 and any(c.isdigit() for c in text) and any(c.isalpha() for c in text) and " " not in text
    )
