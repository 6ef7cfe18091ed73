"""The words of a project for its recordings: `[tool.harness.recordings]` of its pyproject.toml. Layer 1.

A file may come with a folder of other people, so it adds to the hidden values and never removes from them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from harness.documents import explain_unread, load_toml, read_file
from harness.outcome import UsageFault
from harness.outcome.words import did_you_mean
from harness.wire import StreamProtocol

FILE = "pyproject.toml"
TABLE = "recordings"
KEYS = ("hide", "hide-pattern", "ignore")


def with_own_words(protocol: StreamProtocol, folder: Path) -> StreamProtocol:
    """The API with the words of the nearest pyproject.toml of a folder and its parents. Raises UsageFault.

    `hide` names headers, parameters and JSON members with secrets, `hide-pattern` has regular expressions of
    secrets, and `ignore` names parameters and JSON members that mean nothing when two exchanges are compared.
    """
    path = next((place / FILE for place in (folder, *folder.parents) if (place / FILE).is_file()), None)
    if path is None:
        return protocol
    try:
        tool: Any = load_toml(read_file(path)).get("tool", {})
    except OSError as wrong:
        raise UsageFault(f"{path} cannot be read: {explain_unread(wrong)}") from None
    except (ValueError, RecursionError) as wrong:
        raise UsageFault(f"{path} is not valid TOML: {wrong}: correct that line") from None
    table: Any = tool
    for name in ("harness", TABLE):
        table = table.get(name, {}) if isinstance(table, dict) else None
    place = f"{path}: [tool.harness.{TABLE}]"
    if not isinstance(table, dict):
        raise UsageFault(f"{place} is not a table: write {', '.join(KEYS)} below it")
    for key, value in table.items():
        if key not in KEYS:
            raise UsageFault(f"{place} has no key {key!r}{did_you_mean(key, KEYS, otherwise=f': {KEYS}')}")
        if not isinstance(value, list) or not all(isinstance(word, str) and word for word in value):
            raise UsageFault(f'{place} {key} = {value!r} is not a list of texts: write {key} = ["…"]')
    return add_words(protocol, place, *(table.get(key, ()) for key in KEYS))


def add_words(
    protocol: StreamProtocol, place: str, hide: Any = (), hide_pattern: Any = (), ignore: Any = ()
) -> StreamProtocol:
    """The API with these words, which were written at `place`. Raises UsageFault."""
    for pattern in hide_pattern:
        try:
            is_empty = re.compile(pattern).fullmatch("") is not None
        except re.error as wrong:
            raise UsageFault(f"{place} {pattern!r} is not a regular expression: {wrong}: correct it") from None
        if is_empty:
            raise UsageFault(f"{place} {pattern!r} matches the empty text: write what a secret looks like")
    return protocol.hiding(hide, hide_pattern).ignoring(ignore)
