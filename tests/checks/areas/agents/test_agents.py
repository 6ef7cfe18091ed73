"""The judges of the checks on agent runs and their environments, on hand-made exchanges."""

from __future__ import annotations

from tests.checks._play import answer, case, interaction, refusal, shows


def turn(found="v1_one", environment="env1", **fields):
    """An agent's turn in an environment."""
    return answer(body=interaction(id=found, environment_id=environment, **fields))


FIRST = turn()
BARE = answer(body=interaction())
RUNNING = turn(environment=None, status="in_progress")
SECOND = turn("v1_two")
REFUSED = refusal(400)
MISSING = refusal(404, "not_found")
CRASH = refusal(500)
BY_A_MODEL, BY_ANOTHER = turn(model="gemini-usual"), turn(model="gemini-other")

CASES = [
    case("agent.field", "met", "accepted", created=RUNNING, of_nobody=[]),
    case("agent.field", "not_met", "refused", created=REFUSED, of_nobody=[]),
    case("agent.field", "not_met", "no id", created=turn(""), of_nobody=[]),
    case("agent.field", "met", "its model is shown", created=BY_A_MODEL, of_nobody=[REFUSED]),
    case("agent.field", "met", "another model for nobody", created=BY_A_MODEL, of_nobody=[BY_ANOTHER]),
    case("agent.field", "not_met", "a model for every name", created=BY_A_MODEL, of_nobody=[BY_A_MODEL]),
    case("agent.token-limit", "met", "incomplete", polled=[RUNNING, shows("incomplete")]),
    case("agent.token-limit", "not_met", "completed all the same", polled=[RUNNING, FIRST]),
    case("agent.token-limit", "not_met", "failed", polled=[shows("failed")]),
    case("agent.settles", "met", "settled", polled=[RUNNING, FIRST]),
    case("agent.settles", "not_met", "never", polled=[RUNNING]),
    case("agent.settles", "not_met", "gone", polled=[MISSING]),
    case("agent.env-id", "met", "in the end", created=RUNNING, polled=[RUNNING, FIRST]),
    case("agent.env-id", "met", "at once", created=FIRST, polled=[BARE]),
    case("agent.env-id", "untestable", "not settled", created=RUNNING, polled=[RUNNING]),
    case("agent.env-id", "not_met", "never", created=RUNNING, polled=[RUNNING, BARE]),
    case("agent.chain-needs-env", "met", "refused", bare=REFUSED),
    case("agent.chain-needs-env", "not_met", "accepted", bare=SECOND),
    case("agent.chain-needs-env", "not_met", "crash", bare=CRASH),
    case("agent.chain-env", "met", "accepted", created=FIRST, chained=SECOND),
    case("agent.chain-env", "not_met", "refused", created=FIRST, chained=REFUSED),
    case("agent.chain-env", "not_met", "the same id", created=FIRST, chained=FIRST),
    case("agent.env-kept", "met", "the same", polled=[FIRST], chained_polled=[RUNNING, SECOND]),
    case("agent.env-kept", "untestable", "not told", polled=[BARE], chained_polled=[SECOND]),
    case("agent.env-kept", "not_met", "never readable", polled=[FIRST], chained_polled=[CRASH]),
    case("agent.env-kept", "untestable", "never began", polled=[FIRST], chained_polled=[]),
    case("agent.env-kept", "not_met", "another", polled=[FIRST], chained_polled=[turn("v1_two", "env2")]),
    case("agent.mixed-chain", "met", "accepted", mixed=BARE),
    case("agent.mixed-chain", "not_met", "refused", mixed=REFUSED),
    case("agent.no-env-id", "met", "none", parent=BARE, before=BARE),
    case("agent.no-env-id", "met", "null", parent=answer(body={"status": "completed", "environment_id": None}),
         before=BARE),
    case("agent.no-env-id", "not_met", "at once", parent=FIRST, before=BARE),
    case("agent.no-env-id", "not_met", "when read", parent=BARE, before=FIRST),
    case("agent.in-model", "met", "accepted", answer=RUNNING),
    case("agent.in-model", "not_met", "refused", answer=MISSING),
    case("agent.in-model", "not_met", "something else", answer=answer(body={})),
    case("agent.config", "met", "accepted", answer=RUNNING),
    case("agent.config", "not_met", "refused", answer=REFUSED),
    case("agent.config", "not_met", "crash", answer=CRASH),
    case("agent.unknown", "met", "404", unknown=MISSING),
    case("agent.unknown", "non_strict", "403", unknown=refusal(403)),
    case("agent.unknown", "not_met", "accepted", unknown=RUNNING),
    case("agent.unknown-env", "met", "404", nowhere=MISSING),
    case("agent.unknown-env", "not_met", "accepted", nowhere=RUNNING),
    case("agent.dr-bg", "met", "refused", research=REFUSED),
    case("agent.dr-bg", "not_met", "accepted", research=BARE),
    case("agent.dr-bg", "not_met", "hangs", research=answer(None)),
]  # fmt: skip
