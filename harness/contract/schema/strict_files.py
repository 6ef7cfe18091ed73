"""Generates the strict request schemas, for people and tools that want one closed schema in one file.

`strict/` contains each `requests/*.json` of a revision, bundled and closed. The files are generated and checked
in; a test fails if they are out of date, and `python -m harness.contract.schema.strict_files` rewrites them.
Layer 1. Knows where the files are; must not know what a schema says or how it is closed (`openness`).
"""

from __future__ import annotations

import json
from pathlib import Path

from harness import resources
from harness.contract.schema.openness import close
from harness.contract.schema.schemas import REVISIONS, load_schemas


def strict_files(revision: str) -> dict[Path, str]:
    """The generated files of a revision, as a mapping from path to text."""
    folder = resources.folder("schemas") / revision / "strict"
    bodies = (name for name in load_schemas(revision).names() if name.startswith("requests/"))
    return {folder / f"{Path(name).name}.json": _write_text(revision, name) for name in bodies}


def _write_text(revision: str, name: str) -> str:
    note = f"Generated from {name}.json by `python -m harness.contract.schema.strict_files`; do not edit."
    bundle = close(load_schemas(revision).bundle(name))
    return json.dumps({"$comment": note, **bundle}, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for each in REVISIONS:
        for path, text in strict_files(each).items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
