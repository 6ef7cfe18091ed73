"""Find the recording that answers a request: the next unplayed one, with ids mapped. Layer 1.

Both player and recorder match with this. Each recording is made comparable once and then found by its form, so a
look-up costs the same in a cassette of ten entries and of ten thousand.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from harness.cassette.format.recording import Recording
from harness.cassette.replay.matching import (
    CanonicalRequest,
    IdMapping,
    RequestDifference,
    difference,
    differences,
    shape,
)
from harness.wire import StreamProtocol


class Index:
    """Recordings by the form of their requests; a position is a recording's index in the order of addition.

    Not safe to use from several threads.
    """

    def __init__(self, protocol: StreamProtocol) -> None:
        self.forms: list[CanonicalRequest] = []
        self._ids = IdMapping(protocol)
        self._same: defaultdict[CanonicalRequest, list[int]] = defaultdict(list)
        self._alike: defaultdict[tuple[Any, ...], list[int]] = defaultdict(list)
        self._played: set[int] = set()

    def add(self, recordings: Sequence[Recording], forms: Iterable[CanonicalRequest]) -> None:
        """Add recordings, with the forms of their requests."""
        self._ids.learn(recordings)
        for form in forms:
            number = len(self.forms)
            self.forms.append(form)
            self._same[form].append(number)
            self._alike[shape(form, self._ids)].append(number)

    def is_played(self, number: int) -> bool:
        """Whether this recording has answered a request."""
        return number in self._played

    def play(self, number: int) -> None:
        """Mark a recording as played, so that it answers no further request."""
        self._played.add(number)

    def next(self, asked: CanonicalRequest) -> int | None:
        """The first unplayed recording of exactly this request."""
        return next(iter(self._drop_played(self._same, asked)), None)

    def match(self, asked: CanonicalRequest) -> int | None:
        """Like `next`, with a fallback to a request that differs only in ids the cassette did not give out."""
        same = self.next(asked)
        if same is not None:
            return same
        for number in self._drop_played(self._alike, shape(asked, self._ids)):
            if self.bind(asked, self.forms[number]):
                return number
        return None

    def substitutes(self, asked: CanonicalRequest, form: CanonicalRequest) -> dict[str, str] | None:
        """The ids that stand for recorded ones if this request is of that form; None if it is not."""
        bound: dict[str, str] = {}
        return bound if difference(asked, form, self._ids, bound) is None else None

    def bind(self, asked: CanonicalRequest, form: CanonicalRequest) -> bool:
        """Keep the ids that stand for recorded ones for the rest of the replay; false if there is a difference."""
        bound = self.substitutes(asked, form)
        if bound is not None:
            self._ids.bind(bound)
        return bound is not None

    def _drop_played(self, found: defaultdict[Any, list[int]], key: object) -> list[int]:
        """The unplayed recordings of one group; the played ones are dropped from it."""
        if key not in found:
            return []
        found[key] = [number for number in found[key] if number not in self._played]
        return found[key]

    def times(self, asked: CanonicalRequest) -> list[int]:
        """Every recording of a request, played or not."""
        return [n for n, form in enumerate(self.forms) if difference(asked, form, self._ids, {}) is None]

    def nearest(self, asked: CanonicalRequest) -> tuple[int, RequestDifference]:
        """The nearest recording and its first difference; ranked by same path, same method, fewest differences."""
        ranked = [
            (_rank(found := list(differences(asked, form, self._ids, {}))), number, found)
            for number, form in enumerate(self.forms)
        ]
        _, number, found = min(ranked, key=lambda entry: entry[:2])
        return number, found[0]


def _rank(found: Sequence[RequestDifference]) -> tuple[bool, bool, int]:
    fields = {item.field for item in found}
    return "path" in fields, "method" in fields, len(found)
