"""An exercise that stopped at a refused create names the check that found the create refused."""

from __future__ import annotations

from harness.engine.events import CheckFinished, RunFinished
from harness.engine.run import RunOptions, check_target
from harness.interactions import INTERACTIONS
from harness.outcome import Unmet, Verdict
from harness.report.explanation import explain
from harness.report.run_state import RunState
from harness.wire import Request, Response
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


def finished() -> tuple[RunState, RunFinished]:
    """The state and the last event of a run in which creates are refused."""
    state = RunState(INTERACTIONS)
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
    """A check that a finding stands in the way of is blocked by it, and the run is judged by the root."""
    _, last = finished()
    assert [result.verdict for result in last.results] == [Verdict.FAIL, Verdict.BLOCKED, Verdict.UNTESTABLE]


def test_a_consequence_is_explained_in_short() -> None:
    """A page explains the root with its exchanges, and a consequence by naming the root."""
    state, last = finished()
    root, caused, _ = last.results
    assert "curl" in explain(root, state)
    assert explain(caused, state).startswith("blocked by create.ok")
