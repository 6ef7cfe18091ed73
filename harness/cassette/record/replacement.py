"""Decide what a cassette keeps after its requests were recorded again. Layer 1, pure.

A new answer replaces an old one. A failure replaces no answer: a dead target proves nothing about the API.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from harness.cassette.format.recording import Recording
from harness.cassette.replay.matching import CanonicalRequest

_REFUSED = 400
"""Answers with this status or above are worth less than answers below it."""


@dataclass(frozen=True, slots=True)
class Merged:
    """The positions to keep, in order; remarks for the user; whether old answers were replaced by worse ones."""

    kept: list[int]
    remarks: list[str]
    loses: bool


def replace_recordings(recordings: Sequence[Recording], forms: Sequence[CanonicalRequest], loaded: int) -> Merged:
    """Replace old recordings by matching new ones, which begin at position `loaded`."""
    old, new = _by_form(forms, range(loaded)), _by_form(forms, range(loaded, len(forms)))
    gone: set[int] = set()
    remarks: list[str] = []
    loses = False
    for form, numbers in new.items():
        before = old.get(form, [])
        failures = [number for number in numbers if recordings[number].status is None]
        answered = any(recordings[number].status is not None for number in before)
        if answered:
            gone.update(failures)
            remarks += [_explain_not_taken(recordings[number]) for number in failures]
        if len(failures) < len(numbers) or not answered:
            gone.update(before)
            loses = loses or _weigh(recordings, before) > _weigh(recordings, numbers)
    return Merged([number for number in range(len(forms)) if number not in gone], remarks, loses)


def _by_form(forms: Sequence[CanonicalRequest], numbers: range) -> dict[CanonicalRequest, list[int]]:
    grouped: defaultdict[CanonicalRequest, list[int]] = defaultdict(list)
    for number in numbers:
        grouped[forms[number]].append(number)
    return grouped


def _weigh(recordings: Sequence[Recording], numbers: Sequence[int]) -> tuple[int, int]:
    """How many were answered with a status below 400, and how many were answered at all."""
    statuses = [status for number in numbers if (status := recordings[number].status) is not None]
    return sum(status < _REFUSED for status in statuses), len(statuses)


def _explain_not_taken(failure: Recording) -> str:
    request, ending = failure.request, failure.ending
    return (
        f"{request.method} {request.raw_path} was not answered ({ending.detail or ending.how}): what was recorded "
        "of it before stays"
    )
