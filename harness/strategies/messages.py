"""Request bodies, interactions and steps, legal and illegal.

Layer 2. Enforces what a schema cannot express: results follow the call they answer, citations lie inside their
text, totals add up, and the fields of a create satisfy the rules between them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from harness.contract.schema.openness import Schema
from harness.contract.tables.lifecycle import SETTLED, STATUSES
from harness.strategies import values
from harness.strategies.from_schema import Shapes, definitions, objects, weighted
from harness.strategies.invalid_values import damaged

Json = dict[str, Any]

MODEL = "gemini-3.5-flash"
AGENT = "antigravity-preview-09-2026"
RESEARCH = "deep-research-preview-04-2026"

SERVER_TOOLS = (
    "google_search", "url_context", "code_execution", "google_maps", "file_search", "retrieval",
    "mcp_server_tool", "processing",
)  # fmt: skip
"""Tools whose calls and results are both the service's own steps."""

_CONTENTS = ("text", "image", "audio", "video", "document")
_MODEL_ONLY = ("generation_config", "cached_content")
_RULED = frozenset(
    {"model", "agent", "input", "store", "background", "webhook_config", "agent_config", *_MODEL_ONLY,
     "continuation_token", "previous_interaction_id", "stream"}
)  # fmt: skip
"""Fields of a create that are subject to rules between fields; the others are free."""


def steps(*, legal: bool = True) -> SearchStrategy[Json]:
    """One step of any listed type, complete as in the answer to a GET.

    `legal=False`: a step that the schema `step` rejects.
    """
    return _step() if legal else damaged(_step(), "step")


def interactions(*, legal: bool = True) -> SearchStrategy[Json]:
    """A complete interaction in any status, with a coherent timeline.

    `judge_interaction` finds nothing wrong with a legal one; `legal=False`: the schema `interaction` rejects it.
    """
    return _interaction() if legal else damaged(_interaction(), "interaction")


def create_requests(*, legal: bool = True) -> SearchStrategy[Json]:
    """A body of POST /interactions that has only known fields and values and keeps the rules between fields.

    `legal=False`: a body that the closed schema `requests/create-interaction` rejects: a wrong type, an unknown
    field, an unlisted value, or a broken rule.
    """
    if legal:
        return _create_request()
    broken = damaged(_create_request(), "requests/create-interaction", closed=True)
    return st.one_of(_rule_broken(), broken)


@cache
def shapes() -> Shapes:
    """The strategies for all parts of messages, with special ones for the parts that need more than a shape."""
    return Shapes(
        definitions(),
        {
            "usage": usages(),
            "contents.text": _texts(),
            "labels": st.dictionaries(values.LABEL_NAMES, values.LABEL_VALUES, max_size=2),
            "input": st.deferred(_inputs),
            "model-name": st.sampled_from((MODEL, "gemini-2.5-flash", "gemini-3.5-flash-lite")),
            "agent-name": st.sampled_from((AGENT, RESEARCH)),
        },
    )


# --- parts


@st.composite
def usages(draw: st.DrawFn) -> Json:
    """Token counts that add up, split by modality or not."""
    asked, made, thought, used = (draw(values.SMALL) for _ in range(4))
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
        share = objects({"modality": st.sampled_from(_CONTENTS), "tokens": tokens})
        usage[f"{name}_tokens_by_modality"] = [draw(share)]
    usage |= draw(_COUNTED)
    if draw(st.booleans()):
        return usage
    untold = draw(st.sampled_from((*totals, "total_tokens")))
    without = {untold} if untold == "total_cached_tokens" else {untold, "total_tokens"}  # the sum needs its parts
    return {name: value for name, value in usage.items() if name not in without}


_USES = objects({"type": st.sampled_from(("google_search", "google_maps", "retrieval")), "count": values.SMALL})
_COUNTED = objects({"initial_input_tokens": values.SMALL, "grounding_tool_count": st.lists(_USES, max_size=2)})


@st.composite
def _texts(draw: st.DrawFn) -> Json:
    """A text content whose citations lie inside it."""
    text = draw(values.TEXTS)
    content: Json = {"type": "text", "text": text}
    size = len(text.encode())
    if draw(st.booleans()):
        notes = draw(st.lists(shapes().at("annotation"), max_size=2))
        content["annotations"] = [_within(draw, note, size) for note in notes]
    return content


def _within(draw: st.DrawFn, note: Json, size: int) -> Json:
    """The annotation with a span inside `size` bytes, or without a span; always without one in an empty text."""
    note = {name: value for name, value in note.items() if name not in ("start_index", "end_index")}
    if not size or not draw(st.booleans()):
        return note
    start = draw(st.integers(0, size - 1))
    return {**note, "start_index": start, "end_index": draw(st.integers(start + 1, size))}


def _step() -> SearchStrategy[Json]:
    return shapes().at("step")


@st.composite
def _exchange(draw: st.DrawFn, tool: str) -> list[Json]:
    """A call to a server tool and the result that answers it."""
    call, result = (draw(shapes().at(pointer)) for pointer in _ends(tool))
    return [call, {**result, "call_id": call["id"]}]


@cache
def timelines(*, most: int = 3) -> SearchStrategy[list[Json]]:
    """A list of output steps; each result of a server tool follows its call."""
    single = [f"steps.{kind}" for kind in ("model-output", "thought", "function-call", "function-result")]
    alone = [(_weight(pointer), shapes().at(pointer).map(lambda step: [step])) for pointer in single]
    pairs = [(sum(map(_weight, _ends(tool))), _exchange(tool)) for tool in SERVER_TOOLS]
    parts = weighted([*alone, *pairs])
    return st.lists(parts, max_size=most).map(lambda found: [step for part in found for step in part])


def _weight(pointer: str) -> int:
    return shapes().weight({"$ref": f"#/$defs/{pointer}"})


def _ends(tool: str) -> tuple[str, str]:
    """The steps of a server tool: the call, and the result that answers it."""
    name = tool.replace("_", "-")
    return f"steps.{name}-call", f"steps.{name}-result"


@cache
def _free_of_interactions() -> SearchStrategy[Json]:
    """Fields of an interaction that do not depend on other fields."""
    own = ("status", "id", "steps", "usage", "created", "updated", "continuation_token", "model", "agent")
    fields = shapes().schema("interaction")["properties"]
    return shapes().members({name: part for name, part in fields.items() if name not in own})


@st.composite
def _interaction(draw: st.DrawFn) -> Json:
    status = draw(st.sampled_from(sorted(STATUSES)))
    value: Json = {"status": status, **draw(_free_of_interactions())}
    if draw(st.integers(0, 7)):  # an interaction that is not stored has no id
        value["id"] = draw(values.IDS)
    value.update(draw(_author()))
    if draw(st.booleans()):
        begun = draw(st.integers(0, 10**6))
        value |= {"created": values.moment(begun), "updated": values.moment(begun + draw(values.SMALL))}
    if draw(st.booleans()):
        value["steps"] = [*draw(_opening()), *draw(timelines())]
    if status in SETTLED and draw(st.booleans()):
        value["usage"] = draw(usages())
    if status == "requires_continuation":
        value["continuation_token"] = draw(values.BASE64)
    return value


@cache
def _author() -> SearchStrategy[Json]:
    return st.one_of(
        shapes().at("model-name").map(lambda name: {"model": name}),
        shapes().at("agent-name").map(lambda name: {"agent": name}),
    )


@cache
def _opening() -> SearchStrategy[list[Json]]:
    return st.one_of(st.just([]), _asking())


def _inputs() -> SearchStrategy[Any]:
    contents = weighted([(_weight(f"contents.{kind}"), shapes().at(f"contents.{kind}")) for kind in _CONTENTS])
    steps = st.builds(lambda first, rest: [*first, *rest], _asking(), timelines(most=2))
    texts = values.TEXTS.map(lambda text: text or "Say hi.")
    return weighted([(1, texts), (1, contents), (1, st.lists(contents, min_size=1, max_size=2)), (3, steps)])


def _asking() -> SearchStrategy[list[Json]]:
    return shapes().at("steps.user-input").map(lambda step: [step])


def _fields() -> Mapping[str, Schema]:
    """Every field of a create."""
    fields: Mapping[str, Schema] = shapes().schema("requests.create-interaction/$defs/fields")["properties"]
    return fields


@cache
def _free_fields(most: int) -> SearchStrategy[Json]:
    return shapes().members({name: part for name, part in _fields().items() if name not in _RULED}, most=most)


_FLAGS = objects({"stream": st.booleans(), "store": st.booleans(), "background": st.booleans()})


@st.composite
def _create_request(draw: st.DrawFn) -> Json:
    body: Json = draw(_author())
    body["input"] = draw(shapes().at("input"))
    body.update(draw(_free_fields(3)))
    body.update(draw(_FLAGS))
    if body.get("agent", "").startswith("deep-research") or "webhook_config" in body:
        body["background"] = True
    if body.get("background"):
        body.pop("store", None)
    body.update(draw(_settings(body)))
    if draw(st.booleans()):
        body["previous_interaction_id"] = draw(values.IDS)
    if draw(st.integers(0, 9)) == 9:
        body["continuation_token"] = draw(values.BASE64)
        body = body if draw(st.booleans()) else {name: v for name, v in body.items() if name != "input"}
    return body


@st.composite
def _settings(draw: st.DrawFn, body: Json) -> Json:
    """Settings allowed for the model or agent and the mode of a create."""
    names = _MODEL_ONLY if "model" in body else ("agent_config",)
    return draw(_chosen((*names, "webhook_config") if body.get("background") else names))


@cache
def _chosen(names: tuple[str, ...]) -> SearchStrategy[Json]:
    fields = _fields()
    return shapes().members({name: fields[name] for name in names}, most=2)


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
def _rule_broken(draw: st.DrawFn) -> Json:
    body = dict(draw(st.sampled_from(RULES_BETWEEN_FIELDS)))
    extra = draw(_free_fields(2))
    return {**{name: value for name, value in extra.items() if name != "labels"}, **body}
