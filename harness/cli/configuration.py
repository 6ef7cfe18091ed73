"""Defaults from `[tool.harness]` of the nearest pyproject.toml; the command line takes precedence.

Layer 7. Keys are the long flags without their dashes. Some commands take only what they share with `check`, and
have a table of their own for the rest (`[tool.harness.gateway]`). API keys are refused, because the file gets
committed: they come from the environment.

The file belongs to a folder that the user may not have written. So it chooses no file outside that folder, it
overwrites nothing but a report of ours, and a target that it names is told to the resolver as the file's.
"""

from __future__ import annotations

import argparse
import os
import tomllib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.cli.arguments import Parser, header
from harness.documents import open_file, read_file
from harness.outcome import UsageFault
from harness.outcome.suggest import did_you_mean
from harness.report.formats import FORMATS

_STRING, _NUMBER, _WHOLE, _FLAG, _LIST = (
    "a string",
    "a number, 0 or more",
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
    "deadline": _NUMBER,
    "fail-fast": _FLAG,
    "report": _LIST,
}
"""The keys that the table may have, and the kind of each value."""

SECTIONS: dict[str, frozenset[str]] = {
    "gateway": frozenset(
        {"target", "api-version", "revision", "model", "agent", "header", "ca-file", "strict", "wait", "timeout"}
    ),
    "torture": frozenset({"revision"}),
    "verify": frozenset({"revision", "strict"}),
}
"""The commands with a table of their own, and the keys of `[tool.harness]` that mean the same to them.

A baseline and reports are no such keys: those of two commands are different files.
"""

_KINDS = {"positive_seconds": _NUMBER, "some_seconds": _NUMBER, "count": _WHOLE, "port": _WHOLE}
"""The kinds of values that the types of arguments read."""

_NOT_SET = frozenset(
    {
        "help",
        "help_all",
        "api_key",
        "json",
        "verbose",
        "dry_run",
        "baseline_update",
        "baseline_prune",
        "plain_http",
    }
)
"""Arguments that are for one call, or that no file may hold."""

_GUARDED = frozenset({"target", "baseline", "report"})
"""Arguments whose values are limited if a file sets them."""

_START = 4_096
"""How many bytes of a file show whether it is a report."""

_SECRETS = {"api-key": "GEMINI_API_KEY", "other-api-key": "OTHER_GEMINI_API_KEY"}


def read_configuration(folder: Path | None = None) -> dict[str, Any]:
    """The table's values by argparse name; `{}` without a table.

    Raises UsageFault for unknown keys and wrong types.
    """
    path = _find_nearest_file(folder)
    return {} if path is None else _read_values(_read_table(path), KEYS, path, "")


def read_section(command: str, parser: Parser) -> dict[str, Any]:
    """What a command with a table of its own takes from both tables, by argparse name; its own takes precedence.

    Its keys are the long flags of its parser. Raises UsageFault as `read_configuration` does.
    """
    path = _find_nearest_file()
    if path is None:
        return {}
    table = _read_table(path)
    shared = {name.replace("-", "_") for name in SECTIONS[command]}
    whole = {name: value for name, value in _read_values(table, KEYS, path, "").items() if name in shared}
    own = table.get(command, {})
    if not isinstance(own, dict):
        raise UsageFault(f"{path}: tool.harness.{command} must be a table")
    return whole | _read_values(own, _keys_of(parser), path, f".{command}")


def _keys_of(parser: Parser) -> dict[str, str]:
    """The keys that a command's own table may have, and the kind of each value, as its flags say."""
    keys = {}
    for action in parser._actions:
        flags = [flag for flag in action.option_strings if flag.startswith("--")] or [action.dest]
        if action.dest not in _NOT_SET and action.nargs in (None, 0, "?"):
            keys[flags[0].removeprefix("--")] = _kind_of(action)
    return keys


def _kind_of(action: argparse.Action) -> str:
    if type(action).__name__ == "_AppendAction":
        return _LIST
    if action.nargs == 0:
        return _FLAG
    return _KINDS.get(getattr(action.type, "__name__", ""), _STRING)


def _find_nearest_file(folder: Path | None = None) -> Path | None:
    here = folder or Path.cwd()
    paths = (place / "pyproject.toml" for place in (here, *here.parents))
    return next((path for path in paths if path.is_file()), None)


def fill_in(arguments: argparse.Namespace, configuration: dict[str, Any]) -> None:
    """Set every argument that was not given (None) to its configured value.

    The file that names a target is noted beside it (`target_file`). Raises UsageFault for a path that is not the
    file's to choose.
    """
    for name, value in configuration.items():
        if getattr(arguments, name, value) is None:
            setattr(arguments, name, value)
            if name in _GUARDED:
                _guard(arguments, name, value)


def _guard(arguments: argparse.Namespace, name: str, value: Any) -> None:
    """Keep a value of the file within what a folder may choose."""
    file = _find_nearest_file()
    assert file is not None
    if name == "target":
        arguments.target_file = str(file)
    elif name == "baseline":
        _require_inside(Path(value), file.parent, f"{file}: baseline = {value!r}", f"--baseline {value}")
    else:
        for word in value:
            _refuse_foreign_report(word, file)


def apply_section(command: str, parser: Parser, words: Sequence[str]) -> argparse.Namespace:
    """Parse, with the defaults that the file gives this command; what is said on the command line counts."""
    values = read_section(command, parser)
    late = {name: value for name, value in values.items() if name in _GUARDED or isinstance(value, list)}
    parser.set_defaults(**{name: value for name, value in values.items() if name not in late})
    arguments = parser.parse(words)
    fill_in(arguments, late)
    return arguments


def _read_table(path: Path) -> dict[str, Any]:
    """The whole table, as it is written."""
    try:
        whole = tomllib.loads(read_file(path).decode("utf-8"))
    except (OSError, ValueError, RecursionError) as wrong:
        raise UsageFault(f"{path} cannot be read: {getattr(wrong, 'strerror', wrong)}") from None
    tool = whole.get("tool")
    table = tool.get("harness", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise UsageFault(f"{path}: tool.harness must be a table")
    return table


def _read_values(table: dict[str, Any], keys: Mapping[str, str], path: Path, section: str) -> dict[str, Any]:
    """The values of a table by argparse name; tables of other commands are left out."""
    place = f"{path}: [tool.harness{section}]"
    values = {}
    for key, value in table.items():
        if not section and key in SECTIONS and isinstance(value, dict):
            continue
        _require_known(key, keys if section else [*keys, *SECTIONS], place)
        values[key.replace("-", "_")] = _read_value(key, value, keys[key], place)
    return values


def _require_inside(path: Path, folder: Path, place: str, option: str) -> Path:
    """The path without links. Raises UsageFault if it leaves the folder, or enters its `.git`."""
    real, inside = Path(os.path.realpath(path)), Path(os.path.realpath(folder))
    if not real.is_relative_to(inside) or ".git" in real.relative_to(inside).parts:
        raise UsageFault(
            f"{place} leads to {str(real)!r}: a pyproject.toml may only name files in its own folder, and none in "
            f".git; to use this file, say {option} on the command line"
        )
    return real


def _refuse_foreign_report(word: str, file: Path) -> None:
    """Raise UsageFault for a report outside the folder, or one in place of a file that is no report of ours."""
    name, _, path = word.partition("=")
    place = f"{file}: report = {word!r}"
    real = _require_inside(Path(path), file.parent, place, f"--report {word}")
    if name not in FORMATS or not os.path.lexists(real):
        return
    try:
        with open_file(real) as old:
            start = old.read(_START)
    except OSError as wrong:
        raise UsageFault(f"{place}: {str(real)!r} cannot be read: {wrong.strerror}") from None
    if start and FORMATS[name].mark.match(start) is None:
        raise UsageFault(
            f"{place} would overwrite {str(real)!r}, which is no {name} report of harness: name another file, or "
            f"say --report {word} on the command line"
        )


def _require_known(key: str, keys: Collection[str], place: str) -> None:
    secret = _SECRETS.get(key.replace("_", "-"))
    if secret:
        raise UsageFault(f"{place} {key}: a key does not belong in a file, set {secret} instead")
    if key not in keys:
        raise UsageFault(f"{place} has no key {key!r}{did_you_mean(key, keys)}")


def _read_value(key: str, value: Any, kind: str, place: str) -> Any:
    fits = {
        _STRING: isinstance(value, str),
        _NUMBER: isinstance(value, int | float) and not isinstance(value, bool) and value >= 0,
        _WHOLE: isinstance(value, int) and not isinstance(value, bool) and value >= 1,
        _FLAG: isinstance(value, bool),
        _LIST: isinstance(value, list) and all(isinstance(item, str) for item in value),
    }
    if not fits[kind]:
        said = key if key == "header" else f"{key} = {value!r}"  # a header may hold a key
        raise UsageFault(f"{place} {said} must be {kind}")
    if key != "header":
        return value
    try:
        return [header(item) for item in value]
    except argparse.ArgumentTypeError as wrong:
        raise UsageFault(f"{place} header: {wrong}") from None
