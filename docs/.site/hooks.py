"""Hooks of MkDocs: pages that are made of what is elsewhere, so that no second copy can be wrong.

The start page is the README, those for contributors are CONTRIBUTING.md and the README.md of `harness` and `lab`.
There is a page for each rule, one of the sentences that rules judge, the matrix of rules and modes, a drawing for
each fault, and the public signatures. The counts and the map of `clients.md`, the incidents of `incidents.md` and
the changes of `api-changes.md` follow what is written there.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
_PATHS = [str(Path(__file__).parent), str(ROOT)]
sys.path[:0] = _PATHS

from drawings import drawings_page, put_drawings  # noqa: E402
from incident_pages import format_library  # noqa: E402
from rule_pages import list_rules, mutation_page, rule_index, rule_pages, sentences_page  # noqa: E402
from rule_pictures import PLACE, STYLE, draw_rule  # noqa: E402

# The project itself, wherever it is.
from harness.interactions.clients import CLIENTS  # noqa: E402
from lab.clients.page import (  # noqa: E402
    MAP_FILE,
    TABLE_FILE,
    render_maps,
    write_key,
    write_pages,
)
from lab.clients.survey import ClientColumn  # noqa: E402
from lab.clients.table import read_columns  # noqa: E402
from lab.drift.changes import format_changes, read_changes  # noqa: E402
from lab.modes import matrix_page, observe_matrix  # noqa: E402
from lab.site import part_style  # noqa: E402

_LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<target>(?!https?:|#|mailto:)[^)\s]+)\)")
_WIDE_TABLE = re.compile(r"^\|(?:[^|\n]*\|){9}", re.MULTILINE)
_HOMES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "harness/README.md": "architecture.md",
    "lab/README.md": "lab.md",
    "CHANGELOG.md": "changelog.md",
}


_MISSING = "<h1>404 - Not found</h1>"
_MISSING_HELP = (
    "<h1>Page not found</h1>\n<p>No page of this site has this address. Search for its subject, or choose a page "
    "from the navigation.</p>"
)


def on_post_template(output_content: str, template_name: str, config: Any) -> str:
    """Name the next step on the page that a wrong address leads to."""
    if template_name == "404.html":
        assert _MISSING in output_content, "the theme words its page of a wrong address otherwise"
        return output_content.replace(_MISSING, _MISSING_HELP)
    return output_content


_pictures: dict[str, Future[str]] = {}


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that are generated; a second process draws the rules meanwhile, which takes as long."""
    sys.path[:0] = _PATHS  # MkDocs took them away, and the process gets its path from here
    pool = ProcessPoolExecutor(1, get_context("spawn"))
    _pictures.update({rule: pool.submit(draw_rule, rule) for rule in list_rules()})
    pool.shutdown(wait=False)
    for page, text in _generate():
        files.append(File.generated(config, page, content=text))
    files.append(File.generated(config, STYLE, content=part_style()))
    return files


def on_page_markdown(markdown: str, page: Any, **rest: Any) -> str:
    """Let the links of a page in docs/ that leave the folder lead to the page made of that file.

    A page with a wide table gets the room of its table of contents.
    """
    if page.file.src_uri in _COMPLETED:
        markdown = f"{markdown.rstrip()}\n\n{_COMPLETED[page.file.src_uri]()}"
    page.meta["search"] = {"boost": _weigh(page)}
    if _WIDE_TABLE.search(markdown):
        page.meta["hide"] = ["toc"]
    if page.file.generated_by is not None:
        return markdown
    return _move_links(markdown, (ROOT / "docs" / page.file.src_uri).parent, Path(page.file.src_uri).parent)


_REFERENCE = ("Reference", "Project")
"""The sections of the menu whose pages are no guides; `tests/docs/test_guides.py` limits the others."""


def _weigh(page: Any) -> float:
    """How high the search lists a page: guides first, then reference, and generated pages of single rules last."""
    name = page.file.src_uri
    if name.startswith(("rules/", "reference/")) or name in ("sentences.md", "changelog.md", "reference.md"):
        return 0.2
    sections = [section.title for section in page.ancestors]
    return 1 if name in _COMPLETED or any(title in _REFERENCE for title in sections) else 4  # long lists


_MAP = "<!-- the map of clients -->"
_BELOW = '<h2 id="sources">'
_RULE = re.compile(r"rules/(?P<id>.+\..+)\.md")


def on_page_content(html: str, page: Any, **rest: Any) -> str:
    """Keep a place for the map of clients below the counts, and for the picture of a rule below its example."""
    if _RULE.fullmatch(page.file.src_uri):
        return html.replace(_BELOW, PLACE + _BELOW, 1)
    return html + _MAP if page.file.src_uri == "clients.md" else html


def on_post_page(output: str, page: Any, **rest: Any) -> str:
    """Put them there when the search has read the page; no style of the site reaches their shadow trees."""
    if rule := _RULE.fullmatch(page.file.src_uri):
        return output.replace(PLACE, _pictures[rule["id"]].result())
    if page.file.src_uri == "fault-drawings.md":
        return put_drawings(output, ROOT / "docs" / "faults.md", STYLE)
    return output.replace(_MAP, render_maps(_read_clients())) if page.file.src_uri == "clients.md" else output


def _generate() -> Iterator[tuple[str, str]]:
    for source, page in _HOMES.items():
        text = (ROOT / source).read_text("utf-8")
        yield page, _move_links(text, (ROOT / source).parent, Path())
    yield "rules/index.md", rule_index()
    yield from ((f"rules/{name}.md", text) for name, text in rule_pages())
    yield "sentences.md", sentences_page()
    yield MAP_FILE, write_pages(_read_clients())[MAP_FILE]
    yield "matrix.md", matrix_page(observe_matrix())
    yield "fault-drawings.md", drawings_page(ROOT / "docs" / "faults.md")
    yield from _reference()


@cache
def _read_clients() -> list[ClientColumn]:
    """The table of clients."""
    modes = {name: mode.about for name, mode in CLIENTS.load_client_model().modes.items()}
    return read_columns([ROOT / "docs" / TABLE_FILE], modes)


_COMPLETED: dict[str, Callable[[], str]] = {
    "clients.md": lambda: write_key(_read_clients()),
    "incidents.md": format_library,
    "api-changes.md": lambda: format_changes(read_changes()),
    "mutation.md": mutation_page,
}
"""What follows on a page after what is written there."""


def _reference() -> Iterator[tuple[str, str]]:
    """The signatures of every module that docs/api.md lists: a page for each, and a list of the pages."""
    modules = re.findall(r"^## (harness[\w.]*)$", (ROOT / "docs" / "api.md").read_text("utf-8"), re.MULTILINE)
    listed = "\n".join(f"- [`{module}`](reference/{module}.md)" for module in modules)
    about = "Generated from the docstrings; [api.md](api.md) says what is public and what it is for."
    yield "reference.md", f"# Signatures\n\n{about}\n\n{listed}\n"
    for module in modules:
        yield f"reference/{module}.md", f"# Signatures of {module}\n\n::: {module}\n"


def _move_links(text: str, folder: Path, page: Path) -> str:
    """Links as they lead from a page of the site: to the page of a file, or nowhere if it has none."""

    def move(match: re.Match[str]) -> str:
        name, hash_sign, fragment = match["target"].partition("#")
        path = (folder / name).resolve()
        up = "../" * len(page.parts)
        if path.is_relative_to(ROOT / "docs") and path.is_file():
            return f"[{match['text']}]({up}{path.relative_to(ROOT / 'docs').as_posix()}{hash_sign}{fragment})"
        home = _HOMES.get(path.relative_to(ROOT).as_posix()) if path.is_relative_to(ROOT) else None
        return f"[{match['text']}]({up}{home}{hash_sign}{fragment})" if home else match["text"]

    return _LINK.sub(move, text)
