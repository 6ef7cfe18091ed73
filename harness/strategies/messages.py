"""Request bodies, interactions and steps, legal and illegal.

Enforces what a schema cannot express: results follow the call they answer, citations lie inside their text, totals
add up, and the fields of a create satisfy the rules between them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from harness.contract import Contract
from harness.contract.schema.openness import Schema
from harness.contract.tables.protocol import RUNNING
from harness.strategies import from_schema

Json = dict[str, Any]
Path = tuple[str | int, ...]

_GONE = object()
"""Stands for the removal of a member."""


def damaged_values(
    legal: SearchStrategy[Json], contract: Contract, name: str, *, closed: bool = False
) -> SearchStrategy[Any]:
    """Values of `legal`, each changed in one place so that the schema `name` rejects it."""
    validator = contract.schemas.validator(name, closed=closed)
    return legal.flatmap(lambda value: damages(value).filter(lambda damaged: not validator.is_valid(damaged)))


def damages(value: Any) -> SearchStrategy[Any]:
    """The value with something else in one place, or nothing."""
    wrong: SearchStrategy[Any] = st.sampled_from((None, True, "wrong", 7, 0.5, [], [1], {}, {"a": 1}, _GONE))
    return st.builds(_change, st.just(value), st.sampled_from([*_list_places(value, ())]), wrong)


def _list_places(value: Any, path: Path) -> Iterator[Path]:
    """The path of each part of a value, and of a member that no schema lists."""
    yield path
    if isinstance(value, dict):
        yield (*path, "harness_unknown_field")
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in inside:
        yield from _list_places(member, (*path, key))


def _change(value: Any, path: Path, wrong: Any) -> Any:
    """The value with another one at `path`, or without that part."""
    if not path:
        return None if wrong is _GONE else wrong
    key, *rest = path
    changed: Any = {**value} if isinstance(value, dict) else [*value]
    if rest or wrong is not _GONE:
        changed[key] = _change(value[key] if rest else None, tuple(rest), wrong)
    elif isinstance(value, list) or key in value:
        del changed[key]
    return changed


MODEL = "gemini-3.8-flash"
AGENT = "antigravity-preview-09-2026"
RESEARCH = "deep-research-preview-04-2026"

_MODEL_ONLY = ("generation_config", "cached_content")
_RULED = frozenset(
    {"model", "agent", "input", "store", "background", "webhook_config", "agent_config", *_MODEL_ONLY,
     "continuation_token", "previous_interaction_id", "stream"}
)  # fmt: skip
"""Fields of a create that are subject to rules between fields; the others are free."""
_ADDED_UP = frozenset(
    {"total_input_tokens", "total_output_tokens", "total_thought_tokens", "total_tool_use_tokens",
     "total_cached_tokens", "total_tokens"}
)  # fmt: skip
"""Counts of tokens that depend on each other; what else a revision counts is free."""


def steps(*, legal: bool = True, contract: Contract | None = None) -> SearchStrategy[Json]:
    """One step of any listed type, complete as in the response to a GET.

    `legal=False`: a step that the schema `step` rejects.
    """
    contract = from_schema.contract_or_current(contract)
    found = shapes(contract).at("step")
    return found if legal else damaged_values(found, contract, "step")


def interactions(*, legal: bool = True, contract: Contract | None = None) -> SearchStrategy[Json]:
    """A complete interaction in any status, with a coherent timeline.

    `judge_interaction` finds nothing wrong with a legal one; `legal=False`: the schema `interaction` rejects it.
    """
    contract = from_schema.contract_or_current(contract)
    found = _draw_interaction(contract)
    return found if legal else damaged_values(found, contract, "interaction")


def create_requests(*, legal: bool = True, contract: Contract | None = None) -> SearchStrategy[Json]:
    """A body of POST /interactions that has only known fields and values and keeps the rules between fields.

    `legal=False`: a body that the closed schema `requests/create-interaction` rejects: a wrong type, an unknown
    field, an unlisted value, or a broken rule.
    """
    contract = from_schema.contract_or_current(contract)
    if legal:
        return _create_request(contract)
    broken = damaged_values(_create_request(contract), contract, "requests/create-interaction", closed=True)
    return st.one_of(_draw_rule_broken(contract), broken)


@cache
def shapes(contract: Contract) -> from_schema.Shapes:
    """The strategies for all parts of messages, with special ones for the parts that need more than a shape."""
    return from_schema.Shapes(
        from_schema.definitions(contract),
        {
            "usage": usages(contract),
            "contents.text": _draw_text(contract),
            "labels": st.dictionaries(from_schema.LABEL_NAMES, from_schema.LABEL_VALUES, max_size=2),
            "input": st.deferred(lambda: _draw_inputs(contract)),
            "model-name": st.sampled_from((MODEL, "gemini-2.5-flash", "gemini-3.5-flash-lite")),
            "agent-name": st.sampled_from((AGENT, RESEARCH)),
        },
    )


@st.composite
def usages(draw: st.DrawFn, contract: Contract) -> Json:
    """Token counts that add up, split by modality or not."""
    asked, made, thought, used = (draw(from_schema.SMALL) for _ in range(4))
    totals = {
        "total_input_tokens": asked,
        "total_output_tokens": made,
        "total_thought_tokens": thought,
        "total_tool_use_tokens": used,
        "total_cached_tokens": draw(st.integers(0, asked)),
    }
    usage: Json = {**totals, "total_tokens": asked + made + thought + draw(st.sampled_from((0, used)))}
    for name in draw(st.lists(st.sampled_from(("input", "output", "cached", "tool_use")), unique=True)):
        tokens = st.integers(0, totals[f"total_{name}_tokens"])
        share = from_schema.objects({"modality": st.sampled_from([*contract.contents]), "tokens": tokens})
        usage[f"{name}_tokens_by_modality"] = [draw(share)]
    usage |= draw(_draw_token_counts(contract))
    if draw(st.booleans()):
        return usage
    untold = draw(st.sampled_from((*totals, "total_tokens")))
    without = {untold} if untold == "total_cached_tokens" else {untold, "total_tokens"}  # the sum needs its parts
    return {name: value for name, value in usage.items() if name not in without}


@cache
def _draw_token_counts(contract: Contract) -> SearchStrategy[Json]:
    """Counts that need not add up: uses of tools, and whatever else the revision counts."""
    uses = from_schema.objects({"type": st.sampled_from(contract.grounding_tools), "count": from_schema.SMALL})
    counters = shapes(contract).schema("usage")["properties"]
    others = [name for name, part in counters.items() if part.get("type") == "integer" and name not in _ADDED_UP]
    return from_schema.objects(
        {**dict.fromkeys(others, from_schema.SMALL), "grounding_tool_count": st.lists(uses, max_size=2)}
    )


@st.composite
def _draw_text(draw: st.DrawFn, contract: Contract) -> Json:
    """A text content whose citations lie inside it."""
    text = draw(from_schema.TEXTS)
    content: Json = {"type": "text", "text": text}
    size = len(text.encode())
    if draw(st.booleans()):
        notes = draw(st.lists(shapes(contract).at("annotation"), max_size=2))
        content["annotations"] = [_place_within(draw, note, size) for note in notes]
    return content


def _place_within(draw: st.DrawFn, note: Json, size: int) -> Json:
    """The annotation with a span inside `size` bytes, or without a span; always without one in an empty text."""
    note = {name: value for name, value in note.items() if name not in ("start_index", "end_index")}
    if not size or not draw(st.booleans()):
        return note
    start = draw(st.integers(0, size - 1))
    return {**note, "start_index": start, "end_index": draw(st.integers(start + 1, size))}


@st.composite
def _draw_exchange(draw: st.DrawFn, contract: Contract, tool: str) -> list[Json]:
    """A call to a server tool and the result that answers it."""
    call, result = (draw(shapes(contract).at(pointer)) for pointer in _ends(tool))
    return [call, {**result, "call_id": call["id"]}]


@cache
def timelines(contract: Contract, *, most: int = 3) -> SearchStrategy[list[Json]]:
    """A list of output steps; each result of a server tool follows its call."""
    table = contract.steps_table
    paired = {end for tool in table.server_tools for end in _ends(tool)}
    single = [
        at for step in table.steps.values() if step.streamed and (at := pointer_to(step.schema)) not in paired
    ]
    alone = [
        (_weigh(contract, pointer), shapes(contract).at(pointer).map(lambda step: [step])) for pointer in single
    ]
    pairs = [
        (sum(_weigh(contract, end) for end in _ends(tool)), _draw_exchange(contract, tool))
        for tool in table.server_tools
    ]
    parts = from_schema.weighted_choice([*alone, *pairs])
    return st.lists(parts, max_size=most).map(lambda found: [step for part in found for step in part])


def _weigh(contract: Contract, pointer: str) -> int:
    return shapes(contract).weight({"$ref": f"#/$defs/{pointer}"})


def pointer_to(schema: str) -> str:
    """The pointer of a schema, by its name, for `Shapes`."""
    return schema.replace("/", ".")


def _ends(tool: str) -> tuple[str, str]:
    """The steps of a server tool: the call, and the result that answers it."""
    name = tool.replace("_", "-")
    return f"steps.{name}-call", f"steps.{name}-result"


@cache
def _free_of_interactions(contract: Contract) -> SearchStrategy[Json]:
    """Fields of an interaction that do not depend on other fields."""
    own = ("status", "id", "steps", "usage", "created", "updated", "continuation_token", "model", "agent")
    fields = shapes(contract).schema("interaction")["properties"]
    return shapes(contract).members({name: part for name, part in fields.items() if name not in own})


@st.composite
def _draw_interaction(draw: st.DrawFn, contract: Contract) -> Json:
    status = draw(st.sampled_from(sorted(contract.statuses)))
    value: Json = {"status": status, **draw(_free_of_interactions(contract))}
    if draw(st.integers(0, 7)):  # an interaction that is not stored has no id
        value["id"] = draw(from_schema.IDS)
    value.update(draw(_author(contract)))
    if draw(st.booleans()):
        begun = draw(st.integers(0, 10**6))
        value |= {
            "created": from_schema.moment(begun),
            "updated": from_schema.moment(begun + draw(from_schema.SMALL)),
        }
    if draw(st.booleans()):
        value["steps"] = [*draw(st.one_of(st.just([]), _draw_asking(contract))), *draw(timelines(contract))]
    if status not in RUNNING and draw(st.booleans()):
        value["usage"] = draw(usages(contract))
    if status == "requires_continuation":
        value["continuation_token"] = draw(from_schema.BASE64)
    return value


@cache
def _author(contract: Contract) -> SearchStrategy[Json]:
    return st.one_of(
        shapes(contract).at("model-name").map(lambda name: {"model": name}),
        shapes(contract).at("agent-name").map(lambda name: {"agent": name}),
    )


def _draw_inputs(contract: Contract) -> SearchStrategy[Any]:
    kinds = [pointer_to(content.schema) for content in contract.contents.values()]
    contents = from_schema.weighted_choice([(_weigh(contract, kind), shapes(contract).at(kind)) for kind in kinds])
    steps = st.builds(lambda first, rest: [*first, *rest], _draw_asking(contract), timelines(contract, most=2))
    texts = from_schema.TEXTS.map(lambda text: text or "Say hi.")
    return from_schema.weighted_choice(
        [(1, texts), (1, contents), (1, st.lists(contents, min_size=1, max_size=2)), (3, steps)]
    )


def _draw_asking(contract: Contract) -> SearchStrategy[list[Json]]:
    return shapes(contract).at("steps.user-input").map(lambda step: [step])


def _collect_fields(contract: Contract) -> Mapping[str, Schema]:
    fields: Mapping[str, Schema] = shapes(contract).schema("requests.create-interaction/$defs/fields")[
        "properties"
    ]
    return fields


@cache
def _free_fields(contract: Contract, most: int) -> SearchStrategy[Json]:
    return shapes(contract).members(
        {name: part for name, part in _collect_fields(contract).items() if name not in _RULED}, most=most
    )


_FLAGS = from_schema.objects({"stream": st.booleans(), "store": st.booleans(), "background": st.booleans()})


@st.composite
def _create_request(draw: st.DrawFn, contract: Contract) -> Json:
    body: Json = draw(_author(contract))
    body["input"] = draw(shapes(contract).at("input"))
    body.update(draw(_free_fields(contract, 3)))
    body.update(draw(_FLAGS))
    if body.get("agent", "").startswith("deep-research") or "webhook_config" in body:
        body["background"] = True
    if body.get("background"):
        body.pop("store", None)
    names = _MODEL_ONLY if "model" in body else ("agent_config",)
    body.update(draw(_draw_settings(contract, (*names, "webhook_config") if body.get("background") else names)))
    if draw(st.booleans()):
        body["previous_interaction_id"] = draw(from_schema.IDS)
    if draw(st.integers(0, 9)) == 9:
        body["continuation_token"] = draw(from_schema.BASE64)
        body = body if draw(st.booleans()) else {name: v for name, v in body.items() if name != "input"}
    return body


@cache
def _draw_settings(contract: Contract, names: tuple[str, ...]) -> SearchStrategy[Json]:
    fields = _collect_fields(contract)
    return shapes(contract).members({name: fields[name] for name in names}, most=2)


RULES_BETWEEN_FIELDS: tuple[Json, ...] = (
    {"model": MODEL, "agent": AGENT, "input": "Say hi."},
    {"input": "Say hi."},
    {"model": MODEL},
    {"model": MODEL, "input": []},
    {"model": MODEL, "input": "Say hi.", "background": True, "store": False},
    {"model": MODEL, "input": "Say hi.", "webhook_config": {}},
    {"model": MODEL, "input": "Say hi.", "webhook_config": {}, "background": False},
    {"agent": RESEARCH, "input": "Say hi."},
    {"model": MODEL, "input": "Say hi.", "agent_config": {"type": "dynamic"}},
    {"agent": AGENT, "input": "Say hi.", "generation_config": {}},
    {"agent": AGENT, "input": "Say hi.", "cached_content": "cachedContents/1"},
    {"model": MODEL, "input": [{"type": "text", "text": "a"}, {"type": "user_input", "content": []}]},
    {"model": MODEL, "input": "Say hi.", "labels": {"1a": "digit first"}},
    {"model": MODEL, "input": "Say hi.", "labels": {"a": "Capital"}},
    {"model": MODEL, "input": [{"role": "user", "content": "Say hi."}]},
)
"""A minimal create for each broken rule between fields, and a few mistakes that circulate."""


@st.composite
def _draw_rule_broken(draw: st.DrawFn, contract: Contract) -> Json:
    body = dict(draw(st.sampled_from(RULES_BETWEEN_FIELDS)))
    extra = draw(_free_fields(contract, 2))
    return {**{name: value for name, value in extra.items() if name != "labels"}, **body}
