"""Finds the secrets in a text, a JSON document or an event stream.

Four things are secret: what your own patterns match, a value that is known, a text with the shape of a key, and a
value that its name or place marks (`secrets`). Known values and keys are also found as one encoding writes them:
percent, JSON or base64. What replaces a secret is the choice of the caller: stars on a screen (`mask`), a
placeholder in a recording (`cassette.redactor`).

Documents and streams are bytes, and places in them count bytes: a body may have 200 MB, and its text takes up to
four times as much. Only `STEP` bytes of it are a text at once.
"""

from __future__ import annotations

import json
import re
from array import array
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from io import BytesIO
from itertools import chain, islice, pairwise
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus, unquote

import msgspec

from harness.wire.message import STEP
from harness.wire.protocol import StreamProtocol
from harness.wire.secrets import (
    CONTEXTS,
    KEYS,
    PAIR_NAMES,
    PRIVATE_PLACES,
    SecretFields,
    SecretShape,
    is_api_key,
    is_placeholder,
    looks_random,
    plain_name,
    without_scheme,
)

_AROUND = 2**16
"""The bytes around a step that are also seen, as a secret may end behind it. None is longer, except for a value
that its name marks."""


class SecretFinder:
    """Finds secrets; `hide` gives the text that stands for one. Safe to use from several threads.

    `secrets` are known from the start. Members called one of `exempt` keep what only looks like a key: an id or a
    signature that is altered is useless. `learned` counts the known secrets.
    """

    SHORTEST = 4
    """A shorter secret is hidden where its name marks it, but not wherever the same characters occur."""

    def __init__(
        self,
        fields: SecretFields,
        hide: Callable[[str], str],
        *,
        secrets: Iterable[str] = (),
        exempt: Iterable[str] = (),
        for_files: bool = True,
    ) -> None:
        """`for_files`: a private network and a webhook's path are secret, a parameter of few characters is not."""
        self.fields = fields
        self.learned = 0
        self._hide = hide
        self._exempt = frozenset(map(plain_name, exempt))
        self._for_files = for_files
        self._shortest = 6 if for_files else 1
        self._known: dict[str, None] = {}
        self._words: _Words | None = None
        for secret in secrets:
            self.learn(secret)

    def learn(self, secret: str) -> None:
        """Hide this value from now on, wherever it occurs."""
        if len(secret) >= self.SHORTEST and secret not in self._known and not is_placeholder(secret):
            self._known[secret] = None
            self._words = None
            self.learned += 1

    def find_known(self, text: str) -> list[TextEdit]:
        """Return the edits for the known secrets alone."""
        if not self._known:
            return []
        words = self._words
        if words is None:
            known = self._known.copy()
            words = _Words(((form, secret) for secret in known for form in spellings(secret)), longest=True)
            if len(known) == len(self._known):  # otherwise another thread has learned one meanwhile
                self._words = words
        edits = []
        for start, end, secret in words.find(text):
            # As a key, `secret` must not tear `hook.secret-once` apart.
            is_in_name = secret.isalpha() and (
                _BEFORE_WORD.search(text[max(start - 2, 0) : start]) or _AFTER_WORD.match(text, end)
            )
            if not is_in_name:
                edits.append(TextEdit(start, end, self._hide(secret), "known secret"))
        return edits

    def in_text(self, text: str) -> list[TextEdit]:
        """Return the edits for any text, in order and without overlap."""
        return without_overlap((*self.find_known(text), *self._find_shapes(text)))

    def _find_shapes(self, text: str) -> Iterator[TextEdit]:
        """Find what has the shape of a secret and is no placeholder, yours first. The edits may overlap."""
        for pattern in self.fields.patterns:
            for own in pattern.finditer(text):
                if own[0] and not is_placeholder(own[0]):
                    yield TextEdit(*own.span(), self._hide(own[0]), "your pattern")
        ends: dict[SecretShape, int] = {}
        for start, _, value in _starts().find(text):
            if isinstance(value, _Encoded):
                if end := _find_encoded(text, start, value):
                    yield TextEdit(start, end, self._hide(text[start:end]), value.shape.kind)
                continue
            if start < ends.get(value, 0) or (value in PRIVATE_PLACES and not self._for_files):
                continue
            found = _pattern(value).match(text, start)
            if found is not None:
                ends[value] = found.end()
                if not is_placeholder(found["secret"]):
                    yield TextEdit(*found.span("secret"), self._hide(found["secret"]), value.kind)
        for start, end in _parameters(text, self.fields.names_parameter):
            value = text[start:end]
            if end - start >= self._shortest and not is_placeholder(value):
                yield TextEdit(start, end, self._hide(unquote(value)), "credential in a URL")

    def in_document(self, data: bytes, above: tuple[str, ...] = ()) -> list[TextEdit]:
        """Return the edits for a text that may be JSON; `above` is its place (`SecretFields.above`)."""
        if not seems_json(text_of(data[:64])):
            return without_overlap(chain(*self._find(data)))
        return self._sift(data, *self._find(data), above)

    def _find(self, data: bytes) -> tuple[list[TextEdit], list[TextEdit]]:
        """The known secrets and what has the shape of one, in order, wherever they are."""
        known, shaped = list[TextEdit](), list[TextEdit]()
        for at in range(0, len(data), STEP):
            first = max(at - _AROUND, 0)
            text = text_of(data[first : at + STEP + _AROUND])
            for edits, found in ((known, self.find_known(text)), (shaped, self._find_shapes(text))):
                moved = (edit.move(first) for edit in _count_bytes(text, found))
                edits += [edit for edit in moved if at <= edit.start < at + STEP]
        return known, shaped

    def _may_be_named(self, data: bytes, start: int, end: int) -> bool:
        """Whether a part may have a member that its name marks, also one that is escaped."""
        return data.find(_ESCAPE, start, end) >= 0 or any(
            self.fields.may_cover(text_of(data[at : min(at + STEP + _AROUND, end)]))
            for at in range(start, end, STEP)
        )

    def _sift(
        self, data: bytes, known: list[TextEdit], shaped: list[TextEdit], above: tuple[str, ...] = ()
    ) -> list[TextEdit]:
        """Return the edits for a JSON text: those found in it, but in no exempt member, and those by names."""
        if not shaped and not above and not self._may_be_named(data, 0, len(data)):
            return without_overlap(known)
        starts = [edit.start for edit in shaped]
        edits, exempt = known, set[int]()
        names: dict[tuple[str, ...], str] = {}
        for value in values(data, above):
            start, end, path, is_string, closed = value
            last, parent = path[-1] if path else "", path[:-1]
            if last in PAIR_NAMES and is_string:
                names[parent] = decode_literal(text_of(data[start:end]), closed=closed)
            elif last == "value" and parent in names and self.fields.covers((*parent, names[parent])):
                path = (*parent, names[parent])
            first, after = bisect_left(starts, start), bisect_left(starts, end)
            if self.fields.covers(path):
                edits += self._whole(data, value)
            elif self._for_files and self.fields.receives(path):
                found = _RECEIVER.match(data, start + 1, end)
                if found is not None and not is_placeholder(secret := text_of(found["secret"])):
                    edits.append(TextEdit(*found.span("secret"), self._hide(secret), "webhook address"))
            elif plain_name(last) in self._exempt:
                if first < after and not is_api_key(text_of(data[start + 1 : end - 1])):
                    exempt.update(range(first, after))
            elif is_string and self._may_differ(data, start, end, is_found=first < after):
                exempt.update(range(first, after))
                word = text_of(data[start:end])
                plain = decode_literal(word, closed=closed)
                inside = plain.encode("utf-8", "surrogatepass")
                if inner := self.in_document(inside):
                    shown = apply_to_bytes(inside, inner).decode("utf-8", "surrogatepass")
                    new = encode_literal(shown, word, closed=closed)
                    edits.append(TextEdit(start, end, new, inner[0].kind))
        return without_overlap((*edits, *(edit for n, edit in enumerate(shaped) if n not in exempt)))

    def _may_differ(self, data: bytes, start: int, end: int, *, is_found: bool) -> bool:
        """Whether the value of a literal has other secrets than the literal as it is written."""
        if data.find(_ESCAPE, start, end) >= 0:
            return True
        return seems_json(text_of(data[start + 1 : min(start + 64, end)])) and (
            is_found or self._may_be_named(data, start, end)
        )

    def _whole(self, data: bytes, value: Value) -> Iterator[TextEdit]:
        """Replace the whole of a value, because of its name or place."""
        word = text_of(data[value.start : value.end])
        if not value.is_string:
            if word not in ("null", "true", "false"):
                yield TextEdit(value.start, value.end, "0" if self._for_files else '"***"', "secret field")
            return
        plain = decode_literal(word, closed=value.closed)
        if (hidden := self.hide_value(plain)) != plain:
            if value.closed and looks_random(without_scheme(plain)):
                self.learn(without_scheme(plain))
            yield TextEdit(
                value.start, value.end, encode_literal(hidden, word, closed=value.closed), "secret field"
            )

    def hide_value(self, value: str) -> str:
        """Replace the whole value of a header or a field, except for the name of an authorisation scheme."""
        if all(is_placeholder(part) or not part for part in map(without_scheme, re.split("[,;] ", value))):
            return value
        secret = without_scheme(value)
        return value[: len(value) - len(secret)] + self._hide(secret)

    def in_stream(self, data: bytes, protocol: StreamProtocol) -> list[TextEdit]:
        """Return the edits for an event stream, also where a text is split over its events."""
        edits, of_texts = list[TextEdit](), list[TextEdit]()
        spread = defaultdict[str, _Fragments](_Fragments)
        blank_line = _BLANK_LINE if b"\r" in data else _PLAIN_BLANK_LINE
        bounds = pairwise(chain((0,), (found.end() for found in blank_line.finditer(data)), (len(data),)))
        # A stream may have a million events: secrets are looked for in 64 at once, then in each if there are any.
        while batch := list(islice(bounds, 64)):
            first = batch[0][0]
            many = data[first : batch[-1][1]]
            known, shaped = self._find(many)
            places = sorted(edit.start for edit in (*known, *shaped))
            may_be_named = self._may_be_named(many, 0, len(many))
            for start, end in batch:
                frame = many[start - first : end - first]
                key, fragment = _read_fragment(_blank_out(frame), protocol) or ("", "")
                if fragment:
                    spread[key].add(start, end, fragment)
                at = bisect_left(places, start - first)
                is_found = at < len(places) and places[at] < end - first
                if is_found or (may_be_named and self._may_be_named(frame, 0, len(frame))):
                    of_known, of_shaped = (
                        _cut_out(found, start - first, end - first) for found in (known, shaped)
                    )
                    edits += (edit.move(start) for edit in self._sift(_blank_out(frame), of_known, of_shaped))
            for key, fragments in spread.items():
                if fragments.size > 4 * STEP:
                    of_texts += self._in_fragments(data, key, fragments, protocol, keep=_AROUND)
        for key, fragments in spread.items():
            of_texts += self._in_fragments(data, key, fragments, protocol)
        return without_overlap((*of_texts, *edits))  # of two edits of a literal, the first has the halves, too

    def _in_fragments(
        self, data: bytes, key: str, fragments: _Fragments, protocol: StreamProtocol, keep: int = 0
    ) -> Iterator[TextEdit]:
        """A secret is replaced in the first fragment that it touches, and removed from the others.

        Of a text that is no document, the last bytes to `keep` are left for the next time.
        """
        joined = fragments.text.getvalue()
        if keep and seems_json(text_of(joined[:64])):
            return
        found = self.in_document(joined)
        places, whole = fragments.places, len(joined)
        count = len(places)
        while count and (whole > len(joined) - keep or any(edit.start < whole < edit.end for edit in found)):
            count -= 3
            whole -= places[count + 2]
        last = 0
        for at in range(0, count if found else 0, 3):
            start, end, size = places[at : at + 3]
            first, last = last, last + size
            share = [
                TextEdit(
                    max(edit.start, first) - first,
                    min(edit.end, last) - first,
                    edit.text if edit.start >= first else "",
                    edit.kind,
                )
                for edit in found
                if edit.start < last and edit.end > first
            ]
            if not share:
                continue
            fragment = joined[first:last]
            payload = _blank_out(data[start:end])
            new = apply_to_bytes(fragment, share).decode("utf-8", "surrogatepass")
            for value in values(payload):
                word = text_of(payload[value.start : value.end])
                if decode_literal(word, closed=value.closed).encode("utf-8", "surrogatepass") != fragment:
                    continue
                literal = encode_literal(new, word, closed=value.closed)
                changed = payload[: value.start] + bytes_of(literal) + payload[value.end :]
                if _read_fragment(changed, protocol) == (key, new):
                    yield TextEdit(start + value.start, start + value.end, literal, share[0].kind)
                    break
            else:
                raise UnreadableSecret(f"the event at byte {start} has part of a secret outside of any literal")
        fragments.drop(count, whole)


class TextEdit(NamedTuple):
    """Replaces `start` to `end`, in characters of a text or in bytes, with `text`; `kind` is the reason."""

    start: int
    end: int
    text: str
    kind: str

    def move(self, by: int) -> TextEdit:
        """The same edit, so many characters later."""
        return self._replace(start=self.start + by, end=self.end + by)


def without_overlap(edits: Iterable[TextEdit]) -> list[TextEdit]:
    """The edits in order; overlapping ones are merged into the first to begin (then the longest)."""
    kept: list[TextEdit] = []
    for edit in sorted(edits, key=lambda edit: (edit.start, -edit.end)):
        if not kept or edit.start >= kept[-1].end:
            kept.append(edit)
        elif edit.end > kept[-1].end:  # the remainder is part of a secret as well
            kept[-1] = kept[-1]._replace(end=edit.end)
    return kept


def apply_edits(text: str, edits: Iterable[TextEdit]) -> str:
    """Return the text after `edits`, which must be in order and must not overlap."""
    parts, at = [], 0
    for edit in edits:
        parts += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join((*parts, text[at:]))


def apply_to_bytes(data: bytes, edits: Iterable[TextEdit]) -> bytes:
    """Return the bytes after `edits`, which count bytes, are in order and do not overlap."""
    whole, at = memoryview(data), 0  # slicing it copies nothing
    parts: list[bytes | memoryview] = []
    for edit in edits:
        parts += [whole[at : edit.start], bytes_of(edit.text)]
        at = edit.end
    return b"".join((*parts, whole[at:])) if parts else data


def text_of(data: bytes) -> str:
    """Decode bytes into a text that `bytes_of` turns back into the same bytes, also if they are no UTF-8."""
    return data.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    """Encode a text; the inverse of `text_of`."""
    return text.encode("utf-8", "surrogateescape")


def _count_bytes(text: str, edits: Iterable[TextEdit]) -> list[TextEdit]:
    """The edits of a text in order, as edits of its bytes."""
    edits = sorted(edits)
    if text.isascii():
        return edits
    ends = sorted({place for edit in edits for place in (edit.start, edit.end)})
    sizes, before = dict[int, int](), (0, 0)
    for end in ends:
        before = end, before[1] + len(bytes_of(text[before[0] : end]))
        sizes[end] = before[1]
    return [edit._replace(start=sizes[edit.start], end=sizes[edit.end]) for edit in edits]


# One search for many words. An automaton takes the same time however many there are.


class _Words:
    """Finds words in a text, without regard to the case of ASCII letters, each with what it stands for."""

    def __init__(self, words: Iterable[tuple[str, Any]], *, longest: bool = False) -> None:
        from ahocorasick_rs import BytesAhoCorasick, MatchKind

        pairs = [(_fold(word), value) for word, value in words]
        self._values = [value for _, value in pairs]
        self._longest = longest
        kind = MatchKind.LeftmostLongest if longest else MatchKind.Standard
        self._automaton = BytesAhoCorasick([data for data, _ in pairs], matchkind=kind)

    def find(self, text: str) -> Iterator[tuple[int, int, Any]]:
        """Start, end and value of each occurrence in order; of those that overlap only the longest, if so made."""
        data = _fold(text)
        found = self._automaton.find_matches_as_indexes(data, overlapping=not self._longest)
        seen = before = 0
        for index, start, end in sorted(found, key=lambda match: match[1:]):
            first, last = start, end
            if len(data) != len(text):  # count in characters
                before += len(data[seen:start].decode("utf-8", "surrogatepass"))
                seen, first = start, before
                last = first + len(data[start:end].decode("utf-8", "surrogatepass"))
            yield first, last, self._values[index]


def _fold(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass").lower()


def cores(secret: str) -> Iterator[tuple[str, int]]:
    """The base64 characters that depend on the secret alone, by how many bytes came before it, modulo three."""
    data = secret.encode("utf-8", "surrogatepass")
    for before, start in enumerate((0, 2, 3)):
        end = (before + len(data)) * 8 // 6
        for encode in (b64encode, urlsafe_b64encode):
            yield encode(b"\0" * before + data)[start:end].decode("ascii"), before


_SAFE_IN_PATHS = "!$&'()*+,;=:@"
"""What a segment of a path may have as it is (RFC 3986, section 3.3)."""


def spellings(secret: str) -> Iterator[str]:
    """A secret unchanged and as one encoding writes it: in JSON, in URLs, in forms and in base64."""
    literal = json.dumps(secret)[1:-1]
    yield from dict.fromkeys(
        (
            *(secret, literal, literal.replace("/", r"\/"), json.dumps(secret, ensure_ascii=False)[1:-1]),
            *(quote(secret, safe=""), quote(secret), quote_plus(secret), quote(secret, safe=_SAFE_IN_PATHS)),
            *(core for core, _ in cores(secret) if len(core) >= 8),  # fewer occur by chance
        )
    )


_BASE64 = re.compile(r"[\w+/\-]+={0,2}", re.ASCII)


class _Encoded(NamedTuple):
    """A shape that is looked for in base64, after so many other bytes of its group of three."""

    shape: SecretShape
    before: int


@cache
def _starts() -> _Words:
    """Where any shape may start, in plain text and in base64."""
    words: list[tuple[str, Any]] = []
    for shape in (*KEYS, *CONTEXTS, *PRIVATE_PLACES):
        words += [(start, shape) for start in shape.starts]
    for shape in KEYS:
        encoded = {pair for start in shape.starts for pair in cores(start)}
        words += [(core, _Encoded(shape, before)) for core, before in encoded if len(core) >= 3]
    return _Words(words)


@cache
def _pattern(shape: SecretShape) -> re.Pattern[str]:
    text = shape.pattern
    return re.compile(text if "(?P<secret>" in text else f"(?P<secret>{text})")


def _find_encoded(text: str, start: int, encoded: _Encoded) -> int:
    """Where the base64 of a key ends whose first characters stand at `start`; 0 if it is none."""
    first = start - (0, 2, 3)[encoded.before]
    begun = _BASE64.match(text, first, first + 2048) if first >= 0 else None  # more than any key of these has
    if begun is None:
        return 0
    data = begun[0].rstrip("=").replace("+", "-").replace("/", "_")
    data = data[:-1] if len(data) % 4 == 1 else data
    plain = urlsafe_b64decode(data + "=" * (-len(data) % 4)).decode("latin-1")
    if _pattern(encoded.shape).match(plain, encoded.before) is None:
        return 0
    word = _BASE64.match(text, first)
    return word.end() if word is not None else 0


_PARAMETER = re.compile(r"(?:[?&;#]|\\u0026)(?P<name>[\w.$%\[\]\-]{1,64})\Z")
_VALUE = re.compile(r"[^&#\s\"'<>\\]+")
_IN_ANOTHER = re.compile(
    r"(?:%(?:3F|26|23)|[?&#])(?P<name>[\w.$\[\]\-]{1,64})%3D(?P<value>(?:(?!%26|%23)[^&#\s\"'<>\\])+)",
    re.IGNORECASE,
)
"""A parameter of a URL that is itself a parameter, so that its marks are escaped."""


def _parameters(text: str, is_secret: Callable[[str], bool]) -> Iterator[tuple[int, int]]:
    """Where the values of parameters of URLs are in a text whose names are secret."""
    at = text.find("=")
    while at >= 0:  # most long texts have few of them
        found = _PARAMETER.search(text[max(0, at - 70) : at])  # the longest name, and what stands before it
        value = _VALUE.match(text, at + 1) if found is not None and is_secret(unquote(found["name"])) else None
        if value is not None:
            yield value.span()
        at = text.find("=", at + 1 if value is None else value.end())
    for found in _IN_ANOTHER.finditer(text) if "%3D" in text or "%3d" in text else ():
        if is_secret(found["name"]):
            yield found.span("value")


# The values of a JSON text and their places, even if it was cut anywhere. A parser would lose the places, and
# reject the end of a dropped stream, which may hold a secret as well.


_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?P<closed>"?)|[{}\[\],]|[^\s{}\[\],:"]+', re.DOTALL)
_OPENERS, _CLOSERS = "{[", b"}]"
_OBJECT, _LIST, _COMMA, _QUOTE_MARK = b'{[,"'
_ESCAPE = b"\\u00"
"""How some writers of JSON begin an ASCII character that others write as it is, such as `+`."""


_RECEIVER = re.compile(rb'(?i:https?):(?:\\?/){2}[^/?#\\\s"]+\\?[/?](?P<secret>[^\s"]+)')
"""A URL as a JSON literal has it; what follows its host is `secret`."""


class Value(NamedTuple):
    """A string or another scalar of a JSON text; `path` is a place as in `SecretFields`."""

    start: int
    end: int
    path: tuple[str, ...]
    is_string: bool
    closed: bool


def values(data: bytes, above: Iterable[str] = ()) -> Iterator[Value]:
    """The scalars of a JSON text in order; `above` is the place of the whole text."""
    path = list(above)
    opened: list[bool] = []  # for each open container, whether it is an object
    name: str | None = None  # the member whose value is being read
    for found in _TOKEN.finditer(data):
        start, end = found.span()
        first = data[start]
        if first in (_OBJECT, _LIST):
            opened.append(first == _OBJECT)
            path.append(name or "")
            name = None
        elif first in _CLOSERS:
            if opened:
                opened.pop()
                path.pop()
            name = None
        elif first == _COMMA:
            name = None
        elif first == _QUOTE_MARK and opened and opened[-1] and name is None:
            name = decode_literal(text_of(found[0]), closed=bool(found["closed"]))
        else:
            # Of a deeper place only so many outermost names: the cost must stay linear in the text.
            place = (*path[:64], *(() if name is None else (name,)))
            is_string = first == _QUOTE_MARK
            yield Value(start, end, place, is_string, not is_string or bool(found["closed"]))


def decode_literal(word: str, *, closed: bool = True) -> str:
    """The value of a JSON string literal; if it was cut, the part that is there."""
    inner = word[1:-1] if closed else word[1:]
    if "\\" not in inner:
        return inner
    try:
        return str(json.loads(f'"{inner}"', strict=False))
    except ValueError:
        return inner


_LONE = re.compile("[\ud800-\udc7f\udd00-\udfff]")
"""Halves of a character, which JSON can only escape."""


def encode_literal(value: str, like: str, *, closed: bool = True) -> str:
    """The literal of `value`; in ASCII if `like`, the literal that it replaces, is."""
    literal = json.dumps(value, ensure_ascii=like.isascii() or _LONE.search(value) is not None)
    return literal if closed else literal[:-1]


def seems_json(text: str) -> bool:
    """Whether a text begins like a JSON object, array or string."""
    return text[:64].lstrip(" \t\r\n\ufeff")[:1] in (*_OPENERS, '"')


class _Fragments:
    """The pieces of one text that came in many events."""

    def __init__(self) -> None:
        self.text = BytesIO()
        self.places = array("Q")
        """Of each piece: start and end of its event, and its size. Of a million events, objects take too much."""

    @property
    def size(self) -> int:
        """The bytes of the text."""
        return self.text.tell()

    def add(self, start: int, end: int, fragment: str) -> None:
        """Add the piece of the event from `start` to `end`."""
        self.places.extend((start, end, self.text.write(fragment.encode("utf-8", "surrogatepass"))))

    def drop(self, count: int, size: int) -> None:
        """Forget the first numbers of `places`, and the bytes of their pieces."""
        rest = self.text.getvalue()[size:]
        del self.places[:count]
        self.text = BytesIO()
        self.text.write(rest)


class UnreadableSecret(ValueError):
    """A secret was found that cannot be replaced."""


_BLANK_LINE = re.compile(rb"(?>\r\n|\r|\n){2,}")
_PLAIN_BLANK_LINE = re.compile(rb"\n\n\n*")
"""A blank line in a text without a CR, ten times as fast."""
_HEAD = re.compile(rb"(?:event:[^\r\n]*\r?\n)?data: ?(?=[^\r\n]*\s*\Z)")
_NOT_PAYLOAD = re.compile(rb"(?:^|(?<=[\r\n]))(?:data: ?|(?!data)[^\r\n]+)")
"""Matches what is not payload in an event: the prefix of each data line, and every other line."""


_decode = msgspec.json.Decoder().decode


def _blank_out(frame: bytes) -> bytes:
    """An event with everything but its payload replaced by spaces, so that offsets stay the same."""
    if head := _HEAD.match(frame):  # nearly all events: one line of data
        return b" " * head.end() + frame[head.end() :]
    return _NOT_PAYLOAD.sub(lambda prefix: b" " * len(prefix[0]), frame)


def _read_fragment(payload: bytes, protocol: StreamProtocol) -> tuple[str, str] | None:
    """(join key, fragment) of an event; None if it carries no text."""
    payload = payload.strip()
    if not payload.startswith(b"{"):
        return None
    try:
        event = _decode(payload)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return protocol.text_of(event) if isinstance(event, dict) else None


def _cut_out(edits: list[TextEdit], start: int, end: int) -> list[TextEdit]:
    """Of sorted edits those of a part of the text, with their places in that part."""
    first, after = (bisect_left(edits, place, key=lambda edit: edit.start) for place in (start, end))
    return [edit.move(-start) for edit in edits[first:after]]


_BEFORE_WORD, _AFTER_WORD = re.compile(r"(?:[\w-]|\w\.)\Z"), re.compile(r"[\w-]|\.\w")
