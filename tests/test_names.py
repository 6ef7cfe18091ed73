"""Functions are short and named by verbs, a class name stands for one thing: the whole package is read to see it.

A bare past participle (`told`, `changed`) leaves open whether a function does something or returns something. It
may name a boolean or a property. A private function does not begin with a noun (`_text`, `_finding_record`),
unless it reads like an attribute of its argument (`_word_of`, `_keys_in`). The list of exceptions may only shrink:
what is listed and gone fails, too.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "harness"
MOST_LINES = 61


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


IRREGULAR = _words(
    """
    beaten begun bent bound broken brought built caught chosen dealt done drawn driven fallen fed felt forgotten
    fought found frozen given gone grown heard held hidden kept known laid led left lent lost made meant met
    overridden owed paid proven rebuilt redone resent rewritten said seen sent shaken shown sold spent stolen stood
    stuck taken taught thought thrown told torn understood undone unheard unknown unsaid unseen unsent unwritten
    withheld won worn woven written
    """
)
"""Participles that do not end in -ed, without those that are also verbs, such as `read` and `split`."""

VERBS = _words("breed embed exceed feed heed need proceed seed shed speed succeed")
"""Verbs that end in -ed."""

PARTICIPLES: dict[str, str] = {
    "cassette.replay.player": "Player.unused",
    "transport.server.wall_clock": "WallClock.reached",
    "wire.clock": "Clock.reached LogicalClock.reached",
}
"""The functions, by module, that are still named by a participle."""

NOUNS = _words(
    """
    absence address addresses agent anchor annotation annotations area arguments array attribute authentication
    automaton background bearer body bytes canonical cassette cassettes cell chaining characters children choice
    chunk circumstances codes coding codings comment config configuration connection consequences content
    contents creation credential cursors data decision deletion delta destination details difference differences
    disagreement document documents emulator engine engines entry environment error errors event events evidence
    excerpt exchanges extension extras fact failure failures fault faults fields file files finding flaws folder
    formats frames framing functions genai groups header headers headline holder hosts httpx ids incident
    incidents inputs inspector interaction items json key keys kind kinds letters levels likeness line lines
    literal literals loader losses mapping mebibytes media megabytes member members message messages
    milliseconds misfit module moment nanoseconds noise numbers object offset offsets opening operation
    operations origin overview own pairs parameter parameters particulars parts passage password path patience
    payload payloads pieces places problem problems progress properties proposal provenance reading redis
    refusal remote replies response result results root roots rounds routes row rows rule scalar scenario schema
    script seconds secret secrets section sections segments selection server service settings shapes shell
    sightings size status steps storage stream streaming string subject subscript table tar target template text
    texts thought thoughts timeline times token tools totals trail tree tunnel type union usage uvloop vacuity
    value values variable vcr version voice webhook weights words writer wrong zone
    """
)
"""Words that name what a function returns, or say of what kind it is, and are no verbs: `stage` and `record` may
be either."""

ACCESSORS = ("_of", "_in", "_at", "_for", "_with", "_as")
"""Ends of names that read like an attribute of what is passed."""

TWICE: frozenset[str] = frozenset()
"""The names that still stand for several classes."""


def is_participle(name: str) -> bool:
    """Whether a function's name is a past participle and nothing else."""
    word = name.strip("_")
    return word in IRREGULAR or (word.endswith("ed") and "_" not in word and word not in VERBS)


def named_by_participle(tree: ast.AST, scope: str = "") -> Iterator[str]:
    """The qualified names of functions that are named so and are neither properties nor answers of yes or no."""
    parts = (getattr(tree, part, ()) for part in ("body", "orelse", "handlers", "finalbody", "cases"))
    for node in chain.from_iterable(parts):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            if is_participle(node.name) and not _may_be_named_so(node):
                yield scope + node.name
            yield from named_by_participle(node, f"{scope}{node.name}.")
        elif isinstance(node, ast.ClassDef):
            yield from named_by_participle(node, f"{scope}{node.name}.")
        else:
            yield from named_by_participle(node, scope)


def _may_be_named_so(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    decorators = [ast.unparse(decorator) for decorator in function.decorator_list]
    returns = ast.unparse(function.returns) if function.returns else ""
    is_property = any("property" in name or name.endswith((".setter", ".deleter")) for name in decorators)
    return is_property or returns == "bool" or returns.startswith(("TypeGuard[", "TypeIs["))


def named_by_noun(tree: ast.AST) -> Iterator[str]:
    """Private functions that begin with a noun, and are no accessors, properties or booleans."""
    functions = (node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))
    for function in functions:
        name = function.name
        is_noun = name.startswith("_") and name.strip("_").partition("_")[0] in NOUNS and not name.endswith("__")
        reads_like_attribute = name.endswith(ACCESSORS) or "_of_" in name
        if is_noun and not reads_like_attribute and not _may_be_named_so(function):
            yield name


def public_classes(tree: ast.AST) -> Iterator[str]:
    """The names of all classes of a module that do not begin with an underscore."""
    return (
        node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )


@cache
def _modules() -> tuple[tuple[str, ast.Module], ...]:
    paths = ((path, path.relative_to(PACKAGE).with_suffix("").parts) for path in sorted(PACKAGE.rglob("*.py")))
    return tuple((".".join(parts), ast.parse(path.read_text("utf-8"))) for path, parts in paths)


def _listed(names: Iterable[str]) -> str:
    return "\n  ".join(["", *sorted(names)])


def test_functions_are_verbs() -> None:
    """No function is named by a bare past participle unless it is a property, a boolean or a listed exception."""
    found = {f"{module}:{name}" for module, tree in _modules() for name in named_by_participle(tree)}
    agreed = {f"{module}:{name}" for module, names in PARTICIPLES.items() for name in names.split()}
    assert not found - agreed, f"name these functions by what they do:{_listed(found - agreed)}"
    assert not agreed - found, f"these are gone: delete them from PARTICIPLES:{_listed(agreed - found)}"


def test_private_functions_are_verbs() -> None:
    """No private function begins with a noun."""
    found = {f"{module}:{name}" for module, tree in _modules() for name in named_by_noun(tree)}
    assert not found, f"name these functions by what they do:{_listed(found)}"


def test_functions_fit_on_a_screen() -> None:
    """No function is longer than `MOST_LINES`, its docstring included."""
    long = {
        f"{module}:{node.name}: {length} lines"
        for module, tree in _modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > MOST_LINES
    }
    assert not long, f"split these functions, each of which may have {MOST_LINES} lines:{_listed(long)}"


def test_a_class_name_stands_for_one_thing() -> None:
    """No public class name occurs in more than one module unless it is a listed exception."""
    homes: dict[str, list[str]] = defaultdict(list)
    for module, tree in _modules():
        for name in public_classes(tree):
            homes[name].append(module)
    several = {name: modules for name, modules in homes.items() if len(modules) > 1}
    new = {f"{name}: {', '.join(modules)}" for name, modules in several.items() if name not in TWICE}
    assert not new, f"rename all but one of each, so that the name says what it is:{_listed(new)}"
    gone = TWICE - several.keys()
    assert not gone, f"these are gone: delete them from TWICE:{_listed(gone)}"


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("def told(text): ...", ["told"]),
        ("class Plan:\n    def _checked(self) -> int: ...", ["Plan._checked"]),
        ("def outer():\n    async def sent() -> None: ...", ["outer.sent"]),
        ("if True:\n    def changed() -> str: ...", ["changed"]),
        ("def is_told(): ...\ndef tell(): ...\ndef feed(): ...\ndef read(): ...\ndef take_left_over(): ...", []),
        ("def settled(status) -> bool: ...", []),
        ("class Plan:\n    @property\n    def held(self) -> str: ...", []),
    ],
)
def test_what_counts_as_a_participle(source: str, names: list[str]) -> None:
    """Functions and methods at any depth count; verbs, longer names, properties and booleans do not."""
    assert list(named_by_participle(ast.parse(source))) == names


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("def _text(value): ...", ["_text"]),
        ("class Page:\n    async def _finding_record(self) -> dict: ...", ["_finding_record"]),
        ("def draw():\n    def _steps() -> list: ...", ["_steps"]),
        ("def text(value): ...\ndef _write_text(): ...\ndef _keys_in(text): ...\ndef _word_of(rule): ...", []),
        ("def _status() -> bool: ...\nclass Page:\n    @property\n    def _body(self) -> bytes: ...", []),
    ],
)
def test_what_counts_as_a_noun(source: str, names: list[str]) -> None:
    """Private functions and methods at any depth count; accessors, properties and booleans do not."""
    assert list(named_by_noun(ast.parse(source))) == names
