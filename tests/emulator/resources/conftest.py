"""A fresh client of empty resources for every test."""

import pytest

from tests.emulator.resources.api import Api


@pytest.fixture
def api() -> Api:
    """A `Neighbours` with nothing in it."""
    return Api()
