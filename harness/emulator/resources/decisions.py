"""The decisions resource: questions about one input, each answered by a calibrated probability.

Layer 2. The answers are invented, but the same for the same question and input, and consistent in themselves.
Source: google-genai 3.4 and the published limits. What the service blocks is unknown, so nothing is blocked.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Any

import msgspec

from harness.contract.data.input import as_steps
from harness.emulator.resources.schema_reader import SchemaReader
from harness.emulator.values import media
from harness.emulator.values.call import Call, Refusal, invalid
from harness.emulator.values.usage import tokens_by_modality

Json = dict[str, Any]

MODELS = re.compile(r"(models/)?gemini-decision-\d[\w.-]*")
_DIGITS = 4
"""Decimals of a probability."""


class Decisions:
    """POST decisions; nothing is kept."""

    def __init__(self, reader: SchemaReader) -> None:
        self._reader = reader
        self._contract = reader.contract

    def create(self, call: Call) -> Json:
        """POST decisions."""
        body = self._reader.read("requests/create-decision", call.body)
        if MODELS.fullmatch(body["model"]) is None:
            message = f"There is no model '{body['model']}' for decisions; names look like 'gemini-decision-1'."
            raise Refusal(404, "model_not_found", message)
        given = as_steps(body["input"], self._contract.contents)
        for content in (part for step in given for part in step.get("content", ())):
            told = media.fault(content) if content.get("type") in self._contract.steps_table.media else None
            if told is not None:
                raise invalid(f"Invalid content in 'input': {told}.")
        answers = {name: _answer(question, body["input"]) for name, question in body["questions"].items()}
        return {"answers": answers, "usage": _count_usage(given, body["questions"])}


def _answer(question: Json, about: Any) -> Json:
    kind = question["type"]
    if kind == "noul":
        share = _weigh_answers(question, about, 1)[0] % 98
        noul = round(0.01 + share / 100, 2)
        return {"type": "noul", "noul": noul, "confidence": round(max(noul, 1 - noul), 2)}
    criteria = question["criteria"]
    names = list(criteria) if kind == "choice" else [str(level) for level in range(len(criteria))]
    chances = dict(zip(names, _share_out(_weigh_answers(question, about, len(names))), strict=True))
    best = max(chances, key=lambda name: chances[name])
    common = {"confidence": chances[best], "probabilities": chances}
    if kind == "choice":
        return {"type": "choice", "choice": best, **common}
    score = round(sum(level * chance for level, chance in enumerate(chances.values())), _DIGITS)
    legend = {str(level): text for level, text in enumerate(criteria) if text}
    return {"type": "score", "score": score, **common, "legend": legend}


def _weigh_answers(question: Json, about: Any, count: int) -> list[int]:
    """Return positive whole numbers that depend on the question and the input alone."""
    seed = msgspec.json.encode([question, about], order="deterministic")
    return [1 + blake2b(seed, digest_size=2, salt=index.to_bytes(2, "big")).digest()[0] for index in range(count)]


def _share_out(weights: list[int]) -> list[float]:
    """Return probabilities in proportion to the weights, which add up to 1 in the decimals shown."""
    whole = 10**_DIGITS
    parts = [weight * whole // sum(weights) for weight in weights]
    parts[parts.index(max(parts))] += whole - sum(parts)
    return [part / whole for part in parts]


def _count_usage(given: list[Json], questions: Json) -> Json:
    """Count the input once and every question; decisions have no output tokens (one guide)."""
    counts = tokens_by_modality(given)
    counts["text"] = counts.get("text", 0) + sum(len(msgspec.json.encode(one)) // 4 for one in questions.values())
    total = sum(counts.values())
    by_kind = [{"modality": kind, "tokens": count} for kind, count in counts.items()]
    return {
        "total_tokens": total,
        "total_input_tokens": total,
        "input_tokens_by_modality": by_kind,
        "total_cached_tokens": 0,
        "total_output_tokens": 0,
        "total_tool_use_tokens": 0,
        "total_thought_tokens": 0,
    }
