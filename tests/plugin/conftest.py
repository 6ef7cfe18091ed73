"""Fixtures that several test modules of the plugin share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module

import pytest

from harness.emulator import Emulator
from harness.transport import ServerThread


@pytest.fixture(scope="session", autouse=True)
def imported_sdk() -> None:
    """Google's SDK, for toy repositories of this process: after them, what they imported first is removed."""
    with suppress(ImportError):
        import_module("google.genai")


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """The service to record."""
    emulator = Emulator()
    with ServerThread(emulator, clock=emulator.clock) as server:
        monkeypatch.setenv("INTERACTIONS_RECORD_URL", server.url)
        yield emulator
