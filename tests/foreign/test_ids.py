"""Foreign servers that give an id again, and such that are odd but right."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Json, Run

pytestmark = pytest.mark.slow


class CountsPerConnection(ForeignService):
    """Each connection counts its interactions from one."""

    def __init__(self) -> None:
        super().__init__()
        self.counted = threading.local()

    def create(self, body: Json) -> Any:
        self.made = getattr(self.counted, "number", 0)
        answer = super().create(body)
        self.counted.number = self.made
        return answer


class HasFewIds(ForeignService):
    """Takes ids from a pool of eight, one after the other."""

    def create(self, body: Json) -> Any:
        self.made %= 8
        return super().create(body)


class ForgetsItsCount(ForeignService):
    """Counts again from one after every forty creates, as after a restart of its process."""

    def create(self, body: Json) -> Any:
        self.made %= 40
        return super().create(body)


class CountsByKind(ForeignService):
    """Background runs have a counter of their own, and the same ids."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = {True: 0, False: 0}

    def create(self, body: Json) -> Any:
        kind = body.get("background") is True
        self.made = self.counts[kind]
        answer = super().create(body)
        self.counts[kind] = self.made
        return answer


class GivesFreeIds(ForeignService):
    """Gives the lowest id that is free: one that was deleted comes again."""

    def create(self, body: Json) -> Any:
        self.made = next(number for number in range(10_000) if f"i{number + 1}" not in self.runs)
        return super().create(body)


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
        known = {spell(name): name for name in self.runs}
        return super().find(known.get(identity, ""))


def spell(identity: str) -> str:
    """An id as letters, with the number in their case."""
    number = int(identity[1:] or 0)
    return "".join("Aa"[number >> place & 1] for place in range(10)) if identity else ""


GLOBS = ("create.*", "get.*", "del.*", "bg.*", "chain.*", "cancel.*", "resume.*", "rob.concurrent*", "http.*")


@pytest.mark.parametrize("jobs", [1, 8])
@pytest.mark.parametrize("kind", [CountsPerConnection, HasFewIds, ForgetsItsCount, CountsByKind, GivesFreeIds])
def test_an_id_that_comes_again_is_the_one_reason(
    kind: type[ForeignService], jobs: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whichever exercises share it, one rule is broken, and what others see at that id is blocked by it.

    With several workers, a create may still be at work when what it disturbed is judged, and accused.
    """
    report = check(kind(), *GLOBS, words=("-j", str(jobs)))
    assert (report.exit, report.faults["create.id-unique"]) == (1, "fail")
    assert len(report.faults) == 1 or (jobs > 1 and len(report.faults) == 2)
    assert jobs > 1 or "(1 cause: " in capsys.readouterr().out


@pytest.mark.parametrize("jobs", [1, 8])
def test_ids_that_differ_are_unique(jobs: int) -> None:
    """An id is compared as it is, and one of what is not stored names nothing."""
    assert check(NamesNothingAlike(), *GLOBS, words=("-j", str(jobs))).faults == {}


class HasAnotherDefect(HasFewIds):
    """Says that an interaction is a chat, too."""

    def show(self, run: Run) -> Json:
        return {**super().show(run), "object": "chat"}


def test_what_one_answer_shows_by_itself_is_told_beside_it() -> None:
    """An id that comes again explains no field of a single answer."""
    report = check(HasAnotherDefect(), "create.*", words=("-j", "8"))
    assert report.faults == {"create.id-unique": "fail", "create.object": "warn"}
