"""Tests of `harness mutants`: the checks that fail on each mutant, as text and as data."""

from __future__ import annotations

import pytest

from harness.emulator.mutants import MUTANTS
from harness.engine.events import RunFinished
from harness.engine.killers import Killers
from harness.outcome import Exit
from tests.cli.conftest import Harness, fits


def test_an_unknown_mutant_says_where_all_are(harness: Harness) -> None:
    """A name that is like no other is refused with the command that lists them."""
    done = harness("mutants", "nonsense")
    assert done.code == Exit.USAGE
    assert done.err == "harness: no mutant has the id 'nonsense': `harness mutants --list` shows all\n"
    done = harness("mutants", "del.gone")
    assert done.code == 2
    assert "'del.gone', which is a rule: name a mutant that breaks it, such as 'delete-undone'" in done.err


def test_list(harness: Harness) -> None:
    """--list prints one line for each mutant."""
    assert len(harness("mutants", "--list").out.splitlines()) == len(MUTANTS)


@pytest.mark.slow
def test_what_fails_on_a_mutant(harness: Harness) -> None:
    """Each row has the checks that fail, or that none can begin; a blocked check of its mutant stands below."""
    done = harness("mutants", "del*-undone", "create-crashes", "resume-bad-cursor-crashes")
    first, second, _, idle, last = done.out.splitlines()
    assert first.split()[0] == "delete-undone"
    assert "del.gone" in first
    assert second.split() == ["create-crashes", "handshake"]
    assert idle == "checks that kill none of these mutants, or that a finding blocks: resume.bad-cursor"
    assert (done.code, last) == (0, "PASSED: 3 mutants killed.")


def test_a_survivor_fails_the_run(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next step judges it by the rule that names it, and the JSON object fits its schema."""
    monkeypatch.setattr("harness.engine.killers.find_killers", lambda api, name: Killers((), {}))
    done = harness("mutants", "delete-undone")
    first, step, last = done.out.splitlines()
    assert (done.code, first) == (1, "delete-undone  SURVIVED")
    assert step.startswith("help: `harness serve --mutant delete-undone -- sh -c ")
    assert step.endswith(" -c del.gone'` shows why del.gone does not fail")
    assert last == "FAILED: 1 of 1 mutant survived (delete-undone)."
    value = fits("mutants", harness("mutants", "delete-undone", "--json").out)
    assert (value["survivors"], value["killers"], value["exit"]) == (["delete-undone"], {"delete-undone": []}, 1)


def test_an_interrupt_ends_all_of_it(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run of one mutant comes to its end, and no other one begins."""
    ended = iter([[RunFinished((), 0.1, Exit.INTERRUPTED)]])
    monkeypatch.setattr("harness.engine.killers.check_target", lambda *_: next(ended))
    done = harness("mutants", "delete-*")
    assert (done.code, done.out) == (Exit.INTERRUPTED, "")
