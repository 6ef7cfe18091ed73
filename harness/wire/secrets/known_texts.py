"""Finds any of a growing number of texts; the time hardly depends on how many there are. Layer 0.

An Aho-Corasick automaton cannot grow. So the texts are kept in automata of growing size: a few small ones of equal
rank are merged into one of the next rank. Each text is built into few automata, and few are searched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from harness.wire.secrets.hints import PART, parts_of

_OF_A_RANK = 4
"""How many automata of one rank are merged into one of the next."""


class KnownTexts:
    """Texts to find, without regard to the case of ASCII letters. Searching is safe while another thread adds."""

    def __init__(self) -> None:
        self._automata: tuple[tuple[int, list[bytes], Any], ...] = ()
        self._longest = 0

    def add(self, texts: Iterable[str]) -> None:
        """Find these texts, too; none of them may be empty."""
        patterns = [_fold(text) for text in texts]
        if not patterns:
            return
        self._longest = max(self._longest, *map(len, patterns))  # before a search can find the new ones
        automata = [*self._automata]
        rank = 0
        while len(same := automata[-_OF_A_RANK + 1 :]) == _OF_A_RANK - 1 and all(one[0] == rank for one in same):
            patterns = [pattern for _, older, _ in same for pattern in older] + patterns
            del automata[-_OF_A_RANK + 1 :]
            rank += 1
        self._automata = (*automata, (rank, patterns, _build_automaton(patterns)))

    def occur_in(self, text: str) -> bool:
        """Whether any of them is in the text."""
        return bool(self._automata) and next(self.find(text), None) is not None

    def find(self, text: str) -> Iterator[tuple[int, int]]:
        """The start and end of each occurrence, also of those that overlap, in no particular order.

        A long text is searched part by part, because a search folds what it searches into a copy.
        """
        if not (automata := self._automata):
            return
        for at, part in parts_of(text, overlap=self._longest):
            for start, end in _find_in(part, automata):
                if start < PART:  # what begins later is found in the next part
                    yield at + start, at + end


def _find_in(part: str, automata: Iterable[tuple[int, list[bytes], Any]]) -> Iterator[tuple[int, int]]:
    data = _fold(part)
    short = len(data) == len(part)
    for _, _, automaton in automata:
        found = ((start, end) for _, start, end in automaton.find_matches_as_indexes(data, overlapping=True))
        if short:
            yield from found
            continue
        seen = before = 0
        for start, end in sorted(found):
            before += len(_unfold(data[seen:start]))
            seen = start
            yield before, before + len(_unfold(data[start:end]))


def _build_automaton(patterns: list[bytes]) -> Any:
    from ahocorasick_rs import BytesAhoCorasick

    return BytesAhoCorasick(patterns)


def _fold(text: str) -> bytes:
    """Bytes of the text with small ASCII letters; texts from bodies may contain halves of surrogate pairs."""
    return text.encode("utf-8", "surrogatepass").lower()


def _unfold(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")
