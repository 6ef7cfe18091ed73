"""What agents refuse although models accept it: tools, contents, fields, and the settings of another agent.

Layer 2. A table with the limits of each kind of agent, and a function that applies it; must not know which agents
exist. Sources: the Antigravity guide for managed agents, the deep research guide, third-party observations where a
comment says so. What no guide mentions is accepted.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Any

from harness.contract.data.input import items, results
from harness.emulator.values.call import invalid
from harness.emulator.values.create_request import CreateRequest

Json = dict[str, Any]

SAMPLING = frozenset({"temperature", "top_p", "top_k", "stop_sequences", "max_output_tokens"})
"""Generation settings that are answered with 400, according to the Antigravity guide."""

_CONFIGS = frozenset({"antigravity", "deep-research", "code-mender"})
"""Types of agent_config that belong to one kind of agent; `dynamic` belongs to none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLimits:
    """What one kind of agent does not accept.

    config           the type of its agent_config
    tools, fields    types of tools, and fields of a create, that it refuses
    contents         types of content that it accepts in the input; empty: all
    inline           whether images must come as data, not by URI
    structured       whether it can be told to answer in JSON
    stateless_calls  whether a function result may come without previous_interaction_id
    capitals         whether the name of an mcp_server may contain capital letters
    """

    config: str
    tools: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    contents: frozenset[str] = frozenset()
    inline: bool = False
    structured: bool = True
    stateless_calls: bool = True
    capitals: bool = True


MANAGED = AgentLimits(
    config="antigravity",
    tools=frozenset({"computer_use", "file_search", "google_maps"}),
    contents=frozenset({"text", "image"}),
    inline=True,
    structured=False,
    stateless_calls=False,
    capitals=False,
)
"""Antigravity and the agents saved from it."""

RESEARCH = AgentLimits(
    config="deep-research",
    # retrieval: Google's notebook for Vertex uses it; the Gemini API refuses it for everybody
    tools=frozenset({"computer_use", "function", "google_maps"}),
    # system_instruction: a third party's observation; environment: inferred, because it has none
    fields=frozenset({"system_instruction", "environment"}),
    contents=frozenset({"text", "image", "document"}),
    structured=False,
)

MENDER = AgentLimits(config="code-mender")


def limits_of(agent: str) -> AgentLimits:
    """Return the limits of an agent by its name; saved agents are managed agents."""
    if agent.startswith("deep-research"):
        return RESEARCH
    return MENDER if agent.startswith("code-mender") else MANAGED


def judge(order: CreateRequest, media: Container[str]) -> None:
    """Raise Refusal 400 for the first thing that the agent of `order` does not accept.

    `media` are the types of contents that hold bytes, or say where they are.
    """
    limits = limits_of(order.agent or "")
    told = next(_list_faults(order, limits, media), None)
    if told is not None:
        raise invalid(f"The agent '{order.agent}' {told}")


def _list_faults(order: CreateRequest, limits: AgentLimits, media: Container[str]) -> Iterator[str]:
    """Yield what is wrong, each as the rest of a sentence that begins with the agent."""
    for setting in order.generation:
        if setting in SAMPLING:
            yield f"takes no '{setting}': sampling is a setting of models, leave it out."
    for name in order.body:
        if name in limits.fields:
            yield f"takes no '{name}': leave it out."
    yield from _judge_config(order.body.get("agent_config"), limits)
    yield from _judge_tools(order.tools, limits)
    if not limits.structured and _wants_json(order.body):
        yield "has no structured output: leave 'response_format' out and ask for the form in the input."
    yield from _judge_contents(order.given, limits, media)
    if not limits.stateless_calls and results(order.given) and "previous_interaction_id" not in order.body:
        yield "takes a function_result only together with 'previous_interaction_id'."


def _judge_config(config: Json | None, limits: AgentLimits) -> Iterator[str]:
    kind = (config or {}).get("type")
    if config is not None and kind not in (*_CONFIGS, "dynamic"):
        kinds = "antigravity, code-mender, deep-research or dynamic"
        yield f"takes an agent_config of the type {kinds}, not '{kind}'."
    if kind in _CONFIGS and kind != limits.config:
        yield f"has an agent_config of the type '{limits.config}', not '{kind}'."


def _judge_tools(tools: list[Json], limits: AgentLimits) -> Iterator[str]:
    for tool in tools:
        kind, name = tool.get("type"), str(tool.get("name", ""))
        if kind in limits.tools:
            yield f"takes no {kind} tool: leave it out, or ask a model."
        if kind == "mcp_server" and name.lower() != name and not limits.capitals:
            yield f"takes no mcp_server with capitals in its name: '{name}' must be written '{name.lower()}'."


def _wants_json(body: Json) -> bool:
    """Whether the request asks for JSON output, in the current or the deprecated form."""
    wanted = body.get("response_format") or []
    formats = wanted if isinstance(wanted, list) else [wanted]
    return body.get("response_mime_type") == "application/json" or any(
        "schema" in item or item.get("mime_type") == "application/json" for item in formats
    )


def _judge_contents(given: list[Json], limits: AgentLimits, media: Container[str]) -> Iterator[str]:
    for item in items(given):
        kind = item.get("type")
        if kind not in media:
            continue
        if limits.contents and kind not in limits.contents:
            yield f"takes no {kind} in its input, only {' and '.join(sorted(limits.contents))}."
        elif limits.inline and "uri" in item:
            yield f"takes images inline only: send the bytes as base64 in 'data' instead of the uri of the {kind}."
