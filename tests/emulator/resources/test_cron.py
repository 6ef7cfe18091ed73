"""Cron expressions: their meaning, their time zone, and what is refused."""

from datetime import UTC, datetime
from zoneinfo import available_timezones

import pytest

from harness.emulator.resources.triggers import parse_schedule
from harness.emulator.values.call import Refusal

MONDAY = datetime(2026, 9, 21, 12, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "due"),
    [
        ("* * * * *", "2026-09-21T12:01"),
        ("0 9 * * 1-5", "2026-09-22T09:00"),
        ("0 13 * * *", "2026-09-21T13:00"),
        ("0 12 * * *", "2026-09-22T12:00"),
        ("*/15 * * * *", "2026-09-21T12:15"),
        ("5/20 12 * * *", "2026-09-21T12:05"),
        ("0 0 1 * *", "2026-10-01T00:00"),
        ("0 0 1 jan *", "2027-01-01T00:00"),
        ("0 0 * * sun", "2026-09-27T00:00"),
        ("0 0 * * 7", "2026-09-27T00:00"),
        ("0 0 * * fri-sat", "2026-09-25T00:00"),
        ("0 0 30 * wed", "2026-09-23T00:00"),
        ("30 8,18 * * *", "2026-09-21T18:30"),
        ("0 0 29 2 *", "2028-02-29T00:00"),
        ("0 0 31 2 *", None),
    ],
)
def test_the_next_due_minute(expression: str, due: str | None) -> None:
    """The next run is after the given moment; of two restricted day fields either counts; some dates never are."""
    found = parse_schedule(expression, "UTC").after(MONDAY)
    assert (found and f"{found:%Y-%m-%dT%H:%M}") == due


def test_a_moment_that_is_due_is_not_its_own_next() -> None:
    """At exactly noon, the next noon is tomorrow's."""
    found = parse_schedule("0 12 * * *", "UTC").after(MONDAY.replace(second=0))
    assert f"{found:%Y-%m-%dT%H:%M}" == "2026-09-22T12:00"


@pytest.mark.skipif("Europe/Paris" not in available_timezones(), reason="this machine has no time zone database")
@pytest.mark.parametrize(
    ("moment", "due"),
    [
        ("2026-09-21T06:00:00+00:00", "2026-09-21T07:00"),
        ("2026-10-24T08:00:00+00:00", "2026-10-25T08:00"),
        ("2026-12-01T07:59:59+00:00", "2026-12-01T08:00"),
    ],
)
def test_zones_and_their_summer_time_count(moment: str, due: str) -> None:
    """Nine o'clock in Paris is seven or eight in UTC, depending on summer time."""
    found = parse_schedule("0 9 * * *", "Europe/Paris").after(datetime.fromisoformat(moment))
    assert f"{found:%Y-%m-%dT%H:%M}" == due


@pytest.mark.parametrize(
    "expression",
    ["", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 8",
     "5-1 * * * *", "*/0 * * * *", "*-5 * * * *", "a * * * *", "1,,2 * * * *", "-1 * * * *", "@daily",
     "²  * * * *"],
)  # fmt: skip
def test_what_is_no_schedule_is_refused(expression: str) -> None:
    """A wrong number of fields, a value out of range, an empty range or a step of zero gets 400."""
    with pytest.raises(Refusal) as refused:
        parse_schedule(expression, "UTC")
    assert refused.value.status == 400


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../../etc/passwd", "Europe"])
def test_unknown_zones_are_refused(zone: str) -> None:
    """A name that is not a time zone is refused, even if it is a path."""
    with pytest.raises(Refusal, match="IANA"):
        parse_schedule("* * * * *", zone)
