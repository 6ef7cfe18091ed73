"""Checks of deep research that plans first: a turn that answers a plan, and one that carries it out.

Layer 2. Two runs of many minutes on a real service: the capability `deep-research` must be declared.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.expect import at, expect_interaction, finding, interaction_in
from harness.checks.vocabulary.polling import id_of, need_id, poll_until_settled, status_of
from harness.contract.data.output import output_text
from harness.contract.judge.replies import SUCCESS
from harness.contract.judge.wording import format_answer
from harness.contract.requests import RequestBuilder
from harness.contract.tables.refusals import RESEARCHER
from harness.kit.actions import Exchanges, Send, Steps
from harness.kit.check import exercise
from harness.outcome import Finding, Unmet
from harness.wire import Exchange

_RESEARCH = new_registry()
CHECKS = _RESEARCH.checks

QUESTION = "In which year was the first lighthouse with a Fresnel lens lit? Two sentences will do."


@exercise(requests=8, interactions=2)
def a_planned_research(t: RequestBuilder) -> Steps:
    """A run that shall plan, and one that continues it and shall report."""
    planned: Exchange = yield Send(t.create(_research(t, QUESTION, planning=True)))
    seen: Exchanges = {"planned": planned, "plan": (yield from poll_until_settled(t, need_id(planned)))[-1]}
    go_on = _research(t, "The plan is good. Go on.", planning=False)
    seen["begun"] = yield Send(t.create(go_on, previous_interaction_id=id_of(planned)))
    seen["report"] = seen["begun"]
    if seen["begun"].status in SUCCESS:
        seen["report"] = (yield from poll_until_settled(t, need_id(seen["begun"])))[-1]
    return seen


def _research(t: RequestBuilder, text: str, *, planning: bool) -> dict[str, Any]:
    agent = t.agent if t.agent.startswith("deep-research") else RESEARCHER
    config = {"type": "deep-research", "collaborative_planning": planning}
    return {"agent": agent, "input": text, "agent_config": config, "background": True}


@_RESEARCH.check(
    "agent.plan-flow",
    a_planned_research,
    title="deep research answers a plan, and then carries it out",
    profile="agents",
    requires=["agents", "background", "store", "chain", "deep-research"],
    accepts=["completed with some text, twice", "a run that fails or is cut short: untestable"],
)
def _plans_and_reports(plan: Exchange, begun: Exchange, report: Exchange) -> Iterator[Finding]:
    yield from at("plan", _completes(plan, "the plan"))
    yield from at("begun", expect_interaction(begun))
    if begun.status in SUCCESS:
        yield from at("report", _completes(report, "the report"))


def _completes(answer: Exchange, what: str) -> Iterator[Finding]:
    status = status_of(answer)
    if status in ("failed", "cancelled", "incomplete"):
        raise Unmet(f"{what} was not made: {format_answer(answer)}")
    if status != "completed":
        yield finding(f"{what} does not complete", expected="completed", actual=format_answer(answer))
    elif not output_text(interaction_in(answer)):
        yield finding(f"{what} has no text", expected="a model_output with text", actual="none")
