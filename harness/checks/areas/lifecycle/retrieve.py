"""Checks of reading stored interactions, of store=false, and of isolation between projects.

Layer 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from harness.checks.capabilities import new_registry
from harness.checks.refusals import check_refusal, send_wrong_creates
from harness.checks.vocabulary.expect import (
    at,
    expect_interaction,
    expect_offered,
    expect_reply,
    finding,
    interaction_in,
    note,
    of_rule,
)
from harness.checks.vocabulary.polling import id_of, need_id, poll_until_found
from harness.checks.vocabulary.stored import HELLO, UNKNOWN_ID, a_stored_interaction
from harness.contract import read
from harness.contract.data.output import steps_of
from harness.contract.judge.agreement import judge_identity, judge_same, judge_same_output, judge_same_usage
from harness.contract.judge.replies import CLIENT_ERROR, FOREIGN_CHAIN, SUCCESS
from harness.contract.judge.wording import format_request, format_value
from harness.contract.requests import RequestBuilder
from harness.contract.tables.lifecycle import is_settled
from harness.kit.actions import Send, Steps
from harness.kit.check import exercise, judge_one
from harness.outcome import Finding, Unmet
from harness.wire import Exchange
from harness.wire.message import segment

_RETRIEVE = new_registry()
CHECKS = _RETRIEVE.checks


@_RETRIEVE.check(
    "get.ok",
    a_stored_interaction,
    title="a stored interaction is read under its id",
    profile="core",
    requires=["store"],
    accepts=["200 and the same id", "a brief 404 right after the create (noted)"],
    everywhere=True,
)
def _reads(created: Exchange, reads: list[Exchange]) -> Iterator[Finding]:
    wanted = interaction_in(created).get("id")
    last = f"reads[{len(reads) - 1}]"
    yield from at(last, expect_reply("get.ok", reads[-1]))
    if reads[-1].status not in SUCCESS:
        return
    body = read(reads[-1]).json
    found = body.get("id") if isinstance(body, dict) else None
    yield from at(last, judge_identity("get.ok", wanted, found))
    if len(reads) > 1:
        yield note(f"the interaction could be read only at the attempt number {len(reads)}").at(exchange=last)


@_RETRIEVE.check(
    "get.schema",
    a_stored_interaction,
    title="whatever GET answers fits the schema of an interaction",
    profile="core",
    requires=["store"],
    accepts=["additional fields", "unknown kinds of steps and content (noted)"],
    everywhere=True,
)
def _reads_what_fits(got: Exchange) -> Iterator[Finding]:
    interaction_in(got)
    yield from of_rule("get.schema", got)


@_RETRIEVE.check(
    "get.same",
    a_stored_interaction,
    title="two reads of a settled interaction agree",
    profile="core",
    requires=["store"],
    accepts=["the same status, steps and usage; times and anything else may differ"],
)
def _reads_the_same(got: Exchange, again: Exchange) -> Iterator[Finding]:
    one = _settled_body(got)
    yield from at("again", expect_interaction(again))
    other = interaction_in(again)
    yield from at("again", judge_same(one, other, ("status", "steps", "usage")))


@_RETRIEVE.check(
    "get.matches-post",
    a_stored_interaction,
    title="GET shows the output that POST brought",
    profile="core",
    requires=["store"],
    accepts=["the same steps, with or without the caller's input before them"],
)
def _reads_what_was_created(created: Exchange, got: Exchange) -> Iterator[Finding]:
    one, other = _settled_body(created), interaction_in(got)
    yield from at("got", judge_same_output("get.matches-post", one, other))


@_RETRIEVE.check(
    "get.usage",
    a_stored_interaction,
    title="GET shows the token counts that POST brought",
    profile="core",
    requires=["store"],
    accepts=["the same counts", "none in one of them (untestable)"],
    about="got",
)
def _reads_the_same_cost(created: Exchange, got: Exchange) -> Iterator[Finding]:
    one, other = _settled_body(created), interaction_in(got)
    if not one.get("usage") or not other.get("usage"):
        raise Unmet("one of the answers has no usage")
    yield from at("got", judge_same_usage(one, other))


@_RETRIEVE.check(
    "get.user-input",
    a_stored_interaction,
    title="the timeline that GET shows begins with the input",
    profile="core",
    requires=["store"],
    accepts=["a leading user_input step"],
)
def _shows_the_input(got: Exchange) -> Iterator[Finding]:
    steps = steps_of(interaction_in(got))
    first = steps[0].get("type") if steps else None
    if first != "user_input":
        yield finding("the timeline begins elsewhere", expected="user_input", actual=format_value(first))


@_RETRIEVE.check(
    "get.include-input",
    a_stored_interaction,
    title="include_input=true brings the input",
    profile="core",
    requires=["store"],
    accepts=["a field `input`", "a leading user_input step"],
    about="with_input",
)
def _brings_the_input(with_input: Exchange) -> Iterator[Finding]:
    yield from expect_interaction(with_input)
    if with_input.status not in SUCCESS:
        return
    body = interaction_in(with_input)
    if not body.get("input") and all(step.get("type") != "user_input" for step in steps_of(body)):
        rule = "get.include-input"
        yield Finding.from_code(f"{rule}/ignored", "include_input=true changes nothing", "the input", "none")


_RETRIEVE.check(
    "get.stream-false",
    a_stored_interaction,
    title="an explicit stream=false brings JSON",
    profile="core",
    requires=["store"],
    accepts=["2xx and an interaction"],
)(judge_one("unstreamed", expect_interaction))


@_RETRIEVE.check(
    "get.cursor-no-stream",
    a_stored_interaction,
    title="a cursor without stream=true is refused or ignored",
    profile="core",
    requires=["store"],
    accepts=["400", "2xx and JSON as usual", "another 4xx (non-strict)"],
)
def _bears_a_stray_cursor(with_cursor: Exchange) -> Iterator[Finding]:
    if with_cursor.status != 400:
        yield from expect_interaction(with_cursor, tolerates=CLIENT_ERROR)


@exercise(requests=1)
def an_unknown_id_read(t: RequestBuilder) -> Steps:
    """GET of an id that does not exist."""
    return {"unknown": (yield Send(t.get(UNKNOWN_ID)))}


_RETRIEVE.check(
    "get.unknown",
    an_unknown_id_read,
    title="an id that names nothing is answered 404",
    profile="core",
    requires=["store"],
    accepts=["404", "400 to what is not one of the target's ids (noted)", "another 4xx (non-strict)"],
)(judge_one("unknown", partial(expect_reply, "get.unknown")))


@exercise(requests=1, interactions=1)
def an_unstored_interaction(t: RequestBuilder) -> Steps:
    """A create with store=false; if the answer has an id nevertheless, it is read and continued."""
    created: Exchange = yield Send(t.create(input=HELLO, store=False))
    found = id_of(created)
    if not found:
        return {"created": created, "got": [], "chained": []}
    return {
        "created": created,
        "got": [(yield Send(t.get(found)))],
        "chained": [(yield Send(t.create(input=HELLO, previous_interaction_id=found)))],
    }


@_RETRIEVE.check(
    "store.false-get",
    an_unstored_interaction,
    title="what was created with store=false cannot be read",
    profile="core",
    requires=["store"],
    accepts=["no id", "an empty id", "404 to the read", "another 4xx (non-strict)"],
)
def _forgets(created: Exchange, got: list[Exchange]) -> Iterator[Finding]:
    yield from at("created", expect_offered(created))
    for answer in got:
        yield from at("got[0]", expect_reply("store.false-get", answer))


@_RETRIEVE.check(
    "store.false-chain",
    an_unstored_interaction,
    title="what was created with store=false cannot be continued",
    profile="chaining",
    requires=["chain"],
    accepts=["400 or 404", "another 4xx (non-strict)"],
)
def _continues_nothing(created: Exchange, chained: list[Exchange]) -> Iterator[Finding]:
    interaction_in(created)
    if not chained:
        raise Unmet("the unstored interaction has no id to continue")
    yield from at("chained[0]", expect_reply("store.false-chain", chained[0]))


@exercise(requests=1)
def a_background_run_unstored(t: RequestBuilder) -> Steps:
    """background=true with store=false; it is refused before a model runs."""
    return (yield from send_wrong_creates(t, "store.false-bg"))


check_refusal(
    _RETRIEVE,
    "store.false-bg",
    a_background_run_unstored,
    title="background=true with store=false is answered 400",
    profile="background",
    requires=["background"],
    accepts=["400", "another 4xx (non-strict)"],
)


@exercise(requests=7, interactions=1)
def one_interaction_two_projects(t: RequestBuilder) -> Steps:
    """Create and read with one project's key; read, continue, cancel, delete with another's; read with the first.

    The owner reads first, because a cache that forgets whose answer it keeps has nothing to give away before that.
    """
    created: Exchange = yield Send(t.create(input=HELLO))
    found = need_id(created)
    yield from poll_until_found(t, found)
    path = f"interactions/{segment(found)}"
    chain = {"model": t.model, "input": HELLO, "previous_interaction_id": found}
    other = t.other_key
    return {
        "looked": (yield Send(t.request("GET", path, key=other))),
        "chained": (yield Send(t.request("POST", "interactions", chain, key=other))),
        "cancelled": (yield Send(t.request("POST", f"{path}/cancel", key=other))),
        "deleted": (yield Send(t.request("DELETE", path, key=other))),
        "own": (yield from poll_until_found(t, found))[-1],
    }


@_RETRIEVE.check(
    "store.isolation",
    one_interaction_two_projects,
    title="another project's key reaches no interaction",
    profile="core",
    requires=["store", "two-keys"],
    accepts=["403 or 404", "400 to the create that continues it", "another 4xx (non-strict)"],
)
def _keeps_apart(
    looked: Exchange, chained: Exchange, cancelled: Exchange, deleted: Exchange, own: Exchange
) -> Iterator[Finding]:
    for name, answer in {"looked": looked, "cancelled": cancelled, "deleted": deleted}.items():
        yield from at(name, expect_reply("store.isolation", answer))
    yield from at("chained", expect_reply(FOREIGN_CHAIN, chained))
    yield from at("own", expect_interaction(own))


def _settled_body(answer: Exchange) -> Mapping[str, Any]:
    body = interaction_in(answer)
    if not is_settled(body.get("status")):
        raise Unmet(f"{format_request(answer)} shows a run that has not settled")
    return body
