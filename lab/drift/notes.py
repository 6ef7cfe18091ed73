"""Release notes as a source of drift: what they name and no schema does.

Google's command-line tool is generated from the same description as the SDKs, often days before them, and only its
release notes can be read. They are prose, so a name is a hint and no difference of types.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.contract.schema.schemas import Schemas
from harness.errors import UsageFault

_NAME = re.compile(r"(?<![\w./-])[a-z][a-z0-9]*(?:_[a-z0-9]+)+(?![\w/-])")
"""A name as members and values of the API have it: words of lower case, joined by `_`; no path and no flag."""


def read_notes(path: Path, schemas: Schemas) -> list[str]:
    """A line for each name in release notes that no schema has. Raises UsageFault if they cannot be read."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageFault(f"--notes {str(path)!r} cannot be read ({error}): name a text file") from None
    known = {word for name in schemas.names() for word in _list_words(schemas.document(name))}
    known |= set(_list_words(schemas.openapi()))
    seen: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        for name in _NAME.findall(line):
            if name not in known:
                seen.setdefault(
                    name, f"{path.name}:{number}: `{name}` is in no schema: {' '.join(line.split())[:80]}"
                )
    return [*seen.values()]


def _list_words(value: Any) -> Iterator[str]:
    """Every name and every word in a schema: its members, its values, and what its descriptions name."""
    if isinstance(value, dict):
        yield from value
        for part in value.values():
            yield from _list_words(part)
    elif isinstance(value, list):
        for part in value:
            yield from _list_words(part)
    elif isinstance(value, str):
        yield from re.findall(r"\w+", value)
