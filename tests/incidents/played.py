"""An incident played in-process, and requests to it as method calls."""

from __future__ import annotations

import json
from typing import Any

from harness.contract import PROTOCOL
from harness.emulator import Emulator
from harness.faults import cut
from harness.incidents import find_incident
from harness.transport import Limits, ServiceDriver
from harness.wire import Exchange, Headers, Request

_LIMITS = Limits(head_seconds=1000.0, idle_seconds=1000.0)
"""Silence up to 1,000 s of logical time is waited for."""


class Played:
    """An incident; `id` is the interaction of the latest create, if its answer told one."""

    def __init__(self, name: str) -> None:
        self.incident = find_incident(name)
        self.emulator = Emulator()
        self.incident.apply_to(self.emulator)
        self.service = cut(self.emulator, self.incident.plan or "pass", PROTOCOL)
        self.id = ""

    def meet(self, **more: Any) -> Exchange:
        """The create that meets the incident."""
        made = self._send("POST", "", {**self.incident.fields, **more})
        self.id = _id_in(made.body) or self.id
        return made

    def prepare(self, **more: Any) -> None:
        """The same create, whose answer the incident does not touch."""
        made = ServiceDriver(self.emulator, self.emulator.clock).send(
            self._request("POST", "", {**self.incident.fields, **more})
        )
        self.id = _id_in(made.body)

    def turn(self, **more: Any) -> Exchange:
        """A create that continues the latest interaction."""
        return self.meet(previous_interaction_id=self.id, **more)

    def poll(self) -> Exchange:
        """GET the interaction."""
        return self._send("GET", f"/{self.id}")

    def resume(self, cursor: str | None = None) -> Exchange:
        """GET the interaction as a stream."""
        return self._send("GET", f"/{self.id}?stream=true" + (f"&last_event_id={cursor}" if cursor else ""))

    def cancel(self) -> Exchange:
        """POST cancel."""
        return self._send("POST", f"/{self.id}/cancel", {})

    def delete(self) -> Exchange:
        """DELETE the interaction."""
        return self._send("DELETE", f"/{self.id}")

    @property
    def now(self) -> float:
        """Seconds of logical time since the beginning."""
        return self.emulator.clock.now

    def status(self) -> str:
        """The status that GET shows behind the incident's back; looking does not move the run."""
        return str((self.emulator.look(self.id) or {}).get("status"))

    def _send(self, method: str, path: str, body: Any = None) -> Exchange:
        driver = ServiceDriver(self.service, self.emulator.clock, limits=_LIMITS)
        return driver.send(self._request(method, path, body))

    def _request(self, method: str, path: str, body: Any = None) -> Request:
        data = b"" if body is None else json.dumps(body).encode()
        return Request(method, f"/v1beta/interactions{path}", Headers([("x-goog-api-key", "k")]), data)


def events_of(exchange: Exchange) -> list[dict[str, Any]]:
    """The decoded events of a stream, without the sentinel."""
    lines = [line for line in exchange.body.decode().split("\n") if line.startswith("data: {")]
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def types_of(exchange: Exchange) -> list[str]:
    """The types of the events of a stream."""
    return [event["event_type"] for event in events_of(exchange)]


def _id_in(body: bytes) -> str:
    if body.startswith(b"{"):
        return str(json.loads(body).get("id", ""))
    for line in body.split(b"\n"):
        if line.startswith(b"data: {") and b"interaction.created" in line:
            return str(json.loads(line[6:])["interaction"]["id"])
    return ""
