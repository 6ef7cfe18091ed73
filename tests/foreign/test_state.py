"""Foreign servers that mix up what they store, and such that are odd but right."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.foreign.judging import check
from tests.foreign.server import ForeignService, Json, Run

STATE = ("chain.*", "bg.updated", "bg.no-regress")


class SiblingContinued(ForeignService):
    """A second child of a parent carries the turn of the first."""

    def __init__(self) -> None:
        super().__init__()
        self.children: Counter[str] = Counter()

    def create(self, body: Json) -> Any:
        answer = super().create(body)
        parent = str(body.get("previous_interaction_id"))
        run = self.runs.get(f"i{self.made}")
        if run is not None and parent in self.runs:
            run.tokens += 8 * self.children[parent]
            self.children[parent] += 1
            return self.show(run)
        return answer


class GivesIdsTwice(ForeignService):
    """Makes ids of something that does not change with every create, such as the second."""

    creates = 0

    def create(self, body: Json) -> Any:
        self.creates += 1
        self.made = self.creates // 2
        return super().create(body)


class TimeGoesBack(ForeignService):
    """The time of the last change goes back by a fraction at each poll."""

    lasts = 0.2
    looks = 0

    def show(self, run: Run) -> Json:
        self.looks += 1
        return {**super().show(run), "updated": f"2026-11-20T10:00:01.{900 - self.looks:03}Z"}


class TimeIsWrittenOtherwise(ForeignService):
    """Correct, but odd: each view writes the same instant in another way, and a later child costs a token more."""

    lasts = 0.2
    looks = 0

    def show(self, run: Run) -> Json:
        self.looks += 1
        forms = ("10:00:01.500Z", "12:00:01.5+02:00", "10:00:01.500000+00:00", "05:30:01.5-04:30")
        body = super().show(run)
        return {**body, "created": "2026-11-20T10:00:00Z", "updated": f"2026-11-20T{forms[self.looks % 4]}"}

    def usage(self, run: Run) -> Json:
        late = self.made % 2
        return {"total_input_tokens": run.tokens + late, "total_output_tokens": 4,
                "total_tokens": run.tokens + late + 4}  # fmt: skip


@pytest.mark.parametrize(
    ("service", "faults"),
    [
        (SiblingContinued(), {"chain.siblings-apart": "warn"}),
        (TimeGoesBack(), {"bg.updated": "warn"}),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, ForeignService) else "",
)
def test_each_defect_is_found_once_and_nothing_else(service: ForeignService, faults: dict[str, str]) -> None:
    """A server with one defect has the one finding that names it."""
    assert check(service, *STATE).faults == faults


@pytest.mark.slow
def test_an_id_that_is_given_twice_is_a_failure() -> None:
    """The id is documented as unique: whoever has it would read the conversation of another."""
    report = check(GivesIdsTwice(), "create.id-unique")
    assert (report.faults, report.exit) == ({"create.id-unique": "fail"}, 1)


def test_equal_instants_are_equal() -> None:
    """How an instant is written is no change of it."""
    assert check(TimeIsWrittenOtherwise(), "bg.*", "chain.siblings-apart", "create.times").faults == {}
