"""Names of fields where both forms are accepted: these resources answer in camelCase and take snake_case, too.

Layer 2. Source: google-genai sends `display_name`, @google/genai `displayName`; protocol buffers take both.
"""

from __future__ import annotations

from typing import Any

from harness.emulator.resources.paging import listing
from harness.emulator.values.call import invalid
from harness.emulator.values.suggestions import camel


def in_camel_case(value: Any) -> Any:
    """Return JSON whose names are all in camelCase. Raises `Refusal` 400 if a name came in both forms."""
    if isinstance(value, list):
        return [in_camel_case(item) for item in value]
    if not isinstance(value, dict):
        return value
    named: dict[str, Any] = {}
    for name, item in value.items():
        if camel(name) in named:
            raise invalid(f"Invalid value at '{camel(name)}': it was sent twice, in two forms.")
        named[camel(name)] = in_camel_case(item)
    return named


def list_in_camel_case(name: str, items: list[Any], token: str) -> dict[str, Any]:
    """Return the body of a list response whose names are in camelCase."""
    body = listing(name, items, token)
    return {("nextPageToken" if key == "next_page_token" else key): value for key, value in body.items()}
