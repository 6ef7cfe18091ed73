"""The triggers resource: saved interactions with a schedule, run on demand, and the record of their runs.

Layer 2. Knows cron's arithmetic, when a run may start and how its outcome changes the trigger; must not know how
an interaction runs: that is injected. Time is the clock's: a run that is due starts when a request reads or
attends to the trigger. Inferred: of several missed runs only the latest is made, a run is `skipped` while the one
before it is in progress, and an interaction that ends without completing is a failure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import product
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from harness.emulator.resources.collection import MOST_ITEMS, KeptResource, ResourceContext, listing, page
from harness.emulator.values.call import Call, Refusal, invalid

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, ("", *_MONTHS)),
    ("day of the week", 0, 7, _DAYS),
)


class Schedule(Struct, frozen=True):
    """The allowed values of each field, and the time zone they apply in. Sunday is 0."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    zone: tzinfo

    def after(self, moment: datetime) -> datetime | None:
        """The first due minute strictly after `moment`, in UTC; None if there is none within eight years.

        29 February is at most eight years away, so a schedule that is not due within this time never is.
        """
        local = moment.astimezone(self.zone).replace(second=0, microsecond=0)
        today = local.replace(hour=0, minute=0, fold=0)
        times = [*product(sorted(self.hours), sorted(self.minutes))]
        minutes = (
            day.replace(hour=hour, minute=minute).astimezone(UTC)
            for day in (today + timedelta(days=number) for number in range(366 * 8 + 2))
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


def parse_schedule(expression: str, zone: str) -> Schedule:
    """Parse a cron expression and an IANA zone name. Raises `Refusal` 400 if either is invalid."""
    texts = expression.split()
    if len(texts) != len(_FIELDS):
        raise invalid(f"The schedule {expression!r} must have five fields: minute hour day month weekday.")
    values = [_parse_field(text, *field) for text, field in zip(texts, _FIELDS, strict=True)]
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
        raise invalid(
            f"time_zone {name!r} is not an IANA zone known here: send one such as Europe/Paris."
        ) from None


def _parse_field(text: str, name: str, low: int, high: int, words: tuple[str, ...]) -> frozenset[int]:
    chosen: set[int] = set()
    for part in text.lower().split(","):
        match = re.fullmatch(r"(\*|\w+)(?:-(\w+))?(?:/([0-9]{1,3}))?", part)
        if match is None or (match[1] == "*" and match[2]):
            raise _refuse_part(part, name, low, high)
        step = int(match[3] or 1)
        if match[1] == "*":
            first, last = low, high
        else:
            first = last = _read_value(match[1], part, name, low, high, words)
            if match[2]:
                last = _read_value(match[2], part, name, low, high, words)
            elif match[3]:
                last = high
        if step < 1 or last < first:
            raise _refuse_part(part, name, low, high)
        chosen.update(range(first, last + 1, step))
    return frozenset(chosen)


def _read_value(word: str, part: str, name: str, low: int, high: int, words: tuple[str, ...]) -> int:
    if word in words:
        return words.index(word)
    if re.fullmatch(r"[0-9]{1,2}", word) is None or not low <= int(word) <= high:
        raise _refuse_part(part, name, low, high)
    return int(word)


def _refuse_part(part: str, name: str, low: int, high: int) -> Exception:
    return invalid(
        f"The schedule's {name} is {part!r}: it must be *, or {low} to {high}, as value, range or step."
    )


Run: TypeAlias = Callable[[dict[str, Any], str], Mapping[str, Any]]
"""Creates an interaction from a body and a project, and returns it as a response would; may raise `Refusal`."""
LookUp: TypeAlias = Callable[[str, str], Mapping[str, Any] | None]
"""Returns an interaction's current state by id and project, None if it is deleted; must not advance its run."""

RUNNING = ("queued", "in_progress")
GOOD = ("completed", "requires_action", "requires_continuation")
"""Interaction statuses that end a run successfully and reset the trigger's count of failures to zero."""

_DAY = timedelta(days=1)
"""How far back a missed run is looked for at first, because a long way takes long."""

_DEFAULTS = {"max_consecutive_failures": 5, "execution_timeout_seconds": 600}


class Trigger(Struct, eq=False):
    """A saved trigger and its runs.

    `fields` is the resource as GET shows it, except for `next_run_time`. `latest` is the id of the last execution
    that was not skipped, `seen` the moment up to which the schedule was followed.
    """

    fields: dict[str, Any]
    schedule: Schedule
    seen: datetime
    latest: str = ""
    executions: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)


class Triggers(KeptResource[Trigger]):
    """Triggers per project; `run` makes their interactions, and `look_up` finds them again."""

    name, noun = "triggers", "trigger"

    def __init__(self, context: ResourceContext, look_up: LookUp, run: Run) -> None:
        super().__init__(context)
        self._look_up = look_up
        self._run = run
        self._started = 0

    def execute(self, call: Call, trigger_id: str) -> dict[str, Any]:
        return self._execute(self.require(call.project, trigger_id), call.project)

    def list_executions(self, call: Call, trigger_id: str) -> dict[str, Any]:
        runs = self.require(call.project, trigger_id).executions.values()
        return listing("trigger_executions", *page(runs, call.query, f"runs {trigger_id}"))

    def create(self, call: Call) -> dict[str, Any]:
        given = self._reader.read("requests/create-trigger", call.body)
        for name in _DEFAULTS:
            if given.get(name, 1) < 1:
                raise invalid(f"Invalid value at '{name}': {given[name]} must be positive.")
        schedule = parse_schedule(given["schedule"], given["time_zone"])
        now = self._stamps.now()
        fields = {"id": self._stamps.ids("trigger"), "status": "active", **_DEFAULTS, **given}
        fields |= {"consecutive_failure_count": 0, "create_time": now, "update_time": now}
        trigger = Trigger(fields, schedule, datetime.fromisoformat(now))
        self.add(call.project, fields["id"], trigger)
        return self.view(trigger)

    def update(self, call: Call, trigger_id: str) -> dict[str, Any]:
        trigger = self.require(call.project, trigger_id)
        changes = self._reader.read("requests/update-trigger", call.body)
        now = self._stamps.now()
        if changes.get("status", trigger.fields["status"]) != trigger.fields["status"]:
            if changes["status"] == "active":
                trigger.fields |= {"last_resume_time": now, "consecutive_failure_count": 0}
                trigger.seen = datetime.fromisoformat(now)
            else:
                trigger.fields["last_pause_time"] = now
        trigger.fields |= {**changes, "update_time": now}
        return self.view(trigger)

    def list_all(self, call: Call) -> dict[str, Any]:
        """GET triggers, each brought up to now."""
        self.attend()
        return super().list_all(call)

    def require(self, project: str, item_id: str) -> Trigger:
        """The trigger, brought up to now."""
        trigger = super().require(project, item_id)
        self._follow(trigger, project)
        return trigger

    def attend(self) -> None:
        """Start every run that is due."""
        for project, _, trigger in list(self.everywhere()):
            self._follow(trigger, project)

    @property
    def next_due(self) -> datetime | None:
        """The moment of the next run of any active trigger."""
        active = (one for _, _, one in self.everywhere() if one.fields["status"] == "active")
        return min((due for one in active if (due := one.schedule.after(one.seen))), default=None)

    def _follow(self, trigger: Trigger, project: str) -> None:
        """Bring a trigger up to now: its latest run, and the one that its schedule has named since."""
        self._settle(trigger, project)
        now = datetime.fromisoformat(self._stamps.now())
        since, trigger.seen = trigger.seen, now
        if trigger.fields["status"] != "active":
            return
        latest = trigger.schedule.last(max(since, now - _DAY), now) or trigger.schedule.last(since, now)
        if latest is not None:
            self._execute(trigger, project, scheduled=f"{latest:%Y-%m-%dT%H:%M:%SZ}")

    def view(self, item: Trigger) -> dict[str, Any]:
        """The trigger, and when it runs next."""
        due = None
        if item.fields["status"] == "active":
            due = item.schedule.after(datetime.fromisoformat(self._stamps.now()))
        return {**item.fields, **({"next_run_time": f"{due:%Y-%m-%dT%H:%M:%SZ}"} if due else {})}

    def _execute(self, trigger: Trigger, project: str, *, scheduled: str = "") -> dict[str, Any]:
        """Start a run whatever the trigger's status is: pausing stops the schedule, not a request to run."""
        now = self._stamps.now()
        fields = trigger.fields
        execution: dict[str, Any] = {"id": self._stamps.ids("execution"), "trigger_id": fields["id"]}
        execution |= {"status": "in_progress", "scheduled_time": scheduled or now}
        busy = bool(trigger.latest) and trigger.executions[trigger.latest][1]["status"] == "in_progress"
        if busy:
            execution["status"] = "skipped"
        else:
            fields["last_run_time"] = execution["start_time"] = now
            self._start(trigger, execution, project)
        self._started += 1
        trigger.executions[execution["id"]] = (self._started, execution)
        if not busy:
            trigger.latest = execution["id"]
        if len(trigger.executions) > MOST_ITEMS:
            oldest = next(name for name in trigger.executions if name != trigger.latest)
            del trigger.executions[oldest]
        return execution

    def _start(self, trigger: Trigger, execution: dict[str, Any], project: str) -> None:
        body = {name: value for name, value in trigger.fields["interaction"].items() if name != "stream"}
        if "environment_id" in trigger.fields:
            body["environment"] = trigger.fields["environment_id"]
        try:
            interaction = self._run(body, project)
        except Refusal as refusal:
            self._end(trigger, execution, "failed", refusal.message)
            return
        execution["interaction_id"] = trigger.fields["previous_interaction_id"] = interaction.get("id", "")
        if interaction.get("environment_id"):
            # every later run uses the environment of the first
            execution["environment_id"] = interaction["environment_id"]
            trigger.fields.setdefault("environment_id", interaction["environment_id"])
        self._take(trigger, execution, interaction)

    def _settle(self, trigger: Trigger, project: str) -> None:
        """Bring the latest run up to date with its interaction and with its time limit."""
        entry = trigger.executions.get(trigger.latest)
        if entry is None or entry[1]["status"] != "in_progress":
            return
        execution = entry[1]
        self._take(trigger, execution, self._look_up(execution["interaction_id"], project))
        limit = timedelta(seconds=min(trigger.fields["execution_timeout_seconds"], 10**9))
        started = datetime.fromisoformat(execution["start_time"])
        running = execution["status"] == "in_progress"
        if running and datetime.fromisoformat(self._stamps.now()) - started > limit:
            self._end(trigger, execution, "timed_out", f"it ran longer than {limit.total_seconds():.0f} s")

    def _take(self, trigger: Trigger, execution: dict[str, Any], interaction: Mapping[str, Any] | None) -> None:
        status = "deleted" if interaction is None else str(interaction.get("status"))
        if status in GOOD:
            self._end(trigger, execution, "completed", "")
        elif status not in RUNNING:
            self._end(trigger, execution, "failed", f"its interaction is {status}")

    def _end(self, trigger: Trigger, execution: dict[str, Any], status: str, error: str) -> None:
        now = self._stamps.now()
        execution |= {"status": status, "end_time": now, **({"error": error} if error else {})}
        fields = trigger.fields
        failures = fields["consecutive_failure_count"] + 1 if error else 0
        fields["consecutive_failure_count"] = failures
        if failures >= fields["max_consecutive_failures"] and fields["status"] == "active":
            fields |= {"status": "error", "last_pause_time": now}
