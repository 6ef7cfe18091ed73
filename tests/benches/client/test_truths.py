"""Verdicts on clients are true: nobody who was refused is exact, nobody is blamed for what could not be done."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import closing, suppress
from itertools import islice
from typing import Any

import httpx
import pytest

from harness.benches.client.bench import TortureOptions, torture
from harness.benches.client.cases import Case
from harness.benches.client.client_commands import ClientResult
from harness.benches.client.judgement.attempt import ClientAttempt
from harness.benches.client.judgement.case_verdict import judge_case
from harness.benches.client.judgement.outcome import WHOLE, DropOutcome, outcome_of, run_of
from harness.benches.client.judgement.reasons import without_values
from harness.checks.clients.sets import TEXT
from harness.contract.transcript import output_text
from harness.engine.decide import Policy, decide
from harness.engine.events import Result, RunFinished
from harness.interactions.clients import CLIENTS
from harness.outcome import Exit, Observation, Severity, UsageFault, Verdict
from harness.plugin import cases_of
from harness.resume import follow
from harness.rules import ROWS
from harness.transport import transport
from harness.wire import Headers, Request
from tests.benches.client import clients
from tests.benches.client.cases import cases_of_set, new_case, new_source
from tests.benches.client.clients import InProcess, Reads

SETTLED = frozenset({"completed", "failed", "cancelled", "incomplete", "budget_exceeded", "requires_action"})
CREATE = {"model": "gemini-3.8-flash", "input": "Mine.", "background": True, "stream": True}


def finish(reads: Reads, plan: str, **options: Any) -> RunFinished:
    """The end of a run with one case."""
    *_, finished = torture(
        CLIENTS, cases_of(cuts=[plan], **options), lambda: InProcess(reads), TortureOptions(seconds=5)
    )
    assert isinstance(finished, RunFinished)
    return finished


def play(reads: Reads, plan: str, **options: Any) -> Result:
    """The result of one case."""
    (result,) = finish(reads, plan, **options).results
    return result


def say(result: Result) -> str:
    """What is said of a result."""
    return "; ".join(finding.message for finding in result.observation.findings)


def test_a_client_whose_own_request_is_refused() -> None:
    """A create that the service refuses gives no verdict on drops; the refusal's own message is shown."""

    def wrong(client: httpx.Client, interaction: str) -> str:
        answer = client.post("/v1beta/interactions", json={**CREATE, "inputs": "Mine."})
        answer.raise_for_status()
        return "all"

    with pytest.raises(UsageFault, match="without any fault the client gave up") as refused:
        play(wrong, "before-headers,rst")
    assert "rejected:           POST /v1beta/interactions: 400, " in str(refused.value)
    assert "inputs" in str(refused.value)
    assert "actual result:" not in str(refused.value)  # it has none


def posts(times: int, **more: Any) -> Reads:
    """A client that creates, streamed, up to `times` times, until it has read a whole answer."""

    def reads(client: httpx.Client, interaction: str) -> str:
        for left in reversed(range(times)):
            try:
                return read_create(client, {**CREATE, **more})
            except (httpx.TransportError, EOFError):
                if not left:
                    raise
        raise AssertionError

    return reads


def read_create(client: httpx.Client, body: dict[str, Any]) -> str:
    """The text of a streamed create."""
    text, done = "", False
    with client.stream("POST", "/v1beta/interactions", json=body) as answer:
        for event in clients.events_of_lines(answer.iter_lines()):
            text += clients.text_of(event)
            done = done or event["event_type"] == "interaction.completed"
    if not done:
        raise EOFError
    return text


@pytest.mark.parametrize("plan", ["before-headers,rst", "headers,fin", "event:0,end", "event:0+30,rst"])
def test_could_not_have_done_better(plan: str) -> None:
    """If the answer to its only create was destroyed, reporting that is right, and an outcome of its own."""
    result = play(posts(1), plan)
    assert (outcome_of(result), result.verdict) == (DropOutcome.COULD_NOT, Verdict.PASS)


def test_could_have_done_better() -> None:
    """Once the id is known, giving up is a failure that was reported; so it is after a refusal that passes."""
    for plan in ("event:1,rst", "event:5,end", "status:503", "resumes=event:3,rst/event:3,rst"):
        result = play(posts(1), plan)
        expected = DropOutcome.EXACT if plan.startswith("resumes") else DropOutcome.REPORTED
        assert outcome_of(result) is expected, plan


def post_until_made(client: httpx.Client) -> Any:
    """Create in the background, without a stream, until a response arrives; then poll until it has ended."""
    made: dict[str, Any] = {}
    while not made:
        with suppress(httpx.TransportError):
            made = client.post("/v1beta/interactions", json={**CREATE, "stream": False}).json()
    while made["status"] not in SETTLED:
        made = client.get(f"/v1beta/interactions/{made['id']}").json()
    return made


def read_call(take: Callable[[list[dict[str, Any]]], Any]) -> Reads:
    """A client that makes its result of the events of a stream by `take`."""

    def reads(client: httpx.Client, interaction: str) -> Any:
        with client.stream("GET", f"/v1beta/interactions/{interaction}?stream=true") as response:
            return take([json.loads(line[6:]) for line in response.iter_lines() if line.startswith("data: {")])

    return reads


def last_piece(events: list[dict[str, Any]]) -> str:
    return str(json.loads([e["delta"]["arguments"] for e in events if e.get("delta", {}).get("arguments")][-1]))


@pytest.mark.parametrize(
    ("take", "sentence"),
    [
        (last_piece, r"JSONDecodeError(.|\n)*the call 'call_1' got no result; its arguments arrive in \d+ pieces"),
        # The completing event may have steps, and these may lack what only deltas brought.
        (lambda events: events[-1]["interaction"], r'other steps \(\$\.steps\[0\]\.arguments: {"place"'),
    ],
)
def test_a_call_that_is_taken_from_one_event(take: Callable[..., Any], sentence: str) -> None:
    """A client that takes one event of a call for the whole reads what it lost."""
    bare = {"type": "function_call", "id": "call_1", "name": "look"}
    script = {"steps": [{**bare, "arguments": {"place": "Rome, Italy"}}], "extra": {"steps": [bare]}}
    with pytest.raises(UsageFault, match=sentence):
        play(read_call(take), "event:4,rst", script=script)


def test_a_double_create() -> None:
    """A second create is one, whether the first told an id or not; the advice can be followed."""
    before = play(posts(2), "before-headers,rst")
    assert outcome_of(before) is DropOutcome.DOUBLE_CREATE
    assert before.verdict is Verdict.FAIL
    assert "the first response had no id, so report that it was lost" in say(before)
    assert "without stream, it returns its id at once" in say(before)
    at_once = play(lambda client, interaction: post_until_made(client), "calls=before-headers,rst")
    assert say(at_once).endswith("so report that it was lost")  # it was sent so already
    moments = run_of(at_once).moments
    assert [moment.answer.partition(",")[0] for moment in moments[:2]] == ["nothing", "200"]
    after = play(posts(2), "event:4,rst")
    assert outcome_of(after) is DropOutcome.DOUBLE_CREATE
    assert "resume the first by its id" in say(after)
    assert outcome_of(play(posts(2), "status:503")) is DropOutcome.RECOVERED


@pytest.mark.parametrize("plan", ["event:500,rst", "calls=before-headers,rst"])
def test_a_fault_that_never_came_about_shows_nothing(plan: str) -> None:
    """A run in which no fault befell the client is never green; one that asked for no fault is."""
    finished = finish(clients.good, plan)
    assert run_of(finished.results[0]).unharmed
    assert finished.exit is Exit.NOTHING_RAN
    assert finish(clients.good, "event:3,rst").exit is finish(clients.good, "pass").exit is Exit.OK


def test_an_own_create_after_a_drop() -> None:
    def reads(client: httpx.Client, interaction: str) -> str:
        try:
            return clients.honest(client, interaction)
        except (EOFError, httpx.TransportError):
            return read_create(client, CREATE)

    result = play(reads, "event:4,rst")
    assert outcome_of(result) is DropOutcome.DOUBLE_CREATE
    assert "read an interaction by its id, then sent a create" in say(result)


def test_a_second_turn_is_no_double_create() -> None:
    """A create that names its previous turn begins another turn; two equal ones of these are a double create."""

    def reads(turns: int) -> Reads:
        def chain(client: httpx.Client, interaction: str) -> str:
            first = client.post("/v1beta/interactions", json={"model": CREATE["model"], "input": "One."}).json()
            stream = None
            for _ in range(turns):
                second = {"model": CREATE["model"], "input": "Two.", "previous_interaction_id": first["id"]}
                stream = follow(client, create={**second, "background": True}, sleep=lambda _: None)
                for _ in stream:
                    pass
            assert stream is not None
            return stream.text

        return chain

    assert outcome_of(play(reads(1), "event:4,rst")) is DropOutcome.RECOVERED
    with pytest.raises(UsageFault, match=r"sent the create 2 times for turn 2: .* resume the first by its id"):
        play(reads(2), "event:4,rst")


CALL = {"steps": [{"type": "function_call", "id": "c", "name": "f", "arguments": {"a": 1}}]}
QUOTE = {"steps": [{"type": "model_output", "content": [{"type": "text", "text": 'A "quote".'}]}]}
GAVE_UP = {"error": "exit code 1: requires_action, failed, or a bad escape"}


@pytest.mark.parametrize(
    ("script", "told", "outcome", "verdict"),
    [
        ({"status": "failed"}, {"status": "failed"}, DropOutcome.EXACT, Verdict.PASS),
        ({"status": "failed"}, {"status": "completed"}, DropOutcome.WRONG_STATUS, Verdict.FAIL),
        ({"status": "failed"}, {}, DropOutcome.WRONG_STATUS, Verdict.WARN),
        ({"status": "completed"}, {"status": "in_progress"}, DropOutcome.REPORTED, Verdict.WARN),
        ({"status": "requires_action"}, {}, DropOutcome.EXACT, Verdict.PASS),
        (QUOTE, GAVE_UP, DropOutcome.REPORTED, Verdict.FAIL),  # every client has to read another text
        ({**QUOTE, "status": "failed"}, GAVE_UP, DropOutcome.EXACT, Verdict.PASS),
        (CALL, GAVE_UP, DropOutcome.EXACT, Verdict.PASS),
        ({"error_event": {"after": 6}}, GAVE_UP, DropOutcome.REPORTED, Verdict.WARN),
    ],
)
def test_statuses(script: dict[str, Any], told: dict[str, Any], outcome: DropOutcome, verdict: Verdict) -> None:
    """A wrong status breaks a promise; none at all after a failed run, or one that is not final, is a weakness."""
    case = new_case(plan="pass", script=script if "steps" in script else {"text": "All.", **script})
    attempt = ClientAttempt(new_source(case), case)
    carrier = transport(attempt.service)
    with httpx.Client(transport=carrier, base_url="http://service", headers={"x-goog-api-key": "any"}) as client:
        collected = clients.never_back(client, attempt.id)
    judged = judge_case(attempt, ClientResult(collected=collected, **told))
    assert judged.outcome is outcome
    rule = ROWS[WHOLE if judged.finding is None else judged.finding.rule].rule
    observation = Observation.of([] if judged.finding is None else [judged.finding])
    assert decide(rule, observation, Policy()).verdict is verdict


@pytest.mark.parametrize("creates", [False, True])
@pytest.mark.parametrize(
    ("plan", "last", "right"),
    [
        *((plan, last, True) for plan in ("pass", "event:13,rst", "trickle:5") for last in (b"very end", b"DONE")),
        *(("completion,end", last, False) for last in (b"very end", b"DONE")),
        ("late:0.2", b"very end", False),
        ("late:0.2", b"DONE", True),
    ],
)
def test_a_client_that_leaves_after_the_text(creates: bool, plan: str, last: bytes, right: bool) -> None:
    """How much was written by then depends on the socket; the verdict depends on what was about to come."""
    case = new_case(plan=plan, mode="create" if creates else "follow")
    attempt = ClientAttempt(new_source(case), case)
    target, body = f"/v1beta/interactions/{attempt.id}?stream=true", b""
    if creates:
        target, body = "/v1beta/interactions", json.dumps({**CREATE, "background": False}).encode()
    request = Request("POST" if creates else "GET", target, Headers([("x-goog-api-key", "any")]), body)
    with closing(attempt.answer(request).body) as pieces:
        next((piece for piece in pieces if last in attempt.received[0].data), None)
    assert (judge_case(attempt, ClientResult(collected=TEXT)).finding is None) is right


def test_polls_of_a_client_that_left_do_not_show_that_it_cannot_read() -> None:
    """How many it takes depends on how slow the run is, here through a fault of ours."""
    attempt = ClientAttempt(new_source(case := new_case(plan="trickle:5")), case)
    target, headers = f"/v1beta/interactions/{attempt.id}", Headers([("x-goog-api-key", "any")])
    with closing(attempt.answer(Request("GET", f"{target}?stream=true", headers, b"")).body) as pieces:
        next(piece for piece in pieces if attempt.text_of(attempt.received[0].events()) == TEXT)
    while not attempt.received[-1].completes:
        list(attempt.answer(Request("GET", target, headers, b"")).body)
    assert len(attempt.received) > 2
    assert judge_case(attempt, ClientResult(collected=TEXT), usual=2).finding is None


@pytest.mark.parametrize(
    ("plan", "pieces", "seconds", "severity"),
    [
        ("trickle:5", 9, 0.0, Severity.NON_STRICT),
        ("trickle:5", 9, 30.0, Severity.BROKEN),  # nothing has come for as long
        ("trickle:5", 9999, 0.0, Severity.BROKEN),  # all of it has come
        ("event:3,stall", 9999, 0.0, Severity.BROKEN),
    ],
)
def test_who_is_stopped_while_a_stream_arrives(plan: str, pieces: int, seconds: float, severity: Severity) -> None:
    """The faults and the machine were slow, not the client."""
    attempt = ClientAttempt(new_source(case := new_case(plan=plan)), case)
    target, headers = f"/v1beta/interactions/{attempt.id}?stream=true", Headers([("x-goog-api-key", "any")])
    body = attempt.answer(Request("GET", target, headers, b"")).body
    list(islice(body, pieces))
    finding = judge_case(attempt, ClientResult(stopped="had not ended", seconds=seconds)).finding
    assert finding is not None
    assert finding.severity is severity
    assert finding.message.endswith("fell silent, so give each read a timeout") is plan.endswith("stall")


@pytest.mark.parametrize(
    ("reads", "outcome"),
    [
        (clients.never_back, DropOutcome.WRONG_STATUS),
        (clients.good, DropOutcome.RECOVERED),
        (clients.good_events, DropOutcome.RECOVERED),
    ],
)
def test_a_run_without_text(reads: Reads, outcome: DropOutcome) -> None:
    """A client that reads only text cannot show that it lost a call, but it must know that the run has ended."""
    assert outcome_of(play(reads, "event:4,end", script=CALL)) is outcome


def polls(patience: int = 10, settled: frozenset[str] = SETTLED, *, trusts_refusals: bool = False) -> Reads:
    """A client that polls, up to `patience` times, until a status that it takes for final."""

    def reads(client: httpx.Client, interaction: str) -> ClientResult:
        for _ in range(patience):
            try:
                answer = client.get(f"/v1beta/interactions/{interaction}")
                value = answer.json() if answer.is_success else {}
            except (httpx.TransportError, json.JSONDecodeError):
                continue
            if trusts_refusals and not answer.is_success:
                raise EOFError
            if value.get("status") in settled:
                return ClientResult(collected=output_text(value), status=value["status"])
        raise EOFError

    return reads


@pytest.mark.parametrize("more", [{}, {"id": True}, {"fatal": False}])
def test_a_poll_beside_a_stream_that_nobody_read(more: dict[str, Any]) -> None:
    """An error event ends the first stream while the run goes on: a client that only polls has all of it."""
    script = {"text": "All of it.", "error_event": {"after": 6, **more}}
    assert outcome_of(play(polls(), "pass", script=script)) is DropOutcome.EXACT


def poll_in_the_end(reads: Reads) -> Reads:
    """A client that polls where `reads` raises."""

    def reads_or_polls(client: httpx.Client, interaction: str) -> Any:
        try:
            return reads(client, interaction)
        except (EOFError, KeyError):
            return polls()(client, interaction)

    return reads_or_polls


@pytest.mark.parametrize(
    ("plan", "ids", "words"),
    [
        ("event:5,rst", "odd", "it sent its cursor '.*' without percent-encoding"),
        ("event:5,rst", "all", ""),
        ("event:5,rst/status:400", "all", ""),  # the fault refused it, whatever the cursor
    ],
)
def test_a_resume_that_was_refused(plan: str, ids: str, words: str) -> None:
    """A command whose client got its result by a poll is warned of a cursor that the service refused."""
    result = play(poll_in_the_end(clients.resumes_unencoded), plan, event_ids=ids)
    assert outcome_of(result) is DropOutcome.RECOVERED
    assert result.verdict is (Verdict.WARN if words else Verdict.PASS)
    assert re.fullmatch(
        f"lost its stream and got the result in another way: .*{words}" if words else "", say(result)
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("needed 1 more request, although", "needed 15 more requests, although"),
        (
            "is 'failed' by now (route 'failed': in progress, then failed)",
            "is 'requires_action' by now (route 'requires_action': it stops for a function's result)",
        ),
    ],
)
def test_one_reason_with_other_values(one: str, other: str) -> None:
    """Cases that fail for one reason are shown once."""
    assert without_values(one) == without_values(other)


def reads_lf_only(client: httpx.Client, interaction: str) -> str:
    """A client that cannot read a stream with CR LF."""
    data = client.get(f"/v1beta/interactions/{interaction}?stream=true").content
    if b"\n\n" not in data:
        raise EOFError
    return "".join(map(clients.text_of, clients.events_of_lines(data.decode().split("\n"))))


@pytest.mark.parametrize(
    ("reads", "case", "words"),
    [
        (polls(99, frozenset({"completed"})), new_case(script={"status": "failed"}),
         "its last 58 responses show the terminal status 'failed', which never changes$"),
        (polls(99), new_case("all=status:400,times:all"), r"its last 60 responses have the status 400 \(.+\)$"),
        (polls(), new_case("all=status:503,retry-after:1"), "repeated a request 0.* that requests a pause of 1 s"),
        (polls(), new_case("all=status:503,retry-after-ms:900"), "^$"),
        (poll_in_the_end(reads_lf_only), new_case("crlf"), "in CR LF.: it had arrived, so the client cannot"),
    ],
)  # fmt: skip
def test_requests_that_come_again_and_again(reads: Reads, case: Case, words: str) -> None:
    """The finding names what the service returned to them, or the pause that it requested in vain."""
    options = TortureOptions(seconds=5, undisturbed=new_case())
    *_, finished = torture(CLIENTS, [case], lambda: InProcess(reads), options)
    assert isinstance(finished, RunFinished)
    assert re.search(words, say(finished.results[0])), say(finished.results[0])


def skips_broken_json(client: httpx.Client, interaction: str) -> str:
    """The text of the lines with an event, as `str.splitlines` finds them."""
    text = ""
    for line in client.get(f"/v1beta/interactions/{interaction}?stream=true").text.splitlines():
        with suppress(json.JSONDecodeError):
            text += "".join(map(clients.text_of, clients.events_of_lines([line])))
    return text


@pytest.mark.parametrize("lines", [False, True])
def test_a_text_with_a_line_separator(lines: bool) -> None:
    """`str.splitlines` and readers built on it, such as `iter_lines` of httpx, end a line at U+2028."""
    cases = cases_of_set("quick", new_case(), only=["parts"])
    options = TortureOptions(seconds=5, undisturbed=new_case())
    reads = skips_broken_json if lines else clients.good
    *_, finished = torture(CLIENTS, cases, lambda: InProcess(reads), options)
    assert isinstance(finished, RunFinished)
    failed = "; ".join(say(result) for result in finished.results if result.verdict is Verdict.FAIL)
    assert failed.endswith("(its text contains U+2028, which ends no line of a stream)") is lines, failed


@pytest.mark.parametrize("plan", ["garble:6", "garble:10"])
def test_an_event_with_broken_json(plan: str) -> None:
    """A client that skips it, and goes on, loses its text."""
    result = play(skips_broken_json, plan)
    assert result.verdict is Verdict.FAIL
    assert say(result).endswith(": it skipped an event with broken JSON, which it can get by a resume")


@pytest.mark.parametrize(
    ("write", "is_encoding"),
    [
        (lambda text: text.encode().decode("latin-1"), True),
        (lambda text: text.encode("ascii", "replace").decode(), True),
        (lambda text: text.encode("latin-1", "replace").decode(errors="replace"), True),
        (lambda text: text.replace("東", "\ufffd\ufffd"), True),
        (lambda text: text.replace("text", "te?t").replace("東", "?"), False),
        (lambda text: text.replace("text", "test"), False),
    ],
)
def test_characters_that_a_client_writes_wrongly(write: Callable[[str], str], is_encoding: bool) -> None:
    """A client in a language whose strings or output are not UTF-8 gets that reason, and no other one does."""
    with pytest.raises(UsageFault, match=r"^without any fault the client has another text ") as refused:
        play(lambda *given: write(clients.good(*given)), "crlf")
    assert (": only what is not ASCII differs, so decode" in str(refused.value)) is is_encoding


@pytest.mark.parametrize(
    ("reads", "noticed"),
    [
        (polls(), ""),
        pytest.param(polls(settled=frozenset({"completed"})), "ends", marks=pytest.mark.slow),
        pytest.param(polls(settled=SETTLED | {"queued"}), "slow-runs", marks=pytest.mark.slow),
        pytest.param(polls(patience=5), "slow-runs", marks=pytest.mark.slow),
        (polls(trusts_refusals=True), "refused-polls unknown-at-first"),
    ],
    ids=["correct", "until completed", "queued is final", "impatient", "no retry"],
)
def test_polling(reads: Reads, noticed: str) -> None:
    """The set for clients that poll is kind to a correct one, and notices what others get wrong."""
    cases = cases_of_set("polling", new_case())
    options = TortureOptions(undisturbed=new_case(), jobs=2)
    *_, finished = torture(CLIENTS, cases, lambda: InProcess(reads), options)
    assert isinstance(finished, RunFinished)
    failed = {run_of(result).kind for result in finished.results if result.verdict is not Verdict.PASS}
    assert failed == set(noticed.split()), "a new kind of the set belongs to the clients above that it catches"
