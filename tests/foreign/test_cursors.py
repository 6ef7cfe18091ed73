"""Foreign servers whose event ids change from one reading of a stream to the next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Json, Run

RESUMES = ("resume.*",)


def rename(events: list[tuple[float, Json]], names: Iterator[str]) -> list[tuple[float, Json]]:
    """The events with other ids."""
    return [(due, {**event, "event_id": name}) for (due, event), name in zip(events, names, strict=False)]


class RestartsIds(ForeignService):
    """Counts the ids of each connection from 0, and takes them for those of the whole stream."""

    def get(self, run: Run, query: Json) -> Any:
        found = super().get(run, query)
        return rename(found, (f"{run.id}-{n}" for n in range(100))) if "last_event_id" in query else found


class ForgetsTheEnd(ForeignService):
    """The stream of a run that is over, or that is resumed, lacks interaction.completed."""

    def get(self, run: Run, query: Json) -> Any:
        found = super().get(run, query)
        late = "stream" in query and (run.status == "completed" or "last_event_id" in query)
        return [pair for pair in found if "interaction.completed" not in pair[1].values()] if late else found


class Inclusive(ForeignService):
    """Sends the event that is named once more, then the rest."""

    def get(self, run: Run, query: Json) -> Any:
        found = super().get(run, query)
        if "last_event_id" not in query or not self.repeats(run):
            return found
        whole = list(self.events(run))
        return whole[len(whole) - len(found) - 1 :]

    def repeats(self, run: Run) -> bool:
        """Whether a resume of this run begins with what its client has."""
        return True


class InclusiveWhileRunning(Inclusive):
    """The same, only of a run that is not over."""

    def repeats(self, run: Run) -> bool:
        return run.status == "in_progress"


class SealsIds(ForeignService):
    """Correct, but odd: an id is valid, and another one, in each connection."""

    def get(self, run: Run, query: Json) -> Any:
        plain = {
            name: value.partition("~")[0] if name == "last_event_id" else value for name, value in query.items()
        }
        found = super().get(run, plain)
        self.made += 1
        return rename(found, (f"{e['event_id']}~{self.made}" for _, e in found)) if "stream" in query else found


class EndsInABurst(ForeignService):
    """Correct, and short: with its last words, a run is over."""

    lasts = 0.8

    def events(self, run: Run) -> Iterator[tuple[float, Json]]:
        """The last delta, the end of its step and that of the run come at once."""
        found = list(super().events(run))
        yield from found[:-3]
        yield from ((run.lasts, event) for _, event in found[-3:])


class GoesOnFromNow(EndsInABurst):
    """Who comes back to a run that goes on gets what is still to come, not what came meanwhile."""

    def get(self, run: Run, query: Json) -> Any:
        found = super().get(run, query)
        if "last_event_id" not in query or run.status != "in_progress":
            return found
        return [(due, event) for due, event in found if due > run.age]


@pytest.mark.parametrize(
    ("service", "codes"),
    [(RestartsIds(), ["resume.exclusive/ids"]), (SealsIds(), ["resume.ids-stable"])],
    ids=lambda value: type(value).__name__ if isinstance(value, ForeignService) else "",
)
def test_other_ids_are_one_finding(service: ForeignService, codes: list[str]) -> None:
    """Ids that lead a second resume astray are the root of what it brings; others are a warning of their own."""
    report = check(service, *RESUMES)
    told = [code for name in report.faults for code in dict.fromkeys(report.codes[name])]
    assert told == codes


@pytest.mark.parametrize(
    ("service", "told"), [(Inclusive(), "resume.exclusive"), (InclusiveWhileRunning(), "resume.live")]
)
def test_a_resume_that_repeats_its_event_is_one_warning(service: ForeignService, told: str) -> None:
    """Whoever resumes elsewhere meets it, too: what else was asked there holds, and the fact is told once."""
    report = check(service, *RESUMES)
    assert report.faults == {told: "warn"}
    assert report.codes[told][0] == f"{told}/inclusive"
    assert report.verdicts["resume.from-create"] == "pass"


def test_an_end_that_no_later_stream_tells_is_one_reason() -> None:
    """That it is missing in every stream of a run that is over is no gap of resuming, too."""
    report = check(ForgetsTheEnd(), "resume.*", "stream.*")
    assert report.faults == {"stream.terminal": "fail"}


def test_the_finding_names_both_ids_and_the_request() -> None:
    """The evidence is the resumed stream with its ids, and how to get it."""
    report = check(RestartsIds(), *RESUMES)
    message = report.messages["resume.exclusive"][0]
    assert "in the whole stream and" in message
    assert report.verdicts["resume.ids-stable"] == "blocked"


@pytest.mark.parametrize(("service", "faults"), [(EndsInABurst(), {}), (GoesOnFromNow(), {"resume.live": "fail"})])
def test_a_reader_is_back_before_a_short_run_is_over(service: ForeignService, faults: Json) -> None:
    """What a server does for a run that goes on is not told by one that is over."""
    report = check(service, "resume.live", "resume.two-readers")
    assert report.faults == faults
    assert report.verdicts["resume.two-readers"] == "pass"
    assert report.verdicts["resume.live"] == faults.get("resume.live", "pass")
