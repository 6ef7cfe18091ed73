"""Clients that do more than to read one stream: correct ones pass whole sets, and each defect has its outcome."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx
import jsonschema
import pytest

from harness.benches.client.bench import TortureOptions, torture
from harness.benches.client.cases import Case, cases_of_incidents
from harness.benches.client.client_commands import ClientResult, LoopClient, Task
from harness.benches.client.judgement.outcome import DropOutcome, outcome_of, run_of
from harness.checks.clients.sets import MODES, PARALLEL_CALLS
from harness.contract import load
from harness.contract.transcript import assemble_steps, output_steps, output_text
from harness.engine.decide import exit_of_cases
from harness.engine.events import CheckFinished, Result
from harness.interactions.clients import CLIENTS
from harness.outcome import Exit, UsageFault, Verdict
from harness.resources import folder
from harness.resume import Refused, RetryLimits, follow
from harness.wire.sse import events_in
from tests.benches.client.cases import cases_of_set, new_case
from tests.benches.client.clients import InProcess, Reads, program

MODEL = "gemini-3.8-flash"
LOOK = {"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}
PATH = "/v1beta/interactions"
WHOLE_SETS = os.environ.get("CLIENT_MUTANTS") == "all"


def base_of(mode: str, plan: str = "pass") -> Case:
    """A case of a mode."""
    return new_case(plan, mode)


def play(reads: Reads, cases: list[Case]) -> list[Result]:
    """The results of some cases of one mode."""
    options = TortureOptions(seconds=5, undisturbed=base_of(cases[0].mode.name))
    events = torture(CLIENTS, cases, lambda: InProcess(reads), options)
    return [event.result for event in events if isinstance(event, CheckFinished)]


def outcome(reads: Reads, mode: str, plan: str) -> DropOutcome:
    """How a client comes out of one case."""
    (result,) = play(reads, [base_of(mode, plan)])
    return outcome_of(result)


def turn(client: httpx.Client, **create: Any) -> Any:
    """One turn, followed to its end."""
    stream = follow(
        client, create={"model": MODEL, **create}, patience=RetryLimits(delay=0.001), sleep=lambda _: None
    )
    for _ in stream:
        pass
    return stream


def answer(call: dict[str, Any]) -> list[dict[str, Any]]:
    """The result of a call as input of the next turn."""
    result = {"place": call["arguments"]["place"]}
    return [{"type": "function_result", "name": call["name"], "call_id": call["id"], "result": result}]


def calls_of(found: Any) -> Iterator[dict[str, Any]]:
    """The calls of an interaction."""
    return (step for step in found.interaction["steps"] if step["type"] == "function_call")


def answer_all(found: Any) -> list[dict[str, Any]]:
    """The results of all calls of an interaction."""
    return [result for call in calls_of(found) for result in answer(call)]


def uses_tools(client: httpx.Client, _: str) -> ClientResult:
    """Answers calls until the model stops, and reports the text of the last turn."""
    last = turn(client, input="Look.", tools=[LOOK], background=True)
    while results := answer_all(last):
        asked = {"input": results, "previous_interaction_id": last.interaction["id"], "tools": [LOOK]}
        last = turn(client, **asked, background=True)
    return ClientResult(collected=last.text, status=last.status)


def two_turns(second: Callable[[Any], dict[str, Any]], **options: Any) -> Reads:
    """A client that sends a turn, and then what `second` makes of it, and reports the text of that."""

    def reads(client: httpx.Client, _: str) -> ClientResult:
        first = turn(client, input="My name is Ada.", **options)
        last = turn(client, **second(first), **options)
        return ClientResult(collected=last.text, status=last.status)

    return reads


def user(text: str) -> dict[str, Any]:
    """A step with what the user says."""
    return {"type": "user_input", "content": [{"type": "text", "text": text}]}


def go_on(first: Any) -> dict[str, Any]:
    """A second turn that names the first."""
    return {"input": "Two.", "previous_interaction_id": first.interaction["id"]}


def broke_off(first: Any) -> bool:
    """Whether its stream came in more than one part."""
    return bool(first.connections > 1)


chains = two_turns(go_on, background=True)
# Without the first turn, without what was answered to it, or the first turn again, if that broke off.
begins_anew = two_turns(lambda first: {"input": "Two."} if broke_off(first) else go_on(first), background=True)
forgets_the_answer = two_turns(
    lambda first: {
        "input": [
            user("My name is Ada."),
            *([] if broke_off(first) else output_steps(first.interaction)),
            user("Two."),
        ]
    },
    background=True,
)
says_it_again = two_turns(
    lambda first: {"input": "My name is Ada."} if broke_off(first) else go_on(first), background=True
)
# Keeps the conversation itself, without what its user said first.
forgets_its_user = two_turns(
    lambda first: {"input": [*output_steps(first.interaction), user("Two.")]}, store=False
)


def keeps_its_transcript(client: httpx.Client, _: str) -> ClientResult:
    """Sends the earlier turns along instead of an id: what it said, was asked, and answers."""
    said: list[Any] = [user("Look.")]
    last = turn(client, input=said, tools=[LOOK], background=True)
    while results := answer_all(last):
        said += [*output_steps(last.interaction), *results]
        last = turn(client, input=said, tools=[LOOK], background=True)
    return ClientResult(collected=last.text, status=last.status)


def keeps_both(mode: str) -> Reads:
    """Names the first turn and, if that is refused, sends the whole transcript, once."""

    def reads(client: httpx.Client, _: str) -> ClientResult:
        tools = {"tools": [LOOK]} if mode == "tools" else {}
        given = [user("One.")]
        first = turn(client, input=given, background=True, **tools)
        more = answer(next(calls_of(first))) if tools else [user("Two.")]
        try:
            second = turn(
                client, input=more, previous_interaction_id=first.interaction["id"], background=True, **tools
            )
        except Refused:
            said = [*given, *output_steps(first.interaction), *more]
            second = turn(client, input=said, background=True, **tools)
        return ClientResult(collected=second.text, status=second.status)

    return reads


def shortens_its_history(client: httpx.Client, _: str) -> ClientResult:
    """Names the first turn and, if that is refused, sends the second one alone."""
    first = turn(client, input="One.", background=True)
    try:
        second = turn(client, input="Two.", previous_interaction_id=first.interaction["id"], background=True)
    except Refused:
        second = turn(client, input="Two.", background=True)
    return ClientResult(collected=second.text, status=second.status)


def posts_again(second: Callable[[Any], dict[str, Any]]) -> Reads:
    """A client that sends its second turn again when the connection breaks."""

    def reads(client: httpx.Client, _: str) -> str:
        first = turn(client, input="Look.", tools=[LOOK], background=True)
        body = {"model": MODEL, "tools": [LOOK], **second(first)}
        for _try in range(2):
            try:
                return str(output_text(client.post(PATH, json=body).json()))
            except httpx.TransportError:
                continue
        raise EOFError

    return reads


posts_the_answer_again = posts_again(
    lambda first: {"input": answer_all(first), "previous_interaction_id": first.interaction["id"]}
)
posts_its_transcript_again = posts_again(
    lambda first: {"input": [user("Look."), *output_steps(first.interaction), *answer_all(first)]}
)


def forgets_its_second_turn(client: httpx.Client, _: str) -> str:
    """Takes a lost answer to its second turn for an empty one."""
    first = turn(client, input="One.", background=True)
    try:
        return str(turn(client, input="Two.", previous_interaction_id=first.interaction["id"]).text)
    except Exception:
        return str(first.text)


def cancels(client: httpx.Client, interaction: str) -> ClientResult:
    """Reads a little, cancels until the service has heard it, and reports the status that GET shows."""
    read_three(client, interaction)
    for _ in range(5):
        try:
            if client.post(f"{PATH}/{interaction}/cancel").status_code < 400:
                break
        except httpx.TransportError:
            continue
    for _ in range(10):
        try:
            status = client.get(f"{PATH}/{interaction}").json().get("status", "in_progress")
        except (httpx.TransportError, ValueError):
            continue
        if status not in ("in_progress", "queued"):
            return ClientResult(status=status)
    raise EOFError


def read_three(client: httpx.Client, interaction: str) -> None:
    """Read three events of its stream, if they come."""
    try:
        with client.stream("GET", f"{PATH}/{interaction}", params={"stream": "true"}) as stream:
            events = (json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: {"))
            for number, _ in enumerate(events, 1):
                if number == 3:
                    return
    except httpx.TransportError:
        return


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reads", "mode"),
    [(chains, "chain"), (uses_tools, "tools"), (keeps_its_transcript, "tools"), (cancels, "cancel")],
)
def test_a_correct_client_is_right_in_the_usual_set(reads: Reads, mode: str) -> None:
    """Nobody who does it right is blamed, whatever is lost, refused or late; usually every third case."""
    cases = cases_of_set(MODES[mode].usual_set, base_of(mode))
    results = play(reads, cases if WHOLE_SETS else cases[::3])
    wrong = [(result.title, run_of(result).end) for result in results if result.verdict is not Verdict.PASS]
    assert not wrong, Counter(map(outcome_of, results))
    assert len(results) > 5


@pytest.mark.parametrize(
    ("reads", "mode", "plan", "wanted"),
    [
        (chains, "chain", "pass", DropOutcome.EXACT),
        (uses_tools, "tools", "event:3,rst", DropOutcome.RECOVERED),
        (uses_tools, "tools", "pass/before-headers,rst", DropOutcome.COULD_NOT),
        (posts_the_answer_again, "tools", "calls=before-headers,rst", DropOutcome.DOUBLE_CREATE),
        (keeps_its_transcript, "tools", "pass", DropOutcome.EXACT),
        (keeps_its_transcript, "tools", "pass/before-headers,rst", DropOutcome.COULD_NOT),
        (posts_its_transcript_again, "tools", "calls=before-headers,rst", DropOutcome.DOUBLE_CREATE),
        (begins_anew, "chain", "event:3,end", DropOutcome.LOST_CONTEXT),
        (forgets_the_answer, "chain", "event:3,end", DropOutcome.LOST_CONTEXT),
        (says_it_again, "chain", "event:3,end", DropOutcome.DOUBLE_CREATE),
        (forgets_its_second_turn, "chain", "pass/before-headers,rst", DropOutcome.WRONG_STATUS),
        (cancels, "cancel", "pass", DropOutcome.EXACT),
        (cancels, "cancel", "event:2,end", DropOutcome.RECOVERED),
        (cancels, "cancel", "cancels=status:503", DropOutcome.RECOVERED),
        (cancels, "cancel", "calls=before-headers,rst", DropOutcome.RECOVERED),
    ],
)
def test_what_a_client_makes_of_it(reads: Reads, mode: str, plan: str, wanted: DropOutcome) -> None:
    """A lost, refused or broken second turn, and a cancel that was not heard."""
    assert outcome(reads, mode, plan) is wanted


@pytest.mark.parametrize(
    ("cancel", "words"),
    [
        ("before-headers,rst", "a result that no response showed"),
        ("status:503", "`: the interaction is `completed`"),
    ],
)
def test_a_cancel_that_nothing_confirmed(cancel: str, words: str) -> None:
    """The finding names the status that the interaction has, if it has another, and else that it was a guess."""

    def hopes(client: httpx.Client, interaction: str) -> ClientResult:
        read_three(client, interaction)
        with suppress(httpx.TransportError):
            client.post(f"{PATH}/{interaction}/cancel")
        return ClientResult(status="cancelled")

    (result,) = play(hopes, [base_of("cancel", f"cancels={cancel}")])
    assert words in result.observation.findings[0].message


def looks_nowhere(result: object) -> Reads:
    """Returns this result for each call, whatever its arguments are."""

    def looks(client: httpx.Client, _: str) -> ClientResult:
        last = turn(client, input="Look.", tools=[LOOK], background=True)
        results = [{**item, "result": result} for item in answer_all(last)]
        asked = {"input": results, "previous_interaction_id": last.interaction["id"], "tools": [LOOK]}
        last = turn(client, **asked, background=True)
        return ClientResult(collected=last.text, status=last.status)

    return looks


@pytest.mark.parametrize(
    ("reads", "mode", "sentence"),
    [
        (forgets_its_user, "chain", r"without the user's input of an earlier turn \('My name is Ada\.'\)"),
        (
            looks_nowhere({"place": None}),
            "tools",
            "lost the arguments of the call 'call_1'.* place None for 'behind",
        ),
        (looks_nowhere('{"place": "?"}'), "tools", "lost the arguments of the call 'call_1'"),
        (looks_nowhere({}), "tools", "lost the arguments of the call 'call_1'.* no place for 'behind"),
    ],
)
def test_a_client_that_is_wrong_without_any_fault(reads: Reads, mode: str, sentence: str) -> None:
    """Its mistake is the first sentence, and no case is played."""
    with pytest.raises(UsageFault, match=sentence):
        outcome(reads, mode, "pass")


def test_a_client_that_answers_one_call_for_all() -> None:
    """The service refuses its results, and the client reports that; the finding is what it sent."""

    def returns_the_last(client: httpx.Client, _: str) -> ClientResult:
        last = turn(client, input="Look.", tools=[LOOK], background=True)
        given = {"input": [answer_all(last)[-1] for _ in answer_all(last)], "tools": [LOOK], "background": True}
        last = turn(client, previous_interaction_id=last.interaction["id"], **given)
        return ClientResult(collected=last.text, status=last.status)

    (result,) = play(returns_the_last, [new_case("pass", "tools", script=PARALLEL_CALLS.scripts[0])])
    (finding,) = result.observation.findings
    assert result.verdict is Verdict.FAIL
    assert finding.message.startswith("returned 3 results for the call 'call_5' and none for 'call_9'")


@pytest.mark.parametrize("result", ["A cat.", {"animal": "cat"}])
def test_a_function_that_returns_something_else_is_not_accused(result: object) -> None:
    """Only a result with a place, or with nothing, says which arguments it was made of."""
    assert outcome(looks_nowhere(result), "tools", "pass") is DropOutcome.EXACT


def follows(client: httpx.Client, interaction: str) -> ClientResult:
    """Reads the stream of the given interaction, and reports its text."""
    for _ in (stream := follow(client, interaction, sleep=lambda _: None)):
        pass
    return ClientResult(collected=stream.text, status=stream.status)


@pytest.mark.parametrize(("mode", "wanted"), [("follow", DropOutcome.COULD_NOT), ("tools", DropOutcome.EXACT)])
def test_an_incident_that_a_text_does_not_show(mode: str, wanted: DropOutcome) -> None:
    """A text alone says nothing of a call: no run passes by it, and the mode is named that shows more."""
    reads = uses_tools if mode == "tools" else follows
    (result,) = play(reads, cases_of_incidents(CLIENTS, base_of(mode), ["arguments-in-fragments"]))
    assert outcome_of(result) is wanted, run_of(result).end
    assert exit_of_cases([result], halted=False) is (Exit.OK if mode == "tools" else Exit.NOTHING_RAN)
    assert ["or use --mode tools" in one.message for one in result.observation.findings] == [True] * (
        mode != "tools"
    )


@pytest.mark.parametrize(
    ("reads", "mode", "incident", "wanted"),
    [
        (chains, "chain", "stale-chain-id", DropOutcome.REPORTED),
        (keeps_both("chain"), "chain", "stale-chain-id", DropOutcome.RECOVERED),
        (shortens_its_history, "chain", "stale-chain-id", DropOutcome.LOST_CONTEXT),
        (uses_tools, "tools", "chain-re-rooted", DropOutcome.REPORTED),
        (keeps_both("tools"), "tools", "chain-re-rooted", DropOutcome.RECOVERED),
        (keeps_its_transcript, "tools", "chain-re-rooted", DropOutcome.EXACT),
    ],
)
def test_a_chain_that_the_service_forgot(reads: Reads, mode: str, incident: str, wanted: DropOutcome) -> None:
    """Who keeps a transcript goes on with it; who begins anew without a word has lost the conversation."""
    (result,) = play(reads, cases_of_incidents(CLIENTS, base_of(mode), [incident]))
    assert outcome_of(result) is wanted, run_of(result).end


def creates(client: httpx.Client, _: str) -> ClientResult:
    """Creates an interaction with a stream, and reads it."""
    found = turn(client, input="Go.")
    return ClientResult(collected=found.text, status=found.status)


def polls(client: httpx.Client, _: str) -> ClientResult:
    """Creates in the background, and asks until the interaction has ended, a limited number of times."""
    made = client.post(PATH, json={"model": MODEL, "input": "Go.", "background": True}).json()
    for _attempt in range(30):
        try:
            answer = client.get(f"{PATH}/{made['id']}")
            found = answer.json() if answer.is_success else {}
        except (httpx.TransportError, ValueError):
            continue
        if found.get("status", "in_progress") not in ("in_progress", "queued"):
            return ClientResult(collected=output_text(found), status=found["status"])
    raise EOFError


def test_a_run_that_never_settles() -> None:
    """A client that gives up and says so is right, and its case can be repeated."""
    (case,) = cases_of_set("polling", base_of("poll"), only=["never-settles"])
    (result,) = play(polls, [case])
    assert outcome_of(result) is DropOutcome.COULD_NOT
    assert case.list_words() == ["--set", "polling", "-c", "never-settles", "--mode", "poll"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reads", "mode"),
    [
        *((creates, "create"), (polls, "poll"), (creates, "background")),
        *((uses_tools, "tools"), (cancels, "cancel")),
    ],
)
def test_a_correct_client_survives_the_incidents_of_its_mode(reads: Reads, mode: str) -> None:
    """What really happened can be played in each mode that meets it, and a client that does it right is right."""
    found = cases_of_incidents(CLIENTS, base_of(mode))
    quick = [one for one in found if "stall" not in one.plan and "silence" not in one.plan]
    results = play(reads, quick)
    wrong = [(result.title, run_of(result).end) for result in results if result.verdict is Verdict.FAIL]
    assert not wrong
    assert {result.title for result in results} == {one.incident for one in quick}
    assert len(results) > (0 if mode in ("tools", "cancel") else 3)


def test_a_task_is_what_its_schema_says() -> None:
    """The line that a client gets is described, and so is each mode, in the words of the page."""
    schema = json.loads((folder("schemas") / "output" / "torture-task.schema.json").read_text("utf-8"))
    source = "import json,sys\nfor line in sys.stdin: print(json.dumps({'text': line}), flush=True)"
    client = LoopClient(program(source), {})
    try:
        for mode in MODES:
            task = json.loads(client.read(Task("http://127.0.0.1:9", "v1_x", "event:3,rst", mode), 20).collected)
            jsonschema.validate(task, schema)
            assert task["mode"] == mode
    finally:
        client.close()
    listed = {one["const"]: one["description"] for one in schema["properties"]["mode"]["oneOf"]}
    assert listed == {name: mode.about for name, mode in MODES.items()}


def continues(client: httpx.Client, _: str) -> ClientResult:
    """Goes on with the token for as long as the interaction stops with one, and joins the texts."""
    found = turn(client, input="Go.")
    text = found.text
    while found.status == "requires_continuation":
        last = found.interaction
        token = {"continuation_token": last["continuation_token"], "previous_interaction_id": last["id"]}
        found = turn(client, **token)
        text += found.text
    return ClientResult(collected=text, status=found.status)


def test_what_was_continued_is_one_result() -> None:
    """A client that goes on with the token has both texts; one that stops has the first and its status."""
    cases = cases_of_set("standard", base_of("create"), only=["continuations"])
    results = play(continues, cases)
    assert {outcome_of(one) for one in results} <= {
        DropOutcome.EXACT,
        DropOutcome.RECOVERED,
        DropOutcome.COULD_NOT,
    }
    assert outcome_of(results[0]) is DropOutcome.EXACT

    (as_whole, *_) = play(lambda client, _: str(turn(client, input="Go.").text), cases)
    assert outcome_of(as_whole) is DropOutcome.WRONG_STATUS
    (finding,) = as_whole.observation.findings
    assert finding.message == "reports success without a status: the interaction is `requires_continuation`"


def test_a_case_repeats_its_mode_and_what_comes_later() -> None:
    """The line that repeats a case has its mode, and the answer to further turns if it is none of the mode's."""
    assert base_of("tools", "event:3,rst").list_words() == ["--cuts", "event:3,rst", "--mode", "tools"]
    (first, *_) = cases_of_set("standard", base_of("create"), only=["continuations"])
    words = first.list_words()
    assert words[words.index("--further") + 1] == '{"text": " And the rest of it."}'
    assert "requires_continuation" in words[words.index("--script") + 1]


def stores_nothing(mode: str, *, streamed: bool, keeps: Callable[[str], str] = str) -> Reads:
    """Sends its transcript along with `store=false`, does two turns or answers all calls, and `keeps` the text."""

    def ask(client: httpx.Client, body: dict[str, Any]) -> dict[str, Any]:
        response = client.post(PATH, json={**body, "stream": streamed}).raise_for_status()
        if not streamed:
            return dict(response.json())
        events = events_in(response.content)
        if not any(event["event_type"] == "interaction.completed" for event in events):
            raise EOFError("the stream ended early")
        return {"steps": assemble_steps(events, load())}

    def reads(client: httpx.Client, _: str) -> ClientResult:
        said: list[Any] = [user("One.")]
        body = {"model": MODEL, "store": False, **({"tools": [LOOK]} if mode == "tools" else {})}
        made = ask(client, {**body, "input": said})
        more = [user("Two.")] if mode == "chain" else answer_made(made)
        while more:
            said = [*said, *output_steps(made), *more]
            made = ask(client, {**body, "input": said})
            more = [] if mode == "chain" else answer_made(made)
        return ClientResult(collected=keeps(str(output_text(made))), status="completed")

    return reads


def answer_made(made: dict[str, Any]) -> list[dict[str, Any]]:
    """The results of all calls of an interaction."""
    return [result for step in made["steps"] if step["type"] == "function_call" for result in answer(step)]


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("mode", ["chain", "tools"])
def test_a_client_that_stores_nothing_is_judged(mode: str, streamed: bool) -> None:
    """It is compared with the undisturbed answer to its last create, which no id finds again."""
    right, wrong = stores_nothing(mode, streamed=streamed), stores_nothing(mode, streamed=streamed, keeps=lost_end)
    assert outcome(right, mode, "pass") is DropOutcome.EXACT
    with pytest.raises(UsageFault, match="without any fault the client lost the text from character"):
        outcome(wrong, mode, "pass")


def test_what_a_fault_adds_is_no_part_of_an_unstored_answer() -> None:
    """An event that a fault repeats is no part of the text that a client must get."""
    (result,) = play(stores_nothing("chain", streamed=True), [base_of("chain", "pass/dup:7")])
    assert outcome_of(result) is DropOutcome.DUPLICATED


def lost_end(text: str) -> str:
    """A text without its end."""
    return text[:-4]
