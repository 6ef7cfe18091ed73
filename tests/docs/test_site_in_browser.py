"""The site in Chromium: axe finds nothing on its pages, on a phone and on a desk, light and dark."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.built_once import build_once
from tests.chromium import NEEDS_CHROMIUM, open_chromium

pytest.importorskip("playwright", reason="the browser tests need playwright: pip install -e '.[dev]'")
axe_package = pytest.importorskip("axe_playwright_python", reason="the browser tests need axe-playwright-python")
pytestmark = [
    *NEEDS_CHROMIUM,
    pytest.mark.skipif(find_spec("mkdocs") is None, reason="MkDocs is not installed: run `make docs` first"),
]

ROOT = Path(__file__).resolve().parents[2]
AXE = (Path(axe_package.__file__).parent / "axe.min.js").read_text("utf-8")
PAGES = ("index", "check", "cassettes", "emulator-reference", "reference", "fault-drawings", "rules/resume.no-gap")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "DISABLE_MKDOCS_2_WARNING": "true"}

    def build(folder: Path) -> None:
        command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(folder)]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)

    return build_once(tmp_path_factory, "site", build)


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
