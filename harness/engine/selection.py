"""The user's selection of checks, rules, kinds or findings, by the same words at every command that judges."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection, Iterable, Set

from msgspec import Struct

from harness.outcome import Because, Level, Observation, Outcome, UsageFault
from harness.outcome.words import did_you_mean

_LEVELS = {Level.MUST: {Level.MUST}, Level.SHOULD: {Level.MUST, Level.SHOULD}, Level.MAY: set(Level)}


class Selection(Struct, frozen=True, kw_only=True):
    """The user's selection.

    `level` is the weakest level to judge. Empty `checks` mean all; empty `profiles` mean those that the target's
    capabilities switch on. Named checks run in any profile.
    """

    checks: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    level: Level = Level.MAY
    profiles: tuple[str, ...] = ()

    @property
    def by_capability(self) -> bool:
        """Whether the target's capabilities decide which profiles are on."""
        return not self.profiles and not self.checks

    def over(self, ids: Collection[str], noun: str = "check", *, known: str = "") -> Chosen:
        """Choose among these ids. Raises UsageFault, which ends with `known`, for a pattern that names none."""
        wanted = _match(ids, self.checks, noun, known) if self.checks else None
        return Chosen(wanted, _match(ids, self.exclude, noun, known), self.level)


class Chosen(Struct, frozen=True):
    """The ids that a selection wants, those that it excludes, and the weakest level to judge."""

    wanted: frozenset[str] | None = None
    """All if it is None."""
    excluded: frozenset[str] = frozenset()
    level: Level = Level.MAY

    def takes(self, names: Set[str], level: Level) -> bool:
        """Whether what has these names, such as its rule and its code, is chosen."""
        is_wanted = self.wanted is None or bool(names & self.wanted)
        return is_wanted and not names & self.excluded and level in _LEVELS[self.level]

    def explain_exclusion(self, name: str, level: Level) -> Observation | None:
        """Why the check of this rule does not run, or None if it does."""
        if name in self.excluded:
            reason = "excluded by --exclude"
        elif self.wanted is not None and name not in self.wanted:
            reason = "not among the selected checks"
        elif level not in _LEVELS[self.level]:
            reason = f"below --level {self.level.lower()}"
        else:
            return None
        return Observation(Outcome.EXCLUDED, reason=reason, because=Because.LEFT_OUT)


def _match(ids: Collection[str], patterns: Iterable[str], noun: str, known: str) -> frozenset[str]:
    """The ids that a pattern names: a glob, an exact id, or an area such as `stream`."""
    found: set[str] = set()
    for pattern in (piece.strip() for word in patterns for piece in word.split(",")):
        area = pattern.rstrip(".") + "."
        hits = {name for name in ids if fnmatch.fnmatchcase(name, pattern) or name.startswith(area)}
        if ids and not hits:
            areas = sorted({name.partition(".")[0] for name in ids}.difference(ids))
            if any(letter in pattern for letter in "*?["):
                few = known or f": the areas are {', '.join(areas)}"
                near = did_you_mean(pattern, [f"{area}.*" for area in areas], otherwise=few)
                raise UsageFault(f"no {noun} matches {pattern!r}{near}")
            near = did_you_mean(pattern, [*ids, *areas], otherwise=known or ": `harness list` shows all ids")
            raise UsageFault(f"no {noun} has the id {pattern!r}{near}")
        found |= hits
    return frozenset(found)
