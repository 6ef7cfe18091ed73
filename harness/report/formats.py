"""The formats that a finished run can be written in, by name.

Each format is imported only when it is needed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from msgspec import Struct

from harness.outcome.words import escape_unseen

if TYPE_CHECKING:
    from harness.report.presented_run import PresentedRun


class FormatEntry(Struct, frozen=True):
    """A format: the module whose `render` writes it, and the suffixes of its files, the usual one first."""

    module: str
    suffixes: tuple[str, ...]


FORMATS: Mapping[str, FormatEntry] = {
    "json": FormatEntry("json_report", (".json",)),
    "junit": FormatEntry("junit", (".xml",)),
    "markdown": FormatEntry("markdown", (".md",)),
    "html": FormatEntry("html_report", (".html", ".htm")),
    "badge": FormatEntry("badge", (".json",)),
}


def render(name: str, state: PresentedRun) -> str:
    """Render a finished run in the named format, which must be one of FORMATS."""
    text: str = import_module(f"harness.report.{FORMATS[name].module}").render(state)
    return text


def dump(value: object) -> str:
    """Format JSON as every command prints it.

    Escapes what a terminal or an editor would obey, and lone surrogates, so that the text can always be encoded.
    """
    text = escape_unseen(json.dumps(value, ensure_ascii=False, indent=2))
    return text.encode("utf-8", "backslashreplace").decode("utf-8") + "\n"
