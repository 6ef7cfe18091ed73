"""Time limits: what a client needs without a fault is no fault, and who is called hung was slow twice.

No client here takes real time: each says how many seconds it took.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from harness import resources
from harness.benches.client.bench import TortureOptions, torture
from harness.benches.client.case_workers import CaseServer
from harness.benches.client.cases import Case, StreamSource, events_in, whole_stream
from harness.benches.client.client_commands import ClientResult, Task
from harness.benches.client.judgement.attempt import ClientAttempt
from harness.benches.client.judgement.outcome import DropOutcome, outcome_of, run_of
from harness.benches.client.judgement.received_responses import ReceivedResponse
from harness.cassette import Recording, save
from harness.checks.clients.sets import MODES, SETS
from harness.contract import PROTOCOL
from harness.emulator import Emulator
from harness.engine.events import CheckFinished
from harness.faults import cut
from harness.interactions.clients import CLIENTS
from harness.outcome import UsageFault
from harness.plugin import cases_of
from harness.transport import ServiceDriver
from harness.wire import COMPLETE, Chunked, Decoder, Headers, PieceBody, Request, Response
from tests.benches.client import clients
from tests.benches.client.cases import cases_of_set, new_case, new_source
from tests.benches.client.clients import InProcess

SECONDS = 30.0
RESETS = ("event:3,rst", "event:5,rst")


class Stopwatch(InProcess):
    """A correct client that says it needed `needs(case, number)` seconds for the number-th time it does a case."""

    played: Counter[str]

    def __init__(self, needs: Callable[[str, int], float]) -> None:
        super().__init__(clients.good)
        self._needs = needs
        self.played = Counter()

    def read(self, task: Task, seconds: float, start: float = 0.0) -> ClientResult:
        """Read, and be stopped if that is said to take longer than allowed."""
        self.played[task.case] += 1
        needed = self._needs(task.case, self.played[task.case])
        if needed > seconds + start:
            return ClientResult(stopped=f"had not ended after {seconds:g} s", seconds=seconds + start)
        return replace(super().read(task, seconds), seconds=needed)


def outcomes_of(client: InProcess, *cases: Case) -> dict[str, DropOutcome]:
    """How the client came out of each case."""
    events = torture(CLIENTS, cases, lambda: client, TortureOptions(seconds=SECONDS))
    results = [event.result for event in events if isinstance(event, CheckFinished)]
    return {str(run_of(result).name): outcome_of(result) for result in results}


@pytest.mark.parametrize(
    ("needs", "times"),
    [
        (lambda case, _: 20 if case == "pass" else 20 + 25, 1),
        (lambda case, number: 99 if case == RESETS[0] and number == 1 else 1, 2),
        (lambda case, number: {"pass": 4 * number, RESETS[0]: 60}.get(case, 1), 2),
        (lambda case, _: {RESETS[0]: 100}.get(case, 1), 2),
    ],
    ids=["a slow start", "one slow case", "a machine that got busy", "a slow stream"],
)
def test_one_that_was_slow_is_not_hung(
    needs: Callable[[str, int], float], times: int, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client has its 30 s after its start. A case that ran out of time is played again, which counts.

    How much slower the client has become without a fault shows what the machine takes, and so does its stream.
    """
    monkeypatch.setattr(ClientAttempt, "was_served", lambda *_: "stream" in request.node.name)
    client = Stopwatch(needs)
    found = outcomes_of(client, *cases_of(cuts=list(RESETS)))
    assert set(found.values()) == {DropOutcome.RECOVERED}
    assert client.played == {"pass": times, RESETS[0]: times, RESETS[1]: 1}


@pytest.mark.parametrize(
    ("kinds", "played"),
    [(("a", "a"), (2, 1)), (("a", "b"), (2, 2)), (("", ""), (2, 1))],
    ids=["one kind", "two kinds", "one ending"],
)
def test_one_that_hangs_is_said_to(kinds: tuple[str, str], played: tuple[int, int]) -> None:
    """A client that hangs both times is hung; one such case of a kind confirms it for the others."""
    client = Stopwatch(lambda case, _: 1 if case == "pass" else 99)
    cases = [replace(case, kind=kind) for case, kind in zip(cases_of(cuts=list(RESETS)), kinds, strict=True)]
    assert set(outcomes_of(client, *cases).values()) == {DropOutcome.HUNG}
    assert tuple(client.played[plan] for plan in RESETS) == played


def test_a_flood_is_not_played_again() -> None:
    """Output without end has nothing to do with time."""

    class Flood(Stopwatch):
        def read(self, task: Task, seconds: float, start: float = 0.0) -> ClientResult:
            found = super().read(task, seconds, start)
            return found if task.case == "pass" else ClientResult(stopped="wrote too much", flooded=True)

    client = Flood(lambda case, _: 1)
    assert outcomes_of(client, *cases_of(cuts=[RESETS[0]])) == {RESETS[0]: DropOutcome.HUNG}
    assert client.played[RESETS[0]] == 1


# --- the sets of cases are what the page says, and each case has a name and a plan of its own


DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = (DOCS / "torture.md").read_text(encoding="utf-8")
REFERENCE = (DOCS / "torture-reference.md").read_text(encoding="utf-8")
TABLE_SETS = {name for name in CLIENTS.load_client_model().sets if name.endswith("table")}
KINDS = {kind.name: kind for name in SETS if name not in TABLE_SETS for kind in SETS[name]}


def test_the_page_lists_all_kinds() -> None:
    sets, _, kinds = REFERENCE.partition("## Sets")[2].partition("## Options")[0].partition("| Kind |")
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", kinds, re.MULTILINE))
    wrong = sorted({*rows.items()} ^ {(kind.name, kind.about) for kind in KINDS.values()})
    assert not wrong, (
        f"the rows of kinds in docs/torture-reference.md and the kinds differ in these, mend one: {wrong}"
    )
    assert re.findall(r"^\| `([a-z][a-z-]+)`", sets, re.MULTILINE) == list(SETS)


def test_the_page_lists_all_modes() -> None:
    """Each mode is on the page, in the words of the code, with its usual set."""
    section = PAGE.partition("## Modes")[2].partition("## Clients by name")[0]
    rows = re.findall(r"^\| `([a-z]+)`(?: \(default\))? \| (.*) \| `([a-z]+)` \|$", section, re.MULTILINE)
    assert rows == [(name, mode.about, mode.usual_set) for name, mode in MODES.items()]


@pytest.mark.parametrize("name", SETS)
def test_each_case_has_a_name_of_its_own(name: str) -> None:
    """No two cases of a set share a name, by which a baseline knows them; kinds come one after another."""
    brief = new_case(plan="pass", script={"text": "Brief."})
    base = new_case(mode="tools") if name == "tools" else brief
    cases = cases_of_set(name, base)
    assert len({str(case) for case in cases}) == len(cases)
    kinds = [case.kind for case in cases]
    assert sorted(set(kinds), key=kinds.index) == [kind.name for kind in SETS[name]]


def test_a_recording_keeps_its_own_ids() -> None:
    """For a recorded stream, the kinds that fix ids or output are left out."""
    cases = cases_of_set("quick", new_case(plan="pass", cassette="cassettes/emulator/background-stream.yaml"))
    assert {case.event_ids for case in cases} == {"all"}
    assert {"no-ids", "ends"}.isdisjoint(case.kind for case in cases)


# --- what a client can know from the bytes that reached it


STREAM = (
    b'event: step.stop\ndata: {"event_type": "step.stop", "index": 0}\n\n'
    b'event: interaction.completed\ndata: {"event_type": "interaction.completed", "interaction": {}}\n\n'
)


def receive(data: bytes) -> ReceivedResponse:
    """The record of a stream of which the client received `data`."""
    response = Response(200, Headers([("content-type", "text/event-stream")]), Chunked(), PieceBody([COMPLETE]))
    record = ReceivedResponse(CLIENTS, Request("GET", "/v1beta/interactions/a?stream=true"), response)
    record.data += data
    return record


@pytest.mark.parametrize(("missing", "completes"), [(0, True), (1, True), (2, True), (3, False), (40, False)])
def test_a_completion_without_its_blank_line_can_be_known(missing: int, completes: bool) -> None:
    """A client can know the completion once its data is whole, even without its line ends, but no byte earlier."""
    record = receive(STREAM[: len(STREAM) - missing])
    assert record.completes is completes
    assert len(record.events()) == (2 if missing == 0 else 1)


# --- the source of the streams that will be dropped: the emulator or a recording


RECORDINGS = resources.folder("cassettes") / "emulator"


def kinds(name: str) -> tuple[StreamSource, list[Any]]:
    """A recording as a source, and the types of the events in its stream."""
    source = new_source(new_case(plan="pass", cassette=str(RECORDINGS / f"{name}.yaml")))
    return source, [event["event_type"] for event in source.whole_of(source.id)]


PARTS = ("dropped-fin", "dropped-in-character", "dropped-rst", "dropped-twice", "stalled")


@pytest.mark.parametrize("name", ["stream", "background-stream", *PARTS])
def test_a_recording_is_cut_as_a_whole(name: str) -> None:
    """A stream that was recorded in several parts is joined, so that only the planned drop happens."""
    source, events = kinds(name)
    assert events[0] == "interaction.created"
    assert events[-1] == "interaction.completed"
    assert events.count("step.start") == events.count("step.stop") == 2
    assert source.stream(source.id) == source.stream(source.id)


def test_a_drop_in_a_recording_does_not_happen_again(tmp_path: Path) -> None:
    """If a recorded GET broke off and was resumed, the source serves the whole stream, even for the first GET."""
    emulator = Emulator()
    found = new_source(new_case(), emulator).id
    driver = ServiceDriver(cut(emulator, "event:5,rst", PROTOCOL), emulator.clock)
    target, recordings = f"/v1beta/interactions/{found}?stream=true", []
    for _ in range(2):
        exchange = driver.send(Request("GET", target, Headers([("x-goog-api-key", "k")])))
        recordings.append(Recording.of(exchange))
        target += f"&last_event_id={quote(list(map(PROTOCOL.cursor, events_in(exchange.body)))[-1] or '')}"
    save(tmp_path / "it.yaml", recordings)
    source = new_source(new_case(plan="pass", cassette=str(tmp_path / "it.yaml")))
    assert not recordings[0].complete
    assert [event["event_type"] for event in events_in(source.stream(source.id))][-1] == "interaction.completed"


def test_a_recording_without_a_stream() -> None:
    """A recording without a whole stream is refused by name, and the error says what to do."""
    with pytest.raises(UsageFault, match=r"lifecycle\.yaml contains no complete stream.*record one"):
        kinds("lifecycle")


def places(cases: list[Case]) -> list[int]:
    """The numbers in plans such as `event:3,rst`; cuts inside an event are spelled differently and ignored."""
    return [int(found[1]) for case in cases if (found := re.match(r"(?:event|byte):(\d+),", case.plan))]


def test_first() -> None:
    """`first` skips the cuts before that event, by event or by byte; an event that does not exist is refused."""
    whole = whole_stream(CLIENTS, new_case())
    third = [frame.end for frame in Decoder().feed(whole)][2]
    assert cases_of(first=3, endings="rst") == cases_of(first=3, endings=["rst"])
    assert places(cases_of(first=3, endings=["rst"]))[0] == 3
    assert places(cases_of(cuts="every-byte", first=3, endings=["rst"])) == list(range(third, len(whole) + 1))
    with pytest.raises(UsageFault, match="first=99: the stream has the events 0 to"):
        cases_of(first=99)


def test_a_page_of_another_origin_takes_part_in_no_case() -> None:
    """It would use up drops and count as the client; the client under test may be a page of this machine."""
    with CaseServer(CLIENTS) as server:
        attempt, url = server.begin(new_case(), lambda: None)
        for headers in (
            {"origin": "https://evil.example"},
            {"sec-fetch-site": "cross-site"},
            {"host": "evil.example"},
        ):
            assert httpx.get(f"{url}/v1beta/interactions/x", headers=headers).status_code == 403
        assert not attempt.received
        local = httpx.get(f"{url}/v1beta/interactions/x", headers={"origin": "http://localhost:3000"})
        assert (local.status_code, len(attempt.received)) == (401, 1)
