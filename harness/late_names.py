"""The names of a package that are imported on first use, so that a user of one does not pay for the others.

A package lists them once, as its imports `if TYPE_CHECKING:`; the same lines say where each is. Below the layers;
imports nothing of ours. No name may be that of a module of the package: an import of the module would replace it.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any


def read_homes(package: str) -> dict[str, str]:
    """The module of each name that a package has for type checkers."""
    module: Any = sys.modules[package]
    tree = ast.parse(module.__loader__.get_data(module.__file__))
    imports = [node for guard in tree.body if isinstance(guard, ast.If) for node in guard.body]
    imported = [node for node in imports if isinstance(node, ast.ImportFrom)]
    return {name.name: str(node.module) for node in imported for name in node.names}


def late_names(package: str) -> Callable[[str], Any]:
    """The `__getattr__` of a package."""
    homes: dict[str, str] = {}

    def find(name: str) -> Any:
        homes.update({} if homes else read_homes(package))
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(import_module(homes[name]), name)
        setattr(sys.modules[package], name, found)  # kept: a run asks for some names thousands of times
        return found

    return find
