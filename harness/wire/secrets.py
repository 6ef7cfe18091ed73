"""The shapes of secrets in HTTP, URLs and text: one table for recordings and reports. Layer 0, pure.

Knows no API: a `StreamProtocol` has, as `SecretFields`, the members of its JSON that hold secrets. Must not know
the use of a secret. A pattern is listed if the issuer of the secret documents its shape, or if the words around it
name it. Randomness alone is not enough: ids and signatures are random too.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any, NamedTuple

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
    "key", "token", "auth", "pass", "pwd", "code_verifier", "sig", "signature", "upload_id", "session", "sid",
    "session_id", "x-goog-signature", "x-amz-signature",
)  # fmt: skip
"""Names that mean a credential as a parameter, the field of a form or a header: there, other things are rare."""

_VARIABLE = re.compile(
    r"(?!.*(?:PUBLIC|PRIMARY|FOREIGN|PARTITION|SORT|CACHE)_KEY)[A-Z][A-Z0-9_]*_(?:KEY|TOKEN|PWD)"
)
"""Names in capitals, as of environment variables, which no API gives to its members."""


# Where in a text a secret might begin: a cheap test before the patterns are tried. Long texts are searched part by
# part: a regular expression keeps all other threads waiting until it returns, and a recorder must forward other
# answers while it searches a large one.

EXACT = (
    "AIza", "auth_tokens/", "AQ.", "ya29", "GOCSPX", "sk-", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat",
    "AKIA", "ASIA", "xox", "hf_", "eyJ", "whsec", "1//0", "glpat-", "k_live_", "k_test_", "npm_", "pypi-",
    "PRIVATE KEY", "://", "-u ", "--user",
)  # fmt: skip
IN_ANY_CASE = (
    *dict.fromkeys(name.replace("_", mark) for name in CREDENTIAL_NAMES for mark in ("_", "-", "")),
    "bearer", "form-data",
)  # fmt: skip
"""Each pattern of a secret begins, up to `_BEFORE` characters earlier, where one of these or a parameter is."""

_PARAMETER = re.compile(r"[?&;#][\w.$%\[\]\-]++=")
_BEFORE, _AFTER = 64, 8192
PART = 128 * 1024
"""Length up to which a text is searched at once."""


def hints(text: str) -> bool:
    """Whether anything in a text could be the start of a secret."""
    return any(next(_find_places(part), None) is not None for _, part in parts_of(text))


def find_hints(text: str) -> Iterator[int]:
    """Where hints are, in characters, in no particular order; a part of a text has a hint if one is in it."""
    for at, part in parts_of(text):
        yield from (at + place for place in _find_parameters(part))
        if part.isascii():
            yield from (at + place for place in _find_words(part))
            continue
        data, seen, place = part.encode("utf-8", "surrogatepass"), 0, at
        for found in sorted(_find_words(part)):
            place += len(data[seen:found].decode("utf-8", "surrogatepass"))
            seen = found
            yield place


def regions(text: str) -> Iterator[tuple[int, int]]:
    """The parts of a text in which a secret might begin; they may overlap, and are longer than most secrets."""
    if len(text) <= PART:
        if hints(text):
            yield 0, len(text)
        return
    begun: tuple[int, int] | None = None
    for at, part in parts_of(text):
        for place in _find_in_characters(part):
            start, end = max(0, at + place - _BEFORE), min(at + place + _AFTER, len(text))
            if begun is not None and start <= begun[1] and end - begun[0] <= PART:
                begun = begun[0], max(end, begun[1])
                continue
            if begun is not None:
                yield begun
            begun = start, end
    if begun is not None:
        yield begun


def parts_of(text: str, *, overlap: int = _BEFORE) -> Iterator[tuple[int, str]]:
    """A text in parts that overlap, and where each begins in characters: all but the last are `PART` apart."""
    if len(text) <= PART:
        yield 0, text
        return
    for at in range(0, len(text), PART):
        yield at, text[at : at + PART + overlap]


def _find_in_characters(part: str) -> Iterable[int]:
    """The places of hints in characters; all of a part that is not ASCII, because its bytes are no measure."""
    places = sorted(_find_places(part))
    return range(0, len(part), _AFTER) if places and not part.isascii() else places


def _find_places(text: str) -> Iterator[int]:
    """Where hints are, in no particular order; in a text that is not ASCII, only whether there are any."""
    yield from _find_words(text)
    yield from _find_parameters(text)


def _find_words(text: str) -> Iterator[int]:
    """Where the words are, in bytes."""
    data = text.encode("utf-8", "surrogatepass")
    for automaton, searched in ((_build_automaton(EXACT), data), (_build_automaton(IN_ANY_CASE), data.lower())):
        for _, start, _ in automaton.find_matches_as_indexes(searched):
            yield start


def _find_parameters(text: str) -> Iterator[int]:
    """Where parameters are, in characters."""
    if "=" in text:
        yield from (found.start() for found in _PARAMETER.finditer(text))


@cache
def _build_automaton(texts: Iterable[str]) -> Any:
    from ahocorasick_rs import BytesAhoCorasick

    return BytesAhoCorasick([text.encode("ascii") for text in texts])


class Look(NamedTuple):
    """A kind of secret and the pattern that finds it; its group `secret` is what must not be written."""

    kind: str
    pattern: str


class Sighting(NamedTuple):
    """A secret found in a text, at these offsets."""

    kind: str
    start: int
    end: int


_PLACEHOLDER = re.compile(r"(?:\w{1,12}_)?REDACTED(?:[-_]\d+)?|\*{3,}|<[\w -]+>|\{\{.*\}\}|\$\{?\w+\}?|[xX]{8,}")
_AROUND = " \t.,;:!?()[]'\""

SECRET_ENDS = tuple(name.replace("_", "") for name in CREDENTIAL_NAMES)
"""The same ends, normalized by `plain_name`."""

_SHORT = frozenset(re.sub("[-_]", "", name) for name in _SHORT_NAMES)

PAIR_NAMES = ("name", "key")
"""Keys that hold the name of a pair where a list of `{"name": …, "value": …}` stands for members."""

_HEADER_MAPS = frozenset({"headers", "header"})
"""Members, normalized by `plain_name`, whose own members are HTTP headers."""

_LONGEST_NAME = 64
"""Length up to which the plain form of a name is cached: the same few names come again and again."""

_NO_SECRETS = frozenset({"accept", "acceptencoding", "acceptlanguage", "contenttype", "useragent"})
"""Headers, normalized by `plain_name`, that hold no secret in any API."""

_SECRET_HEADER = re.compile(
    r".*(?:auth(?!enticate)|api[_-]?key|(?<!ratelimit)(?<!rate-limit)token(?!s)|secret|cookie|passw"
    r"|credential|session|passphrase|upload-?id|(?:^|[_-])jwt(?:$|[_-])"
    r"|(?:access|account|functions?|master|private|service|shared|subscription)[_-]?key)",
    re.I,
)
_WITH_DIGIT = r"(?=[\w\-+/.]{0,200}\d)"
_SCHEME = r"(?<![a-z0-9+.\-])[a-z][a-z0-9+.\-]{0,30}://"
"""Bounded, like all repetitions here: a megabyte of text without a space must not take a minute."""

_PRIVATE_HOST = (
    r"10(?:\.\d{1,3}){3}|192\.168(?:\.\d{1,3}){2}|172\.(?:1[6-9]|2\d|3[01])(?:\.\d{1,3}){2}|169\.254(?:\.\d{1,3}){2}"
    r"|(?:[\w-]+\.)+(?:internal|intranet|local|corp|lan|home\.arpa)"
)
_NAMES = "|".join(CREDENTIAL_NAMES).replace("_", "[_-]?")

_FORM_FIELD = (
    r"(?m:^)(?=[^\r\n]{0,40}?(?i:form-data;(?:[^\r\n]|\r?\n[ \t]){0,200}?\bname\*?[ \t]{0,9}=[ \t]{0,9}\"?"
    rf"[^\r\n;\"]{{0,99}}(?:key|token|pwd|{_NAMES})))"
    r"(?:[^\r\n]{0,1049}+\r?\n){1,8}?\r?\n(?P<secret>[^\r\n]+(?:\r?\n(?!--)[^\r\n]+){0,99})"
)
"""Begins with its line, and looks ahead once for the name: with a start at each `form-data` and each `name=`, a
line that repeats them would be read thousands of times."""

_QUOTE = r"(?:\\{0,15}[\"'])?"
"""Also the quote of a string in JSON that is four strings deep."""

_PARAMETER_NAMES = (
    rf"(?:[\w.$\[\-]{{0,40}}(?:{_NAMES})|(?:\w{{0,40}}\[|\$)?(?:{'|'.join(_SHORT_NAMES).replace('_', '[_-]?')}))"
    r"(?:\]|\[\w{0,40}\])?"
)

_TABLE = (
    ("Google API key", r"AIza[0-9A-Za-z_\-]{20,}"),
    ("Google authorisation key", r"(?<![\w.])AQ\.[0-9A-Za-z_\-]{20,}"),
    ("Google access token", r"ya29\.[0-9A-Za-z_\-.]{20,}"),
    ("Google ephemeral token", r"auth_tokens/(?P<secret>[0-9A-Za-z_\-]{16,})"),
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
    ("credential in a URL", rf"[?&;#](?i:{_PARAMETER_NAMES})=(?P<secret>[^&#\s\"'<>\\]{{6,}})"),
    ("password in a URL", _SCHEME + r"[^/\s:@\"']{1,200}:(?P<secret>[^/\s@\"']{1,1000})@"),
    ("token in a URL", _SCHEME + r"(?P<secret>" + _WITH_DIGIT + r"[^/\s:@\"']{8,1000})@"),
    (
        "named secret",
        (
            rf"(?i:(?<![A-Za-z0-9])(?:{_NAMES})){_QUOTE}(?:\s*[=:]|>)\s*{_QUOTE}(?i:(?:bearer|basic|token)\s+)?"
            rf"(?P<secret>{_WITH_DIGIT}[\w\-+/.]{{12,}}=*)"
        ),
    ),
    (
        "password of a user",
        (
            r"(?<!\S)(?:-u|--user)[ =][\"']?[^\s:\"']{1,200}:"
            r"(?P<secret>(?=[^\s\"']{0,200}[A-Za-z])(?=[^\s\"']{0,200}\d)[^\s\"']{8,1000})"
        ),
    ),
    ("form field", _FORM_FIELD),
)  # fmt: skip

_OF_GOOGLE = ("Google API key", "Google authorisation key", "Google access token")
_KEY_OF_GOOGLE = "|".join(pattern for kind, pattern in _TABLE if kind in _OF_GOOGLE)

CREDENTIALS = tuple(
    Look(kind, pattern if "(?P<secret>" in pattern else f"(?P<secret>{pattern})") for kind, pattern in _TABLE
)
"""Secrets that give access to something, wherever they are used."""

_PRIVATE_URL = r"(?i:https?|wss?)://(?:[^/\s@\"']{0,1000}@)?(?P<secret>(?i:" + _PRIVATE_HOST + r"))(?![\w.])"
PRIVATE_URL = "private URL"
PRIVATE_PLACES = (Look(PRIVATE_URL, _PRIVATE_URL),)
"""What reveals a private network: it must not be in a shared file, but on a screen it is an ordinary target."""


def is_placeholder(value: str) -> bool:
    """Whether a value is what replaced a secret, here or in another recorder's file."""
    return _PLACEHOLDER.fullmatch(value.strip(_AROUND)) is not None


_compile = cache(re.compile)
"""Late: most processes import this module and look for no secret."""


def names_own_key(name: str) -> bool:
    """Whether a header, a parameter or a member of this name has the key of the client that sent it."""
    plain = plain_name(name)
    return plain == "key" or plain.endswith(("apikey", "authorization", "accesstoken"))


def find_api_keys(text: str) -> list[str]:
    """The keys and access tokens of Google's that are words of a text, such as a URL or a list."""
    return [found[0] for found in _compile(rf"(?<![\w.-])(?:{_KEY_OF_GOOGLE})").finditer(text)]


def is_api_key(value: str) -> bool:
    """Whether a value as a whole is a key or an access token of Google's, of whichever of its services."""
    return _compile(_KEY_OF_GOOGLE).fullmatch(value) is not None


def sightings(text: str, looks: Iterable[Look] = (*CREDENTIALS, *PRIVATE_PLACES)) -> Iterator[Sighting]:
    """Find everything in `text` that matches one of the `looks` and is not a placeholder, kind by kind.

    Sightings may overlap.
    """
    for begin, limit in regions(text):
        for kind, text_of_pattern in looks:
            pattern, end = _compile(text_of_pattern), limit
            while (matches := [*pattern.finditer(text, begin, end)]) and matches[-1].end() == end < len(text):
                end = min(begin + 2 * (end - begin), len(text))  # a secret may be longer than the part
            for found in matches:
                if not is_placeholder(found["secret"]):
                    yield Sighting(kind, *found.span("secret"))


def is_secret_header(name: str) -> bool:
    """Whether the header's name alone marks its value as a secret."""
    return (_names_secret if len(name) <= _LONGEST_NAME else _names_secret.__wrapped__)(name)


@lru_cache(1024)
def _names_secret(header: str) -> bool:
    if header[:15].lower() == "access-control-":
        return False
    return _SECRET_HEADER.match(header) is not None or is_secret_parameter(header)


def is_personal_header(name: str, value: str) -> bool:
    """Whether a header that the user gave must not be shown: also one like a tenant's id, whatever its name."""
    return is_secret_header(name) or (may_hold_secret(name) and looks_random(value))


def may_hold_secret(name: str) -> bool:
    """Whether a header may hold a secret in some API: a gateway names its own as it likes."""
    return plain_name(name) not in _NO_SECRETS


_SECRET_VARIABLE = re.compile(r"X_\w+|(?:PROXY_)?AUTHORIZATION|COOKIE")
SECRET_VARIABLES = rf"(?:{_SECRET_VARIABLE.pattern}|HEADER_\w+)(?:_\d+)?"
"""The pattern of the names that `name_secret_variable` gives."""


def name_secret_variable(header: str) -> str:
    """The environment variable that stands for the secret of a header in lines of shell.

    No program reads it for another purpose: a file of a folder may name a header `LD-PRELOAD`.
    """
    word = re.sub(r"\W", "_", header.upper(), flags=re.ASCII)
    return word if _SECRET_VARIABLE.fullmatch(word) else f"HEADER_{word}"


def is_secret_name(name: str) -> bool:
    """Whether the value of a member or parameter of this name is a secret in any API."""
    if plain_name(name).endswith(SECRET_ENDS):
        return True
    return name.isupper() and _VARIABLE.fullmatch(name) is not None


_BRACKETS = re.compile(r"[\[\].]+")


def is_secret_parameter(name: str) -> bool:
    """Whether the value of a parameter or a form's field, such as `key[]` or `user[password]`, is a secret."""
    return any(plain_name(part).strip("$") in _SHORT or is_secret_name(part) for part in _BRACKETS.split(name))


def plain_name(name: str) -> str:
    """A field name normalized for comparison: in lower case, without `-` and `_`."""
    return _plain(name) if len(name) <= _LONGEST_NAME else _plain.__wrapped__(name)


@lru_cache(4096)
def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")


class SecretFields:
    """Which members of one API's JSON hold secrets, besides those whose names say so in any API.

    Members called one of `names` hold a secret wherever they appear. `inside` maps a member to the names below it
    that hold secrets, or to None if every value below it is one (a map of variables, of headers). `spared` are
    members of such a value that only refer to a secret. Names are compared after `plain_name`.

    A place is a path of member names from the outermost; an object or a list inside a list adds "".
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
        self.stems = self._names.union(SECRET_ENDS, self._inside, _HEADER_MAPS, ("key", "token", "pwd"))
        """Every text with a member that holds a secret contains one of these, once normalized by `plain_name`."""
        self._known = lru_cache(1024)(self._covers)

    def names(self, name: str) -> bool:
        """Whether the value under this name is a secret wherever it appears."""
        plain = plain_name(name)
        if plain in self._names:
            return True
        return plain not in self._spared and plain not in self._inside and is_secret_name(name)

    def names_parameter(self, name: str) -> bool:
        """Whether the value of a parameter, or of the field of a form, of this name is a secret."""
        return is_secret_parameter(name) or self.names(name)

    def covers(self, path: Sequence[str]) -> bool:
        """Whether a value at this place is a secret."""
        return self._known(tuple(path)) if sum(map(len, path)) <= _LONGEST_NAME else self._covers(path)

    def _covers(self, path: Sequence[str]) -> bool:
        return any(
            name and (self.names(name) or _is_header(path, at) or self._reaches(path, at))
            for at, name in enumerate(path)
        )

    def above(self, segments: Iterable[str]) -> tuple[str, ...]:
        """The place of the body of a request whose path has these segments."""
        return tuple(name for name in segments if plain_name(name) in self._inside)

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


def _is_header(path: Sequence[str], at: int) -> bool:
    """Whether the member at `at` is a header that holds a secret."""
    return at > 0 and plain_name(path[at - 1]) in _HEADER_MAPS and is_secret_header(path[at])


def looks_random(text: str) -> bool:
    """Whether a value is so unlike a word that it can be hidden wherever it turns up."""
    return (
        len(text) >= 10 and any(c.isdigit() for c in text) and any(c.isalpha() for c in text) and " " not in text
    )
