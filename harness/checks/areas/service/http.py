"""Checks of the HTTP layer: media types, lengths, versions, and headers and queries that must not matter.

Layer 2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.expect import (
    among,
    at,
    expect_interaction,
    expect_object,
    finding,
    interaction_in,
    require_answer,
)
from harness.checks.vocabulary.polling import id_of, poll_until_answered
from harness.checks.vocabulary.routes import NEARLY, is_like_nowhere
from harness.checks.vocabulary.stored import HELLO, a_stored_interaction
from harness.checks.vocabulary.streamed import streams_of_all_kinds
from harness.contract import read
from harness.contract.judge.answer import judge_json_type, judge_json_valid, judge_length, judge_stream_label
from harness.contract.judge.failures.crash import FAILED
from harness.contract.judge.replies import CLIENT_ERROR, SUCCESS
from harness.contract.judge.wording import format_answer, format_request, format_value
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Exchanges, Send, Steps
from harness.kit.check import exercise, judge_one
from harness.outcome import Finding, Unmet
from harness.wire import Exchange, Request
from harness.wire.coding import coding_of

_HTTP = new_registry()
CHECKS = _HTTP.checks

_OLD = "2026-05-07"
"""The revision that had `outputs` instead of `steps`; removed in June 2026."""


@_HTTP.check(
    "http.json-type",
    a_stored_interaction,
    title="JSON answers are labelled application/json",
    profile="core",
    accepts=["application/json with any parameters", "no body at all"],
)
def _labels_json(answers: list[Exchange]) -> Iterator[Finding]:
    yield from _of_those_heard(answers, judge_json_type)


@_HTTP.check(
    "http.json-valid",
    a_stored_interaction,
    title="what is labelled JSON parses as JSON in UTF-8",
    profile="core",
    accepts=["any JSON value", "an empty body where there is nothing to say"],
    everywhere=True,
)
def _parses(answers: list[Exchange]) -> Iterator[Finding]:
    yield from _of_those_heard(answers, judge_json_valid)


@_HTTP.check(
    "http.ct-stream",
    streams_of_all_kinds,
    title="an accepted stream is labelled text/event-stream",
    profile="streaming",
    requires=["stream"],
    accepts=["text/event-stream with or without a charset"],
)
def _labels_stream(text: Exchange) -> Iterator[Finding]:
    if require_answer(text).status not in SUCCESS:
        raise Unmet(f"the streaming create was refused: {format_answer(text)}")
    yield from judge_stream_label(text)


@_HTTP.check(
    "http.length",
    a_stored_interaction,
    title="Content-Length and chunks agree with the bytes that come",
    profile="core",
    accepts=["Content-Length", "chunked coding", "the end of the connection where neither was announced"],
    everywhere=True,
)
def _lengths_agree(answers: list[Exchange]) -> Iterator[Finding]:
    yield from _of_those_heard(answers, judge_length)


@_HTTP.check(
    "http.redirect",
    a_stored_interaction,
    title="API calls are answered without a redirect",
    profile="core",
    accepts=["any status but 3xx"],
)
def _stays(answers: list[Exchange]) -> Iterator[Finding]:
    yield from _of_those_heard(answers, _judge_redirect)


def _judge_redirect(answer: Exchange) -> Iterator[Finding]:
    if answer.status in range(300, 400):
        where = answer.headers.get("location") or "(no location)"
        yield finding(f"{format_request(answer)} is sent elsewhere", actual=f"{answer.status} to {where}")


_HTTP.check(
    "http.unknown-query",
    a_stored_interaction,
    title="an unknown query parameter does not break a read",
    profile="core",
    requires=["store"],
    accepts=["the interaction", "400 (noted)"],
)(judge_one("odd_query", partial(expect_interaction, notes={400})))


@_HTTP.check(
    "http.unlisted",
    a_stored_interaction,
    title="answers hold nothing that no schema names",
    profile="core",
    accepts=["what the published schemas name; anything else is worth knowing and no fault"],
    everywhere=True,
)
def _names_what_is_listed(answers: list[Exchange]) -> Iterator[Finding]:
    yield from _of_those_heard(answers, lambda answer: read(answer).unlisted)


@_HTTP.check(
    "http.gzip",
    a_stored_interaction,
    title="a body is compressed only when the request asks for it",
    profile="core",
    accepts=["no content-encoding", "any coding the request named"],
)
def _plain_unless_asked(answers: list[Exchange]) -> Iterator[Finding]:
    yield from _of_those_heard(answers, _coded_unasked)


def _coded_unasked(answer: Exchange) -> Iterator[Finding]:
    wanted = answer.request.headers.get("accept-encoding").lower()
    coding = coding_of(answer.headers)
    if coding and coding not in wanted and "*" not in wanted:
        yield finding(
            f"{format_request(answer)} asked for no coding", expected="no content-encoding", actual=coding
        )


@exercise(requests=4, interactions=3)
def other_revisions(t: RequestBuilder) -> Steps:
    """Creates without, with an old and with an invalid Api-Revision header, and a read with the old one."""
    plain: Exchange = yield Send(t.create(input=HELLO))
    created: Exchange = yield Send(_with_revision(t.create(input=HELLO), _OLD))
    seen: Exchanges = {
        "plain": plain,
        "created_old": created,
        "created_odd": (yield Send(_with_revision(t.create(input=HELLO), "harness"))),
        "read_old": None,
    }
    if t.keeps and (found := id_of(created)):
        seen["read_old"] = (yield from poll_until_answered(t, _with_revision(t.get(found), _OLD)))[-1]
    return seen


def _with_revision(request: Request, revision: str) -> Request:
    return replace(request, headers=request.headers.having("api-revision", revision))


@_HTTP.check(
    "http.revision-ignored",
    other_revisions,
    title="an old or odd Api-Revision header brings steps all the same",
    profile="core",
    accepts=["steps", "400 to the odd value (noted)"],
)
def _ignores_revisions(
    plain: Exchange, created_old: Exchange, created_odd: Exchange, read_old: Exchange | None
) -> Iterator[Finding]:
    if _has_another_shape(interaction_in(plain)):
        raise Unmet("without the header the answer has no steps either")
    yield from at("created_old", _of_this_generation(created_old))
    yield from at("created_odd", _of_this_generation(created_odd, notes=frozenset({400})))
    if read_old is not None:
        yield from at("read_old", _of_this_generation(read_old))


def _of_this_generation(answer: Exchange, *, notes: frozenset[int] = frozenset()) -> Iterator[Finding]:
    yield from expect_interaction(answer, notes=notes)
    body = read(answer).json
    if answer.status in SUCCESS and isinstance(body, dict) and _has_another_shape(body):
        yield finding(
            "another shape under another Api-Revision", expected="steps", actual=format_value(sorted(body))
        )


def _has_another_shape(body: Mapping[str, Any]) -> bool:
    bare = body.get("status") != "incomplete" and not isinstance(body.get("steps"), list)
    return "outputs" in body or bare


@exercise(requests=3)
def both_versions(t: RequestBuilder) -> Steps:
    """A create with neither model nor agent under each version, and to a path that is no route, to compare."""
    body = {"input": HELLO}
    return {
        "own": t.version,
        "nowhere": (yield Send(t.request("POST", NEARLY, body))),
        "v1beta": (yield Send(t.request("POST", "interactions", body, version="v1beta"))),
        "v1": (yield Send(t.request("POST", "interactions", body, version="v1"))),
    }


@_HTTP.check(
    "http.v1beta",
    both_versions,
    title="the interactions route exists under /v1beta",
    profile="core",
    accepts=[
        "any answer that only an existing route gives",
        "a stream, though none was asked for (`create.no-stream-json`)",
        "404, where another version is under test: untestable",
    ],
    about="v1beta",
)
def _has_v1beta(v1beta: Exchange, nowhere: Exchange, own: str) -> Iterator[Finding]:
    if own != "v1beta" and v1beta.status in (404, 405):
        raise Unmet(f"the version under test is {own}, and a proxy need not serve two")
    yield from _route_exists(v1beta, nowhere)


@_HTTP.check(
    "http.v1",
    both_versions,
    title="the interactions route exists under /v1",
    profile="core",
    requires=["v1"],
    accepts=["any answer that only an existing route gives"],
    about="v1",
)
def _has_v1(v1: Exchange, nowhere: Exchange) -> Iterator[Finding]:
    yield from _route_exists(v1, nowhere)


def _of_those_heard(answers: list[Exchange], judge: Callable[[Exchange], Iterable[Finding]]) -> Iterator[Finding]:
    if all(answer.status is None for answer in answers):
        raise Unmet("nothing was answered")
    yield from among("answers", answers, judge)


def _route_exists(answer: Exchange, nowhere: Exchange) -> Iterator[Finding]:
    """A route is not missing because it streams, or refuses the body as not found in words of its own."""
    if answer.status in (401, 403):
        raise Unmet(f"the key was refused: {format_answer(answer)}")
    if answer.succeeded and read(answer).is_stream:
        return  # that nobody asked for a stream is another rule's
    if answer.status in FAILED:
        if is_like_nowhere(answer, nowhere):
            raise Unmet(f"this and a path that is no route are answered alike: {format_answer(answer)}")
        return  # a route that fails is one; that it fails is another rule's
    if answer.status != 404 or is_like_nowhere(answer, nowhere):
        yield from expect_object(answer, accepts={*SUCCESS, *CLIENT_ERROR} - {404, 405})
