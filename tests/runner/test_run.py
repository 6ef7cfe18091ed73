"""Claims about a whole run: each exercise once, one verdict a check, and the user's words obeyed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from harness.checks import Check
from harness.outcome import Exit, Verdict
from harness.runner.baseline import Baseline, Entry
from harness.runner.capabilities import parse_capabilities
from harness.runner.events import CheckFinished, Event, ExerciseStarted, Planned, Probed, RunFinished, RunStarted
from harness.runner.run import RunOptions, check_target
from tests.runner import toys


def run(
    catalogue: Sequence[Check], service: toys.ToyService | None = None, **options: Any
) -> tuple[list[Event], RunFinished]:
    """All events of a run, and its end."""
    target = toys.toy_target(service or toys.ToyService())
    events = list(check_target(target, catalogue, RunOptions(**options)))
    assert isinstance(events[-1], RunFinished)
    return events, events[-1]


def verdicts(finished: RunFinished) -> dict[str, Verdict]:
    """By check id."""
    return {result.check.id: result.verdict for result in finished.results}


def test_events_in_order() -> None:
    """Start, probe, plan, then each exercise before its checks, then the end."""
    events, finished = run(toys.CATALOGUE)
    kinds = [type(event) for event in events]
    assert kinds[:3] == [RunStarted, Probed, Planned]
    assert kinds[3:] == [
        ExerciseStarted,
        CheckFinished,
        CheckFinished,
        ExerciseStarted,
        CheckFinished,
        RunFinished,
    ]
    assert finished.exit is Exit.OK


@pytest.mark.parametrize("jobs", [1, 3])
def test_each_exercise_runs_once_and_results_keep_the_catalogue_order(jobs: int) -> None:
    """Checks that share an exercise share its requests, whatever the number of workers."""
    service = toys.ToyService()
    catalogue = (toys.CREATE, toys.STREAM, toys.GET, toys.ODD, toys.SHOULD)
    _, finished = run(catalogue, service, jobs=jobs)
    assert [result.check.id for result in finished.results] == [check.id for check in catalogue]
    assert finished.counts[Verdict.PASS] == 3
    assert service.stored == {}, "everything created was deleted"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"get.odd": Verdict.FAIL, "get.should": Verdict.WARN}),
        ({"strict": True}, {"get.odd": Verdict.FAIL, "get.should": Verdict.FAIL}),
        (
            {"baseline": Baseline([Entry("get.odd", "known", ""), Entry("create.ok", "was", "")])},
            {"get.odd": Verdict.XFAIL, "create.ok": Verdict.STALE},
        ),
    ],
)
def test_verdicts(options: dict[str, Any], expected: dict[str, Verdict]) -> None:
    """Level, strictness and baseline decide, the check does not."""
    _, finished = run((toys.CREATE, toys.ODD, toys.SHOULD), **options)
    assert expected.items() <= verdicts(finished).items()


def test_declared_but_broken_fails() -> None:
    """Untestable counts as failed exactly where the capability was declared."""
    catalogue = (toys.check("rob.declared", toys.unmet, toys.nothing, requires={"functions"}),)
    _, probed = run(catalogue, said=())
    _, declared = run(catalogue, said=tuple(parse_capabilities(["+functions"])))
    assert verdicts(probed) == {"rob.declared": Verdict.NOT_APPLICABLE}
    assert verdicts(declared) == {"rob.declared": Verdict.FAIL}


def test_fail_fast_leaves_the_rest_not_run() -> None:
    """After the first failure no further exercise begins; its checks are shown as not run."""
    service = toys.ToyService()
    _, finished = run((toys.ODD, toys.STREAM), service, fail_fast=True)
    assert verdicts(finished) == {"get.odd": Verdict.FAIL, "stream.any": Verdict.NOT_RUN}


def test_an_error_of_ours_is_not_the_targets() -> None:
    """A bug in an exercise gives ERROR and exit code 5, with the traceback as reason."""
    _, finished = run((toys.CREATE, toys.RAISES))
    assert verdicts(finished)["rob.raises"] is Verdict.ERROR
    assert finished.exit is Exit.HARNESS_ERROR


def test_only_failures_carry_exchanges() -> None:
    """A pass keeps no evidence, so that a long run does not hold every answer in memory."""
    _, finished = run((toys.CREATE, toys.ODD))
    assert [bool(result.exchanges) for result in finished.results] == [False, True]


def test_buckets_add_up() -> None:
    """The counts of all verdicts are the size of the catalogue."""
    _, finished = run((*toys.CATALOGUE, toys.UNMET, toys.ODD), toys.ToyService(streams=False))
    assert sum(finished.counts.values()) == 5


def test_exercises_know_the_capabilities() -> None:
    """What was found is told to the exercises, so that they may script a target that can be scripted."""
    seen: list[frozenset[str]] = []

    @toys.exercise(requests=0)
    def looks(t: toys.Target) -> toys.Steps:
        seen.append(t.capabilities)
        yield from ()
        return {}

    run((toys.check("a.b", looks, toys.nothing, requires={"store"}),), toys.ToyService(announces=["store"]))
    assert seen == [frozenset({"script", "store"})]


def test_an_interrupt_cleans_up() -> None:
    """Ctrl-C in the middle of a request still hangs up and deletes, and is not swallowed."""
    service = toys.ToyService()

    @toys.exercise(requests=2)
    def interrupted(t: toys.Target) -> toys.Steps:
        yield toys.Send(t.create(input="hi"))
        raise KeyboardInterrupt

    catalogue = (toys.CREATE, toys.check("a.b", interrupted, toys.nothing))
    with pytest.raises(KeyboardInterrupt):
        run(catalogue, service)
    assert service.made == 3
    assert service.stored == {}


def test_closing_early_cleans_up() -> None:
    """A run that is abandoned in the middle still deletes what it created."""
    service = toys.ToyService()
    events = check_target(toys.toy_target(service), (toys.CREATE, toys.STREAM), RunOptions())
    for event in events:
        if isinstance(event, CheckFinished):
            break
    events.close()
    assert service.made > 1
    assert service.stored == {}
