"""Fail a test whose own code has passed, for what its fixtures know: a plan never met, a request not recorded.

Layer 7. Decided when the test function has returned, so that such a test counts once, as failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

import pytest

CALL_PASSED = pytest.StashKey[bool]()
"""Whether the test function passed; set when it is over."""


class Complaining(Protocol):
    """A fixture's service that may have something against a test that passed."""

    def find_complaints(self) -> Iterator[str]:
        """What makes the test fail, in sentences."""


def check_services(services: Iterable[Complaining]) -> None:
    """Fail the test for all that its services complain about."""
    complaints = [complaint for service in services for complaint in service.find_complaints()]
    if complaints:
        pytest.fail("\n".join(dict.fromkeys(complaints)), pytrace=False)
