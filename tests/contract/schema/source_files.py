"""Gives the written schema files their `$id`, their form, and the unions that follow from other files.

`step.json`, `step-shell.json` and `delta.json` list every file of their folder, and `input.json` the steps. They
stay in version control because they also keep the order of the types, which follows from nothing else. A test
fails if a file is out of date, and `python -m tests.contract.schema.source_files` rewrites it.
"""

from __future__ import annotations

import json
from pathlib import Path

from harness import resources
from harness.contract.schema.openness import UNIONS, Union
from harness.contract.schema.schemas import REVISIONS, load_schemas
from harness.files import write_file
from lab.drift.source_text import arrange, format_json

COMMAND = "python -m tests.contract.schema.source_files"


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
