"""The stored events of a run, to be read and spoiled by tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema

from harness.resources import folder

Lines = list[dict[str, Any]]

SCHEMA = json.loads((folder("schemas") / "output" / "events.schema.json").read_text("utf-8"))


def read_lines(file: str | Path) -> Lines:
    """The lines of a file, each as its schema says."""
    lines = [json.loads(line) for line in Path(file).read_text("utf-8").splitlines()]
    validator = jsonschema.Draft202012Validator(SCHEMA)
    for line in lines:
        validator.validate(line)
    return lines


def write_lines(file: str | Path, lines: Lines) -> None:
    """Write a file anew."""
    Path(file).write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")


def find(lines: Lines, event: str) -> dict[str, Any]:
    """The first event of a kind."""
    return next(line for line in lines if line.get("event") == event)


def part_of(lines: Lines) -> dict[str, Any]:
    """What a shard knows."""
    part: dict[str, Any] = lines[-1]["part"]
    return part


def spoil_files(files: list[str], spoil: Callable[[list[Lines]], object]) -> None:
    """Change the stored events of all shards."""
    runs = [read_lines(file) for file in files]
    spoil(runs)
    for file, lines in zip(files, runs, strict=True):
        write_lines(file, lines)
