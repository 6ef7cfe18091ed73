"""The triggers resource: saved interactions with a schedule, run on demand, and the record of their runs.

Knows cron's arithmetic, when a run may start and how its outcome changes the trigger; must not know how an
interaction runs: that is injected. Time is the clock's: a run that is due starts when a request reads or attends
to the trigger. Inferred: of several missed runs only the latest is made, a run is `skipped` while the one before
it is in progress, and an interaction that ends without completing is a failure.
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

_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of the month", 1, 31, ()),
    ("month", 1, 12, ("", *["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"])),
    ("day of the week", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
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
    try:
        known = UTC if zone in ("UTC", "Etc/UTC") else ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise invalid(
            f"time_zone {zone!r} is not an IANA zone known here: send one such as Europe/Paris."
        ) from None
    return Schedule(minutes, hours, days, months, week, either, known)


def _parse_field(text: str, name: str, low: int, high: int, words: tuple[str, ...]) -> frozenset[int]:
    chosen: set[int] = set()
    for part in text.lower().split(","):
        refusal = invalid(
            f"The schedule's {name} is {part!r}: it must be *, or {low} to {high}, as value, range or step."
        )
        match = re.fullmatch(r"(\*|\w+)(?:-(\w+))?(?:/([0-9]{1,3}))?", part)
        if match is None or (match[1] == "*" and match[2]):
            raise refusal
        ends = []
        for word in match.group(1, 2) if match[1] != "*" else ():
            if word in words:
                ends.append(words.index(word))
            elif word is not None and re.fullmatch(r"[0-9]{1,2}", word) and low <= int(word) <= high:
                ends.append(int(word))
            elif word is not None:
                raise refusal
        first = ends[0] if ends else low
        last = high if not ends or (len(ends) == 1 and match[3]) else ends[-1]
        step = int(match[3] or 1)
        if step < 1 or last < first:
            raise refusal
        chosen.update(range(first, last + 1, step))
    return frozenset(chosen)


Run: TypeAlias = Callable[[dict[str, Any], str], Mapping[str, Any]]
"""Creates an interaction from a body and a project, and returns it as a response would; may raise `Refusal`."""
LookUp: TypeAlias = Callable[[str, str], Mapping[str, Any] | None]
"""Returns an interaction's current state by id and project, None if it is deleted; must not advance its run."""

_DEFAULTS = {"max_consecutive_failures": 5, "execution_timeout_seconds": 600}


class Trigger(Struct, eq=False):
    """A saved trigger and its runs.

    `fields` is the resource as GET shows it, except for `next_run_time`. `latest` is the last execution that was
    not skipped, `seen` the moment up to which the schedule was followed.
    """

    fields: dict[str, Any]
    schedule: Schedule
    seen: datetime
    latest: dict[str, Any] | None = None
    executions: list[tuple[int, dict[str, Any]]] = field(default_factory=list)

    @property
    def is_busy(self) -> bool:
        """Whether the last execution is in progress."""
        return self.latest is not None and self.latest["status"] == "in_progress"


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
        runs = self.require(call.project, trigger_id).executions
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
        # first near, because a long way takes long
        latest = trigger.schedule.last(max(since, now - timedelta(days=1)), now)
        latest = latest or trigger.schedule.last(since, now)
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
        if trigger.is_busy:
            execution["status"] = "skipped"
        else:
            fields["last_run_time"] = execution["start_time"] = now
            self._start(trigger, execution, project)
            trigger.latest = execution
        self._started += 1
        trigger.executions.append((self._started, execution))
        if len(trigger.executions) > MOST_ITEMS:
            trigger.executions.remove(next(one for one in trigger.executions if one[1] is not trigger.latest))
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
        execution = trigger.latest
        if execution is None or not trigger.is_busy:
            return
        self._take(trigger, execution, self._look_up(execution["interaction_id"], project))
        limit = timedelta(seconds=min(trigger.fields["execution_timeout_seconds"], 10**9))
        started = datetime.fromisoformat(execution["start_time"])
        if trigger.is_busy and datetime.fromisoformat(self._stamps.now()) - started > limit:
            self._end(trigger, execution, "timed_out", f"it ran longer than {limit.total_seconds():.0f} s")

    def _take(self, trigger: Trigger, execution: dict[str, Any], interaction: Mapping[str, Any] | None) -> None:
        status = "deleted" if interaction is None else str(interaction.get("status"))
        if status in ("completed", "requires_action", "requires_continuation"):
            self._end(trigger, execution, "completed", "")
        elif status not in ("queued", "in_progress"):
            self._end(trigger, execution, "failed", f"its interaction is {status}")

    def _end(self, trigger: Trigger, execution: dict[str, Any], status: str, error: str) -> None:
        now = self._stamps.now()
        execution |= {"status": status, "end_time": now, **({"error": error} if error else {})}
        fields = trigger.fields
        failures = fields["consecutive_failure_count"] + 1 if error else 0
        fields["consecutive_failure_count"] = failures
        if failures >= fields["max_consecutive_failures"] and fields["status"] == "active":
            fields |= {"status": "error", "last_pause_time": now}
