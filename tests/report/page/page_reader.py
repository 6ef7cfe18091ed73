"""Reads a page as a browser would parse it, as far as the tests need: elements, ids, links, text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = frozenset({"meta", "link", "input", "br", "hr", "img"})


@dataclass
class PageReader(HTMLParser):
    """What a page holds; `wrong` lists elements that are closed where they are not open."""

    ids: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    handlers: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    text: str = ""

    @classmethod
    def read(cls, page: str) -> PageReader:
        """The parsed page."""
        reader = cls()
        HTMLParser.__init__(reader)
        reader.feed(page)
        reader.text = reader.text.replace("\N{NO-BREAK SPACE}", " ")
        reader.wrong += [f"<{tag}> is never closed" for tag in reader.open]
        return reader

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.ids += [values["id"]] if "id" in values else []
        self.handlers += [name for name in values if name.startswith("on")]
        if tag == "a":
            self.links.append(values.get("href", ""))
        elif tag == "link" or "src" in values:
            self.loads.append(values.get("href") or values.get("src", ""))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            self.wrong.append(f"</{tag}> inside <{self.open[-1] if self.open else ''}>")

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.text += data


def find_faults(page: str) -> list[str]:
    """What is wrong with a page: markup, ids that come twice, links that lead nowhere or run something."""
    reader = PageReader.read(page)
    faults = list(reader.wrong)
    faults += [f"the id {name!r} comes twice" for name in set(reader.ids) if reader.ids.count(name) > 1]
    faults += [f"#{name} leads nowhere" for name in fragments(reader) - set(reader.ids) - waiting_ids(page)]
    faults += [f"a link to {link!r}" for link in reader.links if not re.match(r"#|https?://", link)]
    faults += [f"it loads {name!r}" for name in reader.loads if name != "data:,"]
    return faults + [f"a handler {name!r}" for name in reader.handlers]


def fragments(reader: PageReader) -> set[str]:
    """Where the links of a page lead inside it."""
    return {link[1:] for link in reader.links if link.startswith("#")}


def waiting_ids(page: str) -> set[str]:
    """The ids of the rows that are still data."""
    return set(re.findall(r'"fragment": "([^"]+)"', page))
