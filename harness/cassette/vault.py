"""The secrets of one recording session and what stands for each. Layer 1.

One secret, one placeholder, for as long as the vault lives: so what was equal in the traffic is equal in the
cassette. A placeholder is a number and says nothing of the secret, not even its length.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote

from harness.wire.secrets import hints, is_placeholder, sightings

SHORTEST = 4
"""A shorter secret is hidden where its name tells, never wherever the same letters turn up."""

PREFIX = 6
"""Characters of a known secret that are hidden at the edge of a text that was cut there."""


class Change(NamedTuple):
    """Characters `start` to `end` of a text give way to `text`; `kind` says why."""

    start: int
    end: int
    text: str
    kind: str


class Vault:
    """`secrets` are known from the start, such as the key of the run."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._placeholders: dict[str, str] = {}
        self._spellings: dict[str, str] = {}
        self._known: re.Pattern[str] | None = None
        for secret in secrets:
            self.learn(secret)

    def placeholder(self, secret: str) -> str:
        """What stands for this secret."""
        return self._placeholders.setdefault(secret, f"REDACTED-{len(self._placeholders) + 1}")

    def learn(self, secret: str) -> None:
        """Hide this value from now on, wherever it turns up, also percent-encoded or inside a JSON string."""
        if len(secret) < SHORTEST or is_placeholder(secret) or secret in self._spellings:
            return
        for spelling in (secret, quote(secret, safe=""), quote(secret), json.dumps(secret)[1:-1]):
            self._spellings.setdefault(spelling, secret)
        longest_first = sorted(self._spellings, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first)))

    def may_change(self, text: str) -> bool:
        """Whether `changes` could find anything; cheap, and never wrong about a no."""
        return hints(text) or (self._known is not None and self._known.search(text) is not None)

    def changes(self, text: str, *, cut: bool = False, resumed: bool = False) -> list[Change]:
        """What to replace in a text: in order, without overlap.

        `cut` says that the text ends where a connection did, `resumed` that it begins where one did: there a part
        of a known secret is hidden too.
        """
        found: list[Change] = []
        if self._known is not None:
            found += [
                Change(*match.span(), self._mark(match[0]), "known secret") for match in self._known.finditer(text)
            ]
            found += self._edges(text, cut, resumed)
        for kind, start, end in sightings(text):
            found.append(Change(start, end, self.placeholder(text[start:end]), kind))
        return without_overlap(found)

    def hide(self, text: str) -> str:
        """The text with every secret replaced."""
        return changed(text, self.changes(text))

    def _mark(self, spelling: str) -> str:
        return self.placeholder(self._spellings[spelling])

    def _edges(self, text: str, cut: bool, resumed: bool) -> Iterable[Change]:
        for secret in self._spellings:
            longest = min(len(secret) - 1, len(text))
            if cut:
                size = next((n for n in range(longest, PREFIX - 1, -1) if text.endswith(secret[:n])), 0)
                if size:
                    yield Change(len(text) - size, len(text), self._mark(secret), "known secret")
            if resumed:
                size = next((n for n in range(longest, PREFIX - 1, -1) if text.startswith(secret[-n:])), 0)
                if size:
                    yield Change(0, size, self._mark(secret), "known secret")


def without_overlap(changes: Iterable[Change]) -> list[Change]:
    """The changes in order; of those that overlap the one that begins first, then the longest."""
    kept: list[Change] = []
    for change in sorted(changes, key=lambda change: (change.start, -change.end)):
        if not kept or change.start >= kept[-1].end:
            kept.append(change)
        elif change.end > kept[-1].end:  # what is left over of it is part of a secret as well
            kept[-1] = kept[-1]._replace(end=change.end)
    return kept


def changed(text: str, changes: Iterable[Change]) -> str:
    """The text after `changes`, which are in order and do not overlap."""
    parts, at = [], 0
    for change in changes:
        parts += [text[at : change.start], change.text]
        at = change.end
    return "".join((*parts, text[at:]))
