"""Validates a value against a schema: a fast yes or no, and on request the reasons and the unknowns.

jsonschema-rs validates, jsonschema explains. If they disagree, neither is trusted silently: the disagreement is
reported as a problem. Layer 1. Knows both libraries; must not know where schemas come from or what they describe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.contract.schema import openness
from harness.contract.schema.explain import Misfit, SchemaProblem, explain, json_type
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

    __slots__ = ("_compiled", "_open", "_schema", "_twin", "name")

    def __init__(self, name: str, schema: Schema, *, closed: bool = False) -> None:
        """Compile the self-contained open `schema`, or its closed twin."""
        import jsonschema_rs

        compiled = jsonschema_rs.Draft202012Validator
        self.name = name
        self._open = schema
        self._schema = openness.close(schema) if closed else schema
        self._compiled = compiled(self._schema)
        self._twin = compiled(openness.close(schema, keep=False))

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
        found = explain(self._schema, value, self._find_misfits(value), limit=limit)
        return found or [self._disagreement(value)]

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

    def _find_misfits(self, value: Any) -> list[Misfit]:
        """Where a value that does not fit misfits; empty if it is nested too deep to be searched."""
        try:
            return [Misfit(error.instance_path, error.schema_path) for error in self._compiled.iter_errors(value)]
        except ValueError:
            return []

    def _disagreement(self, value: Any) -> SchemaProblem:
        reason = next(iter(self._compiled.iter_errors(value)))
        message = f"jsonschema-rs refuses what jsonschema accepts ({reason.message}): please report this schema"
        return SchemaProblem("$", message, self.name, "", "disagreement")
