"""What a cassette holds after its requests were recorded anew. Layer 1, pure.

A new answer takes the place of an old one. A failure takes nobody's: a dead target proves nothing about the API.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from harness.cassette.matching import Canonical
from harness.cassette.recording import Recording

_REFUSED = 400
"""From this status on an answer is less than one below it."""


@dataclass(frozen=True, slots=True)
class Merged:
    """Positions of what stays, in order; what a person must be told; whether old answers are gone for less."""

    kept: list[int]
    remarks: list[str]
    loses: bool


def replaced(recordings: Sequence[Recording], forms: Sequence[Canonical], loaded: int) -> Merged:
    """Put what was recorded anew, from position `loaded` on, in the place of what it matches."""
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
            remarks += [_not_taken(recordings[number]) for number in failures]
        if len(failures) < len(numbers) or not answered:
            gone.update(before)
            loses = loses or _worth(recordings, before) > _worth(recordings, numbers)
    return Merged([number for number in range(len(forms)) if number not in gone], remarks, loses)


def _by_form(forms: Sequence[Canonical], numbers: range) -> dict[Canonical, list[int]]:
    grouped: defaultdict[Canonical, list[int]] = defaultdict(list)
    for number in numbers:
        grouped[forms[number]].append(number)
    return grouped


def _worth(recordings: Sequence[Recording], numbers: Sequence[int]) -> tuple[int, int]:
    """How many were answered well, and how many at all."""
    statuses = [status for number in numbers if (status := recordings[number].status) is not None]
    return sum(status < _REFUSED for status in statuses), len(statuses)


def _not_taken(failure: Recording) -> str:
    request, ending = failure.request, failure.ending
    return (
        f"{request.method} {request.raw_path} was not answered ({ending.detail or ending.how}): what was recorded "
        "of it before stays"
    )
