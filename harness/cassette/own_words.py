"""The words of a project for its recordings: `[tool.harness.recordings]` of its pyproject.toml.

A file may come with a folder of other people, so it adds to the hidden values and never removes from them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from harness.files import ProjectFile, find_project_file
from harness.outcome import UsageFault
from harness.outcome.words import did_you_mean
from harness.wire import StreamProtocol

TABLE = "recordings"
KEYS = ("hide", "hide-pattern", "ignore")


def with_own_words(protocol: StreamProtocol, folder: Path) -> StreamProtocol:
    """The API with the words of the nearest pyproject.toml of a folder and its parents. Raises UsageFault.

    `hide` names headers, parameters and JSON members with secrets, `hide-pattern` has regular expressions of
    secrets, and `ignore` names parameters and JSON members that mean nothing when two exchanges are compared.
    """
    file = find_project_file(folder)
    return protocol if file is None else add_file_words(protocol, file)


def add_file_words(protocol: StreamProtocol, file: ProjectFile) -> StreamProtocol:
    """The API with the words of this file. Raises UsageFault."""
    table: Any = file.table.get(TABLE, {})
    place = f"{file.path}: [tool.harness.{TABLE}]"
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
