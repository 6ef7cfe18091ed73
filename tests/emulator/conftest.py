"""A fresh emulator for every test."""

import pytest

from .client import Api


@pytest.fixture
def api() -> Api:
    """A client of a new emulator with default settings."""
    return Api()
