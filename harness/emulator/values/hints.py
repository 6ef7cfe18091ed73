"""The sentences that a refusal adds: what was probably meant, and what a schema found wrong.

Knows spelling, and the wrong names and paths of articles, older guides and other APIs; must not refuse anything
itself. Source: public articles and neighboring APIs for the wrong names, the create request's schema for the right
ones; an unknown name is reported as by the live service (`Unknown parameter 'id' at 'input[2]'.`, probes).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from itertools import takewhile
from typing import Any

from harness.contract import Contract
from harness.contract.schema.explain import SchemaProblem
from harness.outcome.words import nearest

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def snake(name: str) -> str:
    """Convert camelCase to snake_case: `systemInstruction` → `system_instruction`."""
    return _HUMP.sub("_", name).lower()


def camel(name: str) -> str:
    """Convert snake_case to camelCase: `system_instruction` → `systemInstruction`."""
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def suggestion(name: str, options: Iterable[str]) -> str:
    """Return ` Did you mean 'x'?`, or `""` if nothing is close: a far-fetched name would mislead."""
    known = sorted(options)
    near = [snake(name)] if snake(name) in known else nearest(name.lower(), known, most=1)
    if not near:
        return ""
    from difflib import SequenceMatcher  # few tests make such a mistake

    likeness = SequenceMatcher(None, name.lower(), near[0]).ratio()
    close = near[0].startswith(name.lower()) or likeness >= 0.7
    return f" Did you mean '{near[0]}'?" if close else ""


_WORD = re.compile(r"\w+")


def describe_problem(problem: SchemaProblem) -> str:
    """Return the sentence for one problem: where it is, what is wrong, and what would fit."""
    place = problem.pointer.removeprefix("$").lstrip(".")
    if unknown := _describe_unknown(problem):
        return unknown
    message = problem.message
    if not message.endswith("?"):
        few = problem.keyword in ("const", "enum") and len(problem.expected) <= 200
        message += f". It must be {problem.expected}." if few else "."
    return f"Invalid value at '{place}': {message}" if place else message[0].upper() + message[1:]


def describe_schemas(contract: Contract) -> str:
    """Return the sentence that dates the schemas, and how to send what they do not list."""
    return (
        f" (These schemas are those of revision {contract.revision}, {contract.schemas.as_of}; "
        "the emulator accepts newer fields with the setting unknown=accept.)"
    )


def _describe_unknown(problem: SchemaProblem) -> str:
    """Return the sentence that refuses an unknown name, in the service's form; `""` for other faults."""
    path = problem.pointer.removeprefix("$")
    is_odd = path.endswith('"]')
    place, there, name = path[:-2].rpartition('["') if is_odd else path.rpartition(".")
    if problem.keyword != "additionalProperties" or not there or not (is_odd or _WORD.fullmatch(name)):
        return ""
    where = f" at '{place.lstrip('.')}'" if place else ""
    _, separator, hint = problem.message.partition("; did you mean ")
    advice = f" Did you mean {hint.replace(chr(34), chr(39))}" if separator else ""
    return f"Unknown parameter '{name}'{where}.{advice}"


_INSTEAD = {
    "continue a conversation with 'previous_interaction_id'":
        "session_id conversation_id conversation thread_id parent_id previous_response_id previous_id",
    "use 'input'": "contents content messages prompt turns",
    "use 'agent'": "agent_id agent_name",
    "use 'model'": "model_id model_name",
    "create returns the interaction itself: poll GET …/interactions/{id} with its 'id'": "operation_id",
    "an interaction gets its id from the service; to continue one use 'previous_interaction_id'": "interaction_id",
    "it belongs inside the code-mender agent's 'agent_config'": "session_config",
    "the schema is not chosen in the body; leave it out": "schemaVersion schema_version",
    "use 'generation_config'": "config parameters",
    "put it inside 'generation_config'":
        "temperature top_p max_output_tokens stop_sequences seed tool_choice thinking_level",
    "use 'max_output_tokens' inside 'generation_config'": "max_tokens",
    "use 'stop_sequences' inside 'generation_config'": "stop",
    "use 'tool_choice' inside 'generation_config'": "tool_config",
    "use 'thinking_level' inside 'generation_config'": "thinking_config reasoning reasoning_effort",
    'use \'tools\' with {"type": "function", …}': "functions function_declarations",
    "use 'system_instruction'": "instructions system system_prompt",
    'use \'response_format\' with {"type": "text", "mime_type": …, "schema": …}':
        "response_schema response_json_schema",
    "use 'response_format'": "output_format modalities",
    "use 'labels'": "metadata tags",
    "use 'background'": "async run_in_background",
    "use 'environment'": "environment_id sandbox",
    "use 'webhook_config'": "webhook",
    "use 'uris' inside 'webhook_config'": "webhook_url callback_url",
    "it is a query parameter of GET …/interactions/{id}?stream=true": "last_event_id",
    "leave it out: a stream's last event carries the usage": "stream_options",
    "it is the shape of responses before June 2026; send earlier turns as steps inside 'input'": "outputs",
    "send earlier steps inside 'input'": "steps",
    "it is the legacy shape; send steps ('user_input', 'model_output') inside 'input'": "role",
    "one request makes one interaction; leave it out": "n",
}  # fmt: skip
"""What to do → the names for it that the create request does not have at its top level."""

FIELDS = {name: advice for advice, names in _INSTEAD.items() for name in names.split()}


def unknown_field(name: str, known: Collection[str]) -> str:
    """Return the message for an unknown top-level field of the create request."""
    hint = FIELDS.get(name) or FIELDS.get(snake(name))
    advice = suggestion(name, known) if snake(name) in known or not hint else f" Instead, {hint}."
    return f"Unknown parameter '{name}'.{advice}"


def bare_tool(tools: Any, known: Collection[str]) -> str:
    """Return the message for tools given by their bare names, or `""`."""
    given = [tools] if isinstance(tools, str) else tools if isinstance(tools, list) else []
    name = next((tool for tool in given if isinstance(tool, str) and tool in known), None)
    return f'Invalid value at \'tools\': a tool is an object, write [{{"type": "{name}"}}].' if name else ""


def wrong_path(version: str, segments: tuple[str, ...]) -> str:
    """Return a hint at what the caller of an unknown path probably wanted, or `""`."""
    first = segments[0] if segments else ""
    last = segments[-1] if segments else ""
    if first == "operations" or segments[:2] == ("interactions", "operations"):
        return " There are no operations: create returns the interaction, poll GET /v1beta/interactions/{id}."
    if first == "interactions" and ":cancel" in last:
        return " The route has a slash: POST /v1beta/interactions/{id}/cancel."
    if first == "interactions" and len(segments) == 3:
        return f" An interaction has one sub-path: POST /v1beta/interactions/{{id}}/cancel, not /{last}."
    if first.startswith("environments:"):
        return (
            " Of the protocol between a self-hosted environment and its worker, only POST "
            "/v1beta/environments:leaseInteractions is public: the emulator has no other call of it."
        )
    if first in {"models", "chat", "openai", "responses", "completions"} or "generateContent" in last:
        return " This service emulates the Interactions API: POST /v1beta/interactions."
    if first == "v1alpha":
        return " There is no /v1alpha here: send it to /v1beta (SDKs use it without the option api_version)."
    if not version:
        return " Paths start with a version: /v1beta/interactions (or /v1, /v1beta1)."
    return suggestion(first, ("interactions", "agents", "environments", "credentials", "webhooks", "triggers"))


MODEL_NAME = re.compile(
    r"(models/)?((gemini|gemma|lyria|nano-banana|veo|imagen)[a-z-]*-\d[\w.-]*"
    r"|gemini-[a-z-]+-latest|gemini-(omni|robotics)[\w.-]+|nano-banana-pro-preview)"
)
"""The name of a model of a known family; any version is one."""


def correct_model_name(name: str, known: Collection[str]) -> str:
    """The name with each word as the `known` models write it, if it is one slip away from theirs."""
    if name in known:
        return name
    words = {word for model in known for word in model.split("-") if word.isalpha() and len(word) >= 3}
    family, *parts = name.split("-")
    for place, part in enumerate(parts):
        if part.isalpha() and part not in words:
            parts[place] = min((word for word in words if _is_one_slip(part, word)), default=part)
    return "-".join([family, *parts])


def _is_one_slip(word: str, other: str) -> bool:
    """Whether one letter was left out, added, replaced, or swapped with the next."""
    start = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(word, other, strict=False)))
    left, right = word[start:], other[start:]
    swapped = left[1:2] + left[:1] + left[2:]
    return right in (left[1:], swapped) or left in (right[1:], right) or left[1:] == right[1:]
