"""Marks of tests that need an optional package. An import takes seconds, in each worker that collects."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest


def needs(module: str, extra: str, part: str = "") -> pytest.MarkDecorator:
    """Skip a test where a module is not installed, or a folder of it is not there."""
    found = find_spec(module)
    there = found is not None and found.origin is not None and (Path(found.origin).parent / part).is_dir()
    return pytest.mark.skipif(not there, reason=f"needs {module}: pip install -e '.[{extra}]'")


NEEDS_GENAI = needs("google.genai", "sdk")
NEEDS_GENAI_TYPES = needs("google.genai", "sdk", "_gaos/types")
"""google-genai 3.3 or newer."""
