"""Gateways that share no line with the harness, over sockets: each defect is found, and what is odd is not."""

from __future__ import annotations

import http.client
import json
import queue
import re
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import closing
from typing import ClassVar

import pytest

from harness.benches.gateway import GatewayBench, GatewayOptions, Upstream, judge_gateway
from harness.checks.gateway import CATALOGUE, GatewayClient
from harness.cli.commands.gateway import UPSTREAM_SETTINGS
from harness.emulator import Emulator, Settings
from harness.engine.events import CheckFinished
from harness.engine.results import Result
from harness.engine.targets import TargetOptions, resolve_target
from harness.interactions import INTERACTIONS
from harness.outcome import Verdict
from harness.transport import ServerThread
from harness.wire import LogicalClock
from tests.benches.gateway.foreign_gateway import HOP, Faithful, serving

pytestmark = pytest.mark.slow


class OtherZone(Faithful):
    """Odd: writes the times of answers in another time zone."""

    def edit(self, chunk: bytes) -> bytes:
        return re.sub(rb'"(created|updated)":"(\S{10}T\S{8})Z"', rb'"\1":"\2.000+00:00"', chunk)


class SmallChunks(Faithful):
    """Odd: cuts what comes into chunks of five bytes, and adds a header of its own."""

    def write_chunk(self, data: bytes) -> None:
        for start in range(0, len(data), 5):
            super().write_chunk(data[start : start + 5])

    def edit_header(self, name: str, value: str) -> str:
        return value if name != "content-type" else f"{value}; charset=utf-8"


class Completes(OtherZone):
    """A run in progress is told as one that completed, and the time zone is another one."""

    def edit(self, chunk: bytes) -> bytes:
        return super().edit(chunk.replace(b'"status":"in_progress"', b'"status":"completed"'))


class EndsInOrder(Faithful):
    """What breaks off is ended in order."""

    def break_off(self) -> None:
        self.finish_body()


class EndsWithItsConnection(Faithful):
    """A body that only the end of its connection delimits is ended in order, also after a reset."""

    def chunks(self, answer: http.client.HTTPResponse) -> Iterator[bytes]:
        delimited = answer.chunked or answer.length is not None
        try:
            yield from super().chunks(answer)
        except OSError:
            if delimited:
                raise


class LosesPaced(Faithful):
    """The sixth event that comes alone is lost; what comes at once is whole."""

    alone = 0

    def edit(self, chunk: bytes) -> bytes:
        self.alone += chunk.count(b"\n\n") == 1
        return b"" if chunk.count(b"\n\n") == 1 and self.alone == 4 else chunk


class ReadsFieldsOnly(Faithful):
    """Lines of a stream that are no fields are dropped."""

    def chunks(self, answer: http.client.HTTPResponse) -> Iterator[bytes]:
        if answer.headers.get_content_type() != "text/event-stream":
            yield from super().chunks(answer)
            return
        rest = b""
        for chunk in super().chunks(answer):
            *lines, rest = (rest + chunk).split(b"\n")
            yield b"".join(line + b"\n" for line in lines if not line or line.startswith((b"event:", b"data:")))


class Buffers(Faithful):
    """A stream is passed on when it has ended."""

    def chunks(self, answer: http.client.HTTPResponse) -> Iterator[bytes]:
        yield answer.read()


class HidesImages(Faithful):
    """Images are cut out of streams."""

    def chunks(self, answer: http.client.HTTPResponse) -> Iterator[bytes]:
        for chunk in super().chunks(answer):
            yield re.sub(rb"event: step.delta\ndata: [^\n]*image/png[^\n]*\n\n", b"", chunk)


class SwallowsErrors(Faithful):
    """Error events are cut out of streams."""

    def edit(self, chunk: bytes) -> bytes:
        return re.sub(rb"event: error\ndata: [^\n]*\n\n", b"", chunk)


class KeepsPolls(Faithful):
    """The response to a GET is returned for every later GET of the same URL."""

    def relay(self) -> None:
        if self.command != "GET" or "stream=true" in self.path:
            return super().relay()
        if self.path in self.kept:
            data = self.kept[self.path]
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            return None
        return super().relay()

    do_GET = relay
    kept: ClassVar[dict[str, bytes]] = {}

    def edit(self, chunk: bytes) -> bytes:
        if self.command == "GET" and chunk.startswith(b'{"id"'):
            self.kept[self.path] = chunk
        return chunk


class FirstOfAChunk(Faithful):
    """Of several events in one chunk only the first is passed on."""

    def edit(self, chunk: bytes) -> bytes:
        return chunk.partition(b"\n\n")[0] + b"\n\n" if chunk.count(b"\n\n") > 2 else chunk


class SmallBuffer(Faithful):
    """An event has room in 16 KiB; what is longer is lost."""

    def chunks(self, answer: http.client.HTTPResponse) -> Iterator[bytes]:
        rest = b""
        for chunk in super().chunks(answer):
            *frames, rest = (rest + chunk).split(b"\n\n")
            yield b"".join(frame + b"\n\n" for frame in frames if len(frame) < 16384)
        yield rest


class JoinsParagraphs(Faithful):
    """Two line breaks in a text become one."""

    def edit(self, chunk: bytes) -> bytes:
        return chunk.replace(rb"\n\n", rb"\n")


class TidiesInput(Faithful):
    """Space around and inside of an input is tidied up."""

    def edit_request(self, body: bytes) -> bytes:
        sent = json.loads(body or b"{}")
        if isinstance(sent.get("input"), str):
            return json.dumps({**sent, "input": " ".join(sent["input"].split())}).encode()
        return body


class GivesUp(Faithful):
    """A stream that is silent for a while is broken off."""

    read_timeout = 3.0


class GivesUpInOrder(Faithful):
    """A stream that is silent for a while is ended in order."""

    read_timeout = 3.0

    def break_off(self) -> None:
        if self.silent:
            self.finish_body()
        else:
            super().break_off()

    def chunks(self, answer: http.client.HTTPResponse) -> Iterator[bytes]:
        self.silent = False
        try:
            yield from super().chunks(answer)
        except TimeoutError:
            self.silent = True
            raise


class AllowsSeconds(Faithful):
    """A stream that has lasted for a while is ended in order after the next that comes."""

    def chunks(self, answer: http.client.HTTPResponse) -> Iterator[bytes]:
        began = time.monotonic()
        for chunk in super().chunks(answer):
            yield chunk
            if time.monotonic() - began > 3 and answer.headers.get_content_type() == "text/event-stream":
                return


class KeepsAlive(Faithful):
    """Odd: while a stream is silent, comments say that it is alive."""

    def chunks(self, answer: http.client.HTTPResponse) -> Iterator[bytes]:
        if answer.headers.get_content_type() != "text/event-stream":
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


class RefusesInWords(Faithful):
    """What it cannot reach it answers with 400 and a sentence."""

    def answer_unreachable(self) -> None:
        self.send_response(400)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"nope")


class Compresses(Faithful):
    """Right: streams are compressed for clients that take gzip, and each event is flushed."""

    flush = zlib.Z_SYNC_FLUSH

    def packs(self, answer: http.client.HTTPResponse) -> bool:
        wanted = "gzip" in self.headers.get("accept-encoding", "")
        return wanted and answer.headers.get_content_type() == "text/event-stream"

    def chunks(self, answer: http.client.HTTPResponse) -> Iterator[bytes]:
        if not self.packs(answer):
            yield from super().chunks(answer)
            return
        coder = zlib.compressobj(wbits=31)
        for chunk in super().chunks(answer):
            yield coder.compress(chunk) + (coder.flush(self.flush) if self.flush else b"")
        yield coder.flush()

    def add_headers(self, answer: http.client.HTTPResponse) -> None:
        if self.packs(answer):
            self.send_header("Content-Encoding", "gzip")


class CompressesAtTheEnd(Compresses):
    """Streams are compressed, and nobody flushes."""

    flush = 0


class TakesNoCoding(Faithful):
    """Odd: nothing compressed is asked of the upstream."""

    def edit_fields(self, fields: dict[str, str]) -> dict[str, str]:
        return {name: value for name, value in fields.items() if name.lower() != "accept-encoding"}


class NamesNoCoding(Faithful):
    """Content-Encoding is taken for a matter between two hops."""

    hop = HOP | {"content-encoding"}


class NamesCoding(TakesNoCoding):
    """What is said to be compressed is not."""

    def add_headers(self, answer: http.client.HTTPResponse) -> None:
        if "gzip" in self.headers.get("accept-encoding", ""):
            self.send_header("Content-Encoding", "gzip")


class Crowded(Faithful):
    """Counts the requests that it works on at the same time."""

    busy: ClassVar[list[object]]

    def relay(self) -> None:
        self.busy.append(self)
        try:
            self.relay_one(len(self.busy))
        finally:
            self.busy.remove(self)

    def relay_one(self, busy: int) -> None:
        """Relay a request as one of `busy`."""
        super().relay()

    do_GET = do_POST = do_DELETE = relay


class DropsQueries(Faithful):
    """What follows the path of a GET is not sent on."""

    def relay(self) -> None:
        if self.command == "GET":
            self.path = self.path.partition("?")[0]
        super().relay()

    do_GET = relay


class DropsQueriesInACrowd(Crowded):
    """The same, only beside four others."""

    busy: ClassVar[list[object]] = []

    def relay_one(self, busy: int) -> None:
        if busy > 4 and self.command == "GET":
            self.path = self.path.partition("?")[0]
        super().relay_one(busy)


class RefusesTheFifth(Crowded):
    """Answers 502 to the fifth request at the same time."""

    status = 502
    busy: ClassVar[list[object]] = []

    def relay_one(self, busy: int) -> None:
        if busy < 5:
            super().relay_one(busy)
            return
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        data = b'{"error": {"code": "overloaded", "message": "Later."}}'
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class CutsTheFifth(Crowded):
    """Breaks off the fifth stream at the same time after its first chunk."""

    busy: ClassVar[list[object]] = []
    crowded = False

    def relay_one(self, busy: int) -> None:
        self.crowded = busy > 4
        super().relay_one(busy)

    def write_chunk(self, data: bytes) -> None:
        super().write_chunk(data)
        if self.crowded:
            raise OSError


class LimitsTheFifth(RefusesTheFifth):
    """Odd: has a limit, and says so."""

    status = 429
    busy: ClassVar[list[object]] = []


class WorksInTurn(Crowded):
    """Odd: works on four requests at a time, and lets the others wait."""

    busy: ClassVar[list[object]] = []
    turns = threading.Semaphore(4)

    def relay_one(self, busy: int) -> None:
        with self.turns:
            super().relay_one(busy)


ODD = [Faithful, OtherZone, SmallChunks, KeepsAlive, Compresses, TakesNoCoding, LimitsTheFifth, WorksInTurn]


def results_of(kind: type[Faithful]) -> list[Result]:
    """The results of all rules for this gateway."""
    clock = LogicalClock()
    emulator = Emulator(Settings(**UPSTREAM_SETTINGS), clock=clock)
    upstream: Upstream = Upstream(emulator, clock, GatewayClient.is_primable)
    with ServerThread(upstream, clock=clock) as server, serving(kind, server.url) as url:
        target = resolve_target(INTERACTIONS, url, TargetOptions(timeout=10))
        client = GatewayClient(target.target, patience=0.5, idle=4.0)
        with closing(target.connect()) as driver:
            bench = GatewayBench(driver, upstream, client, watch=0.0)
            events = list(judge_gateway(bench, CATALOGUE, GatewayOptions()))
    return [event.result for event in events if isinstance(event, CheckFinished)]


def findings_of(kind: type[Faithful]) -> dict[str, str]:
    """The first code of each rule that has findings, in order, and the words of it."""
    return {
        finding.stable_code: finding.message
        for result in results_of(kind)
        for finding in result.observation.findings[:1]
    }


@pytest.mark.parametrize(
    "kind", [Faithful, OtherZone, SmallChunks, KeepsAlive, Compresses, TakesNoCoding, LimitsTheFifth, WorksInTurn]
)
def test_what_loses_nothing_has_no_finding(kind: type[Faithful]) -> None:
    """A transparent proxy has no finding, nor has one that writes times, chunks or headers in its own way."""
    assert findings_of(kind) == {}


def test_the_end_of_a_connection_promises_no_more() -> None:
    """A drop that HTTP does not have to tell from an end is a warning, with a code of its own."""
    found = [result for result in results_of(EndsWithItsConnection) if result.observation.findings]
    assert [(result.observation.findings[0].stable_code, result.verdict) for result in found] == [
        ("gw.truncated/clean-end-close", Verdict.WARN)
    ]


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        (Completes, {"gw.events/changed", "gw.body/changed"}),
        (EndsInOrder, {"gw.truncated/clean-end-chunked"}),
        (LosesPaced, {"gw.events/lost", "gw.resume-through/lost"}),
        (ReadsFieldsOnly, {"gw.bare-error"}),
        (Buffers, {"gw.live/buffered"}),
        (HidesImages, {"gw.events/lost"}),
        (SwallowsErrors, {"gw.events/lost"}),
        (RefusesInWords, {"gw.own-error/no-json"}),
        (KeepsPolls, {"gw.body/stale"}),
        (FirstOfAChunk, {"gw.events/lost"}),
        (SmallBuffer, {"gw.events/lost"}),
        (JoinsParagraphs, {"gw.body/changed", "gw.events/changed"}),
        (TidiesInput, {"gw.body-fields/changed"}),
        (GivesUp, {"gw.idle/cut"}),
        (GivesUpInOrder, {"gw.idle/clean-end"}),
        (AllowsSeconds, {"gw.idle/clean-end"}),
        (CompressesAtTheEnd, {"gw.live/compressed"}),
        (NamesNoCoding, {"gw.coding"}),
        (NamesCoding, {"gw.coding"}),
        (DropsQueries, {"gw.query"}),
        (DropsQueriesInACrowd, {"gw.query/crowd"}),
        (RefusesTheFifth, {"gw.crowd/refused"}),
        (CutsTheFifth, {"gw.crowd/cut"}),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_one_defect_is_one_finding(kind: type[Faithful], codes: set[str]) -> None:
    """Each defect breaks the rules that are about it, with the codes that name it, and no other."""
    assert set(findings_of(kind)) == codes


def test_the_worst_change_comes_first() -> None:
    """A status that was changed is told before anything else, and an instant in another time zone is not told."""
    found = findings_of(Completes)
    assert "status" in found["gw.body/changed"]
    assert "status" in found["gw.events/changed"]
