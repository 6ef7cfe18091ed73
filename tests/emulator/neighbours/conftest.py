"""A fresh client of empty neighbours for every test."""

import pytest

from .api import Api


@pytest.fixture
def api() -> Api:
    """A `Neighbours` with nothing in it."""
    return Api()
