"""The schema files are valid and consistent, load once, and mean the same to two validators."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import resources
from harness.contract import CURRENT, REVISIONS, load
from harness.contract.requests import RequestBuilder
from tests.in_one_test import in_one_test

ROOT = resources.folder("schemas")
FILES = sorted(
    path
    for revision in REVISIONS
    for path in (ROOT / revision).rglob("*.json")
    if not {"bundled", "strict"} & set(path.parts)
)
SOURCES = [path for path in FILES if path.name not in ("openapi.json", "revision.json")]
OPENAPI = ROOT / CURRENT / "openapi.json"
MARKS = {"x-open", "x-keep", "x-unknown", "x-known-values", "x-rule", "x-deltas", "x-in-start", "x-grows"}
UNIONS = ("event", "step", "step-shell", "delta", "content", "annotation", "tool", "agent-tool", "agent-config")


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object within a schema; examples are values and no schemas."""
    if isinstance(value, dict):
        yield value
        value = [part for key, part in value.items() if key != "examples"]
    for part in value if isinstance(value, list) else ():
        yield from nodes(part)


def read(path: Path) -> Any:
    """The parsed content of a file."""
    return json.loads(path.read_bytes())


def follow(path: Path, ref: str) -> Any:
    """The target of a reference in a file; raises if it does not exist."""
    name, _, pointer = ref.partition("#")
    part = read((path.parent / name).resolve() if name else path)
    for key in pointer.split("/")[1:]:
        part = part[key]
    return part


@pytest.mark.slow
def test_every_file_is_a_valid_schema():
    """Each file satisfies the meta-schema of draft 2020-12."""
    from jsonschema import Draft202012Validator

    for path in FILES:
        if path != OPENAPI and path.name != "revision.json":
            assert read(path)["$schema"] == Draft202012Validator.META_SCHEMA["$id"], path
            Draft202012Validator.check_schema(read(path))


@pytest.mark.slow
def test_every_reference_leads_somewhere():
    """Each `$ref` resolves to an existing place in one of our files; that of a closed request to its open one."""
    found = [(path, node["$ref"]) for path in FILES for node in nodes(read(path)) if "$ref" in node]
    assert len(found) > 500
    for path, ref in found:
        follow(path, ref.replace("strict/", "requests/"))


def test_patterns_mean_the_same_everywhere():
    """Patterns avoid `$`, `\\s`, `\\d` and `\\w`, which mean something else in Python than in ECMAScript."""
    found = [(path, node["pattern"]) for path in FILES for node in nodes(read(path)) if "pattern" in node]
    patterns = [(path, pattern) for path, pattern in found if isinstance(pattern, str)]
    assert patterns
    assert [at for at in patterns if any(odd in at[1] for odd in ("$", "\\s", "\\d", "\\w"))] == []


@in_one_test(path=SOURCES)
def test_everything_is_described_in_one_line(path):
    """Files, definitions and properties have one-line descriptions; constants need none."""
    document = read(path)
    described = [document, *document.get("$defs", {}).values()]
    for node in nodes(document):
        if node.get("type") == "object" and "x-unknown" not in node:
            described += [part for part in node.get("properties", {}).values() if "const" not in part]
    for node in described:
        assert node.get("description", "").strip(), f"no description: {node}"
        assert "\n" not in node["description"]


def test_only_known_marks_are_used():
    """Only known `x-` marks are used, since a misspelt one would silently open or close a schema."""
    marks = {key for path in SOURCES for node in nodes(read(path)) for key in node if key.startswith("x-")}
    assert marks == MARKS


@pytest.mark.parametrize("name", UNIONS)
def test_the_branch_for_the_unknown_excludes_exactly_the_known(name):
    document = load().schemas.document(name)
    path = ROOT / CURRENT / f"{name}.json"
    known, excluded = set(), set()
    for branch in document["oneOf"]:
        if "x-unknown" in branch:
            part = next(iter(branch.get("properties", {}).values()), {})
            excluded |= set(part.get("not", {}).get("enum", ()))
        else:
            target = follow(path, branch["$ref"])
            properties = target.get("properties") or target["$defs"]["shell"]["properties"]
            known |= {part["const"] for part in properties.values() if "const" in part}
    assert known == excluded


def test_names_are_unique_and_free_of_case():
    """Schema names differ by more than case, and their bundle keys do not collide."""
    names = load().schemas.names()
    assert len({name.lower().replace("/", ".") for name in names}) == len(names)
    assert {"interaction", "event", "events/step-delta", "requests/create-interaction"} <= set(names)


def test_revisions_are_the_folders():
    assert sorted(REVISIONS) == sorted(path.name for path in ROOT.glob("[0-9]*-[0-9]*-[0-9]*"))
    assert CURRENT in REVISIONS


def test_schemas_and_validators_are_made_once():
    """Loading a revision or a validator again returns the same object."""
    assert load() is load()
    assert load().schemas.validator("event") is load().schemas.validator("event")
    assert load().schemas.validator("event") is not load().schemas.validator("event", closed=True)


def test_an_unknown_revision_names_the_known_ones():
    with pytest.raises(LookupError, match=CURRENT):
        load("1999-01-01")


def test_an_unknown_name_suggests_a_near_one():
    with pytest.raises(LookupError, match="events/step-delta"):
        load().schemas.validator("events/step-dleta")


@pytest.mark.parametrize("closed", [False, True])
def test_every_schema_compiles_without_a_resolver(closed):
    """Every schema compiles, and its bundle refers to nothing outside itself."""
    for name in load().schemas.names():
        assert load().schemas.validator(name, closed=closed).name == name
        assert all(node.get("$ref", "#")[0] == "#" for node in nodes(load().schemas.bundle(name)))


def full_steps() -> dict[str, Any]:
    """Each step type, with its schema."""
    return {
        follow_type(name): load().schemas.document(name)
        for name in load().schemas.names()
        if name.startswith("steps/")
    }


def follow_type(name: str) -> str:
    """The step type that a schema describes."""
    return str(load().schemas.document(name)["$defs"]["shell"]["properties"]["type"]["const"])


@in_one_test(kind=full_steps())
def test_a_step_may_start_with_its_type_alone(kind):
    """step.start accepts a step with only its type; a whole step needs the fields its schema requires."""
    shell = {"event_type": "step.start", "index": 0, "step": {"type": kind}}
    assert load().schemas.validator("event").problems(shell) == []
    whole = load().schemas.validator("step").is_valid({"type": kind})
    assert whole == ("required" not in full_steps()[kind])


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    """The operations of the OpenAPI document, by method and path."""
    for path, item in read(OPENAPI)["paths"].items():
        for method in item.keys() & {"get", "post", "patch", "delete", "put"}:
            yield f"{method.upper()} {path}", item[method]


def test_every_operation_declares_success_refusal_and_failure():
    """Every operation declares 200, 4XX and 5XX responses and has a unique id."""
    found = dict(operations())
    assert {"POST /interactions", "GET /interactions/{id}", "POST /interactions/{id}/cancel"} <= found.keys()
    assert all(operation["responses"].keys() == {"200", "4XX", "5XX"} for operation in found.values())
    assert len({operation["operationId"] for operation in found.values()}) == len(found)


def test_links_leave_create_get_and_delete_and_nothing_else():
    """Only create, get and delete have links: any other would become a root of the state machine and hide bugs."""
    linked = {name for name, operation in operations() if operation["responses"]["200"].get("links")}
    resources = ("interactions", "agents", "environments", "credentials", "webhooks", "triggers", "voices")
    ways = ("POST /{}", "GET /{}/{{id}}", "DELETE /{}/{{id}}")
    assert linked == {way.format(resource) for resource in resources for way in ways}


def test_streams_are_declared_by_frame_and_as_a_whole():
    """Create and get declare JSON and an event stream, with a schema for the whole and for each event."""
    for name in ("POST /interactions", "GET /interactions/{id}"):
        content = dict(operations())[name]["responses"]["200"]["content"]
        assert content.keys() == {"application/json", "text/event-stream"}
        assert content["text/event-stream"].keys() == {"schema", "itemSchema"}


@pytest.mark.slow
def test_schemathesis_loads_all_operations():
    """Schemathesis loads every operation, and a state machine for one resource begins with its create.

    A machine for all resources would not: Schemathesis prefers the creates that do not refer to other resources.
    """
    schemathesis = pytest.importorskip("schemathesis", reason="needs the fuzz extra")
    from schemathesis.config import SchemathesisConfig

    from harness.strategies.document import build_document

    phases = {"stateful": {"inference": {"algorithms": []}}}  # the links are those of the document
    config = SchemathesisConfig.from_dict({"base-url": "http://127.0.0.1:1/v1beta", "phases": phases})
    schema = schemathesis.openapi.from_dict(build_document(RequestBuilder()), config=config)
    loaded = {operation.ok().label for operation in schema.get_all_operations()}
    assert loaded == {name for name, _ in operations()}
    for name in ("interactions", "agents", "environments", "credentials", "webhooks", "triggers", "voices"):
        own = schema.include(path_regex=f"^/{name}(/|$)")
        assert f"POST /{name}" in own.as_state_machine()._root_labels, name
