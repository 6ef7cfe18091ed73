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
from harness.emulator.values.call import Call, Refusal, invalid, json_response
from harness.emulator.values.usage import count as count_tokens
from harness.wire import Response

Json = dict[str, Any]

_COUNTS = ":countTokens"


def handle_models(call: Call) -> Response | None:
    """List, get, `:countTokens`; None for what other APIs do with models. Raises `Refusal`."""
    match call.request.method, call.segments[1:]:
        case "GET", ():
            entries = [
                (profile.name, _describe(profile)) for profile in list_models() if profile.family != "agents"
            ]
            found, token = page(sorted(entries, key=lambda entry: entry[0]), call.query, "models")
            return json_response(list_in_camel_case("models", found, token))
        case "GET", (name,):
            return json_response(_describe(_open(name)))
        case "POST", (name,) if name.endswith(_COUNTS):
            _open(name.removesuffix(_COUNTS))
            return json_response(_count(in_camel_case(call.body)))
        case _, (name,) if ":" not in name:
            raise no_operation(call, f"list, get and {_COUNTS}")
    return None


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
    total = sum(map(count_tokens, _list_texts([contents, asked.get("systemInstruction")])))
    return {"totalTokens": total, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": total}]}


def _list_texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("text"), str):
            yield value["text"]
        yield from (text for inner in value.values() for text in _list_texts(inner))
    elif isinstance(value, list):
        yield from (text for item in value for text in _list_texts(item))
