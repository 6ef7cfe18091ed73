"""One fact, one finding: a defect that shows in most answers is told once, and what follows from it is blocked."""

from __future__ import annotations

import json
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


class ShowsOneStep(ForeignService):
    """`steps` is the step itself if there is only one."""

    def show(self, run: Run) -> Json:
        body = super().show(run)
        return {**body, "steps": body["steps"][0]} if "steps" in body else body


MOST = ("http.*", "err.*", "create.*", "get.*", "del.*", "usage.*", "stream.*", "cancel.*", "chain.*")


@pytest.mark.parametrize(
    ("kind", "globs", "root"),
    [
        (SucceedsWithErrors, MOST, "err.status"),
        (CountsInText, MOST, "usage.types"),
        (CountsCharacters, MOST, "http.length"),
        (WritesUtf16, MOST, "http.json-valid"),
        (TwoWorkers, ("get.*", "cancel.*", "chain.*", "resume.*", "http.unknown-query"), "get.ok"),
        (MintsIdsAnew, (*MOST, "bg.*", "resume.*"), "get.ok"),
        (AnswersByBody, ("create.*", "get.*", "del.*", "http.*"), "create.id-unique"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_one_fact_is_one_finding(kind: type[ForeignService], globs: tuple[str, ...], root: str) -> None:
    """The last line has one reason, and the one failure names it."""
    report = check(kind(), *globs)
    assert (report.exit, report.faults) == (1, {root: "fail"})


@pytest.mark.parametrize("kind", [TellsMilliseconds, ShowsOneStep])
def test_one_defect_of_a_schema_is_one_reason(
    kind: type[ForeignService], capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever answers an interaction breaks its own rule by it, and nothing else is accused."""
    report = check(kind(), *MOST, "bg.*", "rob.concurrent*")
    assert report.faults == dict.fromkeys(("create.schema", "get.schema", "cancel.schema"), "fail")
    assert "for 1 reason" in capsys.readouterr().out
