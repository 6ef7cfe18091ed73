"""Attributes that are replaced while a test runs, of modules that it may import later, too, or never.

A fixture imports nothing for its guards. Each test enters such blocks, so they are made of little.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, TypeAlias

from msgspec import Struct

Patch: TypeAlias = tuple[Any, str, Any]
"""Owner of an attribute, its name, and its new value."""


@contextmanager
def patched_attributes(patches: Iterable[Patch] = ()) -> Iterator[Callable[[Iterable[Patch]], None]]:
    """Replace attributes until the block ends; yield the function that replaces more of them."""
    done: list[tuple[Any, str, Any, Any]] = []

    def replace(more: Iterable[Patch]) -> None:
        for owner, name, value in more:
            done.append((owner, name, value, owner.__dict__.get(name)))
            setattr(owner, name, value)

    replace(patches)
    try:
        yield replace
    finally:
        for owner, name, value, original in reversed(done):
            if owner.__dict__.get(name) is not value:
                continue  # another block that has ended meanwhile restored it
            if original is None:
                delattr(owner, name)  # it was inherited
            else:
                setattr(owner, name, original)


@contextmanager
def patched_modules(
    names: frozenset[str], find_patches: Callable[[ModuleType], Iterable[Patch]]
) -> Iterator[None]:
    """Patch each of these modules: now if it is imported, or right after its import in the block."""
    missing = names.difference(sys.modules)
    with patched_attributes() as replace:
        for name in names - missing:
            replace(find_patches(importlib.import_module(name)))  # waits if another thread is importing it
        if not missing:
            yield
            return
        later = _PatchingFinder(missing, lambda module: replace(find_patches(module)))
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
