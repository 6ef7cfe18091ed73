"""A proxy that damages what a service answers, and what `check` and `verify` say of the very same traffic.

The proxy knows requests and responses only. A defect happens in one mode, in all of its answers or in one of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import structs

from harness.checks.recordings import FileJudge
from harness.contract.judge.history.history_judge import HEARD
from harness.engine.events import CheckFinished
from harness.engine.origins import list_ids
from harness.engine.run import RunOptions, check_target
from harness.engine.targets import TargetOptions, embed_emulator
from harness.interactions.servers import SERVERS
from harness.kit.api import EmbeddedService, Verification
from harness.kit.check import Check
from harness.outcome import Finding, Severity
from harness.wire import Chunk, Exchange, Piece, PieceBody, Request, Response

Json = dict[str, Any]
Body = Callable[[Json, str], Any]
"""Changes a JSON response; it is told the id in the path of the request, `""` if there is none."""

Events = Callable[[list[Json]], list[Json]]
"""Changes the events that arrive together, as JSON objects."""

CONTRACT = SERVERS.load_contract("")


def is_create(request: Request) -> bool:
    """Whether a request creates an interaction."""
    return request.method == "POST" and request.segments[-1] == "interactions"


def is_read(request: Request) -> bool:
    """Whether a request reads one interaction whole."""
    return request.method == "GET" and request.segments[-2:-1] == ("interactions",) and not is_streamed(request)


def is_streamed(request: Request) -> bool:
    """Whether a request asks for a stream."""
    return request.parameter("stream") == "true" or b'"stream":true' in request.body.replace(b" ", b"")


def is_replay(request: Request) -> bool:
    """Whether a request reads the stream of an interaction again, or what follows a cursor."""
    return request.method == "GET" and is_streamed(request)


def is_resumed(request: Request) -> bool:
    """Whether a request asks for what follows a cursor."""
    return is_replay(request) and bool(request.parameter("last_event_id"))


@dataclass
class WireDefect:
    """What is done to the answers to some requests: to their JSON, to their events, or to the bytes of these.

    With `once`, only the response of that number is damaged, counted from 1 among those that can be.
    """

    where: Callable[[Request], bool]
    body: Body | None = None
    events: Events | None = None
    raw: Callable[[bytes], bytes] | None = None
    once: int = 0
    seen: int = 0

    def apply(self, request: Request, response: Response) -> Response:
        """The response, damaged if it is due."""
        streamed = response.headers.media_type() == "text/event-stream"
        if not self.where(request) or response.status != 200 or streamed is (self.body is not None):
            return response
        self.seen += 1
        if self.once not in (0, self.seen):
            return response
        if self.body is None:
            return structs.replace(response, body=PieceBody(self._edit(response.body), response.body.close))
        value = json.loads(b"".join(piece.data for piece in response.body if isinstance(piece, Chunk)) or b"{}")
        named = request.segments[request.segments.index("interactions") + 1 :][:1]
        changed = self.body(value, *named or ("",))
        data = json.dumps(value if changed is None else changed).encode()
        return Response.whole(200, response.headers, data)

    def _edit(self, pieces: Iterator[Piece]) -> Iterator[Piece]:
        for piece in pieces:
            if not isinstance(piece, Chunk):
                yield piece
                continue
            data = piece.data if self.raw is None else self.raw(piece.data)
            if self.events is not None:
                blocks = [block for block in data.decode().split("\n\n") if block]
                kept = [block for block in blocks if "[DONE]" in block]
                read = [json.loads(line[5:]) for b in blocks for line in b.split("\n") if line[:6] == "data: "
                        and "[DONE]" not in line]  # fmt: skip
                lines = [f"event: {e['event_type']}\ndata: {json.dumps(e)}" for e in self.events(read)]
                data = "".join(f"{block}\n\n" for block in (*lines, *kept)).encode()
            if data:
                yield Chunk(data)


class DamagedService:
    """The emulator without its control API, whose answers pass through a defect."""

    def __init__(self, defect: WireDefect | None) -> None:
        self._service = SERVERS.new_service(CONTRACT)
        self._defect = defect
        self.clock = self._service.clock

    def __call__(self, request: Request) -> Response:
        if request.segments[0] == "__harness__":
            return Response.json(404, b'{"error": {"code": "not_found", "message": "no such path"}}')
        response = self._service(request)
        return response if self._defect is None else self._defect.apply(request, response)


@dataclass
class JudgedTraffic:
    """One run of `check`: its results, all that it received, and what `verify` finds in that."""

    findings: dict[str, list[Finding]] = field(default_factory=dict)
    traffic: list[Exchange] = field(default_factory=list)

    def told(self) -> set[str]:
        """The rules of which `check` says that they are broken, or kept in a lenient reading only."""
        return {finding.rule for found in self.findings.values() for finding in found if is_told(finding)}

    def verified(self) -> dict[str, set[str]]:
        """The rules that `verify` finds broken in the same traffic, by what they are about.

        That is the rule itself for what one answer shows, and else the interaction whose answers contradict.
        """
        names = {f"x{number}": seen for number, seen in enumerate(self.traffic)}
        result = Verification()
        FileJudge("run.yaml", result, CONTRACT).exchanges(names.items())
        # the client is `check`, which asks on purpose for what no schema has, and names causes alone
        findings = [
            one for one in result.findings if is_told(one) and one.rule != "request.schema" and not one.cause
        ]
        found: dict[str, set[str]] = {}
        for finding in findings:
            about = sorted(list_ids(names[finding.where.exchange], SERVERS))
            for place in about if finding.rule in HEARD and about else [finding.rule]:
                found.setdefault(place, set()).add(finding.rule)
        for finding in findings:  # an answer that is damaged explains what it contradicts
            if finding.rule not in HEARD:
                for identity in list_ids(names[finding.where.exchange], SERVERS) & found.keys():
                    found[identity].add(finding.rule)
        return found


def is_told(finding: Finding) -> bool:
    """Whether a finding is more than information."""
    return finding.severity is not Severity.INFORMATION


def check(defect: WireDefect | None, catalogue: Sequence[Check] = ()) -> JudgedTraffic:
    """Judge a damaged service by the catalogue, and keep all that it answered."""
    return check_service(DamagedService(defect), catalogue)


def check_service(service: EmbeddedService, catalogue: Sequence[Check] = ()) -> JudgedTraffic:
    """Judge a service by the catalogue, and keep all that it answered."""
    judged, known = JudgedTraffic(), set[int]()

    def read(exchange: Exchange, contract: Any) -> Any:
        if contract is not None and id(exchange) not in known:
            known.add(id(exchange))  # of an object that the traffic keeps
            judged.traffic.append(exchange)
        return SERVERS.read(exchange, contract)

    api = msgspec.structs.replace(SERVERS, read=read)
    target = embed_emulator(api, TargetOptions(), lambda: service)  # the probe and the exercises talk to one
    with closing(check_target(target, catalogue or api.load_catalogue(), RunOptions())) as events:
        for event in events:
            if isinstance(event, CheckFinished):
                judged.findings[event.result.id] = list(event.result.observation.findings)
    return judged
