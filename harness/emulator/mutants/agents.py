"""Mutants: agents that run, and agents that are saved."""

from __future__ import annotations

from dataclasses import replace

from harness.emulator.admission import Admission
from harness.emulator.call import Call, Refusal, json_response
from harness.emulator.mutants.mutant import Area
from harness.emulator.mutants.surgery import Json, altered, plain_error, sent
from harness.emulator.neighbours import Neighbours
from harness.emulator.order import Order
from harness.emulator.render import Bodies
from harness.emulator.run import Run
from harness.emulator.turns import refuse
from harness.wire import Response

AGENTS = Area("agents")


@AGENTS.mutant("agent-refused")
class _AgentRefused(Admission):
    """No agent can be run."""

    def is_agent(self, name: str, project: str) -> bool:
        return False


@AGENTS.mutant("agent-never-settles")
class _AgentNeverSettles(Bodies):
    """An agent's run is in progress for ever."""

    def status(self, run: Run) -> str:
        return "in_progress" if run.agent is not None else super().status(run)


@AGENTS.mutant("environment-not-told")
class _EnvironmentNotTold(Bodies):
    """A run in an environment does not say which."""

    def extras(self, run: Run, body: Json, settled: bool) -> None:
        super().extras(run, body, settled)
        body.pop("environment_id", None)


@AGENTS.mutant("environment-always-told")
class _EnvironmentAlwaysTold(Bodies):
    """Every interaction names an environment."""

    def extras(self, run: Run, body: Json, settled: bool) -> None:
        super().extras(run, body, settled)
        body.setdefault("environment_id", "0" * 32)


@AGENTS.mutant("chain-without-environment")
class _ChainWithoutEnvironment(Admission):
    """A managed agent is continued without an environment."""

    def needs_environment(self, order: Order) -> bool:
        return False


@AGENTS.mutant("chain-with-environment-refused")
class _ChainWithEnvironmentRefused(Admission):
    """A parent and an environment together are refused."""

    def environment(self, order: Order) -> None:
        if order.previous is not None and "environment" in order.body:
            raise refuse("'environment' cannot be changed.")
        super().environment(order)


@AGENTS.mutant("environment-always-new")
class _EnvironmentAlwaysNew(Admission):
    """A named environment is not reused: every turn gets a fresh one."""

    def environment(self, order: Order) -> None:
        super().environment(order)
        if order.environment_id is not None:
            fresh = self._neighbours.create_environment("remote", order.project)
            order.environment_id = str(fresh["id"])


@AGENTS.mutant("mixed-chain-refused")
class _MixedChainRefused(Admission):
    """A model cannot continue an agent's work."""

    def environment(self, order: Order) -> None:
        if order.previous is not None and order.previous.agent is not None and order.agent is None:
            raise refuse("An agent's interaction is continued by the agent.")
        super().environment(order)


@AGENTS.mutant("agent-in-model-refused")
class _AgentInModelRefused(Admission):
    """An agent's name is not taken in `model`."""

    def author(self, body: Json, project: str) -> tuple[str | None, str | None]:
        if "model" in body and self.is_agent(body["model"], project):
            raise Refusal(404, "model_not_found", "There is no such model.")
        return super().author(body, project)


@AGENTS.mutant("agent-unknown-accepted")
class _AgentUnknownAccepted(Admission):
    """Any name is taken for an agent."""

    def is_agent(self, name: str, project: str) -> bool:
        return not self.is_model(name)


@AGENTS.mutant("agent-unknown-crashes")
class _AgentUnknownCrashes(Admission):
    """An agent that does not exist is answered 500."""

    def author(self, body: Json, project: str) -> tuple[str | None, str | None]:
        if "agent" in body and not self.is_agent(body["agent"], project):
            raise Refusal(500, "api_error", "Internal error.")
        return super().author(body, project)


@AGENTS.mutant("environment-unknown-accepted")
class _EnvironmentUnknownAccepted(Admission):
    """An environment that does not exist is silently replaced by a new one."""

    def environment(self, order: Order) -> None:
        try:
            super().environment(order)
        except Refusal as refusal:
            if refusal.status != 404:
                raise
            order.environment_id = str(self._neighbours.create_environment("remote", order.project)["id"])


@AGENTS.mutant("environment-unknown-crashes")
class _EnvironmentUnknownCrashes(Admission):
    """An environment that does not exist is answered 500."""

    def environment(self, order: Order) -> None:
        try:
            super().environment(order)
        except Refusal as refusal:
            if refusal.status == 404:
                raise Refusal(500, "api_error", "Internal error.") from None
            raise


@AGENTS.mutant("research-in-foreground")
class _ResearchInForeground(Admission):
    """Deep research answers in the foreground."""

    def shape(self, body: Json) -> None:
        if not str(body.get("agent", "")).startswith("deep-research"):
            super().shape(body)

    def agent_rules(self, order: Order) -> None:
        return None


@AGENTS.mutant("research-in-foreground-crashes")
class _ResearchInForegroundCrashes(Admission):
    """Deep research without background is answered 500."""

    def shape(self, body: Json) -> None:
        if str(body.get("agent", "")).startswith("deep-research") and body.get("background") is not True:
            raise Refusal(500, "api_error", "Internal error.")
        super().shape(body)


class _Agents(Neighbours):
    """Calls on saved agents pass through `serve`."""

    def handle(self, call: Call) -> Response | None:
        return self.serve(call) if call.segments[:1] == ("agents",) else super().handle(call)

    def serve(self, call: Call) -> Response | None:
        """The defect."""
        return super().handle(call)


@AGENTS.mutant("agents-not-kept")
class _AgentsNotKept(_Agents):
    """A saved agent is not found again."""

    def serve(self, call: Call) -> Response | None:
        if call.request.method == "GET" and len(call.segments) == 2:
            raise Refusal(404, "not_found", "Not found.")
        return super().serve(call)


@AGENTS.mutant("agents-delete-keeps")
class _AgentsDeleteKeeps(_Agents):
    """A delete of an agent is answered 200 and the agent stays."""

    def serve(self, call: Call) -> Response | None:
        return json_response({}) if call.request.method == "DELETE" else super().serve(call)


@AGENTS.mutant("agents-forget-fields")
class _AgentsForgetFields(_Agents):
    """A saved agent is read as its id only."""

    def serve(self, call: Call) -> Response | None:
        response = super().serve(call)
        if response is not None and call.request.method == "GET" and len(call.segments) == 2:
            return altered(response, lambda agent: {"name": agent.get("id")})
        return response


@AGENTS.mutant("agents-overwrite")
class _AgentsOverwrite(_Agents):
    """An agent with an id that is taken replaces the other."""

    def serve(self, call: Call) -> Response | None:
        if call.request.method == "POST" and self.agent(sent(call).get("id", ""), call.project):
            return json_response(sent(call))
        return super().serve(call)


@AGENTS.mutant("agents-duplicate-crashes")
class _AgentsDuplicateCrashes(_Agents):
    """An agent with an id that is taken is answered 500."""

    def serve(self, call: Call) -> Response | None:
        if call.request.method == "POST" and self.agent(sent(call).get("id", ""), call.project):
            return plain_error(500)
        return super().serve(call)


@AGENTS.mutant("agents-reserved-accepted")
class _AgentsReservedAccepted(_Agents):
    """An agent may take a reserved prefix."""

    def serve(self, call: Call) -> Response | None:
        try:
            return super().serve(call)
        except Refusal as refusal:
            if "reserved" in refusal.message:
                return json_response(sent(call))
            raise


@AGENTS.mutant("agents-unknown-200")
class _AgentsUnknown200(_Agents):
    """A read of an agent that does not exist is answered 200."""

    def serve(self, call: Call) -> Response | None:
        try:
            return super().serve(call)
        except Refusal as refusal:
            if refusal.status == 404 and call.request.method == "GET":
                return json_response({})
            raise


@AGENTS.mutant("agents-unknown-crashes")
class _AgentsUnknownCrashes(_Agents):
    """A read of an agent that does not exist is answered 500."""

    def serve(self, call: Call) -> Response | None:
        try:
            return super().serve(call)
        except Refusal as refusal:
            return plain_error(500) if refusal.status == 404 else refusal.response()


@AGENTS.mutant("agents-list-object")
class _AgentsListObject(_Agents):
    """The list of agents is an object by id."""

    def serve(self, call: Call) -> Response | None:
        response = super().serve(call)
        if response is not None and call.request.method == "GET" and len(call.segments) == 1:
            return altered(
                response, lambda page: {"agents": {agent["id"]: agent for agent in page.get("agents", [])}}
            )
        return response


@AGENTS.mutant("agents-list-empty")
class _AgentsListEmpty(_Agents):
    """The list of agents is always empty."""

    def serve(self, call: Call) -> Response | None:
        if call.request.method == "GET" and len(call.segments) == 1:
            return json_response({})
        return super().serve(call)


@AGENTS.mutant("agents-page-repeats")
class _AgentsPageRepeats(_Agents):
    """Every page of agents is the first one."""

    def serve(self, call: Call) -> Response | None:
        if "page_token" in call.query and len(call.segments) == 1:
            query = {name: value for name, value in call.query.items() if name != "page_token"}
            call = replace(call, query=query)
        return super().serve(call)


@AGENTS.mutant("agents-page-loses-one")
class _AgentsPageLosesOne(_Agents):
    """Every page of agents after the first loses its first item."""

    def serve(self, call: Call) -> Response | None:
        response = super().serve(call)
        if response is None or "page_token" not in call.query:
            return response

        def change(page: Json) -> None:
            page["agents"] = page.get("agents", [])[1:]

        return altered(response, change)
