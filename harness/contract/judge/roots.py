"""The root of all else that is wrong with a response, so that it is reported once, by its cause.

Pure. A response that is no whole message, no JSON, an error under a status of success, or that denies an existing
interaction breaks many rules at once. A crash is judged apart (`judge_crash`): it explains the rest only if the
request was right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from harness.contract.judge.agreement import judge_identity
from harness.contract.judge.answer import GONE, judge_error_status, judge_json_valid, judge_length
from harness.contract.judge.reading import format_answer, format_request, read
from harness.contract.requests import caller_of
from harness.contract.runs import named_interaction, summarise_create
from harness.contract.tables.protocol import CANCEL, CREATE, DELETE, GET
from harness.outcome import Finding, Severity
from harness.wire import Exchange
from harness.wire.json_value import object_or_none

_OF_ITSELF = frozenset({"id", "status", "error"})
"""Members of which the body of a GET has one, if it is an interaction or an error."""
_OUTPUT = re.compile(r"\$(\.(id|steps(\[\d+\](\.content)?)?))?")
_OUTPUT_OF_EVENT = re.compile(r"\$\.(index|step|step\.content|delta|delta\.text|interaction)")
_COMPARED = re.compile(r"\$\.(id|steps\[.*|index|step(\..*)?|delta(\..*)?|interaction(\.id)?)")
_HOLDS_OUTPUT = re.compile(r"\$(\.steps\[.*)?")


def judge_roots(exchange: Exchange, before: Sequence[Exchange]) -> Iterator[Finding]:
    """The findings from which the rest follows, the first one before all; `before` are the exchanges before it."""
    yield from judge_length(exchange)
    yield from (finding for finding in judge_json_valid(exchange) if finding.severity is Severity.BROKEN)
    yield from judge_error_status(exchange)
    yield from read(exchange).failed_refusal
    yield from _judge_loss(exchange, before)
    yield from _judge_identity(exchange, before)
    yield from judge_output_types(exchange)


def judge_output_types(exchange: Exchange) -> Iterator[Finding]:
    """Findings of another type where output is read from: body, id, steps, their content, the deltas of a stream.

    There is then nothing to judge, nor to compare with.
    """
    reading = read(exchange)
    places = _OUTPUT_OF_EVENT if reading.stream is not None else _OUTPUT
    yield from (
        finding
        for finding in reading.findings
        if finding.stable_code.endswith("/type") and places.fullmatch(finding.where.pointer)
    )


_BASIC = (
    "stream.framing", "stream.json", "stream.event-type", "/type", "/required", "stream.id-constant",
    "stream.start-before", "stream.index-reuse", "stream.terminal",
)  # fmt: skip
"""What leaves nothing to compare, the most basic one first: rules, and kinds of defects of a compared member."""


def judge_incomparable(exchange: Exchange) -> Iterator[Finding]:
    """The defects of one response with which no other one can be compared, the most basic one first.

    Unlike a root, such a defect leaves the other members and events of the response to be judged.
    """
    findings = [finding for finding in read(exchange).findings if finding.severity is Severity.BROKEN]
    for basic in _BASIC:
        # A rest without an end is judged by the events that it lacks.
        yield from (
            finding
            for finding in findings
            if basic in (finding.rule, _kind_of_defect(finding)) and not finding.cause.startswith("resume.")
        )


def _kind_of_defect(finding: Finding) -> str:
    """`/type` for a compared member of another type, `/required` for an event or a part of a step without one."""
    _, slash, word = finding.stable_code.partition("/")
    places = {"type": _COMPARED, "required": _HOLDS_OUTPUT}.get(word)
    return slash + word if places is not None and places.fullmatch(finding.where.pointer) else ""


def _judge_loss(exchange: Exchange, before: Sequence[Exchange]) -> Iterator[Finding]:
    """An interaction that was there, and that no client deleted, must be found.

    Only a plain GET proves that it is lost, after one that showed it: another call may not be offered, and a new
    interaction may need a moment. There the finding is information, which explains why a call failed.
    """
    order = summarise_create(exchange.request)  # the id of what a call is about, or of what it continues
    found = order.parent if order is not None else named_interaction(exchange.request)
    if exchange.status not in GONE or not found or (at := _find_shown(found, exchange, before)) is None:
        return
    known, tried = before[at], _find_deletes(found, before)
    proven = _is_plain_get(known) and _is_plain_get(exchange)
    cause = "a rejected DELETE took effect: " if tried and tried[-1] > at else ""
    canceled = [
        seen for seen in before[at:] if read(seen).call == CANCEL and named_interaction(seen.request) == found
    ]
    after = f", after {format_request(canceled[-1])}" if canceled else ""
    yield Finding.from_code(
        "get.ok/lost",
        f"{cause}{format_request(exchange)} does not find an existing interaction{after}",
        f"{found}, as {format_request(known)} returned",
        format_answer(exchange),
        severity=Severity.BROKEN if proven else Severity.INFORMATION,
    )


def _judge_identity(exchange: Exchange, before: Sequence[Exchange]) -> Iterator[Finding]:
    """A response must show the requested interaction, if an earlier one showed that it exists.

    Only a plain GET proves that ids do not last: the contents of a stream or a cancel then follow from it.
    """
    asked, reading = named_interaction(exchange.request), read(exchange)
    shown = reading.interaction if reading.call == GET else None
    is_none = shown is not None and shown.keys().isdisjoint(_OF_ITSELF)  # an envelope around it, or another object
    is_another = exchange.succeeded and reading.id not in (None, asked)
    if not asked or not (is_none or is_another) or _find_shown(asked, exchange, before) is None:
        return  # what the response to an unknown or deleted id should have been, other rules ask
    if is_none:
        yield from judge_identity("get.ok", asked, None)
        return
    looks = (seen for seen in (exchange, *before) if seen.succeeded and _is_plain_get(seen))
    if any(read(look).id not in (None, named_interaction(look.request)) for look in looks):
        yield from judge_identity("get.ok", asked, reading.id)


def _find_shown(name: str, exchange: Exchange, before: Sequence[Exchange]) -> int | None:
    """The place of the last exchange that showed this interaction to the caller; None if it was deleted since.

    A look that showed it after a DELETE that succeeded is the defect, and shows nothing.
    """
    at = next((at for at in reversed(range(len(before))) if _tells_of(before[at], name, exchange)), None)
    if at is None or read(before[at]).call == DELETE:
        return None
    tried = _find_deletes(name, before)
    return None if tried and before[tried[-1]].succeeded else at


def _find_deletes(name: str, before: Sequence[Exchange]) -> list[int]:
    return [
        at
        for at, seen in enumerate(before)
        if read(seen).call == DELETE and named_interaction(seen.request) == name
    ]


def _is_plain_get(exchange: Exchange) -> bool:
    return read(exchange).call == GET and "?" not in exchange.request.target


def _tells_of(seen: Exchange, found: str, exchange: Exchange) -> bool:
    """Whether an earlier exchange showed an interaction, or may have deleted it, to the caller of this one."""
    reading = read(seen)
    same_caller = caller_of(seen.request) == caller_of(exchange.request)
    if reading.call == DELETE:  # a client that received the deletion did delete it
        return (same_caller or seen.succeeded) and named_interaction(seen.request) == found
    if reading.call not in (CREATE, GET) or not same_caller:
        return False
    kept = (object_or_none(seen.request.body) or {}).get("store") is not False
    return seen.succeeded and reading.id == found and kept
