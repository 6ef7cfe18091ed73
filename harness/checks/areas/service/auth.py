"""Checks of API keys: where a key is accepted, and what happens without one.

Layer 2. On a target that checks keys, creates without a valid key never run a model, so they cost nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.expect import (
    at,
    code_of,
    expect_interaction,
    expect_status,
    finding,
    lenient_finding,
)
from harness.checks.vocabulary.polling import id_of, poll_until_found
from harness.checks.vocabulary.stored import HELLO, WRONG_KEY
from harness.contract.judge.replies import CLIENT_ERROR, SUCCESS
from harness.contract.judge.wording import format_answer
from harness.contract.requests import KEY_HEADER, RequestBuilder
from harness.kit.actions import Part, Send, Steps, stop_exercise
from harness.kit.check import exercise, judge_one
from harness.outcome import Finding, NotApplicable, Unmet
from harness.wire import Exchange
from harness.wire.message import segment

_AUTH = new_registry()
CHECKS = _AUTH.checks

_REFUSED = frozenset({400, 401, 403})
_NOT_THERE = frozenset({404, 405, 501})


@exercise(requests=10, interactions=1, front_end=True)
def one_interaction_many_keys(t: RequestBuilder) -> Steps:
    """Create with the key; read, create and delete with wrong or no keys; read with the key again."""
    yield from _need_a_key_of_our_own(t)
    created: Exchange = yield Send(t.create(input=HELLO))
    found = id_of(created)
    if not found:
        return stop_exercise({"created": created}, f"the create brought no id: {format_answer(created)}")
    # Before it is readable, a 404 could be taken for a refusal, or for a deletion that nobody had the right to.
    readable = (yield from poll_until_found(t, found))[-1]
    path = f"interactions/{segment(found)}"
    bearer = [("authorization", f"Bearer {t.key}")]
    return {
        "created": created,
        "readable": readable,
        "read_without": (yield Send(t.request("GET", path, key=""))),
        "created_without": (yield Send(t.request("POST", "interactions", _hello(t), key=""))),
        "deleted_without": (yield Send(t.request("DELETE", path, key=""))),
        "read_wrong": (yield Send(t.request("GET", path, key=WRONG_KEY))),
        "created_wrong": (yield Send(t.request("POST", "interactions", _hello(t), key=WRONG_KEY))),
        "read_bearer": (yield Send(t.request("GET", path, key="", headers=bearer))),
        "read_query": (yield Send(t.request("GET", path, key="", query={"key": t.key}))),
        "read_again": (yield Send(t.request("GET", path))),
    }


@_AUTH.check(
    "auth.missing",
    one_interaction_many_keys,
    title="calls without a key are answered 401",
    profile="core",
    requires=["auth", "store"],
    accepts=[
        "401 with code authentication",
        "401, 400 or 403 with any error body (non-strict)",
        "404, 405 or 501 to the DELETE of a target that has none (non-strict)",
    ],
)
def _refuses_no_key(
    readable: Exchange,
    read_without: Exchange,
    created_without: Exchange,
    deleted_without: Exchange,
    read_again: Exchange,
) -> Iterator[Finding]:
    yield from at("read_without", _expect_unauthenticated(read_without))
    yield from at("created_without", _expect_unauthenticated(created_without))
    if deleted_without.status in _NOT_THERE:
        found = lenient_finding(
            "there is no DELETE to protect", expected="401", actual=format_answer(deleted_without)
        )
        yield found.at(exchange="deleted_without")
    else:
        yield from at("deleted_without", _expect_unauthenticated(deleted_without))
    if readable.status in SUCCESS and read_again.status == 404:
        yield finding("the refused DELETE took effect", actual=format_answer(read_again)).at(exchange="read_again")


@_AUTH.check(
    "auth.wrong",
    one_interaction_many_keys,
    title="calls with a wrong key are refused",
    profile="core",
    requires=["auth", "store"],
    accepts=["400, 401 or 403", "another 4xx (non-strict)"],
)
def _refuses_wrong_keys(read_wrong: Exchange, created_wrong: Exchange) -> Iterator[Finding]:
    yield from at("read_wrong", expect_status(read_wrong, accepts=_REFUSED, tolerates=CLIENT_ERROR))
    yield from at("created_wrong", expect_status(created_wrong, accepts=_REFUSED, tolerates=CLIENT_ERROR))


_AUTH.check(
    "auth.header",
    one_interaction_many_keys,
    title="the key is accepted in x-goog-api-key",
    profile="core",
    accepts=["2xx"],
)(judge_one("created", expect_interaction))


_AUTH.check(
    "auth.bearer",
    one_interaction_many_keys,
    title="the key is accepted as a bearer token",
    profile="core",
    requires=["auth", "store"],
    accepts=["2xx"],
)(judge_one("read_bearer", expect_interaction))


_AUTH.check(
    "auth.query",
    one_interaction_many_keys,
    title="the key is accepted in the key query parameter",
    profile="core",
    requires=["auth", "store"],
    accepts=["2xx"],
)(judge_one("read_query", expect_interaction))


def _expect_unauthenticated(answer: Exchange) -> Iterator[Finding]:
    yield from expect_status(answer, accepts={401}, tolerates=_REFUSED)
    if answer.status == 401 and code_of(answer) != "authentication":
        yield lenient_finding(
            "401 under another code", expected="code authentication", actual=format_answer(answer)
        )


def _need_a_key_of_our_own(t: RequestBuilder) -> Part[None]:
    """Ask, if no key was given, whether the target has any: one that lets in anybody with any does without."""
    if not t.key:
        wrong: Exchange = yield Send(t.request("POST", "interactions", _hello(t), key=WRONG_KEY))
        without: Exchange = yield Send(t.create(input=HELLO))
        if wrong.succeeded and without.succeeded and "auth" not in t.capabilities:  # whoever declares it has some
            raise NotApplicable("the target has no keys: it answers without one, and with a wrong one")
        raise Unmet("no key was given, so none can be left out", remedy="with a key (--api-key, GEMINI_API_KEY)")
    given = {name.lower() for name, _ in t.headers} & {KEY_HEADER, "authorization"}
    if given:
        raise Unmet(f"the extra header {given.pop()} carries a key with every call")


def _hello(t: RequestBuilder) -> dict[str, str]:
    return {"model": t.model, "input": HELLO}
