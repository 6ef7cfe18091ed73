"""docs/api.md and the packages agree: what the page lists can be imported, what is exported is on the page."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

from harness.late_names import read_homes
from tests.in_one_test import in_one_test
from tests.packages import parse_package

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "api.md").read_text("utf-8")
_PUBLIC, _INTERNAL = PAGE.split("\n## Internal\n")
_CODE = re.compile(r"`([\w.]+)`")


def listed() -> dict[str, set[str]]:
    """Return the public names on the page, by package."""
    sections = re.findall(r"^## (harness[\w.]*)\n(.*?)(?=^## |\Z)", _PUBLIC, re.MULTILINE | re.DOTALL)
    cells = re.compile(r"^\| (`.*?) \|", re.MULTILINE)
    return {name: {n for cell in cells.findall(text) for n in _CODE.findall(cell)} for name, text in sections}


def internal() -> dict[str, set[str]]:
    """Return the names that the page calls internal, by package; `*` stands for the whole package."""
    found: dict[str, set[str]] = {}
    for line in re.findall(r"^- (.*?)(?=^- |\Z)", _INTERNAL, re.MULTILINE | re.DOTALL):
        packages, _, rest = line.partition(":")
        for package in _CODE.findall(packages):
            found[package] = set(_CODE.findall(rest)) or {"*"}
    return found


def exported() -> dict[str, set[str]]:
    """Return the names in `__all__`, by module."""
    found: dict[str, set[str]] = {}
    for path, tree in parse_package("__all__").items():
        for node in tree.body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
                parts = path.relative_to(ROOT).with_suffix("").parts
                found[".".join(parts).removesuffix(".__init__")] = set(ast.literal_eval(node.value))
    return found


LISTED, INTERNAL, EXPORTED = listed(), internal(), exported()


LATE = [
    path.parent for path in sorted((ROOT / "harness").rglob("__init__.py")) if b"late_names(" in path.read_bytes()
]


@in_one_test(folder=LATE)
def test_a_late_name_is_the_same_whatever_was_imported_before(folder: Path) -> None:
    """Each name has at most one home, and none is that of a module, which would take its place when imported."""
    module = importlib.import_module(".".join(folder.relative_to(ROOT).parts))
    late = {*read_homes(module.__name__)}
    assert late <= set(module.__all__) <= {*late, *dir(module)}
    assert {path.stem for path in folder.iterdir()}.isdisjoint(module.__all__)


@in_one_test(package=LISTED)
def test_what_is_listed_is_there(package: str) -> None:
    """Each name on the page can be imported from the package that the page gives."""
    if package in ("harness.strategies", "harness.engine.search"):
        pytest.importorskip("schemathesis", reason="the extra `fuzz` is not installed")
    for name in LISTED[package]:
        module, _, attribute = f"{package}.{name}".rpartition(".")
        assert hasattr(importlib.import_module(module), attribute), f"{module} has no {attribute}"


@in_one_test(module=EXPORTED)
def test_what_is_exported_is_listed(module: str) -> None:
    """Each name in an `__all__` is on the page once: in the table of its package, or as internal."""
    hidden = INTERNAL.get(module, set())
    if hidden == {"*"}:
        return
    parent, _, last = module.rpartition(".")
    nested = {name.removeprefix(f"{last}.") for name in LISTED.get(parent, set()) if name.startswith(f"{last}.")}
    public = LISTED.get(module, set()) | nested
    assert EXPORTED[module] - public - hidden == set(), "exported, and not on docs/api.md"
    assert public & hidden == set(), "public and internal"


def test_nothing_internal_is_left_over() -> None:
    """Each name that the page calls internal exists."""
    assert set(INTERNAL) <= set(EXPORTED)
    left = {module: names - EXPORTED[module] - {"*"} for module, names in INTERNAL.items()}
    assert not {module: names for module, names in left.items() if names}


def test_the_example(capsys: pytest.CaptureFixture[str]) -> None:
    """The example on the page runs unchanged."""
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    exec(compile(code, "docs/api.md", "exec"), {})
    assert capsys.readouterr().out.endswith(" All of it, once.\n")
