"""Each check has one outcome, and a check that was not tested has one reason."""

from __future__ import annotations

import itertools

import pytest

from harness.outcome import (
    FIRST_WORDS,
    Accounted,
    Because,
    Exit,
    Finding,
    Level,
    Observation,
    Outcome,
    Reason,
    Verdict,
    account,
    find_reason,
    verdict,
    word_reason,
)
from harness.outcome.rule import Basis

BROKEN = Observation.of([Finding("r", "m")])
MET = Observation.of([])
REFUSED = Observation(Outcome.NOT_APPLICABLE, because=Because.REFUSED)


@pytest.mark.parametrize(
    ("decided", "observation", "outcome"),
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
    ],
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


def test_every_reason_can_come_about() -> None:
    """No reason is in the list that nothing leads to."""
    seen = {find_reason(Observation(outcome, because=because)) for outcome in Outcome for because in Because}
    assert seen == set(Reason)


def test_every_verdict_has_one_outcome() -> None:
    """Whatever is observed and decided, the outcome is one of six, and only failures fail a run."""
    flags = (False, True)
    for outcome, because, level in itertools.product(Outcome, Because, Level):
        observation = Observation(outcome, because=because)
        for declared, strict, baselined in itertools.product(flags, flags, flags):
            decided = verdict(
                observation, level, Basis.OBSERVED, declared=declared, strict=strict, baselined=baselined
            )
            failed = account(decided, observation) is Accounted.FAILED
            assert failed is (decided in (Verdict.FAIL, Verdict.STALE))


def test_every_exit_code_has_a_first_word() -> None:
    """The last line of a run begins with the word of its exit code."""
    assert set(FIRST_WORDS) == set(Exit)
    assert len(set(FIRST_WORDS.values())) == len(Exit)
