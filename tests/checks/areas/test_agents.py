"""The judges of the checks on agent runs and their environments, on hand-made exchanges."""

from __future__ import annotations

from harness.checks.areas.agents import INSTRUCTION, OWN
from tests.checks._play import (
    CRASH,
    DONE,
    EMPTY,
    MISSING,
    REFUSED,
    answer,
    case,
    interaction,
    page_cases,
    refusal,
    shows,
)

# --- agent runs and their environments, on hand-made exchanges


def turn(found="v1_one", environment="env1", **fields):
    """An agent's turn in an environment."""
    return answer(body=interaction(id=found, environment_id=environment, **fields))


FIRST = turn()
RUNNING = turn(environment=None, status="in_progress")
SECOND = turn("v1_two")
BY_A_MODEL, BY_ANOTHER = turn(model="gemini-usual"), turn(model="gemini-other")

CASES = [
    case("agent.field", "met", "accepted", created=RUNNING, of_nobody=[]),
    case("agent.field", "not_met", "refused", created=REFUSED, of_nobody=[]),
    case("agent.field", "met", "its model is shown", created=BY_A_MODEL, of_nobody=[REFUSED]),
    case("agent.field", "met", "another model for nobody", created=BY_A_MODEL, of_nobody=[BY_ANOTHER]),
    case("agent.field", "not_met", "a model for every name", created=BY_A_MODEL, of_nobody=[BY_A_MODEL]),
    case("agent.token-limit", "met", "incomplete", polled=[RUNNING, shows("incomplete")]),
    case("agent.token-limit", "not_met", "completed all the same", polled=[RUNNING, FIRST]),
    case("agent.settles", "not_met", "gone", polled=[MISSING]),
    case("agent.env-id", "met", "at once", created=FIRST, polled=[DONE]),
    case("agent.env-id", "not_met", "never", created=RUNNING, polled=[RUNNING, DONE]),
    case("agent.chain-env", "not_met", "refused", created=FIRST, chained=REFUSED),
    case("agent.chain-env", "not_met", "the same id", created=FIRST, chained=FIRST),
    case("agent.env-kept", "untestable", "not told", polled=[DONE], chained_polled=[SECOND]),
    case("agent.env-kept", "not_met", "never readable", polled=[FIRST], chained_polled=[CRASH]),
    case("agent.no-env-id", "met", "null", parent=answer(body={"status": "completed", "environment_id": None}),
         before=DONE),
    case("agent.no-env-id", "not_met", "when read", parent=DONE, before=FIRST),
    case("agent.unknown", "non_strict", "403", unknown=refusal(403)),
]  # fmt: skip


# --- deep research that plans first, on hand-made exchanges

BEGUN = shows("in_progress", steps=None)
WHOLE = {"plan": DONE, "begun": BEGUN, "report": DONE}

CASES += [
    case("agent.plan-flow", "met", "a plan and a report", **WHOLE),
    case("agent.plan-flow", "untestable", "the plan failed", **{**WHOLE, "plan": shows("failed")}),
    case("agent.plan-flow", "untestable", "the report was cut", **{**WHOLE, "report": shows("incomplete")}),
    case("agent.plan-flow", "not_met", "it waits", **{**WHOLE, "plan": shows("requires_action")}),
    case("agent.plan-flow", "not_met", "refused", **{**WHOLE, "begun": refusal(400), "report": refusal(400)}),
    case("agent.plan-flow", "not_met", "no report", **{**WHOLE, "report": answer(body=interaction(steps=[]))}),
]


# --- agents that the user defines, on hand-made exchanges

ONE = answer(body={"id": OWN[0], "base_agent": "x"})
TWO = answer(body={"id": OWN[1], "base_agent": "x"})
ORDERED = answer(body={"name": f"projects/p/locations/global/agents/{OWN[0]}/operations/1"})
LIFE = {"made": [ONE, TWO], "fetched": ONE, "deleted": EMPTY, "unlisted": None, "gone": MISSING}


def page(*names, token=None):
    """One page of the list of agents."""
    listed = {"agents": [{"id": name} for name in names]}
    return answer(body={**listed, "next_page_token": token} if token else listed)


CASES += [
    case("agents.crud", "met", "an empty body of delete", **{**LIFE, "deleted": answer(204)}),
    case("agents.crud", "non_strict", "gone in another way", **{**LIFE, "gone": refusal(403)}),
    case("agents.crud", "not_met", "another is read", **{**LIFE, "fetched": TWO}),
    case("agents.crud", "not_met", "not deleted", **{**LIFE, "deleted": refusal(500)}),
    case("agents.crud", "not_met", "still there", **{**LIFE, "gone": ONE}),
    case("agents.run", "met", "accepted", ran=answer(body=interaction())),
    case("agents.run", "not_met", "not found", ran=MISSING),
    case("agents.run", "not_met", "no id", ran=answer(body=interaction(id=None))),
    case("agents.patch", "not_met", "nothing changed",
         patched=answer(body={"id": "x", "system_instruction": INSTRUCTION})),
    case("agents.patch", "not_applicable", "no such operation", patched=refusal(404, "not_found")),
    case("agents.create", "met", "operations, as on Vertex", made=[ORDERED, TWO]),
    case("agents.create", "not_met", "an operation of another agent", made=[ONE, ORDERED]),
    case("agents.create", "not_met", "one crashed", made=[ONE, refusal(500)]),
    case("agents.create", "not_met", "a list", made=[answer(body=[1]), TWO]),
    case("agents.runs-stay", "untestable", "not deleted", ran=DONE, deleted=MISSING, left=DONE),
    case("agents.runs-stay", "not_met", "gone", ran=DONE, deleted=EMPTY, left=MISSING),
    case("agents.tools", "met", "tools are not shown", together=ONE, shown=ONE, alone=[]),
    case("agents.tools", "met", "one at a time", together=REFUSED, shown=MISSING, alone=[ONE] * 5),
    case("agents.tools", "not_applicable", "none is taken", together=REFUSED, shown=MISSING, alone=[REFUSED] * 5),
    case("agents.tools", "not_met", "crash", together=refusal(500, "api_error"), shown=MISSING, alone=[]),
    case("agents.list", "met", "both", listed=page(*OWN)),
    case("agents.list", "met", "on a later page", listed=page("other", token="p2")),
    case("agents.list", "not_met", "a bare array", listed=answer(body=[{"id": OWN[0]}, {"id": OWN[1]}])),
    case("agents.list", "not_met", "no array", listed=answer(body={"agents": {}})),
    *page_cases("page.agents", "agents"),
]  # fmt: skip
