"""Judges a status as a word: it should be one that the reference lists, wherever it is shown.

Layer 1. Every body and every stream is judged by this one function, whoever reads it. The set of statuses is open,
so a new word breaks no MUST. A listed word in another spelling does: it says nothing new, and no client knows it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from harness.contract.judge.finding_log import place_finding
from harness.contract.tables.lifecycle import RENAMED_STATUSES
from harness.outcome import Finding
from harness.outcome.words import nearest, shorten

_SHOWN = 40
_NO_LETTER = re.compile("[^a-z]+")
_ENUM_PREFIX = re.compile("^(interaction)?(status|state)")


def judge_status_word(status: str, listed: Collection[str]) -> Iterator[Finding]:
    """A finding if this status is none of those that the revision lists."""
    if not status or status in listed:
        return
    word, place = shorten(status, _SHOWN), "$.status"
    meant = next((known for known in listed if _spell_alike(known) == _spell_alike(status)), "")
    if meant:
        message = f"the status {word!r} is a misspelling of {meant!r}"
        yield place_finding("create.status/spelling", message, meant, word, place)
        return
    if status in RENAMED_STATUSES:
        message = f"the status {word!r} is a name from before May 2026"
        expected = RENAMED_STATUSES[status]
        yield place_finding("create.status-listed/renamed", message, expected, word, place)
        return
    near = nearest(status, sorted(listed), most=1)
    expected = near[0] if near else ", ".join(sorted(listed))
    yield place_finding("create.status-listed", f"the status {word!r} is not listed", expected, word, place)


def judge_ends(statuses: Sequence[str], listed: Collection[str]) -> Iterator[Finding]:
    """Of several plain runs, at least one must end in a status that the revision lists."""
    if len(statuses) > 1 and not any(status in listed for status in statuses):
        words = ", ".join(repr(shorten(status, _SHOWN)) for status in dict.fromkeys(statuses))
        yield place_finding(
            "create.status/unknown-end",
            f"none of {len(statuses)} plain runs ends with a status that clients know",
            "completed",
            words,
            "$.status",
        )


def _spell_alike(status: str) -> str:
    """What a status has in common with its other spellings: COMPLETED, InProgress, INTERACTION_STATUS_FAILED."""
    letters = _ENUM_PREFIX.sub("", _NO_LETTER.sub("", status.casefold()))
    return letters.replace("canceled", "cancelled")
