"""The tables of models, and the profile that a name gets from them.

A cell that a model's own table lacks is "as its family", and what the family lacks is "as any model"
(`common.yaml`). A name that no table lists takes the profile of the family that its name belongs to; a name of no
known family takes that of the newest one. Must not know what an emulator or a check does with a cell. A fact of a
third party (level T) may shape what the emulator answers, but no rule follows from it. The last part writes a
profile as lines of text; the words of its cells are the descriptions in `schemas/models.schema.json`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

from msgspec import Struct

from harness import resources
from harness.files import load_yaml

FOLDER = Path(__file__).parent
LEVELS: Mapping[str, str] = {
    "R": "recording",
    "G": "official guide",
    "S": "types of the SDK",
    "T": "third party",
    "?": "unknown",
}
"""What a cell rests on; a live key would settle what is unknown."""

CELLS_OF_KINDS = {"document": "documents", "image": "images", "audio": "audio", "video": "videos"}
"""The cell that lists the media types of each kind of content."""

_NEWEST = "gemini-4"
# media and agents come first, because a name such as `gemini-3.8-flash-tts` fits a family of text models, too
_FILES = ("media", "elsewhere", "agents", "gemini-4", "gemini-3", "gemini-2.5")
_AS_ANY = "as any model"
_AS_FAMILY = "as its family"


class ModelFact(Struct, frozen=True):
    """One fact about a model. `level` is a key of `LEVELS`; `key` names a source of `list_sources` or a recording.

    `origin` is the table of the cell: "" for the model's own table, else "as its family" or "as any model".
    """

    value: Any
    level: str
    key: str = ""
    note: str = ""
    origin: str = ""


class ModelProfile(Struct, frozen=True, dict=True):
    """All cells of one model; `standing` describes how the name was found, "" if a table lists it."""

    name: str
    family: str
    cells: Mapping[str, ModelFact]
    standing: str = ""

    @cached_property
    def value(self) -> Callable[[str], Any]:
        """Called with the name of a cell, returns its value, None if it is unknown; each create asks for five."""
        return {name: fact.value for name, fact in self.cells.items()}.__getitem__

    # The cells that each create needs, read once

    @cached_property
    def levels(self) -> tuple[str, ...] | None:
        """The thinking levels that it takes; None if they are unknown."""
        levels = self.value("levels")
        return None if levels is None else tuple(levels)

    @cached_property
    def media_types(self) -> Mapping[str, frozenset[str]]:
        """The media types that it reads, by the kind of content; `text/*` stands for any text."""
        return {kind: frozenset(self.value(cell)) for kind, cell in CELLS_OF_KINDS.items()}

    @cached_property
    def usage(self) -> frozenset[str]:
        """The fields of usage beyond those of every model."""
        return frozenset(self.value("usage"))

    @cached_property
    def served_elsewhere(self) -> Mapping[str, Any] | None:
        """How a create with this model is refused: status, code and message; None if it runs here."""
        served = self.value("interactions")
        return served if isinstance(served, dict) else None


@lru_cache(maxsize=1024)  # callers choose the names
def find_profile(name: str) -> ModelProfile:
    """Return the profile of a model by its name, with or without `models/`."""
    bare = name.removeprefix("models/")
    # To parse all tables as YAML takes 20 ms, which the first create of each process would wait for.
    listing = next((file for file in _FILES if f"\n    {bare}:".encode() in _read_texts()[file]), None)
    if listing is not None:
        family = next(family for family in _load_table(listing) if bare in family["models"])
        return _build_profile(bare, family, family["models"][bare], "")
    fitting = next((family for family in _list_families() if re.match(family["named"], bare)), None)
    newest = next(family for family in _list_families() if family["family"] == _NEWEST)
    words = f"newest family, {_NEWEST}" if fitting is None else f"family {fitting['family']}"
    standing = f"no table lists '{bare}': it is treated as a model of the {words}"
    return _build_profile(bare, fitting or newest, {}, standing)


def list_models() -> list[ModelProfile]:
    """Return the profile of every model that a table lists, in the order of the tables."""
    return [find_profile(name) for family in _list_families() for name in family["models"]]


@cache
def list_media_types() -> Mapping[str, frozenset[str]]:
    """Return the media types that some model reads, by the kind of content."""
    cells = _load_table("common")["cells"]
    return {kind: frozenset(cells[cell]["is"]) for kind, cell in CELLS_OF_KINDS.items()}


def _list_families() -> Iterator[dict[str, Any]]:
    return (family for file in _FILES for family in _load_table(file))


@cache
def list_sources() -> Mapping[str, Mapping[str, str]]:
    """Return the sources by key: `title`, and `url` if it has one."""
    found: dict[str, dict[str, str]] = _load_table("sources")
    return found


def published_path() -> Path:
    """The file with all tables; it is generated, as `rules.json` is, and passed over if it is out of date."""
    return resources.folder("schemas") / "output" / "models.json"


def publish_models() -> str:
    """The text of the published file: a line for each table."""
    texts = _read_texts()
    tables = {name: load_yaml(text) for name, text in sorted(texts.items())}
    lines = [
        f"  {json.dumps(name)}: {json.dumps(table, ensure_ascii=False)}"
        for name, table in [("tables", resources.digest(texts)), *tables.items()]
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


@cache
def _read_texts() -> Mapping[str, bytes]:
    return {path.stem: path.read_bytes() for path in FOLDER.glob("*.yaml")}


@cache
def _load_published() -> Mapping[str, Any]:
    return resources.read_generated(published_path(), resources.digest(_read_texts())) or {}


@cache
def _load_table(name: str) -> Any:
    published = _load_published()
    return published[name] if name in published else load_yaml(_read_texts()[name])


def _build_profile(name: str, family: Mapping[str, Any], own: Mapping[str, Any], standing: str) -> ModelProfile:
    layers = ((_load_table("common")["cells"], _AS_ANY), (family.get("cells", {}), _AS_FAMILY), (own, ""))
    cells = {}
    for layer, origin in layers:
        for kind, cell in layer.items():
            level, _, key = cell["by"].partition(" ")
            cells[kind] = ModelFact(cell["is"], level, key, cell.get("note", ""), origin)
    return ModelProfile(name, family["family"], cells, standing)


Json = dict[str, Any]


@cache
def list_cells() -> dict[str, str]:
    """Return the description of each cell by its name, in the order in which they are shown."""
    schema: Json = json.loads((resources.folder("schemas") / "models.schema.json").read_text("utf-8"))
    return {name: cell["description"] for name, cell in schema["$defs"]["cells"]["properties"].items()}


def describe_model(name: str) -> Iterator[str]:
    """Yield what is known of a model: a line a cell, each with the level and the source of the fact."""
    profile = find_profile(name)
    yield f"{profile.name}: {profile.family}"
    if profile.standing:
        yield f"  note: {profile.standing}"
    used: set[str] = set()
    named: set[str] = set()
    for cell_name, label in list_cells().items():
        cell = profile.cells[cell_name]
        origin = f"; {cell.origin}" if cell.origin else ""
        yield f"  {label}: {write_value(cell.value)} [{f'{cell.level} {cell.key}'.strip()}{origin}]"
        if cell.note:
            yield f"    note: {cell.note}"
        used.add(cell.level)
        named.update((cell.key, *re.findall(r"\([GST] (\w+)\)", cell.note)))
    yield "  levels: " + ", ".join(f"{mark} {word}" for mark, word in LEVELS.items() if mark in used)
    for key, source in list_sources().items():
        if key in named:
            yield f"  {key}: {source['title']}, {source['url']}"


def describe_models() -> Iterator[str]:
    """Yield a line for each model: its family, its levels and its life."""
    profiles = list_models()
    width = max(len(profile.name) for profile in profiles)
    for profile in profiles:
        words = [profile.family]
        if profile.levels:
            words.append(f"levels {', '.join(profile.levels)}")
        if profile.served_elsewhere is not None:
            words.append("not on /interactions")
        if profile.value("lifecycle"):
            words.append(write_value(profile.value("lifecycle")))
        yield f"{profile.name:{width}}  {'; '.join(words)}"


def describe_life(profile: ModelProfile) -> str:
    """Return one sentence on a model that is retired or will be; "" for any other."""
    life = profile.value("lifecycle") or {}
    if "retired" not in life:
        return ""
    then = f" Google routes its name to {life['then']}." if "then" in life else ""
    return f"{profile.name} has the retirement date {life['retired']}.{then}"


def write_value(value: Any) -> str:
    """Return the value of a cell as words."""
    match value:
        case None:
            return "unknown"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case list():
            return ", ".join(value) or "none"
        case {"status": status, "code": code}:
            return f"refused with {status} {code}"
        case dict():
            return ", ".join(f"{name} {write_value(item)}" for name, item in value.items())
    return str(value)
