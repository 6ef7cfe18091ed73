"""Decides which checks run, and gives a reason for each other one: no check is ever dropped silently.

Pure: takes the catalog, the user's selection and the capabilities of the target; sends nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from harness.engine.events import Capabilities, Capability
from harness.engine.selection import Selection
from harness.kit.api import TWO_KEYS, Lack
from harness.kit.check import Check, Exercise
from harness.outcome import Because, Observation, Outcome, UsageFault
from harness.outcome.words import did_you_mean


class PlannedCheck(Struct, frozen=True):
    """One check of the catalog. `skip` is its observation if it does not run, None if it does.

    `declared`: all capabilities that it needs are present, and the user declared at least one of them.
    """

    check: Check
    declared: bool = False
    skip: Observation | None = None


Profiles: TypeAlias = Mapping[str, frozenset[str]]
"""The profiles, and for each the capabilities of which one is enough to switch it on; none: it is always on."""

Group: TypeAlias = tuple[Exercise, tuple[PlannedCheck, ...]]


class RunPlan(Struct, frozen=True):
    """The whole catalog, with the decision for each check.

    Its exercises run in the order of the catalog, or the `longest_first`: others run while one pauses.
    """

    checks: tuple[PlannedCheck, ...]
    longest_first: bool = False

    @property
    def running(self) -> list[Check]:
        """The checks that run."""
        return [planned.check for planned in self.checks if planned.skip is None]

    @property
    def blockers(self) -> Mapping[str, tuple[str, ...]]:
        """The checks that run whose findings block another one, by the id of that one."""
        running = {planned.check.id: planned.check for planned in self.checks if planned.skip is None}
        proofs = {check.proves: check.id for check in running.values() if check.proves}
        found = {}
        for name, check in running.items():
            named = (*check.rested_on, *(proofs.get(needed, "") for needed in sorted(check.requires)))
            found[name] = tuple(other for other in named if other in running and other != name)
        return found

    @property
    def groups(self) -> list[Group]:
        """The checks that run, by the exercise they share, in the order of the plan."""
        grouped: dict[str, list[PlannedCheck]] = {}
        for planned in self.checks:
            if planned.skip is None:
                grouped.setdefault(planned.check.exercise.name, []).append(planned)
        groups = [(members[0].check.exercise, tuple(members)) for members in grouped.values()]
        if not self.longest_first:
            return groups
        blocking = {name for planned in self.checks for name in planned.check.rested_on}
        blocking |= {planned.check.id for planned in self.checks if planned.check.proves}

        def urgency(group: Group) -> tuple[float, bool, int]:
            exercise, members = group
            blocks = any(planned.check.id in blocking for planned in members)
            return exercise.pauses, blocks, exercise.requests

        return sorted(groups, key=urgency, reverse=True)

    @property
    def cost(self) -> tuple[int, int]:
        """Requests and interactions that the exercises declare, not counting the probe and the clean-up."""
        exercises = [exercise for exercise, _ in self.groups]
        return sum(e.requests for e in exercises), sum(e.interactions for e in exercises)


def make_plan(
    catalogue: Sequence[Check], selection: Selection, capabilities: Capabilities, profiles: Profiles
) -> RunPlan:
    """Decide for each check whether it runs. Raises UsageFault for a pattern or profile that names nothing.

    If a named check is blocked, the one whose finding blocks it runs too, unless it is excluded by name.
    """
    chosen = selection.over([check.id for check in catalogue])
    for name in selection.profiles:
        if name not in profiles:
            raise UsageFault(f"unknown profile {name!r}{did_you_mean(name, profiles)}")
    proofs = {check.proves: check.id for check in catalogue if check.id not in chosen.excluded}

    def explain_skip(check: Check) -> Observation | None:
        gates = profiles.get(check.profile, frozenset()) if selection.by_capability else frozenset()
        excluding = chosen.explain_exclusion(check.id, check.rule.level)
        if excluding is None and selection.profiles and check.profile not in selection.profiles:
            why = "of a profile that is not selected"
            excluding = Observation(Outcome.EXCLUDED, reason=why, because=Because.LEFT_OUT)
        return _explain_lack(check, gates, capabilities, proofs) if excluding is None else excluding

    planned = [
        PlannedCheck(check, capabilities.declared(check.requires), explain_skip(check)) for check in catalogue
    ]
    blocking = {item.skip.cause for item in planned if item.skip is not None and item.skip.cause}
    return RunPlan(tuple(replace(item, skip=None) if item.check.id in blocking else item for item in planned))


def needed_capabilities(catalogue: Sequence[Check], selection: Selection, profiles: Profiles) -> frozenset[str]:
    """Every capability that matters to the selected checks; a probe need not ask for others."""
    selected = [p.check for p in make_plan(catalogue, selection, _Everything(), profiles).checks if p.skip is None]
    needed = {name for check in selected for name in check.requires | check.exercise.uses}
    if selection.by_capability:
        needed |= {name for check in selected for name in profiles.get(check.profile, ())}
    return frozenset(needed)


class _Everything(Capabilities):
    """The capabilities of a target that can do everything."""

    def __contains__(self, name: object) -> bool:
        return True


_REASONS = {
    Lack.DENIED: Because.LEFT_OUT,
    Lack.REFUSED: Because.REFUSED,
    Lack.UNDECLARED: Because.UNDECLARED,
    Lack.UNSEEN: Because.LACKING,
}


def _explain_lack(
    check: Check, gates: frozenset[str], capabilities: Capabilities, proofs: Mapping[str, str]
) -> Observation | None:
    """Why a check does not run because of what the target lacks; one of the `gates` switches its profile on."""
    off = bool(gates) and not any(name in capabilities for name in gates)
    lacks = capabilities.lacks(check.requires) or (capabilities.lacks(gates) if off else [])
    if not lacks or all(item.lack is Lack.NOT_DONE and check.proves == item.name for item in lacks):
        return None
    return _to_observation(lacks[0], [item.name for item in lacks], proofs)


def _to_observation(first: Capability, names: Sequence[str], proofs: Mapping[str, str]) -> Observation:
    """Why a check does not run that needs the capabilities `names`, of which the `first` weighs most."""
    if first.lack is not Lack.NOT_DONE:
        reason = f"the target lacks {', '.join(sorted(names))}{f' ({first.note})' if first.note else ''}"
        # Without a second key, the user has left out the checks that need one.
        left_out = first.name == TWO_KEYS and first.lack is Lack.UNDECLARED
        return Observation(
            Outcome.NOT_APPLICABLE,
            reason=reason,
            because=Because.LEFT_OUT if left_out else _REASONS[first.lack],
            remedy=first.remedy,
            needs=first.name if first.lack is Lack.UNDECLARED else "",
        )
    proof = proofs.get(first.owing_to or first.name, "")
    reason = f"{first.name} is accepted but not fulfilled: {first.note}"
    if not proof:
        return Observation.untestable(f"{reason}; no check of this run judges it")
    return Observation(Outcome.BLOCKED, reason=reason, because=Because.BLOCKED, cause=proof)
