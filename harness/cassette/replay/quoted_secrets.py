"""Match a request that quotes a secret before any request has named it. Layer 1.

The recorder learned the secret later and went back: the recording has a placeholder where the client of a replay
writes a text that nobody can know to be a secret. Such a request is the recorded one if it differs only there, and
if nothing else could be meant: one placeholder stands for one text throughout a replay, and two for two.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.cassette.format.recording import Recording
from harness.cassette.redaction.redactor import SHORTEST_LEARNED
from harness.cassette.replay.index import Index
from harness.cassette.replay.matching import PLACEHOLDER, Canon, CanonicalRequest
from harness.wire import Request

_MARK = b"REDACTED-"
_SECRET = re.compile(rf'(?=.{{{SHORTEST_LEARNED}}})[\w+/~-][^\s"\\<>]*[\w+/~=-]')
"""What a placeholder may stand for: the recorder learns no shorter one; a full stop after it is not its own."""


class QuoteMatcher:
    """Finds the recording whose placeholders stand for a request's texts. Not safe to use from several threads."""

    def __init__(self, canon: Canon, index: Index) -> None:
        self._canon = canon
        self._index = index
        self._texts: dict[str, str] = {}
        self._written: dict[int, CanonicalRequest] = {}

    def match(self, request: Request, asked: CanonicalRequest, recordings: Sequence[Recording]) -> int | None:
        """The first unplayed recording that fits; None if none does, or if different requests do."""
        waiting = [
            number
            for number, recording in enumerate(recordings)
            if _MARK in recording.request.body and not self._index.is_played(number)
        ]
        if not waiting or not request.body:
            return None
        got = self._canon.write_form(request)
        fits = [(number, fit) for number in waiting for fit in self._fits(asked, got, number, recordings[number])]
        if len({self._index.forms[number] for number, _ in fits}) != 1:
            return None
        number, (form, texts) = fits[0]
        self._texts.update(texts)
        self._index.bind(asked, form)
        return number

    def _fits(
        self, asked: CanonicalRequest, got: CanonicalRequest, number: int, recording: Recording
    ) -> Iterator[tuple[CanonicalRequest, dict[str, str]]]:
        """The recorded form with the request's texts in it, and these texts; nothing if it is another request."""
        form = self._index.forms[number]
        if number not in self._written:
            self._written[number] = self._canon.write_form(recording.request)
        filled = fill_in(asked, got, form, self._written[number], self._texts)
        if filled is not None and self._index.substitutes(asked, filled[0]) is not None:
            yield filled


def fill_in(
    asked: CanonicalRequest,
    got: CanonicalRequest,
    form: CanonicalRequest,
    written: CanonicalRequest,
    known: dict[str, str],
) -> tuple[CanonicalRequest, dict[str, str]] | None:
    """Put the texts of a request where a recorded one has placeholders; None if they cannot be the same.

    `asked` and `form` are compared, with their secrets hidden; `got` and `written` are the same requests as they
    are written. `known` are the texts that placeholders already stand for.
    """
    if [leaf[:2] for leaf in asked.leaves] != [leaf[:2] for leaf in form.leaves]:
        return None
    texts: dict[str, str] = {}
    leaves = list(form.leaves)
    for at, (mine, theirs) in enumerate(zip(asked.leaves, form.leaves, strict=True)):
        if mine == theirs or not PLACEHOLDER.search(written.leaves[at][2]):
            continue
        found = _read_texts(got.leaves[at][2], written.leaves[at][2])
        if found is None or not all(_may_stand(*pair, texts | known) for pair in found):
            return None
        texts.update(found)
        leaves[at] = mine
    return (replace(form, leaves=tuple(leaves)), texts) if texts else None


def _may_stand(placeholder: str, text: str, known: dict[str, str]) -> bool:
    """Whether nothing else is known of this placeholder, and no other of this text."""
    return known.get(placeholder, text) == text and (placeholder in known or text not in known.values())


def _read_texts(got: str, written: str) -> list[tuple[str, str]] | None:
    """Each placeholder of `written`, and what `got` has in its place; None if all else is not the same.

    Reads from the left, without going back, so that no text takes long; a text ends where what follows the
    placeholder begins.
    """
    parts = PLACEHOLDER.split(written)
    if "" in parts[1:-1] or not got.startswith(parts[0]):
        return None  # two placeholders side by side could be told apart in many ways
    found: list[tuple[str, str]] = []
    at = len(parts[0])
    for placeholder, after in zip(PLACEHOLDER.findall(written), parts[1:], strict=True):
        last = len(found) == len(parts) - 2
        end = len(got) - len(after) if last else got.find(after, at + SHORTEST_LEARNED)
        if end < at or not got.startswith(after, end) or not _SECRET.fullmatch(got, at, end):
            return None
        found.append((placeholder, got[at:end]))
        at = end + len(after)
    return found if len({*found}) == len({name for name, _ in found}) else None
