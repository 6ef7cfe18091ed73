"""Foreign servers that lose what a client left and came back for, and such that are odd but right."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Json, Run

pytestmark = pytest.mark.slow

LEFT = ("bg.survives-hangup", "resume.from-create")
RESUMES = ("resume.no-gap", "resume.exclusive", "resume.ids-stable", "resume.finished", "resume.well-formed")
QUICK = ("--timeout", "12")


class RunsInItsStream(ForeignService):
    """Runs in the handler that streams the create: when its client leaves, nothing moves the run any more."""

    lasts = 2.0

    def create(self, body: Json) -> Any:
        made = super().create(body)
        if not (body.get("stream") and body.get("background")):
            return made
        return self.tied(self.runs[f"i{self.made}"], made)

    def tied(self, run: Run, events: Iterator[tuple[float, Json]]) -> Iterator[tuple[float, Json]]:
        try:
            yield from events
        except GeneratorExit:
            self.leave(run)
            raise

    def leave(self, run: Run) -> None:
        run.lasts = 3600.0


class CancelsWithItsStream(RunsInItsStream):
    """Cancels the run when the client that streams its create leaves."""

    def leave(self, run: Run) -> None:
        run.cancelled_at = run.begun


class SlowsDownAlone(RunsInItsStream):
    """Correct, but odd: a run whose client left takes two seconds more."""

    def leave(self, run: Run) -> None:
        run.lasts += 2.0


class NeverEnds(RunsInItsStream):
    """No run of it ever settles, left or not: that is another defect."""

    lasts = 3600.0

    def leave(self, run: Run) -> None:
        """Leave it as it is."""


class NumbersCreatesAnew(ForeignService):
    """The stream of a create counts its events from one, every other stream from nought."""

    lasts = 2.0

    def create(self, body: Json) -> Any:
        made = super().create(body)
        return made if isinstance(made, dict) else self.shifted(made)

    def shifted(self, events: Iterator[tuple[float, Json]]) -> Iterator[tuple[float, Json]]:
        for number, (due, event) in enumerate(events, 1):
            yield due, {**event, "event_id": f"i{self.made}-{number}"}


class CountsPerConnection(ForeignService):
    """Every connection counts its events from nought, so that the cursor of a resumed one points elsewhere."""

    def get(self, run: Run, query: Json) -> Any:
        came = super().get(run, query)
        if isinstance(came, dict):
            return came
        return [(due, {**event, "event_id": f"{run.id}-{number}"}) for number, (due, event) in enumerate(came)]


class NamesConnections(ForeignService):
    """Correct, but odd: an event has another id on every connection, and each of them is understood for good."""

    def __init__(self) -> None:
        super().__init__()
        self.connections = count()

    def get(self, run: Run, query: Json) -> Any:
        if "last_event_id" in query:
            query = {**query, "last_event_id": query["last_event_id"].partition("@")[0]}
        came = super().get(run, query)
        if isinstance(came, dict):
            return came
        here = next(self.connections)
        return [(due, {**event, "event_id": f"{event['event_id']}@{here}"}) for due, event in came]


@pytest.mark.parametrize("service", [RunsInItsStream, CancelsWithItsStream])
def test_a_run_that_ends_with_the_stream_of_its_create_is_a_failure(service: type[ForeignService]) -> None:
    """A background run goes on without its client; the twin that nobody left shows that it could have."""
    report = check(service(), *LEFT, words=QUICK)
    assert report.verdicts == {"bg.survives-hangup": "fail", "resume.from-create": "blocked"}
    assert report.messages["bg.survives-hangup"] == ["the run was lost with the stream of its create"]
    assert report.exit == 1


def test_a_run_that_takes_longer_alone_is_right() -> None:
    """A run may take its time; what it brings is read to the end."""
    report = check(SlowsDownAlone(), *LEFT, words=QUICK)
    assert (report.faults, report.verdicts) == ({}, dict.fromkeys(LEFT, "pass"))


def test_a_server_whose_runs_never_end_is_not_accused_of_losing_them() -> None:
    """Where a run that nobody left does not end either, leaving it proves nothing."""
    report = check(NeverEnds(), *LEFT, words=QUICK)
    assert (report.faults, report.verdicts) == ({}, dict.fromkeys(LEFT, "untestable"))


def test_a_cursor_of_the_create_must_resume_the_run() -> None:
    """The documented use: the stream of the create breaks off, and GET goes on from its last event."""
    report = check(NumbersCreatesAnew(), *LEFT, words=QUICK)
    assert report.faults == {"resume.from-create": "fail"}


def test_a_cursor_of_a_resumed_stream_must_resume_the_run() -> None:
    """A connection that is lost twice: the second cursor comes from a stream that was resumed itself."""
    report = check(CountsPerConnection(), *RESUMES)
    assert report.faults["resume.exclusive"] == "fail"
    assert report.exit == 1


def test_other_ids_on_every_connection_are_no_failure_while_each_is_understood() -> None:
    """Ids that change are a warning; nothing is lost or doubled."""
    assert check(NamesConnections(), *RESUMES).faults == {"resume.ids-stable": "warn"}
