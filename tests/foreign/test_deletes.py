"""Foreign servers whose DELETE of a run in progress does something to those who read it."""

from __future__ import annotations

import pytest

from tests.foreign.deleting import LosesReaders
from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Json, Refused, Run

pytestmark = pytest.mark.slow


class EndsReaders(ForeignService):
    """Correct; a reader of a deleted run gets the rest at once, and an end."""

    lasts = 3.0


class HangsUp(LosesReaders):
    """Correct; a reader of a deleted run is hung up on."""

    def delete(self, run: Run) -> Json:
        self.released.set()
        return super().delete(run)


class Refuses(ForeignService):
    """Correct; what is in progress cannot be deleted."""

    lasts = 3.0

    def delete(self, run: Run) -> Json:
        if run.status == "in_progress":
            raise Refused(400, "failed_precondition", "It is in progress.")
        return super().delete(run)


def test_a_reader_that_is_forgotten_is_found() -> None:
    """A stream that never ends after its run was deleted is a warning, and the only one."""
    service = LosesReaders()
    report = check(service, "del.*", words=("--timeout", "4"))
    service.released.set()
    assert report.faults == {"del.reader-ends": "warn"}
    assert report.messages["del.reader-ends"] == ["the stream did not end"]


@pytest.mark.parametrize(
    ("service", "verdict"), [(EndsReaders, "pass"), (HangsUp, "pass"), (Refuses, "not_applicable")]
)
def test_any_end_will_do(service: type[ForeignService], verdict: str) -> None:
    """Nothing is said of a server that ends the stream, in whatever way, or refuses the delete."""
    report = check(service(), "del.*")
    assert report.faults == {}
    assert report.verdicts["del.reader-ends"] == verdict
