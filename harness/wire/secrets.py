"""The names and the shapes of secrets: one table for recordings and reports.

Knows no API: a `StreamProtocol` has, as `SecretFields`, the members of its JSON that hold secrets. Must not know
the use of a secret. A shape is listed if the issuer of the secret documents it, or if the words around it name it.
Randomness alone is not enough: ids and signatures are random too.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from types import MappingProxyType
from typing import NamedTuple

# What a credential is called. All readers of headers, parameters, forms, members and texts ask this one table.

CREDENTIAL_NAMES = (
    "api_key", "access_key", "secret_key", "private_key", "auth_key", "account_key", "shared_key", "master_key",
    "subscription_key", "password", "passwd", "passphrase", "secret", "client_secret", "credential", "credentials",
    "access_token", "refresh_token", "id_token", "auth_token", "bearer_token", "api_token", "session_token",
    "security_token", "github_token", "jwt", "connection_string", "authorization", "cookie",
)  # fmt: skip
"""Ends of names that mean a credential in any API and in any place. `token` alone does not: models count, page
and continue with tokens."""

_SHORT_NAMES = (
    "key", "token", "auth", "pass", "pwd", "codeverifier", "sig", "signature", "uploadid", "session", "sid",
    "sessionid", "xgoogsignature", "xamzsignature",
)  # fmt: skip
"""Names that mean a credential as a parameter, the field of a form or a header: there, other things are rare."""

_VARIABLE = re.compile(
    r"(?!.*(?:PUBLIC|PRIMARY|FOREIGN|PARTITION|SORT|CACHE)_KEY)[A-Z][A-Z0-9_]*_(?:KEY|TOKEN|PWD)"
)
"""Names in capitals, as of environment variables, which no API gives to its members."""

SECRET_ENDS = tuple(name.replace("_", "") for name in CREDENTIAL_NAMES)
"""The ends of names, normalized by `plain_name`."""

PAIR_NAMES = ("name", "key")
"""Keys that hold the name of a pair where a list of `{"name": …, "value": …}` stands for members."""

_HEADER_MAPS = frozenset({"headers", "header"})
"""Members, normalized by `plain_name`, whose own members are HTTP headers."""

_NO_SECRETS = frozenset({"accept", "acceptencoding", "acceptlanguage", "contenttype", "useragent"})
"""Headers, normalized by `plain_name`, that hold no secret in any API."""

_SECRET_HEADER = re.compile(
    r".*(?:auth(?!enticate)|api[_-]?key|(?<!ratelimit)(?<!rate-limit)token(?!s)|secret|cookie|passw"
    r"|credential|session|passphrase|upload-?id|(?:^|[_-])jwt(?:$|[_-])"
    r"|(?:access|account|functions?|master|private|service|shared|subscription)[_-]?key)",
    re.I,
)


@lru_cache(4096)
def plain_name(name: str) -> str:
    """A field name normalized for comparison: in lower case, without `-` and `_`."""
    return name.lower().replace("-", "").replace("_", "")


@lru_cache(1024)
def is_secret_header(name: str) -> bool:
    """Whether the header's name alone marks its value as a secret."""
    if name[:15].lower() == "access-control-":
        return False
    return _SECRET_HEADER.match(name) is not None or is_secret_parameter(name)


def is_personal_header(name: str, value: str) -> bool:
    """Whether a header that the user gave must not be shown: also one like a tenant's id, whatever its name."""
    return is_secret_header(name) or (may_hold_secret(name) and looks_random(value))


def may_hold_secret(name: str) -> bool:
    """Whether a header may hold a secret in some API: a gateway names its own as it likes."""
    return plain_name(name) not in _NO_SECRETS


def is_secret_name(name: str) -> bool:
    """Whether the value of a member or parameter of this name is a secret in any API."""
    if plain_name(name).endswith(SECRET_ENDS):
        return True
    return name.isupper() and _VARIABLE.fullmatch(name) is not None


_BRACKETS = re.compile(r"[\[\].]+")


def is_secret_parameter(name: str) -> bool:
    """Whether the value of a parameter or a form's field, such as `key[]` or `user[password]`, is a secret."""
    parts = _BRACKETS.split(name)
    return any(plain_name(part).strip("$") in _SHORT_NAMES or is_secret_name(part) for part in parts)


_SECRET_VARIABLE = re.compile(r"X_\w+|(?:PROXY_)?AUTHORIZATION|COOKIE")


def name_secret_variable(header: str) -> str:
    """The environment variable that stands for the secret of a header in lines of shell.

    No program reads it for another purpose: a file of a folder may name a header `LD-PRELOAD`.
    """
    word = re.sub(r"\W", "_", header.upper(), flags=re.ASCII)
    return word if _SECRET_VARIABLE.fullmatch(word) else f"HEADER_{word}"


SCHEME = re.compile(r"(?i:bearer|basic|token)\s+")
"""The name of an authorisation scheme in front of its secret."""


def secrets_in_header(name: str, value: str) -> list[str]:
    """The secrets in the value of a secret header: the main one first, then parts that are secrets by themselves.

    For `Bearer x` that is `x`; for `Basic x` also the password in it; for cookies the whole value, then each one.
    """
    if "cookie" in name.lower():
        pairs = value.split(";")[: 1 if name.lower() == "set-cookie" else None]
        return [value, *(pair.partition("=")[2].strip() for pair in pairs)]
    main = without_scheme(value)
    if password := find_password(value):
        return [main, password]
    if main == value and " " in value:
        return [main, value.partition(" ")[2].strip()]  # of a scheme that is not listed
    return [main]


def find_password(value: str) -> str:
    """The password in `Basic` credentials, which any header may have; "" in another value."""
    if value[:6].lower() != "basic ":
        return ""
    try:
        return b64decode(value[6:].strip(), validate=True).decode("utf-8").partition(":")[2]
    except (binascii.Error, ValueError):  # a text with these words, or letters that no base64 has
        return ""


def without_scheme(value: str) -> str:
    """The value of a header without the name of its authorisation scheme."""
    scheme = SCHEME.match(value)
    return value[scheme.end() :] if scheme else value


# What a secret looks like. A search finds the starts of all shapes in one pass, then tries the one pattern there.


class SecretShape(NamedTuple):
    """A kind of secret: how it starts, in any case, and its pattern; the group `secret` must not be written."""

    kind: str
    starts: tuple[str, ...]
    pattern: str


_ALONE = r"(?:(?<![\w.\-])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4}))"
"""What stands before a key: nothing that continues a word, but perhaps an escape of a URL or of JSON."""

_WITH_DIGIT = r"(?=[\w\-+/.]{0,200}\d)"
"""Bounded, like all repetitions here: a megabyte of text without a space must not take a minute."""

_PRIVATE_HOST = (
    r"10(?:\.\d{1,3}){3}|192\.168(?:\.\d{1,3}){2}|172\.(?:1[6-9]|2\d|3[01])(?:\.\d{1,3}){2}|169\.254(?:\.\d{1,3}){2}"
    r"|(?:[\w-]{1,63}\.){1,9}(?:internal|intranet|local|corp|lan|home\.arpa)"
)
_AFTER_SCHEME, _SLASHES = ("://", r":\/\/"), r":(?:\\?/){2}"
"""The second with the slashes that some writers of JSON escape."""

_QUOTE = r"(?:\\{0,7}[\"'])?"
_NAMES = "|".join(CREDENTIAL_NAMES).replace("_", "[_-]?")

KEYS = (
    SecretShape("Google API key", ("AIza",), r"AIza[0-9A-Za-z_\-]{20,}"),
    SecretShape("Google authorisation key", ("AQ.",), _ALONE + r"AQ\.[0-9A-Za-z_\-]{20,}"),
    SecretShape("Google access token", ("ya29.",), r"ya29\.[0-9A-Za-z_\-.]{20,}"),
    SecretShape("Google client secret", ("GOCSPX-",), r"GOCSPX-[0-9A-Za-z_\-]{20,}"),
    SecretShape("Google refresh token", ("1//0",), r"(?<![\w/])1//0[0-9A-Za-z_\-]{20,}"),
    SecretShape("Google ephemeral token", ("auth_tokens/",), r"auth_tokens/(?P<secret>[0-9A-Za-z_\-]{16,})"),
    SecretShape("provider key", ("sk-",), _ALONE + "sk-" + _WITH_DIGIT + r"[0-9A-Za-z_\-]{20,}"),
    SecretShape("GitHub token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"gh[pousr]_[0-9A-Za-z]{30,}"),
    SecretShape("GitHub token", ("github_pat_",), r"github_pat_\w{30,}"),
    SecretShape("AWS key id", ("AKIA", "ASIA"), _ALONE + r"(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Za-z])"),
    SecretShape("Slack token", ("xoxa-", "xoxb-", "xoxp-", "xoxr-", "xoxs-"), r"xox[abprs]-[0-9A-Za-z\-]{10,}"),
    SecretShape("GitLab token", ("glpat-",), _ALONE + r"glpat-[0-9A-Za-z_\-]{20,}"),
    SecretShape(
        "Stripe key",
        ("sk_live_", "sk_test_", "rk_live_", "rk_test_"),
        _ALONE + r"[sr]k_(?:live|test)_[0-9A-Za-z]{16,}",
    ),
    SecretShape("npm token", ("npm_",), _ALONE + r"npm_[0-9A-Za-z]{30,}"),
    SecretShape("PyPI token", ("pypi-",), _ALONE + r"pypi-[0-9A-Za-z_\-]{30,}"),
    SecretShape("Hugging Face token", ("hf_",), _ALONE + r"hf_[0-9A-Za-z]{30,}"),
    SecretShape("JSON web token", ("eyJ",), r"eyJ[\w\-]{8,1000}+\.eyJ[\w\-]{8,}+\.[\w\-]{8,}"),
    SecretShape("webhook secret", ("whsec_",), r"whsec_[0-9A-Za-z+/=_\-]{16,}"),
)
"""Keys and tokens that are known by how they begin. They are also found in base64."""

CONTEXTS = (
    SecretShape(
        "bearer token",
        ("bearer",),
        r"(?i:bearer)(?:\s|%20|\+)+(?P<secret>" + _WITH_DIGIT + r"[\w\-.~+/]{8,}=*)",
    ),
    SecretShape(
        "private key",
        ("-----BEGIN ",),
        r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY-----|\Z)",
    ),
    SecretShape(
        "password in a URL", _AFTER_SCHEME, _SLASHES + r"[^/\s:@\"']{1,200}:(?P<secret>[^/\s@\"']{1,1000})@"
    ),
    SecretShape(
        "token in a URL", _AFTER_SCHEME, _SLASHES + r"(?P<secret>" + _WITH_DIGIT + r"[^/\s:@\"']{8,1000})@"
    ),
    SecretShape(
        "named secret",
        tuple(dict.fromkeys(name.replace("_", mark) for name in CREDENTIAL_NAMES for mark in ("_", "-", ""))),
        rf"(?i:(?<![A-Za-z0-9])(?:{_NAMES})){_QUOTE}(?:\s*(?:[=:]|%3[AaDd])|>)\s*{_QUOTE}"
        rf"(?i:(?:bearer|basic|token)\s+)?(?P<secret>{_WITH_DIGIT}[\w\-+/.]{{12,}}=*)",
    ),
    SecretShape(
        "form field",
        ("form-data;",),
        rf"(?i:form-data;[^\r\n]{{0,200}}?\bname=\"?[^\r\n;\"]{{0,99}}(?:key|token|pwd|{_NAMES}))[\]\"]*"
        r"[^\r\n]{0,200}\r?\n(?:[^\r\n]{1,999}\r?\n){0,8}\r?\n(?P<secret>[^\r\n]+)",
    ),
)
"""Secrets that are known by the words around them."""

PRIVATE_URL = "private URL"
PRIVATE_PLACES = (
    SecretShape(
        PRIVATE_URL,
        _AFTER_SCHEME,
        rf"{_SLASHES}(?:[^/\s@\"']{{0,1000}}@)?(?P<secret>(?i:{_PRIVATE_HOST}))(?![\w.])",
    ),
)
"""What reveals a private network: it must not be in a shared file, but on a screen it is an ordinary target."""

_KEY_OF_GOOGLE = "|".join(shape.pattern for shape in KEYS[:3])


@cache
def _compile(pattern: str) -> re.Pattern[str]:
    """Late: most processes import this module and look for no secret."""
    return re.compile(pattern)


def find_api_keys(text: str) -> list[str]:
    """The keys and access tokens of Google's that are words of a text, such as a URL or a list."""
    return [found[0] for found in _compile(rf"(?<![\w.-])(?:{_KEY_OF_GOOGLE})").finditer(text)]


def is_api_key(value: str) -> bool:
    """Whether a value as a whole is a key or an access token of Google's, of whichever of its services."""
    return _compile(_KEY_OF_GOOGLE).fullmatch(value) is not None


_PLACEHOLDER = re.compile(r"(?:\w{1,12}_)?REDACTED(?:[-_]\d+)?|\*{3,}|<[\w -]+>|\{\{.*\}\}|\$\{?\w+\}?|[xX]{8,}")
_AROUND = " \t.,;:!?()[]'\""


def is_placeholder(value: str) -> bool:
    """Whether a value is what replaced a secret, here or in another recorder's file."""
    return _PLACEHOLDER.fullmatch(value.strip(_AROUND)) is not None


def looks_random(text: str) -> bool:
    """Whether a value is so unlike a word that it can be hidden wherever it turns up."""
    return (
        len(text) >= 10 and any(c.isdigit() for c in text) and any(c.isalpha() for c in text) and " " not in text
    )


class SecretFields:
    """Which members of one API's JSON hold secrets, besides those whose names say so in any API.

    Members called one of `names` hold a secret wherever they appear. `inside` maps a member to the names below it
    that hold secrets, or to None if every value below it is one (a map of variables, of headers). `spared` are
    members of such a value that only refer to a secret. `receivers` are pairs of a place and a member below it,
    the URL to which a service delivers: many services know the sender by its path alone. Names are compared
    after `plain_name`.

    A place is a path of member names from the outermost; an object or a list inside a list adds "".
    """

    def __init__(
        self,
        names: Iterable[str] = (),
        *,
        inside: Mapping[str, Collection[str] | None] = MappingProxyType({}),
        spared: Iterable[str] = (),
        receivers: Iterable[tuple[str, str]] = (),
    ) -> None:
        self._receivers = tuple((plain_name(above), plain_name(name)) for above, name in receivers)
        self._names = frozenset(map(plain_name, names))
        self._own = frozenset[str]()
        self.patterns: tuple[re.Pattern[str], ...] = ()
        self._inside = {
            plain_name(name): None if members is None else frozenset(map(plain_name, members))
            for name, members in inside.items()
        }
        self._spared = frozenset(map(plain_name, spared))
        self._know()

    def _know(self) -> None:
        self._outer = frozenset((*self._inside, *(above for above, _ in self._receivers)))
        stems = self._names.union(SECRET_ENDS, self._outer, _HEADER_MAPS, self._own, ("key", "token", "pwd"))
        self._stems = [stem for stem in stems if not any(other in stem for other in stems - {stem})]
        self._known = lru_cache(1024)(self._covers)

    def having(self, names: Iterable[str], patterns: Iterable[str] = ()) -> SecretFields:
        """The fields with the user's own: names of headers, parameters and members, and patterns of texts."""
        new = SecretFields(self._names, inside=self._inside, spared=self._spared, receivers=self._receivers)
        new.patterns = (*self.patterns, *map(re.compile, patterns))
        new._own = self._own.union(map(plain_name, names))
        new._know()
        return new

    def may_cover(self, text: str) -> bool:
        """Whether a text may have a member that holds a secret; cheap, with no false negatives."""
        low = text.lower().replace("-", "").replace("_", "")
        return any(map(low.__contains__, self._stems))  # hot: a generator takes longer than the search

    def names(self, name: str) -> bool:
        """Whether the value under this name is a secret wherever it appears."""
        plain = plain_name(name)
        if plain in self._names or plain in self._own:
            return True
        return plain not in self._spared and plain not in self._inside and is_secret_name(name)

    def names_parameter(self, name: str) -> bool:
        """Whether the value of a parameter, or of the field of a form, of this name is a secret."""
        return is_secret_parameter(name) or self.names(name)

    def names_header(self, name: str) -> bool:
        """Whether the value of a header of this name is a secret."""
        return is_secret_header(name) or plain_name(name) in self._own

    def covers(self, path: Sequence[str]) -> bool:
        """Whether a value at this place is a secret."""
        return self._known(tuple(path))

    def _covers(self, path: Sequence[str]) -> bool:
        return any(
            name and (self.names(name) or self._is_header(path, at) or self._reaches(path, at))
            for at, name in enumerate(path)
        )

    def above(self, segments: Iterable[str]) -> tuple[str, ...]:
        """The place of the body of a request whose path has these segments."""
        return tuple(name for name in segments if plain_name(name) in self._outer)

    def receives(self, path: Sequence[str]) -> bool:
        """Whether a value at this place is the URL of a receiver of deliveries."""
        if not path or self._receivers == ():
            return False
        plain = [plain_name(name) for name in path]
        return any(plain[-1] == name and above in plain for above, name in self._receivers)

    def _is_header(self, path: Sequence[str], at: int) -> bool:
        """Whether the member at `at` is a header that holds a secret."""
        return at > 0 and plain_name(path[at - 1]) in _HEADER_MAPS and self.names_header(path[at])

    def _reaches(self, path: Sequence[str], at: int) -> bool:
        """Whether the member at `at` makes the value at the end of the path a secret."""
        plain, below = plain_name(path[at]), path[at + 1 :]
        if plain not in self._inside:
            return False
        if not below:
            return is_secret_name(plain)
        members = self._inside[plain]
        if members is not None:
            return any(plain_name(name) in members for name in below)
        last = plain_name(below[-1])
        if len(below) > 1 and (last in self._spared or (below[-1] in PAIR_NAMES and not below[-2])):
            return False
        return last not in _NO_SECRETS
