"""The one table from observation to verdict, and from verdicts to an exit code.

Layer 0. A check never decides its own consequence: level, capability, baseline and strictness meet only here.

    outcome          MUST           SHOULD           MAY
    met              PASS           PASS             PASS
    non_strict       WARN           WARN             INFO
    not_met          FAIL           WARN (1)         INFO
    untestable (2)   UNTESTABLE     UNTESTABLE       UNTESTABLE
    error            ERROR          ERROR            ERROR

(1) FAIL under `--strict`, unless the rule is only inferred. (2) Where the capability it needs was *declared*,
untestable counts like not_met, unless a race was lost or the target did not answer. A baselined check turns FAIL
into XFAIL and a pass into STALE; `non_strict` never fails a run. A MUST that is untestable because the target did
not answer was not judged, and a run with one of those is not green.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum, StrEnum

from harness.outcome.finding import Observation, Outcome
from harness.outcome.rule import Basis, Level


class Verdict(StrEnum):
    """What a run says of one check; the buckets of a summary, which add up to the catalogue."""

    PASS = "pass"
    FAIL = "fail"
    WARN = "warn"
    INFO = "info"
    XFAIL = "xfail"
    STALE = "stale"
    UNTESTABLE = "untestable"
    NOT_APPLICABLE = "not_applicable"
    EXCLUDED = "excluded"
    NOT_RUN = "not_run"
    ERROR = "error"


class Exit(IntEnum):
    """Exit codes of every command; each means one thing."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOTHING_RAN = 3
    UNREACHABLE = 4
    HARNESS_ERROR = 5


_PLANNED = {
    Outcome.NOT_APPLICABLE: Verdict.NOT_APPLICABLE,
    Outcome.EXCLUDED: Verdict.EXCLUDED,
    Outcome.NOT_RUN: Verdict.NOT_RUN,
    Outcome.ERROR: Verdict.ERROR,
}
_MET = {Level.MUST: Verdict.PASS, Level.SHOULD: Verdict.PASS, Level.MAY: Verdict.PASS}
_NON_STRICT = {Level.MUST: Verdict.WARN, Level.SHOULD: Verdict.WARN, Level.MAY: Verdict.INFO}
_NOT_MET = {Level.MUST: Verdict.FAIL, Level.SHOULD: Verdict.WARN, Level.MAY: Verdict.INFO}


def verdict(
    observation: Observation,
    level: Level,
    basis: Basis,
    *,
    declared: bool = False,
    strict: bool = False,
    baselined: bool = False,
) -> Verdict:
    """The verdict of one check.

    `declared`: the user claimed every capability the check needs. `baselined`: the check is in the baseline.
    """
    plain = _plain(observation, level, basis, declared=declared, strict=strict)
    if not baselined:
        return plain
    if plain is Verdict.FAIL:
        return Verdict.XFAIL
    return Verdict.STALE if plain in (Verdict.PASS, Verdict.WARN, Verdict.INFO) else plain


def _plain(observation: Observation, level: Level, basis: Basis, *, declared: bool, strict: bool) -> Verdict:
    outcome = observation.outcome
    if outcome in _PLANNED:
        return _PLANNED[outcome]
    if outcome is Outcome.MET:
        return _MET[level]
    if outcome is Outcome.NON_STRICT:
        return _NON_STRICT[level]
    excused = not declared or observation.race_lost or observation.unanswered
    if outcome is Outcome.UNTESTABLE and excused:
        return Verdict.UNTESTABLE
    if strict and level is Level.SHOULD and basis is not Basis.INFERRED:
        return Verdict.FAIL
    return _NOT_MET[level]


RAN = frozenset(
    {Verdict.PASS, Verdict.FAIL, Verdict.WARN, Verdict.INFO, Verdict.XFAIL, Verdict.STALE, Verdict.ERROR}
)
"""Verdicts of checks that really looked at the target."""


def not_judged(observation: Observation, level: Level, *, baselined: bool = False) -> bool:
    """Whether a MUST had no answer that could be judged, and no baseline excuses it."""
    return level is Level.MUST and bool(observation.unanswered) and not baselined


def exit_code(verdicts: Iterable[Verdict], *, unjudged: bool = False) -> Exit:
    """The exit code of a finished run; a run in which nothing looked at the target is never green.

    `unjudged`: the target left a MUST without an answer. Its failures are told first: these are certain.
    """
    seen = set(verdicts)
    if Verdict.ERROR in seen:
        return Exit.HARNESS_ERROR
    if seen & {Verdict.FAIL, Verdict.STALE}:
        return Exit.FAILED
    if unjudged:
        return Exit.UNREACHABLE
    return Exit.OK if seen & RAN else Exit.NOTHING_RAN
