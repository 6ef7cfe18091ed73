"""Mutants: agents that are saved, listed and deleted."""

from __future__ import annotations

from dataclasses import replace

from harness.emulator.call import Call, Refusal, json_response
from harness.emulator.engine import Engine
from harness.emulator.mutants.mutant import Area
from harness.emulator.mutants.surgery import Json, altered, plain_error, sent
from harness.emulator.neighbours import Neighbours
from harness.emulator.run import Run
from harness.wire import Response

OWN_AGENTS = Area("own agents")


class _Agents(Neighbours):
    """Calls on saved agents pass through `serve`."""

    def handle(self, call: Call) -> Response | None:
        return self.serve(call) if call.segments[:1] == ("agents",) else super().handle(call)

    def serve(self, call: Call) -> Response | None:
        """The defect."""
        return super().handle(call)


@OWN_AGENTS.mutant("agents-not-kept")
class _AgentsNotKept(_Agents):
    """A saved agent is not found again."""

    def serve(self, call: Call) -> Response | None:
        if call.request.method == "GET" and len(call.segments) == 2:
            raise Refusal(404, "not_found", "Not found.")
        return super().serve(call)


@OWN_AGENTS.mutant("agents-delete-keeps")
class _AgentsDeleteKeeps(_Agents):
    """A delete of an agent is answered 200 and the agent stays."""

    def serve(self, call: Call) -> Response | None:
        return json_response({}) if call.request.method == "DELETE" else super().serve(call)


@OWN_AGENTS.mutant("agents-forget-fields")
class _AgentsForgetFields(_Agents):
    """A saved agent is read as its id only."""

    def serve(self, call: Call) -> Response | None:
        response = super().serve(call)
        if response is not None and call.request.method == "GET" and len(call.segments) == 2:
            return altered(response, lambda agent: {"name": agent.get("id")})
        return response


@OWN_AGENTS.mutant("agents-overwrite")
class _AgentsOverwrite(_Agents):
    """An agent with an id that is taken replaces the other."""

    def serve(self, call: Call) -> Response | None:
        if call.request.method == "POST" and self.agent(sent(call).get("id", ""), call.project):
            return json_response(sent(call))
        return super().serve(call)


@OWN_AGENTS.mutant("agents-duplicate-crashes")
class _AgentsDuplicateCrashes(_Agents):
    """An agent with an id that is taken is answered 500."""

    def serve(self, call: Call) -> Response | None:
        if call.request.method == "POST" and self.agent(sent(call).get("id", ""), call.project):
            return plain_error(500)
        return super().serve(call)


@OWN_AGENTS.mutant("agents-reserved-accepted")
class _AgentsReservedAccepted(_Agents):
    """An agent may take a reserved prefix."""

    def serve(self, call: Call) -> Response | None:
        try:
            return super().serve(call)
        except Refusal as refusal:
            if "reserved" in refusal.message:
                return json_response(sent(call))
            raise


@OWN_AGENTS.mutant("agents-unknown-200")
class _AgentsUnknown200(_Agents):
    """A read of an agent that does not exist is answered 200."""

    def serve(self, call: Call) -> Response | None:
        try:
            return super().serve(call)
        except Refusal as refusal:
            if refusal.status == 404 and call.request.method == "GET":
                return json_response({})
            raise


@OWN_AGENTS.mutant("agents-unknown-crashes")
class _AgentsUnknownCrashes(_Agents):
    """A read of an agent that does not exist is answered 500."""

    def serve(self, call: Call) -> Response | None:
        try:
            return super().serve(call)
        except Refusal as refusal:
            return plain_error(500) if refusal.status == 404 else refusal.response()


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
class _AgentsListEmpty(_Agents):
    """The list of agents is always empty."""

    def serve(self, call: Call) -> Response | None:
        if call.request.method == "GET" and len(call.segments) == 1:
            return json_response({})
        return super().serve(call)


@OWN_AGENTS.mutant("agents-page-repeats")
class _AgentsPageRepeats(_Agents):
    """Every page of agents is the first one."""

    def serve(self, call: Call) -> Response | None:
        if "page_token" in call.query and len(call.segments) == 1:
            query = {name: value for name, value in call.query.items() if name != "page_token"}
            call = replace(call, query=query)
        return super().serve(call)


@OWN_AGENTS.mutant("agents-page-loses-one")
class _AgentsPageLosesOne(_Agents):
    """Every page of agents after the first loses its first item."""

    def serve(self, call: Call) -> Response | None:
        response = super().serve(call)
        if response is None or "page_token" not in call.query:
            return response

        def change(page: Json) -> None:
            page["agents"] = page.get("agents", [])[1:]

        return altered(response, change)


@OWN_AGENTS.mutant("agents-list-bare")
class _AgentsListBare(_Agents):
    """The list of agents is a bare array."""

    def serve(self, call: Call) -> Response | None:
        response = super().serve(call)
        if response is not None and call.request.method == "GET" and len(call.segments) == 1:
            return altered(response, lambda page: page.get("agents", []))
        return response


@OWN_AGENTS.mutant("agents-create-crashes")
class _AgentsCreateCrashes(_Agents):
    """An agent is made, and its create answered 500."""

    def serve(self, call: Call) -> Response | None:
        response = super().serve(call)
        return plain_error(500) if call.request.method == "POST" else response


@OWN_AGENTS.mutant("agents-create-renamed")
class _AgentsCreateRenamed(_Agents):
    """A new agent is told under another id than the one it was given."""

    def serve(self, call: Call) -> Response | None:
        response = super().serve(call)
        if response is None or call.request.method != "POST":
            return response
        return altered(response, lambda agent: {**agent, "id": f"agents/{agent.get('id')}"})


@OWN_AGENTS.mutant("agents-delete-takes-runs")
class _AgentsDeleteTakesRuns(Engine):
    """Deleting an agent deletes what it ran."""

    def find(self, interaction_id: str, project: str) -> Run | None:
        run = super().find(interaction_id, project)
        if run is None or run.agent is None or self.admission.is_agent(run.agent, project):
            return run
        return None
