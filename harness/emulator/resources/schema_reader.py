"""Reads request bodies by the JSON Schemas, and refuses what does not fit in words that name the place.

Knows the schemas, and four habits of protocol buffers: null counts as absent, a required field that is empty as
missing, the mask of an update selects its fields, and a name may come in snake_case or camelCase. Must not know
any resource.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, KeysView
from typing import Any

from harness.contract import Contract
from harness.contract.schema.explain import json_type
from harness.contract.schema.schemas import split_nulls
from harness.emulator.values.call import invalid
from harness.emulator.values.hints import camel, describe_problem, describe_schemas, suggestion
from harness.emulator.values.settings import Settings


class SchemaReader:
    """Reads the bodies of all resources but interactions; the setting `unknown` decides on other fields."""

    def __init__(self, contract: Contract, settings: Callable[[], Settings]) -> None:
        self.contract = contract
        self._settings = settings

    def read(self, schema: str, value: Any) -> dict[str, Any]:
        """Return an object that fits the schema, without needless nulls. Raises `Refusal` 400."""
        if not isinstance(value, dict):
            raise invalid(f"The body must be a JSON object, but its type is {json_type(value)}.")
        closed = self.refuses_unknown
        validator = self.contract.schemas.validator(schema, closed=closed)
        fitting, _, problems = split_nulls(value, validator.problems)
        if problems:
            reason = describe_problem(problems[0])
            newer = closed and self.contract.schemas.validator(schema).is_valid(fitting)
            raise invalid(reason + (describe_schemas(self.contract) if newer else ""))
        given = dict(fitting)
        full = {name: item for name, item in given.items() if item not in ("", [])}
        for problem in validator.problems(full):
            if problem.missing and problem.missing in given:
                raise invalid(f"Invalid value at '{problem.missing}': it is required and must not be empty.")
        return given

    @property
    def refuses_unknown(self) -> bool:
        """Whether what the schemas do not list is refused."""
        return self._settings().unknown == "refuse"

    def list_kinds(self, union: str) -> list[str]:
        """The types that a union of the schemas lists, without its branch for any other."""
        (other,) = (branch for branch in self.contract.schemas.document(union)["oneOf"] if "x-unknown" in branch)
        kinds: list[str] = other["properties"]["type"]["not"]["enum"]
        return kinds

    def names(self, schema: str, definition: str = "") -> KeysView[str]:
        """The names of the fields that a schema lists, or one of its definitions does."""
        document = self.contract.schemas.document(schema)
        fields: dict[str, Any] = (document["$defs"][definition] if definition else document)["properties"]
        return fields.keys()


def select_by_mask(changes: dict[str, Any], mask: str | None, names: Collection[str]) -> dict[str, Any]:
    """The fields of a PATCH body that `update_mask` (comma-separated names) selects; without a mask, all of them.

    Raises `Refusal` 400 for a name that is not among `names`.
    """
    if not mask:
        return changes
    selected = [name.strip() for name in mask.split(",")]
    for name in selected:
        if name not in names:
            hint = suggestion(name, names) or f" It takes {', '.join(names)}."
            raise invalid(f"Invalid value at 'update_mask': there is no field '{name}'.{hint}")
    return {name: value for name, value in changes.items() if name in selected}


def in_camel_case(value: Any) -> Any:
    """Return JSON whose names are all in camelCase. Raises `Refusal` 400 if a name came in both forms."""
    if isinstance(value, list):
        return [in_camel_case(item) for item in value]
    if not isinstance(value, dict):
        return value
    named: dict[str, Any] = {}
    for name, item in value.items():
        if camel(name) in named:
            raise invalid(f"Invalid value at '{camel(name)}': it was sent twice, in two forms.")
        named[camel(name)] = in_camel_case(item)
    return named
