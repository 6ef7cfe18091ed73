"""Defaults from `[tool.harness]` of the nearest pyproject.toml; the command line takes precedence.

Layer 7. Keys are the long flags without their dashes. API keys are refused, because the file gets committed: they
come from the environment.
"""

from __future__ import annotations

import argparse
import tomllib
from pathlib import Path
from typing import Any

from harness.cli.arguments import header
from harness.documents import read_file
from harness.outcome import UsageFault
from harness.outcome.suggest import did_you_mean

_STRING, _NUMBER, _WHOLE, _FLAG, _LIST = (
    "a string",
    "a number",
    "a whole number",
    "true or false",
    "a list of strings",
)

KEYS: dict[str, str] = {
    "target": _STRING,
    "api-version": _STRING,
    "revision": _STRING,
    "model": _STRING,
    "agent": _STRING,
    "header": _LIST,
    "ca-file": _STRING,
    "check": _LIST,
    "exclude": _LIST,
    "level": _STRING,
    "profile": _LIST,
    "capability": _LIST,
    "strict": _FLAG,
    "baseline": _STRING,
    "wait": _NUMBER,
    "timeout": _NUMBER,
    "rate": _NUMBER,
    "max-wait": _NUMBER,
    "jobs": _WHOLE,
    "fail-fast": _FLAG,
    "report": _LIST,
}
"""The keys that the table may have, and the kind of each value."""

_SECRETS = {"api-key": "GEMINI_API_KEY", "other-api-key": "OTHER_GEMINI_API_KEY"}


def read_configuration(folder: Path | None = None) -> dict[str, Any]:
    """The table's values by argparse name; `{}` without a table.

    Raises UsageFault for unknown keys and wrong types.
    """
    here = folder or Path.cwd()
    for place in (here, *here.parents):
        path = place / "pyproject.toml"
        if path.is_file():
            return _table(path)
    return {}


def fill_in(arguments: argparse.Namespace, configuration: dict[str, Any]) -> None:
    """Set every argument that was not given (None) to its configured value."""
    for name, value in configuration.items():
        if getattr(arguments, name, value) is None:
            setattr(arguments, name, value)


def _table(path: Path) -> dict[str, Any]:
    try:
        whole = tomllib.loads(read_file(path).decode("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as wrong:
        raise UsageFault(f"{path} cannot be read: {wrong}") from None
    tool = whole.get("tool")
    table = tool.get("harness", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise UsageFault(f"{path}: tool.harness must be a table")
    return {_require_known(key, path).replace("-", "_"): _value(key, value, path) for key, value in table.items()}


def _require_known(key: str, path: Path) -> str:
    if key in _SECRETS:
        raise UsageFault(
            f"{path}: [tool.harness] {key}: a key does not belong in a file, set {_SECRETS[key]} instead"
        )
    if key not in KEYS:
        raise UsageFault(f"{path}: [tool.harness] has no key {key!r}{did_you_mean(key, KEYS)}")
    return key


def _value(key: str, value: Any, path: Path) -> Any:
    kind = KEYS[key]
    fits = {
        _STRING: isinstance(value, str),
        _NUMBER: isinstance(value, int | float) and not isinstance(value, bool) and value >= 0,
        _WHOLE: isinstance(value, int) and not isinstance(value, bool) and value >= 1,
        _FLAG: isinstance(value, bool),
        _LIST: isinstance(value, list) and all(isinstance(item, str) for item in value),
    }
    if not fits[kind]:
        said = key if key == "header" else f"{key} = {value!r}"  # a header may hold a key
        raise UsageFault(f"{path}: [tool.harness] {said} must be {kind}")
    if key != "header":
        return value
    try:
        return [header(item) for item in value]
    except argparse.ArgumentTypeError as wrong:
        raise UsageFault(f"{path}: [tool.harness] header: {wrong}") from None
