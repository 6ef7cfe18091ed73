"""The tables of models, and the profile that a name gets from them.

Layer 1. A cell that a model's own table lacks is "as its family", and what the family lacks is "as any model"
(`common.yaml`). A name that no table lists takes the profile of the family that its name belongs to; a name of no
known family takes that of the newest one. Must not know what an emulator or a check does with a cell. A fact of a
third party (level T) may shape what the emulator answers, but no rule follows from it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

from harness.documents import load_yaml

FOLDER = Path(__file__).parent
LEVELS: Mapping[str, str] = {
    "R": "recording",
    "G": "official guide",
    "S": "types of the SDK",
    "T": "third party",
    "?": "unknown",
}
"""What a cell rests on; a live key would settle what is unknown."""

_NEWEST = "gemini-4"
# media and agents come first, because a name such as `gemini-3.8-flash-tts` fits a family of text models, too
_FILES = ("media", "elsewhere", "agents", "gemini-4", "gemini-3", "gemini-2.5")
_AS_ANY = "as any model"
_AS_FAMILY = "as its family"


@dataclass(frozen=True, slots=True)
class ModelFact:
    """One fact about a model. `level` is a key of `LEVELS`; `key` names a source of `list_sources` or a recording.

    `origin` says where the cell is from: "" for the model's own table, else "as its family" or "as any model".
    """

    value: Any
    level: str
    key: str = ""
    note: str = ""
    origin: str = ""


@dataclass(frozen=True)
class ModelProfile:
    """All cells of one model; `standing` says how the name was found, "" if a table lists it."""

    name: str
    family: str
    cells: Mapping[str, ModelFact]
    standing: str = ""

    def value(self, cell: str) -> Any:
        """Return the value of a cell, None if it is unknown."""
        return self.cells[cell].value

    # The cells that are asked for with each create, read once

    @cached_property
    def levels(self) -> tuple[str, ...] | None:
        """The thinking levels that it takes; None if they are unknown."""
        levels = self.value("levels")
        return None if levels is None else tuple(levels)

    @cached_property
    def documents(self) -> frozenset[str]:
        """The media types of documents that it reads; `text/*` stands for any text."""
        return frozenset(self.value("documents"))

    @cached_property
    def usage(self) -> frozenset[str]:
        """The fields of usage beyond those of every model."""
        return frozenset(self.value("usage"))

    @cached_property
    def output(self) -> tuple[str, ...]:
        """The kinds of content that it makes, the usual one first."""
        return tuple(self.value("output"))

    @cached_property
    def thought(self) -> str:
        """Whether its thoughts are `signed`, `bare` (in bodies only, nothing but their type) or `none`."""
        return str(self.value("thought"))

    @cached_property
    def ends_on_user(self) -> bool:
        """Whether the history in a request must not end on a turn of the model."""
        return bool(self.value("model_turn_last") == "refused")

    @cached_property
    def searches_last(self) -> bool:
        """Whether the steps of a search come after the output."""
        return bool(self.value("search_steps") == "after the output")

    @cached_property
    def signs_tools(self) -> bool:
        """Whether the steps of the service's tools are signed."""
        return bool(self.value("tool_signatures") == "signed")

    @cached_property
    def starts_calls_signed(self) -> bool:
        """Whether `step.start` of a function call shows an empty signature."""
        return bool(self.value("function_call_start") == "with an empty signature")

    @cached_property
    def served_elsewhere(self) -> Mapping[str, Any] | None:
        """How a create with this model is refused: status, code and message; None if it runs here."""
        served = self.value("interactions")
        return served if isinstance(served, dict) else None

    @cached_property
    def default_level(self) -> str | None:
        """The thinking level of a request that names none."""
        level: str | None = self.value("default_level")
        return level

    @cached_property
    def segment(self) -> Mapping[str, int] | None:
        """After how many output tokens an answer breaks off, `streamed` and `whole`; None if it does not."""
        segment: Mapping[str, int] | None = self.value("segment")
        return segment


@lru_cache(maxsize=1024)  # callers choose the names
def find_profile(name: str) -> ModelProfile:
    """Return the profile of a model by its name, with or without `models/`."""
    bare = name.removeprefix("models/")
    # Reading all tables takes 20 ms, which the first create of each test process would wait for.
    listing = next((file for file in _FILES if f"\n    {bare}:" in _read_text(file)), None)
    if listing is not None:
        family = next(family for family in _load_families(listing) if bare in family["models"])
        return _build_profile(bare, family, family["models"][bare], "")
    families = [family for file in _FILES for family in _load_families(file)]
    for family in families:
        if re.match(family["named"], bare):
            standing = f"no table lists '{bare}': it is treated as a model of the family {family['family']}"
            return _build_profile(bare, family, {}, standing)
    newest = next(family for family in families if family["family"] == _NEWEST)
    standing = f"no table lists '{bare}': it is treated as a model of the newest family, {_NEWEST}"
    return _build_profile(bare, newest, {}, standing)


def list_models() -> list[ModelProfile]:
    """Return the profile of every model that a table lists, in the order of the tables."""
    return [find_profile(name) for file in _FILES for family in _load_families(file) for name in family["models"]]


@cache
def list_sources() -> Mapping[str, Mapping[str, str]]:
    """Return the sources by key: `title`, and `url` if it has one."""
    found: dict[str, dict[str, str]] = load_yaml(_read_text("sources"))
    return found


@cache
def _read_text(file: str) -> str:
    return (FOLDER / f"{file}.yaml").read_text("utf-8")


@cache
def _load_families(file: str) -> list[dict[str, Any]]:
    families: list[dict[str, Any]] = load_yaml(_read_text(file))
    return families


@cache
def _load_common() -> Mapping[str, Any]:
    common: dict[str, Any] = load_yaml(_read_text("common"))["cells"]
    return common


def _build_profile(name: str, family: Mapping[str, Any], own: Mapping[str, Any], standing: str) -> ModelProfile:
    layers = ((_load_common(), _AS_ANY), (family.get("cells", {}), _AS_FAMILY), (own, ""))
    cells = {cell: _read_cell(value, origin) for layer, origin in layers for cell, value in layer.items()}
    return ModelProfile(name, family["family"], cells, standing)


def _read_cell(cell: Mapping[str, Any], origin: str) -> ModelFact:
    level, _, key = cell["by"].partition(" ")
    return ModelFact(cell["is"], level, key, cell.get("note", ""), origin)
