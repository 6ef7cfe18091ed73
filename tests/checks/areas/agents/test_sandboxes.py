"""The judges of the checks on the sandboxes of runs, on hand-made exchanges."""

from __future__ import annotations

from harness.checks.areas.agents.environment_files import NOTE
from harness.checks.areas.agents.sandboxes import RULES
from tests.checks._play import answer, case, interaction, refusal

MADE = answer(body={"id": "based"})
FILE = answer(body=NOTE.encode(), label="text/plain")
GONE = refusal(404, "not_found")


def ran_in(environment):
    """A run that tells its sandbox."""
    return answer(body=interaction(environment_id=environment))


def ruled(network):
    """An environment with these rules."""
    return answer(body={"id": "e1", "network": network})


FORKS = {"base": "e0", "made": MADE, "ran": [ran_in("e1"), ran_in("e2")], "copied": [FILE, FILE]}
CHANGED = {"named": "e1", "before": ruled("disabled"), "ran": ran_in("e1"), "after": ruled(RULES), "kept": FILE}

CASES = [
    case("agent.base-fork", "met", "two copies", **FORKS),
    case("agent.base-fork", "untestable", "no agent", **{**FORKS, "made": refusal(403), "ran": [], "copied": []}),
    case("agent.base-fork", "untestable", "no ids", **{**FORKS, "ran": [ran_in("e1"), ran_in(None)]}),
    case("agent.base-fork", "not_met", "the base itself", **{**FORKS, "ran": [ran_in("e1"), ran_in("e0")]}),
    case("agent.base-fork", "not_met", "shared", **{**FORKS, "ran": [ran_in("e1")] * 2, "copied": [FILE]}),
    case("agent.base-fork", "not_met", "without the file", **{**FORKS, "copied": [FILE, GONE]}),
    case("agent.base-fork", "not_met", "refused", **{**FORKS, "ran": [ran_in("e1"), GONE], "copied": [FILE]}),
    case("env.update-network", "met", "replaced", **CHANGED),
    case("env.update-network", "met", "shown in another form",
         **{**CHANGED, "before": ruled({"allowlist": []}), "after": ruled(RULES["allowlist"])}),
    case("env.update-network", "untestable", "not shown", **{**CHANGED, "before": ruled(None)}),
    case("env.update-network", "not_met", "refused", **{**CHANGED, "ran": refusal(400)}),
    case("env.update-network", "not_met", "as before", **{**CHANGED, "after": ruled("disabled")}),
    case("env.update-network", "not_met", "open to all", **{**CHANGED, "after": ruled(None)}),
    case("env.update-network", "not_met", "elsewhere", **{**CHANGED, "ran": ran_in("e2")}),
    case("env.update-network", "not_met", "its file is gone", **{**CHANGED, "kept": GONE}),
]  # fmt: skip
