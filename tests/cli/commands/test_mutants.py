"""Tests of `harness mutants`: the matrix as text and as data; the run fails while any check is unproved."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Mapping
from pathlib import Path

import pytest

from harness.emulator.mutants import MUTANTS
from harness.engine.kill_matrix import Bench
from harness.engine.results import KillRow
from harness.kit.api import Api
from harness.kit.check import Check
from harness.outcome import Exit
from tests.cli.conftest import Harness, fits


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Replace the slow play: one of two checks notices every mutant. The list collects what was asked for."""
    asked: list[list[str]] = []

    def play(
        api: Api, names: list[str], *, jobs: int, revision: str
    ) -> Generator[Mapping[str, str] | KillRow, None, None]:
        asked.append(names)
        yield {}
        for name in names:
            yield KillRow(name, ("http.json-type",), (), 0.5)

    def load_two(api: Api, revision: str) -> list[Check]:
        return [check for check in api.load_catalogue() if check.id in ("http.json-type", "http.json-valid")]

    monkeypatch.setattr("harness.engine.kill_matrix.load_checks", load_two)
    monkeypatch.setattr("harness.engine.kill_matrix.play_mutants", play)
    return asked


def test_json(harness: Harness, chosen: list[list[str]]) -> None:
    """A full run fails if no mutant kills some check, and the JSON object fits its schema."""
    done = harness("mutants", "--json")
    value = fits("mutants", done.out)
    assert value["mutants"] == value["killed"] == len(MUTANTS) == len(chosen[0])
    assert value["checks_without_killer"] == ["http.json-valid"]
    assert done.code == 1


def test_an_unknown_mutant_says_where_all_are(harness: Harness) -> None:
    """A name that is like no other is refused with the command that lists them."""
    done = harness("mutants", "nonsense")
    assert done.code == Exit.USAGE
    assert done.err == "harness: no mutant has the id 'nonsense': `harness mutants --list` shows all\n"
    done = harness("mutants", "del.gone")
    assert done.code == 2
    assert "'del.gone', which is a rule: name a mutant that breaks it, such as 'delete-undone'" in done.err


def test_some_mutants(harness: Harness, chosen: list[list[str]]) -> None:
    """A run of some mutants asks only whether these are noticed, and passes if they are."""
    name = next(iter(MUTANTS))
    done = harness("mutants", name)
    assert (done.code, chosen) == (0, [[name]])
    assert f"{name}  http.json-type" in done.out


def test_a_page_says_killed_and_names_the_mutant(
    harness: Harness, chosen: list[list[str]], tmp_path: Path
) -> None:
    """A row of the page has the words of the totals, and the name that the command takes."""
    page = tmp_path / "mutants.html"
    harness("mutants", "resume-skips-one", "--report", f"html={page}")
    text = page.read_text("utf-8")
    assert re.search(r"</svg>killed</span><code>resume-skips-one</code>", text)
    assert "proof.noticed[resume-skips-one]</code>" not in text


def test_list(harness: Harness) -> None:
    """--list prints one line for each mutant."""
    assert len(harness("mutants", "--list").out.splitlines()) == len(MUTANTS)


@pytest.fixture(scope="module")
def references() -> dict[str, Bench]:
    """What the unchanged emulator answered, which each command would ask for anew."""
    return {}


@pytest.fixture
def one_reference(references: dict[str, Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command of a test takes the bench of the first."""

    make = Bench.of_catalogue

    def take(api: Api, revision: str) -> Bench:
        if revision not in references:
            references[revision] = make(api, revision)
        return references[revision]

    monkeypatch.setattr(Bench, "of_catalogue", take)


@pytest.mark.usefixtures("one_reference")
@pytest.mark.slow
def test_one_real_row(harness: Harness) -> None:
    """A real mutant is noticed by the real catalogue."""
    name = next(name for name in MUTANTS)
    value = json.loads(harness("mutants", name, "--json", "-j", "1").out)
    assert value["matrix"][name], f"nobody notices {name}"


SOME = list(MUTANTS)[:5]


@pytest.mark.slow
def test_the_whole_judges_the_checks(harness: Harness, chosen: list[list[str]]) -> None:
    """A run of all mutants names the checks that kill none, and fails."""
    done = harness("mutants")
    assert done.code == 1
    assert f"FAILED: all {len(MUTANTS)} mutants killed by 2 checks; 1 check kills no mutant (" in done.out
    assert "checks that kill no mutant: http.json-valid" in done.out


def test_of_one_mutant_the_checks_are_counted(harness: Harness, chosen: list[list[str]]) -> None:
    """The last line names the mutant and how many of the checks that ran kill it."""
    assert re.fullmatch(
        rf"PASSED: {SOME[0]} was killed by [12] of 2 checks\.", harness("mutants", SOME[0]).out.splitlines()[-1]
    )
