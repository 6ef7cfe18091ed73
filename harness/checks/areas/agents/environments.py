"""Checks of environments: their life cycle, and lists of them.

Layer 2. Creates two environments, one of them with a file, and runs nothing in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from harness.checks.areas.agents.environment_files import SOURCES
from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.expect import (
    at,
    expect_object,
    expect_refusal,
    finding,
    interaction_in,
    note,
    of_rule,
)
from harness.checks.vocabulary.lives import delete_and_look, judge_life, read_and_list
from harness.checks.vocabulary.pages import each_once, pages
from harness.checks.vocabulary.polling import expect_id, id_of
from harness.contract.judge.wording import format_answer, format_value
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Exchanges, Send, Steps, stop_exercise
from harness.kit.check import exercise, judge_one
from harness.outcome import Finding
from harness.wire import Exchange
from harness.wire.message import segment

_ENVIRONMENTS = new_registry()
CHECKS = _ENVIRONMENTS.checks

COUNTS = ("file_count", "size_bytes")


# --- exercises


@exercise(requests=11)
def environments_of_our_own(t: RequestBuilder) -> Steps:
    """Create two environments; read, list, wrongly fork and delete them."""
    seen: Exchanges = {"made": (yield Send(t.request("POST", "environments", {"sources": SOURCES})))}
    one = id_of(seen["made"])
    if not one:
        return stop_exercise(seen, f"no environment could be made: {format_answer(seen['made'])}")
    path = f"environments/{segment(one)}"
    seen["second"] = yield Send(t.request("POST", "environments", {"network": "disabled"}))
    two = id_of(seen["second"])
    fork = {"from_environment": one, "sources": SOURCES}
    seen["forked"] = yield Send(t.request("POST", "environments", fork))
    seen["unknown"] = yield Send(t.request("GET", "environments/harness-no-such-environment"))
    seen |= yield from read_and_list(t, path)
    seen["paged"] = yield from pages(t, "environments", 1)
    seen["expected"] = [found for found in (one, two) if found]
    seen |= yield from delete_and_look(t, path)
    if two:
        yield Send(t.request("DELETE", f"environments/{segment(two)}"))
    return seen


# --- judges of environments


@_ENVIRONMENTS.check(
    "env.create",
    environments_of_our_own,
    title="an environment is made with an id",
    profile="agents",
    requires=["environments"],
    accepts=["2xx and a non-empty string as id"],
)
def _is_made(made: Exchange) -> Iterator[Finding]:
    yield from _has_an_id(made)


@_ENVIRONMENTS.check(
    "env.network",
    environments_of_our_own,
    title="an environment without a network can be made",
    profile="agents",
    requires=["environments"],
    accepts=["2xx and a non-empty string as id"],
)
def _is_made_without_network(second: Exchange) -> Iterator[Finding]:
    yield from _has_an_id(second)


def _has_an_id(made: Exchange) -> Iterator[Finding]:
    yield from expect_object(made)
    yield from expect_id(made)


@_ENVIRONMENTS.check(
    "env.crud",
    environments_of_our_own,
    title="an environment can be made, read and deleted",
    profile="agents",
    requires=["environments"],
    accepts=["2xx throughout, 404 in the end"],
)
def _can_be_managed(
    made: Exchange, fetched: Exchange, listed: Exchange, deleted: Exchange, gone: Exchange
) -> Iterator[Finding]:
    shows = {"id": id_of(made)}
    yield from judge_life(
        "environments", shows, made=made, fetched=fetched, listed=listed, deleted=deleted, gone=gone
    )


@_ENVIRONMENTS.check(
    "env.schema",
    environments_of_our_own,
    title="environments fit their schema, alone and in lists",
    profile="agents",
    requires=["environments"],
    accepts=["additional fields", "values of open enumerations", "counts as digit strings"],
    everywhere=True,
)
def _fits(made: Exchange, fetched: Exchange, listed: Exchange) -> Iterator[Finding]:
    for name, answer in (("made", made), ("fetched", fetched), ("listed", listed)):
        yield from at(name, of_rule("env.schema", answer))


@_ENVIRONMENTS.check(
    "env.status",
    environments_of_our_own,
    title="an environment says whether it can be used",
    profile="agents",
    requires=["environments"],
    accepts=["active", "expired", "any other word (noted)"],
)
def _says_its_status(made: Exchange, fetched: Exchange) -> Iterator[Finding]:
    for name, answer in (("made", made), ("fetched", fetched)):
        status = interaction_in(answer).get("status")
        if status not in ("active", "expired"):
            say = note if isinstance(status, str) and status else finding
            odd = say("an unlisted status", expected="active or expired", actual=format_value(status))
            yield odd.at(exchange=name)


_ENVIRONMENTS.check(
    "env.fork",
    environments_of_our_own,
    title="a fork takes no sources of its own",
    profile="agents",
    requires=["environments"],
    accepts=["400", "any other 4xx: non-strict"],
)(judge_one("forked", partial(expect_refusal, accepts={400})))


@_ENVIRONMENTS.check(
    "env.int64",
    environments_of_our_own,
    title="counts are whole numbers, or digits",
    profile="agents",
    requires=["environments"],
    accepts=["an integer", "a string of digits", "absent"],
)
def _counts_are_whole(fetched: Exchange) -> Iterator[Finding]:
    body = interaction_in(fetched)
    for name in COUNTS:
        if name in body and not _is_count(body[name]):
            yield finding(
                f"`{name}` is no count", expected="an integer or digits", actual=format_value(body[name])
            )


_ENVIRONMENTS.check(
    "env.unknown",
    environments_of_our_own,
    title="an unknown environment is not found",
    profile="agents",
    requires=["environments"],
    accepts=["404", "any other 4xx: non-strict"],
)(judge_one("unknown", partial(expect_refusal, accepts={404})))


@_ENVIRONMENTS.check(
    "page.token",
    environments_of_our_own,
    title="pages of environments hold each environment once",
    profile="agents",
    requires=["environments"],
    accepts=["pages larger than asked for"],
)
def _pages_hold_each_once(paged: list[Exchange], expected: list[str]) -> Iterator[Finding]:
    yield from each_once(paged, "environments", expected)


def _is_count(value: Any) -> bool:
    if isinstance(value, str):
        return value.isascii() and value.isdigit()
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
