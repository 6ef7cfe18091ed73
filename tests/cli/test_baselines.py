"""A baseline works the same for every command: it is made, it excuses, it goes stale, it is pruned."""

from __future__ import annotations

import html
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.emulator.mutants import MUTANTS
from tests.benches.client.clients import ONE_SHOT, program
from tests.cli.commands.test_verify import EVENTS, recording
from tests.cli.conftest import Harness, insert
from tests.foreign.server import ForeignService, Handler, serving

FILE = "known.yaml"
DELETES = ("-e", "history", "--seed", "11", "--max-examples", "8")
"""A search that soon deletes something and reads it again."""


def verify(*, broken: bool) -> list[str]:
    """Verify a stream, in which a delta may follow its stop."""
    events = [*EVENTS[:2], EVENTS[3], EVENTS[2], EVENTS[4]] if broken else EVENTS
    Path("stream.sse").write_text(recording(events), encoding="utf-8")
    return ["verify", "stream.sse"]


def torture(*, broken: bool) -> list[str]:
    """Torture a client, which may resume from the start."""
    client = ONE_SHOT.replace('cursor = "&last', 'unused = "&last') if broken else ONE_SHOT
    return ["torture", "--cuts", "event:9,rst", "--", *program(client)]


COMMANDS = {"verify": (verify, "stream.start-before"), "torture": (torture, "client[event:9,rst]")}


def run(harness: Harness, words: list[str], *options: str) -> int:
    """The exit code of a command with a baseline."""
    return harness(*insert(words, "--baseline", FILE, *options)).code


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_the_life_of_an_entry(harness: Harness, name: str) -> None:
    """An update makes the run pass, the entry excuses the failure, then it is stale, and an update removes it."""
    command: Callable[..., list[str]]
    command, result_id = COMMANDS[name]
    assert harness(*command(broken=True)).code == 1
    assert run(harness, command(broken=True), "--baseline-update") == 0
    assert [entry["id"] for entry in yaml.safe_load(Path(FILE).read_text("utf-8"))] == [result_id]
    assert run(harness, command(broken=True)) == 0
    assert run(harness, command(broken=False)) == 1
    assert run(harness, command(broken=False), "--baseline-update") == 0
    assert yaml.safe_load(Path(FILE).read_text("utf-8")) == []


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
    words = ["fuzz", "emulator", "--level", "must", "--no-store", *DELETES]
    assert harness(*words).code == 1
    done = harness(*words, "--baseline", FILE)
    assert done.code != 1
    assert "WARNED      del.gone" in done.out
    assert "issue 7" in done.out


@pytest.mark.parametrize("name", COMMANDS)
def test_an_entry_that_names_no_check_is_stale(harness: Harness, name: str) -> None:
    """A check that a new version dropped does not stop the run, and a typo, which excuses nothing, is found."""
    command, result_id = COMMANDS[name]
    typo = result_id.replace("t", "tt", 1)
    Path(FILE).write_text(f"- {{id: '{typo}', reason: issue 9}}\n", encoding="utf-8")
    words = command(broken=False)
    reports = ["--report", "json=report.json", "--report", "junit=report.xml", "--report", "html=report.html"]
    done = harness(*insert(words, "-v", "--baseline", FILE, *reports))
    assert done.code == 1
    told = f"no check has the id '{typo}'"
    assert told in done.out
    assert "stale" in done.out.splitlines()[-1]
    texts = {kind: html.unescape(Path(f"report.{kind}").read_text("utf-8")) for kind in ("json", "xml", "html")}
    assert [kind for kind, text in texts.items() if typo not in text] == []
    assert json.loads(Path("report.json").read_text("utf-8")).get("exit", 1) == 1
    assert run(harness, words, "--baseline-update") == 0
    assert yaml.safe_load(Path(FILE).read_text("utf-8")) == []


@pytest.mark.parametrize("path", ["nowhere/known.yaml", "folder"])
def test_a_baseline_that_cannot_be_written_is_told_before_anything_is_sent(harness: Harness, path: str) -> None:
    """Nobody waits for a run whose failures then go nowhere."""
    Path("folder").mkdir()
    done = harness("check", "http://127.0.0.1:1", "--baseline", path, "--baseline-update")
    assert (done.code, done.out) == (2, "")
    assert "--baseline: " in done.err


def test_two_reports_do_not_share_a_file(harness: Harness) -> None:
    """The second would be all that is left."""
    done = harness("check", "http://127.0.0.1:1", "--report", "json=one", "--report", "junit=./one")
    assert (done.code, done.out) == (2, "")
    assert "json and junit both name 'one'" in done.err


def test_a_check_tells_what_an_entry_may_mean(harness: Harness) -> None:
    """An entry for a check that the selection leaves out is not stale, and one with a typo names its neighbour."""
    Path(FILE).write_text("- {id: stream.done}\n", encoding="utf-8")
    assert run(harness, ["check", "emulator", "-c", "create.ok"]) == 0
    Path(FILE).write_text("- {id: stream.dome}\n", encoding="utf-8")
    done = harness("check", "emulator", "-c", "create.ok", "--baseline", FILE)
    assert (done.code, "did you mean 'stream.done'" in done.out) == (1, True)
    assert "stale" in done.out.splitlines()[-1]


def test_a_run_that_was_not_whole_leaves_the_baseline_as_it_was(harness: Harness) -> None:
    """What nobody looked at is neither known nor gone: the file is untouched, and the last line says why."""
    text = "- {id: stream.dome, reason: old}\n"
    Path(FILE).write_text(text, encoding="utf-8")
    with serving(ForeignService()) as url:
        done = harness("check", url, "--deadline", "0.1", "--baseline", FILE, "--baseline-update")
    assert Path(FILE).read_text("utf-8") == text
    assert done.code not in (0, 2)
    told = f"baseline {FILE}: unchanged, because the run was incomplete: the time limit was reached (--deadline)"
    assert told in done.out


@pytest.mark.slow
def test_a_target_that_goes_away_leaves_no_baseline(harness: Harness) -> None:
    """A server that dies in the middle does not become a baseline of failures, or of none."""
    service = ForeignService()
    service.handler = LeavesSoon
    with serving(service) as url:
        done = harness("check", url, "--baseline", FILE, "--baseline-update")
    assert done.code == 4
    assert not Path(FILE).exists()
    told = "unchanged, because the run was incomplete: the target stopped responding at "
    assert told in done.out


class LeavesSoon(Handler):
    """From the sixtieth call on, whoever calls is hung up on."""

    calls = itertools.count()

    def dispatch(self, data: bytes) -> Any:
        if next(self.calls) >= 60:
            self.close_connection = True
            self.connection.close()
            raise ConnectionAbortedError
        return super().dispatch(data)


@pytest.mark.parametrize(
    "words", ["check emulator --fail-fast", "torture --fail-fast -- x", "torture --enough 2 -- x"]
)
def test_who_ends_a_run_early_cannot_update_a_baseline(harness: Harness, words: str) -> None:
    """What comes after the first failure would be missing from the file."""
    command, *rest = words.split()
    done = harness(command, "--baseline", FILE, "--baseline-update", *rest)
    assert (done.code, done.out, Path(FILE).exists()) == (2, "", False)
    early = next(word for word in rest if word.startswith("--"))
    assert done.err == (
        f"harness: --baseline-update needs a complete run, but {early} ends it early: remove one of them\n"
    )
