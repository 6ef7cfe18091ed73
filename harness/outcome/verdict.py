"""The one table that maps observations to verdicts, and verdicts to an exit code.

Layer 0. A check never decides its own verdict: level, capability, baseline and strictness are combined only here.

    outcome          MUST           SHOULD           MAY
    met              PASS           PASS             PASS
    non_strict       WARN           WARN             INFO
    not_met          FAIL           WARN (1)         INFO
    untestable (2)   UNTESTABLE (3) UNTESTABLE       UNTESTABLE
    blocked          BLOCKED        BLOCKED          BLOCKED
    error            ERROR          ERROR            ERROR

(1) FAIL under `--strict`, unless the rule is only inferred. (2) If the capability it needs was *declared*,
untestable counts like not_met, unless a race was lost or the target did not answer. (3) FAIL under `--strict`,
also if it is not applicable, unless the target refuses what it needs, the user left it out, or no answer came. For
a baselined check FAIL becomes XFAIL, and PASS, WARN and INFO become STALE. Without a baseline `non_strict` never
fails a run. A MUST that is untestable because the target did not answer counts as not judged, and a run with such
a check is not green.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum, StrEnum

from harness.outcome.finding import Because, Observation, Outcome
from harness.outcome.rule import Basis, Level


class Verdict(StrEnum):
    """The final result of one check. The counts of all verdicts in a summary add up to the catalog."""

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
    BLOCKED = "blocked"
    ERROR = "error"


class Exit(IntEnum):
    """Exit codes of every command; each means one thing."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOTHING_RAN = 3
    UNREACHABLE = 4
    HARNESS_ERROR = 5
    INTERRUPTED = 130


_PLANNED = {
    Outcome.NOT_APPLICABLE: Verdict.NOT_APPLICABLE,
    Outcome.EXCLUDED: Verdict.EXCLUDED,
    Outcome.NOT_RUN: Verdict.NOT_RUN,
    Outcome.BLOCKED: Verdict.BLOCKED,
    Outcome.ERROR: Verdict.ERROR,
}
_MET = {Level.MUST: Verdict.PASS, Level.SHOULD: Verdict.PASS, Level.MAY: Verdict.PASS}
_NON_STRICT = {Level.MUST: Verdict.WARN, Level.SHOULD: Verdict.WARN, Level.MAY: Verdict.INFO}
_NOT_MET = {Level.MUST: Verdict.FAIL, Level.SHOULD: Verdict.WARN, Level.MAY: Verdict.INFO}
_PROMISED = frozenset({Because.LACKING, Because.REFUSED, Because.UNDECLARED})
"""Reasons that do not excuse what the user declared."""

_UNTESTED = frozenset({Because.LACKING, Because.BLOCKED, Because.RACE_LOST, Because.UNDECLARED})
"""Reasons that leave a MUST untested, though the target did not refuse it."""


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

    `declared`: the user declared every capability that the check needs. `baselined`: the check is in the baseline.
    """
    plain = _decide_without_baseline(observation, level, basis, declared=declared, strict=strict)
    if not baselined:
        return plain
    if plain is Verdict.FAIL:
        return Verdict.XFAIL
    return Verdict.STALE if plain in (Verdict.PASS, Verdict.WARN, Verdict.INFO) else plain


def _decide_without_baseline(
    observation: Observation, level: Level, basis: Basis, *, declared: bool, strict: bool
) -> Verdict:
    outcome = observation.outcome
    if strict and is_untested(observation, level):
        return Verdict.FAIL
    if outcome in _PLANNED:
        return _PLANNED[outcome]
    if outcome is Outcome.MET:
        return _MET[level]
    if outcome is Outcome.NON_STRICT:
        return _NON_STRICT[level]
    excused = not declared or observation.because not in _PROMISED
    if outcome is Outcome.UNTESTABLE and excused:
        return Verdict.UNTESTABLE
    if strict and level is Level.SHOULD and basis is not Basis.INFERRED:
        return Verdict.FAIL
    return _NOT_MET[level]


def is_untested(observation: Observation, level: Level) -> bool:
    """Whether this is a MUST that was not tested, though the target does not reject what it needs."""
    skipped = observation.outcome in (Outcome.UNTESTABLE, Outcome.NOT_APPLICABLE)
    return level is Level.MUST and skipped and observation.because in _UNTESTED


RAN = frozenset(
    {Verdict.PASS, Verdict.FAIL, Verdict.WARN, Verdict.INFO, Verdict.XFAIL, Verdict.STALE, Verdict.ERROR}
)
"""Verdicts of checks that actually ran against the target."""


_UNJUDGED = frozenset({Because.NO_ANSWER, Because.OUR_LIMIT, Because.NOT_TRIED})


def not_judged(observation: Observation, level: Level, *, baselined: bool = False) -> bool:
    """Whether this is a MUST that could not be judged for lack of an answer, and that no baseline excuses."""
    return level is Level.MUST and observation.because in _UNJUDGED and not baselined


def exit_code(verdicts: Iterable[Verdict], *, unjudged: bool = False) -> Exit:
    """The exit code of a finished run; a run in which no check ran against the target never passes.

    `unjudged`: the target left a MUST unanswered. Failures take precedence over that, because they are certain.
    """
    seen = set(verdicts)
    if Verdict.ERROR in seen:
        return Exit.HARNESS_ERROR
    if seen & {Verdict.FAIL, Verdict.STALE}:
        return Exit.FAILED
    if unjudged:
        return Exit.UNREACHABLE
    return Exit.OK if seen & RAN else Exit.NOTHING_RAN
