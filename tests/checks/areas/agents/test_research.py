"""The judges of the checks on deep research that plans first, on hand-made exchanges."""

from __future__ import annotations

from tests.checks._play import answer, case, interaction, refusal, shows

DONE = answer(body=interaction())
BEGUN = shows("in_progress", steps=None)
WHOLE = {"plan": DONE, "begun": BEGUN, "report": DONE}

CASES = [
    case("agent.plan-flow", "met", "a plan and a report", **WHOLE),
    case("agent.plan-flow", "untestable", "the plan failed", **{**WHOLE, "plan": shows("failed")}),
    case("agent.plan-flow", "untestable", "the report was cut", **{**WHOLE, "report": shows("incomplete")}),
    case("agent.plan-flow", "not_met", "it waits", **{**WHOLE, "plan": shows("requires_action")}),
    case("agent.plan-flow", "not_met", "no plan", **{**WHOLE, "plan": answer(body=interaction(steps=[]))}),
    case("agent.plan-flow", "not_met", "refused", **{**WHOLE, "begun": refusal(400), "report": refusal(400)}),
    case("agent.plan-flow", "not_met", "no report", **{**WHOLE, "report": answer(body=interaction(steps=[]))}),
]
