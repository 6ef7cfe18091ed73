"""The page of changes is current, and speaks of the SDK version that is installed."""

from __future__ import annotations

import re

import pytest

from lab.drift.changes import format_changes, list_changes, read_changes
from lab.drift.packages import find_installed
from lab.drift.type_model import FieldType, OperationType, Record, TypeModel, ValueType

TEXT = ValueType(frozenset({"string"}))


def describe(**fields: FieldType) -> TypeModel:
    """A description with one call, which answers with one record."""
    call = OperationType("get", "get", "/a", answer=ValueType(frozenset({"object"}), records=("A",)))
    return TypeModel("m", {"get": call}, {"A": Record("A", fields)})


def test_the_page_reaches_the_installed_sdk():
    """A newer SDK is compared with the one before, else its changes would never be told."""
    package = find_installed("google-genai")
    if package is None:
        pytest.skip("google-genai is not installed")
    told = [change["to"] for change in read_changes() if change["sdk"] == "google-genai"]
    assert package.version in told


def test_the_page_tells_the_days_newest_first():
    """Each comparison has its versions, the day of the newer one and its changes; the page goes back in time."""
    page = format_changes(read_changes())
    days = re.findall(r"^## \S+ \S+ to \S+ \((\d{4}-\d\d-\d\d)\)$", page, re.MULTILINE)
    assert days == sorted((change["released"] for change in read_changes()), reverse=True)
    for change in read_changes():
        own = page.partition(f"## {change['sdk']} {change['from']} to {change['to']} ")[2].partition("\n## ")[0]
        told = [f"- `{where}`\n  - " + "\n  - ".join(items) + "\n" for where, items in change["changes"].items()]
        assert all(each in f"{own}\n" for each in told or ["Nothing that these types show.\n"])


def test_changes_are_told_in_the_words_of_the_schemas():
    """Names and descriptions are those of our schemas; the SDK's sentences are not repeated."""
    newer = describe(x=FieldType(TEXT, text="The words of the SDK."))
    ours = describe(x=FieldType(TEXT, text="What we say of it."))
    assert list_changes(describe(), newer, ours) == {"A": ["new field `x` (string): What we say of it."]}
    assert list_changes(describe(), newer, describe()) == {"A": ["new field `x` (string)"]}
