"""The first cause that a run against a mutant names is the mutant's defect."""

from __future__ import annotations

import pytest

from harness.emulator.mutants import MUTANTS
from lab import sentences
from lab.__main__ import main
from lab.tests.machines.seeing import sample

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("mutant", sample(sentences.list_mutants(), 220))
def test_the_first_cause_is_the_defect(mutant: str) -> None:
    """It has the rule and a word of the defect, unless the list says why not."""
    first = sentences.read_first(MUTANTS[mutant])
    assert (first.fault == "") is (mutant not in sentences.OTHERS), first


def test_another_cause_is_listed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An id that is missing in a wrapped interaction is not the first cause of its run."""
    monkeypatch.setattr(sentences, "OTHERS", {})
    monkeypatch.setattr(sentences, "list_rules", lambda mutant: {"create.id": sentences.Level.MUST})
    assert main(["sentences", "create-wrapped"]) == 1
    *_, line, total = capsys.readouterr().out.splitlines()
    assert line.startswith("create-wrapped")
    assert "another rule: create.status" in line
    assert total.startswith("1 mutant: the first cause has the rule of 0 (0%)")
