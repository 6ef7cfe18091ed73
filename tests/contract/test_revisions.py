"""A revision is a value: nothing below the commands and the fixtures picks one by itself."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from msgspec import structs

from harness.contract import CURRENT, load, load_from
from harness.contract.schema.schemas import load_schemas, schemas_in
from harness.rules import BY_ID
from tests.packages import PACKAGE, parse_package

CHOOSERS = ("cli/", "plugin/", "suite/", "pytest_plugin.py")
"""Those who say which revision is meant if the user does not."""

DOORS = {
    "contract/__init__.py": "exports it",
    "contract/contract.py": "defines it",
    "contract/requests.py": "default of a target that is described by hand",
    "emulator/service.py": "default of the public constructor",
    "strategies/from_schema.py": "default of the public strategies",
    "resume/state_machine.py": "`follow` reads whatever the service of today sends",
    "interactions/__init__.py": "what an engine that names no revision gets",
}
"""Modules that name the current revision as a declared default, and why."""


def imported(module: ast.Module, name: str) -> bool:
    """Whether a module imports this name from the contract."""
    froms = (node for node in ast.walk(module) if isinstance(node, ast.ImportFrom))
    return any(
        (node.module or "").startswith("harness.contract") and name in [alias.name for alias in node.names]
        for node in froms
    )


@pytest.mark.slow
def test_a_revision_is_chosen_at_the_doors_only() -> None:
    """Only the listed modules name `CURRENT`, and none but the choosers calls `load` without a revision."""
    named = set()
    for path, module in parse_package(r"\bCURRENT\b|\bload\b").items():
        place = path.relative_to(PACKAGE).as_posix()
        if place.startswith(CHOOSERS):
            continue
        nodes = [*ast.walk(module)]
        if imported(module, "CURRENT") or any(isinstance(n, ast.Name) and n.id == "CURRENT" for n in nodes):
            named.add(place)
        for node in nodes if imported(module, "load") else ():
            is_load = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "load"
            assert not is_load or node.args or node.keywords, place
    assert named == set(DOORS)


def test_a_folder_holds_only_what_differs(tmp_path: Path) -> None:
    """A file of the revision replaces the base's; everything else is the base's, and the base stays as it is."""
    folder = tmp_path / "2027-01-01"
    folder.mkdir()
    (folder / "revision.json").write_text(json.dumps({"base": CURRENT}))
    changed = {**load_schemas(CURRENT).document("model-name"), "x-known-values": ["robot-1"]}
    (folder / "model-name.json").write_text(json.dumps(changed))
    schemas, base = schemas_in(folder), load_schemas(CURRENT)
    assert schemas.names() == base.names()
    assert schemas.document("model-name")["x-known-values"] == ["robot-1"]
    assert base.document("model-name")["x-known-values"] != ["robot-1"]
    assert schemas.document("step") == base.document("step")
    assert load_from(folder).revision == "2027-01-01"


def test_a_base_may_lie_beside_its_heir(tmp_path: Path) -> None:
    for name, base in (("2027-01-01", CURRENT), ("2027-02-01", "2027-01-01")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "revision.json").write_text(json.dumps({"base": base}))
    added = {**load_schemas(CURRENT).document("labels"), "description": "Other labels."}
    (tmp_path / "2027-01-01" / "labels.json").write_text(json.dumps(added))
    assert schemas_in(tmp_path / "2027-02-01").document("labels")["description"] == "Other labels."


def test_a_revision_is_whole(tmp_path: Path) -> None:
    """A revision has the schemas of its base and its own, with the unions of both."""
    folder = tmp_path / "2027-01-01"
    (folder / "steps").mkdir(parents=True)
    (folder / "revision.json").write_text(json.dumps({"base": CURRENT}))
    step = load_schemas(CURRENT).document("steps/thought")
    text = json.dumps(step).replace('"thought"', '"dream"', 1)
    (folder / "steps" / "dream.json").write_text(text)
    schemas = schemas_in(folder)
    assert {"$ref": "steps/dream.json"} in schemas.document("step")["oneOf"]
    assert schemas.openapi() == load_schemas(CURRENT).openapi()
    assert "steps.dream" in schemas.bundle("requests/create-interaction")["$defs"]


def test_rules_come_and_go_with_revisions() -> None:
    """A rule holds from its first revision until the one that drops it."""
    contract, rule = load(CURRENT), next(iter(BY_ID.values()))
    assert all(map(contract.holds, BY_ID.values()))
    assert contract.holds(structs.replace(rule, since=CURRENT))
    assert not contract.holds(structs.replace(rule, since="2027-01-01"))
    assert not contract.holds(structs.replace(rule, until=CURRENT))
    assert contract.holds(structs.replace(rule, until="2027-01-01"))
