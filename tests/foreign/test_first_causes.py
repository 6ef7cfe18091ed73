"""Foreign servers whose defect shows in many places: what is told first is what a maintainer has to mend."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harness.cli import main
from tests.foreign.answering import Json
from tests.foreign.judging import check
from tests.foreign.rows import hold_each, rows_of, vary
from tests.foreign.server import ForeignService, Refused, Run, say, serving
from tests.foreign.test_turns import Reciting

pytestmark = pytest.mark.slow


class StoresLate(ForeignService):
    """The first looks at a completed background run show it without its output: it is stored a moment later."""

    def show(self, run: Run) -> Json:
        body = super().show(run)
        if not run.body.get("background") or body["status"] != "completed":
            return body
        self.noted[run.id] = self.noted.get(run.id, 0) + 1
        return body if self.noted[run.id] > 2 else self.show_early(body)

    def show_early(self, body: Json) -> Json:
        """What the first looks show."""
        return {**body, "steps": [{"type": "thought", "signature": ""}]}


class SettlesLate(StoresLate):
    """Correct, but slow: a run is in progress until its output is stored, although its stream has ended."""

    def show_early(self, body: Json) -> Json:
        return {name: value for name, value in body.items() if name != "steps"} | {"status": "in_progress"}


class StreamsDeletedHandler(ForeignService.handler):
    """Answers a GET with stream=true before anybody looks whether the interaction is still there."""

    def dispatch(self, data: bytes) -> Any:
        deleted = self.service.deleted.get(self.parts[-1])
        if self.command == "GET" and self.query.get("stream") == "true" and deleted is not None:
            return self.service.events(deleted)
        return super().dispatch(data)


class StreamsDeleted(ForeignService):
    """A deleted interaction is gone for every call but GET with stream=true."""

    handler = StreamsDeletedHandler


PLACES = [
    *("Reykjavik lies far up in the north", "Montevideo has a wide brown river", "Kyoto is a town of old gardens"),
    *("snow falls on Ulaanbaatar in May", "the bridges of Porto are of iron", "Quito is close to the equator"),
    "nobody walks fast in Zanzibar",
]


class SharesABuffer(ForeignService):
    """The second part of a background stream is that of the run before: both were written to one buffer."""

    def prepare(self, run: Run) -> None:
        run.steps = [say("".join(self.write(run.id)))]

    def write(self, name: str) -> list[str]:
        """What a run says: each something else."""
        return ["I think that ", PLACES[int(name[1:]) % len(PLACES)], ", and that", f" {name} ends here."]

    def pieces(self, run: Run, text: str) -> list[str]:
        first, second, *rest = self.write(run.id)
        return [first, self.mix(run, second), *rest]

    def mix(self, run: Run, text: str) -> str:
        """The text that goes out in place of the second part."""
        before = f"i{int(run.id[1:]) - 1}"
        return self.write(before)[1] if run.body.get("background") and before in self.runs else text


class SharesNothing(SharesABuffer):
    """Correct: each stream has a buffer of its own."""

    def mix(self, run: Run, text: str) -> str:
        return text


class CutsSilently(ForeignService):
    """A limit of tokens is used up by thinking, and the run is called completed."""

    takes = frozenset({"generation_config"})
    cut = "completed"

    def prepare(self, run: Run) -> None:
        if (run.body.get("generation_config") or {}).get("max_output_tokens") is not None:
            run.steps, run.end = [{"type": "thought", "signature": ""}], self.cut


class SaysThatItCut(CutsSilently):
    """Correct: the run is called incomplete."""

    cut = "incomplete"


class ForgetsStreamed(ForeignService):
    """What was streamed is stored without its output."""

    def show(self, run: Run) -> Json:
        body = super().show(run)
        return {**body, "steps": []} if run.body.get("stream") and "steps" in body else body


LIMITED = ("create.cut-short", "create.max-tokens", "bg.create")
GLOBS = ("bg.result", "stream.text", "stream.equals-get", "get.same", "resume.no-gap", "rob.*-streams")


@pytest.mark.parametrize(
    ("service", "globs", "causes"),
    [
        (StoresLate, GLOBS, {"bg.result": {"bg.result/late"}}),
        (SettlesLate, GLOBS, {}),
        (StreamsDeleted, ("del.*",), {"del.gone-stream": {"del.gone-stream"}}),
        (SharesABuffer, (*GLOBS, "resume.*"), {"rob.concurrent-streams": {"rob.concurrent-streams/mixed"}}),
        (SharesNothing, GLOBS, {}),
        (ForgetsStreamed, ("stream.text", "rob.*-streams"), {"stream.text": {"stream.text"}}),
        (CutsSilently, LIMITED, {"create.cut-short": {"create.cut-short"}}),
        (SaysThatItCut, LIMITED, {}),
    ],
)
def test_the_first_cause(
    service: type[ForeignService], globs: tuple[str, ...], causes: dict[str, set[str]]
) -> None:
    """The rule that fails is that of the defect, and it is the only one."""
    report = check(service(), *globs)
    assert {rule: set(report.codes[rule]) for rule, word in report.verdicts.items() if word == "fail"} == causes


def send_twice(self: ForeignService, usual: Any, run: Run) -> Iterator[tuple[float, Json]]:
    """Send one delta of each stream twice, the second time under an id of its own."""
    for due, event in usual(run):
        yield due, event
        if event.get("delta", {}).get("text") == " there,":
            yield due, {**event, "event_id": f"{event['event_id']}-again"}


def run_twice(self: ForeignService, usual: Any, run: Run) -> Iterator[tuple[float, Json]]:
    """Store the events of a background run twice, as two workers do to whom a queue delivers one job."""
    events = list(usual(run))
    again = [(due, {**event, "event_id": f"{event['event_id']}-again"}) for due, event in events]
    both = [each for pair in zip(events, again, strict=True) for each in pair]
    yield from (*both[:-2], both[-1]) if run.body.get("background") else events


def replay_twice(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
    """Replay the first delta twice, under one id; a resume after it is right."""
    answer = usual(run, query)
    if query.get("stream") != "true" or "last_event_id" in query:
        return answer
    first = next(pair for pair in answer if "delta" in pair[1])
    return [pair for shown in answer for pair in ([shown] if shown is not first else [shown, shown])]


class Starts(ForeignService.handler):
    """Answers 503 to whatever is asked, as a server that loads its model does."""

    def handle_any(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.reply(503, {"error": {"code": "unavailable", "message": "The model is loading."}})

    do_GET = do_POST = do_DELETE = handle_any


class Mislabels(ForeignService.handler):
    """Calls a stream gzip for a client that takes gzip, and compresses nothing."""

    def begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        if "gzip" in self.headers.get("accept-encoding", ""):
            self.send_header("content-encoding", "gzip")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()


GREETING = "Grüße aus Zürich, früh am Morgen. Schöne Tage über Köln."


def greet(self: ForeignService, usual: Any, run: Run) -> None:
    """Say something with characters outside of ASCII."""
    run.steps = [say(GREETING)]


def cut_bytes(self: ForeignService, usual: Any, run: Run, text: str) -> list[str]:
    """Stream a text in pieces of eight bytes, as if each was a text of its own."""
    data = text.encode()
    return [data[at : at + 8].decode("utf-8", "replace") for at in range(0, len(data), 8)]


def restart_at_the_newest(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
    """Take the newest event of a run in progress for an unknown cursor, and send everything again."""
    after, answer = query.get("last_event_id"), usual(run, query)
    whole = list(self.events(run))
    newest = [event["event_id"] for due, event in whole if due <= run.age][-1]
    return whole if after == newest and run.status == "in_progress" else answer


def count_to_fifty(self: ForeignService, usual: Any, run: Run) -> None:
    """Return a text of many events."""
    run.steps = [say(" ".join(map(str, range(50))))]


def in_bursts(_: ForeignService, usual: Any, run: Run) -> Iterator[tuple[float, Json]]:
    """Three events at a time: of the cursors of a reader, one of three is the newest event of its run."""
    events = list(usual(run))
    yield from ((events[number - number % 3][0], event) for number, (_, event) in enumerate(events))


def number_all(_: ForeignService, usual: Any, run: Run) -> Iterator[tuple[float, Json]]:
    """Ids that are numbers, the last one, too."""
    yield from ((due, {**one, "event_id": f"{run.id}-{n}"}) for n, (due, one) in enumerate(usual(run)))


def compare_as_text(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
    """Resume with the ids that are greater than the cursor as text, of which 10 is less than 9."""
    after, answer = query.get("last_event_id", ""), usual(run, query)
    return [pair for pair in answer if pair[1]["event_id"] > after] if after else answer


class Divides(ForeignService.handler):
    """Gives each event, the last one too, to the first of the readers who came while the run was in progress."""

    def encode_due(self, events: Iterator[tuple[float, Json]]) -> Iterator[bytes]:
        taken: set[str] = self.service.noted.setdefault("taken", set())
        is_live = False
        for due, event in events:
            run = self.service.runs.get(str(event.get("event_id", "")).partition("-")[0])
            is_live = is_live or (run is not None and run.age < run.lasts)
            frame = next(super().encode_due(iter([(due, event)])))
            if not is_live or event["event_id"] not in taken:
                taken |= {event["event_id"]} if is_live else set()
                yield frame
        yield self.service.closing()


class ServesOne(ForeignService.handler):
    """Gives all but two events of a run in progress to the first of its readers, and the others the sentinel."""

    def encode_due(self, events: Iterator[tuple[float, Json]]) -> Iterator[bytes]:
        me, owner = object(), None
        for number, (due, event) in enumerate(events):
            identity = str(event.get("event_id", "")).partition("-")[0]
            run = self.service.runs.get(identity)
            # The first reader to open the stream has it, whichever of them the machine wakes first.
            if owner is None and run is not None:
                owner = self.service.noted.setdefault(identity, me) if run.age < run.lasts else me
            frame = next(super().encode_due(iter([(due, event)])))
            if number < 2 or owner is me:
                yield frame
        yield self.service.closing()


def lose(is_lost: Callable[[int, bool], bool]) -> type[ForeignService.handler]:
    """Lose events of a run in progress; `is_lost` gets the number of each, and whether it is the last."""

    def encode_due(self: Any, usual: Any, events: Iterator[tuple[float, Json]]) -> Iterator[bytes]:
        for number, pair in enumerate(events):
            run = self.service.runs.get(str(pair[1].get("event_id", "")).partition("-")[0])
            live = run is not None and run.age < run.lasts
            yield from [] if live and is_lost(number, pair[0] == run.lasts) else [next(usual(iter([pair])))]
        yield self.service.closing()

    return vary(ForeignService.handler, encode_due=encode_due)


def ignore_cursor(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
    """Stream a whole run whatever the cursor is."""
    return usual(run, {name: value for name, value in query.items() if name != "last_event_id"})


class CountsBytes(ForeignService.handler):
    """Writes characters outside of ASCII as they are."""

    def count(self, text: str) -> int:
        """What Content-Length is."""
        return len(text.encode())

    def reply(self, status: int, value: Any, headers: Json | None = None) -> None:
        text = json.dumps(value, ensure_ascii=False)
        self.send(status, "application/json", text.encode()[: self.count(text)], headers or {})


class CountsCharacters(CountsBytes):
    """Sends as many bytes as there are characters."""

    def count(self, text: str) -> int:
        return len(text)


class Careless(ForeignService.handler):
    """Loses a part of each stream on its way: see `drop`."""

    def encode_due(self, events: Iterator[tuple[float, Json]]) -> Iterator[bytes]:
        before = b""
        for frame in super().encode_due(events):
            kept, before = self.drop(frame, before), frame
            yield from [kept] if kept else []

    def drop(self, frame: bytes, before: bytes) -> bytes:
        """What is left of a frame that comes after another one."""
        return re.sub(rb'"index": 0, ', b"", frame)


class Deduplicates(Careless):
    """Takes a delta with the text of the one before for a repetition."""

    def drop(self, frame: bytes, before: bytes) -> bytes:
        one, other = (re.findall(rb'"text": "[^"]*"', part) for part in (frame, before))
        return b"" if one and one == other else frame


class StopsAtTheWord(ForeignService.handler):
    """Takes the first line with [DONE] for the end of the stream."""

    def encode_due(self, events: Iterator[tuple[float, Json]]) -> Iterator[bytes]:
        for frame in super().encode_due(events):
            yield frame if b"[DONE]" not in frame else self.service.closing()
            if b"[DONE]" in frame:
                return


class Beats(Careless):
    """Keeps the connection alive with events that have no type."""

    def drop(self, frame: bytes, before: bytes) -> bytes:
        return frame if b"[DONE]" in frame else frame + b"event: ping\ndata: {}\n\n"


class OpensTheLast(Careless):
    """Ends no stream with [DONE], nor its last event with a blank line."""

    def drop(self, frame: bytes, before: bytes) -> bytes:
        return b"" if b"[DONE]" in frame else frame[:-1] if b"interaction.completed" in frame else frame


def number_in_pairs(_: ForeignService, usual: Any, run: Run) -> Iterator[tuple[float, Json]]:
    """Ids that are times: two events have the same."""
    yield from ((due, {**one, "event_id": f"{run.id}-{n // 2}"}) for n, (due, one) in enumerate(usual(run)))


def resume_after_the_pair(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
    """Resume after the last event with the id of the cursor, which skips the other one."""
    after, answer = query.get("last_event_id"), list(usual(run, query)) if query.get("stream") else []
    while after and any(event["event_id"] == after for _, event in answer):
        answer = answer[1:]
    return answer or usual(run, query)


def add_to_parent(self: ForeignService, usual: Any, run: Run) -> None:
    """Append the turn of a child to the steps of its parent, which share a list."""
    if (parent := self.parent_of(run.body)) is not None:
        parent.steps = [*parent.steps, *run.steps]


def read_accept(code: str, refused: str = "*/*") -> type[ForeignService.handler]:
    """Refuse a create with this `Accept`, with this error code."""

    def dispatch(self: Any, usual: Any, data: bytes) -> Any:
        if self.command == "POST" and self.headers.get("accept") == refused:
            raise Refused(406, code)
        return usual(data)

    return vary(ForeignService.handler, dispatch=dispatch)


def move(where: str) -> type[ForeignService.handler]:
    """Redirect each cancel, to its own path and this."""

    def do_POST(self: Any, usual: Any) -> None:
        if not self.path.endswith("/cancel"):
            return usual()
        self.rfile.read(int(self.headers.get("content-length") or 0))
        return self.send(307, "text/plain", b"", {"location": f"http://127.0.0.1{self.path}{where}"})

    return vary(ForeignService.handler, do_POST=do_POST)


def store_all(self: ForeignService, usual: Any, body: Json) -> Any:
    """Take a background run that must not be stored, and store it."""
    return usual({name: value for name, value in body.items() if name != "store" or not body.get("background")})


CANCEL = "cancel.ok cancel.unknown del.cancel-after"
service, recite = rows_of(ForeignService), rows_of(Reciting)
SENTENCES = [
    service("cuts-characters: stream.text -> fail stream.text", prepare=greet, pieces=cut_bytes,
        said=["the stream cuts characters: it shows a replacement in place of one, from character 2"]),
    service("letter-by-letter: stream.text -> rest pass", prepare=greet,
        pieces=lambda self, usual, run, text: list(text)),
    service("counts-characters: http.json-valid create.ok -> fail http.json-valid", prepare=greet,
        handler=CountsCharacters,
        said=["ends in the middle of its JSON (does its Content-Length count characters and not bytes?)"]),
    service("counts-bytes: http.json-valid create.ok -> rest pass", prepare=greet, handler=CountsBytes),
    service("ignores-cursors: resume.exclusive -> fail resume.exclusive", get=ignore_cursor,
        said=["begins with the first event again, as if its cursor had no effect"]),
    recite("deduplicates: stream.text -> fail stream.text/lost", handler=Deduplicates),
    recite("stops-at-the-word: stream.terminal stream.text -> fail stream.terminal", handler=StopsAtTheWord,
        said=["[DONE] after"]),
    recite("recites: stream.* resume.* -> exit 0"),
    service("leaves-out-zeros: stream.schema stream.text create.completed* -> fail stream.schema, exit 1",
        handler=Careless, said=['"index" is required', "(1 cause: stream.schema/required)"]),
    service("beats: stream.event-type stream.completed-last -> fail stream.event-type stream.completed-last",
        handler=Beats, said=["(1 cause: stream.event-type)"]),
    service("opens-the-last: stream.framing stream.terminal stream.text -> fail stream.framing stream.terminal",
        handler=OpensTheLast, said=["(1 cause: stream.framing/unended)"]),
    service("ends-early: stream.terminal stream.done-final -> fail stream.terminal stream.done-final",
        encode=lambda self, usual, event: self.closing() * ("completed" in event["event_type"]) + usual(event),
        said=["(1 cause: stream.done-final)"]),
    service("numbers-in-pairs: resume.no-gap stream.evid-unique -> fail resume.no-gap stream.evid-unique",
        events=number_in_pairs, get=resume_after_the_pair, said=["(1 cause: stream.evid-unique)"]),
    service("adds-to-the-parent: chain.* -> warn chain.parent-unchanged/steps", prepare=add_to_parent),
    # What a wrong status is found in, or has made, is not its cause.
    service("reads-accept: http.accept err.code-status -> fail http.accept, warn err.code-status, exit 1",
        handler=read_accept("invalid_request"),
        said=["(1 cause: http.accept)", "a create with `Accept: */*` is rejected: POST"]),
    service("reads-accept-of-sdks: http.accept err.code-status -> fail http.accept, exit 1",
        handler=read_accept("not_acceptable", "text/event-stream")),
    service("stores-all: store.false* -> fail store.false-bg store.false-get, exit 1", create=store_all,
        said=["(1 cause: store.false-bg)"]),
    service("stores-none: store.false* -> rest pass"),
    # A route that only another spelling of its path reaches lets nobody in.
    service(f"moves-cancel: {CANCEL} -> fail cancel.ok, rest untestable", handler=move("/")),
    service(f"sends-to-login: {CANCEL} -> fail cancel.ok del.cancel-after, warn cancel.unknown",
        handler=move("/login")),
    # The third of the tries at the newest event is the first that is at the newest event.
    service("bursts: resume.live -> rest pass", events=in_bursts, lasts=1.5),
    service("restarts-at-the-newest: resume.live -> fail resume.live/newest", events=in_bursts,
        get=restart_at_the_newest, lasts=6.0, said=["at the newest event of a run in progress"]),
    # It replays, and then subscribes: what comes in between is in neither.
    service("subscribes-late: resume.live -> fail resume.live", get=lambda self, usual, run, query: (
        [(due, event) for due, event in usual(run, query) if not run.age < due < run.age + 0.1]
        if "last_event_id" in query else usual(run, query)), prepare=count_to_fifty, lasts=3.0),
    # What a resumed stream lacks explains that it has no end.
    service("numbers: resume.* stream.* -> exit 0", prepare=greet, events=number_all),
    service("compares-as-text: resume.no-gap stream.terminal -> fail resume.no-gap stream.terminal/resumed",
        prepare=greet, events=number_all, get=compare_as_text,
        said=["(1 cause: resume.no-gap)", "the first is event 10"]),
    service("divides: resume.live stream.terminal -> fail resume.live stream.terminal", prepare=count_to_fifty,
        handler=Divides, lasts=2.0, said=["(1 cause: resume.live/divided)"]),
    service(
        "serves-one: resume.two-readers stream.terminal -> warn resume.two-readers/other, fail stream.terminal",
        prepare=count_to_fifty, handler=ServesOne, lasts=2.0,
        said=["(1 cause: resume.two-readers/other)", "which the other reader received"]),
    # A reader that waits for the newest event only; the full queue of a reader.
    service(
        "misses: resume.two-readers stream.start-before -> warn resume.two-readers/lost, fail stream.start-before",
        prepare=count_to_fifty, handler=lose(lambda number, _: number % 4 == 2), lasts=2.0,
        said=["(1 cause: resume.two-readers/lost)", "and has later ones"]),
    service("overflows: resume.live stream.terminal -> fail resume.live stream.terminal", prepare=count_to_fifty,
        handler=lose(lambda number, last: number % 5 > 2 or last), lasts=2.0,
        said=["(1 cause: resume.live/lost)", "and has later ones"]),
    service("resumes-the-past: resume.live stream.terminal -> fail stream.terminal/resumed, rest blocked",
        get=lambda self, usual, run, query: ([(due, event) for due, event in usual(run, query) if due <= run.age]
        if "last_event_id" in query else usual(run, query)), prepare=count_to_fifty, lasts=2.0,
        said=["(1 cause: stream.terminal/resumed)"]),
    # The curl line asks for what the run asked for, and says of the answer what the run says.
    service("mislabels: http.length stream.incremental -> fail http.length", words="-v", handler=Mislabels,
        said=["-H 'accept-encoding: gzip, deflate' \\ --compressed"]),
    service("sends-twice: stream.text -> fail stream.text", events=send_twice,
        said=["the stream sends text twice: characters 6 to 13 of the stored text"]),
    service("sends-backwards: stream.text rob.concurrent-streams -> fail stream.text",
        pieces=lambda self, usual, run, text: usual(run, text)[::-1], said=["the stored text in another order"]),
    service("runs-twice: stream.index-reuse stream.created-once stream.stop-once"
        " -> fail stream.index-reuse stream.stop-once, warn stream.created-once", events=run_twice,
        said=["(1 cause: stream.created-once)"]),
    service("replays-twice: resume.no-gap stream.evid-unique -> fail resume.no-gap stream.evid-unique",
        get=replay_twice, said=["event 4 (`step.delta`), which the stream before it sent twice"]),
]  # fmt: skip


test_the_sentence_that_helps = hold_each(SENTENCES)
"""What is printed says what a maintainer has to do, and how to see the same."""


def test_a_server_that_starts(capsys: pytest.CaptureFixture[str]) -> None:
    """The last lines say how to wait for it."""
    service = vary(ForeignService, handler=Starts)()
    with serving(service) as url:
        code = main(["check", url, "--max-wait", "0"])
    assert (code, "wait for it with --wait S" in capsys.readouterr().err) == (4, True)
