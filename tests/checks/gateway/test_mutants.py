"""Every rule can fail, every mutant is noticed, and a gateway that does nothing wrong is not blamed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.benches.gateway import GatewayOptions, judge_gateway
from harness.checks.gateway import BY_ID, CATALOGUE, CHECKS
from harness.kit.mutant import Mutant
from harness.outcome import Outcome
from harness.wire import Service
from lab.gateways import MUTANTS
from lab.gateways.mutant import GatewayBuild
from tests.benches.gateway.inprocess import bench_through, judged
from tests.checks.gateway.variants import VARIANTS

MILD = frozenset(
    {
        "route.no-get", "once.refused", "else.models", "status.busy", "results.rounded", "calls.rounded",
        "calls.doubles",
    }
)  # fmt: skip
"""The mutants that only break their rule read strictly."""

ABOUT_OWN_ERRORS = ("gw.error-event", "gw.own-error")
"""Rules that do not apply to a gateway that sends no error of its own."""


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=lambda mutant: mutant.id)
def test_each_mutant_is_noticed_by_the_rule_it_is_made_for(mutant: Mutant[GatewayBuild]) -> None:
    """The rule that a mutant breaks notices it, with the expected severity."""
    (result,) = judged(mutant.build, mutant.area).values()
    expected = Outcome.NON_STRICT if mutant.id in MILD else Outcome.NOT_MET
    assert result.observation.outcome is expected, mutant.summary


@pytest.mark.thorough
@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=lambda mutant: mutant.id)
def test_no_judge_raises_on_a_mutant(mutant: Mutant[GatewayBuild]) -> None:
    """Every rule judges what every mutant does, and the one that it breaks still notices it."""
    results = judged(mutant.build)
    assert [r.observation.reason for r in results.values() if r.observation.outcome is Outcome.ERROR] == []
    expected = Outcome.NON_STRICT if mutant.id in MILD else Outcome.NOT_MET
    assert results[mutant.area].observation.outcome is expected, mutant.summary


@pytest.mark.slow
@pytest.mark.parametrize("name", ["events.lost", "live.lossy", "cut.done", "cut.completed", "media-type.json"])
def test_a_loss_is_one_cause(name: str) -> None:
    """A stream that lacks an event lacks it when it is resumed, too: the run names the rule of the mutant.

    A stream whose event is too long to show its type lacks no more than the others.
    """
    events = list(judge_gateway(bench_through(MUTANTS[name].build), CATALOGUE, GatewayOptions()))
    failed = [result for result in events[-1].results if result.is_broken]
    assert len(failed) > 1
    assert {result.explained_by.partition("/")[0] for result in failed} == {MUTANTS[name].area}
    assert [
        one.message for result in failed for one in result.observation.findings if ": only in" in one.message
    ] == []


def test_each_rule_has_a_mutant() -> None:
    unproved = set(BY_ID) - {mutant.area for mutant in MUTANTS.values()}
    assert not unproved, (
        f"no mutant breaks {', '.join(sorted(unproved))}: add a row that does to "
        "lab/gateways/, with the name of the rule"
    )
    assert {mutant.area for mutant in MUTANTS.values()} <= set(BY_ID)


@pytest.mark.parametrize(
    "gateway",
    [
        pytest.param(gateway, id=name, marks=[pytest.mark.slow] * (name != "faithful"))
        for name, gateway in VARIANTS.items()
    ],
)
def test_nothing_is_said_of_a_gateway_that_loses_nothing(gateway: Callable[[Service], Service]) -> None:
    """A gateway that only renames ids or models, or rewrites frames and bodies, meets each rule that applies."""
    outcomes = {rule: result.observation.outcome for rule, result in judged(gateway).items()}
    for rule in ABOUT_OWN_ERRORS:
        assert outcomes.pop(rule) in (Outcome.NOT_APPLICABLE, Outcome.MET)
    assert outcomes == dict.fromkeys(outcomes, Outcome.MET)
    assert len(outcomes) == len(CHECKS) - len(ABOUT_OWN_ERRORS)
