"""Fixtures that several test modules of the plugin share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.emulator import Emulator
from harness.transport import ServerThread


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """The service to record."""
    emulator = Emulator()
    with ServerThread(emulator, clock=emulator.clock) as server:
        monkeypatch.setenv("INTERACTIONS_RECORD_URL", server.url)
        yield emulator
