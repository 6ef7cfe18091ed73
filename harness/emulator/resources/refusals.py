"""What every resource needs besides a call's body: boolean parameters, and the refusal of a missing operation.

Layer 2. The API documents no error code for 405, so an operation that a resource lacks is answered with 404, as a
route that does not exist.
"""

from __future__ import annotations

from harness.emulator.values.call import Call, Refusal, not_found


def no_operation(call: Call, has: str) -> Refusal:
    """The 404 for a missing operation; its message lists the operations that the resource `has`."""
    return not_found(f"No such operation: {call.request.method} {call.request.path}; it has {has}.")


def flag(call: Call, name: str) -> bool:
    """Whether a boolean query parameter is set, to `true` (in any case) or `1`."""
    return call.query.get(name, "").lower() in ("true", "1")
