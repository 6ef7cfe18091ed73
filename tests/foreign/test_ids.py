"""Foreign servers that give an id again, and such that are odd but right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

import pytest

from tests.foreign.judging import check
from tests.foreign.rows import add, vary
from tests.foreign.server import ForeignService, Json, Run, say

pytestmark = pytest.mark.slow


def count_per_connection(self: ForeignService, usual: Any, body: Json) -> int:
    """Count the interactions of each connection from one."""
    return self.made + 1


def count_by_kind(self: ForeignService, usual: Any, body: Json) -> int:
    """Give background runs a counter of their own, and the same ids."""
    if body.get("background") is not True:
        return usual(body)
    self.noted["runs"] = self.noted.get("runs", 0) + 1
    return self.noted["runs"]


class NamesNothingAlike(ForeignService):
    """Correct, but odd: what is not stored has one id for all, and other ids differ in their case alone."""

    def create(self, body: Json) -> Any:
        answer = super().create(body)
        if body.get("store") is False and isinstance(answer, dict):
            return {**answer, "id": "none"}
        return answer

    def show(self, run: Run) -> Json:
        return self.rename(super().show(run))

    def events(self, run: Run) -> Iterator[tuple[float, Json]]:
        for due, event in super().events(run):
            inner = {"interaction": self.rename(event["interaction"])} if "interaction" in event else {}
            yield due, self.rename({**event, **inner})

    def rename(self, shown: Json) -> Json:
        return {**shown, **{name: spell(shown[name]) for name in ("id", "interaction_id") if name in shown}}

    def find(self, identity: str) -> Run:
        known = {spell(name): name for name in list(self.runs)}
        return super().find(known.get(unquote(identity), ""))


def spell(identity: str) -> str:
    """An id as letters, with the number in their case, and with characters that a path encodes."""
    number = int(identity[1:] or 0)
    letters = "".join("Aa"[number >> place & 1] for place in range(10))
    return f"Ch:{letters}==" if identity else ""


GLOBS = ("create.*", "get.*", "del.*", "bg.settles", "chain.ok", "cancel.ok", "resume.no-gap", "rob.concurrent*")


def count_anew(after: int) -> Callable[..., Any]:
    """A change of `number`: ids come again after so many, as from a pool or after a restart."""
    return lambda self, usual, body: (usual(body) - 1) % after + 1


def give_free_id(self: ForeignService, usual: Any, body: Json) -> int:
    """Give the lowest id that is free: one that was deleted comes again."""
    return next(number for number in range(1, 10_000) if f"i{number}" not in self.runs)


def replay_the_log(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
    """Stream the events that were logged under an id, of whichever run."""
    logged = self.noted.get(run.id, [run]) if query.get("stream") == "true" else []
    return [event for one in logged for event in usual(one, query)] if logged else usual(run, query)


def number_again(self: ForeignService, usual: Any, body: Json) -> int:
    """The number of the run before, if that was streamed."""
    before, self.noted["streamed"] = self.noted.get("streamed", False), bool(body.get("stream"))
    return int(usual(body)) - before


HasFewIds = vary(ForeignService, number=count_anew(8))
LogsById = vary(
    ForeignService,
    number=number_again,
    prepare=lambda self, usual, run: self.noted.setdefault(run.id, []).append(run),
    get=replay_the_log,
)

InFives = vary(
    ForeignService,
    number=lambda self, usual, body: usual(body) // 5,
    prepare=lambda self, usual, run: setattr(run, "steps", [say(f"You wrote: {run.body['input']}")]),
)


@pytest.mark.parametrize(
    ("kind", "jobs"),
    [
        pytest.param(vary(ForeignService, number=count_per_connection), 8, id="per-connection"),
        pytest.param(HasFewIds, 1, id="few"),
        pytest.param(vary(ForeignService, number=count_anew(40)), 8, id="restarted"),
        pytest.param(vary(ForeignService, number=count_by_kind), 8, id="by-kind"),
        pytest.param(vary(ForeignService, number=give_free_id), 1, id="free"),
    ],
)
def test_an_id_that_comes_again_is_the_one_reason(
    kind: type[ForeignService], jobs: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whichever exercises share it, one rule is broken, and what others see at that id is blocked by it.

    With several workers, a create may still be at work when what it disturbed is judged, and accused.
    """
    report = check(kind(), *GLOBS, words=("-j", str(jobs)))
    assert (report.exit, report.faults["create.id-unique"]) == (1, "fail")
    assert len(report.faults) == 1 or jobs > 1
    assert jobs > 1 or "(1 cause: " in capsys.readouterr().out


def test_streams_of_one_id_are_not_mixed(capsys: pytest.CaptureFixture[str]) -> None:
    """Five creates return one id: each stream has its own text, and GET shows that of the last one."""
    report = check(InFives(), *GLOBS, "stream.text", words=("-j", "1"))
    assert report.faults == {"create.id-unique": "fail"}
    assert "(1 cause: create.id-unique)" in capsys.readouterr().out


def test_a_stream_of_two_runs_is_explained_by_their_id(capsys: pytest.CaptureFixture[str]) -> None:
    """The events of both are stored under one id, so their streams break rules of each stream."""
    report = check(LogsById(), "*", words=("-j", "1"))
    assert report.verdicts["create.id-unique"] == "fail"
    assert {report.verdicts[rule] for rule in ("stream.evid-unique", "stream.completed-last")} == {"blocked"}
    assert "(1 cause: create.id-unique)" in capsys.readouterr().out


def test_ids_that_differ_are_unique() -> None:
    """An id is compared as it is, and one of what is not stored names nothing."""
    assert check(NamesNothingAlike(), *GLOBS).faults == {}


class BorrowsAnId(ForeignService):
    """Right: an event has the id of an event of another stream, as where both came in one millisecond."""

    def __init__(self) -> None:
        super().__init__()
        self.before: dict[str, str] = {}

    def events(self, run: Run) -> Iterator[tuple[float, Json]]:
        before = self.before.setdefault(run.id, next(reversed(self.before), ""))
        for due, event in super().events(run):
            borrowed = before and event["event_id"].endswith("-3")
            yield due, {**event, "event_id": f"{before}-3"} if borrowed else event


class CountsEvents(ForeignService):
    """Right: the events of each stream are counted from one."""

    def events(self, run: Run) -> Iterator[tuple[float, Json]]:
        for number, (due, event) in enumerate(super().events(run), 1):
            yield due, {**event, "event_id": f"{number}"}


@pytest.mark.parametrize("kind", [BorrowsAnId, CountsEvents])
def test_ids_of_events_are_unique_in_one_stream_alone(kind: type[ForeignService]) -> None:
    """A server may count the events of each stream, or name them by their time."""
    report = check(kind(), "resume.ids-stable", "stream.text", "create.ok", words=("-j", "1"))
    assert (report.faults, report.exit) == ({}, 0)


def test_what_one_answer_shows_by_itself_is_told_beside_it() -> None:
    """An id that comes again explains no field of a single answer."""
    report = check(vary(HasFewIds, show=add(object="chat"))(), "create.*", words=("-j", "8"))
    assert report.faults == {"create.id-unique": "fail", "create.object": "warn"}
