"""The outcome of a check in a run: six words that every surface uses, and the reasons why a check was not tested.

Layer 0. A check has exactly one outcome, so the numbers of a run add up. `account` is the only place that maps a
verdict to an outcome; a report never does so for itself.
"""

from __future__ import annotations

from enum import StrEnum

from harness.outcome.finding import Because, Observation, Outcome
from harness.outcome.verdict import Exit, Verdict


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
    Exit.UNREACHABLE: "INCOMPLETE",
    Exit.HARNESS_ERROR: "HARNESS ERROR",
    Exit.INTERRUPTED: "INTERRUPTED",
}
"""The first word of the last line of every command that judges, by its exit code."""
