"""Foreign servers with bugs of every day, in each mode where they can appear, each beside a correct odd one.

Caches that leave out the query, results of functions that are lost in one form, readings from a copy that is late,
pools of workers, pages that count wrongly, keep-alive lines of another task, and letters that are normalized.
"""

from __future__ import annotations

import gzip
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from unicodedata import normalize
from urllib.parse import urlsplit

import pytest

from tests.foreign.answering import Json, Refused
from tests.foreign.rows import each, hold_each, refuse, rows_of, vary, without
from tests.foreign.server import Handler, Run, as_list, say
from tests.foreign.test_collections import IN_A_PROJECT, ListsInteractions
from tests.foreign.test_modes import Calling
from tests.foreign.test_pairs import AGAIN, Conducts, ConductsTwice
from tests.foreign.test_turns import list_texts

pytestmark = pytest.mark.slow

Events = Iterator[tuple[float, Json]]


class Everyday(Conducts):
    """Correct: it takes results in each form, repeats other inputs, and shows them to whoever asks for it."""

    def prepare(self, run: Run) -> None:
        super().prepare(run)
        if not self.waits(run) and not self.results_of(run.body):
            run.steps = [say(" ".join(list_texts(run.body["input"])))]

    def read(self, results: list[str]) -> str:
        return " ".join(["The report is this:", *results])

    def shows_input(self, query: Json) -> bool:
        """Whether a GET shows the input."""
        return query.get("include_input") == "true"

    def get(self, run: Run, query: Json) -> Any:
        shown = super().get(run, query)
        if not isinstance(shown, dict) or "steps" not in shown or not self.shows_input(query):
            return shown
        return {**shown, "steps": [*self.keep(run), *shown["steps"]]}

    def keep(self, run: Run) -> list[Json]:
        """The steps of the stored input."""
        results = [one for one in as_list(run.body["input"]) if one.get("type") == "function_result"]
        return results or [{**say(" ".join(list_texts(run.body["input"]))), "type": "user_input"}]


class Twice(Everyday, ConductsTwice):
    """Correct: it makes two calls, and takes their results together."""


def take_the_first(self: Twice, usual: Any, run: Run) -> None:
    """Take the first of several results, and call again for what is open."""
    run.body = {**run.body, "input": as_list(run.body["input"])[:1] or run.body["input"]}
    Calling.prepare(self, run)


def cache(keeps: Callable[[Json], bool], key: Callable[[Any], str] = lambda self: urlsplit(self.path).path) -> Any:
    """A change of `dispatch`: a GET of a settled run whose query fits comes from a cache with this key."""

    def dispatch(self: Any, usual: Any, data: bytes) -> Any:
        kept = self.service.noted
        if self.command != "GET" or not keeps(self.query):
            kept.pop(urlsplit(self.path).path.removesuffix("/cancel"), None)
            return usual(data)
        if key(self) not in kept:
            value = usual(data)
            value = value if isinstance(value, dict) else list(value)
            if isinstance(value, dict) and value.get("status") == "in_progress":
                return value
            kept[key(self)] = value
        return kept[key(self)]

    return vary(Handler, dispatch=dispatch)


def split_query(self: Any) -> list[str]:
    """The parts of a query, as they are."""
    return [part for part in urlsplit(self.path).query.split("&") if part]


def is_plain(query: Json) -> bool:
    """Whether a GET is answered as a whole."""
    return query.get("stream") != "true"


def has(kind: type, mode: str = "") -> Callable[[Json], bool]:
    """Whether a create has a result of this type, in this mode."""

    def found(body: Json) -> bool:
        results = (one.get("result") for one in as_list(body.get("input")) if isinstance(one, dict))
        return any(isinstance(one, kind) for one in results) and (not mode or bool(body.get(mode)))

    return found


def lose(kind: type, mode: str = "") -> Any:
    """A change of `results_of`: the model reads no result of this type, in this mode."""
    return lambda self, usual, body: [""] if has(kind, mode)(body) else usual(body)


def quote(*, remembers: bool) -> Any:
    """A change of `prepare`: results are answered by the texts of the turn, and by the question it remembers."""

    def prepare(self: Everyday, usual: Any, run: Run) -> None:
        usual(run)
        if self.results_of(run.body):
            parent = self.parent_of(run.body) if remembers else None
            asked = [] if parent is None else list_texts(parent.body["input"])
            run.steps = [say(" ".join([*asked, *list_texts(run.body["input"])]))]

    return prepare


def store_none(kind: type) -> Any:
    """A change of `keep`: results of this type are not stored."""
    return lambda self, usual, run: [one for one in usual(run) if not isinstance(one.get("result"), kind)]


def store_as_texts(self: Everyday, usual: Any, run: Run) -> list[Json]:
    """Correct: whatever its form was, a result is stored as a list of texts."""
    return [
        {**one, "result": [{"type": "text", "text": str(one["result"])}]} if "result" in one else one
        for one in usual(run)
    ]


def store_objects_as(write: Callable[[Any], str]) -> Any:
    """An object as the result of a function is stored as text."""
    return lambda self, usual, run: [
        {**one, "result": write(one["result"])} if isinstance(one.get("result"), dict) else one
        for one in usual(run)
    ]


def show_before(run: Run, shown: Json) -> Json:
    """A run as a copy shows it that has not heard of its end."""
    return {**without(shown, "steps", "usage"), "status": "in_progress", "updated": shown["created"]}


def lag(when: Callable[[Run], bool]) -> Any:
    """A change of `get`: a GET shows a run as it was before, for a while."""

    def get(self: Everyday, usual: Any, run: Run, query: Json) -> Any:
        shown = usual(run, query)
        return show_before(run, shown) if is_plain(query) and when(run) else shown

    return get


def read_two_copies(self: Everyday, usual: Any, run: Run, query: Json) -> Any:
    """Read from two copies in turn, of which one hears of an end late."""
    shown = usual(run, query)
    if not is_plain(query) or run.status == "in_progress" or run.age > run.lasts + 1.0:
        return shown
    self.noted[run.id] = self.noted.get(run.id, 0) + 1
    return show_before(run, shown) if self.noted[run.id] % 2 == 0 else shown


class Pool(Everyday):
    """Correct: it has so many workers for streams, and says so; `full` is what it does if all are busy."""

    lasts = 0.5
    most = 8

    def __init__(self) -> None:
        super().__init__()
        self.free = threading.Semaphore(self.most)

    def full(self) -> None:
        """Refuse, or wait."""
        raise Refused(429, "rate_limit_exceeded")


class PoolHandler(Handler):
    """Takes a worker for each stream of a create, and gives it back at its end."""

    def dispatch(self, data: bytes) -> Any:
        value, pool = super().dispatch(data), self.service
        if isinstance(value, dict) or self.command != "POST":
            return value
        if not pool.free.acquire(blocking=False):
            pool.full()
        return self.release(pool, value)

    def release(self, pool: Pool, events: Events) -> Events:
        """The events, and the end of the work; each takes a moment."""
        try:
            for event in events:
                self.closed.wait(0.02)
                yield event
        finally:
            pool.free.release()

    def stream(self, events: Any) -> None:
        try:
            super().stream(events)
        finally:
            events.close()


Pool.handler = PoolHandler


class ReadersHandler(PoolHandler):
    """Correct: a run has two readers by GET, and who leaves makes room for another one."""

    forgets = 1

    def dispatch(self, data: bytes) -> Any:
        value, run, readers = super().dispatch(data), urlsplit(self.path).path, self.service.noted
        if self.command != "GET" or isinstance(value, dict):
            return value
        if readers.setdefault(run, 0) >= 2:
            raise Refused(429, "too_many_requests")
        readers[run] += 1
        return self.count(value, run)

    def count(self, events: Events, run: str) -> Events:
        """The events; whoever gets no more of them is no reader."""
        ended = 0
        try:
            yield from events
            ended = 1
        finally:
            self.service.noted[run] -= ended or self.forgets


class RunsPool(Pool):
    """Wrong: it has so many connections for background runs, and fails without one."""

    def admit(self, body: Json) -> None:
        super().admit(body)
        going = [run for run in list(self.runs.values()) if run.status == "in_progress"]
        if body.get("background") and len(going) >= self.most:
            raise Refused(500, "api_error", "QueuePool limit of size 5 overflow 3 reached")


RunsPool.handler = Handler


def wait_for_ever(self: Pool, usual: Any) -> None:
    """Never give the worker to whoever waits for one."""
    self.closed.wait()
    raise ConnectionAbortedError


class BreaksOff(PoolHandler):
    """Wrong: a stream that finds no connection to the database for its events breaks off."""

    def dispatch(self, data: bytes) -> Any:
        value, pool = Handler.dispatch(self, data), self.service
        if isinstance(value, dict) or self.command != "POST":
            return value
        few = (event for event in itertools.islice(value, 4))
        return self.release(pool, value) if pool.free.acquire(blocking=False) else few


def take_the_newest(self: Everyday, usual: Any, run: Run) -> None:
    """A change of `prepare`, which is wrong: what a stream answers is kept where another request finds it."""
    self.noted["now"] = own = run.body
    time.sleep(0.02 if own.get("stream") else 0.0)
    run.body = self.noted["now"]
    usual(run)
    run.body = own


class Pings(Handler):
    """Correct: it keeps a connection alive between events with a comment."""

    def encode_due(self, events: Events) -> Iterator[bytes]:
        before = 0.0
        for due, event in events:
            frame = next(super().encode_due(iter([(due, event)])))
            yield self.ping(frame) if due - before > 0.1 else frame
            before = due
        yield self.service.closing()

    def ping(self, frame: bytes) -> bytes:
        """A frame, and what another task writes."""
        return b": ping\n\n" + frame


def tear(self: Pings, usual: Any, frame: bytes) -> bytes:
    """Write a comment in the middle of a delta."""
    return frame[:-20] + b": ping\n\n" + frame[-20:] if b"step.delta" in frame else frame


def want_a_length(self: Handler, usual: Any, data: bytes) -> Any:
    """Take no body in chunks."""
    if "transfer-encoding" in self.headers:
        raise Refused(411, "invalid_request", "A length is required.")
    return usual(data)


def decode_each(self: Handler, usual: Any) -> bytes:
    """Put the text of a body together, chunk by chunk."""
    text = ""
    while size := int(self.rfile.readline(), 16):
        text += self.rfile.read(size).decode("utf-8", "replace")
        self.rfile.readline()
    self.rfile.readline()
    return text.encode()


def number_every_other(event: Json) -> Json:
    """Give two events in a row one id."""
    name, _, number = event["event_id"].partition("-")
    return {**event, "event_id": f"{name}-{int(number) // 2}"} if number.isdecimal() else event


def keep_the_newest(self: Everyday, usual: Any, run: Run, query: Json) -> Any:
    """Stream again the newest events only, as of a buffer of some length."""
    shown = usual(run, query)
    if is_plain(query):
        return shown
    first = max(0, sum(due <= run.age for due, _ in shown) - 8)
    return shown[first:]


def report_in_streams(error: Callable[[Json], Any]) -> Any:
    """A change of `dispatch`: a rejected create of a stream is a stream with an error event."""

    def dispatch(self: Handler, usual: Any, data: bytes) -> Any:
        try:
            return usual(data)
        except Refused as refusal:
            if b'"stream": true' not in data and b'"stream":true' not in data:
                raise
            return [(0.0, {"error": error(refusal.body["error"]), "event_type": "error"})]

    return vary(Handler, dispatch=dispatch)


def name_some_oddly(event: Json) -> Json:
    """Odd, but right: some ids end as base64 does."""
    name = event["event_id"]
    return {**event, "event_id": f"{name}=" if name[-1] in "24680" else name}


def subscribe_late(self: Everyday, usual: Any, run: Run, query: Json) -> Any:
    """Stream what has happened and what will happen, but not what does meanwhile."""
    events = usual(run, query)
    return events if is_plain(query) else [event for event in events if not 0 < event[0] - run.age < 0.5]


def number_pages(self: ListsInteractions, usual: Any, query: Json) -> Json:
    """Correct: a token says nothing to a client, and names the next entry, whatever is added meanwhile."""
    first, size = query.get("page_token", "")[::-1], min(int(query.get("page_size", 10)), 10)
    names = list(itertools.dropwhile(lambda name: first not in ("", name), reversed(self.runs)))
    token = {"next_page_token": names[size][::-1]} if size < len(names) else {}
    return {"interaction_metadatas": [{"id": name} for name in names[:size]], **token}


def share_steps(self: Everyday, usual: Any, run: Run) -> None:
    """Answer each run in words of its own, and keep the steps of all in one list."""
    run.steps = self.noted.setdefault("steps", [])
    run.steps.append(say(f"This is the answer number {run.id}, to its own input alone."))


def share_stored_steps(self: Everyday, usual: Any, run: Run, query: Json) -> Any:
    """Show the steps of all, under any id."""
    shown = usual(run, query)
    if isinstance(shown, dict) and "steps" in shown:
        return {**shown, "steps": [step for one in list(self.runs.values()) for step in one.steps]}
    return shown


def show_the_conversation(self: Everyday, usual: Any, run: Run, query: Json) -> Any:
    """Odd, but right: show the turns before, inputs and outputs, wherever the input is shown."""
    shown, before = usual(run, query), []
    while (run := self.parent_of(run.body)) is not None and self.shows_input(query) and "steps" in shown:
        before = [*self.keep(run), *run.steps, *before]
    return {**shown, "steps": [*before, *shown["steps"]]} if before else shown


def show_the_children(self: Everyday, usual: Any, run: Run, query: Json) -> Any:
    """Show the turns after this one, as if they were its own."""
    shown, runs = usual(run, query), list(self.runs.values())
    children = [one for one in runs if one.body.get("previous_interaction_id") == run.id]
    later = [step for one in children for step in (*self.keep(one), *one.steps)]
    return {**shown, "steps": [*shown["steps"], *later]} if later and "steps" in shown else shown


class Thinks(Everyday):
    """Correct: it signs a thought before each answer, and stores it."""

    def prepare(self, run: Run) -> None:
        super().prepare(run)
        run.steps = [{"type": "thought", "signature": "c2lnbmVk"}, *run.steps]


def store_thoughts(change: Callable[[Json], list[Json]]) -> Any:
    """A change of `get`: other steps take the place of each thought."""

    def get(self: Thinks, usual: Any, run: Run, query: Json) -> Any:
        shown = usual(run, query)
        if not isinstance(shown, dict) or "steps" not in shown:
            return shown
        kept = (change(step) if step["type"] == "thought" else [step] for step in shown["steps"])
        return {**shown, "steps": [*itertools.chain(*kept)]}

    return get


def take_time(seconds: float) -> str:
    """A time as the API writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def stamp_the_look(self: Everyday, usual: Any, run: Run, query: Json) -> Any:
    """Show the time of the GET in place of those of the run."""
    shown, now = usual(run, query), take_time(time.time())
    return {**shown, "created": now, "updated": now} if is_plain(query) else shown


def stamp_the_end(self: Everyday, usual: Any, run: Run) -> Json:
    """Odd, but seen: both times of a run are those of its end."""
    shown: Json = usual(run)
    now = take_time(run.begun + (run.lasts if shown["status"] != "in_progress" else 0))
    return {**shown, "created": now, "updated": now}


def limit(status: int, size: int) -> type[Handler]:
    """A handler that refuses larger bodies."""

    def dispatch(self: Handler, usual: Any, data: bytes) -> Any:
        if len(data) > size:
            raise Refused(status, "invalid_request", "The body is too large.")
        return usual(data)

    return vary(Handler, dispatch=dispatch)


RESULTS = "tool.result-ok tool.result-forms tool.result-error get.own-input"
READS = "get.* bg.* cancel.* resume.opens"
PARALLEL = "rob.concurrent-streams err.no-crash stream.done"
SLOW = {"lasts": 2.0}


class OneWorker(Handler):
    """Responds to one request at a time, and a stream is one until its end."""

    worker = threading.Lock()

    def handle_any(self) -> None:
        with self.worker:
            super().handle_any()

    do_GET = do_POST = do_DELETE = handle_any


class Compresses(Handler):
    """Correct: it compresses JSON for clients that take gzip."""

    def send(self, status: int, kind: str, plain: bytes, headers: Json) -> None:
        coded = "gzip" in self.headers.get("accept-encoding", "")
        data = gzip.compress(plain) if coded else plain
        length = str(self.measure(plain, data))
        fields = {
            "content-type": kind,
            "content-length": length,
            **({"content-encoding": "gzip"} if coded else {}),
        }
        self.send_response(status)
        for name, text in {**fields, **headers}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data)
        self.close_connection = length != str(len(data))

    def measure(self, plain: bytes, data: bytes) -> int:
        """The Content-Length."""
        return len(data)


def cut_pairs(size: int) -> Any:
    """A change of `pieces`: the text is cut as strings of JavaScript are, after so many units."""

    def pieces(self: Everyday, usual: Any, run: Run, text: str) -> list[str]:
        units = text.encode("utf-16-le")
        parts = [units[at : at + 2 * size] for at in range(0, len(units), 2 * size)]
        return [part.decode("utf-16-le", "surrogatepass") for part in parts]

    return pieces


def find_like(self: Everyday, usual: Any, identity: str) -> Run:
    """Compare ids as LIKE does, in which `%` is any text."""
    return next(iter(list(self.runs.values())), None) or usual("") if identity == "%25" else usual(identity)


def name_the_unstored(self: Everyday, usual: Any, body: Json) -> Any:
    """Answer with an id also what is not stored."""
    made = usual(body)
    return {**made, "id": "unstored"} if body.get("store") is False and isinstance(made, dict) else made


def make_what_it_lacks(self: Everyday, usual: Any, identity: str) -> Run:
    """Take an empty interaction in place of one that is not there."""
    return self.runs.get(identity) or Run(identity, {"model": "gemini-3.8-flash"}, 0.0, 1)


def store_steps_late(self: Thinks, usual: Any, run: Run, query: Json) -> Any:
    """Show the end of a background run without its steps, for the first time."""
    ended = run.body.get("background") and not run.cancelled_at and run.age >= run.lasts
    if not ended or not is_plain(query) or run.id in self.noted:
        return usual(run, query)
    self.noted[run.id] = True
    return without(usual(run, query), "steps")


def number_the_newest(self: Everyday, usual: Any, body: Json) -> int:
    """Read the id of a streamed create as the newest one of another."""
    return int(list(self.runs)[-1].removeprefix("i")) if body.get("stream") and self.runs else int(usual(body))


def name_the_newest(self: Everyday, usual: Any, body: Json) -> Any:
    """Read the id of a create that is not stored as the newest one that is."""
    made = usual(body)
    if body.get("store") is not False or body.get("stream") or not self.runs:
        return made
    return {**made, "id": list(self.runs)[-1]}


def take_id(self: Everyday, usual: Any, body: Json) -> Any:
    """Name a run as its create says."""
    made = usual(body)
    return {**made, "id": body["id"]} if "id" in body and isinstance(made, dict) else made


def follow_all(self: Everyday, usual: Any, run: Run, query: Json) -> Any:
    """Resume the stream of all runs."""
    events = usual(run, query)
    others = [event for other in [*self.runs.values()] if other.id > run.id for event in self.events(other)]
    return [*events, *others] if "last_event_id" in query and run.age > run.lasts else events


def send_once(self: Everyday, usual: Any, run: Run, query: Json) -> Any:
    """Take the events of a run from a queue, so that each has one reader."""
    shown, sent = usual(run, query), self.noted.setdefault(f"queue {run.id}", set())
    if query.get("stream") != "true":
        return shown
    return ((due, event) for due, event in shown if not (event["event_id"] in sent or sent.add(event["event_id"])))


def grow(self: ListsInteractions, usual: Any, query: Json) -> Json:
    """Another client creates an interaction before each page."""
    self.runs |= {f"x{len(self.runs)}": next(iter(self.runs.values()))} if self.runs else {}
    return usual(query)


NAMED = Everyday.takes | {"id"}
LONG = "create.large create.long-input"
SHOWN = "create.ok get.* stream.* bg.* chain.*"
SIGNED = "get.* stream.signature stream.equals-get"

row, thinks, pool, lists, twice = map(rows_of, (Everyday, Thinks, Pool, ListsInteractions, Twice))
ROWS = [
    # A cache in front of GET: its key is the whole address.
    row(f"caches-addresses: {READS} -> exit 0", handler=cache(is_plain, lambda self: self.path)),
    row(f"caches-what-shows-all: {READS} -> exit 0", handler=cache(is_plain), shows_input=lambda *_: True),
    row(f"caches-without-query: {READS} -> fail get.own-input/query, exit 1", handler=cache(is_plain),
        said=["a cache ignores the query"]),
    row("caches-streams-without-query: resume.* stream.* -> fail resume.exclusive stream.first, exit 1",
        handler=cache(lambda query: not is_plain(query)), said=["(1 cause: resume.exclusive/restart)"]),
    row("caches-both-without-query: get.* resume.* -> fail get.ok/query get.own-input/query resume.exclusive",
        handler=cache(lambda query: True), said=["(1 cause: get.ok/query)"]),
    # A result is a string, an object or a list; how it is stored is the server's choice, but not whether.
    row(f"takes-results: {RESULTS} -> rest pass"),
    row(f"stores-texts: {RESULTS} -> rest pass", keep=store_as_texts),
    row(f"stores-decimals-as-texts: {RESULTS} -> fail get.own-input/result", shows_input=lambda *_: True,
        keep=lambda self, usual, run: json.loads(json.dumps(usual(run)), parse_float=str)),
    row(f"stores-objects-as-json: {RESULTS} -> rest pass", keep=store_objects_as(json.dumps)),
    row(f"stores-printed-objects: {RESULTS} -> fail get.own-input/result", shows_input=lambda *_: True,
        keep=store_objects_as(str)),
    row(f"refuses-empty-results: {RESULTS} -> warn tool.result-forms/empty, exit 0",
        admit=refuse(400, lambda body: any(one.get("result") == "" for one in as_list(body["input"])))),
    row(f"shows-no-results: {RESULTS} -> rest pass", keep=store_none(object)),
    row(f"refuses-strings: {RESULTS} -> fail tool.result-ok tool.result-forms, warn tool.result-error",
        admit=refuse(400, has(str))),
    row(f"refuses-objects: {RESULTS} -> fail tool.result-forms", admit=refuse(400, has(dict))),
    # Whether the question is quoted is the model's choice, but one that it reads is not lost before a result.
    row(f"quotes-the-question: {RESULTS} -> rest pass", prepare=quote(remembers=True)),
    row(f"forgets-the-question: {RESULTS} -> fail tool.result-ok/forgotten, exit 1",
        prepare=quote(remembers=False),
        said=["no turn with the result of a call includes the question before the call"]),
    row(f"refuses-objects-in-streams: {RESULTS} -> fail tool.result-forms",
        thorough=True, admit=refuse(400, has(dict, "stream"))),
    row(f"loses-objects-in-streams: {RESULTS} -> fail tool.result-forms/unread", thorough=True,
        results_of=lose(dict, "stream")),
    row(f"loses-strings: {RESULTS} -> fail tool.result-forms/unread", results_of=lose(str)),
    row(f"loses-strings-in-streams: {RESULTS} -> fail tool.result-forms/unread", thorough=True,
        results_of=lose(str, "stream")),
    row(f"loses-lists-in-streams: {RESULTS} -> fail tool.result-forms/unread", results_of=lose(list, "stream"),
        said=["does not read a result that is sent as a list in a stream"]),
    row("stores-no-errors: tool.result-error get.own-input -> warn get.own-input/error",
        shows_input=lambda *_: True,
        keep=lambda self, usual, run: [{**one, "is_error": None} for one in usual(run)]),
    row(f"stores-no-strings: {RESULTS} -> fail tool.result-forms/unstored", keep=store_none(str)),
    row(f"stores-no-objects: {RESULTS} -> fail tool.result-forms/unstored", keep=store_none(dict)),
    # A body is bytes, and may come in pieces that end within a character; a server may want its length.
    row("takes-no-chunks: create.unicode http.chunked -> pass create.unicode, exit 0",
        shows_input=lambda *_: True, handler=vary(Handler, dispatch=want_a_length)),
    row("decodes-pieces: create.unicode http.chunked get.own-input -> fail create.unicode, exit 1",
        shows_input=lambda *_: True, handler=vary(Handler, read_chunks=decode_each)),
    # A model may call again when it has both results; a server that has lost one of them shows the other.
    twice("takes-both: tool.parallel get.own-input -> rest pass", shows_input=lambda *_: True),
    twice("calls-again: tool.parallel get.own-input -> exit 0", shows_input=lambda *_: True, **AGAIN),
    twice("takes-the-first: tool.parallel get.own-input -> fail get.own-input/result, exit 1",
        shows_input=lambda *_: True, said=["GET shows only some of the function results of the create"],
        **{**AGAIN, "prepare": take_the_first}),
    # A background turn that never ends has no output to judge, and the run says which kind does not end.
    row("ends-no-background-turn: chain.background bg.settles -> rest pass untestable, exit 4",
        length_of=lambda self, usual, body: usual(body) * (1000 if "previous_interaction_id" in body else 1),
        said=["INCOMPLETE: no chained background run completed: 1 run was looked at 8 times"]),
    row("ends-background-turns-late: chain.background bg.settles -> rest pass, exit 0",
        length_of=lambda self, usual, body: usual(body) * (5 if "previous_interaction_id" in body else 1)),
    # A copy may be late, until one look has shown the end: a client that polls goes on.
    row(f"late-after-the-end: {READS} -> exit 0", get=lag(
        lambda run: bool(run.body.get("background")) and not run.cancelled_at and run.age < run.lasts + 0.3
    )),
    row(f"late-after-a-cancel: {READS} -> exit 0", lasts=3.0, get=lag(
        lambda run: run.cancelled_at is not None and time.monotonic() < run.cancelled_at + 0.3
    )),
    row("streams-unsaved: stream.equals-get stream.end-matches-get -> "
        "fail stream.equals-get, warn stream.end-matches-get/unsettled, exit 1",
        show=lambda self, usual, run: show_before(run, usual(run)) if run.body.get("stream") else usual(run),
        said=["(1 cause: stream.end-matches-get/unsettled)"]),
    row("two-copies: bg.* -> fail bg.no-regress/left-end, warn bg.updated/", get=read_two_copies),
    row("late-after-a-create: get.ok bg.no-regress -> fail bg.no-regress/left-end, exit 1",
        get=lag(lambda run: not run.body.get("background") and run.age < 0.3)),
    # Eight workers, and nine streams or runs: the last is told to come later, or waits for its turn.
    pool(f"refuses-the-ninth: {PARALLEL} -> rest pass, exit 0"),
    pool(f"queues-the-ninth: {PARALLEL} -> rest pass, exit 0", full=lambda self, usual: self.free.acquire()),
    pool(f"fails-at-the-ninth: {PARALLEL} -> fail err.no-crash", full=refuse(500)),
    rows_of(RunsPool)(f"fails-at-the-ninth-run: {PARALLEL} -> fail err.no-crash"),
    pool(f"forgets-the-ninth: {PARALLEL} -> fail rob.concurrent-streams/hangs", words="--timeout 15",
        full=wait_for_ever),
    pool(f"breaks-off: {PARALLEL} stream.terminal -> fail rob.concurrent-streams/cut stream.terminal, exit 1",
        handler=BreaksOff, most=2, said=["1 cause: rob.concurrent-streams/cut"]),
    row(f"takes-the-newest: {PARALLEL} -> fail rob.concurrent-streams/mixed, exit 1", prepare=take_the_newest),
    # Two readers of a run have left, and the stream of its create; then nobody can read it.
    pool("forgets-readers: resume.from-create -> rest pass", handler=ReadersHandler, lasts=2.0, most=99),
    pool("counts-readers-that-left: resume.from-create -> fail resume.from-create/readers, exit 1",
        handler=vary(ReadersHandler, forgets=0), lasts=2.0, most=99),
    # One worker: a cancel waits for the end of a stream, and streams of other exercises do not hide that.
    row("has-one-worker: cancel.ok stream.text bg.result resume.finished -> fail cancel.ok/blocked, exit 1",
        handler=OneWorker, lasts=3.0),
    # A stream that is silent for long enough is kept alive: between events.
    row("pings: stream.* bg.* resume.* -> exit 0", handler=Pings, **SLOW),
    row("tears: stream.* -> fail stream.json/syntax", handler=vary(Pings, ping=tear), **SLOW),
    # Ids that count the events of a while, and a stream that misses what comes while it is opened, are one defect.
    row("repeats-ids: stream.* -> fail stream.evid-unique, exit 1", events=each(number_every_other),
        said=["(1 cause: stream.evid-unique)"], **SLOW),
    row("keeps-the-newest: resume.* stream.* -> fail stream.first/midway resume.live, exit 1",
        get=keep_the_newest, said=["(1 cause: stream.first/midway)"],
        prepare=lambda self, usual, run: run.steps.append(say(" ".join(map(str, range(40))))), **SLOW),
    # An error event is judged wherever one comes, though only a script can ask for one.
    row("reports-in-streams: stream.* err.stream-prestream -> exit 0",
        handler=report_in_streams(lambda error: error)),
    row("reports-in-words: stream.* err.stream-prestream -> fail stream.error-shape, exit 1",
        handler=report_in_streams(lambda error: error["message"])),
    row("names-oddly: resume.* -> exit 0", events=each(name_some_oddly)),
    row("reads-addresses-raw: resume.* -> fail resume.no-gap/encoded, exit 1", events=each(name_some_oddly),
        get=refuse(400, lambda run, query: "=" in query.get("last_event_id", "")),
        said=["(1 cause: resume.no-gap/encoded)"]),
    row("reads-no-escapes: resume.* -> fail resume.no-gap/encoded, exit 1",
        events=each(lambda event: {**event, "event_id": f"{event['event_id']}/="}),
        handler=vary(Handler, query=property(lambda self: dict(part.split("=", 1) for part in split_query(self)))),
        said=["(1 cause: resume.no-gap/encoded)"]),
    row("subscribes-late: resume.* stream.*"
        " -> fail resume.live stream.start-before, warn resume.two-readers, exit 1",
        get=subscribe_late, said=["(1 cause: resume.live/lost)"], **SLOW),
    row("sends-once: resume.replay resume.no-gap stream.first"
        " -> fail resume.no-gap stream.first, warn resume.replay/consumed, exit 1", get=send_once,
        said=["(1 cause: resume.replay/consumed)"]),
    row("follows-all: resume.exclusive stream.id-constant stream.index-reuse stream.completed-last"
        " -> fail stream.id-constant stream.index-reuse stream.completed-last, exit 1", get=follow_all, lasts=0.1,
        said=["(1 cause: stream.id-constant)"]),
    # Its page is never larger than ten, and the second one begins where the first one ends.
    lists("pages-of-ten: page.interactions -> rest pass", words=IN_A_PROJECT, most=10),
    lists("names-the-next: page.interactions -> rest pass", words=IN_A_PROJECT, list=number_pages),
    lists("skips-one-of-ten: page.interactions -> fail page.interactions", words=IN_A_PROJECT, most=10, off=1),
    lists("repeats-one-of-ten: page.interactions -> fail page.interactions", words=IN_A_PROJECT, most=10, off=-1),
    lists("grows-in-between: page.interactions -> warn page.interactions", words=IN_A_PROJECT, most=9, list=grow),
    # Only the server gives ids. A stream that has no letter where its input has one has cut it.
    row("takes-ids: create.id-unique -> fail create.id-unique, exit 1", create=take_id, takes=NAMED),
    row("leaves-ids-out: create.id-unique -> rest pass", takes=NAMED),
    row("decodes-each-piece: stream.letters -> fail stream.letters",
        pieces=lambda self, usual, run, text: [text.replace("ż", "\ufffd\ufffd")]),
    # One list for the steps of all runs is one defect, wherever it shows.
    row(f"shares-steps: {SHOWN} -> fail create.ok/shared, exit 1", prepare=share_steps, said=["(1 cause: "]),
    row(f"shares-stored-steps: {SHOWN} -> fail create.ok/shared, exit 1",
        get=share_stored_steps, said=["(1 cause: "],
        prepare=lambda self, usual, run: run.steps.append(say(f"This is the answer number {run.id}."))),
    row(f"shows-the-conversation: {SHOWN} -> warn get.same get.matches-post, exit 0",
        get=show_the_conversation),
    row(f"shows-the-children: {SHOWN} -> fail get.matches-post stream.text, warn chain.parent-unchanged/steps",
        get=show_the_children, shows_input=lambda *_: True, said=["(1 cause: chain.parent-unchanged/steps)"]),
    # A time of creation stays, though some servers stamp it when a run ends.
    row("stamps-looks: get.constant -> fail get.constant/created, exit 1", get=stamp_the_look),
    row("stamps-saves: get.constant bg.settles -> fail get.constant, exit 1", said=["more than once"], **SLOW,
        get=lambda self, usual, run, query: {**usual(run, query), "created": take_time(run.begun + 20 * run.age)}
        if is_plain(query) and run.age < run.lasts else usual(run, query)),
    row("stamps-ends: get.* bg.* stream.bg-and-stream -> warn get.constant/created, exit 0",
        show=stamp_the_end, **SLOW),
    # A client that continues without storing sends thoughts back with their signatures.
    thinks(f"signs: {SIGNED} -> exit 0"),
    thinks(f"stores-no-signatures: {SIGNED} -> fail get.matches-post/signature stream.signature/stored, exit 1",
        get=store_thoughts(lambda step: [without(step, "signature")]),
        said=["(1 cause: get.matches-post/signature)", "GET lacks the signature with which thought 0 was shown"]),
    thinks(f"stores-no-thoughts: {SIGNED} -> fail get.matches-post/signature stream.signature/stored, exit 1",
        get=store_thoughts(lambda step: [])),
    thinks(f"signs-anew: {SIGNED} -> warn get.matches-post/ stream.equals-get/, exit 0",
        get=store_thoughts(lambda step: [{**step, "signature": "YWdhaW4="}])),
    # A body that a small model could read is refused for its size alone; a model may have a small window.
    row(f"takes-long-bodies: {LONG} -> exit 0"),
    row(f"limits-bodies: {LONG} -> fail create.long-input/limit, warn create.large/limit, exit 1",
        handler=limit(413, 8192), said=["(1 cause: create.long-input/limit)"]),
    row(f"dislikes-bodies: {LONG} -> fail create.long-input/limit, exit 1", handler=limit(400, 8192)),
    row(f"reads-64-kilobytes: {LONG} create.ok -> fail create.long-input/limit create.ok/denied, exit 1",
        handler=vary(Handler, dispatch=lambda self, usual, data: usual(data[: 64 << 10])),
        said=["(1 cause: create.long-input/limit)"]),
    row(f"has-a-small-window: {LONG} -> not_applicable create.long-input, exit 0",
        admit=refuse(400, lambda body: len(str(body["input"])) > 8192)),
    # What is compressed is shorter than what is not; errors are compressed, too.
    row("compresses: http.* get.* create.ok -> exit 0", handler=Compresses),
    row("compresses-with-the-old-length: http.* get.* create.ok -> fail http.length, exit 1",
        handler=vary(Compresses, measure=lambda self, usual, plain, data: len(plain)),
        said=["(1 cause: http.length)"]),
    # A letter of two units is cut at even places or at odd ones.
    *(row(f"cuts-after-{size}: stream.surrogates -> warn stream.surrogates", pieces=cut_pairs(size))
      for size in (10, 11)),
    row("cuts-letters: stream.text stream.surrogates -> exit 0",
        pieces=lambda self, usual, run, text: [text[at : at + 13] for at in range(0, len(text), 13)]),
    # A lookup of ids: a pattern is one more unknown id.
    row("dislikes-patterns: get.* -> exit 0",
        find=refuse(400, lambda identity: "%" in identity)),
    row("finds-patterns: get.* -> fail get.unknown, exit 1", words="-j 1", find=find_like),
    row("makes-what-it-lacks: store.false-get get.unknown resume.unknown -> fail store.false-get get.unknown,"
        " warn resume.unknown, exit 1", find=make_what_it_lacks, create=name_the_unstored,
        said=["(1 cause: get.unknown)"]),
    # The id of another run: all that is about it is one defect.
    row("names-the-newest: create.id-unique store.false-get -> fail create.id-unique store.false-get, exit 1",
        create=name_the_newest,
        number=number_the_newest,
        said=["(1 cause: create.id-unique)"]),
    # The status of a run is stored before its steps.
    thinks("stores-steps-late: bg.result stream.signature -> fail bg.result/late stream.signature/stored, exit 1",
           get=store_steps_late, said=["(1 cause: bg.result/late)"]),
    # Two letters that look the same are two texts.
    row("repeats-letters: stream.text create.unicode -> rest pass untestable"),
    row("normalizes-streams: stream.text -> fail stream.text",
        pieces=lambda self, usual, run, text: [normalize("NFC", piece) for piece in usual(run, text)]),
    *(row(f"{name}-input: stream.text create.unicode -> warn create.unicode", shows_input=lambda *_: True,
          create=lambda self, usual, body, change=change: usual({**body, "input": change(body["input"])})
          if isinstance(body.get("input"), str) else usual(body))
      for name, change in (("normalizes", lambda text: normalize("NFC", text)), ("trims", str.strip))),
]  # fmt: skip


test_a_bug_of_every_day_is_found = hold_each(ROWS)
"""The defect has the code that names it, and what is odd beside it breaks no rule."""
