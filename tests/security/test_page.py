"""docs/security.md: each guarantee names a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
SECTION = re.compile(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
WITHOUT_TESTS = {"What is trusted", "What is not trusted", "What is not guaranteed", "Report a vulnerability"}


@pytest.mark.slow
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


POINTERS = ("The limits for a file of a folder",)
"""Beginnings of paragraphs that guarantee nothing, but say where to read on."""


def find_unproven(page: str) -> list[str]:
    """The items and paragraphs of a page's guarantees that name no test."""
    sections = dict(SECTION.findall(page))
    assert sections.keys() >= WITHOUT_TESTS
    told = "\n\n".join(text for title, text in sections.items() if title not in WITHOUT_TESTS)
    parts = [part.strip() for part in re.split(r"\n\n|^- ", told, flags=re.MULTILINE)]
    assert len([part for part in parts if part]) > 20
    return [part for part in parts if part and not part.startswith(POINTERS) and NAMED.search(part) is None]


def test_each_guarantee_names_a_test() -> None:
    """Every item and paragraph of a section that guarantees something names at least one."""
    assert find_unproven(PAGE) == []


@pytest.mark.parametrize(
    "more", ["- Nothing is lost.\n", "\nNothing is lost.\n", "- Nothing is `lost.py::at_all`.\n"]
)
def test_a_guarantee_without_a_test_is_found(more: str) -> None:
    """The test above would notice each of these, in every section that guarantees something."""
    for title in dict(SECTION.findall(PAGE)).keys() - WITHOUT_TESTS:
        changed = PAGE.replace(f"## {title}\n", f"## {title}\n\n{more}\n", 1)
        assert find_unproven(changed) == [more.strip().removeprefix("- ")]
