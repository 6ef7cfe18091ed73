"""What the line of a result says of a foreign server: what was sent, and that a reading was lenient."""

from __future__ import annotations

import pytest

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Json, Refused

pytestmark = pytest.mark.slow


class TripsOverTools(ForeignService):
    """A list of tools that is none is answered 500."""

    def admit(self, body: Json) -> None:
        if isinstance(body.get("tools"), str):
            raise Refused(500, "api_error", "It has no attribute.")
        super().admit(body)


class RefusesAsOthersDo(ForeignService):
    """Correct, but odd: what is wrong is answered 422."""

    def admit(self, body: Json) -> None:
        try:
            super().admit(body)
        except Refused as refused:
            raise Refused(422, "invalid_request", "No.") from refused


def test_a_line_names_what_a_wrong_create_held(capsys: pytest.CaptureFixture[str]) -> None:
    """The reader need not look at the evidence to know which field it was."""
    assert check(TripsOverTools(), "err.wrong-type").faults == {"err.wrong-type": "fail"}
    said = capsys.readouterr().out
    assert 'POST /v1beta/interactions with tools "none" returned 500; expected 400' in said


def test_a_must_that_only_warns_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    """A `WARNED` MUST looks like a mistake unless the line says that a lenient reading keeps it."""
    report = check(RefusesAsOthersDo(), "err.wrong-type")
    assert (report.exit, report.faults) == (0, {"err.wrong-type": "warn"})
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("WARNED      err.wrong-type [MUST, met in a lenient reading] ") for line in lines)
