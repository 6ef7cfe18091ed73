"""The plugin of mypy that finds structs where a dataclass is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_SOURCE = """
from dataclasses import asdict, dataclass, fields, replace
from typing import TypeVar

from msgspec import Struct, structs

class Made(Struct):
    size: int = 0

class Further(Made):
    pass

@dataclass
class Kept:
    size: int = 0

Any = TypeVar("Any", bound=Made)

def use(one: Any, other: Kept | Made) -> None:
    replace(one)
    fields(Further)
    asdict(other)
    asdict(Made())
    replace(Kept(), size=1)
    fields(Kept)
    structs.replace(one)
    structs.fields(Further)
"""


@pytest.mark.slow
def test_a_struct_is_no_dataclass(tmp_path: Path) -> None:
    """Each call of a function of `dataclasses` with what may be a struct is an error, and no other one."""
    pytest.importorskip("mypy", reason="mypy is installed for `make lint`")
    source, configuration = tmp_path / "source.py", tmp_path / "mypy.ini"
    source.write_text(_SOURCE)
    configuration.write_text(f"[mypy]\nplugins = {Path(__file__).with_name('struct_plugin.py')}\n")
    # In a process of its own: mypy raises the limit of recursion for all that comes after it.
    words = ("--config-file", configuration, "--cache-dir", tmp_path / "cache", source)
    command = [sys.executable, "-m", "mypy", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = [line.partition(": ")[2].removesuffix("  [misc]") for line in done.stdout.splitlines()[:-1]]
    named = ("Made", "Further", "Made", "Made")
    assert found == [f"error: {name} is a struct: use the function of msgspec.structs" for name in named]
    assert done.returncode == 1, done.stderr
