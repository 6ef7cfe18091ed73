"""A real Chromium for tests of pages and for the pictures of the documentation."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import resources
from typing import Any

import pytest

from tests.packages import needs

PROGRAM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), ""
)
QUIET = ("--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync")

NEEDS_CHROMIUM = [
    pytest.mark.slow,
    pytest.mark.e2e,
    needs("playwright", "dev"),
    needs("axe_playwright_python", "dev"),
    pytest.mark.skipif(not PROGRAM, reason="no Chromium is installed (Debian: apt-get install chromium)"),
]
"""The marks of a module whose tests open pages."""


@contextmanager
def open_chromium() -> Iterator[Any]:
    """Start a Chromium that asks nothing of the internet; it is closed at the end."""
    from playwright.sync_api import sync_playwright  # an extra: modules of tests skip without it

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=PROGRAM, args=list(QUIET))
        yield chromium
        chromium.close()


@cache
def axe() -> str:
    """The script that looks for what keeps people from using a page."""
    return (resources.files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
