"""Judges a status as a word: it should be one that the reference lists, wherever it is shown.

Layer 1. Every body and every stream is judged by this one function, whoever reads it. The set of statuses is open,
so a word that is not listed breaks no MUST.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from harness.contract.tables import renamed
from harness.outcome import Finding, Where
from harness.outcome.suggest import nearest
from harness.outcome.words import shorten

_SHOWN = 40


def judge_status_word(status: str, pointer: str, listed: Collection[str]) -> Iterator[Finding]:
    """A finding if this status is none of those that the revision lists."""
    if not status or status in listed:
        return
    word, place = shorten(status, _SHOWN), Where(pointer=pointer)
    if status in renamed.STATUSES:
        message = f"the status {word!r} is of the time before May 2026"
        expected = renamed.STATUSES[status]
        yield Finding.coded("create.status-listed/renamed", message, expected, word, where=place)
        return
    meant = nearest(status, sorted(listed), most=1)
    expected = meant[0] if meant else ", ".join(sorted(listed))
    yield Finding("create.status-listed", f"the status {word!r} is not listed", expected, word, place)
