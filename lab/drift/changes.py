"""The changes of the API from version to version, for its users: on the site it follows `docs/api-changes.md`.

It is made from `changes.json` and from the revisions of the schemas. `python -m lab.drift.changes NAME
OLD_VERSION OLD_FOLDER NEW_VERSION NEW_FOLDER RELEASED` compares two unpacked SDKs and keeps the differences in
that file, so that the page can be made without them. RELEASED is the day of the newer one: that of the newest file
in a wheel, or the output of `npm view NAME time`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any

from harness.contract.schema.schemas import REVISIONS, load_schemas
from lab.drift.comparison import (
    TypeDifference,
    compare,
    describe_in_code,
    group_by_place,
    pair_records,
    shorten,
)
from lab.drift.python_sdk import read_python_sdk
from lab.drift.schema_types import read_schemas
from lab.drift.source_text import format_json
from lab.drift.type_model import TypeModel
from lab.drift.typescript_sdk import read_typescript_sdk

FILE = Path(__file__).with_name("changes.json")


def format_changes(changes: list[dict[str, Any]]) -> str:
    """A section for each version, newest change first."""
    lines: list[str] = []
    for before, after in reversed([*pairwise(REVISIONS)]):
        lines += [f"## Schemas {before} to {after}", "", *_compare_revisions(before, after), ""]
    if len(REVISIONS) == 1:
        as_of = load_schemas(REVISIONS[0]).as_of
        lines += ["## Schemas", "", f"There is one revision, {REVISIONS[0]}, {as_of}.", ""]
    for change in sorted(changes, key=itemgetter("released"), reverse=True):
        lines += [f"## {change['sdk']} {change['from']} to {change['to']} ({change['released']})", ""]
        for where, items in change["changes"].items():
            lines += [f"- `{where}`"]
            lines += [f"  - {item}" for item in items]
        lines += [] if change["changes"] else ["Nothing that these types show."]
        lines += [""]
    return "\n".join(lines).rstrip() + "\n"


def list_changes(older: TypeModel, newer: TypeModel, ours: TypeModel) -> dict[str, list[str]]:
    """The differences, by type or call, in the words of the page: names and descriptions of our own schemas."""
    found: dict[str, list[str]] = {}
    pairs = pair_records(ours, newer)
    for where, differences in group_by_place(compare(older, newer)):
        for difference in differences:
            own = pairs.get(difference.theirs, "") if where in older.records else ""
            note = _describe(difference, own, pairs, ours)
            line = f"{describe_in_code(difference)}{f': {note}' if note else ''}"
            found.setdefault(own or where, []).append(line)
    return dict(sorted(found.items()))


def _describe(difference: TypeDifference, own: str, pairs: Mapping[str, str], ours: TypeModel) -> str:
    """The description of a new field or kind in our schemas, or "" if they do not have it yet."""
    if difference.record:
        record = ours.records.get(pairs.get(difference.record, ""))
        return shorten(record.text) if record is not None else ""
    fields = ours.records[own].fields if own else {}
    return shorten(fields[difference.name].text) if difference.name in fields else ""


def _compare_revisions(before: str, after: str) -> list[str]:
    newer = read_schemas(load_schemas(after))
    found = list_changes(read_schemas(load_schemas(before)), newer, newer)
    return [
        line for where, items in found.items() for line in (f"- `{where}`", *(f"  - {item}" for item in items))
    ]


def read_changes() -> list[dict[str, Any]]:
    """The comparisons kept so far."""
    found: list[dict[str, Any]] = json.loads(FILE.read_bytes())
    return found


def _add(name: str, old: str, old_folder: str, new: str, new_folder: str, released: str) -> None:
    read = read_typescript_sdk if name.startswith("@") else read_python_sdk
    ours = read_schemas(load_schemas(REVISIONS[-1]))
    changes = list_changes(read(Path(old_folder), old), read(Path(new_folder), new), ours)
    kept = [each for each in read_changes() if (each["sdk"], each["from"], each["to"]) != (name, old, new)]
    record = {"sdk": name, "from": old, "to": new, "released": released, "changes": changes}
    FILE.write_text(format_json([*kept, record]), "utf-8")


if __name__ == "__main__":
    _add(*sys.argv[1:])
