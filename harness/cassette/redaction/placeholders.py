"""The secrets of one recording session, and the placeholder of each. Layer 1.

Each secret has one placeholder for as long as the table lives, so values that were equal in the traffic are equal
in the cassette. A placeholder contains a number and reveals nothing about the secret, not even its length.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.cassette.format.byte_edits import TextEdit
from harness.wire.secret_forms import cores, spellings
from harness.wire.secret_patterns import hints, is_placeholder, sightings

SHORTEST = 4
"""A shorter secret is hidden where its name marks it, but not wherever the same characters occur."""

PREFIX = 6
"""The least number of characters of a known secret that are hidden at the edge where a text was cut."""

_A_PATTERN = 64
"""Spellings per pattern. A new spelling recompiles only the latest pattern, which this keeps small."""

_NOTHING = re.compile(r"(?!)")


class PlaceholderTable:
    """Knows secrets and their placeholders. `secrets` are known from the start, such as the key of the run."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._placeholders: dict[str, str] = {}
        self._spellings: dict[str, str] = {}
        self._in_base64: set[str] = set()
        self._patterns: list[re.Pattern[str]] = []
        self._latest: list[str] = []
        for secret in secrets:
            self.learn(secret)

    def placeholder(self, secret: str) -> str:
        """The placeholder of a secret."""
        return self._placeholders.setdefault(secret, f"REDACTED-{len(self._placeholders) + 1}")

    def learn(self, secret: str, *, in_base64: bool = True) -> None:
        """Hide this value from now on, wherever it occurs: also in URLs, forms, JSON strings, and base64."""
        known = self._in_base64 if in_base64 else self._spellings
        if len(secret) < SHORTEST or is_placeholder(secret) or secret in known:
            return
        if in_base64:
            self._in_base64.add(secret)
        new = [*spellings(secret), *(cores(secret) if in_base64 else ())]
        new = [spelling for spelling in dict.fromkeys(new) if spelling not in self._spellings]
        self._spellings.update(dict.fromkeys(new, secret))
        if len(self._latest) + len(new) > _A_PATTERN or not self._patterns:
            self._latest = []
            self._patterns.append(_NOTHING)
        self._latest = sorted((*self._latest, *new), key=len, reverse=True)
        self._patterns[-1] = re.compile("|".join(map(re.escape, self._latest)))

    def may_change(self, text: str) -> bool:
        """Whether `changes` could find anything; cheap, with no false negatives."""
        return hints(text) or any(pattern.search(text) for pattern in self._patterns)

    def changes(self, text: str, *, cut: bool = False, resumed: bool = False) -> list[TextEdit]:
        """Return what to replace in a text, in order and without overlap.

        `cut` means that the text ends where a connection broke, `resumed` that it begins where one resumed. At
        such an edge, a part of a known secret is hidden too.
        """
        found: list[TextEdit] = []
        for pattern in self._patterns:
            found += [
                TextEdit(*match.span(), self._mark(match[0]), "known secret") for match in pattern.finditer(text)
            ]
        found += self._edges(text, cut, resumed)
        for kind, start, end in sightings(text):
            found.append(TextEdit(start, end, self.placeholder(text[start:end]), kind))
        return without_overlap(found)

    def _mark(self, spelling: str) -> str:
        return self.placeholder(self._spellings[spelling])

    def _edges(self, text: str, cut: bool, resumed: bool) -> Iterable[TextEdit]:
        for secret in self._spellings:
            longest = min(len(secret) - 1, len(text))
            if cut:
                size = next((n for n in range(longest, PREFIX - 1, -1) if text.endswith(secret[:n])), 0)
                if size:
                    yield TextEdit(len(text) - size, len(text), self._mark(secret), "known secret")
            if resumed:
                size = next((n for n in range(longest, PREFIX - 1, -1) if text.startswith(secret[-n:])), 0)
                if size:
                    yield TextEdit(0, size, self._mark(secret), "known secret")


def without_overlap(changes: Iterable[TextEdit]) -> list[TextEdit]:
    """The changes in order; overlapping ones are merged into the first to begin (then the longest)."""
    kept: list[TextEdit] = []
    for change in sorted(changes, key=lambda change: (change.start, -change.end)):
        if not kept or change.start >= kept[-1].end:
            kept.append(change)
        elif change.end > kept[-1].end:  # the remainder is part of a secret as well
            kept[-1] = kept[-1]._replace(end=change.end)
    return kept


def apply_changes(text: str, changes: Iterable[TextEdit]) -> str:
    """Return the text after `changes`, which must be in order and must not overlap."""
    parts, at = [], 0
    for change in changes:
        parts += [text[at : change.start], change.text]
        at = change.end
    return "".join((*parts, text[at:]))
