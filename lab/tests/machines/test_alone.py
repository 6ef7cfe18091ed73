"""A check has the same result by itself as in a whole run; the machine that compares them sees a difference."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import pytest

from harness.engine.events import Result
from harness.interactions.servers import SERVERS
from harness.kit.api import EmbeddedService
from lab import alone
from lab.kill_matrix import Bench, load_bench
from lab.tests.machines.seeing import sample

pytestmark = pytest.mark.slow


@cache
def bench() -> Bench:
    """The catalog, played against the reference once."""
    return load_bench()


@pytest.mark.parametrize("mutant", sample(alone.list_mutants(), 480))
def test_a_check_has_the_same_result_alone(mutant: str, pytestconfig: pytest.Config) -> None:
    """On a fresh target and on one that was judged before, with two numbers of workers; thorough: with three."""
    jobs = alone.rotate(alone.JOBS, alone.list_mutants().index(mutant))
    jobs = jobs if pytestconfig.getoption("--thorough") else jobs[:2]
    assert list(map(str, alone.find_differences(bench(), mutant, *jobs))) == []


def test_a_difference_is_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the whole run judges a server without the defect."""
    judge = alone.judge

    def judge_another(service: EmbeddedService, *checks: str, jobs: int = 1) -> Mapping[str, Result]:
        right = SERVERS.new_service(SERVERS.load_contract(""))
        return judge(service if checks else right, *checks, jobs=jobs)

    monkeypatch.setattr(alone, "judge", judge_another)
    found = list(alone.find_differences(bench(), "delete-keeps", 1))
    assert ("del.gone", "1 jobs, fresh", "failed", "passed") in [
        (one.check, one.where, one.alone, one.whole) for one in found
    ]


def test_one_mutant_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is 1 where a difference is listed."""
    difference = alone.Difference("delete-keeps", "del.gone", "8 jobs, fresh", "failed", "passed")
    monkeypatch.setattr(alone, "find_differences", lambda bench, mutant, *jobs: [difference])
    monkeypatch.setattr(alone, "load_bench", lambda: None)
    assert alone.run(["delete-keeps", "-j", "8"]) == 1
    out = capsys.readouterr().out
    assert "delete-keeps: del.gone failed alone, passed in the whole run (8 jobs, fresh)" in out
