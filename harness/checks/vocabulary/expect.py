"""Helpers shared by the judges: which statuses pass, what a body contains, how to build a finding.

Pure, and safe on anything a target may send. If a prerequisite of a judge is missing, these helpers raise `Unmet`;
`Check.observe` turns that into an observation "not tested".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from harness.contract import read
from harness.contract.judge.agreement import judge_own_id, judge_settled
from harness.contract.judge.answer import CLIENT_ERROR, REPLIES, SUCCESS, ExpectedStatuses
from harness.contract.judge.reading import format_answer, format_ending, format_request, format_statuses
from harness.contract.transcript import USER_INPUT, steps_of, text_of
from harness.outcome import Finding, Severity, Unmet, Where
from harness.wire import Exchange
from harness.wire.bodies import as_object

TOO_MANY = 429
OVERLOADED = 503

_MARKS = frozenset({"id", "status", "steps"})
"""An object with any of these fields counts as an interaction; other rules judge its content."""


def finding(
    message: str,
    expected: str = "",
    actual: str = "",
    *,
    code: str = "",
    severity: Severity = Severity.BROKEN,
    **place: Any,
) -> Finding:
    """Build a finding; `place` has fields of `Where`, such as `exchange` and `pointer`.

    `code` is `rule/word`, or `/word` for a judge that several rules share. `Check.observe` adds what is absent.
    """
    rule, slash, _ = code.partition("/")
    return Finding(rule, message, expected, actual, Where(**place), severity, code if slash else "")


lenient_finding = partial(finding, severity=Severity.NON_STRICT)
"""Build a finding that a rule is met only in a lenient reading."""

note = partial(finding, severity=Severity.INFORMATION)
"""Build a finding that is worth reporting but breaks no rule."""


def at(name: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Add the name of an exchange to findings about it."""
    return (finding.at(exchange=name) for finding in findings)


def expect_status(
    exchange: Exchange, *, accepts: Container[int], tolerates: Container[int] = (), notes: Container[int] = ()
) -> Iterator[Finding]:
    """Yield nothing for an accepted status, a milder finding for a tolerated or noted one, else a broken rule.

    No response breaks the rule too; only this function turns a dead connection into a finding. Raises `Unmet`
    for a 429, and for a 503 with an API error body if 503 is in none of the arguments: a target that limits the
    rate or is overloaded has not looked at the request.
    """
    yield from _expect(exchange, ExpectedStatuses(accepts, tolerates, notes))


def expect_refusal(exchange: Exchange, accepts: Container[int]) -> Iterator[Finding]:
    """Like `expect_status`, for a call that must be refused: any other 4xx is a lenient reading."""
    yield from expect_status(exchange, accepts=accepts, tolerates=CLIENT_ERROR)


def expect_reply(rule: str, exchange: Exchange, sent: str = "") -> Iterator[Finding]:
    """Like `expect_status`, with the statuses that the contract lists for a rule (`contract.judge.answer`).

    `sent` describes the request in a few words.
    """
    yield from _expect(exchange, REPLIES[rule], rule, sent)


def _expect(exchange: Exchange, reply: ExpectedStatuses, code: str = "", sent: str = "") -> Iterator[Finding]:
    if exchange.status == TOO_MANY:
        raise Unmet(f"{format_request(exchange)} returned {TOO_MANY}: the target limits the request rate")
    unheard = exchange.status == OVERLOADED and reply.severity(OVERLOADED) is Severity.BROKEN
    if unheard and read(exchange).error is not None:
        raise Unmet(f"{format_request(exchange)} returned {OVERLOADED}: the target is overloaded")
    # A route that only another spelling of its path reaches was once told as an access with a foreign key.
    if is_respelled(exchange) and reply.severity(SUCCESS[0]) is Severity.BROKEN:
        raise Unmet(f"{format_request(exchange)} was redirected, so whether it is rejected was not seen")
    yield from reply.judge(exchange, code, sent)


def is_respelled(exchange: Exchange) -> bool:
    """Whether the response redirects to the same path, with a slash more or less, or over another scheme."""
    if exchange.status not in range(300, 400):
        return False
    there, here = (
        re.sub("^[a-z]+://[^/]*", "", each).partition("?")[0].strip("/")
        for each in (exchange.headers.get("location") or "", exchange.request.target)
    )
    return there == here


def expect_alive(exchange: Exchange, *, accepts: Container[int]) -> Iterator[Finding]:
    """Like `expect_status`, for a target that must have survived something: here a 503 breaks the rule."""
    if exchange.status == OVERLOADED:
        yield finding(
            f"{format_request(exchange)} reached no working server",
            format_statuses(accepts),
            format_answer(exchange),
        )
    else:
        yield from expect_status(exchange, accepts=accepts)


def expect_object(
    exchange: Exchange,
    *,
    accepts: Container[int] = SUCCESS,
    tolerates: Container[int] = (),
    notes: Container[int] = (),
    marks: Iterable[str] = (),
) -> Iterator[Finding]:
    """Like `expect_status`; a 2xx answer that is not a JSON object, or has none of the `marks`, breaks the rule.

    For the one check of an exercise that judges the answer as a whole; other checks judge the object's content.
    """
    yield from expect_status(exchange, accepts=accepts, tolerates=tolerates, notes=notes)
    if exchange.status not in SUCCESS:
        return
    body, wanted = read(exchange).json, list(marks)
    if not isinstance(body, dict) or (wanted and not any(mark in body for mark in wanted)):
        lacks = f"an object with {' or '.join(sorted(wanted))}" if wanted else "a JSON object"
        yield finding(f"{format_request(exchange)} returned another value", lacks, format_answer(exchange))


def expect_interaction(
    exchange: Exchange,
    *,
    accepts: Container[int] = SUCCESS,
    tolerates: Container[int] = (),
    notes: Container[int] = (),
) -> Iterator[Finding]:
    """Like `expect_object`, for a response that must be an interaction."""
    yield from expect_object(exchange, accepts=accepts, tolerates=tolerates, notes=notes, marks=_MARKS)


def expect_offered(exchange: Exchange) -> Iterator[Finding]:
    """Like `expect_interaction`, for an optional ability of a target or model: raises `Unmet` if it is refused.

    A clean refusal means that the ability is absent; a crash, or a body that is not an interaction, that it is
    broken.
    """
    if exchange.status in CLIENT_ERROR:
        raise Unmet(f"{format_request(exchange)} was rejected: {format_answer(exchange)}")
    yield from expect_interaction(exchange)


def expect_own_id(turn: Exchange, parent: Exchange) -> Iterator[Finding]:
    """A turn that succeeded must have an id of its own. Raises `Unmet` if its parent is no interaction."""
    interaction_in(parent)
    if turn.status in SUCCESS:
        yield from judge_own_id("", text_in(turn, "id"), text_in(parent, "id"))


def expect_settled(exchange: Exchange) -> Iterator[Finding]:
    """A status that is not settled breaks the rule. Raises `Unmet` if the answer is not an interaction."""
    yield from judge_settled("", interaction_in(exchange))


def interaction_in(exchange: Exchange) -> Mapping[str, Any]:
    """Return the JSON object of a successful response. Raises `Unmet` if there is none."""
    require_answer(exchange)
    body = read(exchange).json
    if exchange.status not in SUCCESS or not isinstance(body, dict):
        raise Unmet(f"{format_request(exchange)} returned no interaction: {format_answer(exchange)}")
    return body


def object_in(exchange: Exchange) -> Mapping[str, Any]:
    """Return the JSON object of a successful response, `{}` if there is none: judges that need one report that."""
    return as_object(read(exchange).json) if exchange.status in SUCCESS else {}


def text_in(exchange: Exchange, name: str) -> str:
    """Return a text that a successful answer has under this name, `""` if it has none."""
    found = object_in(exchange).get(name)
    return found if isinstance(found, str) else ""


def require_answer(exchange: Exchange) -> Exchange:
    """Return the exchange if a response head arrived, else raise `Unmet`."""
    if exchange.status is None:
        raise Unmet(f"no response to {format_request(exchange)}: {format_ending(exchange)}")
    return exchange


def need_success(exchange: Exchange) -> Iterator[Finding]:
    """Raise `Unmet` if a call failed on which the rest depends; whether it may fail is another rule's."""
    if exchange.status not in SUCCESS:
        raise Unmet(f"{format_request(exchange)} failed: {format_answer(exchange)}")
    return iter(())


def input_text(body: Mapping[str, Any]) -> str | None:
    """Return the text of the caller's first input in a stored interaction, None if it shows no input."""
    inputs = [step for step in steps_of(body) if step.get("type") == USER_INPUT]
    if inputs:
        return text_of(inputs[0].get("content"))
    return text_of(body["input"]) if "input" in body else None


def of_rule(rule: str, exchange: Exchange) -> Iterator[Finding]:
    """Return the contract's findings under one rule. Raises `Unmet` if no answer arrived."""
    require_answer(exchange)
    return (finding for finding in read(exchange).findings if finding.rule == rule)


def of_interaction(rule: str, exchange: Exchange) -> Iterator[Finding]:
    """Like `of_rule`, for an answer that must be an interaction. Raises `Unmet` if it is none."""
    interaction_in(exchange)
    yield from of_rule(rule, exchange)


def among(
    name: str, answers: Sequence[Exchange], judge: Callable[[Exchange], Iterable[Finding]]
) -> Iterator[Finding]:
    """Apply one judge to a list of answers; each finding gets its answer's position in the list.

    Raises `Unmet` for an empty list, since a check that looked at nothing must not pass.
    """
    if not answers:
        raise Unmet(f"the run has no {name}")
    for number, answer in enumerate(answers):
        yield from at(f"{name}[{number}]", judge(answer))


def code_of(exchange: Exchange) -> str:
    """Return the code of an error body if it is a string, else `""`."""
    error = read(exchange).error
    return error[0] if error is not None and isinstance(error[0], str) else ""
