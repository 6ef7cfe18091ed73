"""Contents of a create that cannot be: media without bytes or place, and windows of time, pages and sheets.

Layer 2. Sources: the types of the SDK (an offset is decimal seconds and an "s", an end comes after its start,
pages and sheets are counted from 1, a last page may be the first one), and a recording of the service, which names
the place and not the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from harness.emulator.values.call import invalid

# both alphabets, padding optional: what proto3 JSON accepts as bytes
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")


def find_media_fault(content: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a content that holds media, or None; `{place}` in it stands for where that is.

    Source: the schema's byte format of `data`; that one of data and uri is required is inferred.
    """
    data = content.get("data")
    if data is None and not content.get("uri") and not content.get("name"):
        return (
            f"Invalid content in 'input': the {content['type']} has neither 'data' nor 'uri': "
            "send its bytes as base64, or where they are."
        )
    if data is not None and not is_base64(data):
        return (
            "The value is invalid for '{place}.data'. Expected string, corrupt base64 "
            f"('data' of the {content['type']} is no base64: encode its bytes, without a data: prefix.)"
        )
    return None


def is_base64(text: str) -> bool:
    """Whether `text` decodes to bytes; a last group of a single character cannot hold a byte."""
    return _BASE64.fullmatch(text) is not None and len(text.rstrip("=")) % 4 != 1


_SECONDS = re.compile(r"([0-9]+(?:\.[0-9]+)?)s")


def judge_windows(given: Any) -> None:
    """Raise Refusal for the first window in `input` that cannot be."""
    for place, processing in _find_processing(given, "input"):
        fault = _find_fault(processing)
        if fault is not None:
            raise invalid(f"Invalid input at '{place}'. {fault}")


def find_place(given: Any, wanted: Mapping[str, Any]) -> str:
    """Return where in `input` a content is, `input` if it was not found there as it came."""
    inputs = given if isinstance(given, list) else [given]
    for number, item in enumerate(inputs):
        place = f"input[{number}]" if isinstance(given, list) else "input"
        if item is wanted:
            return place
        content = item.get("content") if isinstance(item, dict) else None
        for at, part in enumerate(content if isinstance(content, list) else ()):
            if part is wanted:
                return f"{place}.content[{at}]"
    return "input"


def _find_processing(value: Any, place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(value, list):
        for number, item in enumerate(value):
            if isinstance(item, dict) and ("processing" in item or "content" in item):  # most have neither
                yield from _find_processing(item, f"{place}[{number}]")
    elif isinstance(value, dict):
        if isinstance(value.get("processing"), dict):
            yield f"{place}.processing", value["processing"]
        yield from _find_processing(value.get("content"), f"{place}.content")


def _find_fault(processing: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a way of processing, or None."""
    offsets = [processing.get(name) for name in ("start_offset", "end_offset")]
    for offset in offsets:
        if isinstance(offset, str) and _SECONDS.fullmatch(offset) is None:
            return f"The offset {offset!r} is no number of seconds: write it as '10.5s'."
    start, end = (float(offset[:-1]) if isinstance(offset, str) else None for offset in offsets)
    if end is not None and end <= (start or 0.0):
        return "'end_offset' has to come after 'start_offset'."
    return _find_fault_of_parts(processing)


def _find_fault_of_parts(processing: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the pages and the sheet that are to be read, or None."""
    options = (processing.get(name) for name in ("page_options", "spreadsheet_options"))
    pages, sheet = (given if isinstance(given, dict) else {} for given in options)
    first, last = pages.get("start_page", 1), pages.get("end_page")
    if first < 1 or (last is not None and last < 1):
        return "Pages are counted from 1."
    if last is not None and last < first:
        return "'end_page' is before 'start_page'."
    if sheet.get("sheet_index", 1) < 1:
        return "Sheets are counted from 1; leave 'sheet_index' out for all of them."
    return None
