"""What caches, workers and compression in front of a server do to it, and odd ways of writing that are right."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Handler, Headed, Json, Refused, Run, wait_for

pytestmark = pytest.mark.slow


class CachesByPath(ForeignService):
    """For a second, a GET is answered from a cache that knows paths and no queries."""

    class _Handler(Handler):
        kept: dict[str, tuple[float, Any]] = {}

        def dispatch(self, data: bytes) -> Any:
            path = urlsplit(self.path).path
            if self.command != "GET":
                self.kept.clear()
                return super().dispatch(data)
            when, value = self.kept.get(path, (0.0, None))
            if value is None or time.monotonic() - when > 1:
                value = super().dispatch(data)
                value = value if isinstance(value, dict) else list(value)
                self.kept[path] = (time.monotonic(), value)
            return value

    handler = _Handler


class KeepsTheFirstLook(ForeignService):
    """For ever, a GET without a query is answered from a cache, which reports so."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, Json] = {}

    def get(self, run: Run, query: Json) -> Any:
        if query:
            return super().get(run, query)
        return Headed(self.kept.setdefault(run.id, self.show(run)), age="77")


class KeepsForEver(ForeignService):
    """For ever, a GET is answered as when its URL was asked for first, whatever was changed or deleted since."""

    class _Handler(Handler):
        kept: dict[str, Any]

        def dispatch(self, data: bytes) -> Any:
            if self.command != "GET":
                self.forget()
                return super().dispatch(data)
            if self.path not in self.kept:
                value = super().dispatch(data)
                self.kept[self.path] = value if isinstance(value, dict) else list(value)
            return self.kept[self.path]

        def forget(self) -> None:
            """What a request that changes something does to the cache: nothing."""

    handler = _Handler

    def __init__(self) -> None:
        super().__init__()
        kept: dict[str, Any] = {}
        self.handler = type("_OwnHandler", (self.handler,), {"kept": kept})


class ForgetsWhatChanges(KeepsForEver):
    """Correct, but odd: it keeps what has settled, until that is deleted."""

    class _Handler(KeepsForEver._Handler):
        def dispatch(self, data: bytes) -> Any:
            value = super().dispatch(data)
            if isinstance(value, dict) and value.get("status") == "in_progress":
                self.kept.pop(self.path, None)
            return value

        def forget(self) -> None:
            self.kept.clear()

    handler = _Handler


class DeletesNothing(ForeignService):
    """A deletion is acknowledged and forgotten, and no background run holds what it brought."""

    def delete(self, run: Run) -> Json:
        return {}

    def show(self, run: Run) -> Json:
        shown = super().show(run)
        return {**shown, "steps": []} if run.body.get("background") and "steps" in shown else shown


class ReadsPlusAsSpace(ForeignService):
    """Event ids hold a plus, and a cursor is decoded twice: its plus becomes a space."""

    def events(self, run: Run) -> Iterator[tuple[float, Json]]:
        for due, event in super().events(run):
            yield due, {**event, "event_id": event["event_id"].replace("-", "-a+")}

    class _Handler(Handler):
        def dispatch(self, data: bytes) -> Any:
            self.path = unquote(self.path)
            return super().dispatch(data)

    handler = _Handler


class ComparesCursorsAsText(ForeignService):
    """What comes after a cursor is found by comparing texts, and `i1-10` comes before `i1-9` there."""

    def events(self, run: Run) -> Iterator[tuple[float, Json]]:
        for number, (due, event) in enumerate(super().events(run), 7):
            yield due, {**event, "event_id": f"{run.id}-{number}"}

    def get(self, run: Run, query: Json) -> Any:
        after = query.get("last_event_id", "")
        if query.get("stream") != "true" or not after.startswith(f"{run.id}-"):
            return super().get(run, query)
        return [(due, event) for due, event in self.events(run) if event["event_id"] > after]


class CompressesAtTheEnd(ForeignService):
    """A stream is compressed in one piece, for clients that accept it."""

    lasts = 1.5

    class _Handler(Handler):
        def stream(self, events: Iterator[tuple[float, Json]]) -> None:
            if "gzip" not in self.headers.get("accept-encoding", ""):
                super().stream(events)
                return
            frames = []
            for due, event in events:
                run = self.service.runs.get(event["event_id"].partition("-")[0])
                frames.append(
                    self.service.encode(event if run is None else wait_for(due, run, event, self.closed))
                )
            data = gzip.compress(b"".join(frames) + self.service.closing())
            self.send_response(200)
            for name, value in (("type", "text/event-stream"), ("encoding", "gzip"), ("length", str(len(data)))):
                self.send_header(f"content-{name}", value)
            self.end_headers()
            self.wfile.write(data)

    handler = _Handler


class UndoesDeletes(ForeignService):
    """A replica that is behind brings deleted interactions back after half a second."""

    def __init__(self) -> None:
        super().__init__()
        self.gone: dict[str, float] = {}

    def delete(self, run: Run) -> Json:
        self.gone[run.id] = time.monotonic()
        return {}

    def find(self, identity: str) -> Run:
        if time.monotonic() - self.gone.get(identity, 0.0) < 0.5:
            raise Refused(404, "not_found", "There is no such interaction.")
        return super().find(identity)


class _Joining(ForeignService):
    """`shown` are the events that a reader gets of a run that goes on; `there` of them have happened."""

    def get(self, run: Run, query: Json) -> Any:
        answer = super().get(run, query)
        if isinstance(answer, dict) or run.status != "in_progress":
            return answer
        events = list(answer)
        return self.shown(events, sum(due <= run.age for due, _ in events))

    def shown(self, events: list[Any], there: int) -> list[Any]:
        """What the reader gets."""
        return events


class LosesAtTheJoin(_Joining):
    """Between what is there and what comes live, a reader that joins loses one event."""

    def shown(self, events: list[Any], there: int) -> list[Any]:
        return events[:there] + events[there + 1 :]


class DoublesAtTheJoin(_Joining):
    """The last event that is there comes live once more."""

    def shown(self, events: list[Any], there: int) -> list[Any]:
        return events[:there] + events[max(there - 1, 0) :]


class NoSentinel(ForeignService):
    """No stream has a sentinel, whole or resumed."""

    def closing(self) -> bytes:
        return b": over\n\n"


class CarriageReturns(ForeignService):
    """Correct, but odd: lines end with a lone CR, and no space comes after a colon."""

    def encode(self, event: Json) -> bytes:
        return b"event:%s\rdata:%s\r\r" % (event["event_type"].encode(), json.dumps(event).encode())

    def closing(self) -> bytes:
        return b"event:done\rdata:[DONE]\r\r"


class ManyLines(ForeignService):
    """Correct, but odd: comments, `retry` and `id` fields, JSON over many lines of data, a byte order mark."""

    class _Handler(Handler):
        def stream(self, events: Iterator[tuple[float, Json]]) -> None:
            self.mark = b"\xef\xbb\xbf"
            super().stream(events)

        def chunk(self, data: bytes) -> None:
            super().chunk(self.mark + data if data else data)
            self.mark = b""

    handler = _Handler

    def encode(self, event: Json) -> bytes:
        lines = "".join(f"data: {line}\n" for line in json.dumps(event, indent=1).split("\n"))
        return f": ping\n\nretry: 3000\nid: 7\nevent: {event['event_type']}\n{lines}\n".encode()


class SmallPieces(ForeignService):
    """Correct, but odd: early hints, chunk extensions, a trailer, and a chunk every seven bytes."""

    class _Handler(Handler):
        def send_response(self, code: int, message: str | None = None) -> None:
            self.wfile.write(b"HTTP/1.1 103 Early Hints\r\nlink: </x>; rel=preload\r\n\r\n")
            super().send_response(code, message)

        def chunk(self, data: bytes) -> None:
            for at in range(0, len(data), 7):
                self.wfile.write(b'%X;note="1"\r\n%s\r\n' % (len(data[at : at + 7]), data[at : at + 7]))
            if not data:
                self.wfile.write(b"000;last\r\nx-checksum: 1\r\n\r\n")

    handler = _Handler


class OddTokens(ForeignService):
    """Correct, but odd: event ids need escaping, and follow no order."""

    def events(self, run: Run) -> Iterator[tuple[float, Json]]:
        for number, (due, event) in enumerate(super().events(run)):
            yield due, {**event, "event_id": f"{run.id}-{number * 7 % 11}+/=&ü%"}


class Http10(ForeignService):
    """Correct, but odd: HTTP/1.0, where the end of the connection ends a stream."""

    class _Handler(Handler):
        protocol_version = "HTTP/1.0"

        def send_header(self, keyword: str, value: str) -> None:
            if keyword != "transfer-encoding":
                super().send_header(keyword, value)

        def chunk(self, data: bytes) -> None:
            self.wfile.write(data)

    handler = _Handler


class NoContent(ForeignService):
    """Correct, but odd: a deletion is answered 204, without a body."""

    class _Handler(Handler):
        def reply(self, status: int, value: Any, headers: Json | None = None) -> None:
            if value != {}:
                super().reply(status, value, headers)
                return
            self.send_response(204)
            self.end_headers()

    handler = _Handler


class BytesAlone(ForeignService):
    """Correct, but odd: each byte of a stream is a chunk, and the fields of an answer come in reverse order."""

    class _Handler(Handler):
        def chunk(self, data: bytes) -> None:
            for byte in data:
                super().chunk(bytes([byte]))
            if not data:
                super().chunk(data)

    handler = _Handler

    def show(self, run: Run) -> Json:
        return dict(reversed(super().show(run).items()))


STREAMS = ("stream.*", "resume.*", "bg.*", "http.*")


@pytest.mark.parametrize("kind", [CarriageReturns, ManyLines, SmallPieces, OddTokens, Http10, BytesAlone])
def test_an_odd_way_of_writing_is_right(kind: type[ForeignService]) -> None:
    """What the standards allow has no finding."""
    report = check(kind(), *STREAMS)
    assert report.faults == {}
    assert report.verdicts["resume.no-gap"] == "pass"


def test_a_deletion_without_a_body_is_right() -> None:
    """204 is as good as 200 and an empty object."""
    report = check(NoContent(), "del.*", "http.*", "err.*")
    assert report.faults == {}
    assert report.verdicts["del.ok"] == "pass"


@pytest.mark.parametrize(
    ("kind", "globs", "faults"),
    [
        (CachesByPath, ("resume.*",), {"resume.opens": "fail"}),
        (ReadsPlusAsSpace, ("resume.*",), {"resume.no-gap": "fail"}),
        (ComparesCursorsAsText, ("resume.*",), {"resume.no-gap": "fail"}),
        (CompressesAtTheEnd, ("stream.*",), {"stream.incremental": "warn"}),
        (UndoesDeletes, ("del.*",), {"del.gone": "fail"}),
        (LosesAtTheJoin, ("resume.*",), {"resume.live": "fail"}),
        (DoublesAtTheJoin, ("resume.*",), {"resume.live": "fail"}),
        (NoSentinel, ("stream.*", "resume.*"), {"stream.done": "warn"}),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_one_fact_is_one_finding(
    kind: type[ForeignService], globs: tuple[str, ...], faults: dict[str, str]
) -> None:
    """A defect is found under the rule that names it; what else breaks because of it is blocked."""
    assert check(kind(), *globs).faults == faults


def test_an_answer_that_never_changes_is_told_from_a_run_that_never_ends() -> None:
    """A run whose stream is completed, and which GET shows as going on for ever, breaks a MUST that says so."""
    globs = ("bg.settles", "bg.result", "bg.transition", "bg.create", "resume.opens")
    report = check(KeepsTheFirstLook(), *globs, words=("--timeout", "3"))
    assert report.faults == {"bg.result": "fail"}
    assert report.codes["bg.result"] == ["bg.result/outlived"]
    assert report.verdicts["bg.settles"] == "blocked"


GETS = ("bg.settles", "bg.result", "del.gone", "get.ok")


def test_a_cache_that_never_forgets_is_one_finding() -> None:
    """That a deleted interaction is still shown follows from answers that never change."""
    report = check(KeepsForEver(), *GETS, words=("--timeout", "3"))
    assert report.faults == {"bg.result": "fail"}
    assert report.verdicts["del.gone"] == "blocked"


def test_a_cache_that_forgets_what_changes_is_right() -> None:
    """A cache that keeps what has settled, and honours deletions, has no finding."""
    assert check(ForgetsWhatChanges(), *GETS).faults == {}


def test_two_defects_are_two_findings() -> None:
    """Another finding about a result does not hide a deletion that is not done."""
    report = check(DeletesNothing(), *GETS)
    assert report.faults == {"bg.result": "fail", "del.gone": "fail"}
