"""Contract tests, a reference emulator and record/replay for the Gemini Interactions API.

The package is layered; `harness/README.md` draws the layers and names the place of each kind of addition.
Importing this module is cheap on purpose: everything heavy is imported where it is used.
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """`harness.InteractionsEmulator`, the emulator for scripts and notebooks, imported on first access."""
    if name != "InteractionsEmulator":
        moved = ": write harness.InteractionsEmulator" * (name == "Emulator")  # that of `harness.emulator`
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}{moved}")
    from importlib import import_module

    return import_module("harness.plugin").InteractionsEmulator
