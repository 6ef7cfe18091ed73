"""Validates a value against a schema: a fast yes or no, and on request the reasons and the unknowns.

jsonschema-rs validates, jsonschema explains. If they disagree, neither is trusted silently: the disagreement is
reported as a problem. Layer 1. Knows both libraries; must not know where schemas come from or what they describe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.contract.schema import openness
from harness.contract.schema.explain import Explainer, SchemaProblem, json_type
from harness.contract.schema.nulls import split_nulls
from harness.contract.schema.openness import Schema, UnknownPart

__all__ = ["SchemaProblem", "Review", "UnknownPart", "Validator"]


@dataclass(frozen=True, slots=True)
class Review:
    """The review of a value that came from a service: faults (`problems`) and information (`unknowns`).

    `nulls` points at optional members that are null; `value` is what was reviewed, without these.
    """

    value: Any
    problems: tuple[SchemaProblem, ...] = ()
    unknowns: tuple[UnknownPart, ...] = ()
    nulls: tuple[str, ...] = ()


class Validator:
    """One compiled schema. Obtain it from `Schemas.validator`, which compiles each once per process.

    The twin that allows only what is listed is tried first. What it accepts, the schema accepts too; and without
    branches for the unknown it decides a union by its constants alone, five times as fast.
    """

    __slots__ = ("_compile", "_compiled", "_explainer", "_open", "_parts", "_schema", "_twin", "name")

    def __init__(self, name: str, schema: Schema, *, closed: bool = False) -> None:
        """Compile the self-contained open `schema`, or its closed twin."""
        import jsonschema_rs

        self._compile = compiled = jsonschema_rs.Draft202012Validator
        self.name = name
        self._open = schema
        self._schema = openness.close(schema) if closed else schema
        self._compiled = compiled(self._schema)
        self._twin = compiled(openness.close(schema, keep=False))
        self._parts: dict[str | int, jsonschema_rs.Draft202012Validator] = {}
        self._explainer: Explainer | None = None  # most values are never explained, and jsonschema loads slowly

    def is_valid(self, value: Any) -> bool:
        """Whether decoded JSON fits. Never raises: what JSON cannot express (a lone surrogate) does not fit."""
        try:
            return self._twin.is_valid(value) or self._compiled.is_valid(value)
        except ValueError:
            return False

    def problems(self, value: Any, *, limit: int = 5) -> list[SchemaProblem]:
        """At most `limit` reasons why `value` does not fit; empty if it fits."""
        try:
            if self._compiled.is_valid(value):
                return []
        except ValueError as refusal:
            return [SchemaProblem("$", f"is not JSON: {refusal}", "JSON", json_type(value), "json")]
        if self._explainer is None:
            self._explainer = Explainer(self._schema, self._fits)
        return self._explainer.explain(value, limit=limit) or [self._describe_disagreement(value)]

    def review(self, value: Any) -> Review:
        """Problems, unknowns and needless nulls; as fast as `is_valid` for what the closed twin accepts."""
        if self._twin_accepts(value):
            return Review(value)
        trimmed, nulls, problems = split_nulls(value, self.problems)
        return Review(trimmed, tuple(problems), tuple(openness.unknowns(self._open, trimmed)), nulls)

    def _twin_accepts(self, value: Any) -> bool:
        try:
            return self._twin.is_valid(value)
        except ValueError:
            return False

    def _fits(self, part: Schema | bool, value: Any) -> bool:
        """Whether a value fits a part of the schema."""
        if not isinstance(part, dict):
            return bool(part)
        key = part["$ref"] if part.keys() == {"$ref"} else id(part)
        if key not in self._parts:
            self._parts[key] = self._compile({"$defs": self._schema.get("$defs", {}), **part})
        try:
            return self._parts[key].is_valid(value)
        except ValueError:  # nested too deep for the fast validator
            return False

    def _describe_disagreement(self, value: Any) -> SchemaProblem:
        reason = next(iter(self._compiled.iter_errors(value)))
        message = f"jsonschema-rs refuses what jsonschema accepts ({reason.message}): please report this schema"
        return SchemaProblem("$", message, self.name, "", "disagreement")
