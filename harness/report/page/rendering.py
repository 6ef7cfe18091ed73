"""Puts values into a template: one file with its styles and scripts, and a policy that allows no more.

Whatever came over the wire is escaped by the template engine. The scripts are named by their hashes, so that
nothing else can run even if something were not escaped.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from harness import __version__
from harness.look import content_hash, mark_of, read_icons, read_script, read_style
from harness.outcome.words import escape_unseen
from harness.report.finding_text import compare_texts

FOLDER = Path(__file__).parent
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_WEB = re.compile(r"https?://", re.IGNORECASE)
_JOINT = re.compile(r"([/.])(?=[A-Za-z])")
_QUOTED = re.compile(r"`([^`]+)`")
_BEFORE_UNIT = re.compile(r"(?<=\d) (?=%|(?:s|ms|min|B|kB|MiB)\b)")


@cache
def _build_environment(folder: Path | None) -> Environment:
    environment = Environment(
        loader=FileSystemLoader([*([folder] if folder is not None else []), FOLDER / "templates"]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["prose"] = format_prose
    # A name may go on in the next line after a stroke or a dot before a letter.
    environment.filters["breakable"] = lambda name: Markup(_JOINT.sub(r"\1<wbr>", str(escape(name))))
    environment.filters["mark"] = lambda outcome: mark_of(str(outcome))
    # A link leads into the web, and to nothing that a browser would run.
    environment.filters["web"] = lambda url: url if _WEB.match(url) else ""
    environment.filters["beside"] = compare_texts
    return environment


def render_template(name: str, *, title: str, command: str, folder: Path | None = None, **values: Any) -> str:
    """The page that the named template makes of the values; `command` is the one that made the results.

    `folder` may have the template; the templates here are the parts of all.
    """
    head = read_script("theme")
    body = "\n".join((read_script("copy", "matrix"), (FOLDER / "page.js").read_text("utf-8")))
    return render_values(
        name,
        folder,
        title=title,
        command=command,
        version=__version__,
        style="\n".join((read_style("matrix", "picture"), (FOLDER / "page.css").read_text("utf-8"))),
        icons=read_icons(),
        head_script=head,
        head_hash=content_hash(head),
        body_script=body,
        body_hash=content_hash(body),
        **values,
    )


def render_values(name: str, folder: Path | None, **values: Any) -> str:
    """Put values into a template; no character is left that a browser or an editor would obey."""
    text = _build_environment(folder).get_template(f"{name}.html.jinja").render(**values)
    return escape_unseen(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", text))


def format_prose(text: str) -> Markup:
    """The escaped text; what stands in backticks is code, and no line begins with a unit."""
    return Markup(_QUOTED.sub(r"<code>\1</code>", _BEFORE_UNIT.sub("\N{NO-BREAK SPACE}", str(escape(text)))))


_SPACE = re.compile(r"\s+")


class FragmentNames:
    """Gives each text a fragment that no other text of the page has, and always the same one."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._used: set[str] = set()

    def name(self, text: str) -> str:
        """The fragment of a text: the text itself without white space, if that is free."""
        if text not in self._names:
            plain = _SPACE.sub("-", text.strip()) or "part"
            name, number = plain, 2
            while name in self._used:
                name, number = f"{plain}-{number}", number + 1
            self._used.add(name)
            self._names[text] = name
        return self._names[text]
