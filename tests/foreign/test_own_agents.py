"""Foreign servers that keep agents of one's own and let them be changed."""

from __future__ import annotations

import pytest

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Json, Refused, parse_object


class Keeping(ForeignService):
    """Odd, but right: pages are larger than asked for, and a change answers more than was sent."""

    def __init__(self) -> None:
        super().__init__()
        self.agents: dict[str, Json] = {}

    def neighbour(self, method: str, parts: list[str], data: bytes, query: Json) -> Json:
        if parts[0] != "agents" or len(parts) > 2:
            return super().neighbour(method, parts, data, query)
        if len(parts) == 1:
            return self.make(parse_object(data)) if method == "POST" else {"agents": list(self.agents.values())}
        if parts[1] not in self.agents:
            raise Refused(404, "not_found", "There is no such agent.")
        if method == "PATCH":
            self.agents[parts[1]] = self.change(self.agents[parts[1]], parse_object(data), query)
        return self.agents.pop(parts[1]) and {} if method == "DELETE" else self.agents[parts[1]]

    def make(self, body: Json) -> Json:
        """Keep an agent."""
        if body["id"] in self.agents or body["id"].startswith("gemini-"):
            raise Refused(409, "aborted", "The id is taken or reserved.")
        self.agents[body["id"]] = {**body, "object": "agent"}
        return self.agents[body["id"]]

    def change(self, agent: Json, body: Json, query: Json) -> Json:
        """An agent after a change."""
        return {**agent, **body, "changed_by": "nobody"}


class RefusesChanges(Keeping):
    """Odd, but right: agents cannot be changed, as on the Gemini API."""

    def change(self, agent: Json, body: Json, query: Json) -> Json:
        raise Refused(404, "not_found", "There is no such route.")


class IgnoresChanges(Keeping):
    """Wrong: a change is accepted and changes nothing."""

    def change(self, agent: Json, body: Json, query: Json) -> Json:
        return agent


class ReplacesAll(Keeping):
    """Wrong: a change takes away what it does not name."""

    def change(self, agent: Json, body: Json, query: Json) -> Json:
        return {"id": agent["id"], **body}


class TakesThree(Keeping):
    """Right for all that is documented: agents with other tools cannot be saved."""

    def make(self, body: Json) -> Json:
        if {tool["type"] for tool in body.get("tools", ())} & {"mcp_server", "function"}:
            raise Refused(400, "invalid_request", "These tools are not supported.")
        return super().make(body)


class TakesNone(Keeping):
    """Odd, but right: no agent has tools."""

    def make(self, body: Json) -> Json:
        if body.get("tools"):
            raise Refused(400, "invalid_request", "Agents have no tools.")
        return super().make(body)


class HidesTools(Keeping):
    """Odd, but right: tools are kept and not shown."""

    def make(self, body: Json) -> Json:
        return super().make({name: value for name, value in body.items() if name != "tools"})


class LosesTools(Keeping):
    """Wrong: of several tools the last one is kept."""

    def make(self, body: Json) -> Json:
        return super().make({**body, "tools": body.get("tools", [])[-1:]})


@pytest.mark.parametrize(
    ("service", "verdict"),
    [
        (Keeping, "pass"), (HidesTools, "pass"), (TakesNone, "not_applicable"),
        (TakesThree, "info"), (LosesTools, "info"),
    ],
)  # fmt: skip
def test_tools_of_saved_agents(service: type[Keeping], verdict: str) -> None:
    """All five kinds are taken and kept; what is refused or lost is told, and breaks nothing."""
    report = check(service(), "agents.*", words=("--capability", "+agents-crud"))
    assert report.verdicts["agents.tools"] == verdict
    assert report.faults == {}


@pytest.mark.parametrize(
    ("service", "verdict"),
    [(Keeping, "pass"), (RefusesChanges, "not_applicable"), (IgnoresChanges, "info"), (ReplacesAll, "info")],
)
def test_a_change_touches_what_it_names(service: type[Keeping], verdict: str) -> None:
    """The description is new, the instruction is unchanged; agents that cannot be changed are no fault."""
    report = check(service(), "agents.*", words=("--capability", "+agents-crud"))
    assert report.verdicts["agents.patch"] == verdict
    assert report.faults == {}
    assert [name for name, said in report.verdicts.items() if said == "info"] == ["agents.patch"] * (
        verdict == "info"
    )


class IgnoresAgents(ForeignService):
    """Wrong: whatever agent is named, the usual model runs."""

    def admit(self, body: Json) -> None:
        for name in ("environment", "agent_config"):
            body.pop(name, None)
        self.check_agent(body.get("agent"))
        if body.pop("agent", None) is not None:
            body["model"] = "gemini-usual"
        super().admit(body)

    def check_agent(self, name: str | None) -> None:
        """Refuse an agent that cannot be run."""


class NamesTheModel(IgnoresAgents):
    """Odd, but right: an agent's run names the model that the agent has."""

    def check_agent(self, name: str | None) -> None:
        if name is not None and not name.startswith("antigravity-"):
            raise Refused(404, "not_found", "There is no such agent.")


AGENTS = ("agent.*", "create.both", "create.config-*", "err.*")


def test_a_model_in_place_of_every_agent_is_accepted_and_not_done() -> None:
    """It is told once; what needs agents, or a server that knows what an agent is, is blocked by it."""
    report = check(IgnoresAgents(), *AGENTS)
    assert report.faults == {"agent.field": "warn"}
    assert report.codes["agent.field"] == ["agent.field/model"]
    blocked = {name for name, verdict in report.verdicts.items() if verdict == "blocked"}
    assert blocked >= {"agent.unknown", "agent.settles", "create.both", "create.config-mismatch"}


def test_an_agent_may_show_its_model() -> None:
    """Where an unknown agent is refused, an answer that names a model is one of the agent."""
    report = check(NamesTheModel(), "agent.field", "agent.settles", "agent.unknown")
    assert report.verdicts == {"agent.field": "pass", "agent.settles": "pass", "agent.unknown": "pass"}
