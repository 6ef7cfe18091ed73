"""docs/security.md: each guarantee names a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
SECTION = re.compile(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
WITHOUT_TESTS = {"What is trusted", "What is not trusted", "What is not guaranteed", "Report a vulnerability"}


def test_each_named_test_exists() -> None:
    """A guarantee whose test was renamed or deleted is none."""
    missing = [
        f"{file}::{name}"
        for file, name in NAMED.findall(PAGE)
        if not (ROOT / file).is_file()
        or name not in {node.name for node in ast.parse((ROOT / file).read_text("utf-8")).body if _is_test(node)}
    ]
    assert not missing, missing


def _is_test(node: ast.AST) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name.startswith("test_")


def test_each_guarantee_names_a_test() -> None:
    """Every item of a section that guarantees something names at least one."""
    sections = dict(SECTION.findall(PAGE))
    assert sections.keys() >= WITHOUT_TESTS
    items = [
        item
        for title, text in sections.items()
        if title not in WITHOUT_TESTS
        for item in re.split(r"^- ", text, flags=re.MULTILINE)[1:]
    ]
    assert len(items) > 20
    assert not [item for item in items if NAMED.search(item) is None]
