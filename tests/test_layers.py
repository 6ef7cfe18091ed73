"""The layers of `harness/README.md`, enforced: every import of every module is read and held to the table.

An import inside a function counts like one at the top; one under `TYPE_CHECKING` too, since a type is knowledge.
The generic packages are held to their words as well: what they do not import they must not spell out either.
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

GENERIC = ("wire", "outcome", "cassette", "faults", "transport")
"""Packages that would serve any API that streams events."""

WORDS = (
    "interactions", "step.", "event_type", "event_id", "google", "x-goog", "gemini", "v1beta", "function_call",
    "requires_action",
)  # fmt: skip
"""What only this API says, in names and in constants."""

AGREED: dict[str, tuple[str, str]] = {
    "cassette/file.py": ("interactions", "a key of vcrpy's format"),
    "cassette/journal.py": ("interactions", "a key of vcrpy's format"),
    "cassette/layout.py": ("interactions", "a key of vcrpy's format"),
    "cassette/scan.py": ("interactions", "a key of vcrpy's format"),
    "wire/secrets.py": ("google x-goog", "a secret must be known by its looks, whoever issued it"),
}
"""Module → the words it may say all the same, and why."""

OURS = "interactions-harness"

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


def said_in(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of every name and constant of a module; docstrings and comments may give examples."""
    tree = ast.parse(path.read_text("utf-8"), str(path))
    prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str() | bytes() as value) if id(node) not in prose:
                yield node.lineno, value if isinstance(value, str) else value.decode("latin-1")
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name


def words_in(path: Path) -> Iterator[tuple[int, str]]:
    """Line and word of everything that only this API says; our own package's name does not count."""
    for line, text in said_in(path):
        yield from ((line, word) for word in WORDS if word in text.lower().replace(OURS, ""))


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if package_of(path) in GENERIC],
    ids=lambda path: str(path.relative_to(PACKAGE)),
)
def test_a_generic_module_does_not_spell_out_the_api(path: Path) -> None:
    """It says no word of this API but those that are agreed, and an agreement that nothing needs any more goes."""
    agreed = set(AGREED.get(path.relative_to(PACKAGE).as_posix(), ("", ""))[0].split())
    said = {word: line for line, word in words_in(path)}
    assert {word: line for word, line in said.items() if word not in agreed} == {}, path
    assert agreed <= said.keys(), f"{path} does not say {agreed - said.keys()} any more"


def test_the_words_are_found_where_they_are_said() -> None:
    """What the generic packages are held to is said by those that know the API, each word of it."""
    others = (path for path in MODULES if package_of(path) not in GENERIC)
    assert {word for path in others for _, word in words_in(path)} == set(WORDS)
