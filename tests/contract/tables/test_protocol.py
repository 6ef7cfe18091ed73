"""The Interactions API as the `StreamProtocol` that the generic packages use."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from harness.contract import PROTOCOL, REVISIONS, Contract, load
from harness.contract.judge.stream_state import _GUARDS
from harness.contract.tables.lifecycle import (
    LIFECYCLE,
    RUNNING,
    SETTLED,
    STATUSES,
    is_settled,
    may_follow,
)
from harness.contract.tables.operations import OPERATIONS, operation_of
from harness.contract.tables.steps import DeltaEffect, StepTable
from harness.contract.tables.stream_order import END, EVENTS, ORDER, OTHER, SENTINEL, STARTS, State, row_of
from harness.outcome import Basis, HarnessFault
from harness.rules import BY_ID
from harness.wire import Decoder, Headers, Request
from tests.contract.streams import completed, created, delta, error, judge, start, stop, update

ASKED = Request(
    "POST",
    "/v1beta/interactions?key=k",
    Headers([("x-goog-api-key", "k"), ("content-type", "application/json"), ("content-length", "2")]),
    b"{}",
)


def test_cursor_is_the_top_level_event_id() -> None:
    """The cursor is a non-empty event_id at the top level, never one inside the interaction."""
    assert PROTOCOL.cursor({**delta(0), "event_id": "e"}) == "e"
    for odd in (delta(0), {"event_id": ""}, {"event_id": 7}, completed(event_id="e")):
        assert PROTOCOL.cursor(odd) is None


def test_with_cursor_replaces_and_removes() -> None:
    """The cursor is set before event_type, replaced or removed, and the original event is not modified."""
    event = stop(0)
    assert list(PROTOCOL.with_cursor(event, "e")) == ["index", "event_id", "event_type"]
    assert PROTOCOL.with_cursor({**event, "event_id": "old"}, "new")["event_id"] == "new"
    assert PROTOCOL.with_cursor({**event, "event_id": "old"}, None) == event
    assert event == stop(0)


def test_completion_and_error_are_told_by_type() -> None:
    assert [PROTOCOL.completes(e) for e in (created(), completed(status="requires_action"))] == [False, True]
    assert [PROTOCOL.is_error(e) for e in (completed(), error())] == [False, True]


@pytest.mark.parametrize(
    ("event", "identity"),
    [(created(), "v1_a"), (update(), "v1_a"), (created(""), None), (delta(0), None), ({"interaction": 7}, None)],
)
def test_stream_id(event: dict[str, Any], identity: str | None) -> None:
    """The interaction id is found in any event that has one; an unstored interaction has none."""
    assert PROTOCOL.stream_id(event) == identity


@pytest.mark.parametrize("cursor", [None, "a+/= b", ""])
@pytest.mark.parametrize("identity", ["v1_a", "a/b c?"])
def test_resume_round_trips(identity: str, cursor: str | None) -> None:
    """A resume request is recognised as one, with its id and cursor, whatever characters these contain."""
    request = PROTOCOL.resume(ASKED, identity, cursor)
    assert PROTOCOL.is_resume(request) == (identity, cursor or None)
    assert request.method == "GET"
    assert request.body == b""


def test_resume_keeps_the_credentials() -> None:
    """A resume keeps key header, `key` parameter and API version, and drops the headers of the body."""
    request = PROTOCOL.resume(ASKED, "i", None)
    assert request.parameter("key") == "k"
    assert request.headers.get("x-goog-api-key") == "k"
    assert request.raw_path == "/v1beta/interactions/i"
    assert "content-type" not in request.headers
    assert "content-length" not in request.headers


VERTEX = "/v1beta1/projects/p/locations/l/interactions"


@pytest.mark.parametrize("target", [VERTEX, f"{VERTEX}/x", f"{VERTEX}/x/cancel", f"{VERTEX}/interactions"])
def test_resume_finds_the_root_from_any_request(target: str) -> None:
    """Create, get and cancel of one conversation lead to the same resume URL, on Vertex too."""
    assert PROTOCOL.resume(Request("GET", target), "i", None).raw_path == f"{VERTEX}/i"


@pytest.mark.parametrize(
    "request_",
    [
        ASKED,
        Request("GET", "/v1beta/interactions/i"),
        Request("GET", "/v1beta/interactions/i?stream=false"),
        Request("GET", "/v1beta/agents/i?stream=true"),
        Request("GET", "/"),
    ],
)
def test_other_requests_are_no_resume(request_: Request) -> None:
    """A create, a plain get and requests for other resources are not taken for a resume."""
    assert PROTOCOL.is_resume(request_) is None


def test_error_event_is_a_frame_of_the_api() -> None:
    (frame,) = Decoder().feed(PROTOCOL.error_event("api_error", "boom", "e1"))
    event = json.loads(frame.data)
    assert (PROTOCOL.is_error(event), PROTOCOL.cursor(event)) == (True, "e1")
    assert judge(PROTOCOL.error_event("api_error", "boom", None)).findings == ()


def test_error_body_has_the_api_shape() -> None:
    assert json.loads(PROTOCOL.error_body(404, "not_found", "none")) == {
        "error": {"message": "none", "code": "not_found"}
    }


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (delta(3, text="a"), ("3/text", "a")),
        (delta(1, "arguments_delta", arguments="{"), ("1/arguments_delta", "{")),
        (delta(0, "thought_summary", content={"text": "t"}), ("0/thought_summary", "t")),
        (delta(0, "thought_signature", signature="s"), None),
        (delta(0, "thought_summary", content=7), None),
        (start(0), None),
        ({"delta": [1]}, None),
        ({"delta": {"type": ["text"]}}, None),
    ],
)
def test_text_of(event: dict[str, Any], expected: tuple[str, str] | None) -> None:
    """Text fragments of the same step and kind share a key; other events have none, and nothing raises."""
    assert PROTOCOL.text_of(event) == expected


# --- the table of status transitions is complete, closed and no stricter than its sources


def test_every_status_has_its_row() -> None:
    rows = LIFECYCLE.transitions
    assert {"queued", *(row.after for row in rows)} == STATUSES
    assert {row.before for row in rows} == RUNNING


def test_a_run_ends_as_the_table_allows() -> None:
    assert LIFECYCLE.end("in_progress", "requires_action") == "requires_action"
    for status, end in (("queued", "completed"), ("in_progress", "paused")):
        with pytest.raises(
            HarnessFault, match=f"'{end}' does not follow '{status}'; what may follow it: .*cancelled"
        ):
            LIFECYCLE.end(status, end)


def test_nothing_follows_a_settled_status() -> None:
    assert all(may_follow(before, after) is (before == after) for before in SETTLED for after in STATUSES)


def test_only_documented_ways_out_of_in_progress_are_called_documented() -> None:
    """Only the four transitions that the documentation names are marked as documented."""
    documented = [row for row in LIFECYCLE.transitions if row.basis is Basis.DOCUMENTED]
    assert {row.after for row in documented} == {"completed", "failed", "requires_action", "cancelled"}
    assert {row.before for row in documented} == {"in_progress"}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("queued", "in_progress", True),
        ("queued", "completed", True),
        ("in_progress", "incomplete", True),
        ("in_progress", "queued", False),
        ("completed", "in_progress", False),
        ("cancelled", "completed", False),
        ("in_progress", "paused", None),
        ("paused", "completed", None),
    ],
)
def test_may_follow(before: str, after: str, expected: bool | None) -> None:
    """A poll may skip statuses but never go back, and nothing is claimed about unlisted ones."""
    assert may_follow(before, after) is expected


@pytest.mark.parametrize(
    ("status", "settled"), [("completed", True), ("new", True), ("queued", False), ("", False), (None, False)]
)
def test_is_settled(status: object, settled: bool) -> None:
    """Polling stops at any status except a running or missing one, as in the documentation's loop."""
    assert is_settled(status) is settled
    assert all(not is_settled(running) for running in RUNNING)


# --- an operation is identified by its method and the end of its path, whatever comes before it


ON_VERTEX = "/v1beta1/projects/p/locations/l"


@pytest.mark.parametrize(
    ("method", "target", "call"),
    [
        ("POST", "/v1beta/interactions", "POST interactions"),
        ("POST", "/v1/interactions?alt=sse", "POST interactions"),
        ("GET", f"{ON_VERTEX}/interactions/v1_a%2Fb?stream=true", "GET interactions/{id}"),
        ("POST", "/agents/v1beta/interactions/agents/cancel", "POST interactions/{id}/cancel"),
        ("DELETE", "/v1beta/interactions/x", "DELETE interactions/{id}"),
        ("GET", "/v1beta/agents/interactions", "GET agents/{id}"),
        ("GET", "/v1beta/environments/e/files?recursive=true", "GET environments/{id}/files"),
        ("POST", "/v1beta/webhooks/w:rotateSigningSecret", "POST webhooks/{id}:rotateSigningSecret"),
        ("PUT", "/v1beta/interactions", None),
        ("GET", "/v1beta/interactions/", None),
        ("GET", "/v1beta/interactions/x/steps", None),
        ("POST", "/v1beta/interactions/x:cancel", None),
        ("POST", "/v1beta/interactions/Ch%3Ax%3D%3D/cancel", "POST interactions/{id}/cancel"),
        ("GET", "/v1beta/environments/e/files?alt=media", None),
        ("GET", "/", None),
        ("POST", "/__harness__/scripts", None),
    ],
)
def test_the_tail_of_a_path_names_the_operation(method: str, target: str, call: str | None) -> None:
    """Versions, projects and prefixes do not matter; other methods, verbs and downloads are no operation."""
    found = operation_of(Request(method, target))
    assert (found.call if found else None) == call


def test_every_schema_and_rule_exists() -> None:
    for operation in OPERATIONS:
        assert bool(operation.schema) == bool(operation.rule)
        if operation.schema:
            assert load().schemas.validator(operation.schema)
            assert operation.rule in BY_ID


# --- the marks on the schemas of steps and deltas are complete and agree with each other


NEVER_STREAMED = {"user_input"}
"""Types of steps that no service streams: only callers send them."""

CONTRACTS = [load(revision) for revision in REVISIONS]


@pytest.mark.parametrize("contract", CONTRACTS, ids=str)
def test_every_step_says_how_it_is_streamed(contract: Contract) -> None:
    """A step without marks would be streamed without deltas, and no judge would notice."""
    assert {step.name for step in contract.steps.values() if not step.streamed} == NEVER_STREAMED


@pytest.mark.parametrize("contract", CONTRACTS, ids=str)
def test_every_delta_streams_some_step(contract: Contract) -> None:
    assert contract.steps_table.step_of.keys() == contract.deltas.keys()


@pytest.mark.parametrize("contract", CONTRACTS, ids=str)
def test_a_delta_grows_a_field_that_its_steps_have(contract: Contract) -> None:
    for step in contract.steps.values():
        for part in contract.steps_table.deltas_of(step.name):
            grows = part.grows
            assert grows.how is DeltaEffect.MERGE or grows.field in step.fields, (step.name, part.name)
            assert not grows.of or grows.of in part.fields
            assert not grows.add or grows.add in part.fields


def test_an_unknown_step_may_have_any_known_delta() -> None:
    """A judge does not know what fits a step that the revision does not name."""
    table: StepTable = CONTRACTS[0].steps_table
    assert table.list_allowed("ray_call") == table.list_allowed(None) == table.deltas.keys()
    assert table.list_allowed("thought") == {"thought_summary", "thought_signature"}
    assert "arguments_delta" not in table.plain("function_call")


# --- the table of the order of streams is complete, names only rules and guards that exist, and can be printed


DECIDED_AT_THE_END = {"is-over"}


def test_every_state_has_a_row_for_every_event() -> None:
    assert ORDER.keys() == set(State)
    assert all(rows.keys() == {*EVENTS, OTHER, SENTINEL, END} for rows in ORDER.values())
    assert {row.next for rows in ORDER.values() for row in rows.values()} | set(STARTS.values()) == set(State)


def test_what_a_row_breaks_is_a_rule() -> None:
    assert {row.breaks for rows in ORDER.values() for row in rows.values()} - {""} <= BY_ID.keys()


def test_every_guard_is_decided() -> None:
    named = {guard for rows in ORDER.values() for row in rows.values() for guard in row.guards}
    assert named - DECIDED_AT_THE_END == _GUARDS.keys()


@pytest.mark.parametrize("state", [State.BETWEEN_STEPS, State.IN_STEP, State.RESUMED])
def test_an_unknown_event_may_come_anywhere_inside(state: State) -> None:
    """An event type without rows changes nothing between the creation and the end."""
    assert row_of(state, "robot.moved").next is state
    assert not row_of(state, "robot.moved").breaks


def test_the_tables_can_be_printed() -> None:
    """`python -m harness.contract.tables` prints a line for each row of both tables."""
    command = [sys.executable, "-m", "harness.contract.tables"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert len([line for line in lines if line]) == sum(map(len, ORDER.values())) + 9
    assert "EXPECT_CREATED  step.start                 breaks stream.first" in lines
    assert any(line.startswith("in_progress ") and "→ completed" in line for line in lines)
