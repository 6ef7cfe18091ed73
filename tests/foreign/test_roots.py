"""One fact, one finding: a defect that shows in most answers is told once, and what follows from it is blocked."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Handler, Json, Refused, Run

pytestmark = pytest.mark.slow


class SucceedsWithErrors(ForeignService):
    """Every error is answered 200."""

    class _Handler(Handler):
        def reply(self, status: int, value: Any, headers: Json | None = None) -> None:
            super().reply(200, value, headers)

    handler = _Handler


class CountsInText(ForeignService):
    """Token counts are strings, as protobuf writes 64-bit integers."""

    def usage(self, run: Run) -> Json:
        return {name: str(count) for name, count in super().usage(run).items()}


class CountsCharacters(ForeignService):
    """Content-Length counts characters, and there are fewer of them than bytes."""

    class _Handler(Handler):
        def reply(self, status: int, value: Any, headers: Json | None = None) -> None:
            text = json.dumps({**value, "greeting": "Grüß Gott, schöne Welt"}, ensure_ascii=False)
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())
            self.close_connection = True

    handler = _Handler


class WritesUtf16(ForeignService):
    """JSON comes in UTF-16, as its label says."""

    class _Handler(Handler):
        def reply(self, status: int, value: Any, headers: Json | None = None) -> None:
            data = json.dumps(value).encode("utf-16")
            self.send(status, "application/json; charset=utf-16", data, headers or {})

    handler = _Handler


class TwoWorkers(ForeignService):
    """Two workers in turn, and only one of them knows an interaction."""

    def __init__(self) -> None:
        super().__init__()
        self.turn = 0

    def find(self, identity: str) -> Run:
        self.turn += 1
        if identity in self.runs and (int(identity[1:]) + self.turn) % 2:
            raise Refused(404, "not_found", "There is no such interaction.")
        return super().find(identity)


class AnswersByBody(ForeignService):
    """A cache in front: whoever asks the same gets the same interaction."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[str, Any] = {}

    def create(self, body: Json) -> Any:
        asked = json.dumps(body, sort_keys=True)
        if asked not in self.kept:
            answer = super().create(body)
            self.kept[asked] = answer if isinstance(answer, dict) else list(answer)
        return self.kept[asked]


class MintsIdsAnew(ForeignService):
    """Every answer names another id, and each of them is found."""

    shown = 0

    def show(self, run: Run) -> Json:
        self.shown += 1
        body = super().show(run)
        return {**body, "id": f"{body['id']}x{self.shown}"} if body["id"] else body

    def find(self, identity: str) -> Run:
        return super().find(identity.partition("x")[0])


class TellsMilliseconds(ForeignService):
    """Times are numbers: milliseconds since 1970."""

    def show(self, run: Run) -> Json:
        return {**super().show(run), "created": 1763650000000, "updated": 1763650000001}


class NumbersModels(ForeignService):
    """The model is a number, in bodies and in the events that hold an interaction."""

    def show(self, run: Run) -> Json:
        return {**super().show(run), "model": 7}

    def events(self, run: Run) -> Iterator[tuple[float, Json]]:
        for due, event in super().events(run):
            shown = event.get("interaction")
            yield due, {**event, "interaction": {**shown, "model": 7}} if shown else event


class ShowsOneStep(ForeignService):
    """`steps` is the step itself if there is only one."""

    def show(self, run: Run) -> Json:
        body = super().show(run)
        return {**body, "steps": body["steps"][0]} if "steps" in body else body


class NumbersIds(ForeignService):
    """Ids are numbers in JSON; in a path they are found."""

    def show(self, run: Run) -> Json:
        body = super().show(run)
        return {**body, "id": int(body["id"][1:])} if body["id"] else body

    def find(self, identity: str) -> Run:
        return super().find(f"i{identity}")


class IndexInText(ForeignService):
    """The index of a step is a string in every event."""

    def events(self, run: Run) -> Iterator[tuple[float, Json]]:
        for due, event in super().events(run):
            yield due, {**event, "index": str(event["index"])} if "index" in event else event


class TextInLists(ForeignService):
    """The text of a delta is a list of texts."""

    def events(self, run: Run) -> Iterator[tuple[float, Json]]:
        for due, event in super().events(run):
            delta = event.get("delta")
            yield due, {**event, "delta": {**delta, "text": [delta["text"]]}} if delta else event


class ContentIsText(ForeignService):
    """The content of a step is its text."""

    def show(self, run: Run) -> Json:
        body = super().show(run)
        return {**body, "steps": [{"type": "model_output", "content": "Hello"}]} if "steps" in body else body


class CountsAsAList(ForeignService):
    """`usage` is a list of one object."""

    def usage(self, run: Run) -> Any:
        return [super().usage(run)]


class RemembersOneAnswer(ForeignService):
    """A cache in front that knows the route alone: every GET is answered as the first of a completed run."""

    kept: Json | None = None

    def get(self, run: Run, query: Json) -> Any:
        answer = super().get(run, query)
        if isinstance(answer, dict) and answer["status"] == "completed":
            self.kept = self.kept or answer
        return answer if query else self.kept or answer


class FailsInRefusing(Handler):
    """Writes every refusal under one status."""

    def reply(self, status: int, value: Any, headers: Json | None = None) -> None:
        super().reply(status if status < 400 else 500, value, headers)


class RefusesWith500(ForeignService):
    """Its framework turns every error into a 500."""

    handler = FailsInRefusing


class CutsJsonInHalf(Handler):
    """Writes JSON without its last character."""

    def send(self, status: int, kind: str, data: bytes, headers: Json) -> None:
        cut = kind == "application/json" and status == 200
        super().send(status, kind, data[:-1] if cut else data, headers)


class CannotBeRead(ForeignService):
    """No answer parses that shows an interaction."""

    handler = CutsJsonInHalf


MOST = ("http.*", "err.*", "create.*", "get.*", "del.*", "usage.*", "stream.*", "cancel.*", "chain.*")


@pytest.mark.parametrize(
    ("kind", "globs", "root"),
    [
        (SucceedsWithErrors, MOST, "err.status"),
        (RefusesWith500, MOST, "err.status"),
        (CannotBeRead, ("http.*", "stream.*", "bg.*", "cancel.*"), "http.json-valid"),
        (CountsInText, MOST, "usage.types"),
        (CountsCharacters, MOST, "http.length"),
        (WritesUtf16, MOST, "http.json-valid"),
        (TwoWorkers, ("get.*", "cancel.*", "chain.*", "resume.*", "http.unknown-query"), "get.ok"),
        (MintsIdsAnew, (*MOST, "bg.*", "resume.*"), "get.ok"),
        (NumbersIds, (*MOST, "store.*"), "create.schema"),
        (IndexInText, ("stream.*", "rob.concurrent-streams"), "stream.schema"),
        (TextInLists, ("stream.*", "rob.concurrent-streams"), "stream.schema"),
        (CountsAsAList, MOST, "usage.types"),
        (RemembersOneAnswer, (*MOST, "bg.*"), "get.ok"),
        (AnswersByBody, ("create.*", "get.*", "del.*", "http.*"), "create.id-unique"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_one_fact_is_one_finding(kind: type[ForeignService], globs: tuple[str, ...], root: str) -> None:
    """The last line has one reason, and the one failure names it.

    With one worker, as some of the servers alternate from request to request.
    """
    report = check(kind(), *globs, words=("-j", "1"))
    assert (report.exit, report.faults) == (1, {root: "fail"})


@pytest.mark.parametrize("kind", [TellsMilliseconds, NumbersModels, ShowsOneStep, ContentIsText])
def test_one_defect_of_a_schema_is_one_reason(
    kind: type[ForeignService], capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever shows an interaction breaks its own rule by it, and nothing else is accused."""
    report = check(kind(), *MOST, "bg.*", "rob.concurrent*")
    streamed = ("stream.schema",) if kind is NumbersModels else ()
    assert report.faults == dict.fromkeys(("create.schema", "get.schema", "cancel.schema", *streamed), "fail")
    assert "(1 cause: create.schema/type)" in capsys.readouterr().out


def test_what_is_not_seen_for_a_wrong_type_is_blocked_and_not_refused() -> None:
    """A target whose ids are numbers does offer to keep interactions."""
    report = check(NumbersIds(), "create.schema", "get.*", "del.*")
    assert report.verdicts["get.ok"] == report.verdicts["del.gone"] == "blocked"
    assert "not_applicable" not in report.verdicts.values()


class SpellsStatuses(ForeignService):
    """Statuses are written in a spelling of its own, wherever they are shown."""

    def __init__(self, spelling: str) -> None:
        super().__init__()
        self.spelling = spelling

    def show(self, run: Run) -> Json:
        return self.spell(super().show(run))

    def events(self, run: Run) -> Iterator[tuple[float, Json]]:
        for due, event in super().events(run):
            shown = {"interaction": self.spell(event["interaction"])} if "interaction" in event else {}
            yield due, {**self.spell(event), **shown}

    def spell(self, shown: Json) -> Json:
        status = shown.get("status")
        if not status:
            return shown
        return {**shown, "status": self.spelling.format(up=status.upper(), word=status.title())}


class KnowsOneMoreStatus(ForeignService):
    """Correct, but odd: a run whose input is a list ends in a status that came after the reference."""

    def show(self, run: Run) -> Json:
        body = super().show(run)
        newer = isinstance(run.body["input"], list) and body["status"] == "completed"
        return {**body, "status": "archived"} if newer else body


@pytest.mark.slow
@pytest.mark.parametrize("spelling", ["{up}", "{word}", "INTERACTION_STATUS_{up}"])
def test_a_status_in_another_spelling_is_one_failure(spelling: str) -> None:
    """A client that compares statuses sees no end: that is not green, and what rests on it is blocked."""
    report = check(SpellsStatuses(spelling), *MOST, "bg.*")
    assert (report.exit, report.faults) == (1, {"create.status": "fail"})
    assert set(report.codes["create.status"]) == {"create.status/spelling"}
    assert report.verdicts["create.status-listed"] == "blocked"


def test_a_new_status_of_one_kind_of_run_breaks_no_must() -> None:
    """The set of statuses is open: a word that is new is told, and the target conforms."""
    report = check(KnowsOneMoreStatus(), *MOST, "bg.*")
    assert (report.exit, report.faults) == (0, {"create.status-listed": "warn"})


class CountsInCamelCase(ForeignService):
    """The names of the token counts are written in camel case."""

    def usage(self, run: Run) -> Json:
        return {
            re.sub("_(.)", lambda found: found[1].upper(), name): count
            for name, count in super().usage(run).items()
        }


def test_counts_that_nobody_knows_are_no_usage() -> None:
    """A usage object without one count that the reference names does not say what an answer cost."""
    report = check(CountsInCamelCase(), "create.*", "usage.*")
    assert report.faults == {"create.usage": "warn"}


class TrimsTheStored(ForeignService):
    """GET shows a text without its last dot."""

    def get(self, run: Run, query: Json) -> Any:
        answer = super().get(run, query)
        if isinstance(answer, dict) and answer.get("steps"):
            text = "".join(part["text"] for part in answer["steps"][0]["content"]).rstrip(".")
            return {**answer, "steps": [{"type": "model_output", "content": [{"type": "text", "text": text}]}]}
        return answer


class TalksOn(ForeignService):
    """One more word follows the completion of every stream."""

    def events(self, run: Run) -> Iterator[tuple[float, Json]]:
        yield from super().events(run)
        more = {"index": 0, "delta": {"type": "text", "text": " Bye."}, "event_type": "step.delta"}
        yield run.lasts, {**more, "event_id": f"{run.id}-more"}


class LabelsStreamsAsJson(ForeignService):
    """Streams come as application/json."""

    class _Handler(Handler):
        def send_header(self, keyword: str, value: str) -> None:
            super().send_header(keyword, value.replace("text/event-stream", "application/json"))

    handler = _Handler


STREAMS = ("stream.*", "http.*", "rob.concurrent-streams", "resume.*", "create.format-streamed")


@pytest.mark.parametrize(
    ("kind", "globs", "broken"),
    [
        (TrimsTheStored, STREAMS, {"stream.text": "fail"}),
        (TalksOn, STREAMS, {"stream.completed-last": "fail", "stream.start-before": "fail"}),
        (LabelsStreamsAsJson, STREAMS, {"http.ct-stream": "fail", "resume.opens": "fail"}),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_what_follows_from_a_defect_is_no_reason_of_its_own(
    kind: type[ForeignService],
    globs: tuple[str, ...],
    broken: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The last line counts one cause, and what only repeats it is blocked."""
    report = check(kind(), *globs)
    assert report.faults == broken
    assert f"(1 cause: {next(iter(broken))})" in capsys.readouterr().out


class TwoDefects(TrimsTheStored):
    """Streams have another text than GET, and a create that is not stored has an id all the same."""

    def show(self, run: Run) -> Json:
        return {**super().show(run), "object": "chat"}


def test_two_defects_stay_two() -> None:
    """What has nothing to do with a root is told beside it."""
    faults = check(TwoDefects(), "stream.text", "rob.concurrent-streams", "create.object").faults
    assert faults.keys() == {"stream.text", "create.object"}


class _KnowsKeys(Handler):
    """Knows who asks, by the key."""

    def dispatch(self, data: bytes) -> Any:
        self.service.asking.key = self.headers.get("x-goog-api-key", "")
        return super().dispatch(data)


class KeepsKeysApart(ForeignService):
    """Right: an interaction is found by the key that made it."""

    handler = _KnowsKeys

    def __init__(self) -> None:
        super().__init__()
        self.asking = threading.local()
        self.owners: dict[str, str] = {}

    def create(self, body: Json) -> Any:
        answer = super().create(body)
        self.owners[f"i{self.made}"] = self.asking.key
        return answer

    def find(self, identity: str) -> Run:
        if self.owners.get(identity) != self.asking.key:
            raise Refused(404, "not_found", "There is no such interaction.")
        return super().find(identity)


@pytest.mark.parametrize(("kind", "faults"), [(ForeignService, {"store.isolation": "warn"}), (KeepsKeysApart, {})])
def test_what_a_stranger_deleted_is_not_lost(kind: type[ForeignService], faults: dict[str, str]) -> None:
    """A DELETE by another key that was answered 200 is what let the interaction go."""
    keys = ("--api-key", "k1", "--other-api-key", "k2")
    assert check(kind(), "store.isolation", "get.*", "chain.*", words=keys).faults == faults
