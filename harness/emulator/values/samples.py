"""Output that a model might produce: values that fit a JSON Schema, and tiny valid images, sounds and videos.

Knows the keywords that the function-calling and structured-output guides list, and type names in capital letters,
as in older samples. Must not know where a schema came from. Pure and deterministic. Everything is paid from a
budget before it is made or read, for a small schema may ask for gigabytes. The budget counts and measures no time,
so every machine gives the same answer.

Of media: a model makes the type that was requested, unless it knows only one. The tables of models list the types
of sound; none of it is documented.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from harness.contract.models.profiles import ModelProfile
from harness.errors import SampleTooLarge
from harness.wire.bodies import as_list, as_object

MOST_CHARACTERS = 1024 * 1024
"""Characters of all samples of one create, names included; every value costs 50 more, to bound the work."""


class SampleBudget:
    """The budget of the samples of one create. When half of it is spent, they have only required properties."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MOST_CHARACTERS

    def spend(self, cost: int) -> None:
        """Pay for a value, or for reading a schema, before it is done. Raises SampleTooLarge."""
        self.left -= cost
        if self.left < 0:
            raise SampleTooLarge

    def copy_of(self, value: Any) -> Any:
        """Pay for a value that the schema itself contains, and return it. Raises SampleTooLarge."""
        try:
            self.spend(_PER_VALUE + len(msgspec.json.encode(value)))
        except RecursionError:  # JSON that could be read is not always shallow enough to be written
            raise SampleTooLarge from None
        return value


_PER_VALUE = 50
_MOST_LEVELS = 12
_HINT = "sample"

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


class _Document(NamedTuple):
    """The schema that references point into, and the budget."""

    root: Any
    budget: SampleBudget


def sample(schema: Any, budget: SampleBudget | None = None) -> Any:
    """Return a small value for `schema`. An unconstrained string is `_HINT`; an unusual schema gets a guess.

    Raises SampleTooLarge for more than the budget, or for a number that is too large for JSON's readers.
    """
    return _sample(schema, _HINT, _Document(schema, SampleBudget() if budget is None else budget), 0)


def _sample(schema: Any, hint: str, document: _Document, depth: int) -> Any:
    budget = document.budget
    if not isinstance(schema, dict) or depth > _MOST_LEVELS:
        return budget.copy_of(hint)
    schema = _resolve(schema, document)
    budget.spend(1 + len(schema))
    if "const" in schema:
        return budget.copy_of(schema["const"])
    for keyword in ("enum", "examples"):
        if values := as_list(schema.get(keyword)):
            return budget.copy_of(values[0])
    for keyword in ("anyOf", "oneOf"):
        if branches := as_list(schema.get(keyword)):
            return _sample(_merge_into(schema, keyword, branches[:1], document), hint, document, depth + 1)
    if isinstance(schema.get("allOf"), list):
        return _sample(_merge_into(schema, "allOf", schema["allOf"], document), hint, document, depth + 1)
    kind = _choose_type(schema)
    if kind == "object":
        return _sample_object(schema, document, depth)
    if kind == "array":
        return _sample_array(schema, hint, document, depth)
    if kind in {"integer", "number"}:
        return _sample_number(schema, kind, budget)
    if kind in {"boolean", "null"}:
        return budget.copy_of(True if kind == "boolean" else None)
    return _sample_string(schema, hint, budget)


def _merge_into(schema: Mapping[str, Any], keyword: str, parts: list[Any], document: _Document) -> dict[str, Any]:
    """The schema with some of the parts that a keyword lists in place of the keyword."""
    rest = {key: value for key, value in schema.items() if key != keyword}
    return _merge([rest, *(_resolve(part, document) for part in parts)], document.budget)


def _sample_object(schema: Mapping[str, Any], document: _Document, depth: int) -> dict[str, Any]:
    """Fill every declared property, so that clients see them all; below some depth only required ones."""
    properties = as_object(schema.get("properties"))
    required = as_list(schema.get("required"))
    names = [*required, *properties] if depth < 4 else required
    budget = document.budget
    budget.spend(len(names))
    value: dict[str, Any] = {}
    for number, name in enumerate(names):
        is_left_out = number >= len(required) and budget.left < MOST_CHARACTERS // 2
        if isinstance(name, str) and name not in value and not is_left_out:
            budget.spend(len(name))
            value[name] = _sample(properties.get(name, {}), name, document, depth + 1)
    return value


def _sample_array(schema: Mapping[str, Any], hint: str, document: _Document, depth: int) -> list[Any]:
    items = [_sample(item, hint, document, depth + 1) for item in as_list(schema.get("prefixItems"))]
    least, most = _count(schema.get("minItems")), _count(schema.get("maxItems"))
    wanted = max(1 if least is None else least, len(items))
    if most is not None:
        wanted = min(wanted, most)
    unique = schema.get("uniqueItems") is True
    numbers = {item for item in items if isinstance(item, int | float)}
    while len(items) < wanted:
        number = len(items)
        value = _sample(schema.get("items", {}), f"{hint}-{number}" if unique else hint, document, depth + 1)
        if unique and isinstance(value, int | float):
            value += number if value in numbers else 0
            numbers.add(value)
        items.append(value)
    return items


def _sample_number(schema: Mapping[str, Any], kind: str, budget: SampleBudget) -> int | float:
    """The number nearest to 1 within the bounds, or the next multiple above it."""
    budget.spend(_PER_VALUE)
    if not any(type(bound) in (int, float) for bound in schema.values()):  # hot
        return 1
    from fractions import Fraction  # few schemas have bounds, and every first emulator would import it

    # as they were written: 0.1 is a tenth
    bounds = {name: Fraction(str(bound)) for name, bound in schema.items() if type(bound) in (int, float)}
    value = max(Fraction(1), bounds.get("minimum", Fraction(1)))
    if value <= (least := bounds.get("exclusiveMinimum", value - 1)):
        value = Fraction(math.floor(least) + 1)
    value = min(value, bounds.get("maximum", value))
    if value >= (most := bounds.get("exclusiveMaximum", value + 1)):
        value = Fraction(math.ceil(most) - 1)
    step = bounds.get("multipleOf", Fraction(0))
    if step > 0:
        step = Fraction(step.numerator) if kind == "integer" else step
        value = math.ceil(value / step) * step
    value = Fraction(math.ceil(value)) if kind == "integer" else value
    is_whole = value.denominator == 1 and abs(value) < 2**64  # readers of JSON have no larger whole numbers
    try:
        return int(value) if is_whole else float(value)
    except OverflowError:
        raise SampleTooLarge from None


def _sample_string(schema: Mapping[str, Any], hint: str, budget: SampleBudget) -> str:
    known = schema.get("format")
    text = _FORMATS.get(known, hint) if isinstance(known, str) else hint
    least, most = _count(schema.get("minLength")), _count(schema.get("maxLength"))
    length = len(text) if least is None else max(len(text), least)
    if most is not None:
        length = min(length, max(most, 0))
    budget.spend(_PER_VALUE + length)
    text = text or "x"
    return (text * (length // len(text) + 1))[:length]


def _count(value: Any) -> int | None:
    """The number that a keyword such as minItems holds: 3 and 3.0 are the same."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value if isinstance(value, int) else None


def _choose_type(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((name for name in kind if name != "null"), "null")
    if isinstance(kind, str):
        return kind[:20].lower()
    if "properties" in schema or "required" in schema:
        return "object"
    return "array" if "items" in schema or "prefixItems" in schema else "string"


_JSON_TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})
_SHAPES = frozenset({"$ref", "anyOf", "items", "properties", "type"})


def read_schema(form: Mapping[str, Any]) -> Any:
    """Return the schema of the JSON that a response format asks for, None if it asks for none.

    A schema may take the place of the format (developer guide of Vertex).
    """
    if form.get("schema") is not None or form.get("mime_type") == "application/json":
        return form.get("schema") or {"type": "object"}
    return form if not _SHAPES.isdisjoint(form) and _choose_type(form) in _JSON_TYPES else None


def _resolve(schema: Any, document: _Document) -> Mapping[str, Any]:
    """Follow local references; one that cannot be followed becomes the empty schema."""
    for _ in range(_MOST_LEVELS):
        reference = as_object(schema).get("$ref")
        if not isinstance(reference, str):
            break
        document.budget.spend(len(reference))
        schema = document.root
        for part in reference.removeprefix("#").strip("/").split("/") if reference != "#" else ():
            schema = as_object(schema).get(part.replace("~1", "/").replace("~0", "~"))
    return as_object(schema)


def _merge(parts: list[Mapping[str, Any]], budget: SampleBudget) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for part in parts:
        budget.spend(1 + len(part))
        for key, value in part.items():
            if key == "properties" and isinstance(merged.get(key), dict) and isinstance(value, dict):
                budget.spend(len(merged[key]) + len(value))
                merged[key] = {**merged[key], **value}
            elif key == "required" and isinstance(merged.get(key), list) and isinstance(value, list):
                budget.spend(len(merged[key]) + len(value))
                merged[key] = [*merged[key], *value]
            else:
                merged[key] = value
    return merged


PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
"""One gray pixel."""
JPEG = (
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDABAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ"
    "EBAQEBAQEBAQEBD/wAALCAABAAEBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAAP/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8A"
    "P//Z"
)
"""One gray pixel; the service makes JPEGs on request."""
SAMPLES = "AAAAAAAAAAAAAAAAAAAAAA=="
"""Eight silent 16-bit samples without any header, as models that speak answer."""
WAV = "UklGRjQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YRAAAAAAAAAAAAAAAAAAAAAAAAAA"
"""The eight samples at 8 kHz, with a header."""
MP4 = "AAAAGGZ0eXBpc29tAAACAGlzb21pc28yAAAACG1kYXQ="
"""A file type box and an empty media data box."""

SPEECH = "audio/l16; rate=24000; channels=1"
"""The usual type of models that speak: samples without a header (recorded in August)."""

_USUAL = {"image": ("image/jpeg", JPEG), "audio": (SPEECH, SAMPLES), "video": ("video/mp4", MP4)}
_FURTHER = {"image/png": PNG, "audio/wav": WAV}
_STUBBORN = ("music",)
"""Families that make one type whatever was asked for: Lyria makes MP3 (one observer)."""


def makes_media(kind: str) -> bool:
    """Whether a kind of content is a medium that models make."""
    return kind in _USUAL


def choose_type(kind: str, asked: str | None, profile: ModelProfile) -> str:
    """Return the media type in which a model makes a kind of content, `asked` for or not."""
    if kind != "audio":
        return asked or _USUAL[kind][0]
    usual = str(profile.value("audio_type") or SPEECH)
    if asked is None or profile.family in _STUBBORN:
        return usual
    return SPEECH if asked == "audio/l16" else asked


def find_medium(kind: str, mime: str) -> str:
    """Return a tiny medium of a kind in base64, in the type if there is one."""
    return _FURTHER.get(mime, _USUAL[kind][1])
