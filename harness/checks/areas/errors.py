"""Checks of rejections: wrong requests get client errors of the documented shape.

A conforming target rejects every request here before a model runs.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.vocabulary import runs
from harness.checks.vocabulary.expect import (
    TOO_MANY,
    among,
    at,
    expect_status,
    finding,
    lenient_finding,
    require_answer,
)
from harness.checks.vocabulary.shared import HELLO, UNKNOWN_ID, WRONG_KEY, all_of, send_wrong_creates
from harness.checks.vocabulary.streams import is_stream
from harness.contract import read
from harness.contract.judge.answer import CLIENT_ERROR, SUCCESS, has_error, judge_error_status, judge_leaks
from harness.contract.judge.reading import format_answer
from harness.contract.requests import KEY_HEADER, RequestBuilder
from harness.contract.tables.protocol import CREATE
from harness.kit.check import Exchanges, Send, Steps, exercise, play_each, send_each
from harness.outcome import Finding, Unmet
from harness.wire import Exchange
from harness.wire.bodies import loads
from harness.wire.message import UNREACHED


@exercise(requests=17, odd=True, uses=("stream",))
def refused_requests(t: RequestBuilder) -> Steps:
    """Requests with one mistake each; `answers` are all answers, `errors` every 4xx or 5xx of the API.

    If a gateway seems to have lost one, `controls` are six more of it, each before a right create. Answers to a
    wrong key and to an unknown route are kept apart: a front end that checks keys, or whatever answers for unknown
    paths, has an error shape of its own.
    """
    text = {"false_as_text": t.create(input=HELLO, stream="false")} if "stream" in t.capabilities else {}
    parts = (
        send_each(
            broken_json=t.request("POST", "interactions", b'{"model": "x", "input": '),
            no_json=t.request("POST", "interactions", b"model=x&input=hi"),
            array=t.request("POST", "interactions", [1]),
            null=t.request("POST", "interactions", b"null"),
            several_values=t.request("POST", "interactions", t.create(input=HELLO).body + b" {}"),
            **text,
        ),
        send_wrong_creates(t, "err.wrong-type", "err.unknown-field"),
        send_wrong_creates(t, "err.unknown-model", "err.bad-enum"),
        send_each(unknown_id=t.get(UNKNOWN_ID)),
        send_each(
            unknown_route=t.request("GET", "harness-unknown-route"),
            wrong_key=t.request("GET", f"interactions/{UNKNOWN_ID}", key=WRONG_KEY),
        ),
    )
    *several, others = yield from play_each(parts)
    seen: Exchanges = {name: value for part in several for name, value in part.items()}
    lost = [one.request for one in all_of(seen) if one.status in UNREACHED and read(one).call == CREATE]
    again = (lost[0], t.create(input=HELLO)) * 6 if lost else ()  # an outage of some creates, by chance
    controls = yield from send_each(**{f"again{number}": request for number, request in enumerate(again)})
    return {
        "false_as_text": None,
        **seen,
        **others,
        "controls": [*controls.values()],
        "answers": all_of({**seen, **others}),
        "errors": [answer for answer in all_of(seen) if (answer.status or 0) >= 400],
    }


def gives_errors_their_status(answers: list[Exchange], controls: list[Exchange]) -> Iterator[Finding]:
    if controls and all(one.status in UNREACHED for one in controls[::2]) and all(map(runs.id_of, controls[1::2])):
        message = "a wrong create returns an outage each time, and right creates between are accepted"
        found = Finding.from_code("err.status/unreached", message, "4xx", format_answer(controls[0]))
        yield found.at(exchange="controls")
    yield from among("answers", answers, lambda answer: judge_error_status(require_answer(answer)))
    failed = [(number, answer) for number, answer in enumerate(answers) if read(answer).failed_refusal]
    unread = [answer for _, answer in failed if loads(answer.request.body).fault]
    if unread and len(unread) < len(failed):  # not only its parser of JSON fails
        creates = sum(read(answer).call == CREATE for answer in answers)
        number, first = failed[0]
        message = f"{len(failed)} of {creates} wrong creates cause a server error, as if the server had failed"
        found = Finding.from_code("err.status/failed", message, "4xx", format_answer(first))
        yield found.at(exchange=f"answers[{number}]")


def takes_no_text_for_true(false_as_text: Exchange | None) -> Iterator[Finding]:
    if false_as_text is None or (false_as_text.status in SUCCESS and has_error(false_as_text)):
        return
    if not is_stream(false_as_text) and false_as_text.status in SUCCESS:  # as if it were `false`
        yield lenient_finding('`stream: "false"` is accepted', "400", format_answer(false_as_text))
    elif false_as_text.status in SUCCESS:
        message = 'the string "false" in `stream` is taken for `true`: the create returns a stream'
        found = Finding.from_code("err.wrong-type/truthy", message, "400", format_answer(false_as_text))
        yield found.at(exchange="false_as_text")
    else:
        yield from expect_status(false_as_text, accepts={400}, tolerates=CLIENT_ERROR)


def says_nothing_of_nowhere(unknown_route: Exchange) -> Iterator[Finding]:
    """An empty success looks like a DELETE that was done, or like a resource without a field."""
    if unknown_route.status in SUCCESS and not read(unknown_route).json:
        message = "a path that is not a route returns an empty success, so a route that is missing seems to work"
        yield finding(message, "404", format_answer(unknown_route), code="/empty")


def survives(answer: Exchange) -> tuple[Finding, ...]:
    # What crashed need not have answered; what did neither is not tested.
    return read(answer).crash or read(require_answer(answer)).crash


def leaks_nothing(answer: Exchange) -> Iterator[Finding]:
    yield from judge_leaks(require_answer(answer), answer.request.headers.get(KEY_HEADER))


@exercise(requests=2)
def refused_streams(t: RequestBuilder) -> Steps:
    """Streaming creates whose input has the wrong type, and whose model does not exist."""
    return {
        "refused": (yield Send(t.create(input=7, stream=True))),
        "unknown": (yield Send(t.create(input=HELLO, model="harness-unknown-model", stream=True))),
    }


def reports_before_streaming(refused: Exchange, unknown: Exchange) -> Iterator[Finding]:
    if not has_error(require_answer(refused)):
        yield from at("refused", expect_status(refused, accepts=CLIENT_ERROR))
    if unknown.status in SUCCESS and not (
        read(unknown).events or has_error(unknown)
    ):  # a target may map every name to a model
        yield finding("a stream of an unknown model has no event", "an error", "no event", exchange="unknown")


@exercise(requests=1)
def a_scripted_limit(t: RequestBuilder) -> Steps:
    """A create that the target was scripted to refuse with 429."""
    marker = "Say no to a crowd."
    refuse = {"status": 429, "code": "rate_limit_exceeded", "message": "Too many requests."}
    taken: Exchange = yield Send(
        t.control("POST", "scripts", {"refuse": refuse, "match": {"input_contains": marker}})
    )
    if taken.status not in SUCCESS:
        raise Unmet(f"the target accepts no scripts: {format_answer(taken)}")
    return {"limited": (yield Send(t.create(input=marker), sees=frozenset({TOO_MANY})))}


def dates_retries(limited: Exchange) -> Iterator[Finding]:
    if require_answer(limited).status != TOO_MANY:
        raise Unmet(f"the script requested 429, and the target returned {format_answer(limited)}")
    found = limited.headers.get("retry-after").strip()
    from email.utils import parsedate_to_datetime  # late: few targets send a date

    try:
        if found and not found.isdecimal():
            parsedate_to_datetime(found)
    except (ValueError, TypeError, IndexError, OverflowError):
        yield finding("Retry-After cannot be read", "seconds or an HTTP date", found)
