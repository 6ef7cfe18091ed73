"""Reads what code under test ended up with: a text, an interaction of any library, or a list of events.

Layer 2. Values of google-genai are read through their `model_dump`, without importing the library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.contract.data.output import output_text


def plain(value: Any) -> Any:
    """The JSON value of an SDK's model; any other value as it is."""
    dump = getattr(value, "model_dump", None)
    if not callable(dump):
        return value
    dumped = dump(mode="json", exclude_unset=True)
    raw = (
        dumped.get("raw") if isinstance(dumped, dict) else None
    )  # how google-genai keeps an event it does not know
    return raw if isinstance(raw, dict) else dumped


def events_of(value: Any) -> list[Mapping[str, Any]] | None:
    """The decoded events in a list, without frames of broken JSON; None if `value` is not a list of events.

    Strings alone are no events but printed text.
    """
    if isinstance(value, str | bytes | Mapping) or not isinstance(value, Sequence):
        return None
    events = [plain(item) for item in value]
    if not all(isinstance(event, Mapping | str) for event in events):
        return None
    if events and all(isinstance(event, str) for event in events):
        return None
    return [event for event in events if isinstance(event, Mapping)]


def status_of(value: Any) -> str | None:
    """The status of an interaction, or the status itself if `value` is one; None otherwise."""
    value = plain(value)
    status = value.get("status") if isinstance(value, Mapping) else getattr(value, "status", value)
    return status if isinstance(status, str) else None


def text_in(value: Any) -> str | None:
    """The output text of an interaction or of assembled events; None if it has neither steps nor text."""
    value = plain(value)
    if isinstance(value, Mapping) and isinstance(value.get("steps"), list):
        return output_text(value)
    text = getattr(value, "text", None)
    return text if isinstance(text, str) else None
