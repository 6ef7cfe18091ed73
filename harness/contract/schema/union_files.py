"""Writes the unions of steps and deltas as files, for people and for tools that read the schemas from disk.

`step.json`, `step-shell.json` and `delta.json` are generated and checked in, and so are the steps in `input.json`;
a test fails if they are out of date, and `python -m harness.contract.schema.union_files` rewrites them. Layer 1.
Knows where the files are; must not know what a union contains (`unions`).
"""

from __future__ import annotations

from pathlib import Path

from harness import resources
from harness.contract.schema.json_text import format_json
from harness.contract.schema.schemas import REVISIONS, load_schemas
from harness.contract.schema.unions import UNIONS, Union

COMMAND = "python -m harness.contract.schema.union_files"


def union_files(revision: str) -> dict[Path, str]:
    """The generated files of a revision, as a mapping from path to text."""
    folder, schemas = resources.folder("schemas") / revision, load_schemas(revision)
    own = {name for name, path in schemas.files.items() if path.is_relative_to(folder)}
    touched = [name for name, union in UNIONS.items() if any(each.startswith(f"{union.folder}/") for each in own)]
    return {folder / f"{name}.json": _write_text(name, schemas.document(name)) for name in touched}


def _write_text(name: str, document: dict[str, object]) -> str:
    what = "Generated" if isinstance(UNIONS[name], Union) else "The steps in it are generated"
    note = f"{what} from {UNIONS[name].folder}/ by `{COMMAND}`; do not edit."
    return format_json({"$comment": note, **document})


if __name__ == "__main__":
    for each in REVISIONS:
        for path, text in union_files(each).items():
            path.write_text(text, encoding="utf-8")
