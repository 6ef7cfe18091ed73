"""What every resource asks of a call beside its body: boolean parameters, and the answer to an operation it lacks.

Layer 2. The API documents no code for 405, so such a call is a route that is not there: 404.
"""

from __future__ import annotations

from harness.emulator.call import Call, Refusal, not_found


def no_operation(call: Call, has: str) -> Refusal:
    """The refusal, which names what the resource `has` instead."""
    return not_found(f"No such operation: {call.request.method} {call.request.path}; it has {has}.")


def flag(call: Call, name: str) -> bool:
    """A boolean query parameter: `true` or `1`, in any case."""
    return call.query.get(name, "").lower() in ("true", "1")
