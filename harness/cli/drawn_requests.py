"""Requests drawn from the types of an SDK, sent to the built-in emulator: what it refuses, and what it loses.

Layer 7.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from harness.contract import Contract
from harness.contract.data.transcript import as_steps
from harness.contract.judge.body import judge_create_request
from harness.drift.requests import DrawnRequest, draw_requests, find_lost, load_samples
from harness.drift.type_model import TypeModel
from harness.outcome.words import format_count
from harness.wire import Chunk, Headers, Pause, Request

if TYPE_CHECKING:
    from harness.emulator import Emulator

CREATE = "POST /interactions"
_KEY = "drawn-requests"


@dataclass(slots=True)
class Taken:
    """What became of the drawn requests: each that was refused without a known reason, or lost something."""

    sent: int = 0
    refused: list[tuple[DrawnRequest, str]] = field(default_factory=list)
    lost: list[tuple[DrawnRequest, str]] = field(default_factory=list)
    known: int = 0
    stale: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """What to report, one line each, and the totals."""
        for drawn, why in self.refused:
            yield f"refused  {drawn.what}: {why}"
        for drawn, where in self.lost:
            yield f"lost     {drawn.what}: {where}"
        for glob in self.stale:
            yield f"stale    {glob}: samples.yaml explains its refusal, and it is accepted"
        yield (
            f"{format_count(self.sent, 'drawn request')} to the emulator: {len(self.refused)} refused, "
            f"{len(self.lost)} lost something, {self.known} refused for a known reason"
        )

    @property
    def failed(self) -> bool:
        """Whether something is to be mended: the emulator, the schemas, or the list of known reasons."""
        return bool(self.refused or self.lost or self.stale)


def send_drawn(model: TypeModel, contract: Contract, build: type[Emulator] | None = None) -> Taken:
    """Send a create for each thing that the SDK's types declare, and read it back. `build` makes the emulator."""
    service = _Service(contract, build)
    taken = Taken()
    globs = {glob: entry["reason"] for entry in load_samples()["refused"] for glob in entry["what"]}
    used: set[str] = set()
    creates = [operation for operation in model.operations.values() if operation.key == CREATE]
    for drawn in (drawn for operation in creates for drawn in draw_requests(model, operation)):
        taken.sent += 1
        why, lost = service.try_create(service.fill(drawn.body), contract)
        known = next((glob for glob in globs if fnmatchcase(drawn.what, glob)), "") if why else ""
        if known:
            taken.known += 1
            used.add(known)
        elif why:
            taken.refused.append((drawn, why))
        taken.lost += [(drawn, where) for where in lost]
    taken.stale = sorted(globs.keys() - used) if taken.sent else []
    return taken


class _Service:
    """An emulator with what drawn requests refer to."""

    def __init__(self, contract: Contract, build: type[Emulator] | None) -> None:
        from harness.emulator import Emulator, Settings

        self._emulator = (build or Emulator)(Settings(platform="any", files="any"), contract=contract)
        stored = self._call("POST", "interactions", {"model": "gemini-3.5-flash", "input": "Say hi."})[1]
        credential = {"id": "drawn", "type": "bearer_token", "token": "token"}
        self._names = {
            "{interaction}": stored["id"],
            "{environment}": self._call("POST", "environments", {})[1]["id"],
            "{credential}": self._call("POST", "credentials", credential)[1]["id"],
        }

    def fill(self, body: dict[str, Any]) -> dict[str, Any]:
        """A body with the names of what exists."""
        text = json.dumps(body)
        for placeholder, name in self._names.items():
            text = text.replace(placeholder, name)
        filled: dict[str, Any] = json.loads(text)
        return filled

    def try_create(self, body: dict[str, Any], contract: Contract) -> tuple[str, list[str]]:
        """Return why a create was refused, "" if it was not, and what its response and a GET show otherwise."""
        status, made = self._call("POST", "interactions", body)
        if status != 200:
            return str(made["error"]["message"]), []
        wrong = judge_create_request(json.dumps(body).encode(), contract, refused=False)
        if wrong:
            return f"the published schema of the body refuses it: {wrong[0].message}", []
        sent = {name: value for name, value in body.items() if name not in _NOT_SHOWN}
        if not isinstance(made, dict):
            return "", []
        lost = list(find_lost(sent, made))
        if made.get("id"):
            stored = self._call("GET", f"interactions/{made['id']}")[1]
            given = as_steps(body["input"], contract.contents)
            lost += find_lost({**sent, "steps": given}, {**stored, "steps": stored.get("steps", [])[: len(given)]})
        return "", lost

    def _call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        data = b"" if body is None else json.dumps(body).encode()
        request = Request(method, f"/v1beta/{path}", Headers([("x-goog-api-key", _KEY)]), data)
        response = self._emulator(request)
        read = bytearray()
        for piece in response.body:
            if isinstance(piece, Chunk):
                read += piece.data
            elif isinstance(piece, Pause):
                self._emulator.clock.reached(self._emulator.clock.now + piece.seconds)
            else:
                break
        response.body.close()
        return response.status, json.loads(read) if read[:1] == b"{" else None


_NOT_SHOWN = frozenset({"stream", "model", "agent", "input"})
"""Fields that a response does not repeat, or may show by another name; the input is compared with the steps."""
