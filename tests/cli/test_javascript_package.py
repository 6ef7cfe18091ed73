"""The npm package in `javascript/`: it has no dependencies, and its types name what the emulator has."""

from __future__ import annotations

import json
import re

from harness import __version__
from harness.checks.clients.sets import SETS
from harness.emulator import Script
from harness.plugin.interactions.lifecycle import COMMON, ROUTES
from harness.resources import folder

PACKAGE = folder("javascript")
MODULE, TYPES = ((PACKAGE / name).read_text("utf-8") for name in ("index.js", "index.d.ts"))


def test_every_key_of_a_script_is_declared() -> None:
    """TypeScript knows each key of a script, and the ids of events in the line that repeats one case."""
    declared = TYPES.split("export interface Script {")[1].split("\n}")[0]
    assert set(re.findall(r"^  (\w+)\?:", declared, re.MULTILINE)) == set(Script.__struct_fields__)
    ids = set(re.findall(r'"(\w+)"', TYPES.split("type EventIds = ")[1].split(";")[0]))
    assert ids.issuperset(ids for kinds in SETS.values() for kind in kinds for ids in kind.event_ids)


def test_the_package_names_files_that_it_has() -> None:
    """Its version is that of the harness, and each export is a file `npm pack` takes, with page and license."""
    package = json.loads((PACKAGE / "package.json").read_text("utf-8"))
    assert package["version"] == __version__
    named = json.dumps(package["exports"]) + json.dumps(package["bin"])
    assert all((PACKAGE / name).is_file() for name in re.findall(r"[\w-]+(?:\.d)?\.[jt]s\b", named))
    assert "dependencies" not in package
    assert (PACKAGE / "README.md").read_text("utf-8").startswith("# interactions-harness\n")
    assert (PACKAGE / "LICENSE").read_bytes() == (PACKAGE.parent / "LICENSE").read_bytes()


def test_the_routes_are_those_of_the_fixture() -> None:
    """The module names each route, and those that every client should survive."""
    common, every = (
        re.findall(r'"(\w+)"', MODULE.split(f"export const {name} = ")[1].split(";")[0])
        for name in ("COMMON_ROUTES", "ROUTES")
    )
    assert (tuple(common), set(every)) == (COMMON, set(ROUTES))
