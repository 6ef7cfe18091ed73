"""The schemas as others use them: identified, with examples, in one document, and as OpenAPI that is valid."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from harness import resources
from harness.contract import CURRENT, REVISIONS, load
from harness.contract.schema.published_files import BASE, compound, name_type, published_files
from harness.contract.schema.schemas import load_schemas, schemas_in
from harness.generated_files import generate_files, write_files
from tests.contract.schema.source_files import COMMAND, source_files

ROOT = resources.folder("schemas")
DOCUMENTS = ("openapi-3.2.json", "openapi-3.1.json", "openapi-3.1-known.json")
published = cache(lambda: published_files(load_schemas(CURRENT)))


@cache
def read(name: str) -> Any:
    """A generated document of the current revision."""
    return json.loads(published()[f"bundled/{name}"])


@pytest.mark.slow
def test_the_same_sources_give_the_same_files():
    """Another process with another hash seed generates the same bytes, and none of them is in version control."""
    program = "import sys; from harness.generated_files import generate_files as g; sys.stdout.write(repr(g()))"
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT.parent)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == repr(generate_files())
    ignored = (ROOT.parent / ".gitignore").read_text("utf-8").split()
    assert {path.relative_to(ROOT.parent).parts[2] for path in generate_files()} == {
        "bundled", "strict", "rules.json", "models.json"
    }  # fmt: skip
    tables = {"schemas/output/rules.json", "schemas/output/models.json"}
    assert {"schemas/*/bundled/", "schemas/*/strict/", *tables} <= set(ignored)


@pytest.mark.slow
def test_only_what_is_out_of_date_is_written(tmp_path, monkeypatch):
    """A second call writes nothing; a file that was changed or deleted is written again."""
    shutil.copytree(ROOT / CURRENT, tmp_path / CURRENT, ignore=shutil.ignore_patterns("bundled", "strict"))
    shutil.copy(ROOT / "rule.schema.json", tmp_path)
    monkeypatch.setattr("harness.generated_files.resources.folder", lambda name: tmp_path)
    monkeypatch.setattr("harness.rules.tables.published_path", lambda: tmp_path / "output" / "rules.json")
    assert len(write_files()) == len(generate_files()) > 20
    assert write_files() == []
    changed, deleted = tmp_path / CURRENT / "bundled/schemas.json", tmp_path / CURRENT / "strict/upload-file.json"
    changed.write_text("{}")
    deleted.unlink()
    assert sorted(write_files()) == [changed, deleted]
    assert json.loads(changed.read_bytes()) == read("schemas.json")


def test_an_heir_publishes_what_it_adds(tmp_path):
    """The files of a revision that builds on another one contain the schemas of both."""
    (tmp_path / "2027-01-01").mkdir()
    (tmp_path / "2027-01-01" / "revision.json").write_text(json.dumps({"base": CURRENT}))
    added = {**load_schemas(CURRENT).document("labels"), "description": "Other labels."}
    (tmp_path / "2027-01-01" / "labels.json").write_text(json.dumps(added))
    files = published_files(schemas_in(tmp_path / "2027-01-01"))
    assert json.loads(files["bundled/schemas.json"])["$defs"]["labels"]["description"] == "Other labels."
    assert json.loads(files["bundled/openapi-3.1.json"])["components"]["schemas"]["Labels"] == {
        key: part for key, part in added.items() if key not in ("$schema", "$id", "$comment")
    }


@pytest.mark.parametrize("revision", REVISIONS)
def test_sources_have_their_id_and_form(revision):
    """Each schema has the `$id` of its place and the form of all files; a union lists all files of its folder."""
    for path, text in source_files(revision).items():
        assert path.read_text("utf-8") == text, f"run `{COMMAND}`"


def test_ids_are_unique():
    """No two files of any revision and no two outputs share an `$id`."""
    paths = [path for path in ROOT.rglob("*.json") if not {"strict", "bundled"} & set(path.parts)]
    ids = [told for path in paths if (told := json.loads(path.read_bytes()).get("$id"))]
    assert len(set(ids)) == len(ids) > 150
    assert all(told.startswith(f"{BASE}/") for told in ids)


def test_every_schema_has_examples_that_fit():
    """Each schema that describes a value has an example, and jsonschema accepts every one, closed as well."""
    schemas = load().schemas
    without = [name for name in schemas.names() if "examples" not in schemas.document(name)]
    assert [
        name for name in without if {"type", "oneOf", "$ref", "properties"} & schemas.document(name).keys()
    ] == []
    for name in set(schemas.names()) - set(without):
        for example in schemas.document(name)["examples"]:
            assert schemas.validator(name).problems(example) == [], name


def test_the_compound_document_is_found_by_ids():
    """A validator that knows only the compound document resolves each schema, and judges as the bundles do."""
    from jsonschema import Draft202012Validator
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT202012

    schemas = load().schemas
    document = compound(schemas)
    registry: Registry[Any] = Registry().with_resource(document["$id"], Resource(document, DRAFT202012))
    registry = registry.crawl()
    for name in ("interaction", "event", "requests/create-interaction", "tools/function"):
        validator = Draft202012Validator({"$ref": f"{BASE}/{CURRENT}/{name}.json"}, registry=registry)
        for example in (*schemas.document(name)["examples"], {}, {"type": 1}, {"steps": 5}):
            assert validator.is_valid(example) == schemas.validator(name).is_valid(example), (name, example)


@pytest.mark.slow
@pytest.mark.parametrize("name", DOCUMENTS)
def test_openapi_is_valid_under_its_version(name):
    validators = pytest.importorskip("openapi_spec_validator")
    version = name.split("-")[1].removesuffix(".json")
    validator = getattr(validators, f"OpenAPIV{version.replace('.', '')}SpecValidator")
    assert [error.message for error in validator(read(name)).iter_errors()] == []
    assert read(name)["openapi"].startswith(version)


def test_only_3_2_speaks_of_items():
    """`itemSchema` is of 3.2; the 3.1 flavour says in words what the events are."""
    assert "itemSchema" in json.dumps(read("openapi-3.2.json"))
    assert "itemSchema" not in json.dumps(read("openapi-3.1.json"))
    assert "Event" in read("openapi-3.1.json")["components"]["schemas"]


def test_known_kinds_are_all_that_is_left():
    """The document for typed clients has the same kinds and no other, and each listed value as a value."""
    whole, known = (read(name)["components"]["schemas"] for name in DOCUMENTS[1:])
    assert known.keys() == whole.keys()
    assert [item for item in whole["Step"]["oneOf"] if "x-unknown" not in item] == known["Step"]["oneOf"]
    assert len(known["Step"]["oneOf"]) == len(whole["Step"]["oneOf"]) - 1
    for part in walk(known):
        for item in (*part.get("oneOf", ()), *part.get("anyOf", ())):
            assert "x-unknown" not in item
    assert "completed" in known["InteractionStatus"]["enum"]
    assert "enum" not in whole["InteractionStatus"]


@pytest.mark.parametrize("name", DOCUMENTS)
def test_openapi_refers_to_no_file(name):
    document = read(name)
    refs = {part["$ref"] for part in walk(document) if isinstance(part.get("$ref"), str)}
    assert len(refs) > 200
    for ref in refs:
        assert ref.startswith("#/components/"), ref
        part: Any = document
        for key in ref.split("/")[1:]:
            part = part[key]


def walk(value: Any) -> Any:
    """Every object within a document."""
    if isinstance(value, dict):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(part)


def test_components_are_named_like_types():
    assert name_type("tools/file-search") == "ToolsFileSearch"
    assert name_type("usage", "modality_tokens") == "UsageModalityTokens"


def test_the_folder_is_explained():
    """`schemas/README.md` names the generated documents."""
    text = (Path(ROOT) / "README.md").read_text("utf-8")
    assert all(name in text for name in (*DOCUMENTS, "bundled/schemas.json", BASE))
