"""Chains as long as those of a client that asks for ever."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

import harness
from harness.outcome import UsageFault
from harness.plugin import Chain, InteractionsEmulator
from harness.plugin.environment_variables import PLACEHOLDER_KEY

_OURS = str(Path(harness.__file__).parent)
_TOOL = {"type": "function", "name": "look", "description": "Looks.", "parameters": {"type": "object"}}
_CALL = {"type": "function_call", "id": "c1", "name": "look", "arguments": {}}
_KEY = {"x-goog-api-key": PLACEHOLDER_KEY}
_RESULT = {"type": "function_result", "call_id": "c1", "name": "look", "result": "rain"}


def _count_calls(work: Callable[[], object]) -> int:
    """How many of our own functions are called."""
    calls, before = 0, sys.getprofile()

    def see(frame: Any, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call" and frame.f_code.co_filename.startswith(_OURS)

    sys.setprofile(see)
    try:
        work()
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize("kind", ["stream", "calls"])
def test_a_late_create_costs_as_much_as_an_early_one(kind: str) -> None:
    """What a chain already holds is neither counted, copied nor judged again."""
    emulator, counts = InteractionsEmulator(), dict[int, int]()
    body: dict[str, Any] = {"model": "gemini-3.8-flash", "input": "Hi.", "stream": kind == "stream"}
    with httpx.Client(transport=emulator.transport, headers={"x-goog-api-key": PLACEHOLDER_KEY}) as client:

        def create() -> None:
            response = client.post("http://any.test/v1beta/interactions", json=body)
            assert response.status_code == 200, response.text
            found = re.search(r'"id":"(v1_[^"]+)"', response.text)
            assert found is not None
            body["previous_interaction_id"] = found[1]

        for number in range(1, 501):
            if kind == "calls":
                emulator.reply(steps=[_CALL])
                body |= {
                    "tools": [_TOOL],
                    "input": [{**_RESULT, "result": f"rain {number}"}] if number > 1 else "Hi.",
                }
            if number in (50, 500):
                counts[number] = _count_calls(create)
            else:
                create()
    assert 0 < counts[500] <= 1.1 * counts[50]


def test_the_history_of_a_long_chain() -> None:
    """It may have more turns than Python's stack has room for."""
    chain = Chain(InteractionsEmulator())
    turns = sys.getrecursionlimit() + 50
    last = chain.build(turns)
    expected = [text for number in range(1, turns + 1) for text in (f"Question {number}.", f"Answer {number}.")]
    assert last.history == expected
    assert chain.history_of(last.id) == expected


@pytest.mark.parametrize(("tools", "problem"), [(True, ""), (False, "without `tools`: they are not inherited")])
@pytest.mark.parametrize("made_by_client", [True, False])
def test_results_need_the_tools(tools: bool, problem: str, made_by_client: bool) -> None:
    """Results of calls come with the tools again, whoever made the turn with the calls."""
    client = Client()
    chain = Chain(client.emulator)
    if made_by_client:
        client.emulator.script({"steps": [_CALL], "status": "requires_action"})
        asked = client.create(input="Look.", tools=[_TOOL])
    else:
        asked = chain.turn(function_call=True).id
    calls = [step for step in chain.emulator.look(asked)["steps"] if step["type"] == "function_call"]
    results = [{**_RESULT, "call_id": call["id"], "name": call["name"]} for call in calls]
    assert client.create(asked, input=results, **({"tools": [_TOOL]} if tools else {}))
    if not problem:
        chain.assert_continued()
        return
    with pytest.raises(AssertionError, match=problem):
        chain.assert_continued()
    chain.assert_continued(without_tools=True)


def test_a_result_for_a_call_of_the_service() -> None:
    """The service has executed the call itself, whatever it makes of a result that comes for it."""
    client = Client()
    chain = Chain(client.emulator)
    mcp = {"name": "find", "server_name": "archive"}
    steps = [
        {"type": "mcp_server_tool_call", "id": "m1", **mcp, "arguments": {}},
        {"type": "mcp_server_tool_result", "call_id": "m1", **mcp, "result": "one match"},
        _CALL,
    ]
    client.emulator.script({"steps": steps, "status": "requires_action"})
    made = client.create(input="Look.", tools=[_TOOL])
    assert client.create(made, input=[{**_RESULT, "call_id": "m1"}, _RESULT], tools=[_TOOL]) == ""
    said = r"sent a function_result for the call 'm1', which the service executes itself \(mcp_server_tool_call\)"
    with pytest.raises(AssertionError, match=said):
        chain.assert_continued(made)


@pytest.mark.parametrize("meant", [False, True])
def test_a_turn_that_is_continued_twice(meant: bool) -> None:
    """An earlier create that forks the client's own conversation is found, unless the turn is named."""
    client = Client()
    chain = Chain(client.emulator)
    ids: list[str] = []
    for after in (None, 0, 0, 2):  # the third turn leaves out the second
        ids.append(client.create(None if after is None else ids[after]))
    if meant:
        made = chain.emulator.look(ids[2])
        for named in (ids[2], made, SimpleNamespace(**made)):
            chain.assert_continued(named)
        with pytest.raises(UsageFault, match="4 names no interaction: pass its id"):
            chain.assert_continued(4)
    else:
        with pytest.raises(AssertionError, match=f"continued '{ids[0]}' twice: create 3 leaves out '{ids[1]}'"):
            chain.assert_continued()


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_turn_that_came_to_nothing_may_be_left_out(status: str) -> None:
    """After a failed turn a client goes on from the one before it; an older one is wrong."""
    client = Client()
    chain = Chain(client.emulator)
    first = client.create(input="One.")
    second = client.create(first, input="Two.")
    client.emulator.script({"text": "Thr", "status": status})
    client.create(second, input="Three.")
    client.create(second, input="Four.")
    chain.assert_continued()
    client.create(first, input="Five.")
    with pytest.raises(AssertionError, match="which is not the turn to continue from"):
        chain.assert_continued()


def test_a_refused_create_is_no_turn() -> None:
    """A create that the service refused left nothing to go on from: the turn before it is the parent."""
    client = Client()
    chain = Chain(client.emulator)
    first = client.create(input="One.")
    assert client.create(first, input="Two.", no_such_field=1) == ""
    client.create(first, input="Two.")
    chain.assert_continued()


_CALLS = [_CALL, {**_CALL, "id": "c2", "name": "find"}]
_TOOLS = [_TOOL, {**_TOOL, "name": "find"}]


class Client:
    """A client of a fresh emulator; `create` returns the id of what it made, "" for a refusal."""

    def __init__(self) -> None:
        self.emulator = InteractionsEmulator()
        self._http = httpx.Client(
            transport=self.emulator.transport, base_url="http://any.test/v1beta", headers=_KEY
        )

    def create(self, after: str | None = None, **fields: Any) -> str:
        """Create an interaction that continues another one."""
        named = {} if after is None else {"previous_interaction_id": after}
        body = {"model": "gemini-3.8-flash", "input": "Hi.", **named, **fields}
        return str(self._http.post("/interactions", json=body).json().get("id", ""))

    def delete(self, *interactions: str) -> None:
        """Delete interactions."""
        for interaction in interactions:
            self._http.delete(f"/interactions/{interaction}")

    def call(self) -> str:
        """Create an interaction that calls two functions."""
        self.emulator.reply(steps=_CALLS)
        return self.create(tools=_TOOLS)

    def answer(self, call: str, *names: str) -> str:
        """Return results of the calls under these names."""
        results = [
            {**_RESULT, "call_id": one["id"], "name": name} for one, name in zip(_CALLS, names, strict=False)
        ]
        return self.create(call, input=results, tools=_TOOLS)


def _delete_parent(client: Client) -> None:
    first = client.create()
    client.delete(first)
    client.create(first)


def _delete_and_forget(client: Client) -> None:
    client.delete(client.create())
    client.create()


def _delete_second(client: Client) -> None:
    second = client.create(client.create())
    client.delete(second)
    client.create(second)


def _create_unstored(client: Client) -> None:
    client.create(store=False)
    client.create(store=False)


BROKEN: dict[str, tuple[Callable[[Client], object], str]] = {
    "nothing": (lambda client: None, "created no interaction"),
    "one turn": (Client.create, "created one interaction and none that continues it"),
    "one refusal": (
        lambda client: client.create(model="nope"),
        "created one interaction .* continues it; it was refused: 404: ",
    ),
    "deleted parent": (_delete_parent, "chained to 'v1_.*', which was deleted before: no create can continue it"),
    "deleted second": (_delete_second, "chained to 'v1_.*', which was deleted before: no create can continue it"),
    "deleted and forgotten": (_delete_and_forget, "sent no previous_interaction_id after the deletion of 'v1_"),
    "never answered": (Client.call, "left the function call 'c1' without a result"),
    "half answered": (lambda client: client.answer(client.call(), "look"), "left the function call 'c2' without"),
    "wrong name": (
        lambda client: client.answer(client.call(), "look", "look"),
        "returned the result of the call 'c2' under the name 'look': the call names 'find'",
    ),
    "unstored": (_create_unstored, r"stored no interaction that a create could continue.*assert_replayed\(\)"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_chain_of_the_client_that_ends(case: str) -> None:
    """An assertion about the client's own turns fails with what the client did, never as a mistake of the test."""
    work, problem = BROKEN[case]
    client = Client()
    chain = Chain(client.emulator)
    work(client)
    with pytest.raises(AssertionError, match=f"the client {problem}"):
        chain.assert_continued()


def test_a_turn_after_a_deleted_one() -> None:
    """A turn that was built and deleted is named, too; a client may delete what it has continued."""
    client = Client()
    chain = Chain(client.emulator)
    client.create(chain.turn(deleted=True).id)
    with pytest.raises(AssertionError, match="which was deleted before"):
        chain.assert_continued()
    tidy = Client()
    chain = Chain(tidy.emulator)
    first = tidy.create()
    tidy.delete(first, tidy.create(first))
    chain.assert_continued()
    tidy.create(store=False)
    other = tidy.create()
    tidy.create(store=False)
    tidy.create(other)
    chain.assert_continued()
    answered = Client()
    chain = Chain(answered.emulator)
    answered.answer(answered.call(), "look", "find")
    chain.assert_continued()
