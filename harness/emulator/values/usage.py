"""Token counts that add up: a stand-in tokenizer and the usage object.

Source of the sums: recordings (total = input + output + thought + tool use). Tools that ground an answer are
counted in queries, not in tokens, as recordings of Gemini 3 show for google_search; that maps and retrieval are
counted in the same way is inferred from the schema's list. The numbers are invented, but grow with what they
count. Must not know runs.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

import msgspec

from harness.contract import Contract
from harness.contract.models.profiles import ModelProfile

Json = dict[str, Any]

_PER_MEDIA = {"audio": 64, "video": 290}
"""Tokens counted for a content without text; any other costs as much as an image."""
_HOLDS_MEDIA = frozenset({"data", "uri", "name"})

COUNTS_TOOLS, COUNTS_QUERIES, COSTS_TOOLS = "grounding_tool_count", "search_query_count", "tool_use_by_search"
"""Names in the tables of models: uses of a grounding tool are counted, or cost tokens as those of other tools."""
_ZEROS = frozenset({"total_cached_tokens", "total_tool_use_tokens"})
_INVOCATIONS = frozenset({"model_invocation_token_counts", "non_grounding_model_invocation_token_counts"})

CHARACTERS = 4
"""So many characters of a text are one token."""


def count(text: str) -> int:
    """Return the tokens of a text, rounded up."""
    return (len(text) + CHARACTERS - 1) // CHARACTERS


UNSHOWN_TOKENS = 3
"""Tokens of an answer that a limit cut before its first step: a recording counts them in invocations only."""


def count_thought(generation: Mapping[str, Any] | None, profile: ModelProfile) -> int:
    """Return the tokens of a thought: 24, but none at the level `minimal`, as one witness saw it live."""
    level = (generation and generation.get("thinking_level")) or profile.value("default_level")
    return 0 if level == "minimal" else 24


def tokens_by_modality(steps: list[Json]) -> dict[str, int]:
    """Return the tokens of the contents, calls and results of `steps`; thoughts are counted separately."""
    counts: dict[str, int] = {}
    for step in steps:
        kind = step.get("type", "")
        if kind != "thought":
            _count_step(step, kind, counts)
    return counts


def _count_step(step: Json, kind: str, counts: dict[str, int]) -> None:
    content = step.get("content")
    if isinstance(content, list):
        for part in content:
            part_kind = part.get("type") if isinstance(part, dict) else None
            if part_kind == "text" and isinstance(text := part.get("text"), str):
                counts["text"] = counts.get("text", 0) + (len(text) + 3) // 4  # as `count`, but hot
            elif part_kind == "function_result":
                _count_step(part, part_kind, counts)
            elif isinstance(part_kind, str) and part.keys() & _HOLDS_MEDIA:
                counts[part_kind] = counts.get(part_kind, 0) + _PER_MEDIA.get(part_kind, 258)
    elif kind.endswith(("_call", "_result")):
        value = step.get("arguments", step.get("result"))
        counts["text"] = counts.get("text", 0) + 2 + len(msgspec.json.encode(value)) // 4


@lru_cache(maxsize=8)
def _map_grounding(contract: Contract) -> dict[str, str]:
    """Return the grounding tool of each step that belongs to one; every test makes an emulator, and asks."""
    tools = contract.grounding_tools
    return {step.name: step.tool for step in contract.steps.values() if step.tool in tools}


class Meter:
    """Computes the usage of a run; mutants override single methods."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        # The usage of runs by all that it follows from: most have that of another. Plain ones have a shorter key.
        self._known: dict[Any, Json] = {}
        self.plain: dict[Any, tuple[Json, msgspec.Raw]] = {}

    def usage(
        self,
        given: list[Json],
        output: list[Json],
        *,
        context: int,
        system: str,
        fields: frozenset[str],
        thought_tokens: int,
        cut_thought: int | None,
        vertex: bool,
        has_invocations: bool,
    ) -> Json:
        """Return the usage of a run with input `given`; `context` is the number of tokens of earlier turns.

        `fields` are those that the model has beyond the ones of every model; `cut_thought` are the tokens of a
        thought that a limit cut, which need not be among the steps. Callers share the result and do not change it.
        """
        own = tokens_by_modality(given)
        if context or system:
            own["text"] = own.get("text", 0) + context + count(system)
        thoughts = 0
        made: dict[str, int] = {}
        used: dict[str, int] = {}
        queries: dict[str, int] = {}
        for step in output:
            kind = step.get("type", "")
            if kind == "thought":
                thoughts += thought_tokens
            elif kind == "model_output":  # hot
                _count_step(step, kind, made)
            elif COSTS_TOOLS not in fields and (tool := _map_grounding(self._contract).get(kind, "")):
                if "call_id" not in step:  # each query of a call counts; a result costs nothing
                    asked = step.get("arguments")
                    asked = asked.get("queries") if isinstance(asked, dict) else None
                    queries[tool] = queries.get(tool, 0) + (len(asked) if isinstance(asked, list) else 1)
            else:
                of_server = kind.endswith(("_call", "_result")) and not kind.startswith("function_")
                _count_step(step, kind, used if of_server else made)
        if cut_thought is not None:
            thoughts = cut_thought
        what = tuple(own.items()), tuple(made.items()), tuple(queries.items()), sum(used.values()), thoughts
        key = (what, fields, cut_thought, vertex, has_invocations)
        if (known := self._known.get(key)) is not None:
            return known
        usage = self.assemble(own, made, thoughts, sum(used.values()))
        if queries and COUNTS_TOOLS in fields:
            twice = "google_search" if COUNTS_QUERIES in fields else None  # in recordings, since October
            usage[COUNTS_TOOLS] = [
                {"type": tool, "count": times, **({COUNTS_QUERIES: times} if tool == twice else {})}
                for tool, times in queries.items()
            ]
        if vertex:
            usage = _as_vertex(usage)
        elif has_invocations:
            usage |= count_invocations(usage, fields, unshown=UNSHOWN_TOKENS if cut_thought else 0)
        if len(self._known) >= 1024:
            self._known.clear()
            self.plain.clear()
        self._known[key] = usage
        return usage

    def assemble(self, own: dict[str, int], made: dict[str, int], thoughts: int, tool: int) -> Json:
        """Build the usage object, with its fields in the order of recordings."""
        taken, given = sum(own.values()), sum(made.values())
        by_modality = [{"modality": modality, "tokens": tokens} for modality, tokens in own.items()]
        usage: Json = {
            "total_tokens": self.total(taken, given, thoughts, tool),
            "total_input_tokens": taken,
            "input_tokens_by_modality": by_modality,
            "total_cached_tokens": 0,
            "total_output_tokens": given,
            "total_tool_use_tokens": tool,
        }
        if made and (len(made) > 1 or "text" not in made):
            usage["output_tokens_by_modality"] = [
                {"modality": modality, "tokens": tokens} for modality, tokens in made.items()
            ]
        if tool:
            usage["tool_use_tokens_by_modality"] = [{"modality": "text", "tokens": tool}]
        usage["total_thought_tokens"] = thoughts
        return usage

    def total(self, taken: int, given: int, thoughts: int, tool: int) -> int:
        return taken + given + thoughts + tool


def _as_vertex(usage: Json) -> Json:
    """Return the usage without totals of zero, and with the output by modality."""
    made = [{"modality": "text", "tokens": usage["total_output_tokens"]}]
    kept = {name: value for name, value in usage.items() if name not in _ZEROS or value}
    return {**kept, "output_tokens_by_modality": kept.get("output_tokens_by_modality", made)}


def count_invocations(usage: Json, fields: Collection[str], *, unshown: int = 0) -> Json:
    """Return those counters of the model's own work that it has (`fields`); no type lists them.

    The prompt is the input and what a run adds to it (21 with one text, in recordings); one invocation is assumed.
    `unshown` are the tokens of an output that is not shown.
    """
    prompt = int(usage["total_input_tokens"]) + 21  # the service adds so many tokens to a prompt
    counts: Json = {"raw_prompt_token": prompt} if "raw_prompt_token" in fields else {}
    if "no_output" in fields:
        counts |= {"total_output_tokens": 0, "total_tokens": usage["total_input_tokens"]}
    if _INVOCATIONS.isdisjoint(fields):  # most models count none
        return counts
    details = {"prompt_tokens_details": [{"modality": "text", "tokens": prompt}]}
    if made := usage["total_output_tokens"] or unshown:
        details["candidates_tokens_details"] = [{"modality": "text", "tokens": made}]
    if thoughts := usage["total_thought_tokens"]:
        details["thoughts_tokens_details"] = [{"modality": "text", "tokens": thoughts}]
    if "model_invocation_token_counts" in fields:
        counts["model_invocation_token_counts"] = [details]
    is_counted = COUNTS_TOOLS in usage or any(
        entry["modality"] == "video" for entry in usage["input_tokens_by_modality"]
    )
    if is_counted and "non_grounding_model_invocation_token_counts" in fields:
        counts["non_grounding_model_invocation_token_counts"] = [details]
    return counts
