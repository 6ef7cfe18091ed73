"""What a test's emulator can be told to answer, and what it tells of the requests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from harness.cassette import Recording, save
from harness.contract.tables.protocol import LIFECYCLE
from harness.emulator import Script, Settings
from harness.outcome import UsageFault
from harness.plugin import InteractionsEmulator
from harness.plugin.interactions.answers import AnswerFields, FinalStatus
from harness.plugin.interactions.emulator import SettingFields
from harness.transport import ServiceDriver
from harness.wire import Headers, Request

PATH = "/v1beta/interactions"
CALL = {"type": "function_call", "id": "c", "name": "f", "arguments": {}}
TOOL = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}}


@pytest.fixture
def emulator() -> InteractionsEmulator:
    """A fresh one."""
    return InteractionsEmulator()


@pytest.fixture
def client(emulator: InteractionsEmulator) -> Iterator[httpx.Client]:
    """A client of it."""
    with httpx.Client(
        transport=emulator.transport, base_url="http://x.test", headers={"x-goog-api-key": "k"}
    ) as made:
        yield made


def create(client: httpx.Client, text: str = "Hi", **fields: Any) -> httpx.Response:
    """One create."""
    return client.post(PATH, json={"model": "gemini-3.8-flash", "input": text, **fields})


def text_of(answer: httpx.Response) -> str:
    """The text of an answer."""
    return str(answer.json()["steps"][-1]["content"][0]["text"])


def test_a_function_answers(emulator: InteractionsEmulator, client: httpx.Client) -> None:
    """A function gets the create and returns a text, a script or steps; it may answer all that match."""
    emulator.reply(lambda asked: asked.text.upper(), times=2, match={"input_contains": "shout"})
    emulator.reply(lambda asked: [CALL] if asked.tools else {"status": "failed"})
    assert text_of(create(client, "shout")) == "SHOUT"
    assert create(client, tools=[TOOL]).json()["status"] == "requires_action"
    assert text_of(create(client, "shout it")) == "SHOUT IT"
    assert list(emulator.find_complaints()) == []


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda asked: asked.body["missing"], "could not answer: KeyError: 'missing'"),
        (lambda asked: None, "it returned None: return a text"),
        (lambda asked: [{"type": "function_cal"}], 'did you mean "function_call"?'),
    ],
)
def test_a_function_that_cannot_answer(
    emulator: InteractionsEmulator, client: httpx.Client, function: Any, said: str
) -> None:
    """The client gets a refusal that says why, and the test fails with it even if the client swallows it."""
    emulator.reply(function)
    answer = create(client)
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]
    assert said in "".join(emulator.find_complaints())


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "this create declares no tools. If"),
        (
            {"previous_interaction_id": "first"},
            "no tools, and tools are not inherited from previous_interaction_id",
        ),
        ({"tools": [{"type": "google_search"}]}, "this create declares only google_search"),
        ({"tools": [{**TOOL, "name": "g"}]}, ""),
        ({"tools": [{"type": "computer_use", "environment": "browser"}]}, ""),
    ],
    ids=["forgotten", "second round", "built-in", "unknown name", "computer use"],
)
@pytest.mark.parametrize("made", [False, True], ids=["steps", "function"])
def test_a_call_that_the_service_could_not_make(
    emulator: InteractionsEmulator, client: httpx.Client, fields: dict[str, Any], said: str, made: bool
) -> None:
    """A script that calls a function although none is declared fails the test, unless it is `unchecked`."""
    if "previous_interaction_id" in fields:
        fields = {"previous_interaction_id": create(client).json()["id"]}
    script = {"steps": [CALL], "status": "requires_action"}
    for unchecked in (True, False):
        if made:
            emulator.reply(lambda asked: script, unchecked=unchecked)
        else:
            emulator.script(script, unchecked=unchecked)
        assert create(client, **fields).json()["status"] == "requires_action"
        complaints = "".join(emulator.find_complaints())
        assert complaints == "" if unchecked else said in complaints
    assert bool(said) is ("the scripted call of 'f' needs a declared function" in complaints)


def test_an_agent_may_call_with_tools_of_its_own(emulator: InteractionsEmulator, client: httpx.Client) -> None:
    """An agent's call needs no tool in the create."""
    emulator.reply(steps=[CALL], status="requires_action")
    agent = {"agent": "deep-research-preview-04-2026", "input": "Go.", "background": True}
    assert client.post(PATH, json=agent).status_code == 200
    assert list(emulator.find_complaints()) == []


def test_a_client_of_vertex_is_told(client: httpx.Client) -> None:
    """A call on a project's path without credentials is told which variable makes clients call so."""
    del client.headers["x-goog-api-key"]
    paths = "/v1beta1/projects/p/locations/l/interactions", PATH
    told = [client.post(path, json={}).json()["error"]["message"] for path in paths]
    assert ["GOOGLE_GENAI_USE_VERTEXAI" in message for message in told] == [True, False]


def test_matching(emulator: InteractionsEmulator, client: httpx.Client) -> None:
    """An answer is for creates with a model, a text or a tool, whichever comes first."""
    emulator.reply("tool", match={"tool": "lookup"}).reply("pro", match={"model": "gemini-3.1-pro-preview"})
    emulator.reply("rain", match={"input_contains": "weather"})
    assert text_of(create(client, "The weather?")) == "rain"
    assert text_of(create(client, tools=[{"type": "function", "name": "lookup"}])) == "tool"
    assert text_of(create(client, model="gemini-3.1-pro-preview")) == "pro"


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (
            {**CALL, "type": "function_cal"},
            'steps[0].type: unknown type "function_cal"; did you mean "function_call"?',
        ),
        ({**CALL, "args": {}}, 'steps[0].args: "args" is not a known field; did you mean "arguments"?'),
        ({"type": "model_output", "content": [{"type": "txt", "text": "x"}]}, 'did you mean "text"?'),
    ],
)
def test_steps_are_checked(emulator: InteractionsEmulator, step: Any, said: str) -> None:
    """A misspelt step is refused with what was meant; what the schemas do not know yet can be let through."""
    with pytest.raises(UsageFault) as caught:
        emulator.reply(steps=[step])
    assert said in str(caught.value)
    assert "?." not in str(caught.value)
    assert "unchecked=True" in str(caught.value)
    emulator.reply(steps=[step], unchecked=True)


@pytest.mark.parametrize("stream", [True, False])
def test_a_recorded_answer(
    emulator: InteractionsEmulator, client: httpx.Client, tmp_path: Path, stream: bool
) -> None:
    """A recorded interaction is given again, whether it was recorded as a stream or as one answer."""
    live = InteractionsEmulator()
    live.reply("As it was.", thought="I recall.")
    body = b'{"model": "gemini-3.8-flash", "input": "Hi"%s}' % (b', "stream": true' if stream else b"")
    fields = Headers([("x-goog-api-key", "k"), ("content-type", "application/json")])
    exchange = ServiceDriver(live, live.clock).send(Request("POST", PATH, fields, body))
    save(tmp_path / "old.yaml", [Recording.of(exchange)])
    emulator.reply(cassette=tmp_path / "old.yaml")
    answer = create(client)
    assert text_of(answer) == "As it was."
    assert answer.json()["steps"][0]["summary"] == [{"type": "text", "text": "I recall."}]


def test_nothing_to_give_again(emulator: InteractionsEmulator, tmp_path: Path) -> None:
    """A recording without an interaction that has ended is refused."""
    exchange = ServiceDriver(emulator, emulator.clock).send(Request("GET", f"{PATH}/v1_x", Headers(), b""))
    save(tmp_path / "old.yaml", [Recording.of(exchange)])
    with pytest.raises(UsageFault, match="no complete response with steps"):
        emulator.reply(cassette=tmp_path / "old.yaml")


def test_requests_are_values(emulator: InteractionsEmulator, client: httpx.Client) -> None:
    """A request tells its method, path, query, headers, body and call, and what interaction it has made."""
    made = create(client, background=True).json()
    client.get(f"{PATH}/{made['id']}", params={"stream": "true", "last_event_id": "x"})
    first, second = emulator.requests
    assert (first.method, first.path, first.call) == ("POST", PATH, "create")
    assert first.body["input"] == "Hi"
    assert first.headers["x-goog-api-key"] != "k"
    assert first.interaction is not None
    assert first.interaction["id"] == made["id"]
    assert (second.query["last_event_id"], second.call) == ("x", "stream after x")
    assert second.interaction is None


def test_long_requests_are_kept_whole(emulator: InteractionsEmulator, client: httpx.Client) -> None:
    """Uploads of more than what the log of a server keeps can be compared, too."""
    client.post("/v1beta/interactions", json={"model": "gemini-3.8-flash", "input": "x" * 2_000_000})
    assert [len(body["input"]) for body in emulator.requests.bodies()] == [2_000_000]


def test_counts(emulator: InteractionsEmulator, client: httpx.Client) -> None:
    """`exactly` needs that many calls; the message names what was expected."""
    create(client)
    emulator.requests.assert_count("create", exactly=1)
    emulator.requests.assert_count("get", exactly=0)
    with pytest.raises(AssertionError, match="made 1 call of the kind 'create', expected exactly 2"):
        emulator.requests.assert_count("create", exactly=2)
    with pytest.raises(AssertionError, match="expected at least 2"):
        emulator.requests.assert_count("create", at_least=2)
    for _ in range(2):
        create(client)
    with pytest.raises(AssertionError, match=r"expected exactly 1:\n  create \(3 times\)$"):
        emulator.requests.assert_count("create", exactly=1)
    with pytest.raises(UsageFault, match="either exactly"):
        emulator.requests.assert_count("create", exactly=1, at_most=2)
    with pytest.raises(UsageFault, match="needs a number"):
        emulator.requests.assert_count("create")


def test_a_diff_without_noise(emulator: InteractionsEmulator, client: httpx.Client) -> None:
    """A field that was forgotten is the only line of the diff, even if it comes last."""
    create(client)
    with pytest.raises(AssertionError) as caught:
        emulator.requests.assert_created({"input": "Hi", "model": "gemini-3.8-flash", "store": False})
    changed = [line.strip() for line in str(caught.value).splitlines() if line.startswith(("  +", "  -"))]
    assert changed == ['-     "store": false']


def test_a_misspelt_field_is_told_by_its_name(emulator: InteractionsEmulator, client: httpx.Client) -> None:
    """An expected field that no create had is shown beside the one that was probably meant."""
    create(client)
    with pytest.raises(AssertionError, match="no create has a field 'modle': did you mean 'model'"):
        emulator.requests.assert_created({"modle": "gemini-3.8-flash"})
    with pytest.raises(AssertionError) as caught:
        emulator.requests.assert_created({"model": "gemini-9"})
    assert "did you mean" not in str(caught.value)


def test_the_typed_keys_are_the_real_ones() -> None:
    """The keys that editors complete are those that there are."""
    assert set(AnswerFields.__annotations__) == set(Script.__struct_fields__) - {"text"}
    assert set(get_args(FinalStatus)) == set(LIFECYCLE.ends)
    # `max_requests` is the fixture's own limit
    assert set(SettingFields.__annotations__) == set(Settings.__struct_fields__) - {"max_requests"}


@pytest.mark.parametrize("status", ["503", True, 200])
def test_a_status_that_is_no_failure(status: Any) -> None:
    """The message says what to write."""
    with pytest.raises(UsageFault, match=f"status={status!r} is not a failure: write a whole number from 400"):
        InteractionsEmulator().fail(status)


def test_a_script_as_one_value_is_refused() -> None:
    """The message says how to write it."""
    script: Any = {"steps": []}
    with pytest.raises(UsageFault, match=r"written as keywords, such as reply\(steps="):
        InteractionsEmulator().reply(script)
