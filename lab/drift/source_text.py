"""The form of the schema files in version control: what stands first in each, and how its JSON is laid out."""

from __future__ import annotations

import json
import textwrap
from typing import Any

from harness.contract.schema.openness import Schema
from harness.contract.schema.published_files import identify

_WIDTH = 107


def format_json(value: Any) -> str:
    """The text of a file, with a newline at its end."""
    return _format(value, 0, 0) + "\n"


def _format(value: Any, indent: int, used: int) -> str:
    """The value as text whose first line starts at column `used`, in a block that is indented by `indent`."""
    flat = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, (dict, list)) or not value or (indent and used + len(flat) <= _WIDTH):
        return flat
    inner, end = " " * (indent + 2), "\n" + " " * indent
    if isinstance(value, dict):
        keys = {key: f"{inner}{json.dumps(key, ensure_ascii=False)}: " for key in value}
        rows = [key + _format(value[name], indent + 2, len(key) + 1) for name, key in keys.items()]
        return "{\n" + ",\n".join(rows) + end + "}"
    if all(isinstance(item, str) and " " not in item for item in value):
        wrap = textwrap.TextWrapper(
            _WIDTH,
            initial_indent=inner,
            subsequent_indent=inner,
            break_long_words=False,
            break_on_hyphens=False,
        )
        return "[\n" + wrap.fill(flat[1:-1]) + end + "]"
    return "[\n" + ",\n".join(inner + _format(item, indent + 2, indent + 3) for item in value) + end + "]"


_HEAD = ("$comment", "$schema", "$id", "description", "examples")


def arrange(document: Schema, revision: str, name: str) -> Schema:
    """The schema with its `$id`, and first what stands first in all files."""
    whole = {**document, "$id": identify(revision, name)}
    head = {key: whole[key] for key in _HEAD if key in whole}
    return {**head, **{key: value for key, value in whole.items() if key not in _HEAD}}
