"""Foreign servers whose runs show a defect at a second look alone, each beside an odd one that is right."""

from __future__ import annotations

from typing import Any

import pytest

from tests.foreign.rows import hold_each, is_background, is_stream, refuse, rows_of
from tests.foreign.server import ForeignService, Json, Refused, Run

pytestmark = pytest.mark.slow


class Forgetful(ForeignService):
    """From the second look on it shows another instant of the create, of some runs only."""

    def forgets(self, body: Json) -> bool:
        """Whether it has forgotten when the run of this create began."""
        return False

    def get(self, run: Run, query: Json) -> Any:
        shown = super().get(run, query)
        if not isinstance(shown, dict) or run.status == "in_progress":
            return shown
        self.noted[run.id] = self.noted.get(run.id, 0) + 1
        wrong = self.noted[run.id] > 1 and self.forgets(run.body)
        return {**shown, "created": "2026-11-19T10:00:00Z"} if wrong else shown


class Touches(Forgetful):
    """Odd, but right: each look moves `updated`, and the server counts the looks in a member of its own."""

    def get(self, run: Run, query: Json) -> Any:
        shown, looks = super().get(run, query), self.noted.get(run.id, 0)
        moved = {"updated": f"2026-11-20T10:{looks:02}:01Z", "x_looks": looks}
        return {**shown, **moved} if isinstance(shown, dict) else shown


def find_later(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
    """Odd, but right: a run is not there at its first look, as its store takes a while."""
    if not self.noted.get(run.id):
        self.noted[run.id] = True
        raise Refused(404, "not_found", "There is no such interaction yet.")
    return usual(run, query)


def is_one_of_several(_: Any, __: Any, body: Json) -> bool:
    """Whether this create is sent beside others; each is read once."""
    return str(body["input"]) == "Say: maple" and not body.get("stream")


def resolve_model(self: ForeignService, usual: Any, run: Run) -> Json:
    """Name the version of the model once a background run has settled."""
    body: Json = usual(run)
    settled = run.body.get("background") and body["status"] != "in_progress"
    return {**body, "model": f"{body['model']}-001"} if settled else body


def rename_model(self: ForeignService, usual: Any, run: Run, query: Json) -> Any:
    """Name another model in each GET."""
    shown = usual(run, query)
    return {**shown, "model": "gemini-2.5-pro"} if isinstance(shown, dict) else shown


service, forgetful = rows_of(ForeignService), rows_of(Forgetful)
ROWS = [
    forgetful("keeps-all: rob.concurrent get.constant -> rest pass"),
    forgetful("forgets-one: rob.concurrent get.constant -> fail get.constant, exit 1", forgets=is_one_of_several),
    forgetful(
        "forgets-streams: rob.concurrent-streams get.constant -> fail get.constant, exit 1",
        forgets=lambda self, usual, body: is_stream(body),
    ),
    forgetful(
        "forgets-background-runs: bg.result get.constant -> fail get.constant, exit 1",
        forgets=lambda self, usual, body: is_background(body),
    ),
    forgetful(
        "forgets-chained-turns: chain.takes-effect get.constant -> fail get.constant, exit 1",
        forgets=lambda self, usual, body: "previous_interaction_id" in body,
    ),
    rows_of(Touches)("touches: get.* bg.updated rob.concurrent chain.ok -> exit 0"),
    # One interaction has one model, in GET as in its create; a server may resolve its name, so this only warns.
    forgetful("resolves-models: bg.result get.constant -> warn get.constant, exit 0", show=resolve_model),
    forgetful("renames-models: create.ok get.constant -> warn get.constant, exit 0", get=rename_model),
    # Odd, but right: it offers no plain GET at all.
    service(
        "without-looks: create.* http.* get.constant get.same -> fail get.ok, exit 1",
        get=refuse(404, lambda run, query: query.get("stream") != "true"),
    ),
    service("finds-later: create.ok get.ok rob.concurrent del.ok -> warn get.ok, exit 0", get=find_later),
]


test_what_was_seen_once_is_looked_at_again = hold_each(ROWS)
"""A defect that only a second look shows is found whichever exercise made the run."""
