"""The one table that maps observations to verdicts, and verdicts to an exit code.

A check never decides its own verdict: level, capability, baseline and strictness are combined only here.

    outcome          MUST           SHOULD           MAY
    met              PASS           PASS             PASS
    non_strict       WARN           WARN             INFO
    not_met          FAIL           WARN (1)         INFO
    untestable (2)   UNTESTABLE (3) UNTESTABLE       UNTESTABLE
    blocked          BLOCKED        BLOCKED          BLOCKED
    error            ERROR          ERROR            ERROR

(1) FAIL under `--strict`, unless the rule is only inferred. (2) If the capability it needs was *declared*,
`untestable` counts like not_met, unless a race was lost or the target did not respond. (3) FAIL under `--strict`,
also if it does not apply, unless the target refuses what it needs, the user left it out, or no response came. For
a baselined check FAIL becomes XFAIL, and PASS, WARN and INFO become STALE. Without a baseline `non_strict` never
fails a run. A MUST that is not tested because the target did not respond counts as not judged, and a run with such
a check does not pass.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum, StrEnum

from harness.outcome.finding import Basis, Because, Level, Observation, Outcome


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
    INCOMPLETE = 4
    HARNESS_ERROR = 5
    INTERRUPTED = 130


_PLANNED = {
    Outcome.NOT_APPLICABLE: Verdict.NOT_APPLICABLE,
    Outcome.EXCLUDED: Verdict.EXCLUDED,
    Outcome.NOT_RUN: Verdict.NOT_RUN,
    Outcome.BLOCKED: Verdict.BLOCKED,
    Outcome.ERROR: Verdict.ERROR,
}
_BY_LEVEL = {
    Outcome.MET: {Level.MUST: Verdict.PASS, Level.SHOULD: Verdict.PASS, Level.MAY: Verdict.PASS},
    Outcome.NON_STRICT: {Level.MUST: Verdict.WARN, Level.SHOULD: Verdict.WARN, Level.MAY: Verdict.INFO},
}
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
    if outcome in _BY_LEVEL:
        return _BY_LEVEL[outcome][level]
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


_UNJUDGED = frozenset({Because.NO_ANSWER, Because.OUR_LIMIT, Because.INTERRUPTED, Because.NOT_TRIED})


def not_judged(observation: Observation, level: Level, *, baselined: bool = False) -> bool:
    """Whether this is a MUST that could not be judged for lack of a response, and that no baseline excuses."""
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
        return Exit.INCOMPLETE
    return Exit.OK if seen & RAN else Exit.NOTHING_RAN


# The outcome of a check in a run: six words that every surface uses, and the reasons why a check was not tested.


class Accounted(StrEnum):
    """The outcome of a check, in the order in which every surface lists them."""

    FAILED = "failed"
    """The run exits with 1 because of this check: the rule is broken, or its baseline entry is stale."""

    WARNED = "warned"
    """Judged: the rule is broken or met only in a lenient reading, but the run does not fail for it."""

    PASSED = "passed"
    """Judged: the rule is met. A broken MAY is no violation: it passes, with a note."""

    NOT_TESTED = "not_tested"
    """The harness tried or planned to judge it and could not. A reason always follows."""

    NOT_OFFERED = "not_offered"
    """The target declined the feature (4xx or 501); that is allowed."""

    EXCLUDED = "excluded"
    """The options left it out: filter, level, profile, denied capability, `--fail-fast`, no second key."""

    @property
    def word(self) -> str:
        """The outcome as people read it."""
        return self.value.replace("_", " ")


class Reason(StrEnum):
    """Why a check was not tested: a closed list."""

    BLOCKED = "blocked"
    NO_RESPONSE = "no_response"
    TIME_LIMIT = "time_limit_reached"
    INTERRUPTED = "interrupted"
    NOT_REACHED = "not_reached"
    TOO_EARLY = "run_finished_too_early"
    NEEDS_CAPABILITY = "needs_capability"
    NOT_OBSERVED = "feature_not_observed"
    HARNESS_ERROR = "harness_error"


_FAILED = frozenset({Verdict.FAIL, Verdict.STALE})
_WARNED = frozenset({Verdict.WARN, Verdict.XFAIL})
_JUDGED = frozenset({Outcome.MET, Outcome.NOT_MET, Outcome.NON_STRICT})


def is_judged(observation: Observation) -> bool:
    """Whether a rule was compared with a response."""
    return observation.outcome in _JUDGED


def account(verdict: Verdict, observation: Observation) -> Accounted:
    """Return the outcome of a check; the first row that matches wins."""
    if verdict in _FAILED:
        return Accounted.FAILED
    if verdict in _WARNED:
        return Accounted.WARNED
    if verdict is Verdict.PASS or (verdict is Verdict.INFO and is_judged(observation)):
        return Accounted.PASSED
    if observation.because is Because.REFUSED:
        return Accounted.NOT_OFFERED
    if verdict is Verdict.EXCLUDED or observation.because is Because.LEFT_OUT:
        return Accounted.EXCLUDED
    return Accounted.NOT_TESTED


_REASONS = {
    Because.LACKING: Reason.NOT_OBSERVED,
    Because.BLOCKED: Reason.BLOCKED,
    Because.UNDECLARED: Reason.NEEDS_CAPABILITY,
    Because.RACE_LOST: Reason.TOO_EARLY,
    Because.NO_ANSWER: Reason.NO_RESPONSE,
    Because.OUR_LIMIT: Reason.TIME_LIMIT,
    Because.INTERRUPTED: Reason.INTERRUPTED,
    Because.NOT_TRIED: Reason.NOT_REACHED,
}
_OF_OUTCOMES = {
    Outcome.ERROR: Reason.HARNESS_ERROR,
    Outcome.BLOCKED: Reason.BLOCKED,
}


def find_reason(observation: Observation) -> Reason:
    """Return why a check was not tested, given what was observed of it."""
    if observation.outcome is Outcome.NOT_RUN and observation.because is Because.LACKING:
        return Reason.NOT_REACHED
    if observation.because is Because.RACE_LOST and observation.remedy:  # time is not what it lacks
        return Reason.NOT_OBSERVED
    return _OF_OUTCOMES.get(observation.outcome) or _REASONS.get(observation.because, Reason.NOT_OBSERVED)


def word_reason(reason: Reason, observation: Observation) -> str:
    """Return the reason as people read it: it names what blocks the check, or the capability that it needs."""
    if reason is Reason.BLOCKED:
        return f"blocked by {observation.cause}" if observation.cause else "blocked"
    if reason is Reason.NEEDS_CAPABILITY:
        return f"needs `--capability +{observation.needs}`" if observation.needs else "needs `--capability`"
    return reason.value.replace("_", " ")


FIRST_WORDS = {
    Exit.OK: "PASSED",
    Exit.FAILED: "FAILED",
    Exit.USAGE: "USAGE ERROR",
    Exit.NOTHING_RAN: "NOTHING RAN",
    Exit.INCOMPLETE: "INCOMPLETE",
    Exit.HARNESS_ERROR: "HARNESS ERROR",
    Exit.INTERRUPTED: "INTERRUPTED",
}
"""The first word of the last line of every command that judges, by its exit code."""
