"""What agents refuse that models take: tools, contents, fields, and the settings of another agent.

Layer 2. A table of the kinds of agents, and a judge that walks it; must not know which agents exist. Sources: the
Antigravity guide for managed agents, the deep research guide, third-party observations where a comment says so.
What a guide does not name is let pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.emulator.call import invalid
from harness.emulator.inputs import items, results
from harness.emulator.media import KINDS
from harness.emulator.order import Order

Json = dict[str, Any]

SAMPLING = frozenset({"temperature", "top_p", "top_k", "stop_sequences", "max_output_tokens"})
"""Settings of generation that the Antigravity guide says are answered 400."""

_CONFIGS = frozenset({"antigravity", "deep-research", "code-mender"})
"""Types of agent_config that name their agent; `dynamic` names none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one kind of agent does not take.

    config           the type of its agent_config
    tools, fields    types of tools, and fields of a create, that it refuses
    contents         contents it takes in the input; empty: all
    inline           whether images must come as data, not by URI
    structured       whether it can be told to answer in JSON
    stateless_calls  whether a function result may come without the interaction that called
    capitals         whether the name of an mcp_server may have some
    """

    config: str
    tools: frozenset[str] = frozenset()
    fields: frozenset[str] = frozenset()
    contents: frozenset[str] = frozenset()
    inline: bool = False
    structured: bool = True
    stateless_calls: bool = True
    capitals: bool = True


MANAGED = Limits(
    config="antigravity",
    tools=frozenset({"computer_use", "file_search", "google_maps"}),
    contents=frozenset({"text", "image"}),
    inline=True,
    structured=False,
    stateless_calls=False,
    capitals=False,
)
"""Antigravity and the agents saved from it."""

RESEARCH = Limits(
    config="deep-research",
    tools=frozenset({"computer_use", "function", "google_maps", "retrieval"}),
    # the instruction: a third party's observation; the environment: inferred, for it has none
    fields=frozenset({"system_instruction", "environment"}),
    contents=frozenset({"text", "image", "document"}),
    structured=False,
)

MENDER = Limits(config="code-mender")


def limits_of(agent: str) -> Limits:
    """The limits of an agent by its name; a saved one is a managed one."""
    if agent.startswith("deep-research"):
        return RESEARCH
    return MENDER if agent.startswith("code-mender") else MANAGED


def judge(order: Order) -> None:
    """Raise `Refusal` 400 for the first thing that the agent of `order` does not take."""
    limits = limits_of(order.agent or "")
    told = next(_faults(order, limits), None)
    if told is not None:
        raise invalid(f"The agent '{order.agent}' {told}")


def _faults(order: Order, limits: Limits) -> Iterator[str]:
    """What is wrong, as the rest of a sentence that begins with the agent."""
    for setting in order.generation:
        if setting in SAMPLING:
            yield f"takes no '{setting}': sampling is a setting of models, leave it out."
    for name in order.body:
        if name in limits.fields:
            yield f"takes no '{name}': leave it out."
    yield from _config(order.body.get("agent_config"), limits)
    yield from _tools(order.tools, limits)
    if not limits.structured and _wants_json(order.body):
        yield "has no structured output: leave 'response_format' out and ask for the form in the input."
    yield from _contents(order.given, limits)
    if not limits.stateless_calls and results(order.given) and "previous_interaction_id" not in order.body:
        yield "takes a function_result only together with 'previous_interaction_id'."


def _config(config: Json | None, limits: Limits) -> Iterator[str]:
    kind = (config or {}).get("type")
    if kind in _CONFIGS and kind != limits.config:
        yield f"has an agent_config of the type '{limits.config}', not '{kind}'."


def _tools(tools: list[Json], limits: Limits) -> Iterator[str]:
    for tool in tools:
        kind, name = tool.get("type"), str(tool.get("name", ""))
        if kind in limits.tools:
            yield f"takes no {kind} tool: leave it out, or ask a model."
        if kind == "mcp_server" and name.lower() != name and not limits.capitals:
            yield f"takes no mcp_server with capitals in its name: '{name}' must be written '{name.lower()}'."


def _wants_json(body: Json) -> bool:
    """Whether the answer is asked for as JSON, in today's form or in the deprecated one."""
    wanted = body.get("response_format") or []
    formats = wanted if isinstance(wanted, list) else [wanted]
    return body.get("response_mime_type") == "application/json" or any(
        "schema" in item or item.get("mime_type") == "application/json" for item in formats
    )


def _contents(given: list[Json], limits: Limits) -> Iterator[str]:
    for item in items(given):
        kind = item.get("type")
        if kind not in KINDS:
            continue
        if limits.contents and kind not in limits.contents:
            yield f"takes no {kind} in its input, only {' and '.join(sorted(limits.contents))}."
        elif limits.inline and "uri" in item:
            yield f"takes images inline only: send the bytes as base64 in 'data' instead of the uri of the {kind}."
