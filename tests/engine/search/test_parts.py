"""The parts of a search: together they are as much as the whole, and none does what another one does."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from msgspec import structs

from harness import resources
from harness.cli import main
from harness.emulator.mutants import MUTANTS
from harness.engine.events import ExerciseStarted, Planned, Replays
from harness.engine.search import run
from harness.engine.search.budget import BUDGETS, Budget
from harness.engine.search.failure import ACCEPTED, AnswerCounts, EngineRun, Failure
from harness.engine.search.run import FuzzOptions, Store, fuzz
from harness.engine.search.search_target import SearchTarget, play
from harness.engine.search.shrink import LATE
from harness.engine.targets import TargetOptions, resolve_target
from harness.interactions.servers import SERVERS
from harness.kit.api import PRIMARY_KEY
from harness.outcome import Exit
from harness.transport import ServerThread
from harness.wire.secret_finder import spellings
from tests.engine.search.places import history, mutant, reference

pytestmark = pytest.mark.usefixtures("alone")

# --- `harness fuzz`: usage errors, exit codes, printed output and written files


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "no target was given"),
        (["emulator", "--engine", "histry"], "did you mean 'history'"),
        (["emulator", "--size", "smok"], "did you mean 'smoke'"),
        (["emulator", "--max-examples", "0"], "1 or more"),
    ],
)
def test_wrong_usage_is_told_and_exits_2(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fuzz", *words]) == Exit.USAGE
    assert told in capsys.readouterr().err


def fuzz_mutant(name: str, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, object]]:
    """Fuzz a mutant over a socket with --json: the exit code and the JSON record."""
    emulator = MUTANTS[name].build()
    with ServerThread(emulator, clock=emulator.clock) as server:
        key = ("--api-key", PRIMARY_KEY, "--capability", "-two-keys")
        code = main(["fuzz", server.url, *key, *words, "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_a_broken_server_exits_1_and_is_described_by_the_schema(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A defect found over a socket exits with 1, fits the schema, is written in three forms and is stored."""
    words = ("--engine", "history", "--max-examples", "20", "--level", "must", "-o", str(tmp_path / "out"))
    code, record = fuzz_mutant("delete-twice-crashes", capsys, *words, "--report", f"junit={tmp_path}/x.xml")
    schema = json.loads((resources.folder("schemas") / "output" / "fuzz.schema.json").read_bytes())
    jsonschema.Draft202012Validator(schema).validate(record)
    assert code == record["exit"] == Exit.FAILED
    found = {failure["rule"]: failure for failure in record["failures"]}  # type: ignore[attr-defined]
    assert found["fuzz.no-5xx"]["outcome"] == "failed"
    assert PRIMARY_KEY not in json.dumps(record)
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".sh", ".py", ".yaml"}
    assert len(list((tmp_path / ".harness" / "fuzz").glob("*/fuzz.no-5xx_*.json"))) == 1
    cases = list(ET.parse(tmp_path / "x.xml").iter("testcase"))
    assert [case.get("name") for case in cases if case.get("classname") == "interactions.fuzz"] == ["history"]
    told = {case.get("name", "").partition(":")[0]: case.findtext("failure") for case in cases}
    assert "shortest request sequence: " in (told["fuzz.no-5xx"] or "")


@pytest.mark.slow
def test_a_warning_fails_nobody_unless_strict(capsys: pytest.CaptureFixture[str]) -> None:
    """A broken SHOULD is only a warning, unless `--strict` makes it a failure."""
    words = ("--engine", "history", "--max-examples", "10", "--no-store")
    assert fuzz_mutant("done-missing", capsys, *words)[0] == Exit.OK
    code, record = fuzz_mutant("done-missing", capsys, *words, "--strict")
    assert code == Exit.FAILED
    failures = [failure for failure in record["failures"] if failure["outcome"] == "failed"]  # type: ignore[attr-defined]
    assert {failure["rule"] for failure in failures} == {"stream.done"}


@pytest.mark.parametrize(("late", "code"), [("", Exit.OK), ("no time", Exit.NOTHING_RAN)])
def test_an_engine_that_the_time_has_no_room_for_is_left_out(
    late: str, code: Exit, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others get its time; the run is incomplete only if they had none, either."""
    budgets: list[float | None] = []

    def search(place: SearchTarget, budget: Budget, *, engine: str, **_: object) -> EngineRun:
        budgets.append(budget.seconds)
        answers = AnswerCounts() if late else AnswerCounts({("POST interactions", ACCEPTED): 1})
        return EngineRun(engine=engine, seconds=0.0, answers=answers, late=late)

    monkeypatch.setattr(run, "search", search)
    assert main(["fuzz", "emulator", "-e", "history,schema", "--deadline", "18", "--no-store"]) == code
    assert [seconds is not None and seconds > 9.0 for seconds in budgets] == [True]  # not half of it
    assert ("left out: it needs 10 s of the time" in capsys.readouterr().out) is True


@pytest.mark.slow
def test_only_the_stored_failures_are_played_again(capsys: pytest.CaptureFixture[str]) -> None:
    """With --last-failed no engine runs, and what was not fully shrunk is shrunk before it is shown."""
    words = ("--engine", "history", "--max-examples", "25", "--level", "must")
    emulator = MUTANTS["delete-twice-crashes"].build()
    with ServerThread(emulator, clock=emulator.clock) as server:
        target = ("fuzz", server.url, "--api-key", PRIMARY_KEY, "--capability", "-two-keys")
        assert main([*target, *words]) == Exit.FAILED
        (path,) = Path(".harness/fuzz").glob("*/fuzz.no-5xx_*.json")
        path.write_text(json.dumps({**json.loads(path.read_text()), "unshrunk": LATE}))
        capsys.readouterr()
        code = main([*target, "--last-failed", "--deadline", "30"])
        printed = capsys.readouterr()
    assert code == Exit.FAILED
    assert "harness: replaying " in printed.err
    assert "\nhistory" not in printed.out
    assert "shortest request sequence: create plain > delete #0 > delete #0" in printed.out
    assert printed.out.splitlines()[-1] == "FAILED: 1 MUST rule broken in 3 responses."


# --- failures are stored, replayed first in the next run, and removed once they no longer fail


def failure_of(name: str, words: str) -> Failure:
    """The first failure that a history shows on a mutant."""
    return play(mutant(name), history(words), "history")[0]


def test_a_kept_failure_is_played_again_and_known(tmp_path: Path) -> None:
    store = Store(tmp_path, reference().resolved)
    kept = failure_of("delete-keeps", "create; delete; poll")
    assert store.keep(kept) is not None
    done = store.replay(mutant("delete-keeps"))
    assert [(failure.defect.name, failure.known) for failure in done.failures] == [("del.gone", True)]
    assert done.failures[0].history == kept.history


def test_a_replay_is_a_part_of_its_own(tmp_path: Path) -> None:
    """It is planned and begins as an engine does, so that its progress is not that of the probe."""
    place = mutant("delete-keeps")
    Store(tmp_path, place.resolved).keep(failure_of("delete-keeps", "create; delete; poll"))
    options = FuzzOptions(engines=(), budget=BUDGETS["smoke"], store=tmp_path)
    events = [*fuzz(place.resolved, place.model, options)]
    assert [event.exercises for event in events if isinstance(event, Planned)] == [1]
    assert [event.name for event in events if isinstance(event, ExerciseStarted)] == ["stored"]


def test_a_stored_failure_is_shrunk_once(tmp_path: Path) -> None:
    """One that had not been is shrunk before it is shown, and stored so: the next run only plays it."""
    store, place = Store(tmp_path, reference().resolved), mutant("delete-keeps")
    kept = replace(failure_of("delete-keeps", "create; create; delete 1; poll 1"), unshrunk=LATE)
    path = store.keep(kept)
    done = store.keep_all(store.replay(place), place.model)
    (shrunk,) = done.failures
    assert (len(shrunk.history), shrunk.unshrunk, shrunk.known) == (3, "", True)
    assert path is not None
    assert json.loads(path.read_text())["history"] == [step.record() for step in shrunk.history]
    (again,) = store.replay(place).failures
    assert (again.history, again.replays) == (shrunk.history, Replays(1, 1))


def test_a_note_is_no_failure_to_replay(tmp_path: Path) -> None:
    """What a MAY rule allows is not stored, so `--last-failed` searches after a run in which nothing failed."""
    store, place = Store(tmp_path, reference().resolved), mutant("delete-keeps")
    failure = failure_of("delete-keeps", "create; delete; poll")
    finding = structs.replace(failure.finding, rule="chain.echo")
    note = replace(failure, defect=replace(failure.defect, finding=finding))
    store.keep_all(EngineRun(engine="history", seconds=0.0, failures=(note,)), place.model)
    assert store.list_stored() == []
    store.keep_all(EngineRun(engine="history", seconds=0.0, failures=(note, failure)), place.model)
    assert len(store.list_stored()) == 1


def test_what_does_not_fail_any_more_is_forgotten(tmp_path: Path) -> None:
    """If a stored failure no longer fails, its file is removed and a note says so."""
    store = Store(tmp_path, reference().resolved)
    path = store.keep(failure_of("delete-keeps", "create; delete; poll"))
    done = store.replay(reference())
    assert done.failures == ()
    assert "no longer fails" in done.notes[0]
    assert path is not None
    assert not path.exists()


def test_targets_do_not_share_failures(tmp_path: Path) -> None:
    """Two similar URLs store their failures in separate folders."""
    one, other = (resolve_target(SERVERS, url, TargetOptions()) for url in ("http://a:1", "http://a-1"))
    assert Store(tmp_path, one).folder != Store(tmp_path, other).folder


def test_a_damaged_file_is_told_and_passed_over(tmp_path: Path) -> None:
    store = Store(tmp_path, reference().resolved)
    store.folder.mkdir(parents=True)
    lines = '{"key": "x\\n\\nPASSED: no rule broken.", "engine": "schema", "history": [], "requests": []}'
    dance = '{"key": "x", "engine": "laws", "history": [{"kind": "dance"}], "requests": []}'
    for number, text in enumerate(("{", "[]", dance, lines)):
        (store.folder / f"{number}.json").write_text(text)
    done = store.replay(reference())
    assert len(done.notes) == 4
    assert "\n" not in "".join(done.notes)
    assert done.counts["replayed"] == 0


def test_a_stored_failure_quotes_no_key(tmp_path: Path) -> None:
    """A key that the target repeated is in neither message nor name; the failure is still known."""
    place = mutant("delete-twice-crashes")
    key = place.resolved.target.key
    failure = play(place, history("create; delete; delete"), "history")[0]
    finding = structs.replace(
        failure.finding, message=f"the status {f'quota of {key}'!r} {b64encode(key.encode())!r}"
    )
    store = Store(tmp_path, place.resolved)
    assert store.keep(replace(failure, defect=replace(failure.defect, finding=finding))) is not None
    (path,) = store.folder.iterdir()
    said = path.read_text()
    assert "'quota of ***' " in said
    assert [form for form in spellings(key) if form in said] == []
    assert [failure.known for failure in store.replay(place).failures] == [True]


def test_requests_without_a_history_are_not_stored(tmp_path: Path) -> None:
    """A file of a stranger's folder would choose what is sent with the key of the user."""
    failure = play(mutant("delete-twice-crashes"), history("create; delete; delete"), "schema")[0]
    store = Store(tmp_path, reference().resolved)
    assert store.keep(replace(failure, history=())) is None
    store.folder.mkdir(parents=True)
    request = {"method": "GET", "target": "/v1beta/interactions/x", "headers": [], "body": ""}
    record = {"key": "fuzz.kept", "engine": "schema", "history": [], "requests": [request]}
    (store.folder / "old.json").write_text(json.dumps(record))
    assert store.replay(reference()).notes == ("old.json is not a stored failure (it has no history): remove it",)
