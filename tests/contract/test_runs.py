"""What messages say of a run: creates, answers and events, and whatever else may come."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.contract.runs import LOOKS, RunEnds, named_interaction, status_of, summarise_create
from harness.wire import Exchange, Request
from tests.contract.exchanges import ROOT, exchange
from tests.in_one_test import in_one_test

TEXT = {"type": "text", "text": "Hello"}


def create(body: Any, target: str = "/v1beta/interactions") -> Request:
    """A POST with a JSON body."""
    return Request("POST", target, body=json.dumps(body).encode())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("Hello", "Hello"),
        (TEXT, "Hello"),
        ([{"type": "image", "data": "x"}, TEXT], "Hello"),
        ([{"type": "user_input", "content": [TEXT]}], "Hello"),
        ([{"type": "function_result", "result": "21"}], "function result"),
        ([{"type": "image"}, {"type": "image"}, {"type": "audio"}], "image, audio"),
        ("x" * 200, "x" * 80 + "…"),
        (None, ""),
        (5, ""),
        ([5, None], ""),
        ({"content": {"content": {"content": {"content": {"content": "deep"}}}}}, "deep"),
        (json.loads('{"content":' * 400 + "5" + "}" * 400), ""),
    ],
)
def test_an_input_in_words(given: Any, words: str) -> None:
    """The words of a create are its last text, or else the kinds of its parts; nothing raises."""
    found = summarise_create(create({"model": "m", "input": given}))
    assert found is not None
    assert found.words == words


def test_a_create_names_its_parent_and_its_place() -> None:
    """Parent and background are told as they are asked for; values of other types count as absent."""
    asked = create({"input": "x", "previous_interaction_id": "v1_a", "background": True})
    assert summarise_create(asked) == ("v1_a", True, "x")
    assert summarise_create(create({"previous_interaction_id": 5, "background": "yes"})) == ("", False, "")


@pytest.mark.parametrize(
    "request_", [create({}, "/v1beta/agents"), create([]), Request("GET", "/v1beta/interactions/a"), create("x")]
)
def test_what_creates_nothing(request_: Request) -> None:
    """Other requests, and bodies that are no objects, create nothing."""
    assert summarise_create(request_) is None


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"id": "a", "status": "completed"}, ("a", "completed")),
        ({"interaction": {"id": "a", "status": "in_progress"}}, ("a", "in_progress")),
        ({"interaction_id": "a", "status": "queued"}, ("a", "queued")),
        ({"status": "queued"}, ("", "queued")),
        ({"id": 5, "status": "queued"}, ("", "queued")),
        ({"id": "a", "status": 5}, None),
        ({"interaction": []}, None),
        ({}, None),
    ],
)
def test_a_status_and_whose_it_is(value: Any, told: tuple[str, str] | None) -> None:
    """Answers and events of any shape give the id and the status, or nothing."""
    assert status_of(value) == told


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("/v1beta/interactions/a", "a"),
        ("/v1beta/interactions/a%2Fb/cancel", "a/b"),
        ("/v1beta/projects/p/interactions/a?stream=true", "a"),
        ("/v1beta/interactions", ""),
        ("/", ""),
    ],
)
def test_the_interaction_of_a_path(target: str, name: str) -> None:
    assert named_interaction(Request("GET", target)) == name


# --- of which kind of plain create no run ever completed


PLAIN = {"model": "m", "input": "hi"}


def ask_for(status: str, number: int = 1, **more: object) -> Exchange:
    """A create and its answer."""
    return exchange(sent={**PLAIN, **more}, body={"id": f"v1_{number}", "status": status, "object": "interaction"})


def got(status: str) -> Exchange:
    """A GET of the first interaction."""
    return exchange("GET", f"{ROOT}/v1_1", body={"id": "v1_1", "status": status, "object": "interaction"})


@in_one_test(
    [
        ([], ""),
        ([ask_for("failed")], "no run completed: 1 run ended"),
        ([ask_for("failed"), ask_for("failed", 2)], "no run completed: 2 runs ended"),
        ([ask_for("failed"), ask_for("completed", 2)], ""),
        ([ask_for("failed"), ask_for("requires_action", 2)], ""),
        ([ask_for("in_progress", background=True), got("failed")], "no run completed: 1 run ended"),
        ([ask_for("in_progress", background=True), got("in_progress")], ""),
        ([ask_for("in_progress", background=True), got("cancelled")], ""),
        (
            [ask_for("cancelled", 2, background=True), ask_for("failed", background=True)],
            "no run completed: 1 run",
        ),
        ([ask_for("in_progress", background=True), got("completed"), got("failed")], ""),
        (
            [ask_for("failed", background=True), ask_for("completed", 2)],
            "no background run completed: 1 run ended",
        ),
        ([ask_for("failed", stream=True), ask_for("completed", 2)], "no streamed run completed: 1 run ended"),
        ([ask_for("failed", agent="a")], ""),
        ([ask_for("failed", tools=[])], ""),
        ([ask_for("failed", previous_interaction_id="v1_0")], ""),
        ([ask_for("failed", input=[{"type": "text", "text": "hi"}])], ""),
        ([got("failed")], ""),
        (
            [ask_for("in_progress", background=True), *[got("in_progress")] * LOOKS],
            f"no background run completed: 1 run was looked at {LOOKS} times and more",
        ),
        ([ask_for("in_progress", background=True), *[got("in_progress")] * (LOOKS - 1)], ""),
        ([ask_for("in_progress", background=True), *[got("in_progress")] * LOOKS, got("completed")], ""),
        ([ask_for("in_progress", background=True), *[got("in_progress")] * LOOKS, got("cancelled")], ""),
        (
            [
                ask_for("in_progress", background=True),
                *[got("in_progress")] * LOOKS,
                ask_for("in_progress", 2, background=True),
                ask_for("completed", 2, background=True),
            ],
            "",
        ),
        ([exchange(sent=PLAIN, status=400, body={"error": {"code": "x", "message": "failed"}})], ""),
    ]
)
def test_what_is_said_of_runs_that_only_fail(seen: list[Exchange], said: str) -> None:
    ends = RunEnds()
    for one in seen:
        ends.note(one)
    told = list(ends.describe())
    assert len(told) == bool(said)
    assert "".join(told).startswith(said)
