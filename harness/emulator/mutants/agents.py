"""Mutants: running agents."""

from __future__ import annotations

from harness.emulator.create.validation import Admission
from harness.emulator.mutants.mutant import Area
from harness.emulator.mutants.surgery import Json
from harness.emulator.run.interaction_body import Bodies
from harness.emulator.run.run import Run
from harness.emulator.values.call import Refusal, invalid
from harness.emulator.values.create_request import Order

AGENTS = Area("agents")


@AGENTS.mutant("agent-refused")
class _AgentRefused(Admission):
    """No agent can be run."""

    def is_agent(self, name: str, project: str) -> bool:
        return False


@AGENTS.mutant("agent-never-settles")
class _AgentNeverSettles(Bodies):
    """An agent's run stays in progress forever."""

    def status(self, run: Run) -> str:
        return "in_progress" if run.agent is not None else super().status(run)


@AGENTS.mutant("environment-not-told")
class _EnvironmentNotTold(Bodies):
    """A run in an environment does not name its environment."""

    def extras(self, run: Run, body: Json, settled: bool) -> None:
        super().extras(run, body, settled)
        body.pop("environment_id", None)


@AGENTS.mutant("environment-always-told")
class _EnvironmentAlwaysTold(Bodies):
    """Every interaction names an environment, even if it has none."""

    def extras(self, run: Run, body: Json, settled: bool) -> None:
        super().extras(run, body, settled)
        body.setdefault("environment_id", "0" * 32)


@AGENTS.mutant("chain-without-environment")
class _ChainWithoutEnvironment(Admission):
    """A managed agent may be continued without an environment."""

    def needs_environment(self, order: Order) -> bool:
        return False


@AGENTS.mutant("chain-with-environment-refused")
class _ChainWithEnvironmentRefused(Admission):
    """A create with both a parent and an environment is refused."""

    def environment(self, order: Order) -> None:
        if order.previous is not None and "environment" in order.body:
            raise invalid("'environment' cannot be changed.")
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
            raise invalid("An agent's interaction is continued by the agent.")
        super().environment(order)


@AGENTS.mutant("agent-in-model-refused")
class _AgentInModelRefused(Admission):
    """An agent's name is not accepted in `model`."""

    def author(self, body: Json, project: str) -> tuple[str | None, str | None]:
        if "model" in body and self.is_agent(body["model"], project):
            raise Refusal(404, "model_not_found", "There is no such model.")
        return super().author(body, project)


@AGENTS.mutant("agent-unknown-accepted")
class _AgentUnknownAccepted(Admission):
    """Any name that is not a model is accepted as an agent."""

    def is_agent(self, name: str, project: str) -> bool:
        return not self.is_model(name)


@AGENTS.mutant("agent-unknown-crashes")
class _AgentUnknownCrashes(Admission):
    """A create with an agent that does not exist is answered with 500."""

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
    """A create with an environment that does not exist is answered with 500."""

    def environment(self, order: Order) -> None:
        try:
            super().environment(order)
        except Refusal as refusal:
            if refusal.status == 404:
                raise Refusal(500, "api_error", "Internal error.") from None
            raise


@AGENTS.mutant("research-in-foreground")
class _ResearchInForeground(Admission):
    """Deep research may run in the foreground."""

    def shape(self, body: Json) -> None:
        if not str(body.get("agent", "")).startswith("deep-research"):
            super().shape(body)

    def agent_rules(self, order: Order) -> None:
        return None


@AGENTS.mutant("research-in-foreground-crashes")
class _ResearchInForegroundCrashes(Admission):
    """Deep research without background is answered with 500."""

    def shape(self, body: Json) -> None:
        if str(body.get("agent", "")).startswith("deep-research") and body.get("background") is not True:
            raise Refusal(500, "api_error", "Internal error.")
        super().shape(body)


@AGENTS.mutant("agents-saved-not-run")
class _AgentsSavedNotRun(Admission):
    """A saved agent cannot be run: its id is not recognised."""

    def is_agent(self, name: str, project: str) -> bool:
        return self._neighbours.agent(name, project) is None and super().is_agent(name, project)


@AGENTS.mutant("agent-config-refused")
class _AgentConfigRefused(Admission):
    """`agent_config` is refused even with an agent."""

    def configs(self, body: Json) -> None:
        super().configs(body)
        if "agent_config" in body:
            raise invalid("'agent_config' is not supported.")
