"""The secrets of one recording session, and the placeholder of each. Layer 1.

Each secret has one placeholder for as long as the table lives, so values that were equal in the traffic are equal
in the cassette. A placeholder contains a number and reveals nothing about the secret, not even its length.
"""

from __future__ import annotations

import re
import threading
from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from harness.cassette.framing import TextEdit
from harness.wire.secret_texts import (
    MOST,
    CutTexts,
    KnownStretches,
    cores,
    count_left_at_end,
    encode_in_json,
    find_escapes,
    is_escaped,
    lower_ascii,
    spellings,
    unescape,
)
from harness.wire.secrets import (
    PRIVATE_URL,
    find_hints,
    hints,
    is_api_key,
    is_placeholder,
    looks_random,
    sightings,
)

SHORTEST = 4
"""A shorter secret is hidden where its name marks it, but not wherever the same characters occur."""

PREFIX = 6
"""The least number of characters of a known secret that are hidden at the edge where a text was cut."""

QUOTED_PREFIX = 12
"""The same for a text that somebody cut and quoted: what follows it is only a quote or an ellipsis."""

LONGEST = 65_536
"""A longer secret is hidden as it is and in JSON only: all its spellings take a kilobyte for each character."""

MOST_SPELLED = 1 << 18
"""So is one that is not the user's own, once the others have so many characters: a response may hold thousands."""

_WORD = re.compile(r"[^\s\"'<>]+")


def _spell(secret: str, *, in_base64: bool, own: bool) -> dict[str, None]:
    """All ways in which a secret may be written, in order."""
    wide = ("\0".join(secret),) if own else ()
    cored = cores(secret, nested=own) if in_base64 else ()
    return dict.fromkeys((*spellings(secret), *cored, *wide))


class PlaceholderTable:
    """Knows secrets and their placeholders. `secrets` are known from the start, such as the key of the run.

    Safe to use from several threads. `learned` counts the secrets that are known.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self.learned = 0
        self._lock = threading.Lock()
        self._room = MOST_SPELLED
        self._placeholders: dict[str, str] = {}
        self._spellings: dict[str, str] = {}
        self._in_base64: set[str] = set()
        self._texts = KnownStretches()
        self._owned: set[str] = set()
        self._own = KnownStretches()
        self._edges = _Edges()
        self._quoted = CutTexts(QUOTED_PREFIX)
        self._ends = CutTexts(QUOTED_PREFIX)
        for secret in secrets:
            self.learn(secret, own=True)

    def placeholder(self, secret: str) -> str:
        """The placeholder of a secret."""
        with self._lock:
            return self._placeholders.setdefault(secret, f"REDACTED-{len(self._placeholders) + 1}")

    def learn(self, secret: str, *, in_base64: bool = True, own: bool = False) -> None:
        """Hide this value from now on, wherever it occurs: also in URLs, forms, JSON, HTML, hex and base64.

        `own`: its owner named it. It is then hidden in UTF-16, too, and `own_changes` finds it.
        """
        known = self._in_base64 if in_base64 else self._spellings
        is_new = secret not in known or (own and secret not in self._owned)
        if len(secret) < SHORTEST or not is_new or is_placeholder(secret):
            return
        with self._lock:
            is_spelled = own or len(secret) <= self._room
            is_long = len(secret) > (LONGEST if is_spelled else MOST)
            if is_long or not is_spelled:
                written = dict.fromkeys((secret, encode_in_json(secret)))
            else:
                written = _spell(secret, in_base64=in_base64, own=own)
            new = [spelling for spelling in written if spelling not in self._spellings]
            if in_base64:
                self._in_base64.add(secret)
            if own:
                self._owned.add(secret)
                self._own.add(written)
            elif not is_long:
                self._room -= len(secret)
            self._find_too(secret, new, is_long=is_long)
            self.learned += 1

    def _find_too(self, secret: str, new: Sequence[str], *, is_long: bool) -> None:
        """Find these spellings of a secret from now on; of a long one, what is known of it at an edge."""
        for spelling in new:
            self._spellings[spelling] = secret
            lowered = lower_ascii(spelling)
            for part in (lowered, lowered[:LONGEST], lowered[-LONGEST:]):  # the last two at an edge
                self._spellings.setdefault(part, secret)
        self._edges.add(new)
        self._quoted.add(new, as_wholes=is_long)
        if is_long:
            self._ends.add(spelling[::-1] for spelling in new)
        else:
            self._texts.add(new)

    def own_changes(self, text: str) -> list[TextEdit]:
        """Return the edits of an id or the like: the values of their owner, or all of it if it is a key."""
        if is_api_key(text):
            return [TextEdit(0, len(text), self.placeholder(text), "API key")]
        found = self._find_own(text)
        for word in _WORD.finditer(text) if is_escaped(text) else ():
            if (plain := unescape(word[0])) == word[0]:
                continue
            changes = self._find_own(plain)
            if changes and self._find_own(unescape(apply_changes(word[0], self._find_own(word[0])))):
                found.append(TextEdit(*word.span(), apply_changes(plain, changes), changes[0].kind))
        return without_overlap(found)

    def _find_own(self, text: str) -> list[TextEdit]:
        found = self._own.find_stretches(text)
        return [TextEdit(start, end, self._mark(text[start:first]), "known secret") for start, end, first in found]

    def may_change(self, text: str) -> bool:
        """Whether `changes` could find anything; cheap, with no false negatives."""
        return hints(text) or self._knows_any_in(text) or next(self._in_escapes(text), None) is not None

    def _knows_any_in(self, text: str) -> bool:
        return self._texts.occur_in(text) or next(self._find_quoted(text), None) is not None

    def _find_quoted(self, text: str) -> Iterator[tuple[int, int, str]]:
        """The beginnings of known secrets that a text quotes; an `auth_tokens/` name contains no secret."""
        for start, end, whole in self._quoted.find(text):
            if end - start >= MOST or any(
                character.isdigit() or character.isupper() for character in text[start:end]
            ):
                yield start, end, whole

    def _find_ends(self, text: str) -> Iterator[tuple[int, int, str]]:
        """The ends of long secrets at the start of a text."""
        size = len(text)
        for start, end, reversed_ in self._ends.find(text[::-1]) if self._ends.are_any else ():
            if end == size:
                yield 0, size - start, reversed_[::-1]

    def find_places(self, text: str) -> list[tuple[int, int]]:
        """The start and end of anything that `changes` could find, in order of their starts.

        A part of the text without any has no changes.
        """
        known = ((start, end) for start, end, _ in self._texts.find_stretches(text))
        quoted = (start for start, _, _ in self._find_quoted(text))
        hints = ((place, place + 1) for place in {*find_hints(text), *quoted, *find_escapes(text)})
        return sorted((*known, *hints))

    def changes(
        self, text: str, *, cut: bool = False, resumed: bool = False, escaped: bool = True
    ) -> list[TextEdit]:
        """Return what to replace in a text, in order and without overlap.

        `cut` means that the text ends where a connection broke, `resumed` that it begins where one resumed. At
        such an edge, a part of a known secret is hidden too. A word that contains a secret once its escapes are
        decoded is replaced by the decoded word without it, unless `escaped` is false.
        """
        known = [(start, end, text[start:first]) for start, end, first in self._texts.find_stretches(text)]
        known += self._find_quoted(text)
        if cut:
            known += [(start, len(text), spelling) for start, spelling in self._edges.find_at_end(text)]
        if resumed:
            known += [(0, end, spelling) for end, spelling in self._edges.find_at_start(text)]
            known += self._find_ends(text)
        found = [TextEdit(start, end, self._mark(spelling), "known secret") for start, end, spelling in known]
        for kind, start, end in sightings(text):
            secret = text[start:end]
            found.append(TextEdit(start, end, self.placeholder(secret), kind))
            if kind != PRIVATE_URL and looks_random(secret):
                self.learn(secret)
        if escaped and is_escaped(text):
            found += self._in_escapes(text, cut=cut, resumed=resumed)
        return without_overlap(found)

    def _in_escapes(self, text: str, *, cut: bool = False, resumed: bool = False) -> Iterator[TextEdit]:
        """Secrets in words that contain escapes."""
        if not is_escaped(text):
            return
        for word in _WORD.finditer(text):
            if not is_escaped(word[0]):
                continue
            plain = unescape(word[0])
            edges = {"cut": cut and word.end() == len(text), "resumed": resumed and not word.start()}
            if plain == word[0] or not (any(edges.values()) or hints(plain) or self._knows_any_in(plain)):
                continue
            written = self.changes(word[0], escaped=False, **edges)  # first: the next line learns secrets
            changes = self.changes(plain, escaped=False, **edges)
            # What is found as it is written needs no decoding of the word around it.
            if len(changes) > len(written):
                yield TextEdit(*word.span(), apply_changes(plain, changes), changes[0].kind)

    def _mark(self, spelling: str) -> str:
        secret = self._spellings.get(spelling)
        return self.placeholder(self._spellings[lower_ascii(spelling)] if secret is None else secret)


class _Edges:
    """Finds the longest parts of secrets at the edges of a text, by their first and last few characters."""

    def __init__(self) -> None:
        self._begun, self._ended = _Beginnings(), _Beginnings()

    def add(self, spellings: Iterable[str]) -> None:
        for spelling in map(lower_ascii, spellings):
            self._begun.add(spelling[:LONGEST])
            self._ended.add(spelling[: -LONGEST - 1 : -1])

    def find_at_end(self, text: str) -> Iterator[tuple[int, str]]:
        """Where the beginning of a secret stands at the end of the text, and the secret."""
        tail = lower_ascii(text[max(0, len(text) - self._begun.longest + 1) :])
        for left in {0, count_left_at_end(tail)}:
            for size, spelling in self._begun.find_at_end(tail[: len(tail) - left]):
                yield len(text) - left - size, spelling

    def find_at_start(self, text: str) -> Iterator[tuple[int, str]]:
        """Where the end of a secret that stands at the start of the text ends, and the secret."""
        head = lower_ascii(text[: max(0, self._ended.longest - 1)])
        for size, spelling in self._ended.find_at_end(head[::-1]):
            yield size, spelling[::-1]


class _Beginnings:
    """Finds the beginnings of texts at the end of another."""

    def __init__(self) -> None:
        self.longest = 0
        self._by_start: defaultdict[str, list[str]] = defaultdict(list)

    def add(self, text: str) -> None:
        """Find the beginnings of this text of `PREFIX` characters or more, too."""
        if len(text) > PREFIX:
            self.longest = max(self.longest, len(text))
            insort(self._by_start[text[:PREFIX]], text)

    def find_at_end(self, text: str) -> Iterator[tuple[int, str]]:
        """The size of the longest beginning at the end of a text, and what it is the beginning of."""
        for start in range(len(text) - PREFIX + 1):
            texts = self._by_start.get(text[start : start + PREFIX])
            if texts is None:
                continue
            begun = text[start:]
            at = bisect_right(texts, begun)  # so it is longer
            if at < len(texts) and texts[at].startswith(begun):
                yield len(begun), texts[at]
                return


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
