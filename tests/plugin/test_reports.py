"""Reports of failing tests: the requests and answers, and for a wrong call only the message."""

from __future__ import annotations

import pytest

from tests.plugin.toys import HEAD, run

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.slow
def test_what_was_asked(pytester: pytest.Pytester) -> None:
    """Requests and refusals are shown with any failure, repeated ones once; a test that passes shows nothing."""
    pytester.makepyfile(
        HEAD
        + """
def test_failing(client):
    made = client.post(PATH, json={"model": "gemini-3.8-flash", "inputs": "Hi"}).json()
    for _ in range(3):
        client.get(PATH + "/v1_x")
    assert made["id"]

def test_passing(client):
    client.get(PATH + "/v1_y")
"""
    )
    result = run(pytester)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "E*KeyError: 'id'",
            "*- interactions -*",
            "create → 400: *Did you mean 'input'*",
            "get → 404: *v1_x* (3 times)",
        ]
    )
    result.stdout.no_fnmatch_line("*v1_y*")


def test_turns_that_were_left_out(pytester: pytest.Pytester) -> None:
    """A failed test reads which creates continue a failed turn or none, and which call got no result."""
    pytester.makepyfile(
        HEAD
        + """
TOOL = {"type": "function", "name": "look", "parameters": {"type": "object"}}
CALL = {"type": "function_call", "id": "c", "name": "look", "arguments": {"place": "Rome, Italy"}}

@pytest.fixture
def say(client):
    def say(text, previous=None, **fields):
        chained = {"previous_interaction_id": previous["id"]} if previous else {}
        body = {"model": "gemini-3.8-flash", "input": text, **chained, **fields}
        if not fields.get("stream"):
            return client.post(PATH, json=body).json()
        with client.stream("POST", PATH, json=body) as response:
            return response.read()
    return say

def test_failed_turn(interactions_emulator, say):
    interactions_emulator.reply("Good.")
    interactions_emulator.reply("Bad.", status="incomplete")
    say("Three.", say("Two.", say("One.")))
    assert not "failed"

def test_lost_turn(say):
    first = say("One.")
    say("Two.")
    assert not "lost"

def test_fork(say):
    first = say("One.")
    say("Two.", first)
    say("Three.", first)
    assert not "fork"

def test_call(interactions_emulator, say):
    interactions_emulator.reply(steps=[CALL])
    say("Look.", stream=True, tools=[TOOL])
    assert not "called"

def test_wrong_result(interactions_emulator, say):
    interactions_emulator.reply(steps=[CALL])
    say("Look.", stream=True, tools=[TOOL])
    found = interactions_emulator.find_created()[0]["id"]
    say([{"type": "function_result", "call_id": "c", "name": "look", "result": "?"}], {"id": found}, tools=[TOOL])
    assert not "answered"

def test_in_order(say):
    say("Three.", say("Two.", say("One.")))
    assert not "right"
"""
    )
    result = run(pytester)
    result.assert_outcomes(failed=6)
    result.stdout.fnmatch_lines(
        [
            "create → 200, incomplete",
            "create 3 continues 'v1_*', which ended as 'incomplete'; create 1 made 'v1_*', the last before it *",
            "creates 1 and 2 name no previous interaction: none of them knows of the others",
            "creates 2 and 3 continue the same interaction 'v1_*': none of them knows of the others",
            "create stream → 200, requires_action",
            "the call 'c' got no result; its arguments arrive in 2 pieces (`arguments_delta`), *",
        ]
    )
    assert str(result.stdout).count("(`arguments_delta`)") == 1
    *_, in_order = str(result.stdout).partition("_ test_in_order _")
    assert "create → 200 (3 times)\n=" in in_order


def test_many_requests(pytester: pytest.Pytester) -> None:
    """If there were many requests, the last ones are shown."""
    pytester.makepyfile(
        HEAD
        + """
def test_failing(client):
    for number in range(40):
        client.get(f"{PATH}/v1_{number}")
    assert not number
"""
    )
    result = run(pytester)
    result.stdout.fnmatch_lines(["… 25 more before", "get → 404: *v1_25*", "get → 404: *v1_39*"])
    result.stdout.no_fnmatch_line("*v1_24*")


def test_how_answers_ended(pytester: pytest.Pytester) -> None:
    """A broken connection is reported as such, whether or not a status had arrived."""
    pytester.makepyfile(
        HEAD
        + """
def test_failing(interactions_emulator, client):
    found = client.post(PATH, json={"model": "gemini-3.8-flash", "input": "Hi"}).json()["id"]
    interactions_emulator.drop("event:2,rst/before-headers,fin/event:2,end")
    for _ in range(4):
        try:
            client.get(f"{PATH}/{found}?stream=true")
        except httpx.TransportError:
            pass
    assert not found
"""
    )
    run(pytester).stdout.fnmatch_lines(
        [
            "create → 200",
            "stream → 200, then the server reset the connection within the body (*event:2,rst*)",
            "stream → no response, the server closed the connection before the headers (*)",
            "stream → 200, then a clean end without completion",
            "stream → 200",
        ]
    )


@pytest.mark.parametrize("mode", ["tests", "loop"])
def test_code_that_raises_at_a_cut(pytester: pytest.Pytester, mode: str) -> None:
    """The cut is named even if none of our assertions failed, and only once if one did."""
    pytester.makepyfile(
        HEAD
        + f"""
@pytest.mark.interactions_dropped_stream(cuts=["event:3+40,end"], mode={mode!r})
def test_raising(interactions_dropped_stream, client):
    for stream in (interactions_dropped_stream if {mode == "loop"} else [interactions_dropped_stream]):
        with client.stream("GET", f"{{PATH}}/{{stream.id}}?stream=true") as response:
            for line in response.iter_lines():
                json.loads(line.removeprefix("data: ") or "0") if line.startswith("data: ") else None

@pytest.mark.interactions_dropped_stream(cuts=["event:3+40,end"])
def test_asserting(interactions_dropped_stream):
    interactions_dropped_stream.assert_seen_once("")
"""
    )
    result = run(pytester, "-rN")  # no summary, because it would repeat the message, in CI the whole of it
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        ["E*JSONDecodeError*", "*- interactions -*", "dropped at event:3+40,end", "*GET stream → 3 events*"]
    )
    assert str(result.stdout).count("on the wire") == 2


WRONG = [
    ("interactions_emulator.fail(200)", "status=200 is not a failure"),
    ("interactions_emulator.drop('event5,rst')", "did you mean 'event'"),
    ("interactions_emulator.reply('x', stat='failed')", "Did you mean 'status'"),
    ("interactions_emulator.change(event_idz='none')", "did you mean 'event_ids'"),
    ("interactions_no_sleep.assert_total(5)", "assert_total takes bounds by name: at_least=5, at_most=5"),
    ("interactions_emulator.requests.assert_created('v1_x')", "assert_created takes fields of each create"),
    ("InteractionsEmulator().base_url", "write `with InteractionsEmulator() as emulator:`"),
]


def test_a_wrong_call_in_a_test(pytester: pytest.Pytester) -> None:
    """The report ends at the line of the test; none of our own code is shown."""
    tests = (
        f"def test_{n}(interactions_emulator, interactions_no_sleep):\n    {call}\n"
        for n, (call, _) in enumerate(WRONG)
    )
    pytester.makepyfile("\n".join(["from harness.plugin import InteractionsEmulator", *tests]))
    result = run(pytester)
    result.assert_outcomes(failed=len(WRONG))
    for call, said in WRONG:
        result.stdout.fnmatch_lines([f">*{call}", f"E*{said}*"])
    result.stdout.no_fnmatch_line("*harness/*.py*")


def test_a_note_on_a_model_is_told_once(pytester: pytest.Pytester) -> None:
    """The summary of a session names each retirement and each guessed model once, also of a shared emulator."""
    pytester.makepyfile(
        HEAD
        + """
@pytest.mark.parametrize("number", range(2))
def test_own(client, number):
    for model in ("gemini-2.5-flash", "gemini-9-nope", "gemini-4-neon"):
        client.post(PATH, json={"model": model, "input": "Hi"}).raise_for_status()

@pytest.mark.parametrize("number", range(2))
def test_shared(interactions_module_emulator, number):
    with httpx.Client(transport=interactions_module_emulator.transport, base_url="http://x.test") as client:
        key = {"x-goog-api-key": "k"}
        client.post(PATH, headers=key, json={"model": "gemini-3.7-flash", "input": "Hi"}).raise_for_status()
"""
    )
    result = run(pytester)
    result.assert_outcomes(passed=4)
    routed = "note: {} has the retirement date {}. Google routes its name to {}."
    assert [line for line in result.outlines if line.startswith("note: ")] == [
        routed.format("gemini-2.5-flash", "2026-12-01", "gemini-3.5-flash-lite"),
        "note: no table lists 'gemini-9-nope': it is treated as a model of the newest family, gemini-4",
        routed.format("gemini-3.7-flash", "2026-10-08", "gemini-3.8-flash"),
    ]
    result.stdout.fnmatch_lines(["*interactions notes*"])
