"""The engine, the reports, the cassettes and the faults work for an API that no module of the harness knows."""

from __future__ import annotations

import ast
import json
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree as ET

import httpx
import pytest

from harness.benches.client.bench import torture
from harness.benches.client.cases import Case, cases_of_set
from harness.benches.client.client_commands import ClientResult, Task
from harness.benches.client.judgement.outcome import DropOutcome, outcome_of
from harness.cassette import Player, Provenance, Recording, load, save
from harness.cli.output import FORMATS, render
from harness.engine.events import CheckFinished, RunFinished
from harness.engine.killers import Killers, find_killers
from harness.engine.run import RunOptions, check_target
from harness.engine.search.budget import Budget
from harness.engine.search.run import HISTORY, LAWS, SCHEMA, FuzzOptions, fuzz
from harness.engine.targets import TargetOptions, embed_emulator, resolve_target
from harness.faults import cut
from harness.outcome import Exit, Verdict
from harness.report.commands.fuzz import FuzzRun, failures
from harness.report.presented_run import PresentedRun
from harness.transport import ServerThread, ServiceDriver
from harness.wire import Headers, How, Request
from tests.engine import toy_api, toy_search
from tests.engine.toy_api import NOTE_CLIENTS, NOTES, KeepsNotes, LosesWords, NoteContract, NoteService, events_of

CREATE = Request("POST", "/v7/notes", Headers([("note-key", "any")]), b'{"text": "one two three"}')
WORDS = Request("GET", "/v7/notes/n1/words", Headers([("note-key", "any")]))


def judged(service: type[NoteService] = NoteService) -> PresentedRun:
    """The state of a finished run against a note service in this process."""
    state = PresentedRun(NOTES)
    target = embed_emulator(NOTES, TargetOptions(), lambda: service(NoteContract()))
    for event in check_target(target, NOTES.load_catalogue(), RunOptions()):
        state.handle(event)
    return state


def test_nothing_of_the_api_of_the_harness_is_used() -> None:
    """The toy API imports the kit and what lies below it, and no other package of the harness."""
    trees = [ast.parse(Path(str(module.__file__)).read_text("utf-8")) for module in (toy_api, toy_search)]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    modules = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    ours = {module.split(".")[1] for module in modules if module.startswith("harness.")}
    assert ours == {"faults", "kit", "outcome", "wire"}


def test_a_right_service_passes() -> None:
    """Every check of the toy catalogue passes, its own capability was probed, and the run exits with 0."""
    state = judged()
    assert [(result.id, result.verdict) for result in state.results] == [
        ("note.readable", Verdict.PASS),
        ("words.whole", Verdict.PASS),
    ]
    assert "words" in state.capabilities
    assert state.whole()[1].exit is Exit.OK


def test_a_wrong_service_fails_and_can_be_reproduced() -> None:
    """The finding of a toy judge is explained with curl lines that use the toy's key and ids."""
    state = judged(LosesWords)
    (failed,) = [result for result in state.results if result.verdict is Verdict.FAIL]
    text = state.present(failed).explain()
    assert failed.observation.findings[0].stable_code == "words.whole/other"
    assert "/v7/notes" in text
    assert '"$NOTE_KEY"' in text
    assert "ID0=$(" in text


def test_a_served_toy_is_judged_by_its_url_and_cleaned_up() -> None:
    """Over a socket, the URL of the collection is enough, and every note that was created is deleted."""
    service = NoteService(NoteContract())
    with ServerThread(service) as server:
        target = resolve_target(NOTES, f"{server.url}/v7/notes", TargetOptions(api_key="k"))
        *_, last = check_target(target, NOTES.load_catalogue(), RunOptions())
    assert isinstance(last, RunFinished)
    assert (last.exit, last.leftovers, service.notes) == (Exit.OK, (), {})


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_reports_it(name: str) -> None:
    """Each report names the toy's rule and its own title, and is well-formed."""
    text = render(name, judged(LosesWords))
    if name == "badge":
        assert json.loads(text)["label"] == "notes api"
        return
    assert "words.whole" in text
    if name == "json":
        assert json.loads(text)["target"]["api_version"] == "v7"
    elif name == "junit":
        assert {case.get("classname") for case in ET.fromstring(text).iter("testcase")} == {
            "notes.note",
            "notes.words",
        }
    else:
        assert "Notes API" in text


def search_for(service: type[NoteService], *engines: str) -> PresentedRun:
    """The state of a finished search of a note service in this process."""
    state = FuzzRun(NOTES)
    target = embed_emulator(NOTES, TargetOptions(), lambda: service(NoteContract()))
    budget = Budget(histories=30, steps=8, laws=1, schema=1)
    for event in fuzz(target, toy_search.load_search(), FuzzOptions(engines=engines, budget=budget)):
        state.handle(event)
    return state


def test_a_search_finds_the_least_history_of_a_defect() -> None:
    """A search plays the toy's steps, and shrinks what its own judge finds."""
    state = search_for(KeepsNotes, HISTORY)
    (failed,) = failures(state.results)
    assert (failed.rule.id, failed.verdict) == ("note.gone", Verdict.FAIL)
    assert failed.reproduction is not None
    assert list(map(str, failed.reproduction.steps)) == ["make", "delete #0", "read #0"]
    assert "make > delete #0 > read #0" in render("markdown", state)


@pytest.mark.slow
def test_a_search_of_a_right_service_finds_nothing_and_proves_something() -> None:
    """No step accuses the right service; the engines for which the toy has nothing to offer say so."""
    state = search_for(NoteService, HISTORY, LAWS, SCHEMA)
    assert failures(state.results) == []
    assert [phase.name for phase in state.phases if phase.vacuous] == [LAWS, SCHEMA]
    assert state.whole()[1].exit is Exit.INCOMPLETE, "one engine judged the service, two did not"


def test_its_mutant_is_noticed() -> None:
    """The one mutant of the toy fails one check, and nothing raises."""
    assert find_killers(NOTES, lambda: LosesWords(NoteContract())) == Killers(("words.whole",), {})


def test_its_recording_is_replayed_and_resumed(tmp_path: Path) -> None:
    """A cassette of the toy is played back, also from a cursor that was never requested while it was recorded."""
    driver = ServiceDriver(NoteService(NoteContract()))
    recordings = [Recording.of(driver.send(request), origin="http://notes") for request in (CREATE, WORDS)]
    save(tmp_path / "notes.yaml", recordings, Provenance(recorder="test", api=NOTES.name))
    recorded = load(tmp_path / "notes.yaml").recordings
    player = ServiceDriver(Player(recorded, NOTES.load_protocol(), mode="resume"))
    assert player.send(CREATE).status == 200
    rest = player.send(NOTES.load_protocol().resume(WORDS, "n1", "1"))
    assert [event["at"] for event in events_of(rest.body)] == [2, 3, 4]


def test_its_stream_drops_by_plan_and_goes_on_at_the_cursor() -> None:
    """A fault plan cuts the toy's stream after an event, and a resume brings exactly the rest."""
    driver = ServiceDriver(cut(NoteService(NoteContract()), "event:2,rst", NOTES.load_protocol()))
    driver.send(CREATE)
    dropped = driver.send(WORDS)
    assert dropped.ending.how is How.RST
    had = events_of(dropped.body)
    cursor = NOTES.load_protocol().cursor(had[-1])
    rest = driver.send(NOTES.load_protocol().resume(WORDS, "n1", cursor))
    assert [event["at"] for event in [*had, *events_of(rest.body)]] == [1, 2, 3, 4]


class ReadsNotes:
    """A client of the toy; `resumes` if it comes back after a drop."""

    def __init__(self, *, resumes: bool) -> None:
        self._resumes = resumes

    def read(self, task: Task, seconds: float, start: float = 0.0) -> ClientResult:
        """Read the words of a note."""
        words: list[str] = []
        end, after = False, 0
        while not end:
            query = f"?after={after}" if after else ""
            url = f"{task.base_url}/v7/notes/{task.interaction}/words{query}"
            with suppress(httpx.TransportError), httpx.stream("GET", url, timeout=seconds) as answer:
                for event in (json.loads(line[6:]) for line in answer.iter_lines() if line[:6] == "data: "):
                    words += [event["word"]] if "word" in event else []
                    end, after = "end" in event, event["at"]
            if not self._resumes:
                break
        return ClientResult(collected=" ".join(words))

    def stop(self) -> None:
        """Do nothing: a read ends by itself."""

    close = stop


@pytest.mark.parametrize(
    ("resumes", "wanted"),
    [
        (True, [DropOutcome.RECOVERED] * 3),
        (False, [DropOutcome.SILENT_LOSS, DropOutcome.WRONG_STATUS, DropOutcome.SILENT_LOSS]),
    ],
)
def test_its_clients_are_tortured(resumes: bool, wanted: list[DropOutcome]) -> None:
    """A client of the toy is judged at each drop: one that resumes recovers, the other one loses words."""
    cases = cases_of_set(NOTE_CLIENTS, "few", Case(plan="pass", mode=NOTE_CLIENTS.load_client_model().usual_mode))
    events = torture(NOTE_CLIENTS, cases, lambda: ReadsNotes(resumes=resumes))
    results = [event.result for event in events if isinstance(event, CheckFinished)]
    assert [result.id for result in results] == [f"client[event:{n},rst]" for n in (1, 2, 0)]
    assert [outcome_of(result) for result in results] == wanted
