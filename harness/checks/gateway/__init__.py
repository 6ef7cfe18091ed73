"""The rules of a gateway in front of the API: each row of `rules/gateway.yaml` with its exercise and judge.

`exercises` chooses the requests and `client` builds them; `upstream_answers` makes responses that the reference
service does not give by itself, and has the texts of its runs. `relay_diff` compares the two sides, and the judges
find the losses. The mutants of `lab/gateways` prove that each rule can fail.

`Basis.COMPARED` bounds the level of a rule that rests on a comparison of both sides. The levels in the table
follow one principle. MUST: the client receives data that was never sent, does not receive data that was sent, or
pays twice. SHOULD: the client can notice the loss or do without. MAY: something was merely added.
"""

from __future__ import annotations

from harness.checks.catalogue import find_function
from harness.checks.gateway.client import GatewayClient
from harness.checks.gateway.exercises import EXERCISES
from harness.checks.gateway.relay_diff import STREAM_WORDS
from harness.kit.check import Check, Exercise
from harness.kit.relay import RelayCatalogue
from harness.rules import rows_of

CHECKS: tuple[Check, ...] = tuple(
    Check(
        rule=row.rule,
        title=row.title,
        profile="gateway",
        exercise=Exercise.join(e for e in EXERCISES if any(g.startswith(f"{e.name}.") for g in row.looks_at)),
        judge=find_function(row, str(row.judge), __name__),
        globs=row.looks_at,
        overhears=row.overhears,
        rests_on=row.rests_on,
        explained_by=row.explained_by,
    )
    for row in rows_of("gateway")
)
BY_ID = {check.id: check for check in CHECKS}
CATALOGUE = RelayCatalogue(CHECKS, EXERCISES)

__all__ = ["CATALOGUE", "CHECKS", "BY_ID", "GatewayClient", "STREAM_WORDS"]
