"""Names of fields where both forms are accepted: these resources answer in camelCase and take snake_case, too.

Layer 2. Source: google-genai sends `display_name`, @google/genai `displayName`; protocol buffers take both.
"""

from __future__ import annotations

from typing import Any

from harness.emulator.resources.fields import Shape, read
from harness.emulator.resources.paging import listing
from harness.emulator.values.call import invalid
from harness.emulator.values.suggestions import snake


def read_either(value: Any, shape: Shape, what: str) -> dict[str, Any]:
    """Read an object with keys in either form; the fields returned are in snake_case. Raises `Refusal` 400."""
    if not isinstance(value, dict):
        return read(value, shape, what)
    plain: dict[str, Any] = {}
    for name, item in value.items():
        if snake(name) in plain:
            raise invalid(f"The field {name!r} of {what} was sent twice, in two forms.")
        plain[snake(name)] = item
    return read(plain, shape, what)


def list_in_camel_case(name: str, items: list[Any], token: str) -> dict[str, Any]:
    """Return the body of a list response whose names are in camelCase."""
    body = listing(name, items, token)
    return {("nextPageToken" if key == "next_page_token" else key): value for key, value in body.items()}
