"""Finds and loads the modules with which users add rules, mutants and faults.

`harness.extend.Extension` fills the parts. Must not know what checks and mutants are made of: a module that adds
one imports that itself.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import cache, partial
from importlib import import_module, metadata
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from harness.errors import UsageFault
from harness.kit.api import EXTENSION_GROUP, EXTENSION_VARIABLE, split_names

if TYPE_CHECKING:
    from harness.kit.check import Check
    from harness.kit.mutant import Mutant


class ExtensionParts:
    """The additions of one module, under one name; `title` heads its rules in reports."""

    def __init__(self, name: str, *, title: str) -> None:
        self.name = name
        self.title = title
        self.checks: list[Check] = []
        self.mutants: list[Mutant[Any]] = []
        self.kinds: list[Any] = []  # of cases for clients, as in `ClientModel.sets`


def load_named_extensions() -> tuple[ExtensionParts, ...]:
    """The extensions of the user. What they are made of is heavy, so it is imported only if one is named."""
    if not os.environ.get(EXTENSION_VARIABLE) and not _has_entry_points(tuple(sys.path)):
        return ()
    return load_extensions()


@cache
def _has_entry_points(path: tuple[str, ...]) -> bool:
    """Whether an installed package may bring an extension: only then `importlib.metadata` reads them.

    Most users have none. The import of that module, and its look at all packages, take a sixth of the time of
    `harness list`. So the files are only searched for the name of the group.
    """
    return any(_names_extensions(folder or os.curdir) for folder in path)


def _names_extensions(folder: str) -> bool:
    """Whether the entry points of a package in this folder may name the group of extensions."""
    if Path(folder).is_file():  # an archive of packages
        return True
    with suppress(OSError):
        for place in Path(folder).iterdir():
            if place.name.endswith((".dist-info", ".egg-info", "EGG-INFO")):
                with suppress(OSError):
                    if EXTENSION_GROUP.encode() in (place / "entry_points.txt").read_bytes():
                        return True
    return False


def load_extensions() -> tuple[ExtensionParts, ...]:
    """Every extension: of installed packages, then those that `EXTENSION_VARIABLE` names.

    Raises UsageFault for one that cannot be loaded or is no extension, and for names that are taken. The variable
    may be set for a whole shell, which visits folders of others: a relative path would run a file of theirs.
    """
    names = os.environ.get(EXTENSION_VARIABLE, "")
    for name in split_names(names):
        if name.endswith(".py") and not Path(name).is_absolute():
            raise UsageFault(
                f"{EXTENSION_VARIABLE} has {name!r}, which depends on the current folder: write an absolute path, "
                f"or pass --extension {shlex.quote(name)}"
            )
    return load_beside_installed(names)


@cache
def load_beside_installed(names: str) -> tuple[ExtensionParts, ...]:
    """The extensions of installed packages, then those of `names`, with commas between several."""
    loads = [(f"the entry point {one.name!r}", one.load) for one in metadata.entry_points(group=EXTENSION_GROUP)]
    loads += [(repr(name), partial(_import, name)) for name in dict.fromkeys(split_names(names))]
    found = tuple(dict.fromkeys(one for name, load in loads for one in _load(name, load)))
    _refuse_doubles("extension", [one.name for one in found])
    _refuse_doubles("rule", [check.id for one in found for check in one.checks])
    _refuse_doubles("mutant", [mutant.id for one in found for mutant in one.mutants])
    return found


def _load(name: str, load: Callable[[], Any]) -> list[ExtensionParts]:
    try:
        module = load()
    except UsageFault:
        raise
    except (Exception, SystemExit) as wrong:  # a script that ends would end the command, silently
        why = str(wrong) if isinstance(wrong, FileNotFoundError) else f"{type(wrong).__name__}: {wrong}"
        if isinstance(wrong, ModuleNotFoundError):
            why += ": install it, or name a file that ends in .py"
        raise UsageFault(f"the extension {name} cannot be loaded: {why}") from wrong
    found = [module] if isinstance(module, ExtensionParts) else vars(module).values()
    extensions = [value for value in found if isinstance(value, ExtensionParts)]
    if not extensions:
        raise UsageFault(f"{name} makes no extension: write `acme = Extension('acme')` in it (docs/extending.md)")
    return extensions


def _import(name: str) -> ModuleType:
    if not name.endswith(".py"):
        if Path(name).is_file() or os.sep in name:
            raise FileNotFoundError(f"{name!r} is not a module: name a file that ends in .py, or a module")
        return import_module(name)
    path = Path(name)
    spec = spec_from_file_location(f"harness_extension_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError(f"there is no file {name!r}: name a file that ends in .py, or a module")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # so that the rows of its table find its functions
    spec.loader.exec_module(module)
    return module


def _refuse_doubles(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise UsageFault(f"the {what} {name!r} is defined twice: rename one of the two")
        seen.add(name)
