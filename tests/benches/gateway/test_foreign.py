"""Gateways that share no line with the harness, over sockets: each defect is found, and what is odd is not."""

from __future__ import annotations

import contextlib
import http.client
import json
import queue
import re
import select
import socket
import threading
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from email.utils import formatdate
from typing import Any, ClassVar

import pytest

from harness.benches.gateway import GatewayBench, GatewayOptions, Upstream, judge_gateway
from harness.checks.gateway import CATALOGUE, GatewayClient
from harness.cli.commands.gateway import UPSTREAM_SETTINGS
from harness.emulator import Emulator, Settings
from harness.engine.events import CheckFinished, Result
from harness.engine.targets import TargetOptions, resolve_target
from harness.interactions.servers import SERVERS
from harness.outcome import TargetFault, Verdict
from harness.transport import ServerLimits, ServerThread
from harness.wire import LogicalClock
from tests.benches.gateway.foreign_gateway import Faithful, serving
from tests.foreign.rows import vary

pytestmark = pytest.mark.slow

Answer = http.client.HTTPResponse


def is_stream(answer: Answer) -> bool:
    """Whether the upstream answers with events."""
    return answer.headers.get_content_type() == "text/event-stream"


def replacing(pattern: bytes, by: bytes) -> type[Faithful]:
    """A gateway that replaces what it finds in a chunk."""
    return vary(Faithful, edit=lambda self, usual, chunk: re.sub(pattern, by, chunk))


def edit_frames(keep: Callable[[bytes], bool]) -> Callable[..., Iterator[bytes]]:
    """A change of `chunks`: frames of a stream are passed on if they are to be kept."""

    def chunks(self: Faithful, usual: Any, answer: Answer) -> Iterator[bytes]:
        rest = b""
        for chunk in usual(answer):
            if not is_stream(answer):
                yield chunk
                continue
            *frames, rest = (rest + chunk).split(b"\n\n")
            yield b"".join(frame + b"\n\n" for frame in frames if keep(frame))
        if keep(rest):
            yield rest

    return chunks


class EndsWithItsConnection(Faithful):
    """A body that only the end of its connection delimits is ended in order, also after a reset."""

    def chunks(self, answer: Answer) -> Iterator[bytes]:
        delimited = answer.chunked or answer.length is not None
        try:
            yield from super().chunks(answer)
        except OSError:
            if delimited:
                raise


def lose_resumed(self: Faithful, usual: Any, answer: Answer) -> Iterator[bytes]:
    """Pass on all but the first event of a stream that is resumed."""
    whole = usual(answer)
    if "last_event_id" in self.path:
        came = next(whole, b"")
        while b"\n\n" not in came:
            came += next(whole, b"\n\n")
        yield came.partition(b"\n\n")[2]
    yield from whole


def keep_first(self: Faithful, usual: Any, chunk: bytes) -> bytes:
    """Pass on, of more than two events in one chunk, only the first."""
    return chunk.partition(b"\n\n")[0] + b"\n\n" if chunk.count(b"\n\n") > 2 else chunk


def tidy(self: Faithful, usual: Any, body: bytes) -> bytes:
    """Tidy up space around and inside of an input."""
    sent = json.loads(body or b"{}")
    if isinstance(sent.get("input"), str):
        return json.dumps({**sent, "input": " ".join(sent["input"].split())}).encode()
    return body


def allow_seconds(self: Faithful, usual: Any, answer: Answer) -> Iterator[bytes]:
    """End a stream that has lasted for a while in order after the next that comes."""
    began = time.monotonic()
    for chunk in usual(answer):
        yield chunk
        if time.monotonic() - began > 3 and is_stream(answer):
            return


def date_wait(self: Faithful, usual: Any, name: str, value: str) -> str:
    """Write the number of seconds of a Retry-After as the date of that moment."""
    return formatdate(time.time() + int(value), usegmt=True) if name == "retry-after" else usual(name, value)


class KeepsAlive(Faithful):
    """Odd: while a stream is silent, comments say that it is alive."""

    def chunks(self, answer: Answer) -> Iterator[bytes]:
        if not is_stream(answer):
            yield from super().chunks(answer)
            return
        came: queue.Queue[bytes | BaseException | None] = queue.Queue()

        def read() -> None:
            try:
                for chunk in super(KeepsAlive, self).chunks(answer):
                    came.put(chunk)
                came.put(None)
            except BaseException as error:
                came.put(error)

        threading.Thread(target=read, daemon=True).start()
        while True:
            try:
                chunk = came.get(timeout=0.5)
            except queue.Empty:
                chunk = b": alive\n\n"
            if isinstance(chunk, BaseException):
                raise chunk
            if chunk is None:
                return
            yield chunk


def refuse_in_words(self: Faithful, usual: Any) -> None:
    """Answer what it cannot reach with 400 and a sentence."""
    self.send(400, "text/plain", b"nope", {})


class OldConnection(http.client.HTTPConnection):
    """HTTP/1.0: a body without a length ends with its connection."""

    _http_vsn, _http_vsn_str = 10, "HTTP/1.0"


class Compresses(Faithful):
    """Right: streams are compressed for clients that take gzip, and each event is flushed."""

    def packs(self, answer: Answer) -> bool:
        wanted = "gzip" in self.headers.get("accept-encoding", "")
        return wanted and is_stream(answer)

    def chunks(self, answer: Answer) -> Iterator[bytes]:
        if not self.packs(answer):
            yield from super().chunks(answer)
            return
        coder = zlib.compressobj(wbits=31)
        for chunk in super().chunks(answer):
            yield coder.compress(chunk) + coder.flush(zlib.Z_SYNC_FLUSH)
        yield coder.flush()

    def add_headers(self, answer: Answer) -> None:
        if self.packs(answer):
            self.send_header("Content-Encoding", "gzip")


class TakesNoCoding(Faithful):
    """Odd: nothing compressed is asked of the upstream."""

    def edit_fields(self, fields: dict[str, str]) -> dict[str, str]:
        return {name: value for name, value in fields.items() if name.lower() != "accept-encoding"}


class Crowded(Faithful):
    """Counts the requests that it works on at the same time."""

    at_work: ClassVar[defaultdict[type, list[Crowded]]] = defaultdict(list)

    def relay(self) -> None:
        self.at_work[type(self)].append(self)
        try:
            self.relay_one(sum(one.is_heard() for one in list(self.at_work[type(self)])))
        finally:
            self.leave()

    def is_heard(self) -> bool:
        """Whether its client is still there: the thread of a stream that was left notices that late."""
        try:
            ended = select.select([self.connection], [], [], 0)[0]
            return not ended or self.connection.recv(1, socket.MSG_PEEK) != b""
        except (OSError, ValueError):
            return False

    def leave(self) -> None:
        """Be done: a client that has its whole answer may ask again before this thread runs on."""
        with contextlib.suppress(ValueError):
            self.at_work[type(self)].remove(self)

    def finish_body(self) -> None:
        self.leave()
        super().finish_body()

    def relay_one(self, busy: int) -> None:
        """Relay a request as one of `busy`."""
        super().relay()

    do_GET = do_POST = do_DELETE = relay


def refuse_the_fifth(self: Crowded, usual: Any, busy: int) -> None:
    """Refuse the fifth request at the same time for now."""
    if busy < 5:
        usual(busy)
        return
    self.rfile.read(int(self.headers.get("content-length") or 0))
    self.reply(429, {"error": {"code": "overloaded", "message": "Later."}})


class CutsTheFifthLate(Crowded):
    """Of the fifth create at the same time only the first chunk is passed on; it reads on before it breaks off."""

    crowded = False
    written = 0

    def relay_one(self, busy: int) -> None:
        self.crowded = busy > 4 and self.command == "POST"
        super().relay_one(busy)

    def write_chunk(self, data: bytes) -> None:
        self.written += 1
        if not self.crowded or self.written == 1:
            super().write_chunk(data)
        elif self.written == 4:
            raise OSError


class WorksInTurn(Crowded):
    """Odd: works on four requests at a time, and lets the others wait."""

    turns = threading.Semaphore(4)

    def relay_one(self, busy: int) -> None:
        with self.turns:
            super().relay_one(busy)


class SmallChunks(Faithful):
    """Odd: cuts what comes into chunks of five bytes, and adds a header of its own."""

    def write_chunk(self, data: bytes) -> None:
        for start in range(0, len(data), 5):
            super().write_chunk(data[start : start + 5])

    def edit_header(self, name: str, value: str) -> str:
        return value if name != "content-type" else f"{value}; charset=utf-8"


OtherZone = replacing(rb'"(created|updated)":"(\S{10}T\S{8})Z"', rb'"\1":"\2.000+00:00"')
# A run in progress is told as one that completed, and the time zone is another one.
Completes = vary(
    OtherZone,
    edit=lambda self, usual, chunk: usual(chunk.replace(b'"status":"in_progress"', b'"status":"completed"')),
)
ODD = {
    "faithful": Faithful,
    "other-zone": OtherZone,
    "small-chunks": SmallChunks,
    "keeps-alive": KeepsAlive,
    "compresses": Compresses,
    "takes-no-coding": TakesNoCoding,
    "limits-the-fifth": vary(Crowded, relay_one=refuse_the_fifth),
    "works-in-turn": WorksInTurn,
    "dates-retry-after": vary(Faithful, edit_header=date_wait),
    "late-heads": vary(Faithful, add_headers=lambda self, usual, answer: time.sleep("stream=true" in self.path)),
}
DEFECTS: list[tuple[str, type[Faithful], set[str]]] = [
    # What breaks off is ended in order.
    (
        "ends-in-order",
        vary(Faithful, break_off=lambda self, usual: self.finish_body()),
        {"gw.truncated/clean-end-chunked"},
    ),
    ("loses-resumed", vary(Faithful, chunks=lose_resumed), {"gw.events/lost", "gw.resume-through/lost"}),
    ("wants-lf", vary(Faithful, chunks=edit_frames(lambda frame: b"\r" not in frame)), {"gw.events/lost"}),
    ("waits-for-a-second", vary(Faithful, patience=1.0), {"gw.idle/no-response"}),
    ("refuses-in-words", vary(Faithful, answer_unreachable=refuse_in_words), {"gw.own-error/no-json"}),
    ("first-of-a-chunk", vary(Faithful, edit=keep_first), {"gw.events/lost"}),
    # An event has room in 64 KiB; what is longer is lost.
    ("small-buffer", vary(Faithful, chunks=edit_frames(lambda frame: len(frame) < 65536)), {"gw.events/lost"}),
    # Two line breaks in a text become one.
    ("joins-paragraphs", replacing(rb"\\n\\n", rb"\\n"), {"gw.body/changed", "gw.events/changed"}),
    ("tidies-input", vary(Faithful, edit_request=tidy), {"gw.body-fields/changed"}),
    ("allows-seconds", vary(Faithful, chunks=allow_seconds), {"gw.idle/clean-end"}),
    ("cuts-the-fifth-late", CutsTheFifthLate, {"gw.crowd/cut"}),
    ("http-1.0", vary(Faithful, connects=OldConnection), {"gw.truncated/clean-end-http10"}),
]
"""`lab/gateways` has further defects; tests/checks/gateway shows in memory that they are noticed."""


ABOUT_SILENCE = {"allows-seconds", "keeps-alive", "waits-for-a-second"}
"""For these the upstream is silent for longer than their time limit of three seconds."""


def results_of(kind: type[Faithful], idle: float = 0.5) -> list[Result]:
    """The results of all rules for this gateway, with an upstream that is silent for `idle` seconds."""
    clock = LogicalClock()
    emulator = Emulator(Settings(**UPSTREAM_SETTINGS), clock=clock)
    upstream: Upstream = Upstream(emulator, clock, GatewayClient.is_primable)
    limits = ServerLimits(request_seconds=3.0)
    with ServerThread(upstream, clock=clock, limits=limits) as server, serving(kind, server.url) as url:
        target = resolve_target(SERVERS, url, TargetOptions(timeout=10))
        client = GatewayClient(target.target, patience=0.5, idle=idle)
        with closing(target.connect()) as driver:
            bench = GatewayBench(driver, upstream, client, watch=0.0, find_refused=lambda: server.refused)
            events = list(judge_gateway(bench, CATALOGUE, GatewayOptions()))
    return [event.result for event in events if isinstance(event, CheckFinished)]


def findings_of(kind: type[Faithful], name: str = "") -> dict[str, str]:
    """The first code of each rule that has findings, in order, the words of it, and what came."""
    return {
        finding.stable_code: f"{finding.message}: {finding.actual}"
        for result in results_of(kind, 4.0 if name in ABOUT_SILENCE else 0.5)
        for finding in result.observation.findings[:1]
    }


@pytest.mark.parametrize("name", ODD)
def test_what_loses_nothing_has_no_finding(name: str) -> None:
    """A transparent proxy has no finding, nor has one that writes times, chunks or headers in its own way."""
    assert findings_of(ODD[name], name) == {}


def test_the_end_of_a_connection_promises_no_more() -> None:
    """A drop that HTTP does not have to tell from an end is a warning, with a code of its own."""
    found = [result for result in results_of(EndsWithItsConnection) if result.observation.findings]
    assert [(result.observation.findings[0].stable_code, result.verdict) for result in found] == [
        ("gw.truncated/clean-end-close", Verdict.WARN)
    ]


@pytest.mark.parametrize(("name", "kind", "codes"), DEFECTS, ids=[name for name, *_ in DEFECTS])
def test_one_defect_is_one_finding(name: str, kind: type[Faithful], codes: set[str]) -> None:
    """Each defect breaks the rules that are about it, with the codes that name it, and no other."""
    assert set(findings_of(kind, name)) == codes


def test_a_body_that_the_gateway_has_eaten_is_named() -> None:
    """It read the body of a create, as Express does with `express.json()`, and forwards the head alone."""
    promises = lambda _, usual, fields: fields | {"Content-Length": "9"}  # noqa: E731
    with pytest.raises(TargetFault, match=r"the head of POST /v1beta/interactions, and 0 of 9 bytes of its body"):
        results_of(vary(Faithful, edit_request=lambda *_: b"", edit_fields=promises))


def test_the_worst_change_comes_first() -> None:
    """A status that was changed is told before anything else, and an instant in another time zone is not told."""
    found = findings_of(Completes)
    assert "status" in found["gw.body/changed"]
    assert "status" in found["gw.events/changed"]
