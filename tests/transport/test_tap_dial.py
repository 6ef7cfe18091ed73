"""Which targets a recorder or a proxy must not have."""

from __future__ import annotations

import contextlib

import pytest

from harness.outcome import UsageFault
from harness.transport.tap_dial import refuse_itself


@pytest.mark.parametrize(
    ("target", "host", "refused"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1", True),
        ("http://localhost:8000", "127.0.0.1", True),
        ("http://127.0.0.1:8000", "localhost", True),
        ("http://127.0.0.1:8000", "0.0.0.0", True),
        ("http://127.0.0.2:8000", "0.0.0.0", True),
        ("http://127.0.0.1:8001", "127.0.0.1", False),
        ("http://127.0.0.2:8000", "127.0.0.1", False),
        ("http://192.0.2.1:8000", "0.0.0.0", False),
        ("http://nosuch.invalid:8000", "127.0.0.1", False),
    ],
)
def test_nobody_stands_in_front_of_itself(target: str, host: str, refused: bool) -> None:
    """Whatever the names, one address is one place; a port of its own, or another machine, is another."""
    told = pytest.raises(UsageFault, match="would ask itself") if refused else contextlib.nullcontext()
    with told:
        refuse_itself(target, host, 8000)
