"""Check that no function is a bare participle, and that a class name stands for one thing, in the whole package.

A bare past participle (`told`, `changed`) leaves open whether a function does something or returns something. It
may name a boolean or a property. The list of exceptions may only shrink: what is listed and gone fails, too.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain

import pytest

from tests.packages import PACKAGE, parse_package


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
    "cassette.player": "Player.unused",
    "transport.server.server": "WallClock.reached",
    "wire.pieces": "Clock.reached LogicalClock.reached",
}
"""The functions, by module, that are still named by a participle."""

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


def public_classes(tree: ast.AST) -> Iterator[str]:
    """The names of all classes of a module that do not begin with an underscore."""
    return (
        node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for path, tree in parse_package().items():
        yield ".".join(path.relative_to(PACKAGE).with_suffix("").parts), tree


def _listed(names: Iterable[str]) -> str:
    return "\n  ".join(["", *sorted(names)])


def test_functions_are_verbs() -> None:
    """No function is named by a bare past participle unless it is a property, a boolean or a listed exception."""
    found = {f"{module}:{name}" for module, tree in _modules() for name in named_by_participle(tree)}
    agreed = {f"{module}:{name}" for module, names in PARTICIPLES.items() for name in names.split()}
    assert not found - agreed, f"name these functions by what they do:{_listed(found - agreed)}"
    assert not agreed - found, f"these are gone: delete them from PARTICIPLES:{_listed(agreed - found)}"


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
