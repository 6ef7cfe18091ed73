"""Output that a model might produce: values that fit a JSON Schema, and tiny valid images, sounds and videos.

Layer 2. Knows the keywords that the function-calling and structured-output guides list, and type names in capital
letters, as in older samples. Must not know where a schema came from. Pure and deterministic. Everything is paid
from a budget before it is made or read, for a small schema may ask for gigabytes. The budget counts and measures
no time, so every machine gives the same answer.

Of media: a model makes the type that was requested, unless it knows only one. The tables of models list the types
of sound; none of it is documented. Knows just enough of some file formats.
"""

from __future__ import annotations

import base64
import math
import operator
import struct
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from harness.contract.models.profiles import ModelProfile
from harness.errors import SampleTooLarge

if TYPE_CHECKING:
    from fractions import Fraction

MOST_CHARACTERS = 1024 * 1024
"""Characters of all samples of one create, names included; every value costs 50 more, to bound the work."""


class SampleBudget:
    """The budget of the samples of one create. After one was too large, they have only required properties."""

    __slots__ = ("left", "shows_optional")

    def __init__(self, left: int = MOST_CHARACTERS) -> None:
        self.left = left
        self.shows_optional = True

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
    """The schema that references point into, the budget, and how many levels show optional properties, too."""

    root: Any
    budget: SampleBudget
    optional: int


def sample(schema: Any, budget: SampleBudget | None = None) -> Any:
    """Return a small value for `schema`. An unconstrained string is `_HINT`; an unusual schema gets a guess.

    Optional properties are left out if the budget is too small for them. Raises SampleTooLarge if the rest is too
    much, too, or if a number is too large for JSON's readers.
    """
    budget = SampleBudget() if budget is None else budget
    if budget.shows_optional:
        trial = SampleBudget(budget.left)
        try:
            value = _sample(schema, _HINT, _Document(schema, trial, 4), 0)
        except SampleTooLarge:
            budget.shows_optional = False
        else:
            budget.left = trial.left
            return value
    return _sample(schema, _HINT, _Document(schema, budget, 0), 0)


def _sample(schema: Any, hint: str, document: _Document, depth: int) -> Any:
    budget = document.budget
    if not isinstance(schema, Mapping) or depth > _MOST_LEVELS:
        return budget.copy_of(hint)
    schema = _resolve(schema, document)
    budget.spend(1 + len(schema))
    if "const" in schema:
        return budget.copy_of(schema["const"])
    for keyword in ("enum", "examples"):
        if values := _read_list(schema, keyword):
            return budget.copy_of(values[0])
    for keyword in ("anyOf", "oneOf"):
        if branches := _read_list(schema, keyword):
            return _sample(_merge_into(schema, keyword, branches[:1], document), hint, document, depth + 1)
    if isinstance(schema.get("allOf"), list):
        return _sample(_merge_into(schema, "allOf", schema["allOf"], document), hint, document, depth + 1)
    kind = _choose_type(schema)
    if kind == "object":
        return _sample_object(schema, document, depth)
    if kind == "array":
        return _sample_array(schema, hint, document, depth)
    if kind in {"integer", "number"}:
        return _number(schema, kind, budget)
    if kind in {"boolean", "null"}:
        return budget.copy_of(True if kind == "boolean" else None)
    return _sample_string(schema, hint, budget)


def _read_list(schema: Mapping[str, Any], keyword: str) -> list[Any]:
    """The list that a keyword holds; empty if it holds none."""
    values = schema.get(keyword)
    return values if isinstance(values, list) else []


def _merge_into(schema: Mapping[str, Any], keyword: str, parts: list[Any], document: _Document) -> dict[str, Any]:
    """The schema with some of the parts that a keyword lists in place of the keyword."""
    rest = {key: value for key, value in schema.items() if key != keyword}
    return _merge([rest, *(_resolve(part, document) for part in parts)], document.budget)


def _sample_object(schema: Mapping[str, Any], document: _Document, depth: int) -> dict[str, Any]:
    """Fill every declared property, so that clients see them all; from some depth on only the required ones."""
    properties = schema.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    names = _read_list(schema, "required")
    if depth < document.optional:
        names = [*names, *properties]
    document.budget.spend(len(names))
    value: dict[str, Any] = {}
    for name in names:
        if isinstance(name, str) and name not in value:
            document.budget.spend(len(name))
            value[name] = _sample(properties.get(name, {}), name, document, depth + 1)
    return value


def _sample_array(schema: Mapping[str, Any], hint: str, document: _Document, depth: int) -> list[Any]:
    items = [_sample(item, hint, document, depth + 1) for item in _read_list(schema, "prefixItems")]
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


def _number(schema: Mapping[str, Any], kind: str, budget: SampleBudget) -> int | float:
    from fractions import Fraction  # few schemas have numbers, and every first emulator would import it

    budget.spend(_PER_VALUE)
    value = Fraction(1)
    for keyword, breaks, mend in _BOUNDS:
        bound = _read_bound(schema, keyword)
        if bound is not None and breaks(value, bound):
            value = Fraction(mend(bound))
    step = _read_bound(schema, "multipleOf")
    if step is not None and step > 0:
        step = Fraction(step.numerator) if kind == "integer" else step
        value = math.ceil(value / step) * step
    value = Fraction(math.ceil(value)) if kind == "integer" else value
    if value.denominator == 1 and abs(value) < 2**64:  # readers of JSON have no larger whole numbers
        return int(value)
    try:
        return float(value)
    except OverflowError:
        raise SampleTooLarge from None


_BOUNDS: tuple[tuple[str, Callable[[Any, Any], bool], Callable[[Any], Any]], ...] = (
    ("minimum", operator.lt, lambda bound: bound),
    ("exclusiveMinimum", operator.le, lambda bound: math.floor(bound) + 1),
    ("maximum", operator.gt, lambda bound: bound),
    ("exclusiveMaximum", operator.ge, lambda bound: math.ceil(bound) - 1),
)
"""Each keyword that limits a number, when a number breaks it, and the one nearest to it that does not."""


def _read_bound(schema: Mapping[str, Any], keyword: str) -> Fraction | None:
    """The number that a keyword holds, as it was written: 0.1 is a tenth."""
    value = schema.get(keyword)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    from fractions import Fraction

    return Fraction(str(value))


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


def _resolve(schema: Any, document: _Document) -> Mapping[str, Any]:
    """Follow local references; one that cannot be followed becomes the empty schema."""
    for _ in range(_MOST_LEVELS):
        reference = schema.get("$ref") if isinstance(schema, Mapping) else None
        if not isinstance(reference, str):
            break
        document.budget.spend(len(reference))
        schema = document.root
        for part in reference.removeprefix("#").strip("/").split("/") if reference != "#" else ():
            schema = (
                schema.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(schema, Mapping) else None
            )
    return schema if isinstance(schema, Mapping) else {}


def _merge(parts: list[Mapping[str, Any]], budget: SampleBudget) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for part in parts:
        budget.spend(1 + len(part))
        for key, value in part.items():
            if key == "properties" and isinstance(merged.get(key), Mapping) and isinstance(value, Mapping):
                budget.spend(len(merged[key]) + len(value))
                merged[key] = {**merged[key], **value}
            elif key == "required" and isinstance(merged.get(key), list) and isinstance(value, list):
                budget.spend(len(merged[key]) + len(value))
                merged[key] = [*merged[key], *value]
            else:
                merged[key] = value
    return merged


# --- media


@cache
def picture() -> str:
    """Return a PNG of one grey pixel."""
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0\x80")), (b"IEND", b""))
    return _read_text(b"\x89PNG\r\n\x1a\n" + b"".join(_build_png_part(name, data) for name, data in parts))


@cache
def photo() -> str:
    """Return a JPEG of one gray pixel: the service makes JPEGs on request."""
    tables = b"".join(_build_jpeg_part(0xC4, bytes((kind, 1, *bytes(15), 0))) for kind in (0x00, 0x10))
    frame = _build_jpeg_part(0xC0, struct.pack(">BHHBBBB", 8, 1, 1, 1, 1, 0x11, 0))
    scan = _build_jpeg_part(0xDA, bytes((1, 1, 0, 0, 63, 0))) + b"\x3f"
    head = _build_jpeg_part(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
    quantities = _build_jpeg_part(0xDB, b"\0" + bytes([16]) * 64)
    return _read_text(b"\xff\xd8" + head + quantities + frame + tables + scan + b"\xff\xd9")


@cache
def silence() -> str:
    """Return eight silent 16-bit samples without any header, as models that speak answer."""
    return _read_text(bytes(16))


@cache
def sound() -> str:
    """Return a WAV of eight silent 16-bit samples at 8 kHz."""
    empty = bytes(16)
    form = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(empty)) + empty
    return _read_text(b"RIFF" + struct.pack("<I", len(body)) + body)


@cache
def clip() -> str:
    """Return an MP4 with a file type box and an empty media data box."""
    brand = b"isom" + struct.pack(">I", 512) + b"isomiso2"
    return _read_text(_build_mp4_box(b"ftyp", brand) + _build_mp4_box(b"mdat", b""))


def _build_png_part(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _build_jpeg_part(mark: int, data: bytes) -> bytes:
    return b"\xff" + bytes([mark]) + struct.pack(">H", len(data) + 2) + data


def _build_mp4_box(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data) + 8) + name + data


def _read_text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


SPEECH = "audio/l16; rate=24000; channels=1"
"""The usual type of models that speak: samples without a header (recorded in August)."""

_USUAL: dict[str, tuple[str, Callable[[], str]]] = {
    "image": ("image/jpeg", photo),
    "audio": (SPEECH, silence),
    "video": ("video/mp4", clip),
}
_BUILDERS: dict[str, Callable[[], str]] = {"image/png": picture, "audio/wav": sound}
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


def make_medium(kind: str, mime: str) -> str:
    """Return a tiny medium of a kind in base64, in the type if it can be built."""
    return _BUILDERS.get(mime, _USUAL[kind][1])()
