"""Parses a trigger's schedule, a five-field cron expression in a time zone, and finds when it is next due. Pure.

Layer 2. Knows cron's arithmetic and nothing of triggers. As in cron, when both the day of the month and the day of
the week are restricted, a day that matches either one is due.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import product
from zoneinfo import ZoneInfo

from harness.emulator.values.call import invalid

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, ("", *_MONTHS)),
    ("day of the week", 0, 7, _DAYS),
)
_HORIZON_DAYS = 366 * 8 + 2
"""29 February is at most eight years away, so a schedule that is not due within this time never is."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The allowed values of each field, and the time zone they apply in. Sunday is 0."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    zone: tzinfo

    def after(self, moment: datetime) -> datetime | None:
        """The first due minute strictly after `moment`, in UTC; None if there is none within eight years."""
        local = moment.astimezone(self.zone).replace(second=0, microsecond=0)
        today = local.replace(hour=0, minute=0, fold=0)
        times = [*product(sorted(self.hours), sorted(self.minutes))]
        minutes = (
            day.replace(hour=hour, minute=minute).astimezone(UTC)
            for day in (today + timedelta(days=number) for number in range(_HORIZON_DAYS))
            if self._is_due(day)
            for hour, minute in times
        )
        return next((due for due in minutes if due > moment), None)

    def last(self, since: datetime, until: datetime) -> datetime | None:
        """The last due minute after `since` and not after `until`, in UTC."""
        latest, due = None, self.after(since)
        while due is not None and due <= until:
            latest, due = due, self.after(due)
        return latest

    def _is_due(self, day: datetime) -> bool:
        if day.month not in self.months:
            return False
        by_month, by_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return (by_month or by_week) if self.either_day else (by_month and by_week)


def parse(expression: str, zone: str) -> Schedule:
    """Parse a cron expression and an IANA zone name. Raises `Refusal` 400 if either is invalid."""
    texts = expression.split()
    if len(texts) != len(_FIELDS):
        raise invalid(f"The schedule {expression!r} must have five fields: minute hour day month weekday.")
    values = [_field(text, *field) for text, field in zip(texts, _FIELDS, strict=True)]
    minutes, hours, days, months, weekdays = values
    either = not texts[2].startswith("*") and not texts[4].startswith("*")
    week = frozenset(day % 7 for day in weekdays)
    return Schedule(minutes, hours, days, months, week, either, _find_zone(zone))


def _find_zone(name: str) -> tzinfo:
    if name in ("UTC", "Etc/UTC"):
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise invalid(f"time_zone {name!r} is no IANA zone known here: send one such as Europe/Paris.") from None


def _field(text: str, name: str, low: int, high: int, words: tuple[str, ...]) -> frozenset[int]:
    chosen: set[int] = set()
    for part in text.lower().split(","):
        match = re.fullmatch(r"(\*|\w+)(?:-(\w+))?(?:/([0-9]{1,3}))?", part)
        if match is None or (match[1] == "*" and match[2]):
            raise _bad(part, name, low, high)
        step = int(match[3] or 1)
        first = low if match[1] == "*" else _read_value(match[1], part, name, low, high, words)
        last = _read_value(match[2], part, name, low, high, words) if match[2] else first
        if match[1] == "*" or (match[3] and not match[2]):
            last = high
        if step < 1 or last < first:
            raise _bad(part, name, low, high)
        chosen.update(range(first, last + 1, step))
    return frozenset(chosen)


def _read_value(word: str, part: str, name: str, low: int, high: int, words: tuple[str, ...]) -> int:
    if word in words:
        return words.index(word)
    if re.fullmatch(r"[0-9]{1,2}", word) is None or not low <= int(word) <= high:
        raise _bad(part, name, low, high)
    return int(word)


def _bad(part: str, name: str, low: int, high: int) -> Exception:
    return invalid(
        f"The schedule's {name} is {part!r}: it must be *, or {low} to {high}, as value, range or step."
    )
