"""Enforces the layers of `harness/README.md`: every import of every module is checked against the table.

Imports inside functions count like those at the top of a module, and so do imports under `TYPE_CHECKING`, since a
type is knowledge, too. The generic packages must also not use words of the API that they are not allowed to
import.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.packages import PACKAGE, parse_module
from tests.size import ENTRIES, find_reached, walk

LAYERS: dict[str, int] = {
    "errors": -1,
    "wire": 0,
    "outcome": 0,
    "resources": 0,
    "files": 0,
    "child_processes": 0,
    "late_names": 0,
    "look": 0,
    "rules": 0,
    "contract": 1,
    "cassette": 1,
    "faults": 1,
    "kit": 1,
    "emulator": 2,
    "checks": 2,
    "strategies": 2,
    "extend": 3,
    "incidents": 3,
    "transport": 3,
    "resume": 3,
    "interactions": 4,
    "engine": 4,
    "benches": 5,
    "generated_files": 2,
    "report": 6,
    "inspector": 6,
    "plugin": 7,
    "cli": 8,
    "pytest_plugin": 8,
    "suite": 8,
    "__main__": 9,
}
"""Layer of each package; a package imports only itself and packages of lower layers."""

_LOWEST = frozenset(
    {"errors", "wire", "outcome", "resources", "files", "late_names", "contract", "cassette", "faults"}
)

REACH: dict[str, frozenset[str]] = {
    "rules": frozenset({"errors", "outcome", "resources", "files"}),
    "files": frozenset({"outcome"}),
    "late_names": frozenset(),
    "child_processes": frozenset({"wire"}),
    "transport": _LOWEST,
    "resume": _LOWEST,
}
"""Packages whose imports are listed, because their layer alone would allow more, or less."""

API_PACKAGES = frozenset(
    {
        "rules",
        "contract",
        "checks",
        "emulator",
        "extend",
        "strategies",
        "interactions",
        "incidents",
        "generated_files",
    }
)
"""Packages that know this API; whoever must work for any API gets an `Api` value instead."""

GENERIC = ("wire", "outcome", "cassette", "faults", "kit", "transport", "engine", "benches", "report")
"""Packages that would work for any API that streams events."""

FREE_OF_IMPORTS = ("plugin", "inspector")
"""Packages that import nothing of the API but use its words: the names of fixtures, markers and options."""

SPECIFIC: dict[str, str] = {
    "plugin/interactions": "the fixtures that are about this API",
}
"""Parts of the generic packages that know this API all the same, and why."""

WORDS = (
    "interactions", "step.", "event_type", "event_id", "google", "x-goog", "gemini", "v1beta", "function_call",
    "requires_action", "api_key_invalid",
)  # fmt: skip
"""Words that only this API uses, in names and in constants."""

_CHOOSE_IDS = (
    "benches/client/cases.py", "faults/kinds.py",
    "benches/client/judgement/case_results.py",
)  # fmt: skip

AGREED: dict[str, tuple[str, str]] = {
    "cassette/journal.py": ("interactions", "a key of vcrpy's format"),
    "cassette/layout.py": ("interactions", "a key of vcrpy's format"),
    "cassette/secret_scan.py": ("interactions", "a key of vcrpy's format"),
    "engine/search/scenario_collector.py": ("interactions", "what schemathesis calls its exchanges"),
    "engine/plan.py": ("interactions", "the cost of an exercise, which reports print under that name"),
    "benches/record/verify.py": ("interactions", "a key of vcrpy's format"),
    "report/json_report.py": ("interactions", "the cost of an exercise, which reports print under that name"),
    "kit/check.py": ("interactions", "the cost of an exercise, which reports print under that name"),
    **dict.fromkeys(_CHOOSE_IDS, ("event_id", "the setting that says which events of a stream carry an id")),
    "wire/secrets.py": ("google", "a secret must be known by its looks, whoever issued it"),
}
"""Exceptions: the words that a generic module may use all the same, and why."""

OURS = "interactions-harness"

LOOKED_AT = {
    ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Name, ast.Attribute,
    ast.arg, ast.Constant, ast.Expr,
}  # fmt: skip

MODULES = sorted(PACKAGE.rglob("*.py"))


def package_of(path: Path) -> str:
    """Return the part of the package that a module belongs to, `""` for `harness/__init__.py`."""
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "" if part == "__init__" else part


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """Return the nodes of a module that the tests look at."""
    return tuple(node for node in walk(parse_module(path)) if type(node) in LOOKED_AT)


def name_of(path: Path) -> str:
    """Return the name under which a module is imported."""
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


def imports_of(
    path: Path, *, members: bool = False, roots: Collection[str] = ("harness",)
) -> Iterator[tuple[int, str]]:
    """Yield line and absolute name of every import of ours, with `members` also of what is taken from modules."""
    inside = path.relative_to(PACKAGE.parent).with_suffix("").parts
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(inside[: -node.level]) + "." if node.level else ""
            module = base + (node.module or "")
            names = (
                [f"{module}.{alias.name}" for alias in node.names] if members or module == "harness" else [module]
            )
        else:
            continue
        yield from ((node.lineno, name) for name in names if name.partition(".")[0] in roots)


def allowed(importer: str, imported: str) -> bool:
    """Return whether one part of the package may import another."""
    if importer == imported:
        return True
    if importer in REACH:
        return imported in REACH[importer]
    return LAYERS[imported] < LAYERS[importer]


def test_a_module_imports_only_lower_layers() -> None:
    """A module imports nothing from a higher layer, from the same layer, or from a part missing in the table."""
    wrong = [f"{path}:{line}: {why}" for path in MODULES for line, why in forbidden_imports(path)]
    assert not wrong, "\n".join(wrong)


def forbidden_imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and reason of every import that the table forbids."""
    importer = package_of(path)
    for line, name in imports_of(path):
        parts = name.split(".")
        if len(parts) < 2 or not importer:
            continue
        imported = parts[1]
        if imported.startswith("__version") or not _is_part(imported):
            continue  # a name of harness/__init__.py, which imports nothing of ours
        if missing := {importer, imported} - LAYERS.keys():
            yield line, f"{', '.join(missing)} has no layer: add it to LAYERS and to harness/README.md"
        elif not allowed(importer, imported):
            yield line, f"{importer} must not know {imported}"


def _is_part(name: str) -> bool:
    return (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file()


def test_the_package_itself_imports_nothing_of_ours() -> None:
    """`import harness` imports no other module of ours, so it costs nothing."""
    assert list(imports_of(PACKAGE / "__init__.py")) == []


_FUZZ = ("strategies.search_model", "engine.search")
_CLIENTS = ("interactions.clients", "benches.client.bench", "incidents", "plugin")
_SERVERS = ("interactions.servers", "engine.run", "checks.catalogue", "checks.probes")
_TRAFFIC = ("interactions.traffic", "interactions.recordings", "checks.recordings", "contract.judge.history")
_RECORDS = ("benches.record", "transport.tap", "cassette.writer")
_RUNS = ("cli.run_reports", "report.terminal_report")
_MUTANTS = ("interactions.mutants", "emulator.mutants")

NOT_OF_PURPOSE: dict[str, tuple[str, ...]] = {
    "check": (*_CLIENTS, *_RECORDS, "inspector", *_FUZZ, *_MUTANTS, "resume"),
    "fuzz": (*_CLIENTS, *_RECORDS, "inspector", *_MUTANTS, "resume"),
    "verify": (*_CLIENTS, *_SERVERS, *_FUZZ, "benches.record.recorder", "transport.tap", "emulator", "resume"),
    "replay": (*_CLIENTS, *_SERVERS, *_FUZZ, *_RECORDS, *_RUNS, "emulator", "engine", "resume"),
    "serve": (*_SERVERS, *_FUZZ, *_RECORDS, *_RUNS, "checks.gateway", "engine.decide", "resume"),
    "torture": (*_SERVERS, *_FUZZ, *_RECORDS, *_MUTANTS, *_TRAFFIC, "inspector", "plugin", "resume"),
    "fixtures": (*_SERVERS, *_FUZZ, *_MUTANTS, *_TRAFFIC, "transport.tap", "cli", "suite", "report"),
    "gateway": (*_CLIENTS, *_RECORDS, *_FUZZ, *_MUTANTS, "interactions.servers", "engine.run", "resume"),
    "record": (*_CLIENTS, *_SERVERS, *_FUZZ, *_MUTANTS, *_RUNS, "emulator", "resume"),
}
"""What a purpose has no use for, by the names in `tests/size.py`: the parts of the others."""


@pytest.mark.parametrize("purpose", ENTRIES)
def test_no_purpose_imports_the_parts_of_another(purpose: str) -> None:
    """Whoever judges a server loads nothing that tortures clients, and so on; imports in functions count."""
    reached = reach_of_purposes()[purpose]
    known = {name_of(path).removeprefix("harness.") for path in MODULES}
    parts = NOT_OF_PURPOSE[purpose]
    assert all(part in known for part in parts), "a row names a module that is gone"
    wrong = sorted(name for name in reached if any(name == part or name.startswith(part + ".") for part in parts))
    assert not wrong, f"{purpose} reaches {', '.join(wrong)}"


@cache
def reach_of_purposes() -> dict[str, set[str]]:
    """The modules that each purpose reaches, without the name of the package."""
    found = find_reached({name_of(path): parse_module(path) for path in MODULES})
    return {purpose: {name.removeprefix("harness.") for name in names} for purpose, names in found.items()}


OUTSIDE = frozenset({"lab", "tests", "benchmarks"})
"""What is in a checkout and not in the wheel."""


def test_no_module_imports_what_is_not_in_the_wheel() -> None:
    """The lab, the tests and the benchmarks import the package; the package imports none of them."""
    assert all((PACKAGE.parent / name).is_dir() for name in OUTSIDE)
    imported = ((path, *found) for path in MODULES for found in imports_of(path, roots=OUTSIDE))
    wrong = [f"{path}:{line}: {name}" for path, line, name in imported]
    assert not wrong, "\n".join(wrong)


def test_no_modules_import_each_other() -> None:
    """Within a layer, too, imports lead one way, so that a module can be read after those that it imports."""
    known = {name_of(path): path for path in MODULES}
    graph: dict[str, set[str]] = {}
    for name, path in known.items():
        found = {imported for _, imported in imports_of(path, members=True)}
        graph[name] = {each if each in known else each.rpartition(".")[0] for each in found} - {name}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"these import each other: {' → '.join(reversed(error.args[1]))}")


def test_every_part_of_the_package_has_a_layer() -> None:
    """Every package has a layer in the table; a new one must be added here and in the README."""
    parts = {package_of(path) for path in MODULES} - {""}
    assert parts <= LAYERS.keys()


def said_in(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and text of every name and constant of a module; docstrings and comments do not count."""
    prose = {id(node.value) for node in nodes_of(path) if isinstance(node, ast.Expr)}
    for node in nodes_of(path):
        match node:
            case ast.Constant(value=str() | bytes() as value) if id(node) not in prose:
                yield node.lineno, value if isinstance(value, str) else value.decode("latin-1")
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name


@cache
def words_in(path: Path) -> dict[str, int]:
    """Return each word that only this API says, and a line of it; the name of our own package does not count."""
    said = ((line, text.lower().replace(OURS, "")) for line, text in said_in(path))
    return {word: line for line, text in said for word in WORDS if word in text}


def is_generic(path: Path) -> bool:
    """Whether a module belongs to a generic package, and to no part of it that is listed as specific."""
    return package_of(path) in GENERIC and not is_specific(path)


def is_specific(path: Path) -> bool:
    """Whether a module is in a part that knows the API."""
    return any(path.relative_to(PACKAGE).as_posix().startswith(part) for part in SPECIFIC)


GENERIC_MODULES = [path for path in MODULES if is_generic(path)]
IMPORTING_NOTHING = [
    path for path in MODULES if is_generic(path) or (package_of(path) in FREE_OF_IMPORTS and not is_specific(path))
]


def test_a_generic_module_imports_no_package_of_the_api() -> None:
    """A generic module receives what it must know about the API as a value, and imports nothing that knows it."""
    imported = ((path, *found) for path in IMPORTING_NOTHING for found in imports_of(path))
    wrong = [f"{path}:{line}: {name}" for path, line, name in imported if API_PACKAGES & set(name.split(".")[1:2])]
    assert not wrong, "\n".join(wrong)


def test_a_generic_module_does_not_spell_out_the_api() -> None:
    """A generic module uses only the words of this API that are agreed for it, and it uses all of these."""
    wrong = [f"{path}{where}" for path in GENERIC_MODULES for where in disagreed_words(path)]
    assert not wrong, "\n".join(wrong)


def disagreed_words(path: Path) -> Iterable[str]:
    """Yield what a module says and should not, and what is agreed for it and not said."""
    agreed = set(AGREED.get(path.relative_to(PACKAGE).as_posix(), ("", ""))[0].split())
    said = words_in(path)
    yield from (f":{line}: says {word!r}" for word, line in said.items() if word not in agreed)
    yield from (f" does not say {word!r} any more: take it off AGREED" for word in agreed - said.keys())


def test_the_specific_parts_are_there_and_know_the_api() -> None:
    """Each part listed as specific exists and imports a package of the API, so the list has no dead entries."""
    for part in SPECIFIC:
        own = [path for path in MODULES if path.relative_to(PACKAGE).as_posix().startswith(part)]
        known = {name.split(".")[1] for path in own for _, name in imports_of(path) if "." in name}
        assert known & API_PACKAGES, f"{part} does not know the API any more: take it off the list"


def test_the_words_are_found_where_they_are_said() -> None:
    """Each of the forbidden words is used in the packages that know the API, so it is still worth forbidding."""
    others = (path for path in MODULES if not is_generic(path))
    assert {word for path in others for word in words_in(path)} == set(WORDS)
