"""The models resource, and the count of tokens: what stands beside interactions in the start-up of many programs.

Layer 2. Models and their limits are those of the tables of models. Source: the reference of the Gemini API, for
the names of fields; the numbers of tokens are those that `usage` has here. Other operations on models
(`generateContent`, `embedContent`) are other APIs. Must not know what a create is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.contract.models.profiles import ModelProfile, find_profile, list_models
from harness.emulator.resources.paging import page
from harness.emulator.resources.refusals import no_operation
from harness.emulator.resources.storage.json_names import in_camel_case, list_in_camel_case
from harness.emulator.values.call import Call, Refusal, invalid
from harness.emulator.values.usage import count

Json = dict[str, Any]


def list_all(call: Call) -> Json:
    """GET models."""
    entries = [(profile.name, _describe(profile)) for profile in list_models() if profile.family != "agents"]
    found, token = page(sorted(entries, key=lambda entry: entry[0]), call.query, "models")
    return list_in_camel_case("models", found, token)


def get(call: Call, name: str) -> Json:
    """GET models/{name}."""
    return _describe(_open(name))


def count_tokens(call: Call, name: str) -> Json:
    """POST models/{name}:countTokens."""
    _open(name)
    return _count(in_camel_case(call.body))


def refuse(call: Call, name: str) -> Any:
    """Any other operation on a model: those with a verb are other APIs'."""
    if ":" in name:
        return NotImplemented
    raise no_operation(call, "list, get and :countTokens")


def _open(name: str) -> ModelProfile:
    profile = find_profile(name)
    if profile.standing or profile.family == "agents":
        raise Refusal(
            404, "not_found", f"Model '{name}' not found. GET /v1beta/models lists the models that there are."
        )
    return profile


def _describe(profile: ModelProfile) -> Json:
    """Return the resource; limits that are unknown are left out."""
    limits = {"inputTokenLimit": profile.value("window"), "outputTokenLimit": profile.value("largest_output")}
    served = isinstance(profile.value("interactions"), str)
    return {
        "name": f"models/{profile.name}",
        "displayName": profile.name.replace("-", " ").title(),
        **{name: limit for name, limit in limits.items() if limit is not None},
        "supportedGenerationMethods": ["createInteraction", "countTokens"] if served else [],
        "thinking": bool(profile.levels),
    }


def _count(body: Any) -> Json:
    given = body if isinstance(body, dict) else {}
    asked = given.get("generateContentRequest", given)
    contents = asked.get("contents") if isinstance(asked, dict) else None
    if not isinstance(contents, list) or not contents:
        raise invalid('\'contents\' is missing: send [{"parts": [{"text": …}]}].')
    total = sum(map(count, _list_texts([contents, asked.get("systemInstruction")])))
    return {"totalTokens": total, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": total}]}


def _list_texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("text"), str):
            yield value["text"]
        yield from (text for inner in value.values() for text in _list_texts(inner))
    elif isinstance(value, list):
        yield from (text for item in value for text in _list_texts(item))
