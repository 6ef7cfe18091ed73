"""The links of the documentation lead somewhere: every relative link names a file, every fragment a heading."""

from __future__ import annotations

import re
from pathlib import Path

from tests.in_one_test import in_one_test

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "harness" / "README.md",
    ROOT / "lab" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?!https?:|mailto:)([^)\s]+)\)")
_PLACE = re.compile(r"((?:`[\w.]+`(?: and |, )?)+) (?:of|in) `([\w/]+\.py)`")
_FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def _slugs(page: Path) -> set[str]:
    """The fragments that the headings of a page have on GitHub."""
    headings = re.findall(r"^#+ +(.+?) *$", _FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@in_one_test(page=PAGES)
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link names a file of the project, and its fragment a heading of that page."""
    for link in _LINK.findall(_FENCE.sub("", page.read_text("utf-8"))):
        name, _, fragment = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), f"{page.name} links to {link}, which is not there"
        if fragment and target.suffix == ".md":
            assert fragment in _slugs(target), f"{page.name} links to {link}, which has no such heading"


@in_one_test(page=PAGES)
def test_a_named_place_is_there(page: Path) -> None:
    """A guide that says "`name` of `module.py`" is right about both, so that no renaming leaves it behind."""
    for names, module in _PLACE.findall(page.read_text("utf-8")):
        files = (file for top in (".", "harness", "harness/*", "lab") for file in ROOT.glob(f"{top}/{module}"))
        words = set(re.findall(r"\w+", "".join(file.read_text("utf-8") for file in files)))
        gone = {*re.findall(r"\w+", names)} - words
        assert not gone, f"{page.name} names {sorted(gone)} of `{module}`, which are not there"
