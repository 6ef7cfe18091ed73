"""A baseline works the same for every command: it is made, it excuses, it goes stale, it is pruned."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from harness.emulator.mutants import MUTANTS
from tests.benches.client.clients import ONE_SHOT, program
from tests.cli.commands.test_verify import EVENTS, recording
from tests.cli.conftest import Harness

FILE = "known.yaml"


def verify(*, broken: bool) -> list[str]:
    """Verify a stream, in which a delta may follow its stop."""
    events = [*EVENTS[:2], EVENTS[3], EVENTS[2], EVENTS[4]] if broken else EVENTS
    Path("stream.sse").write_text(recording(events), encoding="utf-8")
    return ["verify", "stream.sse"]


def torture(*, broken: bool) -> list[str]:
    """Torture a client, which may resume from the start."""
    client = ONE_SHOT.replace('cursor = "&last', 'unused = "&last') if broken else ONE_SHOT
    return ["torture", "--cuts", "event:9,rst", "--", *program(client)]


COMMANDS = {
    "verify": (verify, "stream.start-before"),
    "torture": (torture, "client[event:9,rst]"),
}


def run(harness: Harness, words: list[str], *options: str) -> int:
    """The exit code of a command with a baseline."""
    own = words.index("--") if "--" in words else len(words)
    return harness(*words[:own], "--baseline", FILE, *options, *words[own:]).code


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_the_life_of_an_entry(harness: Harness, name: str) -> None:
    """An update makes the run pass, the entry excuses the failure, then it is stale, and pruning removes it."""
    command: Callable[..., list[str]]
    command, result_id = COMMANDS[name]
    assert harness(*command(broken=True)).code == 1
    assert run(harness, command(broken=True), "--baseline-update") == 0
    assert [entry["id"] for entry in yaml.safe_load(Path(FILE).read_text("utf-8"))] == [result_id]
    assert run(harness, command(broken=True)) == 0
    assert run(harness, command(broken=False)) == 1
    assert run(harness, command(broken=False), "--baseline-prune") == 0
    assert yaml.safe_load(Path(FILE).read_text("utf-8")) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_stale_entry_is_no_failure_of_the_target(harness: Harness, name: str) -> None:
    """The run fails, and its last lines say why: the entry by its id, and nothing that is broken."""
    command: Callable[..., list[str]]
    command, result_id = COMMANDS[name]
    run(harness, command(broken=True), "--baseline-update")
    words = command(broken=False)
    own = words.index("--") if "--" in words else len(words)
    done = harness(*words[:own], "--baseline", FILE, *words[own:])
    assert done.code == 1
    assert f"{result_id} (stale entry): it passes now" in done.out
    assert "1 baseline entry is stale" in done.out.splitlines()[-1]
    assert "does not survive" not in done.out


def test_another_finding_is_not_excused(harness: Harness) -> None:
    """An entry for one finding of a rule does not excuse another one of the same rule."""
    Path(FILE).write_text("- {id: stream.start-before, finding: stream.start-before/stopped}\n", encoding="utf-8")
    assert run(harness, verify(broken=True)) == 0
    Path(FILE).write_text("- {id: stream.start-before, finding: stream.start-before/never}\n", encoding="utf-8")
    assert run(harness, verify(broken=True)) == 1


@pytest.mark.slow
def test_a_failure_of_a_search_is_excused_by_its_rule(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """`fuzz` reports an excused failure with its reason, and does not fail for it."""
    monkeypatch.setattr("harness.emulator.Emulator", MUTANTS["delete-keeps"].build)
    Path(FILE).write_text("- {id: del.gone, reason: issue 7}\n- {id: del.gone-stream}\n", encoding="utf-8")
    words = ["fuzz", "emulator", "-e", "history", "--max-examples", "40", "--level", "must", "--no-store"]
    assert harness(*words).code == 1
    done = harness(*words, "--baseline", FILE)
    assert done.code != 1
    assert "XFAIL del.gone" in done.out
    assert "issue 7" in done.out


@pytest.mark.parametrize("name", COMMANDS)
def test_an_unknown_id_is_refused(harness: Harness, name: str) -> None:
    """An entry that names nothing is a usage error, because a typo would excuse nothing."""
    Path(FILE).write_text("- {id: no.such-thing}\n", encoding="utf-8")
    assert run(harness, COMMANDS[name][0](broken=False)) == 2
