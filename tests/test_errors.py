"""The tree that the docstring of `harness.errors` draws is the tree of the classes."""

from __future__ import annotations

import builtins
import importlib
import re
from functools import cache

from harness import errors
from tests.packages import PACKAGE

ROW = re.compile(r"^(?P<bars>[│├└─ ]*)(?P<name>[A-Z]\w+)(?:  .*)?$", re.MULTILINE)
CLASS = re.compile(r"^ *class ([A-Za-z]\w*)\(([^()]*)\)", re.MULTILINE)  # to parse all modules takes seconds


def drawn() -> dict[str, str]:
    """Return the base of each class of the drawing, by name."""
    tree = (errors.__doc__ or "").partition("\n\n")[2].partition("\n\n")[0]
    bases: dict[str, str] = {}
    above: list[str] = []
    for row in ROW.finditer(tree):
        depth = len(row["bars"]) // 4
        bases[row["name"]] = above[depth - 1] if depth else "Exception"
        above[depth:] = [row["name"]]
    return bases


@cache
def exceptions() -> dict[str, type[BaseException]]:
    """Return every public exception class that a module of the package defines, by name."""
    known = {name for name, value in (vars(builtins) | vars(errors)).items() if isinstance(value, type)}
    found: dict[str, type[BaseException]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for name, bases in CLASS.findall(path.read_text("utf-8")):
            if (known | found.keys()) & {base.strip() for base in bases.split(",")}:
                module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
                kind = getattr(importlib.import_module(module), name, None)
                if isinstance(kind, type) and issubclass(kind, BaseException):
                    found[name] = kind
    return found


def test_the_drawing_shows_the_classes() -> None:
    """Each class of the tree has the base that the drawing gives it, and none is missing there."""
    tree = {name: kind for name, kind in exceptions().items() if issubclass(kind, errors.HarnessError)}
    assert {name: kind.__bases__[0].__name__ for name, kind in tree.items()} == drawn()


def test_each_exception_beside_the_tree_is_named() -> None:
    """A public exception outside the tree is named in the docstring, which gives the reason."""
    beside = re.findall(r"`(\w+)`", (errors.__doc__ or "").partition("Beside the tree")[2].partition("private")[0])
    outside = {name for name, kind in exceptions().items() if not issubclass(kind, errors.HarnessError)}
    assert outside == {name for name in beside if name != "Exception"}
