"""The formats that a finished run can be written in, by name.

Layer 6. Each format is imported only when it is needed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from msgspec import Struct

from harness.outcome.words import escape_unseen

if TYPE_CHECKING:
    from harness.report.presented_run import PresentedRun


class FormatEntry(Struct, frozen=True):
    """A format: the module whose `render` writes it, and the suffixes of its files, the usual one first.

    `mark` matches the beginning of every file of this format that we wrote.
    """

    module: str
    suffixes: tuple[str, ...]
    mark: re.Pattern[bytes]


_PAGE = rb'<!doctype html>\s*<html lang="en">\s*<head>\s*<meta name="generator" content="interactions-harness">'
_HEADLINE = rb"## [^\n]+: [^\n]+\n\n\*\*(PASSED|FAILED|NOTHING RAN|INCOMPLETE|HARNESS ERROR|INTERRUPTED)\b"

FORMATS: Mapping[str, FormatEntry] = {
    "json": FormatEntry("json_report", (".json",), re.compile(rb'\{\s*"harness":')),
    "junit": FormatEntry("junit", (".xml",), re.compile(rb'<\?xml [^>]*>\s*<testsuites name="harness"')),
    "markdown": FormatEntry("markdown", (".md",), re.compile(_HEADLINE)),
    "html": FormatEntry("html_report", (".html", ".htm"), re.compile(_PAGE)),
    "badge": FormatEntry("badge", (".json",), re.compile(rb'\{\s*"schemaVersion": 1,\s*"label":')),
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
