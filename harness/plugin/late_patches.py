"""Patches for modules that a test may import later, or never: a fixture imports nothing for its guards.

Layer 7. Each test enters such blocks, so they are made of little.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from msgspec import Struct


@contextmanager
def patched_modules(names: frozenset[str], patch: Callable[[ModuleType], object]) -> Iterator[None]:
    """Call `patch` with each of these modules: now if it is imported, or right after its import in the block.

    The caller removes what it patched.
    """
    missing = names.difference(sys.modules)
    for name in names - missing:
        patch(importlib.import_module(name))  # waits if another thread is importing it
    if not missing:
        yield
        return
    later = _PatchingFinder(missing, patch)
    sys.meta_path.insert(0, later)
    try:
        yield
    finally:
        sys.meta_path.remove(later)


class _PatchingFinder(Struct, frozen=True, eq=False):
    """Patches each module right after it is imported."""

    names: frozenset[str]
    patch: Callable[[ModuleType], object]

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The spec that the next finder returns, with a loader that patches, too."""
        if name not in self.names:
            return None
        others = sys.meta_path[sys.meta_path.index(self) + 1 :]
        found = (other.find_spec(name, path, target) for other in others)
        spec = next(filter(None, found), None)
        if spec is None or spec.loader is None:
            return spec
        loader: Any = spec.loader
        execute = loader.exec_module

        def execute_and_patch(module: ModuleType) -> None:
            loader.exec_module = execute  # the module keeps its loader, which must not keep the test's service
            execute(module)
            self.patch(module)

        loader.exec_module = execute_and_patch
        return spec
