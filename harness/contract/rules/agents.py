"""Rules of agents, their environments and files, and of lists that come in pages.

Layer 1. Data only.
"""

from __future__ import annotations

from harness.outcome import Basis, Level, Rule, Source

_REFERENCE = "Interactions API reference"
_NOT_FOUND = Source(Basis.DOCUMENTED, "API errors", "not_found")
_CHAIN = Source(Basis.DOCUMENTED, "Background execution", "Chain interactions: managed agents")
_CUSTOM = "Building managed agents"
_ENVIRONMENTS = "Environments"
_SDK = "google-genai 3.3.0"

RULES: tuple[Rule, ...] = (
    Rule(
        id="agent.field",
        level=Level.SHOULD,
        statement="A create that names an `agent` is accepted.",
        breaks="Agents cannot be used at all.",
        source=Source(Basis.DOCUMENTED, _REFERENCE, "CreateAgentInteraction: agent"),
    ),
    Rule(
        id="agent.in-model",
        level=Level.MAY,
        statement="An agent's name is accepted in `model` too.",
        breaks="Samples of the documentation that put it there do not run.",
        source=Source(Basis.DOCUMENTED, "Background execution", "Samples with an agent in model"),
    ),
    Rule(
        id="agent.config",
        level=Level.SHOULD,
        statement="agent_config of its own type is accepted beside a managed agent.",
        breaks="The budget of a run cannot be limited.",
        source=Source(Basis.DOCUMENTED, _CUSTOM, "agent_config: antigravity"),
    ),
    Rule(
        id="agent.settles",
        level=Level.SHOULD,
        statement="A background run of an agent settles within the time the user allowed.",
        breaks="Poll loops spin for ever.",
        source=Source(Basis.DOCUMENTED, "Background execution", "Poll for the result"),
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
        source=Source(Basis.SCHEMA, _REFERENCE, "Interaction: environment_id"),
    ),
    Rule(
        id="agent.env-kept",
        level=Level.SHOULD,
        statement="A turn that names an environment's id runs in that environment.",
        breaks="The agent's files of the earlier turn are gone.",
        source=Source(Basis.DOCUMENTED, _ENVIRONMENTS, "Reuse an environment"),
    ),
    Rule(
        id="agent.no-env-id",
        level=Level.MAY,
        statement="An interaction that was given no environment has no environment_id.",
        breaks="Clients look for files in an environment that was never made.",
        source=Source(Basis.SCHEMA, _REFERENCE, "Interaction: environment_id"),
    ),
    Rule(
        id="agent.unknown-env",
        level=Level.SHOULD,
        statement="An environment that does not exist is refused.",
        breaks="A run begins in an empty sandbox where its files were expected.",
        source=Source(Basis.DOCUMENTED, _ENVIRONMENTS, "Lifecycle: expired and unknown ids"),
    ),
    Rule(
        id="agent.chain-needs-env",
        level=Level.MUST,
        statement="Chaining a managed agent without an environment is refused.",
        breaks="The agent goes on without its files, and nobody is told.",
        source=_CHAIN,
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
        source=Source(
            Basis.DOCUMENTED, "Interactions API overview", "Mixing agents and models in one conversation"
        ),
    ),
    Rule(
        id="agent.dr-bg",
        level=Level.MAY,
        statement="A deep-research agent without background=true is refused.",
        breaks="A run of many minutes is started on a connection that dies after one.",
        source=Source(Basis.OBSERVED, "Third-party notes on the live API", "deep research needs background"),
    ),
    Rule(
        id="agents.create",
        level=Level.SHOULD,
        statement="Creating an agent answers it under the id that was asked for.",
        breaks="The agent exists, and nobody can name it.",
        source=Source(Basis.SCHEMA, _SDK, "Agent: id"),
    ),
    Rule(
        id="agents.crud",
        level=Level.SHOULD,
        statement="An agent can be created, read, listed and deleted, and is gone afterwards.",
        breaks="Custom agents cannot be managed.",
        source=Source(Basis.SCHEMA, _SDK, "agents: create, get, list, delete"),
    ),
    Rule(
        id="agents.run",
        level=Level.SHOULD,
        statement="An agent of one's own can be run by its id.",
        breaks="Agents can be saved and never used.",
        source=Source(Basis.DOCUMENTED, _CUSTOM, "Run a saved agent"),
    ),
    Rule(
        id="agents.runs-stay",
        level=Level.SHOULD,
        statement="Deleting an agent leaves the interactions it ran.",
        breaks="Results vanish together with the agent that made them.",
        source=Source(Basis.DOCUMENTED, _CUSTOM, "Delete an agent"),
    ),
    Rule(
        id="agents.dup",
        level=Level.SHOULD,
        statement="A second agent with the same id is refused.",
        breaks="One deployment silently replaces another's agent.",
        source=Source(Basis.DOCUMENTED, "API errors", "already_exists"),
    ),
    Rule(
        id="agents.list",
        level=Level.SHOULD,
        statement="The list of agents is an object; its `agents` array, if present, holds the new one.",
        breaks="Agents cannot be found again.",
        source=Source(Basis.SCHEMA, _SDK, "ListAgentsResponse"),
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
        source=Source(Basis.DOCUMENTED, _CUSTOM, "Agent ids: reserved prefixes"),
    ),
    Rule(
        id="page.agents",
        level=Level.SHOULD,
        statement="Reading agents a page at a time gives each of them once.",
        breaks="Listings lose entries or repeat them.",
        source=Source(Basis.SCHEMA, _SDK, "agents.list: page_size, page_token"),
    ),
    Rule(
        id="env.create",
        level=Level.SHOULD,
        statement="Creating an environment answers it with its id.",
        breaks="The environment exists, and nobody can name it.",
        source=Source(Basis.SCHEMA, _SDK, "Environment: id"),
    ),
    Rule(
        id="env.network",
        level=Level.SHOULD,
        statement="An environment whose network is disabled can be made.",
        breaks="Code that must not reach the network is run with it, or not at all.",
        source=Source(Basis.DOCUMENTED, _ENVIRONMENTS, "Network: disabled"),
    ),
    Rule(
        id="env.crud",
        level=Level.SHOULD,
        statement="An environment can be created, read, listed and deleted, and is gone afterwards.",
        breaks="Environments, which are limited in number, cannot be managed.",
        source=Source(Basis.SCHEMA, _SDK, "environments: create, get, list, delete"),
    ),
    Rule(
        id="env.status",
        level=Level.SHOULD,
        statement="An environment's status is active or expired.",
        breaks="Clients cannot tell whether an environment can be used.",
        source=Source(Basis.SCHEMA, _SDK, "Environment: status"),
    ),
    Rule(
        id="env.fork",
        level=Level.SHOULD,
        statement="from_environment together with sources is refused.",
        breaks="One of the two is dropped without a word.",
        source=Source(Basis.SCHEMA, _REFERENCE, "CreateEnvironmentRequest: from_environment"),
    ),
    Rule(
        id="env.int64",
        level=Level.MAY,
        statement="file_count and size_bytes are integers or strings of digits.",
        breaks="Typed clients fail on the whole listing.",
        source=Source(Basis.OBSERVED, "Third-party notes on the live API", "counts as digit strings"),
    ),
    Rule(
        id="env.unknown",
        level=Level.SHOULD,
        statement="Reading an environment that does not exist answers 404.",
        breaks="An expired environment cannot be told from a broken server.",
        source=Source(Basis.DOCUMENTED, _ENVIRONMENTS, "Lifecycle: expired and unknown ids"),
    ),
    Rule(
        id="env.files",
        level=Level.SHOULD,
        statement="The files an environment was created with are listed, each with its path.",
        breaks="Results that an agent wrote cannot be found.",
        source=Source(Basis.DOCUMENTED, _ENVIRONMENTS, "List files"),
    ),
    Rule(
        id="env.file-content",
        level=Level.SHOULD,
        statement="alt=media on a file answers its bytes.",
        breaks="Downloads are corrupt.",
        source=Source(Basis.DOCUMENTED, _ENVIRONMENTS, "Download a file"),
    ),
    Rule(
        id="env.file-missing",
        level=Level.SHOULD,
        statement="A path that is not there answers 404.",
        breaks="A missing result looks like an empty one.",
        source=Source(Basis.DOCUMENTED, _ENVIRONMENTS, "List files: errors"),
    ),
    Rule(
        id="env.upload",
        level=Level.SHOULD,
        statement="A file that is written with PUT can be read.",
        breaks="What an agent shall work on never reaches it.",
        source=Source(Basis.DOCUMENTED, _ENVIRONMENTS, "Upload a file"),
    ),
    Rule(
        id="env.upload-exists",
        level=Level.SHOULD,
        statement="An upload over a file that is there is answered 409 and writes nothing.",
        breaks="One upload silently destroys the work of another.",
        source=Source(Basis.DOCUMENTED, _ENVIRONMENTS, "Upload a file: overwrite"),
    ),
    Rule(
        id="env.upload-overwrite",
        level=Level.SHOULD,
        statement="With overwrite=true an upload replaces the file.",
        breaks="A file that was uploaded once can never be corrected.",
        source=Source(Basis.DOCUMENTED, _ENVIRONMENTS, "Upload a file: overwrite"),
    ),
    Rule(
        id="page.token",
        level=Level.SHOULD,
        statement="Reading environments a page at a time gives each of them once.",
        breaks="Listings lose entries or repeat them.",
        source=Source(Basis.SCHEMA, _SDK, "environments.list: page_size, page_token"),
    ),
)
