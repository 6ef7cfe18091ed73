"""Known secrets in a text: how they may be spelled there, and where they are, also where the text was cut.

Layer 0, pure.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode, b64encode, urlsafe_b64encode
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import escape
from html import unescape as unescape_html
from itertools import accumulate
from string import ascii_lowercase, ascii_uppercase
from urllib.parse import quote, quote_plus, unquote

from harness.wire.secrets import PART, parts_of

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
    literal = encode_in_json(secret)
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


def encode_in_json(secret: str) -> str:
    """The secret as it is between the quotes of JSON."""
    return json.dumps(secret)[1:-1]


def cores(secret: str, *, nested: bool = True) -> Iterator[str]:
    """The base64 characters that depend on the secret alone, whatever is encoded before and after it.

    `nested`: also those of a text in base64 that is in base64 again, as a header of a `data:` URL in a body is.
    """
    for core in _list_cores(secret.encode("utf-8", "surrogatepass")):
        yield core
        if nested:
            yield from _list_cores(core.encode("ascii"))


def _list_cores(data: bytes) -> Iterator[str]:
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


# Finds any of a growing number of texts; the time hardly depends on how many there are. An Aho-Corasick automaton
# cannot grow. So the texts are kept in automata of growing size: a few small ones of equal rank are merged into
# one of the next rank. Each text is built into few automata, and few are searched.


_LONG = 512
"""From this length on, the fastest automaton takes too long to build: seconds for a repeated letter."""
_OF_A_RANK = 4
"""How many automata of one rank are merged into one of the next."""
_AT_ONCE = 16_384
"""Bytes that are searched at once where many occurrences may overlap: each is a value of its own."""


class _Automaton:
    """Finds its texts in bytes."""

    def __init__(self, rank: int, texts: Sequence[bytes]) -> None:
        from ahocorasick_rs import BytesAhoCorasick, Implementation

        self.rank = rank
        self.texts = texts
        self._longest = max(map(len, texts))
        implementation = Implementation.ContiguousNFA if self._longest > _LONG else None
        self._built = BytesAhoCorasick(texts, implementation=implementation)

    def occurs_in(self, data: bytes) -> bool:
        return bool(self._built.find_matches_as_indexes(data))

    def find(self, data: bytes) -> Iterator[tuple[int, int]]:
        """The start and end of each occurrence, in the order of their ends."""
        return ((start, end) for _, start, end in self._built.find_matches_as_indexes(data, overlapping=True))

    def find_stretches(self, data: bytes) -> list[tuple[int, int, int]]:
        """The stretches that the occurrences cover: start and end of each, and where its first occurrence ends."""
        found: list[tuple[int, int, int]] = []
        if not self.occurs_in(data):
            return found
        size = max(_AT_ONCE, self._longest)
        first = until = -1
        for at in range(0, len(data), size):
            for start, end in self.find(data[at : at + size + self._longest]):
                if start >= size:  # what begins later is found in the next part
                    continue
                if first < at + start < until:  # most of those that overlap: nothing but the end may change
                    if until < at + end:
                        until = at + end
                        found[-1] = (first, until, found[-1][2])
                    continue
                one = (at + start, at + end, at + end)
                while found and found[-1][1] > one[0]:
                    one = _join(*sorted((one, found.pop())))
                found.append(one)
                first, until, _ = one
        return found

    def list_needed(self) -> list[bytes]:
        """The texts without those that shorter ones cover several times over.

        A sender of the texts may choose a letter a hundred times, ninety-nine times, and so on. Then each
        letter of another text would be in a hundred occurrences.
        """
        return [text for text in self.texts if not self._is_covered(text)]

    def _is_covered(self, text: bytes) -> bool:
        shorter = [(start, end) for start, end in self.find(text) if end - start < len(text)]
        if len(shorter) < _COVERED:
            return False
        changes = [0] * (len(text) + 1)
        for start, end in shorter:
            changes[start] += 1
            changes[end] -= 1
        return min(accumulate(changes[:-1])) >= _COVERED


_COVERED = 4
"""A text is needed no more where this many others cover each of its characters."""


def _join(first: tuple[int, int, int], second: tuple[int, int, int]) -> tuple[int, int, int]:
    """Two stretches that overlap, the first to begin before the other."""
    start, end, until = first
    return start, max(end, second[1]), max(until, second[2]) if second[0] == start else until


class KnownTexts:
    """Texts to find, without regard to the case of ASCII letters. Searching is safe while another thread adds."""

    def __init__(self) -> None:
        self._automata: tuple[_Automaton, ...] = ()
        self._longest = 0

    def add(self, texts: Iterable[str]) -> None:
        """Find these texts, too; none of them may be empty."""
        patterns = [_fold(text) for text in texts]
        if not patterns:
            return
        self._longest = max(self._longest, *map(len, patterns))  # before a search can find the new ones
        automata = [*self._automata]
        rank = 0
        while len(same := automata[-_OF_A_RANK + 1 :]) == _OF_A_RANK - 1 and all(one.rank == rank for one in same):
            patterns = list(dict.fromkeys([*(pattern for older in same for pattern in older.texts), *patterns]))
            del automata[-_OF_A_RANK + 1 :]
            rank += 1
        self._automata = (*automata, self._build(rank, patterns))

    def _build(self, rank: int, patterns: list[bytes]) -> _Automaton:
        return _Automaton(rank, patterns)

    def occur_in(self, text: str) -> bool:
        """Whether any of them is in the text."""
        if not (automata := self._automata):
            return False
        folded = (_fold(part) for _, part in parts_of(text, overlap=self._longest))
        return any(automaton.occurs_in(data) for data in folded for automaton in automata)

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """The start and end of each occurrence, also of those that overlap, in order.

        A long text is searched part by part, because a search folds what it searches into a copy.
        """
        if not (automata := self._automata):
            return
        for at, part in parts_of(text, overlap=self._longest):
            for start, end in _find_in(part, [automaton.find for automaton in automata]):
                if start < PART:  # what begins later is found in the next part
                    yield at + start, at + end


class KnownStretches(KnownTexts):
    """Texts of which it matters which characters of another text they cover."""

    def _build(self, rank: int, patterns: list[bytes]) -> _Automaton:
        built = _Automaton(rank, patterns)
        needed = built.list_needed() if rank else patterns
        return built if len(needed) == len(patterns) else _Automaton(rank, needed)

    def find_stretches(self, text: str) -> Iterator[tuple[int, int, int]]:
        """The stretches that the occurrences cover, in order.

        The start and end of each stretch, and where the longest occurrence at its start ends. Stretches do not
        overlap, and there are not more of them than characters, however many texts overlap there.
        """
        if not (automata := self._automata):
            return
        begun: tuple[int, int, int] | None = None
        for at, part in parts_of(text, overlap=self._longest):
            for start, end, until in _find_in(part, [automaton.find_stretches for automaton in automata]):
                if start >= PART:  # what begins later is found in the next part
                    break
                one = (at + start, at + end, at + until)
                if begun is not None and one[0] < begun[1]:
                    begun = _join(begun, one)
                    continue
                if begun is not None:
                    yield begun
                begun = one
        if begun is not None:
            yield begun


_Find = Callable[[bytes], Iterable[tuple[int, ...]]]


def _find_in(part: str, functions: Iterable[_Find]) -> Iterator[tuple[int, ...]]:
    """The places that several functions find in the folded bytes of a part, in order, counted in characters."""
    data = _fold(part)
    found = sorted(place for find in functions for place in find(data))
    if len(data) == len(part):
        del data  # of a body with one part after the other, each counts
        yield from found
        return
    seen = before = 0
    for start, *ends in found:
        before += len(_unfold(data[seen:start]))
        seen = start
        yield (before, *(before + len(_unfold(data[start:end])) for end in ends))


def _fold(text: str) -> bytes:
    """Bytes of the text with small ASCII letters; texts from bodies may contain halves of surrogate pairs."""
    return text.encode("utf-8", "surrogatepass").lower()


def _unfold(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


# Finds the rest of known texts where a text was cut inside one of them.


_SMALL = str.maketrans(ascii_uppercase, ascii_lowercase)

_HALF_ESCAPE = r"%[0-9a-f]?|\\{1,8}(?:u[0-9a-f]{0,3})?|&(?:#x?[0-9a-f]{0,6})?"
"""What a cut leaves of the escape of one character; the end of one is any few of its characters."""

_CUT = re.compile(rf"(?P<rest>(?:{_HALF_ESCAPE}|[0-9a-fux#;]{{1,6}})?)(?:…|\.\.\.|['\"`()<]|\Z)", re.IGNORECASE)
"""What may stand at the place where somebody cut a text."""

MOST = 4_096
"""So many characters of a known text are a beginning of it, whatever follows."""

_SURE = 32
"""So many are, too, if they are half of the text: servers repeat a credential but for its end."""

_LEFT_AT_END = re.compile(rf"(?:{_HALF_ESCAPE})\Z", re.IGNORECASE)


class CutTexts:
    """Known texts of which a beginning of `least` characters or more is found if a cut follows it.

    To find ends that follow a cut, add reversed texts and search a reversed text. The time hardly depends on how
    many texts there are.
    """

    def __init__(self, least: int) -> None:
        self._least = least
        self._longest = 0
        self._wholes: set[str] = set()
        self._by_start: dict[str, list[str]] = {}
        self._starts = KnownTexts()

    @property
    def are_any(self) -> bool:
        """Whether there are texts to find."""
        return bool(self._by_start)

    def add(self, texts: Iterable[str], *, as_wholes: bool = False) -> None:
        """Find the beginnings of these, too; `as_wholes`: also all of a text, whatever follows it."""
        new = set()
        for text in map(lower_ascii, texts):
            start = text[: self._least]
            if len(text) > self._least:
                if as_wholes:
                    self._wholes.add(text)
                self._longest = max(self._longest, len(text))
                if start not in self._by_start:
                    new.add(start)
                insort(self._by_start.setdefault(start, []), text)
        self._starts.add(new)

    def find(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Where each beginning stands, with the half of an escape behind it, and the text that it begins."""
        at, lowered = 0, ""
        for start, _ in self._starts.find(text):
            if start < at:
                continue
            lowered = lowered or lower_ascii(text)
            texts = self._by_start[lowered[start : start + self._least]]
            whole, size = _find_most_common(texts, lowered[start : start + min(self._longest, MOST)])
            if size == MOST:
                whole, size = _find_most_common(texts, lowered[start : start + self._longest])
            cut = _CUT.match(text, start + size) if size < len(whole) else None
            is_whole = size == len(whole) and whole in self._wholes
            is_most = size >= MOST or (size >= _SURE and 2 * size >= len(whole))
            if cut is not None or (is_most and size < len(whole)) or is_whole:
                at = start + size if cut is None else cut.end("rest")
                yield start, at, whole
            elif size > MOST:  # it is known as a whole: of a repeated letter, so is nearly each place in it
                at = start + size - MOST


def _find_most_common(texts: list[str], part: str) -> tuple[str, int]:
    """That of the sorted texts which has the longest beginning in common with `part`, and its length."""
    at = bisect_left(texts, part)
    return max(
        ((text, _count_common(text, part)) for text in texts[max(at - 1, 0) : at + 1]), key=lambda one: one[1]
    )


def _count_common(text: str, other: str) -> int:
    low, high = 0, min(len(text), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if text[low:middle] == other[low:middle] else (low, middle - 1)
    return low


def count_left_at_end(text: str) -> int:
    """How many characters at the end of a text are half of an escape."""
    found = _LEFT_AT_END.search(text, max(0, len(text) - 16))
    return len(found[0]) if found else 0


def lower_ascii(text: str) -> str:
    """The text with small ASCII letters, so that it keeps its length."""
    return text.lower() if text.isascii() else text.translate(_SMALL)
