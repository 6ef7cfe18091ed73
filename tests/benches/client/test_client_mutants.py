"""Every one-line defect of a correct client is noticed, and the correct clients are right in every set.

The clients: a loop on httpx, one on asyncio that creates its own interaction, the one for JavaScript that users
copy, and `harness.resume`. `CLIENT_MUTANTS=all` in the environment plays whole sets, which takes minutes.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.benches.client.bench import TortureOptions, torture
from harness.benches.client.cases import Case
from harness.benches.client.client_commands import LoopClient
from harness.benches.client.judgement.outcome import outcome_of, run_of
from harness.checks.clients.sets import SETS
from harness.engine.events import CheckFinished
from harness.engine.results import Result
from harness.interactions import INTERACTIONS
from harness.outcome import Verdict
from tests.benches.client.cases import cases_of_set, new_case
from tests.benches.client.client_mutants import MUTANTS, ClientMutant

pytestmark = pytest.mark.slow

PROGRAMS = Path(__file__).parent / "programs"
FOLLOW = Path(__file__).resolve().parents[3] / "docs" / "clients" / "follow.mjs"
CORRECT = ("sync_client.py", "async_client.py", "helper_client.py", "loop.mjs", "creates.mjs")
HANGS = 6.0
"""Seconds until a mutant that waits for ever is given up; what is right takes tenths of one."""
WHOLE_SETS = os.environ.get("CLIENT_MUTANTS") == "all"


def play(folder: Path, program: str, cases: list[Case], seconds: float = 20) -> Iterator[Result]:
    """The results of a program in a folder; a case that takes more `seconds` hangs."""
    runner = shutil.which("node") if program.endswith(".mjs") else sys.executable
    if runner is None:
        pytest.skip("no node on PATH")
    command = [runner, str(folder / program)]
    options = TortureOptions(jobs=2, seconds=seconds, undisturbed=new_case())
    for event in torture(INTERACTIONS, cases, lambda: LoopClient(command, dict(os.environ)), options):
        if isinstance(event, CheckFinished):
            yield event.result


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with all programs."""
    shutil.copytree(PROGRAMS, tmp_path, dirs_exist_ok=True)
    shutil.copy(FOLLOW, tmp_path)
    return tmp_path


def cases_that_tell(mutant: ClientMutant) -> list[Case]:
    """The cases of the kind that notices a mutant, or of its whole set."""
    only = () if WHOLE_SETS else (mutant.kind,)
    return cases_of_set(mutant.set_name, new_case(), only=only)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: f"{one.program}-{one.name}")
def test_a_mutant_is_noticed(folder: Path, mutant: ClientMutant) -> None:
    """The kind of cases that the row names notices the defect."""
    source = (folder / mutant.file).read_text(encoding="utf-8")
    assert source.count(mutant.old) == 1, "the row does not fit the program any more"
    (folder / mutant.file).write_text(source.replace(mutant.old, mutant.new), encoding="utf-8")
    results = play(folder, mutant.program, cases_that_tell(mutant), seconds=HANGS)
    noticed = next((result for result in results if result.verdict is not Verdict.PASS), None)
    assert noticed is not None, f"{mutant.name} is not noticed by {mutant.kind}"


@pytest.mark.parametrize("program", CORRECT)
def test_a_correct_client_is_right(folder: Path, program: str) -> None:
    results = list(play(folder, program, cases_of_set("thorough" if WHOLE_SETS else "quick", new_case())))
    wrong = [(result.title, run_of(result).end) for result in results if result.verdict is not Verdict.PASS]
    assert not wrong, Counter(map(outcome_of, results))


def test_there_are_enough_rows() -> None:
    """At least forty defects in three languages, each of which the named set can notice."""
    assert len(MUTANTS) >= 40
    assert len({(mutant.program, mutant.name) for mutant in MUTANTS}) == len(MUTANTS)
    for mutant in MUTANTS:
        assert mutant.kind in {kind.name for kind in SETS[mutant.set_name]}
    assert all(mutant.set_name == "standard" for mutant in MUTANTS if mutant.kind != "stalls")
