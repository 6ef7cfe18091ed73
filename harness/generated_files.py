"""Writes the files that follow from others and are not in version control: `python -m harness.generated_files`.

`make generated`, the build of a wheel (`hatch_build.py`) and an editable installation call it. A checkout works
without these files: it then reads the tables of rules and models themselves, which takes a tenth of a second
longer, and nothing reads the others at run time. It must import only what a build environment has (`build-system`
in `pyproject.toml`).
"""

from __future__ import annotations

import sys
from pathlib import Path

from harness import resources
from harness.contract.models import profiles
from harness.contract.schema.published_files import published_files
from harness.contract.schema.schemas import REVISIONS, load_schemas
from harness.files import make_folder, write_file
from harness.rules import tables


def generate_files() -> dict[Path, str]:
    """The text of each generated file, by its path."""
    folder = resources.folder("schemas")
    of_schemas = {
        folder / revision / name: text
        for revision in REVISIONS
        for name, text in published_files(load_schemas(revision)).items()
    }
    return {
        **of_schemas,
        tables.published_path(): tables.publish_rules(),
        profiles.published_path(): profiles.publish_models(),
    }


def write_files() -> list[Path]:
    """Write the files that are missing or out of date, and return their paths."""
    texts = generate_files()
    stale = [path for path, text in texts.items() if not path.is_file() or path.read_text("utf-8") != text]
    for path in stale:
        make_folder(path.parent)
        write_file(path, texts[path])
    return stale


if __name__ == "__main__":
    sys.stdout.writelines(f"wrote {path}\n" for path in write_files())
