"""Mutants: saving, listing and deleting agents."""

from __future__ import annotations

from harness.emulator.engine import Engine
from harness.emulator.mutants.collection import (
    Collection,
    DeleteKeeps,
    ListBare,
    ListEmpty,
    NotKept,
    PageLosesOne,
    PageRepeats,
    Unknown200,
    UnknownCrashes,
)
from harness.emulator.mutants.mutant import Area
from harness.emulator.mutants.surgery import altered, plain_error, sent
from harness.emulator.run.run import Run
from harness.emulator.values.call import Call, Refusal, json_response
from harness.wire import Response

OWN_AGENTS = Area("own agents")


class _Agents(Collection):
    collection = "agents"


@OWN_AGENTS.mutant("agents-not-kept")
class _AgentsNotKept(NotKept, _Agents):
    """A saved agent is not found."""


@OWN_AGENTS.mutant("agents-delete-keeps")
class _AgentsDeleteKeeps(DeleteKeeps, _Agents):
    """A delete of an agent is answered with 200 but the agent is kept."""


@OWN_AGENTS.mutant("agents-forget-fields")
class _AgentsForgetFields(_Agents):
    """A read of a saved agent shows only its id, under another name."""

    def serve(self, call: Call) -> Response | None:
        response = super().serve(call)
        if response is not None and call.request.method == "GET" and len(call.segments) == 2:
            return altered(response, lambda agent: {"name": agent.get("id")})
        return response


@OWN_AGENTS.mutant("agents-overwrite")
class _AgentsOverwrite(_Agents):
    """An agent whose id is in use replaces the existing agent."""

    def serve(self, call: Call) -> Response | None:
        if call.request.method == "POST" and self.agent(sent(call).get("id", ""), call.project):
            return json_response(sent(call))
        return super().serve(call)


@OWN_AGENTS.mutant("agents-duplicate-crashes")
class _AgentsDuplicateCrashes(_Agents):
    """A create of an agent whose id is in use is answered with 500."""

    def serve(self, call: Call) -> Response | None:
        if call.request.method == "POST" and self.agent(sent(call).get("id", ""), call.project):
            return plain_error(500)
        return super().serve(call)


@OWN_AGENTS.mutant("agents-reserved-accepted")
class _AgentsReservedAccepted(_Agents):
    """An agent's id may begin with a reserved prefix."""

    def serve(self, call: Call) -> Response | None:
        try:
            return super().serve(call)
        except Refusal as refusal:
            if "reserved" in refusal.message:
                return json_response(sent(call))
            raise


@OWN_AGENTS.mutant("agents-unknown-200")
class _AgentsUnknown200(Unknown200, _Agents):
    """A read of an agent that does not exist is answered with 200."""


@OWN_AGENTS.mutant("agents-unknown-crashes")
class _AgentsUnknownCrashes(UnknownCrashes, _Agents):
    """A read of an agent that does not exist is answered with 500."""


@OWN_AGENTS.mutant("agents-list-object")
class _AgentsListObject(_Agents):
    """The list of agents is an object by id."""

    def serve(self, call: Call) -> Response | None:
        response = super().serve(call)
        if response is not None and call.request.method == "GET" and len(call.segments) == 1:
            return altered(
                response, lambda page: {"agents": {agent["id"]: agent for agent in page.get("agents", [])}}
            )
        return response


@OWN_AGENTS.mutant("agents-list-empty")
class _AgentsListEmpty(ListEmpty, _Agents):
    """The list of agents is always empty."""


@OWN_AGENTS.mutant("agents-page-repeats")
class _AgentsPageRepeats(PageRepeats, _Agents):
    """Every page of agents is the first one."""


@OWN_AGENTS.mutant("agents-page-loses-one")
class _AgentsPageLosesOne(PageLosesOne, _Agents):
    """Every page of agents after the first lacks its first item."""


@OWN_AGENTS.mutant("agents-list-bare")
class _AgentsListBare(ListBare, _Agents):
    """The list of agents is a bare array."""


@OWN_AGENTS.mutant("agents-create-crashes")
class _AgentsCreateCrashes(_Agents):
    """A create of an agent saves it but is answered with 500."""

    def serve(self, call: Call) -> Response | None:
        response = super().serve(call)
        return plain_error(500) if call.request.method == "POST" else response


@OWN_AGENTS.mutant("agents-create-renamed")
class _AgentsCreateRenamed(_Agents):
    """The response to the create of an agent shows a different id from the requested one."""

    def serve(self, call: Call) -> Response | None:
        response = super().serve(call)
        if response is None or call.request.method != "POST":
            return response
        return altered(response, lambda agent: {**agent, "id": f"agents/{agent.get('id')}"})


@OWN_AGENTS.mutant("agents-delete-takes-runs")
class _AgentsDeleteTakesRuns(Engine):
    """Deleting an agent deletes the interactions that it ran."""

    def find(self, interaction_id: str, project: str) -> Run | None:
        run = super().find(interaction_id, project)
        if run is None or run.agent is None or self.admission.is_agent(run.agent, project):
            return run
        return None
