"""Where in a text a secret might begin: a cheap test before the patterns are tried. Layer 0, pure.

Long texts are searched part by part. A regular expression keeps all other threads waiting until it returns, and a
recorder must forward other answers while it searches a large one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

EXACT = (
    "AIza", "auth_tokens/", "AQ.", "ya29", "GOCSPX", "sk-", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat",
    "AKIA", "ASIA", "xox", "hf_", "eyJ", "whsec", "1//0", "glpat-", "k_live_", "k_test_", "npm_", "pypi-",
    "PRIVATE KEY", "://",
)  # fmt: skip
IN_ANY_CASE = (
    "bearer", "api_key", "api-key", "apikey", "access_key", "access-key", "accesskey", "secret", "access_token",
    "access-token", "accesstoken", "refresh_token", "refresh-token", "refreshtoken", "auth_token", "auth-token",
    "authtoken", "passw", "form-data",
)  # fmt: skip
"""Each pattern of a secret begins, up to `_BEFORE` characters earlier, where one of these or a parameter is."""

_PARAMETER = re.compile(r"[?&;#][\w\-]+=")
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
