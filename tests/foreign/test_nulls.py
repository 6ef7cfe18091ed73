"""Foreign servers that write `null` where the API leaves a field out, as many generated servers do."""

from __future__ import annotations

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Json, Run

EMPTY: Json = {"agent": None, "usage": None, "steps": None, "service_tier": None, "previous_interaction_id": None}


class NullsForNothing(ForeignService):
    """Odd, but read by every SDK: each optional field is there, null if it has no value."""

    def show(self, run: Run) -> Json:
        return {**EMPTY, **super().show(run)}

    def events(self, run: Run) -> object:
        for moment, event in super().events(run):
            yield moment, {**event, "metadata": None}


class NullsWhileItRuns(ForeignService):
    """The same, but only until the run has settled."""

    def show(self, run: Run) -> Json:
        return {**({"usage": None} if run.status == "in_progress" else {}), **super().show(run)}


class NoStatus(ForeignService):
    """Wrong: a required field is null."""

    def show(self, run: Run) -> Json:
        return {**super().show(run), "status": None}


def test_nulls_are_one_lenient_finding_of_each_shape() -> None:
    """A null in an optional field warns once for each schema, and no other rule repeats it."""
    report = check(NullsForNothing(), "create.schema", "get.schema", "usage.*", "create.times", "stream.*")
    assert report.faults == {"create.schema": "warn", "get.schema": "warn", "stream.schema": "warn"}
    assert all(report.codes[rule] == [f"{rule}/null"] for rule in ("create.schema", "get.schema"))
    assert set(report.codes["stream.schema"]) == {"stream.schema/null"}


def test_nulls_are_seen_in_any_answer() -> None:
    """A null that only other exercises meet is reported all the same."""
    report = check(NullsWhileItRuns(), "create.schema", "usage.types", "bg.at-once")
    assert report.faults == {"create.schema": "warn"}
    assert report.codes["create.schema"] == ["create.schema/null"]


def test_a_null_in_a_required_field_is_a_fault() -> None:
    """The lenient reading is for fields that may be left out; the rule of the field tells it, and no other."""
    report = check(NoStatus(), "create.schema", "create.status")
    assert report.faults == {"create.status": "fail"}
