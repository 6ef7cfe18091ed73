"""Sample values that fit a JSON Schema: what a model might produce as arguments or structured output.

Layer 2. Knows the keywords that the function-calling and structured-output guides list, and type names in capital
letters, as in older samples. Must not know where a schema came from. Pure and deterministic.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

_DEEPEST = 12

_FORMATS = {
    "date": "2026-06-09",
    "time": "12:00:00Z",
    "date-time": "2026-06-09T12:00:00Z",
    "duration": "PT1H",
    "email": "someone@example.org",
    "uri": "https://example.org/",
    "url": "https://example.org/",
    "hostname": "example.org",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "123e4567-e89b-42d3-a456-426614174000",
}


def sample(schema: Any, hint: str = "sample") -> Any:
    """Return a small value for `schema`. An unconstrained string is `hint`; an unusual schema gets a guess."""
    return _sample(schema, hint, schema, 0)


def _sample(schema: Any, hint: str, root: Any, depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return hint
    schema = _resolved(schema, root)
    if "const" in schema:
        return schema["const"]
    for keyword in ("enum", "examples"):
        values = schema.get(keyword)
        if isinstance(values, list) and values:
            return values[0]
    for keyword in ("anyOf", "oneOf"):
        branches = schema.get(keyword)
        if isinstance(branches, list) and branches:
            rest = {key: value for key, value in schema.items() if key != keyword}
            return _sample(_merged([rest, _resolved(branches[0], root)]), hint, root, depth + 1)
    if isinstance(schema.get("allOf"), list):
        parts = [_resolved(part, root) for part in schema["allOf"]]
        return _sample(_merged([{k: v for k, v in schema.items() if k != "allOf"}, *parts]), hint, root, depth + 1)
    return _by_type(_type(schema), schema, hint, root, depth)


def _by_type(kind: str, schema: Mapping[str, Any], hint: str, root: Any, depth: int) -> Any:
    if kind == "object":
        return _object(schema, root, depth)
    if kind == "array":
        return _array(schema, hint, root, depth)
    if kind in {"integer", "number"}:
        return _number(schema, kind)
    if kind == "boolean":
        return True
    return None if kind == "null" else _string(schema, hint)


def _object(schema: Mapping[str, Any], root: Any, depth: int) -> dict[str, Any]:
    """Fill every declared property, so that clients see them all; from depth 4 on only the required ones."""
    properties = schema.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    required = schema.get("required")
    names = [name for name in required if isinstance(name, str)] if isinstance(required, list) else []
    if depth < 4:
        names += [name for name in properties if name not in names]
    return {name: _sample(properties.get(name, {}), name, root, depth + 1) for name in names}


def _array(schema: Mapping[str, Any], hint: str, root: Any, depth: int) -> list[Any]:
    fixed = schema.get("prefixItems")
    items = [_sample(item, hint, root, depth + 1) for item in fixed] if isinstance(fixed, list) else []
    least = schema.get("minItems")
    wanted = max(least if isinstance(least, int) else 1, len(items))
    most = schema.get("maxItems")
    if isinstance(most, int):
        wanted = min(wanted, most)
    unique = schema.get("uniqueItems") is True
    while len(items) < min(wanted, 100):
        number = len(items)
        value = _sample(schema.get("items", {}), f"{hint}-{number}" if unique else hint, root, depth + 1)
        if unique and value in items and isinstance(value, int | float):
            value += number
        items.append(value)
    return items


def _number(schema: Mapping[str, Any], kind: str) -> int | float:
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    value: float = 1
    if isinstance(low, int | float) and value < low:
        value = low
    if isinstance(above, int | float) and value <= above:
        value = math.floor(above) + 1
    if isinstance(high, int | float) and value > high:
        value = high
    if isinstance(below, int | float) and value >= below:
        value = math.ceil(below) - 1
    step = schema.get("multipleOf")
    if isinstance(step, int | float) and step > 0:
        value = math.ceil(value / step) * step
    return math.ceil(value) if kind == "integer" else value


def _string(schema: Mapping[str, Any], hint: str) -> str:
    known = _FORMATS.get(str(schema.get("format")))
    text = known if known is not None else hint
    least, most = schema.get("minLength"), schema.get("maxLength")
    if isinstance(least, int) and len(text) < least:
        text = (text or "x") * (least // max(len(text), 1) + 1)
        text = text[:least]
    return text[:most] if isinstance(most, int) else text


def _type(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((name for name in kind if name != "null"), "null")
    if isinstance(kind, str):
        return kind.lower()
    if "properties" in schema or "required" in schema:
        return "object"
    return "array" if "items" in schema or "prefixItems" in schema else "string"


def _resolved(schema: Any, root: Any) -> Mapping[str, Any]:
    """Follow local references; one that cannot be followed becomes the empty schema."""
    for _ in range(_DEEPEST):
        reference = schema.get("$ref") if isinstance(schema, Mapping) else None
        if not isinstance(reference, str):
            break
        schema = root
        for part in reference.removeprefix("#").strip("/").split("/") if reference != "#" else ():
            schema = (
                schema.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(schema, Mapping) else None
            )
    return schema if isinstance(schema, Mapping) else {}


def _merged(parts: list[Mapping[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for part in parts:
        for key, value in part.items():
            if key == "properties" and isinstance(merged.get(key), Mapping) and isinstance(value, Mapping):
                merged[key] = {**merged[key], **value}
            elif key == "required" and isinstance(merged.get(key), list) and isinstance(value, list):
                merged[key] = [*merged[key], *value]
            else:
                merged[key] = value
    return merged
