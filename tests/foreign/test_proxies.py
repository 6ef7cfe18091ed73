"""What caches, workers and compression in front of a server do to it, and odd ways of writing that are right."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.foreign.rows import each, hold_each, rows_of, vary
from tests.foreign.server import ForeignService, Handler, Headed, Json, Run, wait_for

pytestmark = pytest.mark.slow


def cache_by_path(self: Any, usual: Any, data: bytes) -> Any:
    """Answer a GET, for a second, from a cache that knows paths and no queries."""
    kept = self.service.noted
    path = urlsplit(self.path).path
    if self.command != "GET":
        kept.clear()
        return usual(data)
    when, value = kept.get(path, (0.0, None))
    if value is None or time.monotonic() - when > self.service.stretch(1.0):
        value = usual(data)
        value = value if isinstance(value, dict) else list(value)
        kept[path] = (time.monotonic(), value)
    return value


def keep_the_first_look(self: Any, usual: Any, run: Run, query: Json) -> Any:
    """Answer a GET without a query from a cache for ever, and report so."""
    return usual(run, query) if query else Headed(self.noted.setdefault(run.id, self.show(run)), age="77")


def send_its_age(self: Any, usual: Any, run: Run, query: Json) -> Any:
    """Answer a GET through a cache that asks the server each time, and report an age as such a cache does."""
    value = usual(run, query)
    return Headed(value, age="0") if isinstance(value, dict) else value


def keep_for_ever(key: Callable[[Any], str]) -> Any:
    """Answer a GET as when what it has this key was asked for first, whatever was changed or deleted since."""

    def dispatch(self: Any, usual: Any, data: bytes) -> Any:
        kept = self.service.noted
        if self.command != "GET":
            return usual(data)
        if key(self) not in kept:
            value = usual(data)
            kept[key(self)] = value if isinstance(value, dict) else list(value)
            return kept[key(self)]
        found = kept[key(self)]
        return Headed(found, x_cache="HIT") if isinstance(found, dict) else found

    return vary(Handler, dispatch=dispatch)


def forget_what_changes(self: Any, usual: Any, data: bytes) -> Any:
    """Keep what has settled, until anything is changed or deleted."""
    if self.command != "GET":
        self.service.noted.clear()
    value = usual(data)
    if isinstance(value, dict) and value.get("status") == "in_progress":
        self.service.noted.pop(self.path, None)
    return value


FOR_EVER = keep_for_ever(lambda self: self.path)


class Limits(Handler):
    """A proxy that refuses with a page of its own: each of the first creates once, and all that come too late."""

    most = 24

    def dispatch(self, data: bytes) -> Any:
        asked = self.service.noted
        asked[data] = asked.get(data, 0) + 1
        is_early = len(asked) < 4 and asked[data] == 1
        return b"" if self.command == "POST" and (is_early or len(asked) > self.most) else super().dispatch(data)

    def send(self, status: int, kind: str, data: bytes, headers: Json) -> None:
        page = (503, "text/html", b"<h1>503 Service Temporarily Unavailable</h1>", {})
        super().send(*(page if data == b"" else (status, kind, data, headers)))


def think_first(self: Limits, usual: Any, status: int, kind: str, data: bytes, headers: Json) -> None:
    """Reject what takes too long."""
    self.closed.wait(0.3 if data == b"" else 0.0)
    usual(status, kind, data, headers)


def lack(self: Handler, usual: Any, events: Any) -> None:
    """Be a proxy that finds no server for streams."""
    self.send(503, "text/html", b"<h1>503 Service Temporarily Unavailable</h1>", {})


def hold_nothing(self: ForeignService, usual: Any, run: Run) -> Json:
    """Show no background run with what it brought."""
    shown = usual(run)
    return {**shown, "steps": []} if run.body.get("background") and "steps" in shown else shown


def decode_twice(self: Handler, usual: Any, data: bytes) -> Any:
    """Decode a cursor twice: its plus becomes a space."""
    self.path = unquote(self.path)
    return usual(data)


def number_from(first: int, form: str) -> Callable[..., Any]:
    """A change of `events`: ids of a form with the number of the event."""

    def events(self: ForeignService, usual: Any, run: Run) -> Iterator[tuple[float, Json]]:
        for number, (due, event) in enumerate(usual(run), first):
            yield due, {**event, "event_id": form.format(id=run.id, number=number, mixed=number * 7 % 11)}

    return events


def compress_at_the_end(self: Handler, usual: Any, events: Iterator[tuple[float, Json]]) -> None:
    """Compress a stream in one piece, for clients that accept it."""
    if "gzip" not in self.headers.get("accept-encoding", ""):
        usual(events)
        return
    frames = []
    for due, event in events:
        run = self.service.runs.get(event["event_id"].partition("-")[0])
        frames.append(self.service.encode(event if run is None else wait_for(due, run, event, self.closed)))
    data = gzip.compress(b"".join(frames) + self.service.closing())
    self.send_response(200)
    for name, value in (("type", "text/event-stream"), ("encoding", "gzip"), ("length", str(len(data)))):
        self.send_header(f"content-{name}", value)
    self.end_headers()
    self.wfile.write(data)


def join(shown: Callable[[list[Any], int], list[Any]]) -> Callable[..., Any]:
    """A change of `get`: what a reader gets of a run that goes on, and of which so many events have happened."""

    def get(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
        answer = usual(run, query)
        if isinstance(answer, dict) or run.status != "in_progress":
            return answer
        events = list(answer)
        return shown(events, sum(due <= run.age for due, _ in events))

    return get


def hint_early(self: Handler, usual: Any, code: int, message: str | None = None) -> None:
    """Send early hints first."""
    self.wfile.write(b"HTTP/1.1 103 Early Hints\r\nlink: </x>; rel=preload\r\n\r\n")
    usual(code, message)


def write_small_pieces(self: Handler, usual: Any, data: bytes) -> None:
    """Write a chunk with an extension every seven bytes, and a trailer."""
    for at in range(0, len(data), 7):
        self.wfile.write(b'%X;note="1"\r\n%s\r\n' % (len(data[at : at + 7]), data[at : at + 7]))
    if not data:
        self.wfile.write(b"000;last\r\nx-checksum: 1\r\n\r\n")


def write_bare_line_feeds(self: Handler, usual: Any, data: bytes) -> None:
    """Write a chunk whose lines end in a bare LF."""
    self.wfile.write(b"%X\n%s\n" % (len(data), data))


def answer_204(self: Handler, usual: Any, status: int, value: Any, headers: Json | None = None) -> None:
    """Answer a deletion without a body."""
    if value != {}:
        usual(status, value, headers)
        return
    self.send_response(204)
    self.end_headers()


class Http10(Handler):
    """HTTP/1.0, where the end of the connection ends a stream."""

    protocol_version = "HTTP/1.0"

    def send_header(self, keyword: str, value: str) -> None:
        if keyword != "transfer-encoding":
            super().send_header(keyword, value)

    def chunk(self, data: bytes) -> None:
        self.wfile.write(data)


ODD = "stream.* resume.* bg.* http.* -> pass resume.no-gap"
GETS = "bg.settles bg.result del.gone get.ok"
SHORT = {"words": "--timeout 3"}
BRIEFLY: dict[str, Any] = {"words": "--max-wait 4 -j 1"}
CREATES = "create.ok create.input-* create.unicode create.long-input get.ok err.* http.charset"

row = rows_of(ForeignService)
ROWS = [
    # What the standards allow has no finding.
    row(
        f"carriage-returns: {ODD}",
        encode=lambda self, usual, event: (
            b"event:%s\rdata:%s\r\r" % (event["event_type"].encode(), json.dumps(event).encode())
        ),
        closing=lambda self, usual: b"event:done\rdata:[DONE]\r\r",
    ),
    row(f"small-pieces: {ODD}", handler=vary(Handler, send_response=hint_early, chunk=write_small_pieces)),
    # Event ids need escaping, and follow no order.
    row(f"odd-ids: {ODD}", events=number_from(0, "{id}-{mixed}+/=&ü%")),
    row(f"http-1.0: {ODD}", handler=Http10),
    row("204: del.* http.* err.* -> pass del.ok", handler=vary(Handler, reply=answer_204)),
    # A defect is found under the rule that names it; what else breaks because of it is blocked.
    row(
        "bare-line-feeds: http.* stream.terminal -> fail http.length, blocked stream.terminal",
        handler=vary(Handler, chunk=write_bare_line_feeds),
    ),
    row("caches-by-path: resume.* -> fail resume.opens", handler=vary(Handler, dispatch=cache_by_path)),
    row(
        "reads-plus-as-space: resume.* -> fail resume.no-gap",
        events=each(lambda event: {**event, "event_id": event["event_id"].replace("-", "-a+")}),
        handler=vary(Handler, dispatch=decode_twice),
    ),
    row(
        "compresses-at-the-end: stream.* -> fail stream.incremental",
        lasts=0.6,
        handler=vary(Handler, stream=compress_at_the_end),
    ),
    # A run whose stream is completed, and which GET shows as going on for ever, breaks a MUST that says so.
    row(
        "keeps-the-first-look: bg.settles bg.result bg.transition bg.create cancel.state resume.opens"
        " -> fail bg.result/outlived cancel.state, blocked bg.settles",
        said=("it comes from a cache", "(1 cause: bg.result/outlived)"),
        get=keep_the_first_look,
        **SHORT,
    ),
    row(
        "keeps-the-first-look-unmarked: bg.result -> fail bg.result/outlived",
        said=("it comes from a cache, as a GET with another query shows",),
        get=lambda self, usual, run, query: (
            usual(run, query) if query else self.noted.setdefault(run.id, usual(run, query))
        ),
        **SHORT,
    ),
    row("sends-its-age: bg.* get.* cancel.* resume.opens", get=send_its_age),
    row(f"forgets-what-changes: {GETS}", handler=vary(FOR_EVER, dispatch=forget_what_changes)),
    row(
        "keeps-paths: get.* del.gone resume.* -> fail get.ok/query del.gone resume.opens",
        said=("a cache before the target ignores the query", "(1 cause: get.ok/query)"),
        handler=keep_for_ever(lambda self: urlsplit(self.path).path),
    ),
    # What a limit refuses breaks no rule, and what is refused although nothing limits the rate does.
    row(
        f"limits: {CREATES} -> exit 4",
        said=("limits the rate or number of requests: of ", "with 503", "never (first POST /v1beta/interactions)"),
        handler=Limits,
        **BRIEFLY,
    ),
    row(
        f"limits-the-time: {CREATES} -> exit 4",
        said=("limits the time of a response, or of its queue, to 0.3",),
        handler=vary(Limits, send=think_first),
        **BRIEFLY,
    ),
    row(f"limits-few: {CREATES} -> exit 0", handler=vary(Limits, most=1_000), **BRIEFLY),
    row("lacks-streams: stream.opens -> fail stream.opens", handler=vary(Handler, stream=lack), **BRIEFLY),
    # Another finding about a result does not hide a deletion that is not done.
    row(
        f"deletes-nothing: {GETS} -> fail bg.result del.gone",
        delete=lambda self, usual, run: {},
        show=hold_nothing,
    ),
]


test_one_fact_is_one_finding = hold_each(ROWS)
"""What a proxy does is told under one rule, and what the standards allow under none."""
