"""The stored events of a run, to be read and spoiled by tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cli.conftest import fits

Lines = list[dict[str, Any]]


def read_lines(file: str | Path) -> Lines:
    """The lines of a file, each as its schema says."""
    return [fits("events", line) for line in Path(file).read_text("utf-8").splitlines()]


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
    runs = [[json.loads(line) for line in Path(file).read_text("utf-8").splitlines()] for file in files]
    spoil(runs)
    for file, lines in zip(files, runs, strict=True):
        write_lines(file, lines)
