"""The agents resource: saved agents with their tools, instructions and base environment.

Knows what may be saved; must not know how an agent runs. Only Vertex has an update, and an operation for each
create (documented, and seen by a third party; that the agent is ready at once, and how a GET shows the operation,
is inferred). Inferred from the documented errors: a reserved prefix or a missing field is refused with 400, an id
in use with 409.
"""

from __future__ import annotations

import re
from typing import Any

from harness.contract.tables.protocol import RESERVED_PREFIXES
from harness.emulator.resources.collection import KeptResource, ResourceContext
from harness.emulator.resources.environments import Environments
from harness.emulator.resources.schema_reader import select_by_mask
from harness.emulator.values.call import Call, invalid, not_found, usable_id

BASE_AGENTS = re.compile(r"antigravity-(preview-)?\d\d-\d{4}")
"""Names of the agents to build on, by family, whatever their date."""

_SCHEMA = "requests/create-agent"


class Agents(KeptResource[dict[str, Any]]):
    """Saved agents per project; `environments` reads their base environment and the credentials they name."""

    name, noun = "agents", "agent"

    def __init__(self, context: ResourceContext, environments: Environments) -> None:
        super().__init__(context)
        self._environments = environments
        self._operations: dict[tuple[str, str], dict[str, Any]] = {}

    def remove(self, project: str, item_id: str) -> None:
        """Remove an agent, and with it the operation that made it."""
        self._operations.pop((project, item_id), None)
        super().remove(project, item_id)

    def view(self, item: dict[str, Any]) -> dict[str, Any]:
        return item

    def update(self, call: Call, agent_id: str) -> Any:
        """PATCH agents/{id}, which only Vertex has (Google's notebook on managed agents)."""
        if call.platform.gemini:
            return NotImplemented
        agent = self.require(call.project, agent_id)
        changes = self._reader.read(_SCHEMA, call.body)
        if "id" in changes:
            raise invalid("Invalid value at 'id': the id of an agent cannot change, leave it out.")
        changed = agent | select_by_mask(changes, call.query.get("update_mask"), self._reader.names(_SCHEMA))
        self._judge(changed, call)
        agent.update(changed)
        if "updated" in agent:
            agent["updated"] = self._stamps.now()
        return agent

    def create(self, call: Call) -> dict[str, Any]:
        agent = self._reader.read(_SCHEMA, call.body)
        for name in ("id", "base_agent"):  # required by the guide, although by no schema
            if not agent.get(name):
                raise invalid(f"Invalid value at '{name}': it is required and must not be empty.")
        agent_id = usable_id(agent["id"], "the agent")
        for prefix in RESERVED_PREFIXES:
            if agent_id.lower().startswith(prefix):
                raise invalid(f"The agent id {agent_id!r} begins with the reserved {prefix!r}: choose another.")
        self._judge(agent, call)
        if call.platform.vertex:  # recorded
            place = re.search("projects/[^/]+/locations/[^/]+", call.request.path)
            parent = place[0] if place is not None else f"projects/{call.project}/locations/global"
            now = self._stamps.now()
            name = f"{parent}/agents/{agent_id}"
            agent = {"name": name, "created": now, "updated": now, **agent, "object": "agent"}
        self.add(call.project, agent_id, agent)
        if not call.platform.vertex:
            return agent
        operation = self._operations[call.project, agent_id] = self._begin_operation(agent, "CreateAgent")
        return operation

    def delete(self, call: Call, agent_id: str) -> dict[str, Any]:
        """DELETE agents/{id}; on Vertex an operation, of which Google's notebook reads `done`."""
        agent = self.require(call.project, agent_id)
        answer = super().delete(call, agent_id)
        if not call.platform.vertex:
            return answer
        empty = {"@type": "type.googleapis.com/google.protobuf.Empty"}
        return {**self._begin_operation(agent, "Delete"), "done": True, "response": empty}

    def _begin_operation(self, agent: dict[str, Any], kind: str) -> dict[str, Any]:
        now = self._stamps.now()
        return {
            "name": f"{agent.get('name', agent['id'])}/operations/{self._stamps.ids('operation')}",
            "metadata": {
                "@type": f"type.googleapis.com/google.cloud.aiplatform.v1beta1.{kind}OperationMetadata",
                "genericMetadata": {"createTime": now, "updateTime": now},
            },
        }

    def get_operation(self, call: Call, agent_id: str, name: str) -> Any:
        """GET agents/{id}/operations/{name}, which only Vertex has: the create of an agent, which is done."""
        if not call.platform.vertex:
            return NotImplemented
        agent = self.require(call.project, agent_id)
        operation = self._operations.get((call.project, agent_id), {"name": ""})
        if operation["name"].rpartition("/")[2] != name:
            raise not_found(f"The agent {agent_id!r} has no operation {name[:100]!r}.")
        return {**operation, "done": True, "response": agent}

    def _judge(self, agent: dict[str, Any], call: Call) -> None:
        project = call.project
        base = agent["base_agent"]
        name = base.removeprefix("agents/")
        # a saved agent may be built on, too (the cookbook and the service's skills do it)
        if BASE_AGENTS.fullmatch(name) is None and self.find(project, name) is None:
            raise invalid(
                f"base_agent={base!r} is neither a built-in agent such as 'antigravity-preview-09-2026' nor one "
                "that you saved."
            )
        limit = agent.get("agent_config", {}).get("max_total_tokens", 1)
        if int(limit) < 1:
            raise invalid(f"Invalid value at 'agent_config.max_total_tokens': {limit} must be positive.")
        for index, tool in enumerate(agent.get("tools", ())):
            if tool.get("type") != "filesystem" or not call.platform.vertex:  # recorded, and in no type
                self._check_tool(f"tools[{index}]", tool, project)
        if "base_environment" in agent:
            self._environments.read_config(agent["base_environment"], project, "base_environment")

    def _check_tool(self, place: str, tool: dict[str, Any], project: str) -> None:
        known = self._reader.list_kinds("agent-tool")
        if self._reader.refuses_unknown and tool["type"] not in known:
            came = f"the tool {tool['type']!r} is none that a saved agent takes"
            raise invalid(f"Invalid value at '{place}.type': {came}: those are {', '.join(known)}.")
        if tool["type"] != "mcp_server":
            return
        name = tool.get("name")
        # the guides disagree on "-" in names, so both forms are accepted; none of them allows capitals
        if not name or re.fullmatch(r"[a-z0-9_-]+", name) is None:
            came = f"but {name!r} was sent" if name else "but none was sent"
            raise invalid(f"Invalid value at '{place}': an mcp_server needs a name of a-z, 0-9, _ and -, {came}.")
        if not tool.get("url"):
            raise invalid(f"Invalid value at '{place}': the mcp_server {name!r} needs a url.")
        self._environments.check_credential(tool.get("credential"), project)
