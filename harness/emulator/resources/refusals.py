"""What every resource needs besides a call's body: boolean parameters, usable ids, and refusals they share.

Layer 2. The API documents no error code for 405, so an operation that a resource lacks is answered with 404, as a
route that does not exist.
"""

from __future__ import annotations

import re

from harness.emulator.values.call import Call, Refusal, invalid, not_found


def no_operation(call: Call, has: str) -> Refusal:
    """The 404 for a missing operation; its message lists the operations that the resource `has`."""
    return not_found(f"No such operation: {call.request.method} {call.request.path}; it has {has}.")


def conflict(message: str) -> Refusal:
    """The 409 of those resources that answer a conflict with `aborted` (credentials, files)."""
    return Refusal(409, "aborted", message)


def over_quota(message: str) -> Refusal:
    """The 429 of a store that is full: the emulator bounds its memory."""
    return Refusal(429, "quota_exceeded", message)


def flag(call: Call, name: str) -> bool:
    """Whether a boolean query parameter is set, to `true` (in any case) or `1`."""
    return call.query.get(name, "").lower() in ("true", "1")


def usable_id(value: str, what: str) -> str:
    """Return `value` if it can be one segment of a path and precede a `:verb`; raise `Refusal` 400 otherwise."""
    if re.fullmatch(r"[^\s/:?#%]+", value) is None:
        raise invalid(f"The id {value!r} of {what} cannot be used in a path: avoid blanks and / : ? # %.")
    return value
