"""The site in Chromium: axe finds nothing on its pages, on a phone and on a desk, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chromium import NEEDS_CHROMIUM, open_chromium

pytest.importorskip("playwright", reason="the browser tests need playwright: pip install -e '.[dev]'")
axe_package = pytest.importorskip("axe_playwright_python", reason="the browser tests need axe-playwright-python")
pytestmark = NEEDS_CHROMIUM

AXE = (Path(axe_package.__file__).parent / "axe.min.js").read_text("utf-8")
PAGES = ("index", "check", "cassettes", "emulator-reference", "reference", "fault-drawings", "rules/resume.no-gap")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser for all pages."""
    with open_chromium() as browser:
        yield browser


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (390, "light"),
        (1280, "dark"),
        *(pytest.param(*other, marks=pytest.mark.thorough) for other in ((390, "dark"), (1280, "light"))),
    ],
)
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(site: Path, chromium: Any, name: str, width: int, scheme: str) -> None:
    """A page has no violation and no horizontal scroll bar."""
    page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto((site / f"{name}.html").as_uri())
    page.wait_for_function("!document.querySelector('.md-code__nav:not([role])')")
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()
