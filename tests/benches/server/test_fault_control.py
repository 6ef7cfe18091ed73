"""Faults that are set while a service runs: which requests they affect, which they spare, and when they end."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from harness.benches.server.fault_control import Faulty
from harness.contract import PROTOCOL
from harness.emulator import Emulator, Settings
from harness.wire import Chunk, Headers, Request, Response

KEY = Headers((("x-goog-api-key", "any"), ("content-type", "application/json")))
CREATE = b'{"model":"gemini-3.8-flash","input":"hi"}'
REFUSE_ALL = "all=status:503,times:all"
FAULTS = "/__harness__/faults"


def ask(service: Callable[[Request], Response], method: str, target: str, value: Any = None) -> tuple[int, Any]:
    """The status and JSON body of one request."""
    body = b"" if value is None else value if isinstance(value, bytes) else json.dumps(value).encode()
    response = service(Request(method, target, KEY, body))
    text = b"".join(piece.data for piece in response.body if isinstance(piece, Chunk))
    return response.status, json.loads(text) if text else None


def emulated(**settings: Any) -> Faulty:
    """A fresh emulator wrapped in faults."""
    emulator = Emulator(Settings(**settings))
    return Faulty(emulator, PROTOCOL, control=emulator)


def opened(service: Faulty) -> str:
    """The path of a new session."""
    return str(ask(service, "POST", "/__harness__/sessions")[1]["base_url_path"])


def test_a_session_and_the_server_suffer_each_from_their_own_plan() -> None:
    """A session's fault plan affects only that session, and control requests are never affected."""
    service = emulated()
    one, two = opened(service), opened(service)
    assert ask(service, "POST", one + FAULTS, {"plan": REFUSE_ALL})[0] == 200
    statuses = [ask(service, "POST", f"{prefix}/v1beta/interactions", CREATE)[0] for prefix in (one, two, "")]
    assert statuses == [503, 200, 200]
    assert ask(service, "DELETE", one + FAULTS) == (200, {})
    assert ask(service, "POST", f"{one}/v1beta/interactions", CREATE)[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        "/__harness__/faults/",
        "/__harness__//faults",
        "/__harness__/%66aults",
        "/%5f_harness__/faults",
        FAULTS + "?x",
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_every_spelling_of_the_path_sets_a_plan(path: str, whole: bool) -> None:
    """As of all other paths of the control API, for the server and for a session; and no plan bars the way."""
    service = emulated()
    session = "" if whole else opened(service)
    assert ask(service, "POST", session + path, {"plan": REFUSE_ALL})[0] == 200
    assert service.plan(session) == REFUSE_ALL
    assert ask(service, "GET", session + path)[1]["plan"] == REFUSE_ALL
    assert ask(service, "POST", f"{session}/v1beta/interactions", CREATE)[0] == 503
    assert ask(service, "DELETE", session + path) == (200, {})
    assert ask(service, "POST", f"{session}/v1beta/interactions", CREATE)[0] == 200


@pytest.mark.parametrize(("method", "value"), [("POST", {"plan": REFUSE_ALL}), ("GET", None), ("DELETE", None)])
def test_a_session_that_does_not_exist_is_refused_as_everywhere(method: str, value: Any) -> None:
    """A plan for an unknown session is refused with 404 and the same message as elsewhere in the control API."""
    service = emulated()
    nowhere = "/__harness__/sessions/s9"
    status, body = ask(service, method, nowhere + FAULTS, value)
    assert (status, body) == ask(service, "GET", f"{nowhere}/__harness__/requests")
    assert status == 404
    assert service.plan(nowhere) == ""


def test_the_plan_of_a_deleted_session_is_forgotten() -> None:
    service = emulated()
    session = opened(service)
    ask(service, "POST", session + FAULTS, {"plan": REFUSE_ALL})
    assert service.plan(session) == REFUSE_ALL
    assert ask(service, "DELETE", session)[0] == 200
    assert service.plan(session) == ""


def test_where_nobody_answers_the_control_api_faults_are_all_there_is() -> None:
    """In front of a cassette, a control request is not reported as a request that was not recorded."""

    def never(request: Request) -> Response:
        raise AssertionError(f"{request.target} is an order, nothing to answer")

    service = Faulty(never, PROTOCOL)
    for target in ("/__harness__/", "/__harness__/sessions", "/__harness__/sessions/s1/__harness__/faults"):
        status, body = ask(service, "GET", target)
        assert (status, FAULTS in body["error"]["message"]) == (404, True)
    assert ask(service, "POST", FAULTS, {"plan": REFUSE_ALL})[0] == 200
    assert ask(service, "POST", "/v1beta/interactions", CREATE)[0] == 503


REFUSE_ONE = "creates=status:503"


@pytest.mark.parametrize(
    ("plan", "more", "statuses", "fired"),
    [
        (f"event:5,rst/{REFUSE_ONE}", {}, [503, 200], 1),
        (f"event:5,rst/{REFUSE_ONE}", {"renewed": ["streams"]}, [200, 200], 1),
        (f"event:5,rst/{REFUSE_ONE}", {"renewed": ["streams", "creates"]}, [503, 200], 1),
        ("event:5,rst/creates=status:500", {"renewed": ["streams"]}, [500, 200], 1),
        ("event:5,rst", {"renewed": ["streams"]}, [200, 200], 0),
    ],
)
def test_a_part_that_is_not_renewed_goes_on_counting(
    plan: str, more: dict[str, Any], statuses: list[int], fired: int
) -> None:
    """What refused a create before does not refuse the next one again, unless it is renewed or another one."""
    service = emulated()
    ask(service, "POST", FAULTS, {"plan": REFUSE_ONE})
    assert ask(service, "POST", "/v1beta/interactions", CREATE)[0] == 503
    assert ask(service, "POST", FAULTS, {"plan": plan, **more})[0] == 200
    assert [ask(service, "POST", "/v1beta/interactions", CREATE)[0] for _ in statuses] == statuses
    record = ask(service, "GET", FAULTS)[1]
    assert sum(bool(one["fired"]) for one in record["connections"]) == fired


@pytest.mark.parametrize(
    "body",
    [
        b'{"plan": "event:5,rst", "renewed": ["stream"]}',
        b"",
        b"[]",
        b"{",
        b'{"plan": 3}',
        b'{"plan": "event:1,fim"}',
        b"[" * 9999,
    ],
)
def test_what_is_no_plan_is_refused_and_changes_nothing(body: bytes) -> None:
    """An invalid plan is refused with 400, and the previous plan stays in force."""
    service = emulated()
    ask(service, "POST", FAULTS, {"plan": "event:5,fin"})
    assert ask(service, "POST", FAULTS, body)[0] == 400
    assert service.plan() == "event:5,fin"


def test_a_query_that_looks_like_the_control_api_is_a_query() -> None:
    service = emulated()
    ask(service, "POST", FAULTS, {"plan": REFUSE_ALL})
    assert ask(service, "GET", f"/v1beta/interactions/x?from={FAULTS}")[0] == 503


@pytest.mark.parametrize(
    ("plan", "unmet"),
    [
        ("creates=status:503", None),
        ("event:500,rst", "it is for stream 1, and 0 streams came; for others, write calls=…"),
        ("gets=status:503", "it is for get 1, and 0 gets came"),
        ("resumes=status:404", "it is for resumed stream 1, and 0 resumed streams came"),
        ("creates=status:503/status:503", "it is for create 2, and 1 create came"),
        ("all=status:429,times:all", None),
    ],
)
def test_what_of_a_plan_never_happened_is_told(plan: str, unmet: str | None) -> None:
    """After one create, the record says which fault of the plan met nothing, in the words of its scope."""
    service = emulated()
    assert ask(service, "GET", FAULTS)[1]["unmet"] is None
    ask(service, "POST", FAULTS, {"plan": plan})
    ask(service, "POST", "/v1beta/interactions", CREATE)
    assert ask(service, "GET", FAULTS)[1]["unmet"] == unmet
