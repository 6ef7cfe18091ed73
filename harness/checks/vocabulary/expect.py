"""Helpers shared by the judges: which statuses pass, what a body contains, how to build a finding.

Layer 2. Pure, and safe on anything a target may send. If a prerequisite of a judge is missing, these helpers raise
`Unmet`; `Check.observe` turns that into an untestable observation.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

from harness.contract import read
from harness.contract.data.output import USER_INPUT, steps_of, text_of
from harness.contract.tables.lifecycle import is_settled
from harness.outcome import Finding, Severity, Unmet
from harness.outcome.words import shortened
from harness.wire import Exchange

CLIENT_ERROR = range(400, 500)
SUCCESS = range(200, 300)
TOO_MANY = 429
OVERLOADED = 503

_KEY = re.compile(r"([?&](?:key|access_token)=)[^&]*")

_GZIP = b"\x1f\x8b"

_MOST = 50
"""If more statuses of one class are listed, a message names the class and the missing ones."""

_MARKS = frozenset({"id", "status", "steps"})
"""An object with any of these fields counts as an interaction; other rules judge its content."""


def broken(message: str, *, expected: str = "", actual: str = "") -> Finding:
    """Build a finding that the rule is broken; `Check.observe` fills in the rule."""
    return Finding("", message, expected, actual)


def lenient(message: str, *, expected: str = "", actual: str = "") -> Finding:
    """Build a finding that the rule is kept only in a lenient reading."""
    return Finding("", message, expected, actual, severity=Severity.NON_STRICT)


def noted(message: str, *, expected: str = "", actual: str = "") -> Finding:
    """Build a finding that is worth reporting but breaks no rule."""
    return Finding("", message, expected, actual, severity=Severity.INFORMATION)


def at(name: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Add the name of an exchange to findings about it."""
    return (finding.at(exchange=name) for finding in findings)


def expect_status(
    exchange: Exchange, *, accepts: Container[int], tolerates: Container[int] = (), notes: Container[int] = ()
) -> Iterator[Finding]:
    """Yield nothing for an accepted status, a milder finding for a tolerated or noted one, else a broken rule.

    A missing answer breaks the rule too; only this function turns a dead connection into a finding. Raises `Unmet`
    for a 429, and for a 503 with an API error body if 503 is in none of the arguments: a target that limits our
    rate or is overloaded has not looked at the request.
    """
    status = exchange.status
    if status == TOO_MANY:
        raise Unmet(f"{asked(exchange)} was answered {TOO_MANY}: the target limits our rate")
    spoken_of = status is None or status in accepts or status in tolerates or status in notes
    if status == OVERLOADED and not spoken_of and read(exchange).error is not None:
        raise Unmet(f"{asked(exchange)} was answered {OVERLOADED}: the target is overloaded")
    if status is None:
        yield broken(f"no answer to {asked(exchange)}", expected=_listed(accepts), actual=ended(exchange))
    elif status in accepts:
        return
    elif status in tolerates:
        yield lenient(f"unusual answer to {asked(exchange)}", expected=_listed(accepts), actual=shown(exchange))
    elif status in notes:
        yield noted(f"unusual answer to {asked(exchange)}", expected=_listed(accepts), actual=shown(exchange))
    else:
        yield broken(f"wrong answer to {asked(exchange)}", expected=_listed(accepts), actual=shown(exchange))


def expect_alive(exchange: Exchange, *, accepts: Container[int]) -> Iterator[Finding]:
    """Like `expect_status`, for a target that must have survived something: here a 503 breaks the rule."""
    if exchange.status == OVERLOADED:
        yield broken(f"{asked(exchange)} finds nobody", expected=_listed(accepts), actual=shown(exchange))
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
        yield broken(f"{asked(exchange)} brought something else", expected=lacks, actual=shown(exchange))


def expect_interaction(
    exchange: Exchange, *, tolerates: Container[int] = (), notes: Container[int] = ()
) -> Iterator[Finding]:
    """Like `expect_object`, for an answer that must be an interaction."""
    yield from expect_object(exchange, tolerates=tolerates, notes=notes, marks=_MARKS)


def expect_offered(exchange: Exchange) -> Iterator[Finding]:
    """Like `expect_interaction`, for an optional ability of a target or model: raises `Unmet` if it is refused.

    A clean refusal means that the ability is absent; a crash, or a body that is not an interaction, that it is
    broken.
    """
    if exchange.status in CLIENT_ERROR:
        raise Unmet(f"{asked(exchange)} was refused: {shown(exchange)}")
    yield from expect_interaction(exchange)


def expect_settled(exchange: Exchange) -> Iterator[Finding]:
    """A status that is not settled breaks the rule. Raises `Unmet` if the answer is not an interaction."""
    status = interaction_in(exchange).get("status")
    if isinstance(status, str) and not is_settled(status):
        yield broken("the run is not over", expected="a settled status", actual=status).at(pointer="$.status")


def interaction_in(exchange: Exchange) -> Mapping[str, Any]:
    """Return the JSON object of a successful answer. Raises `Unmet` if there is none."""
    answered(exchange)
    body = read(exchange).json
    if exchange.status not in SUCCESS or not isinstance(body, dict):
        raise Unmet(f"{asked(exchange)} brought no interaction: {shown(exchange)}")
    return body


def answered(exchange: Exchange) -> Exchange:
    """Return the exchange if a response head arrived, else raise `Unmet`."""
    if exchange.status is None:
        raise Unmet(f"no answer to {asked(exchange)}: {ended(exchange)}")
    return exchange


def input_text(body: Mapping[str, Any]) -> str | None:
    """Return the text of the caller's first input in a stored interaction, None if it shows no input."""
    inputs = [step for step in steps_of(body) if step.get("type") == USER_INPUT]
    if inputs:
        return text_of(inputs[0].get("content"))
    return text_of(body["input"]) if "input" in body else None


def of_rule(rule: str, exchange: Exchange) -> Iterator[Finding]:
    """Return the contract's findings under one rule. Raises `Unmet` if no answer arrived."""
    answered(exchange)
    return (finding for finding in read(exchange).findings if finding.rule == rule)


def among(
    name: str, answers: Sequence[Exchange], judge: Callable[[Exchange], Iterable[Finding]]
) -> Iterator[Finding]:
    """Apply one judge to a list of answers; each finding gets its answer's position in the list.

    Raises `Unmet` for an empty list, since a check that looked at nothing must not pass.
    """
    if not answers:
        raise Unmet(f"there are no {name} to look at")
    for number, answer in enumerate(answers):
        yield from at(f"{name}[{number}]", judge(answer))


def code_of(exchange: Exchange) -> str:
    """Return the code of an error body if it is a string, else `""`."""
    error = read(exchange).error
    return error[0] if error is not None and isinstance(error[0], str) else ""


def asked(exchange: Exchange) -> str:
    """Format the request's method and target for a message; a key in the query is masked."""
    target = _KEY.sub(r"\1…", exchange.request.target)
    return f"{exchange.request.method} {_clip(target, 120)}"


def shown(exchange: Exchange) -> str:
    """Format the status and the error or the beginning of the body, for a message."""
    if exchange.status is None:
        return ended(exchange)
    error = read(exchange).error
    if error is not None:
        return f"{exchange.status} {_clip(': '.join(str(part) for part in error if part), 120)}"
    if exchange.body.startswith(_GZIP) and "content-encoding" not in exchange.headers:
        return f"{exchange.status} a body compressed with gzip, which no Content-Encoding says"
    return f"{exchange.status} {_clip(exchange.body[:400].decode('utf-8', 'replace'), 80)}".rstrip()


def ended(exchange: Exchange) -> str:
    """Format how the answer ended, for a message."""
    ending = exchange.ending
    said = f"{ending.how} by {ending.by} {ending.at.replace('_', ' ')}"
    return f"{said}: {ending.detail}" if ending.detail else said


def briefly(value: object) -> str:
    """Format a JSON value, shortened to fit a message; never raises, however deep or odd the value is."""
    try:
        return _clip(json.dumps(value, ensure_ascii=False), 120)
    except (TypeError, ValueError, RecursionError):
        return f"a {type(value).__name__} that cannot be shown"


def _clip(text: str, size: int) -> str:
    text = text.encode("utf-8", "replace").decode()  # a lone surrogate cannot be printed
    return shortened(text, size)


def _listed(statuses: Container[int]) -> str:
    words: list[str] = []
    for first in range(100, 600, 100):
        listed = [status for status in range(first, first + 100) if status in statuses]
        if len(listed) > _MOST:
            missing = [str(status) for status in range(first, first + 100) if status not in statuses]
            words.append(f"{first // 100}xx" + (f" but {', '.join(missing)}" if missing else ""))
        else:
            words += map(str, listed)
    return " or ".join(words)
