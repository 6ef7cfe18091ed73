"""Checks of refusals: that wrong requests are answered as client errors, and what the errors look like.

Layer 2. Every request here is refused by a conforming target before a model runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from email.utils import parsedate_to_datetime
from functools import partial

from harness.checks.capabilities import new_registry
from harness.checks.refusals import check_refusal, send_wrong_creates
from harness.checks.vocabulary.expect import (
    TOO_MANY,
    among,
    at,
    expect_refusal,
    expect_status,
    finding,
    of_rule,
    require_answer,
)
from harness.checks.vocabulary.stored import UNKNOWN_ID, WRONG_KEY, a_stored_interaction, all_of
from harness.contract import read
from harness.contract.judge.answer import judge_error_shape, judge_error_status, judge_leaks
from harness.contract.judge.replies import CLIENT_ERROR, SUCCESS
from harness.contract.judge.wording import format_answer
from harness.contract.requests import KEY_HEADER, RequestBuilder
from harness.kit.actions import Send, Steps
from harness.kit.check import exercise, judge_one
from harness.outcome import Finding, Unmet
from harness.wire import Exchange

_ERRORS = new_registry()
CHECKS = _ERRORS.checks


@exercise(requests=12, front_end=True)
def refused_requests(t: RequestBuilder) -> Steps:
    """Requests with one mistake each; `answers` are all answers, `errors` every 4xx or 5xx of the API.

    Answers to a wrong key and to an unknown route are kept apart: a front end that checks keys, or whatever
    answers for unknown paths, has an error shape of its own.
    """
    seen = {
        "broken_json": (yield Send(t.request("POST", "interactions", b'{"model": "x", "input": '))),
        "no_json": (yield Send(t.request("POST", "interactions", b"model=x&input=hi"))),
        "array": (yield Send(t.request("POST", "interactions", [1]))),
        **(yield from send_wrong_creates(t, "err.wrong-type", "err.unknown-field")),
        **(yield from send_wrong_creates(t, "err.unknown-model", "err.bad-enum")),
        "unknown_id": (yield Send(t.get(UNKNOWN_ID))),
    }
    unknown_route: Exchange = yield Send(t.request("GET", "harness-unknown-route"))
    wrong_key: Exchange = yield Send(t.request("GET", f"interactions/{UNKNOWN_ID}", key=WRONG_KEY))
    return {
        **seen,
        "unknown_route": unknown_route,
        "wrong_key": wrong_key,
        "answers": [*all_of(seen), unknown_route, wrong_key],
        "errors": [answer for answer in all_of(seen) if (answer.status or 0) >= 400],
    }


@_ERRORS.check(
    "err.malformed-json",
    refused_requests,
    title="a body that is not JSON is answered 400",
    profile="core",
    accepts=["400", "another 4xx (non-strict)"],
)
def _refuses_what_is_no_json(broken_json: Exchange, no_json: Exchange) -> Iterator[Finding]:
    yield from at("broken_json", expect_refusal(broken_json, {400}))
    yield from at("no_json", expect_refusal(no_json, {400}))


check_refusal(
    _ERRORS,
    "err.wrong-type",
    refused_requests,
    title="a known field with the wrong JSON type is answered 400",
    profile="core",
    accepts=["400", "422 (non-strict)"],
)


_ERRORS.check(
    "err.body-array",
    refused_requests,
    title="an array in place of the create object is a client error",
    profile="core",
    accepts=["4xx"],
)(judge_one("array", partial(expect_status, accepts=CLIENT_ERROR)))


check_refusal(
    _ERRORS,
    "err.unknown-field",
    refused_requests,
    title="an unknown field of the create body is answered 400",
    profile="core",
    accepts=["400 with any code", "422 (non-strict)"],
)


check_refusal(
    _ERRORS,
    "err.unknown-model",
    refused_requests,
    title="a model that does not exist is refused",
    profile="core",
    accepts=["404", "another 4xx", "2xx from a target that maps every name to a model (non-strict)"],
)


check_refusal(
    _ERRORS,
    "err.bad-enum",
    refused_requests,
    title="a value outside an enumeration is answered 400",
    profile="core",
    accepts=["400", "422 (non-strict)"],
)


_ERRORS.check(
    "err.unknown-route",
    refused_requests,
    title="a path that is no route is answered 404",
    profile="core",
    accepts=["404", "another 4xx, or 501 (non-strict)"],
)(judge_one("unknown_route", partial(expect_status, accepts={404}, tolerates={*CLIENT_ERROR, 501})))


@_ERRORS.check(
    "err.shape",
    refused_requests,
    title="an error body holds `error` with string message and code",
    profile="core",
    accepts=["{error: {message, code}}", "the front end's shape, bare or in a list of one (non-strict)"],
    everywhere=True,
)
def _gives_errors_their_shape(errors: list[Exchange]) -> Iterator[Finding]:
    yield from among("errors", errors, judge_error_shape)


@_ERRORS.check(
    "err.status",
    refused_requests,
    title="errors come with the status of an error",
    profile="core",
    accepts=[
        "4xx or 5xx",
        "500 with a code of failures, or one that is not published",
        "a 2xx that reports no error",
        "a 2xx stream with an error event",
    ],
    everywhere=True,
)
def _gives_errors_their_status(answers: list[Exchange]) -> Iterator[Finding]:
    yield from among("answers", answers, lambda answer: judge_error_status(require_answer(answer)))


@_ERRORS.check(
    "err.no-crash",
    a_stored_interaction,
    title="requests that are right do not make the server fail",
    profile="core",
    accepts=["2xx", "4xx", "501, 502, 503 and 504, which have other reasons"],
    everywhere=True,
)
def _survives_right_requests(answers: list[Exchange]) -> Iterator[Finding]:
    yield from among("answers", answers, _judge_survival)


def _judge_survival(answer: Exchange) -> Iterable[Finding]:
    """The crash that an answer shows. Raises `Unmet` if there is neither a crash nor an answer."""
    return read(answer).crash or read(require_answer(answer)).crash


@_ERRORS.check(
    "err.code-string",
    refused_requests,
    title="an error has a code",
    profile="core",
    accepts=["any text", "the front end's number beside its status word"],
    everywhere=True,
)
def _has_codes(errors: list[Exchange]) -> Iterator[Finding]:
    yield from among("errors", errors, partial(of_rule, "err.code-string"))


@_ERRORS.check(
    "err.code-word",
    refused_requests,
    title="the code of an error is a word in snake_case",
    profile="core",
    accepts=["any such word", "the front end's number beside its status word"],
    everywhere=True,
)
def _writes_codes_as_words(errors: list[Exchange]) -> Iterator[Finding]:
    yield from among("errors", errors, partial(of_rule, "err.code-word"))


@_ERRORS.check(
    "err.code-status",
    refused_requests,
    title="a published code comes with its own HTTP status",
    profile="core",
    accepts=["the table's status", "any status for a code the table lacks"],
    everywhere=True,
)
def _gives_codes_their_status(errors: list[Exchange]) -> Iterator[Finding]:
    yield from among("errors", errors, partial(of_rule, "err.code-status"))


@_ERRORS.check(
    "err.no-leak",
    refused_requests,
    title="errors show neither the key nor a stack trace",
    profile="core",
    accepts=["anything else"],
)
def _keeps_secrets(errors: list[Exchange], unknown_route: Exchange, wrong_key: Exchange) -> Iterator[Finding]:
    yield from among("errors", errors, _leaks)
    for name, answer in (("unknown_route", unknown_route), ("wrong_key", wrong_key)):
        yield from at(name, _leaks(answer))


def _leaks(answer: Exchange) -> Iterator[Finding]:
    yield from judge_leaks(require_answer(answer), answer.request.headers.get(KEY_HEADER))


@exercise(requests=1)
def a_refused_stream(t: RequestBuilder) -> Steps:
    """A streaming create whose input has the wrong type."""
    return {"refused": (yield Send(t.create(input=7, stream=True)))}


@_ERRORS.check(
    "err.stream-prestream",
    a_refused_stream,
    title="an invalid streaming create reports its failure",
    profile="streaming",
    requires=["stream"],
    accepts=["an HTTP 4xx", "a stream with an error event"],
)
def _reports_before_streaming(refused: Exchange) -> Iterator[Finding]:
    told = require_answer(refused).status in SUCCESS and _told(refused)
    if not told:
        yield from expect_status(refused, accepts=CLIENT_ERROR)


def _told(answer: Exchange) -> bool:
    return any(event.get("event_type") == "error" for event in read(answer).events)


@exercise(requests=1)
def a_scripted_limit(t: RequestBuilder) -> Steps:
    """A create that the target was scripted to refuse with 429."""
    marker = "Say no to a crowd."
    refuse = {"status": 429, "code": "rate_limit_exceeded", "message": "Too many requests."}
    taken: Exchange = yield Send(
        t.control("POST", "scripts", {"refuse": refuse, "match": {"input_contains": marker}})
    )
    if taken.status not in SUCCESS:
        raise Unmet(f"the target takes no scripts: {format_answer(taken)}")
    return {"limited": (yield Send(t.create(input=marker), sees=frozenset({TOO_MANY})))}


@_ERRORS.check(
    "err.retry-after",
    a_scripted_limit,
    title="a Retry-After field is a number of seconds or an HTTP date",
    profile="core",
    requires=["script"],
    accepts=["no such field", "a whole number of seconds", "an HTTP date"],
)
def _dates_retries(limited: Exchange) -> Iterator[Finding]:
    if require_answer(limited).status != TOO_MANY:
        raise Unmet(f"the script asked for 429 and brought {format_answer(limited)}")
    found = limited.headers.get("retry-after").strip()
    if found and not found.isdecimal() and not _is_http_date(found):
        yield finding("Retry-After cannot be read", expected="seconds or an HTTP date", actual=found)


def _is_http_date(text: str) -> bool:
    try:
        return parsedate_to_datetime(text) is not None
    except (ValueError, TypeError, IndexError, OverflowError):
        return False
