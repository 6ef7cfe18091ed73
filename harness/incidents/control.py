"""`/__harness__/incidents`: makes a running server, or one of its sessions, behave as in an incident.

Layer 3. Knows its own path; what it does is done by the requests of the control API that anybody could send.
"""

from __future__ import annotations

import json
import re
from typing import Any

from harness.contract import PROTOCOL
from harness.incidents.incident import Incident, find_incident, load_incidents
from harness.outcome import UsageFault
from harness.wire import Chunk, Headers, Request, Response, Service

_PATH = re.compile(r"((?:/__harness__/sessions/[^/?]+)?/__harness__)/incidents/?(?:\?.*)?")


class IncidentControl:
    """A `Service` around a server with a control API.

    `GET` answers `{"incidents": [{"name", "title", "meet", "follow"}]}`. `POST {"name": …}` sets settings, scripts
    and fault plan, and answers with the whole incident, of which `request` is the create that meets it.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def __call__(self, request: Request) -> Response:
        """Answer a request for incidents, and pass on any other."""
        found = _PATH.fullmatch(request.target)
        if found is None:
            return self._service(request)
        if request.method == "GET":
            told = ("name", "title", "meet", "follow")
            listed = [{name: getattr(one, name) for name in told} for one in load_incidents().values()]
            return _answer({"incidents": listed})
        if request.method != "POST":
            return _refuse(405, "method_not_allowed", f"{request.method}: use POST or GET here.")
        try:
            incident = find_incident(json.loads(request.body)["name"])
        except UsageFault as wrong:
            return _refuse(400, "invalid_request", str(wrong))
        except (ValueError, LookupError, TypeError, RecursionError):
            return _refuse(400, "invalid_request", 'Write {"name": "stale-chain-id"}, see docs/incidents.md.')
        return self._set_up(incident, found[1], request.headers)

    def _set_up(self, incident: Incident, control: str, headers: Headers) -> Response:
        """Ask the control API at the path `control` for what the incident needs."""
        asked: list[tuple[str, Any]] = []
        if incident.settings:
            asked.append(("settings", incident.settings))
        if incident.scripts:
            asked.append(("scripts", incident.scripts))
        if incident.plan is not None:
            asked.append(("faults", {"plan": str(incident.plan)}))
        for path, body in asked:
            done = self._service(Request("POST", f"{control}/{path}", headers, json.dumps(body).encode()))
            if done.status != 200:
                return done
            _discard(done)
        return _answer(incident.to_dict())


def _discard(response: Response) -> None:
    for piece in response.body:
        if not isinstance(piece, Chunk):
            break
    response.body.close()


def _answer(value: Any) -> Response:
    return Response.json(200, json.dumps(value, ensure_ascii=False).encode())


def _refuse(status: int, code: str, message: str) -> Response:
    return Response.json(status, PROTOCOL.error_body(status, code, message))
