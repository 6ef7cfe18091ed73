"""A second API, small enough to read in a minute: notes, and a stream of the words of a note.

It has a contract, two rules, two checks, a service, a mutant, a stream protocol and a task for clients, and shares
nothing with the API that the harness is made for. `test_toy_api.py` runs it through the engine, the reports, the
cassettes, the faults and the bench of clients.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.faults.kinds import FEW_RESETS
from harness.kit.api import Api, ClientApi, Greeting, Probes, Question, ServerApi
from harness.kit.check import Check, Send, Steps, exercise
from harness.kit.client_model import LOSS, ClientMode, ClientModel, ClientWords, Defect, ScriptedService
from harness.outcome import Basis, Finding, Level, Rule, Source, TargetFault, Unmet
from harness.wire import (
    COMPLETE,
    Chunk,
    Chunked,
    Clock,
    Decoder,
    Exchange,
    Headers,
    LogicalClock,
    PieceBody,
    Request,
    Response,
    StreamProtocol,
)
from harness.wire.bodies import object_or_none
from harness.wire.secrets import SecretFields

JSON, EVENTS = (Headers([("content-type", kind)]) for kind in ("application/json", "text/event-stream"))


class NoDenials:
    """Judges no denials."""

    def note(self, exchange: Exchange) -> tuple[()]:
        """Find nothing."""
        return ()

    def for_service(self) -> NoDenials:
        """Keep nothing."""
        return self


class NoEnds:
    """Notes have no runs, so none of them fails."""

    def note(self, exchange: Exchange, /) -> None:
        """Do nothing."""

    def describe(self) -> tuple[str, ...]:
        """Nothing to say."""
        return ()


class NoteService:
    """Creates, reads and deletes notes; `/words` streams the words of one, after the word with number `after`."""

    lost = 0
    """The number of a word that is left out of every stream."""

    def __init__(self, contract: NoteContract, clock: Clock | None = None) -> None:
        self.contract = contract
        self.clock = clock or LogicalClock()
        self.notes: dict[str, str] = {}
        self.made = 0

    def __call__(self, request: Request) -> Response:
        if request.method == "POST":
            self.made += 1
            self.notes[f"n{self.made}"] = (object_or_none(request.body) or {})["text"]
            return self._note(f"n{self.made}")
        name = next((part for part in request.segments if part in self.notes), "")
        if not name:
            return Response.json(404, b'{"problem": "no such note"}')
        if request.method == "DELETE":
            del self.notes[name]
            return Response.json(200, b"{}")
        if request.segments[-1] != "words":
            return self._note(name)
        words = [*enumerate(self.notes[name].split(), 1)]
        after = int(request.parameter("after") or 0)
        events = [{"note": name, "at": at, "word": word} for at, word in words if at > after and at != self.lost]
        events.append({"note": name, "at": len(words) + 1, "end": True})
        chunks = [Chunk(f"data: {json.dumps(event)}\n\n".encode()) for event in events]
        return Response(200, EVENTS, Chunked(), PieceBody((*chunks, COMPLETE)))

    def _note(self, name: str) -> Response:
        return Response.json(200, json.dumps({"id": name, "text": self.notes[name]}).encode())


class LosesWords(NoteService):
    """A note service that never streams the second word."""

    lost = 2


class KeepsNotes(NoteService):
    """A note service that says that a note is deleted, and keeps it."""

    def __call__(self, request: Request) -> Response:
        notes = dict(self.notes)
        answer = super().__call__(request)
        self.notes = {**notes, **self.notes}
        return answer


RULES = {
    rule_id: Rule(
        id=rule_id,
        level=Level.MUST,
        statement=statement,
        breaks="Somebody's words are lost.",
        source=Source(Basis.DOCUMENTED, "Manual of notes", section),
    )
    for rule_id, section, statement in (
        ("note.readable", "Notes", "A note that was created can be read."),
        ("words.whole", "Words", "The stream of a note has all its words in order, and an end."),
    )
}


class NoteContract:
    """What the only revision promises."""

    revision = "1"

    def holds(self, rule: Rule) -> bool:
        """Every rule holds."""
        return True


class NoteReading:
    """What an exchange of the toy API says; nothing is judged of a single answer."""

    findings: tuple[Finding, ...] = ()
    crash: tuple[Finding, ...] = ()
    emptiness: tuple[Finding, ...] = ()
    unlisted: tuple[Finding, ...] = ()
    coded: tuple[Finding, ...] = ()
    ambiguous: tuple[Finding, ...] = ()
    judged: frozenset[str] = frozenset()

    def __init__(self, exchange: Exchange) -> None:
        request = exchange.request
        self.call = f"{request.method} {request.segments[-1]}" if "notes" in request.segments else ""
        self.is_resumed = request.parameter("after") is not None


@dataclass(frozen=True)
class NoteRequests:
    """Requests to a target of the toy API."""

    contract: NoteContract
    key: str
    other_key: str
    headers: tuple[tuple[str, str], ...]
    wait: float
    version: str = "v7"
    model: str = ""
    agent: str = ""
    capabilities: frozenset[str] = frozenset()
    says: Mapping[str, Any] = field(default_factory=dict)
    keeps = True

    def request(self, method: str, path: str, body: Any = None) -> Request:
        """A request below the version, with the key."""
        data = b"" if body is None else json.dumps(body).encode()
        return Request(method, f"/{self.version}/{path}", Headers([("note-key", self.key)]), data)

    def control(self, method: str, path: str, body: Any = None) -> Request:
        """A request to the control API, which this service does not have."""
        return Request(method, f"/__harness__/{path}")

    def with_says(self, says: Mapping[str, Any]) -> NoteRequests:
        """The same target; `says` is for creates."""
        return replace(self, says=says)

    def with_capabilities(self, present: frozenset[str], known: Any, says: Mapping[str, Any]) -> NoteRequests:
        """The same target with its capabilities."""
        return replace(self, capabilities=present, says=says)


@exercise(requests=3, interactions=1)
def words_of_a_note(t: NoteRequests) -> Steps:
    """Create a note, read it, and read the stream of its words."""
    created = yield Send(t.request("POST", "notes", {"text": "one two three"}))
    name = (object_or_none(created.body) or {}).get("id")
    if not isinstance(name, str):
        raise Unmet("the create brought no id")
    got = yield Send(t.request("GET", f"notes/{name}"))
    return {"got": got, "streamed": (yield Send(t.request("GET", f"notes/{name}/words")))}


CAPABILITIES = {"words": "streams the words of a note"}
PROFILES = {"core": frozenset[str](), "streams": frozenset({"words"})}


def _is_readable(got: Exchange) -> Iterator[Finding]:
    if got.status != 200:
        yield Finding("", "a new note cannot be read", "200", str(got.status))


def _is_whole(streamed: Exchange) -> Iterator[Finding]:
    words = [event["word"] for event in events_of(streamed.body) if "word" in event]
    if words != ["one", "two", "three"]:
        yield Finding("", "the stream has other words", "one two three", " ".join(words), code="words.whole/other")


CHECKS = (
    Check(
        rule=RULES["note.readable"], title="a new note can be read", profile="core", exercise=words_of_a_note,
        judge=_is_readable, wants=("got",),
    ),
    Check(
        rule=RULES["words.whole"], title="all words are streamed", profile="streams", exercise=words_of_a_note,
        judge=_is_whole, wants=("streamed",), requires=frozenset({"words"}),
    ),
)  # fmt: skip


def events_of(body: bytes) -> list[dict[str, Any]]:
    """The events of a stream."""
    return [event for frame in Decoder().feed(body) if (event := object_or_none(frame.data)) is not None]


def _resume(request: Request, name: str, cursor: str | None) -> Request:
    query = "" if cursor is None else f"?after={cursor}"
    return Request("GET", f"/{request.segments[0]}/notes/{name}/words{query}", request.headers)


def _is_resume(request: Request) -> tuple[str, str | None] | None:
    streams = request.method == "GET" and request.segments[-1] == "words"
    return (request.segments[-2], request.parameter("after")) if streams else None


PROTOCOL = StreamProtocol(
    name="notes",
    cursor=lambda event: str(event["at"]) if "at" in event else None,
    with_cursor=lambda event, cursor: {**event, "at": int(cursor or 0)},
    completes=lambda event: bool(event.get("end")),
    ends=lambda event: "end" in event or "problem" in event,
    is_error=lambda event: "problem" in event,
    sentinel=b"",
    stream_id=lambda event: event.get("note"),
    resume=_resume,
    is_resume=_is_resume,
    error_event=lambda code, message, cursor: b'data: {"problem": "' + message.encode() + b'"}\n\n',
    bare_error=lambda refused: b'{"problem": "refused"}' if refused else b'{"problem": "down"}',
    shaped_error=lambda shape, status, message, wait: (
        "application/json",
        json.dumps({"problem": message}).encode(),
    ),
    operation=lambda request: "",
    error_body=lambda status, code, message: json.dumps({"problem": message}).encode(),
    text_of=lambda event: ("word", event["word"]) if "word" in event else None,
    id_fields=frozenset({"id", "note"}),
    opaque_fields=frozenset(),
    is_fragment=lambda event: "word" in event,
    name_event=lambda event: "end" if "end" in event else "word",
    kind_fields=frozenset(),
    secret_fields=SecretFields(),
)


def _greet(target: NoteRequests, send: Callable[[Request], Exchange], *, insist: bool = False) -> Greeting:
    answer = send(target.request("POST", "notes", {"text": "hello"}))
    if not answer.succeeded:
        raise TargetFault("the target takes no notes")
    return Greeting(answer, {})


def _ask_for_words(prober: Any) -> None:
    name = (object_or_none(prober.greeting.body) or {}).get("id")
    answer = prober.ask(prober.target.request("GET", f"notes/{name}/words"), "words")
    if answer is not None:
        prober.settle("words", answer.is_stream, f"/words answered {answer.status}")


def _list_deletes(exchange: Exchange) -> list[Request]:
    """A POST of a note is undone by a DELETE of its id."""
    made = (object_or_none(exchange.body) or {}).get("id") if exchange.succeeded else None
    if exchange.request.method != "POST" or made is None:
        return []
    return [Request("DELETE", f"{exchange.request.raw_path}/{made}", exchange.request.headers)]


def _prepare(service: NoteService, /, *, script: Mapping[str, Any], **_: Any) -> str:
    answer = service(Request("POST", "/v7/notes", body=json.dumps(script).encode()))
    return str(json.loads(b"".join(piece.data for piece in answer.body if isinstance(piece, Chunk)))["id"])


def _words_in(events: Iterable[Mapping[str, Any]]) -> str:
    return " ".join(event["word"] for event in events if "word" in event)


def _compare(
    whole: Sequence[Mapping[str, Any]], collected: Any, contract: NoteContract, creates: Sequence[Any]
) -> Defect | None:
    return None if collected == _words_in(whole) else Defect(LOSS, f"has {collected!r}")


READS = ClientMode(
    name="read", about="read the words of a note", usual_set="few", script={"text": "one two"}, usual=True
)
CLIENTS = ClientModel(
    words=ClientWords(
        run="note", completion="the end", cursor="after", keeps_id="a note has it", base_url="NOTES"
    ),
    service=ScriptedService(
        new=lambda contract, clock, seed: NoteService(contract or NoteContract(), clock),
        prepare=_prepare,
        release=lambda service: None,
        stream_request=lambda name: Request("GET", f"/v7/notes/{name}/words"),
    ),
    modes={READS.name: READS},
    sets={"few": (FEW_RESETS,)},
    load_incidents=dict,
    rules={
        rule: Rule(
            id=rule,
            level=Level.MUST,
            statement="A client reads all words of a note.",
            breaks="Somebody reads half a note.",
            source=Source(Basis.DOCUMENTED, "Manual of notes", "Words"),
        )
        for rule in ("client.whole", "client.recovers")
    },
    is_final=lambda status: status == "told",
    quiet=frozenset({"told"}),
    continues=lambda create: None,
    find_input=lambda create: "",
    goes_on=lambda create: False,
    find_id=lambda answer: answer.get("id"),
    find_error=lambda answer: answer.get("problem", ""),
    join=lambda streams: [dict(event) for events in streams for event in events],
    text_of=lambda events, contract: _words_in(events),
    steps_of=lambda events, contract: list(events),
    mark=lambda event: event.get("word"),
    compare=_compare,
)

NOTES = ServerApi(
    name="notes",
    title="Notes API",
    server_origin="tests.engine.toy_api.NOTES",
    search_origin="tests.engine.toy_search.load_search",
    default_version="v7",
    collection="notes",
    collections=frozenset({"notes"}),
    reference_fields=(),
    live_hosts=(),
    key_header="note-key",
    key_variable="NOTE_KEY",
    other_key_variable="OTHER_NOTE_KEY",
    load_contract=lambda revision: NoteContract(),
    load_protocol=lambda: PROTOCOL,
    read=lambda exchange, contract: NoteReading(exchange),
    judge_causes=lambda exchange, before: (),
    judge_incomparable=lambda exchange: (),
    read_new_id=lambda exchange: "",
    judge_new_id=lambda given, identity: (),
    judge_death=lambda exchange, lives: (),
    new_end_counter=NoEnds,
    new_run_judge=NoDenials,
    load_rules=lambda: RULES,
    load_areas=lambda: {"note": "Notes"},
    judge_trail=lambda trail, contract, judged: (),
    read_order=lambda request: None,
    read_subject=lambda request: "",
    read_status=lambda value: None,
    is_settled=lambda status: True,
    new_script=lambda exchange, contract: None,
    format_request=lambda exchange: f"{exchange.request.method} {exchange.request.target}",
    format_answer=lambda exchange: str(exchange.status),
    list_deletes=_list_deletes,
    new_naming_request=lambda exchange: None,
    new_stop_request=lambda segments, fields: None,
    new_requests=NoteRequests,
    load_capabilities=lambda: CAPABILITIES,
    load_profiles=lambda: PROFILES,
    load_probes=lambda: Probes(greet=_greet, questions=(Question(("words",), _ask_for_words),)),
    load_catalogue=lambda: CHECKS,
    new_service=NoteService,
)

NOTE_CLIENTS = ClientApi(
    **{name: getattr(NOTES, name) for name in Api.__struct_fields__}, load_client_model=lambda: CLIENTS
)
