"""Rules of agents: their runs, and those of one's own.

Layer 1. Data only.
"""

from __future__ import annotations

from harness.contract.rules.pages import (
    ANTIGRAVITY,
    BACKGROUND,
    CUSTOM_AGENTS,
    DEEP_RESEARCH,
    ENVIRONMENTS,
    ERRORS,
    NOTEBOOK,
    OVERVIEW,
    PROBES,
    QUICKSTART,
    REFERENCE,
    SDK,
)
from harness.outcome import Basis, Level, Rule

_NOT_FOUND = ERRORS.cite(Basis.DOCUMENTED, "not_found")
_CHAIN = BACKGROUND.cite(Basis.DOCUMENTED, "Chain interactions: managed agents")

RULES: tuple[Rule, ...] = (
    Rule(
        id="agents.patch",
        level=Level.MAY,
        statement="A PATCH of a saved agent changes the field it names and leaves the others.",
        breaks="An agent that is renamed loses its instructions. (Only Vertex is known to have this operation.)",
        source=NOTEBOOK.cite(Basis.OBSERVED, "PATCH …/agents/{id}?update_mask="),
    ),
    Rule(
        id="agent.field",
        level=Level.SHOULD,
        statement="A create that names an `agent` is accepted.",
        breaks="Agents cannot be used at all.",
        source=REFERENCE.cite(Basis.DOCUMENTED, "CreateAgentInteraction: agent"),
    ),
    Rule(
        id="agent.in-model",
        level=Level.MAY,
        statement="An agent's name is accepted in `model` too.",
        breaks="Samples of the documentation that put it there do not run.",
        source=BACKGROUND.cite(Basis.DOCUMENTED, "Samples with an agent in model"),
    ),
    Rule(
        id="agent.config",
        level=Level.SHOULD,
        statement="agent_config of its own type is accepted beside a managed agent.",
        breaks="The budget of a run cannot be limited.",
        source=CUSTOM_AGENTS.cite(Basis.DOCUMENTED, "agent_config: antigravity"),
    ),
    Rule(
        id="agent.token-limit",
        level=Level.SHOULD,
        statement="A run of a managed agent that spends its max_total_tokens ends as incomplete.",
        breaks="The limit that was to bound the cost of a run bounds nothing, or its end looks like a failure.",
        source=ANTIGRAVITY.cite(Basis.DOCUMENTED, "agent_config: max_total_tokens"),
    ),
    Rule(
        id="agent.settles",
        level=Level.SHOULD,
        statement="A background run of an agent settles within the time the user allowed.",
        breaks="Poll loops spin for ever.",
        source=BACKGROUND.cite(Basis.DOCUMENTED, "Poll for the result"),
    ),
    Rule(
        id="agent.unknown",
        level=Level.SHOULD,
        statement="An agent that does not exist is refused.",
        breaks="A typing error starts some other agent.",
        source=_NOT_FOUND,
    ),
    Rule(
        id="agent.env-id",
        level=Level.SHOULD,
        statement="A run that was given an environment shows its environment_id, at the latest when it settles.",
        breaks="The files an agent wrote cannot be found, nor the environment used again.",
        source=REFERENCE.cite(Basis.SCHEMA, "Interaction: environment_id"),
    ),
    Rule(
        id="agent.env-kept",
        level=Level.SHOULD,
        statement="A turn that names an environment's id runs in that environment.",
        breaks="The agent's files of the earlier turn are gone.",
        source=ENVIRONMENTS.cite(Basis.DOCUMENTED, "Reuse an environment"),
    ),
    Rule(
        id="agent.no-env-id",
        level=Level.MAY,
        statement="An interaction that was given no environment has no environment_id.",
        breaks="Clients look for files in an environment that was never made.",
        source=REFERENCE.cite(Basis.SCHEMA, "Interaction: environment_id"),
    ),
    Rule(
        id="agent.unknown-env",
        level=Level.SHOULD,
        statement="An environment that does not exist is refused.",
        breaks="A run begins in an empty sandbox where its files were expected.",
        source=ENVIRONMENTS.cite(Basis.DOCUMENTED, "Lifecycle: expired and unknown ids"),
    ),
    Rule(
        id="agent.chain-needs-env",
        level=Level.SHOULD,
        statement="Chaining a managed agent without an environment is refused.",
        breaks="The agent goes on without its files, and nobody is told. (The guide obliges the client; that the "
        "service refuses was only observed.)",
        source=PROBES.cite(Basis.OBSERVED, "agents: a second turn without environment (two parties)"),
    ),
    Rule(
        id="agent.chain-env",
        level=Level.MUST,
        statement="Chaining a managed agent with previous_interaction_id and environment is accepted.",
        breaks="An agent cannot be given a second turn.",
        source=_CHAIN,
    ),
    Rule(
        id="agent.mixed-chain",
        level=Level.SHOULD,
        statement="A model may continue what an agent began.",
        breaks="Cheap follow-up questions about an agent's work are impossible.",
        source=OVERVIEW.cite(Basis.DOCUMENTED, "Mixing agents and models in one conversation"),
    ),
    Rule(
        id="agent.dr-bg",
        level=Level.MAY,
        statement="A deep-research agent without background=true is refused.",
        breaks="A run of many minutes is started on a connection that dies after one.",
        source=PROBES.cite(Basis.OBSERVED, "deep research needs background"),
    ),
    Rule(
        id="agent.plan-flow",
        level=Level.SHOULD,
        statement="Deep research with collaborative_planning completes with a plan, and a turn without it that "
        "continues the plan completes with the report.",
        breaks="Nobody can look at what is to be researched before an hour of it has been paid for.",
        source=DEEP_RESEARCH.cite(Basis.DOCUMENTED, "Collaborative planning"),
    ),
    Rule(
        id="agents.create",
        level=Level.SHOULD,
        statement="Creating an agent answers it under the id that was asked for.",
        breaks="The agent exists, and nobody can name it.",
        source=SDK.cite(Basis.SCHEMA, "Agent: id"),
    ),
    Rule(
        id="agents.crud",
        level=Level.SHOULD,
        statement="An agent can be created, read, listed and deleted, and is gone afterwards.",
        breaks="Custom agents cannot be managed.",
        source=SDK.cite(Basis.SCHEMA, "agents: create, get, list, delete"),
    ),
    Rule(
        id="agents.tools",
        level=Level.MAY,
        statement="An agent can be saved with each of the five kinds of tools of its type, and keeps them.",
        breaks="An agent that was saved with its tools runs without one of them. (Probes of the Gemini API "
        "saw three of the five accepted.)",
        source=SDK.cite(Basis.SCHEMA, "AgentTool"),
    ),
    Rule(
        id="agent.base-fork",
        level=Level.SHOULD,
        statement="Each run of a saved agent gets a copy of its base_environment.",
        breaks="Runs overwrite each other's files, or spoil what later runs begin with.",
        source=QUICKSTART.cite(Basis.DOCUMENTED, "base_environment: each call forks it"),
    ),
    Rule(
        id="agents.run",
        level=Level.SHOULD,
        statement="An agent of one's own can be run by its id.",
        breaks="Agents can be saved and never used.",
        source=CUSTOM_AGENTS.cite(Basis.DOCUMENTED, "Run a saved agent"),
    ),
    Rule(
        id="agents.runs-stay",
        level=Level.SHOULD,
        statement="Deleting an agent leaves the interactions it ran.",
        breaks="Results vanish together with the agent that made them.",
        source=CUSTOM_AGENTS.cite(Basis.DOCUMENTED, "Delete an agent"),
    ),
    Rule(
        id="agents.dup",
        level=Level.SHOULD,
        statement="A second agent with the same id is refused.",
        breaks="One deployment silently replaces another's agent.",
        source=ERRORS.cite(Basis.DOCUMENTED, "already_exists"),
    ),
    Rule(
        id="agents.schema",
        level=Level.SHOULD,
        statement="Agents, alone and in lists, fit their published schema, unknown additions apart.",
        breaks="Typed clients hand out empty fields or raise.",
        source=SDK.cite(Basis.SCHEMA, "Agent, ListAgentsResponse"),
    ),
    Rule(
        id="agents.list",
        level=Level.SHOULD,
        statement="The list of agents is an object; its `agents` array, if present, holds the new one.",
        breaks="Agents cannot be found again.",
        source=SDK.cite(Basis.SCHEMA, "ListAgentsResponse"),
    ),
    Rule(
        id="agents.unknown",
        level=Level.SHOULD,
        statement="Reading an agent that does not exist answers 404.",
        breaks="Deployment scripts cannot tell whether an agent must be created.",
        source=_NOT_FOUND,
    ),
    Rule(
        id="agents.reserved",
        level=Level.SHOULD,
        statement="An agent id with a reserved prefix is refused.",
        breaks="A custom agent poses as one of the provider's.",
        source=CUSTOM_AGENTS.cite(Basis.DOCUMENTED, "Agent ids: reserved prefixes"),
    ),
    Rule(
        id="page.agents",
        level=Level.SHOULD,
        statement="Reading agents a page at a time gives each of them once.",
        breaks="Listings lose entries or repeat them.",
        source=SDK.cite(Basis.SCHEMA, "agents.list: page_size, page_token"),
    ),
)
