"""Checks of agents: runs of managed agents, and their environments across turns.

Layer 2. Managed agents run in the background here, since they may take minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from harness.checks.areas.lifecycle.chain import a_chain
from harness.checks.capabilities import new_registry
from harness.checks.refusals import check_refusal, send_wrong_creates
from harness.checks.vocabulary.agent_runs import NOBODY, find_model, find_stand_in
from harness.checks.vocabulary.expect import at, expect_interaction, expect_status, finding, interaction_in
from harness.checks.vocabulary.polling import (
    expect_id,
    id_of,
    need_id,
    poll_until_settled,
    polls,
    settled,
    status_of,
)
from harness.checks.vocabulary.stored import HELLO
from harness.contract import read
from harness.contract.judge.replies import CLIENT_ERROR, SUCCESS
from harness.contract.judge.wording import format_answer
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Exchanges, Send, Steps, stop_exercise
from harness.kit.check import exercise, judge_one
from harness.outcome import Finding, Unmet
from harness.wire import Exchange

_AGENTS = new_registry()
CHECKS = _AGENTS.checks


# --- exercises


@exercise(requests=10, interactions=3)
def an_agent_run(t: RequestBuilder) -> Steps:
    """A managed agent's first turn, second turns without and with its environment, and a model's turn."""
    turn = {"agent": t.agent, "input": HELLO, "environment": t.environment, "background": True}
    created: Exchange = yield Send(t.create(turn))
    seen: Exchanges = {"created": created, "of_nobody": []}
    if find_model(created):
        seen["of_nobody"] = [(yield Send(t.create({**turn, "agent": NOBODY})))]
    found = id_of(created)
    if not found:
        return stop_exercise(seen, f"the agent's run has no id: {format_answer(created)}")
    polled = yield from polls(t, found, whole=True)
    seen["polled"] = polled
    if not settled(polled[-1]) or status_of(polled[-1]) != "completed":
        return stop_exercise(seen, f"the agent's run did not complete: {format_answer(polled[-1])}")
    turn = {"agent": t.agent, "input": HELLO, "previous_interaction_id": found, "background": True}
    seen["bare"] = yield Send(t.create(turn))
    seen["chained"] = yield Send(t.create(turn, environment=environment_of(polled[-1]) or t.environment))
    chained = id_of(seen["chained"])
    seen["chained_polled"] = (yield from polls(t, chained, whole=True)) if chained else []
    return {**seen, "mixed": (yield Send(t.create(input=HELLO, previous_interaction_id=found)))}


@exercise(requests=1, interactions=1)
def an_agent_in_model(t: RequestBuilder) -> Steps:
    """A create with an agent's name in `model`."""
    answer = yield Send(t.create(model=t.agent, input=HELLO, environment=t.environment, background=True))
    return {"answer": answer}


@exercise(requests=1, interactions=1)
def an_agent_with_its_config(t: RequestBuilder) -> Steps:
    """A managed agent with an agent_config of its own kind."""
    if not t.agent.startswith("antigravity"):
        raise Unmet(f"which agent_config {t.agent} takes is not known")
    config = {"type": "antigravity", "max_total_tokens": 100_000}
    body = {"agent": t.agent, "agent_config": config, "environment": t.environment}
    return {"answer": (yield Send(t.create(body, input=HELLO, background=True)))}


@exercise(requests=4, interactions=1)
def an_agent_with_a_limit(t: RequestBuilder) -> Steps:
    """A managed agent that may spend fewer tokens than any answer takes."""
    if not t.agent.startswith("antigravity"):
        raise Unmet(f"which agent_config {t.agent} takes is not known")
    config = {"type": "antigravity", "max_total_tokens": 20}
    body = {"agent": t.agent, "agent_config": config, "environment": t.environment, "background": True}
    created: Exchange = yield Send(t.create(body, input="Write a poem of twenty lines into poem.txt."))
    return {"created": created, "polled": (yield from poll_until_settled(t, need_id(created)))}


@exercise(requests=3)
def agents_that_cannot_run(t: RequestBuilder) -> Steps:
    """An unknown agent, an unknown environment, and deep research in the foreground."""
    refused = yield from send_wrong_creates(t, "agent.unknown", "agent.unknown-env")
    return {**refused, **(yield from send_wrong_creates(t, "agent.dr-bg", timeout=30))}


def environment_of(exchange: Exchange) -> str:
    """Return the environment_id of an interaction, `""` if it has none."""
    body = read(exchange).json
    found = body.get("environment_id") if exchange.status in SUCCESS and isinstance(body, dict) else None
    return found if isinstance(found, str) else ""


# --- judges of runs


@_AGENTS.check(
    "agent.field",
    an_agent_run,
    title="an agent can be run",
    profile="agents",
    requires=["agents", "background"],
    accepts=["2xx and an interaction with an id", "a model in the answer, if an unknown agent is refused"],
)
def _can_be_run(created: Exchange, of_nobody: list[Exchange]) -> Iterator[Finding]:
    yield from at("created", expect_interaction(created))
    yield from at("created", expect_id(created, "the run has no id"))
    for control in of_nobody:
        if model := find_stand_in(created, control):
            message = f"the run is of the model {model!r}, and so is that of an agent that does not exist"
            yield Finding.from_code("agent.field/model", message, "a run of the agent", "a run of a model").at(
                exchange="created", pointer="$.model"
            )


@_AGENTS.check(
    "agent.settles",
    an_agent_run,
    title="an agent's run comes to an end",
    profile="agents",
    requires=["agents", "background", "store"],
    accepts=["any settled status within --timeout"],
)
def _comes_to_an_end(polled: list[Exchange]) -> Iterator[Finding]:
    last = f"polled[{len(polled) - 1}]"
    yield from at(last, expect_interaction(polled[-1]))
    if polled[-1].status in SUCCESS and not settled(polled[-1]):
        late = finding("the run did not settle", expected="a settled status", actual=format_answer(polled[-1]))
        yield late.at(exchange=last)


@_AGENTS.check(
    "agent.token-limit",
    an_agent_with_a_limit,
    title="an agent that has spent its tokens ends as incomplete",
    profile="agents",
    requires=["agents", "background", "store"],
    accepts=["incomplete, somewhat above the limit", "a refusal of so small a limit: untestable"],
)
def _keeps_its_limit(polled: list[Exchange]) -> Iterator[Finding]:
    if status_of(polled[-1]) != "incomplete":
        ends = finding("the run ends otherwise", expected="incomplete", actual=format_answer(polled[-1]))
        yield ends.at(exchange=f"polled[{len(polled) - 1}]")


@_AGENTS.check(
    "agent.env-id",
    an_agent_run,
    title="a run in an environment tells its id",
    profile="agents",
    requires=["agents", "environments", "background", "store"],
    accepts=["at once", "when the run has settled"],
)
def _tells_its_environment(created: Exchange, polled: list[Exchange]) -> Iterator[Finding]:
    if not settled(polled[-1]):
        raise Unmet("the run did not settle")
    if not any(environment_of(answer) for answer in [created, *polled]):
        yield finding("no environment_id", expected="a non-empty string", actual=format_answer(polled[-1]))


_AGENTS.check(
    "agent.chain-needs-env",
    an_agent_run,
    title="a second turn without an environment is refused",
    profile="agents",
    requires=["agents", "environments", "background", "store", "chain"],
    accepts=["any 4xx"],
)(judge_one("bare", partial(expect_status, accepts=CLIENT_ERROR)))


@_AGENTS.check(
    "agent.chain-env",
    an_agent_run,
    title="a second turn with an environment is accepted",
    profile="agents",
    requires=["agents", "environments", "background", "store", "chain"],
    accepts=["2xx and an id that is not the first turn's"],
)
def _continues_in_it(created: Exchange, chained: Exchange) -> Iterator[Finding]:
    yield from at("chained", expect_interaction(chained))
    if chained.status in SUCCESS and id_of(chained) in ("", id_of(created)):
        actual = id_of(chained) or "none"
        shared = finding("the second turn has no id of its own", expected="a new id", actual=actual)
        yield shared.at(exchange="chained")


@_AGENTS.check(
    "agent.env-kept",
    an_agent_run,
    title="a turn in a named environment stays in it",
    profile="agents",
    requires=["agents", "environments", "background", "store"],
    accepts=["the same environment_id"],
)
def _stays_in_it(polled: list[Exchange], chained_polled: list[Exchange]) -> Iterator[Finding]:
    if chained_polled:
        yield from at(f"chained_polled[{len(chained_polled) - 1}]", expect_interaction(chained_polled[-1]))
    first = environment_of(polled[-1])
    second = environment_of(chained_polled[-1]) if chained_polled else ""
    if not first or not second:
        raise Unmet("one of the turns told no environment_id")
    if first != second:
        yield finding("the second turn ran elsewhere", expected=first, actual=second)


_AGENTS.check(
    "agent.mixed-chain",
    an_agent_run,
    title="a model may continue an agent's work",
    profile="agents",
    requires=["agents", "background", "store", "chain"],
    accepts=["2xx and an interaction"],
)(judge_one("mixed", expect_interaction))


@_AGENTS.check(
    "agent.no-env-id",
    a_chain,
    title="without an environment there is no environment_id",
    profile="core",
    requires=["store"],
    accepts=["no environment_id, or an empty one"],
)
def _has_no_environment(parent: Exchange, before: Exchange) -> Iterator[Finding]:
    for name, answer in (("parent", parent), ("before", before)):
        if interaction_in(answer).get("environment_id"):
            stray = finding(
                "an environment_id that nobody asked for", expected="none", actual=environment_of(answer)
            )
            yield stray.at(exchange=name)


_AGENTS.check(
    "agent.in-model",
    an_agent_in_model,
    title="an agent's name is accepted in model",
    profile="agents",
    requires=["agents", "background"],
    accepts=["2xx and an interaction"],
)(judge_one("answer", expect_interaction))


_AGENTS.check(
    "agent.config",
    an_agent_with_its_config,
    title="an agent takes the settings of its own kind",
    profile="agents",
    requires=["agents", "background"],
    accepts=["2xx and an interaction", "an agent whose settings are not known: untestable"],
)(judge_one("answer", expect_interaction))


check_refusal(
    _AGENTS,
    "agent.unknown",
    agents_that_cannot_run,
    title="an unknown agent is refused",
    profile="agents",
    requires=["agents"],
    accepts=["404", "400", "any other 4xx: non-strict"],
)


check_refusal(
    _AGENTS,
    "agent.unknown-env",
    agents_that_cannot_run,
    title="an unknown environment is refused",
    profile="agents",
    requires=["agents", "environments"],
    accepts=["404", "400", "any other 4xx: non-strict"],
)


check_refusal(
    _AGENTS,
    "agent.dr-bg",
    agents_that_cannot_run,
    title="deep research needs the background",
    profile="agents",
    requires=["agents"],
    accepts=["any 4xx"],
)
