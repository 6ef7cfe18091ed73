"""The layers of `harness/README.md`, enforced: every import of every module is read and held to the table.

An import inside a function counts like one at the top; one under `TYPE_CHECKING` too, since a type is knowledge.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "harness"

LAYERS: dict[str, int] = {
    "wire": 0,
    "outcome": 0,
    "resources": 0,
    "contract": 1,
    "cassette": 1,
    "faults": 1,
    "emulator": 2,
    "checks": 2,
    "strategies": 2,
    "transport": 3,
    "resume": 3,
    "runner": 4,
    "report": 5,
    "cli": 6,
    "plugin": 6,
    "pytest_plugin": 7,
    "suite": 7,
    "__main__": 7,
}
"""A package imports only lower ones, and none of its own layer but itself."""

REACH: dict[str, frozenset[str]] = {
    "transport": frozenset({"wire", "outcome", "resources", "contract", "cassette", "faults"}),
    "resume": frozenset({"wire", "outcome", "resources", "contract", "cassette", "faults"}),
}
"""Packages that see less than their layer would let them."""

MODULES = sorted(PACKAGE.rglob("*.py"))


def package_of(path: Path) -> str:
    """The part of the package a module belongs to, `""` for `harness/__init__.py`."""
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "" if part == "__init__" else part


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """Line and absolute name of everything of ours that a module imports."""
    inside = path.relative_to(PACKAGE.parent).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(inside[: -node.level]) + "." if node.level else ""
            module = base + (node.module or "")
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "harness" else [module]
        else:
            continue
        yield from ((node.lineno, name) for name in names if name.partition(".")[0] == "harness")


def allowed(importer: str, imported: str) -> bool:
    """Whether one part of the package may know another."""
    if importer == imported:
        return True
    if importer in REACH:
        return imported in REACH[importer]
    return LAYERS[imported] < LAYERS[importer]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_lower_layers(path: Path) -> None:
    """No import goes up, sideways, or to a part that the table does not name."""
    importer = package_of(path)
    for line, name in imports_of(path):
        parts = name.split(".")
        if len(parts) < 2 or not importer:
            continue
        imported = parts[1]
        if imported.startswith("__version") or not _is_part(imported):
            continue  # a name of harness/__init__.py, which imports nothing of ours
        assert importer in LAYERS, f"{path}: the package {importer!r} has no layer"
        assert imported in LAYERS, f"{path}:{line}: {name} has no layer"
        assert allowed(importer, imported), f"{path}:{line}: {importer} must not know {imported}"


def _is_part(name: str) -> bool:
    return (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file()


def test_the_package_itself_imports_nothing_of_ours() -> None:
    """`import harness` costs nothing: what is wanted is imported by name."""
    assert list(imports_of(PACKAGE / "__init__.py")) == []


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("checks", "emulator"),
        ("emulator", "checks"),
        ("contract", "cassette"),
        ("cassette", "contract"),
        ("faults", "contract"),
        ("wire", "outcome"),
        ("outcome", "wire"),
        ("wire", "contract"),
        ("transport", "emulator"),
        ("transport", "checks"),
        ("resume", "transport"),
        ("runner", "report"),
        ("report", "cli"),
    ],
)
def test_the_table_forbids_what_it_must(importer: str, imported: str) -> None:
    """The table says no to the pairs that keep the oracles independent and the generic layers generic."""
    assert not allowed(importer, imported)


def test_every_part_of_the_package_has_a_layer() -> None:
    """A new package takes its place in the table, here and in the README."""
    parts = {package_of(path) for path in MODULES} - {""}
    assert parts <= LAYERS.keys()
