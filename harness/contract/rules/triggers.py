"""Rules of triggers: schedules, and the record of their runs.

Layer 1. Data only.
"""

from __future__ import annotations

from harness.contract.rules.pages import ANTIGRAVITY, REFERENCE
from harness.outcome import Basis, Level, Rule

RULES: tuple[Rule, ...] = (
    Rule(
        id="trigger.crud",
        level=Level.SHOULD,
        statement="A trigger can be created, read, listed and deleted, and is gone afterwards.",
        breaks="Schedules cannot be managed, and go on for ever.",
        source=REFERENCE.cite(Basis.DOCUMENTED, "Triggers"),
    ),
    Rule(
        id="trigger.schema",
        level=Level.SHOULD,
        statement="Triggers and their executions, alone and in lists, fit their published schema.",
        breaks="Typed clients hand out empty fields or raise.",
        source=REFERENCE.cite(Basis.SCHEMA, "Trigger, TriggerExecution"),
    ),
    Rule(
        id="trigger.starts-active",
        level=Level.SHOULD,
        statement="A new trigger is active.",
        breaks="A schedule that was set up never runs.",
        source=ANTIGRAVITY.cite(Basis.DOCUMENTED, "Scheduled runs"),
    ),
    Rule(
        id="trigger.next-run",
        level=Level.SHOULD,
        statement="The next_run_time of an active trigger is a time that its schedule names.",
        breaks="The runs come at other times than those that were asked for.",
        source=REFERENCE.cite(Basis.DOCUMENTED, "Trigger: schedule, next_run_time"),
    ),
    Rule(
        id="trigger.pause-resume",
        level=Level.SHOULD,
        statement="A PATCH of the status pauses a trigger and lets it go on.",
        breaks="A schedule that does harm cannot be stopped without losing it.",
        source=ANTIGRAVITY.cite(Basis.DOCUMENTED, "Scheduled runs: pause and resume"),
    ),
    Rule(
        id="trigger.run-when-paused",
        level=Level.SHOULD,
        statement="A paused trigger can still be run by hand.",
        breaks="A schedule cannot be tried out before it begins.",
        source=ANTIGRAVITY.cite(Basis.DOCUMENTED, "Scheduled runs: run now"),
    ),
    Rule(
        id="trigger.executions-list",
        level=Level.SHOULD,
        statement="A run of a trigger is among its executions, and names its interaction.",
        breaks="Nobody can see what a schedule has done.",
        source=REFERENCE.cite(Basis.DOCUMENTED, "ListTriggerExecutionsResponse"),
    ),
    Rule(
        id="trigger.keeps-runs",
        level=Level.SHOULD,
        statement="The interactions of a deleted trigger can still be read.",
        breaks="Deleting a schedule deletes the work that it has done.",
        source=ANTIGRAVITY.cite(Basis.DOCUMENTED, "Scheduled runs: delete"),
    ),
    Rule(
        id="trigger.bad-cron",
        level=Level.SHOULD,
        statement="A schedule that is no cron expression is refused with 400.",
        breaks="A typing error makes a schedule that never runs.",
        source=REFERENCE.cite(Basis.INFERRED, "Trigger: schedule"),
    ),
)
