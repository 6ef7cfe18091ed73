"""Gives the written schema files their `$id`, their form, and the unions that follow from other files.

`step.json`, `step-shell.json` and `delta.json` list every file of their folder, and `input.json` the steps. They
stay in version control because they also keep the order of the types, which follows from nothing else. A test
fails if a file is out of date, and `python -m harness.contract.schema.source_files` rewrites it. Layer 1. Must not
know the content of a schema.
"""

from __future__ import annotations

import json
from pathlib import Path

from harness import resources
from harness.contract.schema.openness import UNIONS, Schema, Union
from harness.contract.schema.published_files import format_json, identify
from harness.contract.schema.schemas import REVISIONS, load_schemas
from harness.written_files import write_file

COMMAND = "python -m harness.contract.schema.source_files"
_HEAD = ("$comment", "$schema", "$id", "description", "examples")


def arrange(document: Schema, revision: str, name: str) -> Schema:
    """The schema with its `$id`, and first what stands first in all files."""
    whole = {**document, "$id": identify(revision, name)}
    head = {key: whole[key] for key in _HEAD if key in whole}
    return {**head, **{key: value for key, value in whole.items() if key not in _HEAD}}


def source_files(revision: str) -> dict[Path, str]:
    """The text that each schema file of a revision should have."""
    folder, schemas = resources.folder("schemas") / revision, load_schemas(revision)
    own = {name: path for name, path in schemas.files.items() if path.is_relative_to(folder)}
    found = {
        path: format_json(arrange(json.loads(path.read_bytes()), revision, name)) for name, path in own.items()
    }
    for name, union in UNIONS.items():
        if any(each.startswith(f"{union.folder}/") for each in own):
            what = "Generated" if isinstance(union, Union) else "The steps in it are generated"
            note = f"{what} from {union.folder}/ by `{COMMAND}`; do not edit."
            document = {**schemas.document(name), "$comment": note}
            found[folder / f"{name}.json"] = format_json(arrange(document, revision, name))
    return found


if __name__ == "__main__":
    for each in REVISIONS:
        for source, text in source_files(each).items():
            write_file(source, text)
