"""The errors raised for a cassette that cannot be read, written or recorded. Layer 1."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from harness.outcome import UsageFault
from harness.outcome.suggest import did_you_mean


class CassetteError(UsageFault):
    """A cassette cannot be used; the message says which one, where in it, why, and what to do."""


class FieldError(ValueError):
    """A field of an entry is wrong; `place` leads to it, from the entry or from a mapping inside."""

    def __init__(self, message: str, *place: str) -> None:
        super().__init__(message)
        self.place = place

    def inside(self, *outer: str) -> FieldError:
        """The same error, told by who knows where the mapping is."""
        return FieldError(str(self), *outer, *self.place)


def refuse_unknown(data: Mapping[str, Any], known: Collection[str], name: str, *place: str) -> None:
    """Raise FieldError for a field of `data`, called `name` and found at `place`, that is not among the known."""
    for field in data:
        if field not in known:
            raise FieldError(f"{name} has no field `{field}`{did_you_mean(str(field), known)}", *place, str(field))
