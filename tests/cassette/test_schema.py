"""The cassette schema accepts everything that is written and rejects only what cannot be loaded."""

from __future__ import annotations

import copy
import json
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from harness.cassette import CassetteError, Journal, Recording, load, save
from harness.resources import folder
from tests.cassette.samples import DROPPED, PROVENANCE, recordings

SCHEMA = json.loads((folder("schemas") / "cassette.schema.json").read_text("utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)


def test_schema_is_one() -> None:
    """The schema is a valid JSON Schema of draft 2020-12."""
    Draft202012Validator.check_schema(SCHEMA)


@given(recordings())
@settings(max_examples=60, deadline=None)
@pytest.mark.slow
def test_what_is_written(recording: Recording) -> None:
    """Every saved cassette and every journal matches the schema."""
    with TemporaryDirectory() as where:
        path = Path(where) / "a.yaml"
        save(path, [recording], PROVENANCE)
        with closing(Journal(Path(where) / "b.yaml", {"harness": PROVENANCE.as_metadata()})) as journal:
            journal.append(recording)
        for file in (path, journal.path):
            assert list(VALIDATOR.iter_errors(yaml.safe_load(file.read_text("utf-8")))) == []


DAMAGE: tuple[tuple[str, list[Any], Any], ...] = (
    ("version", ["version"], 2),
    ("target", ["metadata", "harness", "target"], "moon"),
    ("format", ["metadata", "harness", "format"], 2),
    ("date", ["metadata", "harness", "recorded"], "yesterday"),
    ("extra key of a request", ["interactions", 0, "request", "x"], 1),
    ("status", ["interactions", 0, "response", "status", "code"], "200"),
    ("status that is not final", ["interactions", 0, "response", "status", "code"], 99),
    ("body", ["interactions", 0, "response", "body"], {"strng": ""}),
    ("extra key of the extension", ["interactions", 0, "response", "x-stream", "frameing"], "close"),
    ("extra key of the ending", ["interactions", 0, "response", "x-stream", "end", "hw"], "fin"),
    ("extension", ["interactions", 0, "response", "x-stream"], None),
    ("extension version", ["interactions", 0, "response", "x-stream", "v"], 2),
    ("framing", ["interactions", 0, "response", "x-stream", "framing"], "length"),
    ("pieces", ["interactions", 0, "response", "x-stream", "pieces"], "1@2,3@4"),
    ("unit", ["interactions", 0, "response", "x-stream", "unit"], "frame"),
    ("size", ["interactions", 0, "response", "x-stream", "size"], -1),
    ("ending", ["interactions", 0, "response", "x-stream", "end", "how"], "bang"),
    ("place of the ending", ["interactions", 0, "response", "x-stream", "end", "at"], "nowhere"),
    ("count", ["interactions", 0, "response", "x-stream", "end", "sent"], 1.5),
)


@pytest.mark.parametrize(("place", "value"), [damage[1:] for damage in DAMAGE], ids=[name for name, *_ in DAMAGE])
def test_damage(tmp_path: Path, place: list[Any], value: Any) -> None:
    """Whatever the schema rejects, the loader rejects too, with the line."""
    path = tmp_path / "a.yaml"
    save(path, [DROPPED], PROVENANCE)
    document = copy.deepcopy(yaml.safe_load(path.read_text("utf-8")))
    inner = document
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    assert list(VALIDATOR.iter_errors(document))
    path.write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")
    with pytest.raises(CassetteError, match=r"line \d+"):
        load(path)
