"""One table maps observations to verdicts, and verdicts to an exit code."""

from __future__ import annotations

import pytest

from harness.outcome import (
    Accounted,
    Basis,
    Because,
    Exit,
    Finding,
    Level,
    Observation,
    Outcome,
    Verdict,
    account,
    exit_code,
    find_reason,
    verdict,
    word_reason,
)
from tests.in_one_test import in_one_test

MUST, SHOULD, MAY = Level.MUST, Level.SHOULD, Level.MAY
DOCUMENTED, INFERRED, OBSERVED = Basis.DOCUMENTED, Basis.INFERRED, Basis.OBSERVED
NOT_MET = Observation(Outcome.NOT_MET)

TABLE = {
    Outcome.MET: (Verdict.PASS, Verdict.PASS, Verdict.PASS),
    Outcome.NON_STRICT: (Verdict.WARN, Verdict.WARN, Verdict.INFO),
    Outcome.NOT_MET: (Verdict.FAIL, Verdict.WARN, Verdict.INFO),
    Outcome.UNTESTABLE: (Verdict.UNTESTABLE,) * 3,
    Outcome.ERROR: (Verdict.ERROR,) * 3,
    Outcome.NOT_APPLICABLE: (Verdict.NOT_APPLICABLE,) * 3,
    Outcome.EXCLUDED: (Verdict.EXCLUDED,) * 3,
    Outcome.NOT_RUN: (Verdict.NOT_RUN,) * 3,
    Outcome.BLOCKED: (Verdict.BLOCKED,) * 3,
}


@pytest.mark.parametrize(("outcome", "expected"), TABLE.items())
def test_the_table(outcome: Outcome, expected: tuple[Verdict, ...]) -> None:
    """Each outcome has its documented verdict at each level."""
    assert tuple(verdict(Observation(outcome), level, DOCUMENTED) for level in (MUST, SHOULD, MAY)) == expected


@pytest.mark.parametrize(
    ("level", "basis", "expected"),
    [
        (MUST, DOCUMENTED, Verdict.FAIL),
        (SHOULD, DOCUMENTED, Verdict.FAIL),
        (SHOULD, OBSERVED, Verdict.FAIL),
        (SHOULD, INFERRED, Verdict.WARN),
        (MAY, DOCUMENTED, Verdict.INFO),
    ],
)
def test_strict_never_fails_what_was_only_inferred(level: Level, basis: Basis, expected: Verdict) -> None:
    """--strict turns a warning into a failure unless the rule is only inferred."""
    assert verdict(NOT_MET, level, basis, strict=True) is expected


@pytest.mark.parametrize("strict", [False, True])
def test_a_lenient_reading_never_fails(strict: bool) -> None:
    """A rule that is met only under a lenient reading warns, with or without --strict."""
    assert verdict(Observation(Outcome.NON_STRICT), MUST, DOCUMENTED, strict=strict) is Verdict.WARN


@pytest.mark.parametrize(
    ("declared", "race_lost", "expected"),
    [(False, False, Verdict.UNTESTABLE), (True, False, Verdict.FAIL), (True, True, Verdict.UNTESTABLE)],
)
def test_untestable_fails_only_where_it_was_promised(declared: bool, race_lost: bool, expected: Verdict) -> None:
    """An untestable check fails if its capability was declared, unless the cause was a lost race."""
    observation = Observation.untestable("no ids", Because.RACE_LOST if race_lost else Because.LACKING)
    assert verdict(observation, MUST, DOCUMENTED, declared=declared) is expected


@pytest.mark.parametrize(
    ("because", "outcome", "level", "expected"),
    [
        (Because.LACKING, Outcome.UNTESTABLE, MUST, Verdict.FAIL),
        (Because.RACE_LOST, Outcome.UNTESTABLE, MUST, Verdict.FAIL),
        (Because.UNDECLARED, Outcome.NOT_APPLICABLE, MUST, Verdict.FAIL),
        (Because.LACKING, Outcome.UNTESTABLE, SHOULD, Verdict.UNTESTABLE),
        (Because.REFUSED, Outcome.NOT_APPLICABLE, MUST, Verdict.NOT_APPLICABLE),
        (Because.LEFT_OUT, Outcome.EXCLUDED, MUST, Verdict.EXCLUDED),
        (Because.NO_ANSWER, Outcome.UNTESTABLE, MUST, Verdict.UNTESTABLE),
        (Because.BLOCKED, Outcome.BLOCKED, MUST, Verdict.BLOCKED),
        (Because.BLOCKED, Outcome.UNTESTABLE, MUST, Verdict.FAIL),
    ],
)
def test_strict_fails_a_must_that_nobody_looked_at(
    because: Because, outcome: Outcome, level: Level, expected: Verdict
) -> None:
    """--strict fails an untested MUST, but nothing that was refused, left out or not answered."""
    observation = Observation(outcome, because=because)
    assert verdict(observation, level, DOCUMENTED, strict=True) is expected
    assert verdict(observation, level, DOCUMENTED) is not Verdict.FAIL


@pytest.mark.parametrize(
    ("outcome", "level", "expected"),
    [
        (Outcome.NOT_MET, MUST, Verdict.XFAIL),
        (Outcome.MET, MUST, Verdict.STALE),
        (Outcome.NOT_MET, SHOULD, Verdict.STALE),
        (Outcome.UNTESTABLE, MUST, Verdict.UNTESTABLE),
        (Outcome.ERROR, MUST, Verdict.ERROR),
    ],
)
def test_a_baseline_expects_the_failure(outcome: Outcome, level: Level, expected: Verdict) -> None:
    """A failure in the baseline is expected; if its check no longer fails, the entry is stale."""
    assert verdict(Observation(outcome), level, DOCUMENTED, baselined=True) is expected


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([Verdict.PASS, Verdict.WARN, Verdict.INFO, Verdict.XFAIL], Exit.OK),
        ([Verdict.PASS, Verdict.FAIL], Exit.FAILED),
        ([Verdict.PASS, Verdict.STALE], Exit.FAILED),
        ([Verdict.FAIL, Verdict.ERROR], Exit.HARNESS_ERROR),
        ([Verdict.UNTESTABLE, Verdict.EXCLUDED], Exit.NOTHING_RAN),
        ([], Exit.NOTHING_RAN),
    ],
)
def test_exit_codes(verdicts: list[Verdict], code: Exit) -> None:
    """A run exits with 0 only if at least one check was judged, none failed and none erred."""
    assert exit_code(verdicts) is code


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([Verdict.PASS, Verdict.UNTESTABLE], Exit.INCOMPLETE),
        ([Verdict.UNTESTABLE], Exit.INCOMPLETE),
        ([Verdict.FAIL, Verdict.UNTESTABLE], Exit.FAILED),
        ([Verdict.ERROR, Verdict.UNTESTABLE], Exit.HARNESS_ERROR),
    ],
)
def test_a_run_that_left_a_must_unjudged_is_never_green(verdicts: list[Verdict], code: Exit) -> None:
    """An unjudged MUST makes the run exit as unreachable, unless a failure or an error is known."""
    assert exit_code(verdicts, unjudged=True) is code


# Each check has one outcome, and a check that was not tested has one reason.


BROKEN = Observation.of([Finding("r", "m")])
MET = Observation.of([])
REFUSED = Observation(Outcome.NOT_APPLICABLE, because=Because.REFUSED)


@in_one_test(
    [
        (Verdict.FAIL, BROKEN, Accounted.FAILED),
        (Verdict.FAIL, Observation.untestable("no"), Accounted.FAILED),
        (Verdict.FAIL, REFUSED, Accounted.FAILED),
        (Verdict.STALE, MET, Accounted.FAILED),
        (Verdict.WARN, BROKEN, Accounted.WARNED),
        (Verdict.WARN, REFUSED, Accounted.WARNED),
        (Verdict.XFAIL, BROKEN, Accounted.WARNED),
        (Verdict.PASS, MET, Accounted.PASSED),
        (Verdict.INFO, BROKEN, Accounted.PASSED),
        (Verdict.INFO, Observation.untestable("no"), Accounted.NOT_TESTED),
        (Verdict.INFO, REFUSED, Accounted.NOT_OFFERED),
        (Verdict.NOT_APPLICABLE, REFUSED, Accounted.NOT_OFFERED),
        (Verdict.UNTESTABLE, Observation.untestable("no", Because.REFUSED), Accounted.NOT_OFFERED),
        (Verdict.EXCLUDED, Observation(Outcome.EXCLUDED), Accounted.EXCLUDED),
        (Verdict.NOT_RUN, Observation(Outcome.NOT_RUN, because=Because.LEFT_OUT), Accounted.EXCLUDED),
        (
            Verdict.NOT_APPLICABLE,
            Observation(Outcome.NOT_APPLICABLE, because=Because.LEFT_OUT),
            Accounted.EXCLUDED,
        ),
        (Verdict.BLOCKED, Observation(Outcome.BLOCKED, because=Because.BLOCKED), Accounted.NOT_TESTED),
        (Verdict.ERROR, Observation(Outcome.ERROR), Accounted.NOT_TESTED),
        (Verdict.UNTESTABLE, Observation.untestable("no"), Accounted.NOT_TESTED),
        (Verdict.NOT_RUN, Observation(Outcome.NOT_RUN, because=Because.OUR_LIMIT), Accounted.NOT_TESTED),
    ]
)
def test_the_first_row_that_matches_decides(
    decided: Verdict, observation: Observation, outcome: Accounted
) -> None:
    """A verdict that decides the exit code wins; then a refusal, then what the options left out."""
    assert account(decided, observation) is outcome


@pytest.mark.parametrize(
    ("observation", "words"),
    [
        (Observation(Outcome.BLOCKED, because=Because.BLOCKED, cause="a.b/c"), "blocked by a.b/c"),
        (Observation.untestable("no", Because.BLOCKED), "blocked"),
        (Observation.untestable("no", Because.NO_ANSWER), "no response"),
        (Observation.untestable("no", Because.OUR_LIMIT), "time limit reached"),
        (Observation.untestable("no", Because.NOT_TRIED), "not reached"),
        (Observation(Outcome.NOT_RUN), "not reached"),
        (Observation.untestable("no", Because.RACE_LOST), "run finished too early"),
        (Observation.untestable("no", Because.RACE_LOST, remedy="with another model"), "feature not observed"),
        (
            Observation(Outcome.NOT_APPLICABLE, because=Because.UNDECLARED, needs="two-keys"),
            "needs `--capability +two-keys`",
        ),
        (Observation.untestable("no"), "feature not observed"),
        (Observation(Outcome.ERROR), "harness error"),
    ],
)
def test_each_reason_has_its_words(observation: Observation, words: str) -> None:
    """The list of reasons is closed; a reason names what blocks a check or what it needs."""
    assert word_reason(find_reason(observation), observation) == words
