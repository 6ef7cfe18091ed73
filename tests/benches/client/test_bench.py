"""Torture: which clients survive, which do not, and what is reported about them."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.benches.client.bench import TortureOptions, torture
from harness.benches.client.cases import Case
from harness.benches.client.client_commands import LoopClient
from harness.benches.client.judgement.outcome import DropOutcome, outcome_of, run_of
from harness.engine.events import CheckFinished, PhaseFinished, Planned, Result, RunEvent, RunFinished
from harness.interactions.clients import CLIENTS
from harness.outcome import Exit, UsageFault, Verdict
from harness.plugin import cases_of
from tests.benches.client import clients
from tests.benches.client.cases import cases_of_set, new_case
from tests.benches.client.client_mutants import MUTANTS, ClientMutant
from tests.benches.client.clients import InProcess, Reads
from tests.busy_machine import within


def play(reads: Reads, **options: object) -> tuple[list[RunEvent], list[Result]]:
    """Run all cases, and return the events and the results in the order of the stream."""
    jobs = int(options.pop("jobs", 1))  # type: ignore[call-overload]
    cases = cases_of(**options)  # type: ignore[arg-type]
    events = list(torture(CLIENTS, cases, lambda: InProcess(reads), TortureOptions(jobs=jobs)))
    finished = events[-1]
    assert isinstance(finished, RunFinished)
    assert sum(isinstance(event, CheckFinished) for event in events) == len(finished.results)
    return events, list(finished.results)


RIGHT = {DropOutcome.EXACT, DropOutcome.RECOVERED, DropOutcome.COULD_NOT}
"""The outcomes of a client that did nothing wrong."""


@pytest.mark.slow
@pytest.mark.parametrize("reads", [clients.good, clients.good_events, clients.creates_its_own])
def test_the_helper_survives(reads: Reads) -> None:
    """The resume helper is exact for a drop at every event, by reset or orderly end, with and without ids."""
    events, results = play(reads, event_ids=("all", "none"), jobs=2)
    (planned,) = (event for event in events if isinstance(event, Planned))
    (undisturbed,) = (event for event in events if isinstance(event, PhaseFinished))
    frames = undisturbed.counts["events"] + 2  # `[DONE]` is a frame, but no event
    assert len(results) == planned.checks == 2 * 2 * frames
    assert {outcome_of(result) for result in results} <= RIGHT


@pytest.mark.parametrize(
    ("reads", "plan", "outcome", "said"),
    [
        (clients.never_back, "event:8,end", DropOutcome.SILENT_LOSS, "it did not resume after the drop"),
        (clients.never_back, "event:8,rst", DropOutcome.SILENT_LOSS, "lost the text of event"),
        (clients.never_back, "completion,end", DropOutcome.WRONG_STATUS, "accepted the end of a connection"),
        (clients.never_back, "no-completion", DropOutcome.WRONG_STATUS, "a connection, or `[DONE]`, as the end"),
        (clients.honest, "event:8,rst", DropOutcome.REPORTED, "gave up: ReadError"),
        (clients.honest, "event:8,end", DropOutcome.REPORTED, "gave up: EOFError"),
        (clients.doubles, "event:8,rst", DropOutcome.DUPLICATED, "it requested the stream from the start again"),
        (clients.for_ever, "event:8,end,times:all", DropOutcome.HUNG, "more than 60 requests"),
        (clients.good, "event:8,end", DropOutcome.RECOVERED, ""),
        (clients.good, "ping:all,crlf", DropOutcome.EXACT, ""),
    ],
)
def test_what_is_said(reads: Reads, plan: str, outcome: DropOutcome, said: str) -> None:
    """Each kind of client gets the expected outcome, and a message that says what it did wrong."""
    _, (result,) = play(reads, cuts=[plan])
    assert outcome_of(result) is outcome
    assert said in "".join(finding.message for finding in result.observation.findings)
    assert run_of(result).moments


def test_a_cursor_that_is_not_encoded_is_noticed() -> None:
    """The usual set has ids with a plus, which a query without encoding turns into a space."""
    cases = cases_of_set("standard", new_case(), only=["odd-ids"])
    *_, finished = torture(CLIENTS, cases, lambda: InProcess(clients.resumes_unencoded), TortureOptions())
    assert isinstance(finished, RunFinished)
    messages = [finding.message for result in finished.results for finding in result.observation.findings]
    assert any("without percent-encoding" in message for message in messages)


def test_a_stall_ends_in_time() -> None:
    """A client that waits for ever is stopped after the time limit."""
    cases = cases_of(cuts=["event:3,stall"])

    def run(seconds: float) -> list[DropOutcome]:
        events = torture(CLIENTS, cases, lambda: InProcess(clients.honest), TortureOptions(seconds=seconds))
        with suppress(UsageFault):  # even the stream without a fault took the machine longer
            return [outcome_of(event.result) for event in events if isinstance(event, CheckFinished)]
        return []

    assert within(run, bool, first=0.3) == [DropOutcome.HUNG]


def test_a_client_that_cannot_read_at_all() -> None:
    """If a client cannot read the stream without a drop, the run stops instead of blaming drops."""
    with pytest.raises(UsageFault, match="without any fault the client has another text") as refused:
        list(torture(CLIENTS, cases_of(), lambda: InProcess(lambda client, interaction: "nothing")))
    assert "it sent no request at all" in str(refused.value)
    assert "  its task:           stream the interaction with the given id" in str(refused.value)
    assert "INTERACTIONS_BASE_URL" in str(refused.value)


def test_a_client_that_reads_the_wrong_thing_is_shown_a_frame() -> None:
    """Whoever reads frames in another way than they are written sees one as it came, whole and with its text."""

    def reads_nothing(client: httpx.Client, interaction: str) -> str:
        client.get(f"/v1beta/interactions/{interaction}?stream=true").read()
        return ""

    with pytest.raises(UsageFault, match="without any fault the client lost the text") as refused:
        list(torture(CLIENTS, cases_of(), lambda: InProcess(reads_nothing)))
    shown = str(refused.value).partition("  a frame with text:  ")[2].splitlines()
    frame = {name: value for name, _, value in (line.strip().partition(": ") for line in shown)}
    event = json.loads(frame["data"])
    assert (event["event_type"], frame["event"]) == ("step.delta", "step.delta")
    assert event["delta"]["text"] == "A text in sev"


def test_nothing_is_left_behind() -> None:
    """Closing the run stops its workers, whatever they are doing."""
    before = set(threading.enumerate())
    run = torture(CLIENTS, cases_of(), lambda: InProcess(clients.good), TortureOptions(jobs=2))
    while not isinstance(next(run), CheckFinished):
        pass
    run.close()
    assert {thread for thread in threading.enumerate() if thread.is_alive()} <= before


def refuses_comments(client: httpx.Client, interaction: str) -> str:
    """Reads the stream, and gives up on a line that is no field it knows."""
    with client.stream("GET", f"/v1beta/interactions/{interaction}?stream=true") as answer:
        lines = list(answer.iter_lines())
    if any(line.startswith(":") for line in lines):
        raise ValueError("a line that begins with a colon")
    return clients.good(client, interaction)


@pytest.mark.parametrize("allowed", [False, True])
@pytest.mark.parametrize(
    ("reads", "plan", "code"),
    [
        (refuses_comments, "ping:all", "client.reads/gave-up"),
        (clients.for_ever, "event:8,end,times:all", "client.ends/requests"),
    ],
    ids=["legal bytes", "without end"],
)
def test_some_clients_are_not_certified(reads: Reads, plan: str, code: str, allowed: bool) -> None:
    """A client that gives up on legal bytes, or comes to no end, fails the run, unless the user allows it."""
    rule = code.partition("/")[0]
    options = TortureOptions(allowed={rule} if allowed else ())
    *_, finished = torture(CLIENTS, cases_of(cuts=[plan]), lambda: InProcess(reads), options)
    assert isinstance(finished, RunFinished)
    (result,) = finished.results
    assert [finding.code for finding in result.observation.findings] == [code]
    assert result.verdict is (Verdict.WARN if allowed else Verdict.FAIL)
    assert finished.exit is (Exit.OK if allowed else Exit.FAILED)


# --- every one-line defect of a correct client is noticed, and the correct clients are right in every set


PROGRAMS = Path(__file__).parent / "programs"
FOLLOW = Path(__file__).resolve().parents[3] / "docs" / "clients" / "follow.mjs"
CORRECT = ("sync_client.py", "helper_client.py", "loop.mjs", "creates.mjs")
HANGS = 12.0
"""Seconds until a mutant is given up, which is then noticed."""
NEVER = 120.0
"""Seconds until a correct client is, or a start: no verdict may rest on them, however busy the machine is."""
WHOLE_SETS = os.environ.get("CLIENT_MUTANTS") == "all"


def play_mutant(folder: Path, program: str, cases: list[Case], seconds: float = NEVER) -> Iterator[Result]:
    """The results of a program in a folder; a case that takes more `seconds` hangs."""
    runner = shutil.which("node") if program.endswith(".mjs") else sys.executable
    if runner is None:
        pytest.skip("no node on PATH")
    command = [runner, str(folder / program)]
    options = TortureOptions(jobs=2, seconds=seconds, undisturbed=new_case())
    starting = iter([NEVER])  # the client of the undisturbed case; what it takes is added to the other cases
    for event in torture(
        CLIENTS, cases, lambda: LoopClient(command, dict(os.environ), starting=next(starting, 0.0)), options
    ):
        if isinstance(event, CheckFinished):
            yield event.result


@pytest.fixture
def folder(tmp_path: Path, lean_clients: None) -> Path:
    """A folder with all programs."""
    shutil.copytree(PROGRAMS, tmp_path, dirs_exist_ok=True)
    shutil.copy(FOLLOW, tmp_path)
    return tmp_path


def cases_that_tell(mutant: ClientMutant) -> list[Case]:
    """The cases of the kind that notices a mutant, or of its whole set."""
    only = () if WHOLE_SETS else (mutant.kind,)
    return cases_of_set(mutant.set_name, new_case(), only=only)


FIRST_OF_KIND = {(mutant.program, mutant.kind): mutant for mutant in reversed(MUTANTS)}
ALSO_IN_NODE = {"clean-end", "noise", "twice", "heads", "odd-ids"}
"""Of the kinds of cases, those that a defect of the client in JavaScript shows, too: drops, bytes and ids."""


def case_of(mutant: ClientMutant) -> Any:
    """A mutant as a case of a test: of each kind one is enough but for thorough runs."""
    wanted = FIRST_OF_KIND[mutant.program, mutant.kind] is mutant
    wanted = wanted and (mutant.program == "sync_client.py" or mutant.kind in ALSO_IN_NODE)
    return pytest.param(mutant, id=f"{mutant.program}-{mutant.name}", marks=() if wanted else pytest.mark.thorough)


@pytest.mark.slow
@pytest.mark.parametrize("mutant", [case_of(mutant) for mutant in MUTANTS])
def test_a_mutant_is_noticed(folder: Path, mutant: ClientMutant) -> None:
    """The kind of cases that the row names notices the defect."""
    source = (folder / mutant.file).read_text(encoding="utf-8")
    assert source.count(mutant.old) == 1, "the row does not fit the program any more"
    (folder / mutant.file).write_text(source.replace(mutant.old, mutant.new), encoding="utf-8")
    cases, passed = cases_that_tell(mutant), []
    for result in play_mutant(folder, mutant.program, cases, HANGS):
        if result.verdict is not Verdict.PASS:
            return
        passed.append(result.id)
    pytest.fail(f"{mutant.name} is not noticed by {mutant.kind}: of {len(cases)} cases {passed} passed")


@pytest.mark.slow
@pytest.mark.parametrize("program", CORRECT)
def test_a_correct_client_is_right(folder: Path, program: str) -> None:
    results = list(play_mutant(folder, program, cases_of_set("thorough" if WHOLE_SETS else "quick", new_case())))
    wrong = [(result.title, run_of(result).end) for result in results if result.verdict is not Verdict.PASS]
    assert not wrong, Counter(map(outcome_of, results))
