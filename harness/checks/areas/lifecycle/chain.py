"""Checks of chains: turns that continue an earlier interaction through previous_interaction_id.

Layer 2. `chain_history` checks what such a turn knows of the earlier ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.background_runs import release_run, start_held_run
from harness.checks.vocabulary.expect import (
    at,
    expect_interaction,
    expect_reply,
    expect_status,
    finding,
    interaction_in,
    object_in,
)
from harness.checks.vocabulary.polling import (
    describe_end,
    expect_id,
    id_of,
    need_id,
    poll_until_found,
    poll_until_settled,
    status_of,
)
from harness.checks.vocabulary.stored import HELLO, UNKNOWN_ID
from harness.contract.data.output import output_steps, output_text
from harness.contract.judge.agreement import judge_echo, judge_own_id, judge_own_steps
from harness.contract.judge.replies import SUCCESS
from harness.contract.judge.wording import format_value
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Exchanges, Send, Steps, stop_exercise
from harness.kit.check import exercise, judge_one
from harness.outcome import Finding, Unmet
from harness.wire import Exchange

_CHAIN = new_registry()
CHECKS = _CHAIN.checks


# --- exercises


@exercise(requests=12, interactions=7)
def a_chain(t: RequestBuilder) -> Steps:
    """A parent and two children with the same input as the parent, so that only the history differs.

    The first child is read before and after the second one is made; it gets a child of its own. The turn of the
    first child is told again without a parent, which is all that a target knows that has forgotten the parent; so
    is the turn of the parent, to see whether what is told costs the same as what is remembered. One child of the
    parent is streamed. The last create names one that does not exist: who takes that as well looks at no
    parent at all.
    """
    parent: Exchange = yield Send(t.create(input=HELLO))
    found = need_id(parent)
    before = (yield from poll_until_found(t, found))[-1]
    child = yield Send(t.create(input=HELLO, previous_interaction_id=found))
    seen: Exchanges = {"parent": parent, "before": before, "child": child}
    child_id = id_of(child)
    seen["child_read"] = None
    if child_id:  # if not even the parent was found, do not wait for the child
        seen["child_read"] = (yield from poll_until_found(t, child_id, patient=before.status != 404))[-1]
    seen["sibling"] = yield Send(t.create(input=HELLO, previous_interaction_id=found))
    seen["child_again"] = (yield Send(t.get(child_id))) if child_id else None
    seen["grandchild"] = (
        (yield Send(t.create(input=HELLO, previous_interaction_id=child_id))) if child_id else None
    )
    seen["parent_retold"] = yield Send(t.create(input=_tell_again(parent), store=False))
    seen["retold"] = (yield Send(t.create(input=_tell_again(child), store=False))) if child_id else None
    seen["streamed"] = yield Send(t.create(input=HELLO, previous_interaction_id=found, stream=True))
    seen["stray"] = yield Send(t.create(input=HELLO, previous_interaction_id=UNKNOWN_ID))
    # Last, since an exercise that ends with a refusal looks like one that was not offered.
    return {**seen, "after": (yield Send(t.get(found)))}


@exercise(requests=6, interactions=2)
def a_chain_to_a_running_run(t: RequestBuilder) -> Steps:
    """A child of a run in progress, and another one once the run is finished."""
    run = yield from start_held_run(t, "chain")
    early: Exchange = yield Send(t.create(input=HELLO, previous_interaction_id=run.id))
    look = (yield from poll_until_found(t, run.id))[-1]
    yield from release_run(t, run)
    seen: Exchanges = {"early": early, "look": look}
    end = (yield from poll_until_settled(t, run.id))[-1]
    if status_of(end) != "completed":
        return stop_exercise(seen, f"the run to continue {describe_end(status_of(end))}, and did not complete")
    return {**seen, "late": (yield Send(t.create(input=HELLO, previous_interaction_id=run.id)))}


@exercise(requests=2, interactions=2)
def a_stateless_turn(t: RequestBuilder) -> Steps:
    """A turn that is not stored, and a second one that sends all of it back with a new question."""
    first: Exchange = yield Send(t.create(input=HELLO, store=False))
    seen: Exchanges = {"first": first}
    steps = output_steps(interaction_in(first))
    if not steps:
        return stop_exercise(seen, "the first turn had no steps to send back")
    turn = [_build_input(HELLO), *steps, _build_input("And once more.")]
    return {**seen, "second": (yield Send(t.create(input=turn, store=False)))}


def _tell_again(answer: Exchange) -> list[dict[str, Any]]:
    """A turn whose question was `HELLO`, and the same question again; of the answer no more than its text."""
    told = {"type": "model_output", "content": [{"type": "text", "text": output_text(object_in(answer))}]}
    return [_build_input(HELLO), told, _build_input(HELLO)]


def _build_input(text: str) -> dict[str, Any]:
    return {"type": "user_input", "content": [{"type": "text", "text": text}]}


# --- judges


@_CHAIN.check(
    "chain.ok",
    a_chain,
    title="a completed interaction can be continued",
    profile="chaining",
    requires=["store", "chain"],
    accepts=["2xx and an id that is not the parent's"],
    about="child",
)
def _can_be_continued(parent: Exchange, child: Exchange) -> Iterator[Finding]:
    if status_of(parent) != "completed":
        raise Unmet(f"the run to continue {describe_end(status_of(parent))}, and did not complete")
    yield from expect_reply("chain.ok", child)
    if child.status in SUCCESS:
        yield from judge_own_id("chain.ok", id_of(child), id_of(parent))


@_CHAIN.check(
    "chain.stored",
    a_chain,
    title="a chained interaction is stored like any other",
    profile="chaining",
    requires=["store", "chain"],
    accepts=["2xx, the child's id and its output", "a brief 404 right after the create"],
)
def _is_stored(child: Exchange, child_read: Exchange | None) -> Iterator[Finding]:
    body = interaction_in(child)
    if child_read is None:
        raise Unmet("the child has no id to read it under")
    yield from at("child_read", expect_interaction(child_read))
    if child_read.status not in SUCCESS:
        return
    if id_of(child_read) != id_of(child):
        stray = finding("another interaction is read", expected=id_of(child), actual=id_of(child_read) or "no id")
        yield stray.at(exchange="child_read")
    if output_steps(body) and not output_steps(interaction_in(child_read)):
        lost = finding("the child was stored without its output", expected="its output steps", actual="none")
        yield lost.at(exchange="child_read", pointer="$.steps")


@_CHAIN.check(
    "chain.echo",
    a_chain,
    title="a chained interaction names its parent",
    profile="chaining",
    requires=["store", "chain"],
    accepts=["in the answer to the create", "in GET only"],
)
def _names_its_parent(parent: Exchange, child: Exchange, child_read: Exchange | None) -> Iterator[Finding]:
    bodies = [interaction_in(child)]
    if child_read is not None and child_read.status in SUCCESS:
        bodies.append(interaction_in(child_read))
    yield from judge_echo(id_of(parent), bodies)


@_CHAIN.check(
    "chain.own-steps",
    a_chain,
    title="a chained create answers its own steps only",
    profile="chaining",
    requires=["store", "chain"],
    accepts=["steps that neither repeat the parent's nor begin with input"],
    about="child",
)
def _answers_its_own_steps(parent: Exchange, child: Exchange) -> Iterator[Finding]:
    yield from judge_own_steps(interaction_in(parent), interaction_in(child))


@_CHAIN.check(
    "chain.parent-unchanged",
    a_chain,
    title="a parent stays as it was",
    profile="chaining",
    requires=["store", "chain"],
    accepts=["the same status, steps and usage before and after"],
)
def _parent_stays(before: Exchange, after: Exchange, child: Exchange) -> Iterator[Finding]:
    interaction_in(child)
    old = interaction_in(before)
    yield from at("after", expect_interaction(after))
    new = interaction_in(after)
    for name in ("status", "steps", "usage", "previous_interaction_id"):
        if old.get(name) != new.get(name):
            yield finding(
                f"`{name}` of the parent changed",
                expected=format_value(old.get(name)),
                actual=format_value(new.get(name)),
            ).at(exchange="after")


@_CHAIN.check(
    "chain.branch",
    a_chain,
    title="a parent may have two children",
    profile="chaining",
    requires=["store", "chain"],
    accepts=["2xx and an id of its own for each child"],
)
def _may_branch(child: Exchange, sibling: Exchange) -> Iterator[Finding]:
    interaction_in(child)
    yield from at("sibling", expect_status(sibling, accepts=SUCCESS))
    if sibling.status in SUCCESS and id_of(sibling) in ("", id_of(child)):
        shared = finding(
            "the second child has no id of its own", expected="a new id", actual=id_of(sibling) or "none"
        )
        yield shared.at(exchange="sibling")


@_CHAIN.check(
    "chain.running",
    a_chain_to_a_running_run,
    title="a run in progress cannot be continued",
    profile="chaining",
    requires=["store", "background", "background-slow", "chain"],
    accepts=["400", "any other 4xx: non-strict"],
    about="early",
)
def _not_while_running(early: Exchange, look: Exchange) -> Iterator[Finding]:
    if early.status in SUCCESS and status_of(look) != "in_progress":
        raise Unmet("the run was not seen in progress after it was chained to", race_lost=True)
    yield from expect_reply("chain.running", early, "the previous_interaction_id of a run in progress")


@_CHAIN.check(
    "chain.after-settled",
    a_chain_to_a_running_run,
    title="a finished background run can be continued",
    profile="chaining",
    requires=["store", "background", "chain"],
    accepts=["2xx and an id"],
)
def _once_it_is_over(late: Exchange) -> Iterator[Finding]:
    yield from expect_reply("chain.after-settled", late)
    yield from expect_id(late)


_CHAIN.check(
    "chain.unknown",
    a_chain,
    title="an unknown parent is refused",
    profile="chaining",
    requires=["store", "chain"],
    accepts=["404", "400", "any other 4xx: non-strict"],
)(judge_one("stray", partial(expect_reply, "chain.unknown")))


_CHAIN.check(
    "chain.stateless",
    a_stateless_turn,
    title="the steps of an answer can be sent back with a new question",
    profile="core",
    accepts=["2xx and an interaction"],
)(judge_one("second", expect_interaction))
