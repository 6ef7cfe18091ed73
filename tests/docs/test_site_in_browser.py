"""The site in Chromium: axe finds nothing on its pages, on a phone and on a desk, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.chromium import NEEDS_CHROMIUM, find_violations
from tests.foreign.listening import listening

pytestmark = NEEDS_CHROMIUM

PHONE, DESK = (390, "light"), (1280, "dark")
SCREENS = {
    "index": (PHONE, DESK), "check": (PHONE,), "cassettes": (DESK,), "clients": (PHONE, DESK),
    "matrix": (PHONE, DESK), "reference": (PHONE,), "reference/harness.plugin": (DESK,),
    "fault-drawings": (PHONE, DESK), "rules/index": (PHONE, DESK),
    "rules/resume.no-gap": (PHONE,), "rules/gw.events": (DESK,),
}  # fmt: skip
"""The pages, and the screens on which they are judged; of two that are built alike, each on one."""

PATIENCE = 60_000
"""Milliseconds that a test waits for the search: so long only if something is wrong."""

INDEX = "**/search/search_index.json"


@pytest.fixture(scope="module")
def root(site: Path) -> Iterator[str]:
    """The address of the site: its search works only where it is served."""

    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(site))

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with listening(Quiet) as url:
        yield url


@pytest.mark.parametrize(
    ("name", "width", "scheme"), [(name, *screen) for name, screens in SCREENS.items() for screen in screens]
)
def test_axe_finds_nothing(root: str, browser: Any, name: str, width: int, scheme: str) -> None:
    """A page has no violation and no horizontal scroll bar, with all that opens in it open."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(f"{root}/{name}.html")
    page.wait_for_function("!document.querySelector('.md-code__nav:not([role])')")
    page.evaluate(UNFOLD)
    assert find_violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_a_wide_table_is_a_list_of_blocks_on_a_phone(root: str, browser: Any) -> None:
    """Nothing of it needs a horizontal scroll, and each cell names its column; on a desk it is a table."""
    page = browser.new_page(viewport={"width": 390, "height": 900})
    page.goto(f"{root}/implementations.html")
    table = page.locator(".md-typeset table[data-blocks]").first
    table.wait_for(timeout=PATIENCE)
    assert table.evaluate("one => one.parentElement.parentElement.scrollWidth") <= 390
    cell = table.locator("tbody td:nth-child(3)").first
    assert cell.evaluate("one => getComputedStyle(one, '::before').content") == '"passed"'
    assert table.get_by_role("row").count() > 3
    page.set_viewport_size({"width": 1280, "height": 900})
    assert cell.evaluate("one => getComputedStyle(one, '::before').content") == "none"
    page.close()


@pytest.mark.parametrize("name", ["pytest-reference", "control", "emulator-reference"])
def test_no_table_of_a_page_scrolls_on_a_phone(root: str, browser: Any, name: str) -> None:
    """A table of two columns is a list of blocks, too, if its code is wider than the screen."""
    page = browser.new_page(viewport={"width": 390, "height": 900})
    page.goto(f"{root}/{name}.html")
    page.locator(".md-typeset table[data-blocks]").first.wait_for(timeout=PATIENCE)
    wraps = page.locator(".md-typeset__scrollwrap:has(table:not([class]))")
    scrolls = "one => one.scrollWidth > one.clientWidth + 1 ? [one.innerText] : []"
    assert wraps.evaluate_all(f"all => all.flatMap({scrolls})") == []
    page.close()


def test_no_word_of_the_map_of_clients_is_broken(root: str, browser: Any) -> None:
    """The name of each mode and each figure stands on one line on a desk."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{root}/clients.html")
    page.locator(".harness-map").first.wait_for()
    heads, figures = (
        f"Math.max(...[...document.querySelector('.harness-map').shadowRoot.querySelectorAll('{what}')]"
        ".map(one => one.getClientRects().length))"
        for what in ("thead th:not(.who) > span", ".outcome > span:not(.name, .unseen)")
    )
    assert page.evaluate(heads) == 1
    assert page.evaluate(figures) == 1
    page.close()


UNFOLD = """
for (const part of document.querySelectorAll(".harness-map, .harness-part")) {
  part.shadowRoot.querySelector("[data-drawer]")?.click();
  for (const fold of part.shadowRoot.querySelectorAll("details")) fold.open = true;
}
"""


GUIDES = {
    "webhook": "The emulator",
    "docker": "The emulator",
    "migrate": "Migrate from vcrpy, pytest-recording, respx or a mock",
    "mock gemini": "Migrate from vcrpy, pytest-recording, respx or a mock",
    "async": "Resume a dropped stream",
    "cancel": "The pytest plugin: test your client offline",
    "poll": "The pytest plugin: test your client offline",
    "resume": "Resume a dropped stream",
    "install": "harness",
    "key": "Check a server: harness check",
    "cassette": "Record and replay cassettes",
    "pytest fixture": "The pytest plugin: test your client offline",
}


def test_the_search_finds_guides_first(root: str, browser: Any) -> None:
    """What a reader searches for first leads to a guide, before reference and pages of single rules."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(f"{root}/index.html")
    first, found = page.locator(".md-search-result__item h1").first, {}
    for words in GUIDES:
        page.fill("input.md-search__input", words)
        first.wait_for(timeout=PATIENCE)
        found[words] = first.inner_text()
        if words == "webhook":
            assert find_violations(page) == []
        page.fill("input.md-search__input", "")
        first.wait_for(state="detached", timeout=PATIENCE)
    assert found == GUIDES
    page.close()


def test_a_search_that_is_typed_before_the_index_is_there_shows_its_results(root: str, browser: Any) -> None:
    """A reader types once, however long the index takes."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    held: list[Any] = []
    page.route(INDEX, lambda route: held.append(route))
    with page.expect_request(INDEX, timeout=PATIENCE):
        page.goto(f"{root}/index.html")
    page.fill("input.md-search__input", "resume")
    first = page.locator(".md-search-result__item h1").first
    assert not first.is_visible()
    held.pop().continue_()
    first.wait_for(timeout=PATIENCE)
    page.close()
