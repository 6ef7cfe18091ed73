"""Scenario files: a list of scripts, and settings, in YAML (or JSON, which is YAML too).

Layer 2. Knows the keys of the file; `scripts` checks the scripts themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.contract.tables.lifecycle import LIFECYCLE, LifecycleTable
from harness.documents import load_yaml, read_file
from harness.emulator.script.scripts import Script, parse
from harness.emulator.values.suggestions import suggestion
from harness.errors import ScriptFault

_KEYS = ("replies", "settings", "description")


@dataclass(frozen=True, slots=True)
class ScenarioFile:
    """The content of a file: its scripts in order, and the settings to change."""

    replies: tuple[Script, ...]
    settings: dict[str, Any]


def load(path: str | Path, lifecycle: LifecycleTable = LIFECYCLE) -> ScenarioFile:
    """Read a scenario file, whose runs end as `lifecycle` says.

    Raises ScriptFault that names the file and what is wrong in it.
    """
    try:
        text = read_file(path).decode("utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        why = getattr(fault, "strerror", None) or fault
        raise ScriptFault(f"the scenario {path} cannot be read: {why}") from None
    try:
        return read(text, lifecycle)
    except ScriptFault as fault:
        raise ScriptFault(f"{path}: {fault}") from None


def read(text: str, lifecycle: LifecycleTable = LIFECYCLE) -> ScenarioFile:
    """Parse the text of a scenario. Raises ScriptFault."""
    import yaml  # an emulator without scenario files does not need it

    try:
        value = load_yaml(text)
    except (ValueError, RecursionError, yaml.YAMLError) as fault:
        raise ScriptFault(f"this is not YAML: {' '.join(str(fault).split())}") from None
    if isinstance(value, list):
        value = {"replies": value}
    if not isinstance(value, dict):
        raise ScriptFault("a scenario is a list of scripts, or an object with 'replies' and 'settings'")
    for key in value:
        if key not in _KEYS:
            raise ScriptFault(f"a scenario has no key {key!r}.{suggestion(str(key), _KEYS)}")
    found = ScenarioFile(
        tuple(_read_replies(value.get("replies"), lifecycle)), _read_settings(value.get("settings"))
    )
    if not found.replies and not found.settings:
        raise ScriptFault("the scenario is empty: write 'replies' or 'settings', or leave the file out")
    return found


def _read_replies(value: Any, lifecycle: LifecycleTable) -> list[Script]:
    if value is not None and not isinstance(value, list):
        raise ScriptFault(f"'replies' is a list of scripts, not {type(value).__name__}")
    scripts = []
    for number, item in enumerate(value or (), start=1):
        try:
            scripts.append(parse(item, lifecycle))
        except ScriptFault as fault:
            raise ScriptFault(f"reply {number}: {fault}") from None
    return scripts


def _read_settings(value: Any) -> dict[str, Any]:
    if value is not None and not isinstance(value, dict):
        raise ScriptFault(f"'settings' is an object, not {type(value).__name__}")
    return value or {}
