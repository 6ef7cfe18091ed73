"""Models, counts of tokens and decisions: the operations beside interactions that keep nothing.

Models and their limits are those of the tables of models. Sources: the reference of the Gemini API, for the names
of fields; google-genai 3.4 and the published limits, for decisions. Numbers of tokens are those that `usage` has
here. The answers to the questions of a decision are invented, but the same for the same question and input, and
consistent in themselves; the service's blocking rules are unknown, so nothing is blocked. Other operations on
models (`generateContent`, `embedContent`) are other APIs. Must not know what a create is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import blake2b
from typing import Any

import msgspec

from harness.contract.models.profiles import ModelProfile, find_profile, list_models
from harness.contract.transcript import as_steps
from harness.emulator.create.limits import find_media_fault
from harness.emulator.resources.collection import listing, page
from harness.emulator.resources.schema_reader import SchemaReader, in_camel_case
from harness.emulator.values.call import Call, Refusal, invalid, no_operation
from harness.emulator.values.usage import Meter, count, tokens_by_modality

Json = dict[str, Any]


def list_all(call: Call) -> Json:
    """GET models."""
    entries = [(profile.name, _describe(profile)) for profile in list_models() if profile.family != "agents"]
    found, token = page(sorted(entries, key=lambda entry: entry[0]), call.query, "models")
    return listing("models", found, token, in_camel_case=True)


def get(call: Call, name: str) -> Json:
    """GET models/{name}."""
    return _describe(_open(name))


def count_tokens(call: Call, name: str) -> Json:
    """POST models/{name}:countTokens."""
    _open(name)
    body = in_camel_case(call.body)
    given = body if isinstance(body, dict) else {}
    asked = given.get("generateContentRequest", given)
    contents = asked.get("contents") if isinstance(asked, dict) else None
    if not isinstance(contents, list) or not contents:
        raise invalid('\'contents\' is missing: send [{"parts": [{"text": …}]}].')
    total = sum(map(count, _list_texts([contents, asked.get("systemInstruction")])))
    return {"totalTokens": total, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": total}]}


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


def _list_texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("text"), str):
            yield value["text"]
        yield from (text for inner in value.values() for text in _list_texts(inner))
    elif isinstance(value, list):
        yield from (text for item in value for text in _list_texts(item))


MODELS = re.compile(r"(models/)?gemini-decision-\d[\w.-]*")


class Decisions:
    """POST decisions; nothing is kept."""

    def __init__(self, reader: SchemaReader) -> None:
        self._reader = reader
        self._contract = reader.contract

    def create(self, call: Call) -> Json:
        body = self._reader.read("requests/create-decision", call.body)
        if MODELS.fullmatch(body["model"]) is None:
            message = f"There is no model '{body['model']}' for decisions; names look like 'gemini-decision-1'."
            raise Refusal(404, "model_not_found", message)
        given = as_steps(body["input"], self._contract.contents)
        for content in (part for step in given for part in step.get("content", ())):
            fault = find_media_fault(content) if content.get("type") in self._contract.steps_table.media else None
            if fault is not None:
                raise invalid(f"Invalid content in 'input': {fault}.")
        answers = {name: _answer(question, body["input"]) for name, question in body["questions"].items()}
        # the input and every question count once, and a decision has no output tokens (one guide)
        counts = tokens_by_modality(given)
        questions = (len(msgspec.json.encode(question)) // 4 for question in body["questions"].values())
        counts["text"] = counts.get("text", 0) + sum(questions)
        return {"answers": answers, "usage": Meter(self._contract).assemble(counts, {}, 0, 0)}


def _answer(question: Json, about: Any) -> Json:
    kind = question["type"]
    if kind == "noul":
        share = _weigh_answers(question, about, 1)[0] % 98
        noul = round(0.01 + share / 100, 2)
        return {"type": "noul", "noul": noul, "confidence": round(max(noul, 1 - noul), 2)}
    criteria = question["criteria"]
    names = list(criteria) if kind == "choice" else [str(level) for level in range(len(criteria))]
    weights = _weigh_answers(question, about, len(names))
    # probabilities in proportion to the weights, which add up to 1 in the four decimals shown
    parts = [weight * 10_000 // sum(weights) for weight in weights]
    parts[parts.index(max(parts))] += 10_000 - sum(parts)
    chances = dict(zip(names, (part / 10_000 for part in parts), strict=True))
    best = max(chances, key=lambda name: chances[name])
    common = {"confidence": chances[best], "probabilities": chances}
    if kind == "choice":
        return {"type": "choice", "choice": best, **common}
    score = round(sum(level * chance for level, chance in enumerate(chances.values())), 4)
    legend = {str(level): text for level, text in enumerate(criteria) if text}
    return {"type": "score", "score": score, **common, "legend": legend}


def _weigh_answers(question: Json, about: Any, count: int) -> list[int]:
    """Return positive whole numbers that depend on the question and the input alone."""
    seed = msgspec.json.encode([question, about], order="deterministic")
    return [1 + blake2b(seed, digest_size=2, salt=index.to_bytes(2, "big")).digest()[0] for index in range(count)]
