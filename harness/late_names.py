"""The names of a package that are imported on first use, so that a user of one does not pay for the others.

Below the layers; imports nothing of ours. No name may be that of a module of the package: an import of the module
would replace it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def late_names(package: str, homes: Mapping[str, tuple[str, ...]]) -> Callable[[str], Any]:
    """The `__getattr__` of a package: `homes` has its names by the modules that define them."""

    def find(name: str) -> Any:
        home = next((home for home, names in homes.items() if name in names), None)
        if home is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        found = getattr(import_module(home), name)
        setattr(sys.modules[package], name, found)  # kept: a run asks for some names thousands of times
        return found

    return find
