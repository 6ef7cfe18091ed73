"""An exercise that stopped at a refused create names the check that found the create refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from harness.engine.causes import link
from harness.engine.events import CheckFinished, RunFinished
from harness.engine.run import RunOptions, check_target
from harness.interactions import INTERACTIONS
from harness.outcome import Finding, Unmet, Verdict, Where
from harness.report.explanation import explain
from harness.report.presented_run import PresentedRun
from harness.report.run_state import find_causes
from harness.wire import Exchange, Request, Response
from tests.engine import toys


class Refusing(toys.ToyService):
    """Refuses every create after those of the probe."""

    def __call__(self, request: Request) -> Response:
        if request.method == "POST" and self.made:
            return toys.answer({"error": {"code": "invalid_request", "message": "no"}}, 400)
        return super().__call__(request)


@toys.exercise(requests=1, interactions=1)
def creates(t: toys.RequestBuilder) -> toys.Steps:
    """A create, whatever becomes of it."""
    created = yield toys.Send(t.create(input="hi"))
    return {"created": created}


@toys.exercise(requests=1, interactions=1)
def needs_one(t: toys.RequestBuilder) -> toys.Steps:
    """Stops if the create is refused."""
    created = yield toys.Send(t.create(input="hi"))
    if created.status != 200:
        raise Unmet("the create was refused")
    return {"created": created}


@toys.exercise(requests=1)
def needs_another(t: toys.RequestBuilder) -> toys.Steps:
    """Stops for a reason that is no create."""
    yield toys.Send(t.get("nothing"))
    raise Unmet("the target has no x")


CATALOGUE = (
    toys.check("create.ok", creates, toys.answers_200),
    toys.check("get.one", needs_one, toys.nothing),
    toys.check("get.other", needs_another, toys.nothing),
)


def finished() -> tuple[PresentedRun, RunFinished]:
    """The state and the last event of a run in which creates are refused."""
    state = PresentedRun(INTERACTIONS)
    for event in check_target(toys.toy_target(Refusing()), CATALOGUE, RunOptions()):
        state.handle(event)
        assert not isinstance(event, CheckFinished) or not event.result.observation.cause
    return state, state.whole()[1]


def test_a_stop_at_a_refused_create_has_a_cause() -> None:
    """The check that could not begin names the code of the one that failed, which weighs one more for it."""
    _, last = finished()
    root, caused, other = last.results
    assert caused.observation.cause == root.observation.findings[0].stable_code == "create.ok"
    assert (root.weight, other.observation.cause) == (2, "")


def test_what_a_finding_stands_in_the_way_of_is_blocked() -> None:
    _, last = finished()
    assert [result.verdict for result in last.results] == [Verdict.FAIL, Verdict.BLOCKED, Verdict.UNTESTABLE]


def test_a_consequence_is_explained_in_short() -> None:
    state, last = finished()
    root, caused, _ = last.results
    assert "curl" in explain(root, state)
    assert explain(caused, state).startswith("blocked by create.ok")


def says(code: str, pointer: str, expected: str = "string") -> Callable[[Exchange], Iterator[Finding]]:
    """A judge that finds a value of another type."""

    def judge(created: Exchange) -> Iterator[Finding]:
        yield Finding.from_code(code, "of another type", expected, "7", where=Where("created", pointer=pointer))

    return judge


SHAPES = (
    toys.check("create.shape", creates, says("create.shape/type", "$.steps[0].at")),
    toys.check("get.shape", creates, says("get.shape/type", "$.steps[3].at")),
    toys.check("get.another-place", creates, says("get.another-place/type", "$.at")),
    toys.check("get.another-type", creates, says("get.another-type/type", "$.steps[0].at", "array")),
    toys.check("get.another-word", creates, says("get.another-word/missing", "$.steps[0].at")),
)


def test_what_several_rules_find_at_one_place_is_one_reason() -> None:
    """Each rule is broken, and a reader has one thing to mend; another place, type or word is another."""
    state = PresentedRun(INTERACTIONS)
    for event in check_target(toys.toy_target(toys.ToyService()), SHAPES, RunOptions()):
        state.handle(event)
    last = state.whole()[1]
    assert [result.verdict for result in last.results] == [Verdict.FAIL] * len(SHAPES)
    assert [cause.key for cause in find_causes(state)] == [
        "create.shape/type",
        "get.another-place/type",
        "get.another-type/type",
        "get.another-word/missing",
    ]
    assert " (4 causes: " in str(state.presentation.verdict(state))
    root, same, *_ = last.results
    assert "a consequence of create.shape/type" in explain(same, state)
    assert link(last.results, {}, INTERACTIONS) == last.results, "a merge of shards links once more"
    assert link(last.results[1:], {}, INTERACTIONS)[0].observation.findings[0].cause
    assert root.observation.findings[0].cause == ""
