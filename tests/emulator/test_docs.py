"""The documentation of the emulator names everything that there is."""

from __future__ import annotations

import re
from pathlib import Path

from harness.emulator import Script, Settings, control_api
from tests.in_one_test import in_one_test

DOCS = Path(__file__).resolve().parents[2] / "docs"


def first_cells(page: str) -> set[str]:
    """Return every word in backquotes in the first column of the page's tables."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return {
        word
        for line in text.splitlines()
        if line.startswith("| `")
        for word in re.findall(r"`([^`]+)`", line.split("|")[1])
    }


@in_one_test(name=Script.__struct_fields__)
def test_every_script_key_is_described(name):
    """docs/emulator-reference.md has a row for each key of a script."""
    assert name in first_cells("emulator-reference.md")


@in_one_test(name=Settings.__struct_fields__)
def test_every_setting_is_described(name):
    """docs/emulator-reference.md has a row for each setting."""
    assert name in first_cells("emulator-reference.md")


def test_every_control_path_is_described():
    """docs/control.md has a row for each request of the control API, and no others.

    Its table of the calls of a judged session has names in the first column, no requests.
    """
    rows = [row for row in first_cells("control.md") if row.partition(" ")[0].isupper()]
    described = {row.replace("/__harness__/", "") for row in rows}
    paths = {f"{method} {path}" for method, path in control_api._PATHS}
    served = {
        "GET faults",
        "DELETE faults",
        "GET incidents",
        "POST incidents",
    }  # `harness serve` answers these before they reach the emulator
    assert described == paths | served | {"GET ", "POST sessions", "DELETE sessions/{id}"}
