"""`interactions_torture`: a function meets the cases of `harness torture`, and each reason is told once."""

from __future__ import annotations

import asyncio
import gc
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import count, islice
from typing import Any

import httpx
import pytest

from harness.benches.client.judgement import received_responses
from harness.interactions.clients import CLIENTS
from harness.outcome import UsageFault
from harness.plugin import InteractionsEmulator, Torture
from harness.resume import follow, follow_async
from harness.wire import Chunk, Headers, Pause, PieceBody, Request, Response, UntilClose
from tests.packages import NEEDS_GENAI
from tests.plugin.toys import run

pytestmark = NEEDS_GENAI

MODEL = "gemini-3.8-flash"
LOOK = {"type": "function", "name": "look", "description": "Look.", "parameters": {"type": "object"}}


@pytest.fixture
def torture() -> Torture:
    """The fixture's value, without a session."""
    return Torture(InteractionsEmulator(seed=0))


def read(client: Any, interaction: str) -> str:
    """A right reader."""
    stream = follow(client, interaction)
    for _ in stream:
        pass
    return stream.text


async def read_async(client: Any, interaction: str) -> str:
    """The same, async."""
    stream = follow_async(client, interaction)
    async for _ in stream:
        pass
    return stream.text


def read_both(client: Any, interaction: str) -> dict[str, str | None]:
    """A right reader that reports how the interaction ended, too."""
    stream = follow(client, interaction)
    for _ in stream:
        pass
    return {"text": stream.text, "status": stream.status}


def list_text(events: Any) -> Iterator[str]:
    """The pieces of text in events."""
    for event in events:
        if event.event_type == "step.delta" and event.delta.type == "text":
            yield event.delta.text


def stop_early(client: Any, interaction: str) -> str:
    """A reader that takes the end of a connection for the end of the answer."""
    text = ""
    try:
        for piece in list_text(client.interactions.get(interaction, stream=True)):
            text += piece
    except Exception:
        return text
    return text


_kept: list[Any] = []


def leave_open(client: Any, interaction: str) -> str:
    """A right reader, which first opens another stream and never reads it."""
    _kept.append(client.interactions.get(interaction, stream=True))
    return read(client, interaction)


def work(client: Any, most: int = 9) -> Any:
    """A loop of tools; `most` is how many of the calls in one answer it answers."""
    found = client.interactions.create(model=MODEL, input="Look.", tools=[LOOK])
    while found.status == "requires_action":
        calls = [step for step in found.steps if step.type == "function_call"][:most]
        results = [
            {"type": "function_result", "call_id": call.id, "name": call.name, "result": "A cat."}
            for call in calls
        ]
        found = client.interactions.create(
            model=MODEL, input=results, tools=[LOOK], previous_interaction_id=found.id
        )
    return found


def forget_citations(whole: dict[str, Any]) -> dict[str, Any]:
    """The steps without their annotations."""
    for step in whole["steps"]:
        for part in step.get("content", ()):
            part.pop("annotations", None)
    return whole


def forget_thoughts(whole: dict[str, Any]) -> dict[str, Any]:
    """The steps without the thought."""
    return {**whole, "steps": [step for step in whole["steps"] if step["type"] != "thought"]}


def forget_cached_tokens(whole: dict[str, Any]) -> dict[str, Any]:
    """The usage without the tokens that were cached."""
    usage = {name: count for name, count in whole["usage"].items() if name != "total_cached_tokens"}
    return {**whole, "usage": usage}


def count_twice(whole: dict[str, Any]) -> dict[str, Any]:
    """A text, with twice as many tokens as the run used."""
    texts = (part["text"] for step in whole["steps"] if step["type"] == "model_output" for part in step["content"])
    return {"text": "".join(texts), "usage": {"total_tokens": 2 * whole["usage"]["total_tokens"]}}


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (forget_citations, "lost 1 annotation of 1, the citations of a text"),
        (forget_thoughts, "lost the `thought` step"),
        (forget_thoughts, "  expected result:    {'steps': [{'type': 'thought'"),
        (forget_cached_tokens, "has the usage total_cached_tokens=None: the completion has 1"),
        (count_twice, "has the usage total_tokens="),
        (dict, ""),
    ],
)
def test_what_a_result_has_beside_its_text(torture: Torture, edit: Callable[[Any], Any], words: str) -> None:
    """Steps, citations and counts of tokens are compared where a reader returns them, and named if they differ."""

    def read_whole(client: Any, interaction: str) -> Any:
        read(client, interaction)
        return edit(client.interactions.get(interaction).model_dump(mode="json", exclude_unset=True))

    if not words:
        torture(read_whole, only=["status-updates"])
        return
    with pytest.raises(AssertionError, match=re.escape(words)):
        torture(read_whole, only=["status-updates"])


KINDS = ["noise", "odd-ids", "status-updates", "outages", "errors", "stalls", "no-ids"]


@pytest.mark.slow
@pytest.mark.parametrize("function", [read, read_async])
def test_a_right_reader_survives(torture: Torture, function: Any) -> None:
    """Sync or async, no case of any of these kinds is a failure, and each of them was played."""
    report = torture(function, only=KINDS, timeout=60)
    assert report.played == report.planned > 2 * len(KINDS)
    assert str(report) == f"all {report.played} cases passed"


@pytest.mark.parametrize("function", [read, read_async])
def test_a_reader_without_a_timeout_waits_for_ever(torture: Torture, function: Any) -> None:
    """A silence that no timeout ends is told as that, whether the reader resumes after the error or not."""
    report = torture(function, only=["stalls"], fail=False)
    (reason,) = report.reasons
    assert reason.code == "client.ends/time"
    assert "would wait for ever for a connection that fell silent" in reason.message
    assert "say so: `timeout=60` in this call" in reason.message


async def read_with_own_timeout(client: Any, interaction: str) -> str:
    """A right reader with a timer of its own around each event."""
    stream = follow_async(client, interaction)
    while True:
        try:
            await asyncio.wait_for(anext(stream), 30)
        except StopAsyncIteration:
            return stream.text
        except TimeoutError:
            await stream.aclose()
            return await read_async(client, interaction)


def test_a_timer_of_the_reader_ends_a_silence(torture: Torture) -> None:
    """A timer around the read is as good as a read timeout."""
    torture(read_with_own_timeout, only=["stalls"])


async def block(client: Any, interaction: str) -> str:
    """A right reader that pauses with the wrong function."""
    time.sleep(1)
    return await read_async(client, interaction)


def test_a_coroutine_that_blocks(torture: Torture) -> None:
    """A blocking call in a coroutine is a failure, with its line, and what to write in its place."""
    with pytest.raises(
        AssertionError, match=r"the client makes a blocking call: `time.sleep\(1\)` blocks"
    ) as told:
        torture(block, only=["status-updates"])
    assert re.search(r"\(test_torture.py:\d+, in `block`\).* Write `await asyncio.sleep\(1\)`", str(told.value))


def test_a_stream_that_arrived_and_could_not_be_read(torture: Torture) -> None:
    """A reader that knows LF alone, and asks for the whole interaction in place of each stream with CR LF."""

    def read_lf_only(client: Any, interaction: str) -> str:
        with httpx.Client(transport=torture.emulator.transport, base_url="http://any.test", timeout=60) as plain:
            return read_frames(plain, f"/v1beta/interactions/{interaction}")

    report = torture(read_lf_only, only=["noise"], fail=False)
    (reason,) = [one for one in report.reasons if one.code == "client.reads/asked-again"]
    assert reason.cases[0] == "crlf,times:all"
    assert reason.message == (
        "needed 1 more request, although the stream was complete and legal, with crlf (lines that end in CR LF): "
        "it had arrived, so the client cannot read it"
    )
    assert reason.wire[-1].startswith("GET → 200, ")
    left = torture(read_known, case="unknown:all,times:all", fail=False)
    assert "it disconnected at event 2 (AttributeError), so it cannot read all of it" in str(left)


def test_a_reader_that_ends_lines_at_u2028(torture: Torture) -> None:
    """The finding shows the character, which a terminal does not."""

    def read_lines(client: Any, interaction: str) -> Any:
        path, key = f"/v1beta/interactions/{interaction}", {"x-goog-api-key": "any"}
        with httpx.Client(transport=torture.emulator.transport, base_url="http://any.test", timeout=60) as plain:
            for _ in range(2):
                with suppress(ValueError), plain.stream("GET", f"{path}?stream=true", headers=key) as response:
                    data = [json.loads(line[6:]) for line in response.iter_lines() if line.startswith("data: {")]
                    return [event for event in data if "event_type" in event]
            polls = (plain.get(path, headers=key).json() for _ in count())
            return next(run for run in polls if run["status"] == "completed")

    report = torture(read_lines, only=["parts"], fail=False)
    assert re.search(r"which it cannot read \(JSONDecodeError\): {.*\\u2028", str(report)), report


def read_known(client: Any, interaction: str) -> Any:
    """A reader that expects an id in the model of each event, and asks for the interaction where one has none."""
    with suppress(AttributeError), client.interactions.get(interaction, stream=True, timeout=60) as stream:
        for event in stream:
            assert event.event_id
    return next(found for _ in count() if (found := client.interactions.get(interaction)).status == "completed")


def converse(client: Any) -> Any:
    """A conversation whose turns name the first one each: the third knows nothing of the second."""
    first = last = client.interactions.create(model=MODEL, input="One.")
    for text in ("Two.", "Three."):
        last = client.interactions.create(model=MODEL, input=text, previous_interaction_id=first.id)
    return last


def read_frames(client: httpx.Client, path: str) -> str:
    """The text of a stream whose frames are divided by LF LF, else that of the interaction."""
    key, texts = {"x-goog-api-key": "any"}, []
    for frame in client.get(f"{path}?stream=true", headers=key).content.split(b"\n\n"):
        data = next((line[5:] for line in frame.split(b"\n") if line.startswith(b"data:")), b"{}")
        event = {} if b"[DONE]" in data else json.loads(data)
        texts += [event["delta"]["text"]] if event.get("delta", {}).get("type") == "text" else []
        if event.get("event_type") == "interaction.completed":
            return "".join(texts)
    steps = client.get(path, headers=key).json()["steps"]
    return "".join(
        part["text"] for step in steps for part in step.get("content", ()) if step["type"] == "model_output"
    )


class NotCompleted(Exception):
    """What an application raises for each status that is not `completed`."""


@pytest.mark.parametrize("named", [True, False])
def test_an_error_that_names_the_status(torture: Torture, named: bool) -> None:
    """A reader may raise that the run requires action; an error that does not say so has another cause."""

    def read_or_raise(client: Any, interaction: str) -> str:
        found = read_both(client, interaction)
        if found["status"] != "completed":
            raise NotCompleted(found["status"] if named else "")
        return str(found["text"])

    report = torture(read_or_raise, only=["ends"], fail=False)
    assert [reason.code for reason in report.reasons] == ([] if named else ["client.recovers/reported"])


def test_a_cursor_that_is_not_encoded(torture: Torture) -> None:
    """A reader whose resume is refused, and which gets the result by GET, is told of its cursor."""

    def read_raw(client: Any, interaction: str) -> str:
        path = f"http://any.test/v1beta/interactions/{interaction}"
        with httpx.Client(transport=torture.emulator.transport, timeout=60) as plain:
            texts, cursor = [], ""
            for target in (f"{path}?stream=true", f"{path}?stream=true&last_event_id={{}}"):
                request = plain.build_request("GET", target.format(cursor), headers={"x-goog-api-key": "any"})
                try:
                    for line in plain.send(request, stream=True).iter_lines():
                        event = json.loads(line[6:]) if line.startswith("data: {") else {}
                        cursor = event.get("event_id", cursor)
                        texts += [event["delta"]["text"]] if event.get("delta", {}).get("type") == "text" else []
                        if event.get("event_type") == "interaction.completed":
                            return "".join(texts)
                except httpx.ReadError:  # a reset takes with it what is not read yet, of a slow client all
                    texts, cursor = [], ""
                except httpx.HTTPError:
                    pass
            return read_frames(plain, path)

    report = torture(read_raw, only=["odd-ids"], fail=False)
    wrong = [one for one in report.reasons if one.code == "client.recovers/wrong-cursor"]
    assert wrong
    told = (
        r"lost its stream and got the result in another way: .*: it sent its cursor '.*' without percent-encoding"
    )
    assert re.match(told, wrong[0].message)


@pytest.mark.slow
def test_each_reason_is_told_once(torture: Torture) -> None:
    """Many cases, few reasons, each with a case, what went over the wire, and the line that repeats it."""
    with pytest.raises(AssertionError) as raised:
        torture(stop_early, only=["clean-end", "reset"], enough=0)
    told = str(raised.value)
    head = re.match(r"(\d+) of (\d+) cases failed for (\d) reasons?\n", told)
    assert head is not None
    assert int(head[1]) > 20
    assert int(head[3]) <= 3
    assert "it did not resume after the drop" in told
    assert "GET stream → " in told
    (line, *_) = re.findall(r"this one alone:  interactions_torture\(stop_early, case='(.*)'\)", told)
    alone = torture(stop_early, case=line, fail=False)
    assert (alone.played, alone.failed) == (1, 1)


def test_after_equal_failures_a_kind_is_left_out(torture: Torture) -> None:
    """The report says how many cases were not played, and how to play them."""
    report = torture(stop_early, only=["clean-end"], enough=2, fail=False)
    assert report.left_out["clean-end"] == report.planned - report.played > 0
    assert "after 2 equal failures of their kind" in str(report)


def leave_to_the_collector(client: Any, interaction: str) -> str:
    """A reader that forgets the stream of a first look in a cycle, which the garbage collector closes."""
    forgotten: list[Any] = [client.interactions.get(interaction, stream=True)]
    forgotten.append(forgotten)
    next(forgotten[0])
    del forgotten
    gc.collect(1)  # it is young, and to look through all that the tests keep takes long
    return read(client, interaction)


@pytest.mark.parametrize("function", [leave_open, leave_to_the_collector])
def test_a_response_that_is_left_open(torture: Torture, function: Any) -> None:
    """It is a reason of its own, also without any fault."""
    with pytest.raises(AssertionError, match="left 1 response open"):
        torture(function, only=["noise"])


def test_parallel_calls(torture: Torture) -> None:
    """In the mode `tools` the model makes two calls; to answer one of them is not enough."""
    assert torture(work, mode="tools", only=["refused-answers"], allow=["client.recovers"]).played > 3
    said = r"^without any fault the client gave up: BadRequestError: .*call_2 got no function_result"
    with pytest.raises(AssertionError, match=said):
        torture(lambda client: work(client, 1), mode="tools")


AGENTS = ("parallel-calls", "more-calls", "server-steps", "slow-calls", "parent-gone")


def act(
    client: Any,
    *,
    order: Callable[[list[Any]], list[Any]] = list,
    rounds: int = 9,
    background: bool = False,
    name: str = "",
    previous: Any = None,
) -> Any:
    """An agent: it answers calls until the model stops; `order` changes the results, `rounds` is its limit."""

    def create(**body: Any) -> Any:
        made = client.interactions.create(model=MODEL, tools=[LOOK], **body, **options)
        while made.status in ("in_progress", "queued"):
            made = client.interactions.get(made.id)
        return made

    options = {"background": True} if background else {}
    found = previous or create(input="Look.")
    while found.status == "requires_action" and rounds:
        rounds -= 1
        calls = [step for step in found.steps if step.type == "function_call"]
        seen = order([f"A cat {call.arguments['place']}." for call in calls])
        results = [
            {"type": "function_result", "call_id": call.id, "name": name or call.name, "result": result}
            for call, result in zip(calls, seen, strict=True)
        ]
        found = create(input=results[::-1], previous_interaction_id=found.id)
    return found


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.slow
def test_an_agent_that_answers_every_call_can_finish(torture: Torture, background: bool) -> None:
    """Parallel and repeated calls, steps of an MCP server, a slow run and a parent that is gone are no failure."""
    report = torture(lambda client: act(client, background=background), mode="tools", only=AGENTS)
    assert report.played == report.planned == 10


@pytest.mark.slow
def test_an_agent_that_does_one_round(torture: Torture) -> None:
    """It stops while the model still waits."""
    with pytest.raises(
        AssertionError, match=r"client\.calls/stopped, 3 cases: .* last interaction requires action"
    ) as e:
        torture(lambda client: act(client, rounds=1), mode="tools", only=AGENTS)
    assert "this one alone:  interactions_torture(<lambda>, mode='tools', case='pass-more-calls')" in str(e.value)


def read_at_once(client: Any, interaction: str) -> str:
    """Two streams of one run, the second begun before the first has ended, and the text of both."""
    first = client.interactions.get(interaction, stream=True)
    begun = next(list_text(first))
    second = client.interactions.get(interaction, stream=True)
    return "".join([begun, *list_text(first), *list_text(second)])


def read_twice_after_a_drop(client: Any, interaction: str) -> str:
    """After a drop, two streams that both resume after its last cursor, event by event in turns."""
    text, after = "", {}
    for streams in (1, 2, 2, 2):
        opened = [client.interactions.get(interaction, stream=True, **after) for _ in range(streams)]
        with suppress(Exception):
            for events in zip(*opened, strict=True):
                for event in events:
                    after = {"last_event_id": event.event_id}
                    text += (
                        event.delta.text if getattr(getattr(event, "delta", None), "type", "") == "text" else ""
                    )
                    if event.event_type == "interaction.completed":
                        return text
    return text


def cancel(client: Any, interaction: str, cancels: bool = True) -> str:
    """Cancel after three events, and return the status alone."""
    with client.interactions.get(interaction, stream=True) as events:
        list(islice(events, 3))
    return str(client.interactions.cancel(interaction).status) if cancels else "cancelled"


def fails_at(wrong: type[Exception], *, cursor: bool = False) -> Callable[..., Any]:
    """A reader that fails at the first text each time, from the start or after its cursor, and then polls."""

    def reads(client: Any, interaction: str) -> Any:
        options: dict[str, Any] = {}
        for _ in range(3):
            with suppress(wrong), client.interactions.get(interaction, stream=True, **options) as events:
                for event in events:
                    if event.event_type == "step.delta":
                        raise wrong
                    options = {"last_event_id": event.event_id} if cursor else {}
        return poll(client, interaction)

    return reads


def looks_for_the_first_text(client: Any, interaction: str) -> Any:
    """A reader that shows the beginning of the text from time to time, once in place of an error, and polls."""
    for _ in range(3):
        try:
            raise KeyError(interaction)
        except KeyError:
            with client.interactions.get(interaction, stream=True) as events:
                next(event for event in events if event.event_type == "step.delta")
    return poll(client, interaction)


class Shown(Exception):
    """Leaves two loops at once."""


def poll(client: Any, interaction: str) -> Any:
    """Read the interaction until it has settled."""
    while (found := client.interactions.get(interaction)).status == "in_progress":
        pass
    return found


@pytest.mark.slow
@pytest.mark.parametrize("reads", [looks_for_the_first_text, fails_at(Shown)])
def test_a_reader_that_leaves_its_stream_on_purpose(torture: Torture, reads: Any) -> None:
    """It leaves at one event each time, as one that cannot read it, and no error of its code makes it leave."""
    assert not torture(reads, only=["noise"], fail=False).reasons


def parse_each_piece(client: Any) -> Any:
    """An agent that fails at the first piece of a call's arguments, tries again, and polls in the end."""
    found = client.interactions.create(model=MODEL, input="Look.", tools=[LOOK])
    for _ in range(2 * (found.status == "requires_action")):
        with suppress(ValueError), client.interactions.get(found.id, stream=True) as events:
            for event in events:
                if event.event_type == "step.delta" and event.delta.type == "arguments_delta":
                    json.loads(event.delta.arguments)
    return act(client, previous=found)


def resume_in_a_call(client: Any) -> Any:
    """An agent that resumes a stream in the arguments of a call, and keeps those of the start."""
    calls, seen, options = {}, "", {"tools": [LOOK], "stream": True, "background": True}
    for event in client.interactions.create(model=MODEL, input="Look.", **options):
        made = event.interaction.id if event.event_type == "interaction.created" else made  # noqa: F821
        if event.event_type == "step.start" and event.step.type == "function_call":
            calls[event.step.id] = event.step.arguments or {}
        seen = event.event_id or seen
        if event.event_type == "step.delta" and event.delta.type == "arguments_delta":
            break
    for event in client.interactions.get(made, stream=True, last_event_id=seen):
        if event.event_type == "step.start" and event.step.type == "function_call":
            calls[event.step.id] = event.step.arguments or {}
    results = [
        {"type": "function_result", "call_id": call, "name": "look", "result": {"place": asked.get("place")}}
        for call, asked in calls.items()
    ]
    return client.interactions.create(model=MODEL, input=results, previous_interaction_id=made, tools=[LOOK])


@pytest.mark.parametrize(
    ("function", "mode", "words"),
    [
        (resume_in_a_call, "tools", "lost the arguments of the call 'call_1': its result has the place None"),
        (
            lambda client: act(client, order=lambda seen: seen[::-1]), "tools",
            r"returned the result of the call '(.*)' as that of '(?!\1).*': match results with calls by `call_id`",
        ),
        (lambda client: act(client, name="find"), "tools", "under the name 'find': the call names 'look'"),
        (parse_each_piece, "tools", r'2 times at one event, which it cannot read \(JSOND.*"arguments_delta"'),
        (fails_at(KeyError), "follow", r"3 times at one event, which it cannot read \(KeyError\)"),
        (fails_at(AssertionError, cursor=True), "follow", r"3 times at one event, which it .* \(AssertionError\)"),
        (lambda client: f"Look.{act(client).output_text}", "tools", "has the user's prompt in its text"),
        (
            lambda client: f"{act(client).output_text} A cat behind the door.", "tools",
            "has a `function_result` in its text, which is not output: 'A cat behind the door.'",
        ),
        (lambda client: f"Well: {act(client).output_text}", "tools", "has 'Well: ' before its text"),
        (read_at_once, "follow", "two connections read the interaction at once, and it kept the events of both"),
        (converse, "chain", r"continued one interaction with 2 turns \(v1_.*continue the last turn"),
        (
            lambda client, run: next(list_text(client.interactions.get(run, stream=True))), "follow",
            "it stopped reading the stream, or dropped a part of it, although no fault",
        ),
        (partial(cancel, cancels=False), "cancel", "stopped .*, and sent no other request: .*, cancel it after"),
    ],
)  # fmt: skip
def test_a_mistake_without_any_fault(torture: Torture, function: Any, mode: Any, words: str) -> None:
    """Results have any order, but belong to their calls; only output is text; one reader reads a run."""
    with pytest.raises(AssertionError, match=f"^without any fault the client .*{words}"):
        torture(function, mode=mode)


def test_a_busy_machine_is_no_patience_of_the_reader(torture: Torture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute passes at each look at the machine's clock: the silences of the server count, and nothing else."""
    monkeypatch.setattr(received_responses, "monotonic", partial(next, count(step=60)))
    with pytest.raises(AssertionError, match=r"2 times at one event, which it cannot read \(JSOND"):
        torture(parse_each_piece, mode="tools")


@pytest.mark.parametrize("silence", [(), (0.9,), (0.6, 0.6)])
def test_a_reader_that_loses_its_patience(silence: tuple[float, ...]) -> None:
    """A stream that is closed after a second without bytes was not left at its event."""
    body = PieceBody((Chunk(b"data: {}\n\n"), *map(Pause, silence)))
    response = Response(200, Headers([("content-type", "text/event-stream")]), UntilClose(), body)
    received = received_responses.watch(CLIENTS, Request("GET", "/v1beta/interactions/v1_a?stream=true"), response)
    assert len([*response.body]) == 1 + len(silence)
    response.body.close()
    assert received.was_left is (sum(silence) < 1)


def test_two_readers_after_a_drop(torture: Torture) -> None:
    """What each of them got is no older cursor of the other."""
    with pytest.raises(
        AssertionError, match="two connections read the interaction at once, and it kept the events of both"
    ):
        torture(read_twice_after_a_drop, case="event:8,rst")


def test_a_status_alone_after_a_cancel(torture: Torture) -> None:
    """The task is to report it, so that it is no text; a dict may name it, as for `harness torture`."""
    for client in cancel, lambda *given: {"status": cancel(*given)}:
        assert not torture(
            client, mode="cancel", only=["slow-cancels"], allow=["client.recovers"], fail=False
        ).reasons


def test_a_status_that_no_response_showed(torture: Torture) -> None:
    """The client left the stream because that is its task: its mistake is that it did not poll."""
    with pytest.raises(AssertionError, match="the last status that it received was 'in_progress': poll until"):
        torture(lambda *given: cancel(*given) and "cancelled", mode="cancel", case="pass-cancel_lag=1")


@pytest.mark.parametrize(("kind", "goes_on"), [("function_result", False), ("mcp_server_tool_result", True)])
def test_an_agent_that_answers_calls_of_the_service(torture: Torture, kind: str, goes_on: bool) -> None:
    """It returns a result for a call that an MCP server has executed; the service takes or refuses it."""

    def answer_all(client: Any) -> Any:
        made = client.interactions.create(model=MODEL, tools=[LOOK], input="Look.")
        types = {"function_call": "function_result", "mcp_server_tool_call": kind}
        results = [
            {"type": types[step.type], "call_id": step.id, "name": step.name, "result": f"A cat {step.arguments}."}
            for step in made.steps
            if step.type in types
        ]
        try:
            return client.interactions.create(
                model=MODEL, tools=[LOOK], input=results, previous_interaction_id=made.id
            )
        except Exception:
            if goes_on:
                return made
            raise

    report = torture(answer_all, mode="tools", only=["server-steps"], fail=False)
    said = (
        f"sent a {kind} for the call 'mcp_1', which the service executes itself (mcp_server_tool_call): "
        "return results for function_call steps only"
    )
    assert [(reason.code, reason.message) for reason in report.reasons] == [("client.calls/server-call", said)]


def test_a_run_that_ends_incomplete(torture: Torture) -> None:
    """The half of an answer is not returned as if it were whole."""
    report = torture(lambda client: act(client).output_text, mode="tools", only=["further-ends"], fail=False)
    assert [reason.code for reason in report.reasons] == ["client.status/untold"]


def test_the_cause_of_a_text_that_was_cut(torture: Torture) -> None:
    """If one JSON response had the whole text, the client dropped a part; an error event is no end."""

    def first_part(client: Any) -> str:
        steps = [step for step in act(client).steps if step.type == "model_output"]
        return str(steps[0].content[0].text)

    def take_error(client: Any, interaction: str) -> str:
        text = ""
        for event in client.interactions.get(interaction, stream=True):
            if event.event_type == "error":
                return text
            text += "".join(list_text([event]))
        return text

    with pytest.raises(AssertionError, match="the server sent it, so the client dropped it"):
        torture(first_part, mode="tools")
    with pytest.raises(AssertionError, match="it took an error event for the end of the stream: resume after it"):
        torture(take_error, only=["errors"])


@pytest.mark.parametrize(
    ("function", "options", "words"),
    [
        (read, {"mode": "folow"}, "did you mean 'follow'"),
        (read, {"only": ["nois"]}, "did you mean 'noise'"),
        (read, {"only": "noise", "mods": 1}, "only='noise' cannot be read: Expected `list`.* no option 'mods'"),
        (read, {"only": ["noise"], "exclude": ["noise"]}, "leave no case of the set"),
        (read, {"allow": ["client.hole"]}, "neither a rule nor a code"),
        (read, {"case": "event:999,rst"}, "is not a case of the set 'application'"),
        (read, {"mode": "poll"}, r"called as function\(client\): missing"),
        (lambda: "", {}, r"called as function\(client, interaction_id\): too many"),
        (3, {}, "takes the function to test"),
        (lambda client, name: list_text([]), {}, "returned a generator"),
    ],
)
def test_a_wrong_call(torture: Torture, function: Any, options: dict[str, Any], words: str) -> None:
    """The message says what came and what it takes."""
    with pytest.raises(UsageFault, match=words):
        torture(function, **options)


def test_an_async_function_needs_a_plain_test(torture: Torture) -> None:
    """It runs its own loops, so it cannot be called in one."""

    async def main() -> None:
        torture(read_async)

    with pytest.raises(UsageFault, match="call it in a plain `def test_…`"):
        asyncio.run(main())


def test_a_test_that_never_calls_it(pytester: pytest.Pytester) -> None:
    """It has tried nothing, which is a warning like that of the other fixtures."""
    pytester.makepyfile("def test_x(interactions_torture): pass")
    result = run(pytester)
    assert result.ret != 0
    assert "passed without calling interactions_torture" in result.stdout.str()


ITEMS = """
import pytest

def stop_early(client, interaction):
    text = ""
    try:
        with client.interactions.get(interaction, stream=True, timeout=60) as stream:
            for event in stream:
                if event.event_type == "step.delta" and event.delta.type == "text":
                    text += event.delta.text
    except Exception:
        pass
    return text

@pytest.mark.interactions_torture(only=["clean-end", "noise"], exclude=["noise"], set="quick")
def test_read(interactions_torture):
    interactions_torture(stop_early)

@pytest.mark.interactions_torture(mode="cancel", only=["slow-cancels"])
def test_both(interactions_torture):
    interactions_torture(stop_early, mode="follow")

def test_own_failure(interactions_torture):
    interactions_torture(lambda client, interaction: print("a log\\n" * 60) or pytest.fail("seen by its author"))
"""


@pytest.mark.slow
def test_a_case_is_a_test(pytester: pytest.Pytester) -> None:
    """A marker makes one test of each case; failures of one reason are shown once, and counted."""
    pytester.makepyfile(ITEMS)
    result = run(pytester, "-k", "test_read", "-p", "no:randomly")
    text = result.stdout.str()
    failed = result.parseoutcomes()["failed"]
    assert failed > 3
    assert text.count("the same reason as") >= failed - 2 > text.count("it did not resume after the drop\nE")
    result.stdout.fnmatch_lines([f"test_a_case_is_a_test.py::test_read: {failed} cases failed for * reasons"])
    again = re.search(r"this one again:  pytest '(test_a_case_is_a_test.py::test_read\[.*\])'", text)
    assert again is not None
    run(pytester, again[1]).assert_outcomes(failed=1)
    both = run(pytester, "-k", "test_both", "-p", "no:randomly")
    both.stdout.fnmatch_lines(["*interactions_torture(mode=…): the marker of this test has its options, add it*"])
    own = run(pytester, "-k", "test_own_failure").stdout
    own.fnmatch_lines(["E * Failed: seen by its author", "… 41 lines of earlier cases: run a case alone*"])
    assert own.str().count("a log\n") < 20  # the line of the source is none
    own.no_fnmatch_line("*harness*torture.py*")
