"""A fresh emulator for every test."""

import pytest

from tests.emulator.client import Api


@pytest.fixture
def api() -> Api:
    """A client of a new emulator with default settings."""
    return Api()
