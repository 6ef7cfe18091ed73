"""A profile as lines of text, for `harness explain model` and the page of the documentation.

Layer 1. The words of the cells are the descriptions in `schemas/models.schema.json`. Must not know a terminal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from harness import resources
from harness.contract.models.profiles import LEVELS, ModelProfile, find_profile, list_models, list_sources

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
    shown = [(label, profile.cells[cell_name]) for cell_name, label in list_cells().items()]
    for label, cell in shown:
        origin = f"; {cell.origin}" if cell.origin else ""
        yield f"  {label}: {write_value(cell.value)} [{f'{cell.level} {cell.key}'.strip()}{origin}]"
        if cell.note:
            yield f"    note: {cell.note}"
    used = {cell.level for _, cell in shown}
    yield "  levels: " + ", ".join(f"{mark} {word}" for mark, word in LEVELS.items() if mark in used)
    named = {cell.key for _, cell in shown}
    for _, cell in shown:
        named.update(re.findall(r"\([GST] (\w+)\)", cell.note))
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
        if isinstance(profile.value("interactions"), dict):
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
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, list):
        return ", ".join(value) or "none"
    if isinstance(value, dict) and "status" in value:
        return f"refused with {value['status']} {value['code']}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {write_value(item)}" for name, item in value.items())
    return str(value)


def write_table() -> str:
    """Return the table of the documentation: what differs most between the models of /interactions."""
    rows = [
        "| Model | Makes | Levels (default) | History may end on a model turn | Segment | Lifecycle |",
        "|---|---|---|---|---|---|",
    ]
    for profile in list_models():
        default, segment = profile.value("default_level"), profile.value("segment")
        levels = [f"**{level}**" if level == default else level for level in profile.levels or ()]
        row = (
            f"`{profile.name}`",
            "not on `/interactions`"
            if isinstance(profile.value("interactions"), dict)
            else ", ".join(profile.output),
            ", ".join(levels) or ("none" if profile.levels is not None else "?"),
            "no" if profile.ends_on_user else "yes",
            "" if segment is None else f"{segment['streamed']:,}; not streamed {segment['whole']:,}",
            write_value(profile.value("lifecycle")) if profile.value("lifecycle") else "",
        )
        rows.append("| " + " | ".join(row) + " |")
    return "\n".join(rows) + "\n"
