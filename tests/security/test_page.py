"""docs/security.md: one page, and each test that it names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_each_named_test_exists() -> None:
    """A guarantee whose test was renamed or deleted is none."""
    missing = [
        f"{file}::{name}"
        for file, name in NAMED.findall(PAGE)
        if not (ROOT / file).is_file()
        or name not in {getattr(node, "name", "") for node in ast.parse((ROOT / file).read_text("utf-8")).body}
    ]
    assert not missing, missing


def test_the_five_guarantees_name_tests() -> None:
    """Each of them is proved by one, and the whole page can be read at once."""
    guarantees = re.findall(r"(?ms)^## \d\. (.*?)(?=^## )", PAGE)
    assert len(guarantees) == 5
    assert all(NAMED.search(guarantee) for guarantee in guarantees)
    assert len(PAGE.split()) <= 900
