"""Faults that can be set while a service runs: `POST /__harness__/faults`, for the whole server or one session.

Knows the path under which plans arrive and which requests they spare; `harness.faults` applies them. The control
API itself never suffers from a plan, or no plan could be removed.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Sequence
from typing import Any
from urllib.parse import quote

from harness.faults import FaultyService, Plan, Scope, cut, parse
from harness.faults.service import find_unmet
from harness.outcome import UsageFault
from harness.wire import Request, Response, Service, StreamProtocol
from harness.wire.addresses import CONTROL, split_path

_FAULTS = f"/{CONTROL}/faults"
_HOW = (
    'Write {"plan": "event:5+60,rst"} (docs/faults.md); the optional "renewed" is a list of '
    f"{', '.join(Scope)} (docs/control.md)."
)


class Faulty:
    """A `Service` around another whose fault plan may change; each session has its own, `plan` is the server's.

    `POST …/__harness__/faults` takes `{"plan": "event:5,rst"}`; with `"renewed": ["streams"]`, parts of the plan
    for other scopes go on counting, if they are as they were. `GET` returns the plan and the connections it has
    applied to so far, and `DELETE` ends it. `control` answers everything else below `/__harness__/` and knows
    which sessions exist; None if there is no such API. Raises UsageFault for an invalid plan.
    """

    def __init__(
        self,
        service: Service,
        protocol: StreamProtocol,
        *,
        plan: str | None = None,
        control: Service | None = None,
    ) -> None:
        self._service = service
        self._protocol = protocol
        self._control = control
        self.front: Service = self.route
        """Gets first what may name a session or the control API."""
        self._lock = threading.Lock()
        self._faulty: dict[str, FaultyService] = {}
        if plan is not None:
            self._set("", parse(plan))

    def _set(self, session: str, plan: Plan, renewed: Sequence[str] | None = None) -> None:
        faulty = cut(self._service, plan, self._protocol)
        with self._lock:
            if renewed is not None and (former := self._faulty.get(session)) is not None:
                faulty.go_on_from(former, renewed)
            self._faulty[session] = faulty

    def plan(self, session: str = "") -> str:
        """The plan in force, or `""`."""
        faulty = self._faulty.get(session)
        return "" if faulty is None else str(faulty.plan)

    def find_unmet(self, session: str = "", *, excused: Collection[str] = ()) -> str:
        """Why a fault of the plan never took effect; "" if each did. Those for `excused` scopes do not count."""
        faulty = self._faulty.get(session)
        return "" if faulty is None else find_unmet(faulty, excused)

    def describe_state(self, session: str = "") -> dict[str, Any]:
        """The plan, how many connections it has counted, and how many it is for (None: no end)."""
        faulty = self._faulty.get(session)
        if faulty is None:
            return {"plan": "", "counted": 0, "planned": 0}
        return {"plan": str(faulty.plan), "counted": faulty.connections, "planned": faulty.plan.length}

    def story(self, session: str = "") -> list[str]:
        """One line for each connection that the plan applied to, and one if a part of the plan had no effect."""
        faulty = self._faulty.get(session)
        if faulty is None:
            return []
        lines = []
        for suffered in faulty.log:
            planned, fired = (", ".join(map(str, faults)) for faults in (suffered.faults, suffered.fired))
            what = f"{planned}; happened: {fired or 'nothing'}" if planned else "left alone"
            lines.append(f"connection {suffered.number}: {suffered.method} {suffered.path}: {what}")
        if unmet := find_unmet(faulty):
            part = "a part of " if any(suffered.fired for suffered in faulty.log) else ""
            lines.append(f"{part}the fault plan {faulty.plan} had no effect: {unmet}")
        return lines

    def __call__(self, request: Request) -> Response:
        """Return the service's answer, or what the plan makes of it."""
        target = request.target
        if CONTROL not in target and "%" not in target:  # hot: it names neither a session nor the control API
            return (self._faulty.get("") or self._service)(request)
        return self.front(request)

    def route(self, request: Request) -> Response:
        """Answer a request that may name a session or the control API."""
        name, segments = split_path(request)
        session = "" if name is None else _find_session(name)
        if segments[:1] != (CONTROL,):
            return (self._faulty.get(session) or self._service)(request)
        path = [part for part in segments[1:] if part]
        if path == ["faults"]:
            known = self._passed_on(Request("GET", f"{session}/{CONTROL}/"), []) if session else None
            if known is not None and known.status != 200:
                return known
            if known is not None:
                known.body.close()
            return self._dispatch(session, request)
        return self._passed_on(request, path)

    def _passed_on(self, request: Request, path: list[str]) -> Response:
        """Forward a control request that is not about faults; deleting a session also ends its plan."""
        if self._control is None:
            return self._protocol.refuse(
                404, "not_found", f"The control API is {_FAULTS} here, and there are no sessions."
            )
        response = self._control(request)
        if request.method == "DELETE" and response.status == 200 and path[:1] == ["sessions"] and len(path) == 2:
            with self._lock:
                self._faulty.pop(_find_session(path[1]), None)
        return response

    def _dispatch(self, session: str, request: Request) -> Response:
        if request.method == "POST":
            try:
                value = json.loads(request.body)
                plan, renewed = parse(value["plan"]), value.get("renewed")
                if renewed is not None:
                    renewed = [str(Scope(name)) for name in renewed]
            except UsageFault as wrong:
                return self._protocol.refuse(400, "invalid_request", str(wrong))
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
                return self._protocol.refuse(400, "invalid_request", _HOW)
            self._set(session, plan, renewed)
            return _answer(200, self._record(session))
        if request.method == "DELETE":
            with self._lock:
                self._faulty.pop(session, None)
            return _answer(200, {})
        if request.method == "GET":
            return _answer(200, self._record(session))
        return self._protocol.refuse(405, "method_not_allowed", f"{request.method}: use POST, GET or DELETE here.")

    def _record(self, session: str) -> dict[str, Any]:
        faulty = self._faulty.get(session)
        if faulty is None:
            return {"plan": None, "connections": [], "unmet": None}
        log = [
            {
                "number": suffered.number,
                "method": suffered.method,
                "path": suffered.path,
                "scope": str(suffered.scope),
                "faults": [str(fault) for fault in suffered.faults],
                "fired": [str(fault) for fault in suffered.fired],
            }
            for suffered in faulty.log
        ]
        return {"plan": str(faulty.plan), "connections": log, "unmet": find_unmet(faulty) or None}


def _find_session(name: str) -> str:
    return f"/{CONTROL}/sessions/{quote(name, safe='')}"


def _answer(status: int, value: Any) -> Response:
    return Response.json(status, json.dumps(value).encode())
