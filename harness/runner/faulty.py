"""Faults that can be set while a service runs: `POST /__harness__/faults`, for the whole server or one session.

Layer 4. Knows the path under which plans arrive and who is spared; what a plan does is `harness.faults`' business.
The control API itself never suffers, or nothing could be repaired.
"""

from __future__ import annotations

import json
import re
import threading
from typing import Any

from harness.faults import FaultyService, Plan, Suffered, cut, parse
from harness.outcome import UsageFault
from harness.wire import Headers, Request, Response, Service, StreamProtocol

_PLACE = re.compile(r"((?:/__harness__/sessions/[^/?]+)?)(/[^?]*)")
_CONTROL = "/__harness__/"
_FAULTS = "/__harness__/faults"
_JSON = Headers((("content-type", "application/json"),))


class Faulty:
    """A `Service` around another whose fault plan may change; each session has its own, `plan` is the server's.

    `POST …/__harness__/faults` takes `{"plan": "event:5,rst"}`, `GET` tells the plan and whom it concerned so far,
    `DELETE` ends it. Raises UsageFault for a plan that is none.
    """

    def __init__(self, service: Service, protocol: StreamProtocol, *, plan: str | None = None) -> None:
        self._service = service
        self._protocol = protocol
        self._lock = threading.Lock()
        self._faulty: dict[str, FaultyService] = {}
        if plan is not None:
            self._set("", parse(plan))

    def _set(self, session: str, plan: Plan) -> None:
        with self._lock:
            self._faulty[session] = cut(self._service, plan, self._protocol)

    def plan(self, session: str = "") -> str:
        """The plan in force, "" when there is none."""
        faulty = self._faulty.get(session)
        return "" if faulty is None else str(faulty.plan)

    def story(self, session: str = "") -> list[str]:
        """One line for each connection that the plan concerned: what was to happen to it, and what did."""
        faulty = self._faulty.get(session)
        return [] if faulty is None else [_line(suffered) for suffered in faulty.log]

    def __call__(self, request: Request) -> Response:
        """The service's answer, or what the plan makes of it."""
        place = _PLACE.match(request.target)
        session, path = (place[1], place[2]) if place else ("", request.target)
        if path == _FAULTS:
            return self._control(session, request)
        if path.startswith(_CONTROL):
            return self._service(request)
        faulty = self._faulty.get(session)
        return (faulty or self._service)(request)

    def _control(self, session: str, request: Request) -> Response:
        if request.method == "POST":
            return self._change(session, request.body)
        if request.method == "DELETE":
            with self._lock:
                self._faulty.pop(session, None)
            return _answer(200, {})
        if request.method == "GET":
            return _answer(200, self._record(session))
        return self._refuse(405, "method_not_allowed", f"{request.method}: use POST, GET or DELETE here.")

    def _change(self, session: str, body: bytes) -> Response:
        try:
            plan = parse(json.loads(body)["plan"])
        except UsageFault as wrong:
            return self._refuse(400, "invalid_request", str(wrong))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return self._refuse(400, "invalid_request", 'Write {"plan": "event:5+60,rst"}, see docs/faults.md.')
        self._set(session, plan)
        return _answer(200, self._record(session))

    def _record(self, session: str) -> dict[str, Any]:
        faulty = self._faulty.get(session)
        if faulty is None:
            return {"plan": None, "connections": []}
        log = [
            {
                "number": suffered.number,
                "method": suffered.method,
                "path": suffered.path,
                "faults": [str(fault) for fault in suffered.faults],
                "fired": [str(fault) for fault in suffered.fired],
            }
            for suffered in faulty.log
        ]
        return {"plan": str(faulty.plan), "connections": log}

    def _refuse(self, status: int, code: str, message: str) -> Response:
        return Response.whole(status, _JSON, self._protocol.error_body(status, code, message))


def _line(suffered: Suffered) -> str:
    planned, fired = (", ".join(map(str, faults)) for faults in (suffered.faults, suffered.fired))
    what = f"{planned}; happened: {fired or 'nothing'}" if planned else "left alone"
    return f"connection {suffered.number}: {suffered.method} {suffered.path}: {what}"


def _answer(status: int, value: Any) -> Response:
    return Response.whole(status, _JSON, json.dumps(value).encode())
