"""Mutants that every kept resource has: it is not kept, not listed, not deleted, or unknown ones are found.

Layer 2. A row of an area is for what is special to its resource.
"""

from __future__ import annotations

from harness.emulator.mutants.changes import answer, crash, is_missing, not_found, when
from harness.emulator.mutants.hooks import error, request
from harness.emulator.mutants.rows import EmulatorMutant, row


def life_rows(prefix: str, collection: str, many: str) -> tuple[EmulatorMutant, ...]:
    """The mutants whose resources, called `many`, do not live as they should."""
    return (
        row(f"{prefix}-not-kept", f"Made {many} are not found.",
            request(f"GET {collection}/*", not_found)),
        row(f"{prefix}-list-empty", f"The list of {many} is always empty.",
            request(f"GET {collection}", answer({}))),
        row(f"{prefix}-delete-keeps", f"A delete of {many} is answered with 200 but they are kept.",
            request(f"DELETE {collection}/*", answer({}))),
    )  # fmt: skip


def unknown_rows(prefix: str, collection: str, many: str) -> tuple[EmulatorMutant, ...]:
    """The mutants that do not refuse a read of `many` that do not exist."""
    return (
        row(f"{prefix}-unknown-200", f"A read of unknown {many} is answered with 200.",
            error(f"GET {collection}/*", when(is_missing, answer({})))),
        row(f"{prefix}-unknown-crashes", f"A read of unknown {many} is answered with 500.",
            error(f"GET {collection}/*", when(is_missing, crash))),
    )  # fmt: skip
