"""What a create holds that the schemas do not list, and that is history to be taken back.

Layer 2. The service refuses unknown names, but takes back whatever it sent. Must not know which names are listed;
the schemas decide that.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import msgspec

from harness.contract import Contract
from harness.contract.data.input import without_unpublished
from harness.contract.schema.validator import Validator

Json = dict[str, Any]

_encode = msgspec.json.Encoder(order="deterministic").encode


class SentSteps:
    """The steps that the emulator sent and the schemas do not list: scripts may contain any."""

    def __init__(self, contract: Contract, most: int) -> None:
        self._contract = contract
        self._most = most
        self._sent: dict[bytes, None] = {}

    @cached_property
    def _validator(self) -> Validator:
        """Compiled when a script first has steps: most tests have none."""
        return self._contract.schemas.validator("step", closed=True)

    def remember(self, steps: Iterable[Json]) -> None:
        """Remember those of the steps that a strict create would refuse; the oldest are forgotten first."""
        for step in steps:
            if not self._validator.is_valid(step):
                self._sent[_encode(step)] = None
        while len(self._sent) > self._most:
            del self._sent[next(iter(self._sent))]

    def remove_from(self, given: Any) -> Any:
        """Return `input` without steps that were sent, here or, as third parties saw, by the live service."""
        rest = without_unpublished(given)
        if not self._sent or not isinstance(rest, list):
            return rest
        return [step for step in rest if _encode(step) not in self._sent]
