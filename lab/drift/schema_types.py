"""Reads the schemas of a revision, and its OpenAPI document, as a `TypeModel`.

A type is called by its file, or by file and definition (`usage#modality_tokens`). Branches for the
unknown and rules between fields are no types and are left out.
"""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import Any

from harness.contract.schema.openness import Schema
from harness.contract.schema.schemas import Schemas
from lab.drift.type_model import (
    ANY,
    ANYTHING,
    NOTHING,
    FieldType,
    OperationType,
    Origin,
    Pointer,
    Record,
    TypeModel,
    ValueType,
    give_title,
    make_live,
    unite,
)

OPENAPI = "openapi"
METHODS = ("get", "put", "post", "patch", "delete")

_SPLIT: dict[Origin, tuple[str, ...]] = {
    ("requests/create-interaction", place): ("model-request", "agent-request")
    for place in ((), ("$defs", "fields"))
}
"""One schema of ours that descriptions of others split: the schemas that stand for the parts."""

_STARTS = {"uploadToFileSearchStore": "requests/upload-to-file-search-store"}
"""What an upload begins with, by its operation: the document describes the bytes that follow."""

_RULES = frozenset({"required", "description", "x-rule", "not", "if", "then", "else", "dependentRequired"})
_STRUCTURE = frozenset({"properties", "items", "$defs", "oneOf", "anyOf", "allOf", "additionalProperties"})


def read_schemas(schemas: Schemas) -> TypeModel:
    """The types of a revision."""
    reader = _SchemaReader(schemas)
    return TypeModel(f"schemas {schemas.revision}", reader.read_operations(), reader.records)


class _SchemaReader:
    """Reads each place once; `records` grows with what is reached."""

    def __init__(self, schemas: Schemas) -> None:
        self.records: dict[str, Record] = {}
        self._schemas = schemas
        self._openapi: Schema = schemas.openapi()

    def read_operations(self) -> dict[str, OperationType]:
        found: dict[str, OperationType] = {}
        for path, item in self._openapi["paths"].items():
            for method in METHODS:
                if method in item:
                    operation = self._read_operation(method, path, item)
                    found[operation.key] = operation
        if "live/client-event" in self._schemas.files:
            live = make_live(self._read("live/client-event", ()), self._read("live/server-event", ()))
            found[live.key] = live
        return found

    def _read_operation(self, method: str, path: str, item: Schema) -> OperationType:
        described = item[method]
        media = described.get("responses", {}).get("200", {}).get("content", {})
        body = described.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        answer = media.get("application/json", {}).get("schema")
        if described["operationId"] in _STARTS:
            body = {"$ref": f"{_STARTS[described['operationId']]}.json"}
        return OperationType(
            described["operationId"],
            method,
            path,
            self._read_parameters([*item.get("parameters", ()), *described.get("parameters", ())]),
            self._read_body(body) if body else None,
            self._refer(answer) if answer else None,
            self._refer({"$ref": "event.json"}) if "text/event-stream" in media else None,
        )

    def _read_parameters(self, listed: list[Schema]) -> dict[str, FieldType]:
        found = {}
        for listed_one in listed:
            name = listed_one["$ref"].rpartition("/")[2] if "$ref" in listed_one else None
            full = self._openapi["components"]["parameters"][name] if name else listed_one
            if full["in"] == "query":
                place: Pointer = ("components", "parameters", name, "schema") if name else ()
                shape = self._read_shape(OPENAPI, full["schema"], place)
                found[full["name"]] = FieldType(shape, full.get("required", False), full.get("description", ""))
        return found

    def _read_body(self, schema: Schema) -> ValueType:
        name = schema["$ref"].removesuffix(".json").replace("strict/", "requests/")
        return self._read(name, ())

    def _refer(self, schema: Schema) -> ValueType:
        return self._read(*self._follow("", schema["$ref"]))

    def _read(self, file: str, pointer: Pointer) -> ValueType:
        """The shape at a place that others refer to; it has a title if it is a union or lists values."""
        parts = _SPLIT.get((file, pointer))
        if parts is not None:
            return unite(self._read(part, ()) for part in parts)
        return give_title(self._read_shape(file, self._at(file, pointer), pointer), _name(file, pointer))

    def _at(self, file: str, pointer: Pointer) -> Any:
        part: Any = self._openapi if file == OPENAPI else self._schemas.document(file)
        for key in pointer:
            part = part[int(key)] if isinstance(part, list) else part[key]
        return part

    @staticmethod
    def _follow(file: str, ref: str) -> Origin:
        path, _, fragment = ref.partition("#")
        beside = posixpath.join(posixpath.dirname(file), path.removesuffix(".json"))
        return posixpath.normpath(beside) if path else file, tuple(fragment.split("/")[1:])

    def _read_shape(self, file: str, node: Any, pointer: Pointer) -> ValueType:
        if node is True:
            return ANYTHING
        if not isinstance(node, dict) or "x-unknown" in node:
            return NOTHING
        if "const" in node:
            return ValueType.of_values(_kind_of(node["const"]), str(node["const"]), fixed=True)
        values = node.get("x-known-values", node.get("enum"))
        if values is not None:
            return ValueType(frozenset(map(_kind_of, values)), frozenset(map(str, values)), origin=(file, pointer))
        if keyword := next(
            (word for word in ("oneOf", "anyOf") if not all(map(_is_rule, node.get(word, ())))), ""
        ):
            places = ((*pointer, keyword, str(index)) for index in range(len(node[keyword])))
            united = unite(self._read_shape(file, self._at(file, place), place) for place in places)
            return replace(united, origin=united.origin or (file, pointer))
        if "$ref" in node and not ("properties" in node or "required" in node):
            return self._read(*self._follow(file, node["$ref"]))
        if "$ref" in node or "properties" in node:
            return self._record(file, pointer)
        return self._read_plain(file, node, pointer)

    def _read_plain(self, file: str, node: Schema, pointer: Pointer) -> ValueType:
        kinds = node.get("type", ANY)
        listed = frozenset([kinds] if isinstance(kinds, str) else kinds) - {"null"}
        item = self._read_shape(file, node["items"], (*pointer, "items")) if "items" in node else None
        others = node.get("additionalProperties")
        entry = (
            self._read_shape(file, others, (*pointer, "additionalProperties"))
            if isinstance(others, dict)
            else None
        )
        return ValueType(listed, item=item, entry=entry)

    def _record(self, file: str, pointer: Pointer) -> ValueType:
        name = _name(file, pointer)
        shape = ValueType.record(name)
        if name not in self.records:
            self.records[name] = Record(name, {})  # ends recursion
            places, required = self._list_properties(file, pointer)
            origin = next((at for at, _ in reversed(places)), (file, pointer))
            fields = {}
            for (where, at), properties in places:
                for field, schema in properties.items():
                    inside = (*at, "properties", field)
                    found = self._read_shape(where, schema, inside)
                    text = schema.get("description", "") if isinstance(schema, dict) else ""
                    fields[field] = FieldType(found, field in required, text, (where, inside))
            text = self._at(file, pointer).get("description", "")
            self.records[name] = Record(name, fields, text, origin, (file, pointer))
        return shape

    def _list_properties(self, file: str, pointer: Pointer) -> tuple[list[tuple[Origin, Schema]], set[str]]:
        """Where the properties of an object are listed, itself last, and the names of those that are required."""
        node = self._at(file, pointer)
        places: list[tuple[Origin, Schema]] = []
        required: set[str] = set()
        parts: list[Origin] = [self._follow(file, node["$ref"])] if "$ref" in node else []
        for index, part in enumerate(node.get("allOf", ())):
            if "$ref" in part or "properties" in part:
                parts.append((file, (*pointer, "allOf", str(index))))
        for part in parts:
            more, needed = self._list_properties(*part)
            places += more
            required |= needed
        if "properties" in node:
            places.append(((file, pointer), node["properties"]))
        return places, required | set(node.get("required", ()))


def _name(file: str, pointer: Pointer) -> str:
    words = [key for key in pointer if key not in _STRUCTURE]
    return f"{file}#{'.'.join(words)}" if words else file


def _is_rule(branch: Any) -> bool:
    return isinstance(branch, dict) and not branch.keys() - _RULES


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "string" if isinstance(value, str) else "integer" if isinstance(value, int) else "number"
