"""Every page of the site is a guide or reference: a guide is short, and shows a command or a test at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.in_one_test import in_one_test

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
MOST_WORDS = 1_500
FIRST_SCREEN = 45
"""Lines of a page that a reader sees without scrolling."""
REFERENCE = {"Reference", "Project"}
"""The sections of the menu that contain no guides."""
GENERATED_HERE = {"clients.md", "incidents.md", "api-changes.md"}
"""Pages whose content follows a few words: a table, a list of incidents or of changes."""


class _Loader(yaml.SafeLoader):
    """Reads mkdocs.yml, also where it has tags of Python."""


_Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)
NAV = yaml.load((ROOT / "mkdocs.yml").read_text("utf-8"), _Loader)["nav"]


def list_pages(entries: list[dict[str, Any]], section: str = "") -> Iterator[tuple[str, str]]:
    """The pages of the menu, each with its section."""
    for entry in entries:
        for title, value in entry.items():
            if isinstance(value, str):
                yield section, value
            else:
                yield from list_pages(value, section or title)


PAGES = list(list_pages(NAV))
GUIDES = [name for section, name in PAGES if section not in REFERENCE and (DOCS / name).exists()]


@in_one_test(name=GUIDES)
def test_a_guide_is_short(name: str) -> None:
    """A guide has at most 1,500 words; longer pages belong under Reference in the menu."""
    words = len((DOCS / name).read_text("utf-8").split())
    assert words <= MOST_WORDS, f"docs/{name} has {words} words: move details to a page under Reference"


@in_one_test(name=[name for name in GUIDES if name not in GENERATED_HERE])
def test_a_guide_begins_with_code_to_run(name: str) -> None:
    """The first screen of a guide has a block of code."""
    lines = (DOCS / name).read_text("utf-8").splitlines()[:FIRST_SCREEN]
    assert any(line.startswith("```") for line in lines), f"docs/{name} has no command in its first lines"


def test_every_page_is_in_the_menu() -> None:
    """A page that the menu lacks is neither a guide nor reference, and no reader finds it."""
    written = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md") if ".site" not in path.parts}
    assert written - {name for _, name in PAGES} == set()


@pytest.mark.parametrize("name", [name for _, name in PAGES if name.endswith("-reference.md")])
def test_a_reference_page_and_its_guide_link_to_each_other(name: str) -> None:
    """A reader of the guide finds the details, and a reader of the details the guide."""
    guide = name.replace("-reference", "")
    assert re.search(rf"\]\({name}[)#]", (DOCS / guide).read_text("utf-8"))
    assert re.search(rf"\]\({guide}[)#]", (DOCS / name).read_text("utf-8"))


MOST_COLUMNS = 84
"""Characters of a line of code that the site shows on a desk without scrolling."""


@in_one_test(name=GUIDES)
def test_the_remark_beside_a_command_is_seen(name: str) -> None:
    """A remark at the end of a line of the first screen needs no horizontal scroll."""
    lines = (DOCS / name).read_text("utf-8").splitlines()[:FIRST_SCREEN]
    hidden = [line for line in lines if "  # " in line and len(line) > MOST_COLUMNS and not line.startswith("|")]
    assert hidden == [], f"docs/{name} has remarks that a reader does not see: shorten them"
