"""Requests drawn from the types of an SDK, sent to the built-in emulator: which it rejects or loses.

Each is sent plain and streamed, and the response is judged as `harness check` judges any response. So no
server breaks a rule because it returns the declared types of the SDK.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from harness.contract import Contract, read
from harness.contract.judge.body import judge_create_request
from harness.contract.judge.history.history_judge import judge_trail
from harness.contract.transcript import as_steps
from harness.outcome.words import format_count
from harness.transport import ServiceDriver
from harness.wire import Exchange, Headers, Request, Send
from harness.wire.bodies import object_or_none
from lab.drift.requests import DrawnRequest, draw_requests, find_lost, load_samples
from lab.drift.type_model import TypeModel

if TYPE_CHECKING:
    from harness.emulator import Emulator

CREATE = "POST /interactions"
_KEY = "drawn-requests"


@dataclass(slots=True)
class Taken:
    """The results of the drawn requests: each that was rejected without a known reason, or lost something.

    `broken` are those whose responses break a rule by the judges of the checks.
    """

    sent: int = 0
    refused: list[tuple[DrawnRequest, str]] = field(default_factory=list)
    lost: list[tuple[DrawnRequest, str]] = field(default_factory=list)
    broken: list[tuple[DrawnRequest, str]] = field(default_factory=list)
    known: int = 0
    stale: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        """The report, one line each, and the totals."""
        for drawn, why in self.refused:
            yield f"refused  {drawn.what}: {why}"
        for drawn, where in self.lost:
            yield f"lost     {drawn.what}: {where}"
        for drawn, how in self.broken:
            yield f"broken   {drawn.what}: {how}"
        for glob in self.stale:
            yield f"stale    {glob}: samples.yaml explains its refusal, and it is accepted"
        yield (
            f"{format_count(self.sent, 'drawn request')} to the emulator: {len(self.refused)} refused, "
            f"{len(self.lost)} lost something, {len(self.broken)} broke a rule, "
            f"{self.known} refused for a known reason"
        )

    @property
    def failed(self) -> bool:
        """Whether something is to be mended: the emulator, the schemas, or the list of known reasons."""
        return bool(self.refused or self.lost or self.broken or self.stale)


def send_drawn(model: TypeModel, contract: Contract, build: type[Emulator] | None = None) -> Taken:
    """Send a create for each thing that the SDK's types declare, and read it back. `build` makes the emulator."""
    service = _Service(contract, build)
    taken = Taken()
    globs = {glob: entry["reason"] for entry in load_samples()["refused"] for glob in entry["what"]}
    used: set[str] = set()
    creates = [operation for operation in model.operations.values() if operation.key == CREATE]
    for drawn in (drawn for operation in creates for drawn in draw_requests(model, operation)):
        taken.sent += 1
        why, lost, broken = service.try_create(service.fill(drawn.body))
        known = next((glob for glob in globs if fnmatchcase(drawn.what, glob)), "") if why else ""
        if known:
            taken.known += 1
            used.add(known)
        elif why:
            taken.refused.append((drawn, why))
        taken.lost += [(drawn, where) for where in lost]
        taken.broken += [(drawn, how) for how in broken]
    taken.stale = sorted(globs.keys() - used) if taken.sent else []
    return taken


class _Service:
    """An emulator with what drawn requests refer to."""

    def __init__(self, contract: Contract, build: type[Emulator] | None) -> None:
        from harness.emulator import Emulator, Settings

        self._contract = contract
        emulator = (build or Emulator)(Settings(platform="any", files="any"), contract=contract)
        self._driver = ServiceDriver(emulator, emulator.clock)
        stored = self._call("POST", "interactions", {"model": "gemini-3.8-flash", "input": "Say hi."})
        credential = {"id": "drawn", "type": "bearer_token", "token": "token"}
        self._names = {
            "{interaction}": _parse(stored)["id"],
            "{environment}": _parse(self._call("POST", "environments", {}))["id"],
            "{credential}": _parse(self._call("POST", "credentials", credential))["id"],
        }

    def fill(self, body: dict[str, Any]) -> dict[str, Any]:
        """A body with the names of what exists."""
        text = json.dumps(body)
        for placeholder, name in self._names.items():
            text = text.replace(placeholder, name)
        filled: dict[str, Any] = json.loads(text)
        return filled

    def try_create(self, body: dict[str, Any]) -> tuple[str, list[str], list[str]]:
        """Return why a create was refused (or ""), what its responses show otherwise, and what they break.

        It is read back, and sent again as a stream.
        """
        made = self._call("POST", "interactions", body)
        if made.status != 200:
            return str(_parse(made)["error"]["message"]), [], []
        wrong = judge_create_request(json.dumps(body).encode(), self._contract, refused=False)
        if wrong:
            return f"the published schema of the body refuses it: {wrong[0].message}", [], []
        trail = [made]
        sent = {name: value for name, value in body.items() if name not in _NOT_SHOWN}
        shown = _parse(made)
        lost = list(find_lost(sent, shown))
        if shown.get("id"):
            trail.append(stored := self._call("GET", f"interactions/{shown['id']}"))
            given, kept = as_steps(body["input"], self._contract.contents), _parse(stored)
            lost += find_lost({**sent, "steps": given}, {**kept, "steps": kept.get("steps", [])[: len(given)]})
        if "stream" not in body:
            trail.append(streamed := self._call("POST", "interactions", {**body, "stream": True}))
            if streamed.status != 200:
                return f"streamed: {_parse(streamed)['error']['message']}", lost, []
            if name := read(streamed, self._contract).id:
                trail.append(self._call("GET", f"interactions/{name}"))
        return "", lost, list(dict.fromkeys(self._judge(trail)))

    def _judge(self, trail: list[Exchange]) -> Iterator[str]:
        """The findings of the checks on these exchanges, each alone and beside the others."""
        alone = (one for exchange in trail for one in read(exchange, self._contract).findings)
        together = (one for _, one in judge_trail(trail, self._contract, Counter()))
        for found in (*alone, *together):
            yield f"{found.code or found.rule}: {found.message} at {found.where.pointer or 'the top'}"

    def _call(self, method: str, path: str, body: Any = None) -> Exchange:
        data = b"" if body is None else json.dumps(body).encode()
        request = Request(method, f"/v1beta/{path}", Headers([("x-goog-api-key", _KEY)]), data)
        exchange: Exchange = self._driver.perform(Send(request))
        return exchange


def _parse(answer: Exchange) -> dict[str, Any]:
    """The object in a response; a stream has none."""
    return object_or_none(answer.body) or {}


_NOT_SHOWN = frozenset({"stream", "model", "agent", "input"})
"""Fields that a response does not repeat, or may show by another name; the input is compared with the steps."""
