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
def _axe() -> str:
    """The script that looks for what keeps people from using a page."""
    return (resources.files("axe_playwright_python") / "axe.min.js").read_text("utf-8")


def find_violations(page: Any) -> list[tuple[str, list[str]]]:
    """What axe finds wrong with the page as it is, with the elements of each."""
    page.evaluate(_axe())
    found = page.evaluate(_JUDGE)
    return [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found]


_JUDGE = """async () => {
  // Contrast takes axe three quarters of its time, and follows from styles: of all texts that look alike, on
  // grounds that look alike, one is judged. One of them alone may be clipped by its class, so that counts, too.
  const grounds = new Map(), looks = new Set(), sample = [];
  const isDrawn = (text) => {
    const range = document.createRange();
    range.selectNodeContents(text);
    return text.data.trim() && range.getClientRects().length > 0;
  };
  const visit = (node, below) => {
    const style = getComputedStyle(node);
    const own = [below, style.backgroundColor, style.backgroundImage, style.opacity, style.filter, style.clipPath];
    const ground = grounds.get(own.join("|")) ?? grounds.size;
    grounds.set(own.join("|"), ground);
    if ([...node.childNodes].some((child) => child.nodeType === Node.TEXT_NODE && isDrawn(child))) {
      const look = [ground, style.color, style.font, style.textShadow, node.tagName, node.className].join("|");
      if (!looks.has(look)) sample.push(node);
      looks.add(look);
    }
    for (const child of [...(node.shadowRoot?.children ?? []), ...node.children]) visit(child, ground);
  };
  visit(document.documentElement, "");
  const violations = {resultTypes: ["violations"], selectors: false};  // to find those takes a third of all
  const all = await axe.run(document, {...violations, rules: {"color-contrast": {enabled: false}}});
  const contrast = await axe.run({include: sample}, {...violations, runOnly: ["color-contrast"]});
  return [...all.violations, ...contrast.violations];
}"""
