"""Marks of tests that need an optional package, and the modules of ours, parsed.

An import takes seconds, in each worker that collects.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "harness"


@cache
def parse_module(path: Path) -> ast.Module:
    """A module of the package."""
    return ast.parse(path.read_text("utf-8"), str(path))


def parse_package(pattern: str) -> dict[Path, ast.Module]:
    """The modules whose text matches, in the order of their paths: to parse all of them takes seconds."""
    found = re.compile(pattern).search
    return {path: parse_module(path) for path in sorted(PACKAGE.rglob("*.py")) if found(path.read_text("utf-8"))}


def needs(module: str, extra: str, part: str = "") -> pytest.MarkDecorator:
    """Skip a test where a module is not installed, or a folder of it is not there."""
    found = find_spec(module)
    there = found is not None and found.origin is not None and (Path(found.origin).parent / part).is_dir()
    return pytest.mark.skipif(not there, reason=f"needs {module}: pip install -e '.[{extra}]'")


NEEDS_GENAI = needs("google.genai", "sdk")
NEEDS_GENAI_TYPES = needs("google.genai", "sdk", "_gaos/types")
"""google-genai 3.3 or newer."""
