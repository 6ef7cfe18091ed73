"""Tests of `harness mutants`: the matrix as text and as data; the run fails while any check is unproved."""

from __future__ import annotations

import json

import jsonschema
import pytest

from harness.emulator.mutants import MUTANTS
from harness.engine.kill_matrix import Matrix
from harness.kit.api import Api
from harness.resources import folder
from tests.cli.conftest import Harness


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Replace the slow kill matrix; the list collects the mutants that were asked for."""
    asked: list[list[str]] = []

    def matrix(api: Api, names: list[str], *, jobs: int, revision: str) -> Matrix:
        asked.append(names)
        return Matrix(dict.fromkeys(names, ("http.json-type",)), ("http.json-type", "http.json-valid"), {}, {})

    monkeypatch.setattr("harness.engine.kill_matrix.kill_matrix", matrix)
    return asked


def test_json(harness: Harness, chosen: list[list[str]]) -> None:
    """A full run fails if no mutant kills some check, and the JSON object fits its schema."""
    done = harness("mutants", "--json")
    value = json.loads(done.out)
    schema = json.loads((folder("schemas") / "output" / "mutants.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(value, schema)
    assert value["mutants"] == value["killed"] == len(MUTANTS) == len(chosen[0])
    assert value["checks_without_killer"] == ["http.json-valid"]
    assert done.code == 1


def test_some_mutants(harness: Harness, chosen: list[list[str]]) -> None:
    """A run of some mutants asks only whether these are noticed, and passes if they are."""
    name = next(iter(MUTANTS))
    done = harness("mutants", name)
    assert (done.code, chosen) == (0, [[name]])
    assert f"{name}  http.json-type" in done.out


def test_unknown_mutant(harness: Harness) -> None:
    """An unknown name of a mutant is a usage error."""
    assert harness("mutants", "no-such-mutant").code == 2


def test_list(harness: Harness) -> None:
    """--list prints one line for each mutant."""
    assert len(harness("mutants", "--list").out.splitlines()) == len(MUTANTS)


def test_one_real_row(harness: Harness) -> None:
    """A real mutant is noticed by the real catalogue."""
    name = next(name for name in MUTANTS)
    value = json.loads(harness("mutants", name, "--json", "-j", "1").out)
    assert value["matrix"][name], f"nobody notices {name}"
