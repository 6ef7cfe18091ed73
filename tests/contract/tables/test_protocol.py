"""The Interactions API as the `StreamProtocol` that the generic packages use."""

from __future__ import annotations

import json

import pytest

from harness.contract import PROTOCOL, REVISIONS, Contract, load
from harness.contract.judge.stream import StreamState
from harness.contract.tables.protocol import (
    LIFECYCLE,
    OPERATIONS,
    RUNNING,
    STATUSES,
    is_settled,
    may_follow,
    operation_of,
)
from harness.contract.tables.stream_order import END, EVENTS, ORDER, OTHER, SENTINEL, STARTS, DeltaEffect, State
from harness.rules import BY_ID
from harness.wire import Decoder, Headers, Request
from tests.contract.streams import judge

ASKED = Request(
    "POST",
    "/v1beta/interactions?key=k",
    Headers([("x-goog-api-key", "k"), ("content-type", "application/json"), ("content-length", "2")]),
    b"{}",
)


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


# --- the table of status transitions is complete, closed and no stricter than its sources


def test_every_status_has_its_row() -> None:
    rows = LIFECYCLE.transitions
    assert {"queued", *(row.after for row in rows)} == STATUSES
    assert {row.before for row in rows} == RUNNING


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
    assert named - DECIDED_AT_THE_END == {m[7:].replace("_", "-") for m in vars(StreamState) if m[:7] == "_check_"}
