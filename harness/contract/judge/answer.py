"""Judges a single response, whatever came before it: its status, that it is whole, and that it leaks nothing.

Pure. One function per rule, for checks and searches alike. `REPLIES` has the statuses that each rule accepts, a
row each, as the documents give them. Must not know why a request was sent, or why it had to be rejected.

A response that is no whole message, no JSON, an error under a status of success, or that denies an existing
interaction breaks many rules at once; `judge_causes` reports it once, by its cause. A crash is judged apart
(`judge_crash`): it explains the rest only if the request was right.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence

from msgspec import Struct

from harness.contract.judge.agreement import judge_identity
from harness.contract.judge.body import FAILED, find_refusal
from harness.contract.judge.reading import (
    format_answer,
    format_ending,
    format_request,
    format_statuses,
    is_file,
    read,
)
from harness.contract.requests import caller_of, named_interaction, summarise_create
from harness.contract.tables.protocol import CANCEL, CREATE, DELETE, GET
from harness.contract.tables.refusals import REFUSALS
from harness.outcome import Finding, Severity
from harness.wire import By, Exchange, How, Length
from harness.wire.bodies import coding_of, loads, object_or_none
from harness.wire.message import BUSY, EVENT_STREAM

CLIENT_ERROR = range(400, 500)
SUCCESS = range(200, 300)
GONE = frozenset({404, 410})


class ExpectedStatuses(Struct, frozen=True):
    """The statuses that meet a rule, those that meet it in a lenient reading, and those only worth a note.

    The first of these that lists a status decides. `in_stream` returns for a successful response whether its
    stream rejects the request as well as a status would.
    """

    accepts: Container[int]
    tolerates: Container[int] = ()
    notes: Container[int] = ()
    in_stream: Callable[[Exchange], bool] | None = None

    def severity(self, status: int | None) -> Severity | None:
        """How bad a status is; None if it is as it should be. No answer at all breaks the rule."""
        if status is None:
            return Severity.BROKEN
        if status in self.accepts:
            return None
        if status in self.tolerates:
            return Severity.NON_STRICT
        return Severity.INFORMATION if status in self.notes else Severity.BROKEN

    def judge(self, exchange: Exchange, code: str = "", sent: str = "") -> Iterator[Finding]:
        """The finding on the status of a response, if it is not accepted; `code` is its rule or `rule/word`.

        `sent` describes the request in a few words.
        """
        severity = self.severity(exchange.status)
        if severity is None or (self.in_stream is not None and self.in_stream(exchange)):
            return
        expected = format_statuses(self.accepts)
        request = f"{format_request(exchange)} with {sent}" if sent else format_request(exchange)
        if exchange.status is None:
            message, actual = f"no response to {request}", format_ending(exchange)
        else:
            message = f"{request} returned {exchange.status}; expected {expected}"
            actual = format_answer(exchange)
        rule, _, word = code.partition("/")
        code = code if word else ""
        yield Finding(rule, message, expected, actual, severity=severity, code=code, of_status=True)


def is_refused_in_stream(exchange: Exchange) -> bool:
    """Whether the stream of a successful answer refuses the request (`StreamReading.refused`)."""
    stream = read(exchange).stream
    return stream is not None and stream.refused


def is_absent_in_stream(exchange: Exchange) -> bool:
    """Whether the stream of a successful answer refuses the request, and shows nothing of an interaction."""
    stream = read(exchange).stream
    return stream is not None and stream.refused and stream.created is None


def has_error(exchange: Exchange) -> bool:
    """Whether a successful answer is a stream with an error: an event, or bare JSON outside the framing."""
    stream = read(exchange).stream
    return stream is not None and bool(stream.errors)


_BAD_REQUEST = ExpectedStatuses({400}, CLIENT_ERROR, in_stream=is_refused_in_stream)
_NO_PARENT = ExpectedStatuses({400, 404}, CLIENT_ERROR, in_stream=is_refused_in_stream)

_ANY_ANSWER = ExpectedStatuses({*SUCCESS, *CLIENT_ERROR})
"""The answer may be a refusal or not; what it says is judged besides."""

FOREIGN_CHAIN = "store.isolation/chain"
"""The row for a create that continues another project's interaction."""

REPLIES: Mapping[str, ExpectedStatuses] = {
    **{
        rule: ExpectedStatuses(row.accepts, row.tolerates, in_stream=is_refused_in_stream)
        for rule, row in REFUSALS.items()
    },
    "auth.wrong": ExpectedStatuses({400, 401, 403}, CLIENT_ERROR),
    "create.ok": ExpectedStatuses({200}, SUCCESS),
    "get.ok": ExpectedStatuses({200}, SUCCESS),
    "get.unknown": ExpectedStatuses({404}, frozenset(CLIENT_ERROR) - {400}, notes={400}),
    "store.false-get": ExpectedStatuses({404}, CLIENT_ERROR, in_stream=is_absent_in_stream),
    "store.false-chain": _NO_PARENT,
    "store.isolation": ExpectedStatuses({403, 404}, CLIENT_ERROR),
    FOREIGN_CHAIN: ExpectedStatuses({400, 403, 404}, CLIENT_ERROR, in_stream=is_refused_in_stream),
    "del.ok": ExpectedStatuses(SUCCESS),
    "del.gone": ExpectedStatuses({404}),
    "del.gone-stream": ExpectedStatuses({404}, CLIENT_ERROR, in_stream=is_absent_in_stream),
    "del.twice": ExpectedStatuses({*SUCCESS, 404}, {410}),
    "del.unknown": ExpectedStatuses({404}, notes={400, *SUCCESS}),
    "del.cancel-after": ExpectedStatuses(CLIENT_ERROR),
    "del.chain-after": _NO_PARENT,
    "del.running": ExpectedStatuses({*SUCCESS, 400, 409}, CLIENT_ERROR),
    "bg.create": ExpectedStatuses(SUCCESS),
    "bg.settles": ExpectedStatuses(SUCCESS),
    "cancel.ok": ExpectedStatuses(SUCCESS),
    "cancel.get-after": ExpectedStatuses(SUCCESS),
    "cancel.foreground": _ANY_ANSWER,
    "cancel.settled": _ANY_ANSWER,
    "cancel.unknown": ExpectedStatuses({400, 404}, CLIENT_ERROR),
    "chain.ok": ExpectedStatuses(SUCCESS),
    "chain.after-settled": ExpectedStatuses(SUCCESS),
    "chain.running": _BAD_REQUEST,
    "chain.unknown": _NO_PARENT,
    "resume.opens": ExpectedStatuses(SUCCESS),
    "resume.live": ExpectedStatuses(SUCCESS),
    "resume.foreground": _ANY_ANSWER,
    "resume.unknown": ExpectedStatuses({400, 404}, CLIENT_ERROR, in_stream=has_error),
    "tool.result-ok": ExpectedStatuses(SUCCESS),
    "tool.result-bad-id": _BAD_REQUEST,
    "tool.result-orphan": ExpectedStatuses(CLIENT_ERROR, in_stream=is_refused_in_stream),
}
"""By rule; `FOREIGN_CHAIN` is the second row of a rule whose two kinds of request have different refusals."""


def judge_reply(rule: str, exchange: Exchange) -> Iterator[Finding]:
    """The finding on the status of a response by the row of a rule."""
    return REPLIES[rule].judge(exchange, rule)


TRACE = re.compile(
    rb"Traceback \(most recent call last\)|\n[ \t]+at [\w.$<>]+ ?\("
    rb"|File \\?\"[^\"]+\\?\", line \d+|goroutine \d+ \["
)
"""The first lines of Python, JavaScript, Java and Go stack traces, in JSON strings too."""

_CLOSED = {b"{": b"}", b"[": b"]"}
_CUT = frozenset({How.FIN, How.RST, How.BAD_HTTP})


def is_no_answer(exchange: Exchange) -> bool:
    """Whether the response leaves the request open: the target is busy, failed, or disconnected.

    A failure or a disconnect is a defect in itself, for every request; 501 is a response to it.
    """
    status = exchange.status
    return status is None or status in BUSY or (status >= 500 and status != 501)


def is_open(exchange: Exchange) -> bool:
    """Whether the request may have taken effect, or may yet do so, whatever its status."""
    return bool(exchange.excuse) or is_no_answer(exchange)


def is_success(exchange: Exchange) -> bool:
    """Whether the response is a 2xx that does what was requested; an error does not, nor a stream of only one."""
    reading = read(exchange)
    if not exchange.succeeded or reading.says_error:
        return False
    stream = reading.stream
    return stream is None or not stream.refused


def is_refusal(exchange: Exchange) -> bool:
    """Whether the response refuses the request, by a 4xx or by an error in a stream."""
    status = exchange.status
    return status is not None and (400 <= status < 500 or (exchange.succeeded and not is_success(exchange)))


def judge_response(exchange: Exchange, key: str, own: bool = True) -> Iterator[Finding]:
    """All findings on one exchange; `key` is the caller's key, which no error may repeat.

    An error that is not the API's `own` may have any shape.
    """
    if exchange.status is None:
        return
    yield from judge_length(exchange)
    yield from judge_error_status(exchange)
    if not is_file(exchange):
        yield from judge_json_type(exchange)
        yield from judge_json_valid(exchange)
        yield from read(exchange).ambiguous
    if exchange.status >= 400:
        yield from judge_leaks(exchange, key)
        if not own:
            return
        yield from judge_error_shape(exchange)
    yield from (finding for finding in read(exchange).findings if finding.rule != "err.shape")
    yield from read(exchange).emptiness


def judge_json_type(exchange: Exchange) -> Iterator[Finding]:
    """JSON must be labeled as JSON; a body with the label of a stream is judged as one."""
    if read(exchange).is_stream:
        return
    if exchange.body[:64].lstrip()[:1] in (b"{", b"[") and exchange.headers.media_type() != "application/json":
        label = exchange.headers.get("content-type") or "(none)"
        message = f"the JSON response to {format_request(exchange)} has another Content-Type"
        yield Finding("http.json-type", message, "content-type: application/json", label)


def judge_json_valid(exchange: Exchange) -> Iterator[Finding]:
    """A body that is labeled as JSON must be JSON; one that was not kept whole is not judged.

    A stream is not judged either: not its body is wrong, but its label (`judge_stream_label`).
    """
    if (
        exchange.is_stream
        or not exchange.body
        or exchange.curtailed
        or exchange.headers.media_type() != "application/json"
    ):
        return
    fault = read(exchange).json_fault
    if not fault:
        return
    code = "http.json-valid"
    if fault == "depth":
        message, severity = "the JSON is nested too deep to judge", Severity.INFORMATION
    elif fault == "surrogate":
        message = f"half of a surrogate pair in the response to {format_request(exchange)}"
        severity = Severity.NON_STRICT
    else:
        message = f"the response to {format_request(exchange)} does not parse: {loads(exchange.body).detail}"
        severity, body = Severity.BROKEN, exchange.body.strip()
        if _CLOSED.get(body[:1], body[-1:]) != body[-1:]:
            code = "http.json-valid/cut"
            message = f"the response to {format_request(exchange)} ends in the middle of its JSON"
            if isinstance(exchange.framing, Length) and not body.isascii():
                message += " (does its Content-Length count characters and not bytes?)"
    yield Finding.from_code(code, message, "JSON", format_answer(exchange), severity=severity)


def judge_error_status(exchange: Exchange) -> Iterator[Finding]:
    """An error must come with the status of one."""
    if read(exchange).says_error:
        message = f"an error has the success status {exchange.status}"
        yield Finding("err.status", message, "4xx or 5xx", format_answer(exchange))
    elif exchange.status in FAILED and (meant := find_refusal(read(exchange).json)) is not None:
        message = f"a rejection has status {exchange.status}, as if the server had failed"
        yield Finding.from_code("err.status/refusal", message, str(meant), format_answer(exchange))


def judge_json_object(exchange: Exchange) -> Iterator[Finding]:
    """A create without `stream` must return one JSON object."""
    if not isinstance(read(exchange).json, dict):
        message = "no JSON object without stream=true"
        yield Finding("create.no-stream-json", message, "an interaction", format_answer(exchange))


def judge_stream_label(exchange: Exchange) -> Iterator[Finding]:
    """A stream must be labeled as a stream of events."""
    if exchange.headers.media_type() != EVENT_STREAM:
        label = exchange.headers.get("content-type") or "(none)"
        yield Finding(
            "http.ct-stream", "the stream has another Content-Type", f"content-type: {EVENT_STREAM}", label
        )


def judge_endless(code: str, message: str, exchange: Exchange) -> Iterator[Finding]:
    """A stream to which nothing more can come must end."""
    if exchange.hung:
        yield Finding.from_code(code, message, "an end", f"silence for {exchange.silence:.1f} s")


def judge_length(exchange: Exchange) -> Iterator[Finding]:
    """The body must be as long as its framing declares."""
    if exchange.status is not None and exchange.ending.by is By.SERVER and exchange.ending.how in _CUT:
        message = f"the response to {format_request(exchange)} ends before its framing does"
        yield Finding("http.length", message, "a whole body", format_ending(exchange))
    elif isinstance(exchange.framing, Length) and exchange.complete:
        promised, sent = exchange.framing.size, exchange.ending.sent or 0
        if sent > promised:
            message = f"the response to {format_request(exchange)} has more bytes than its Content-Length"
            yield Finding("http.length", message, f"{promised} bytes", f"at least {sent} bytes")
        elif promised != exchange.size and not coding_of(exchange.headers):
            message = f"Content-Length and body of the response to {format_request(exchange)} disagree"
            yield Finding("http.length", message, f"{promised} bytes", f"{exchange.size} bytes")


def judge_error_shape(exchange: Exchange) -> Iterator[Finding]:
    """The body of an error must be JSON and hold an error object."""
    reading = read(exchange)
    if exchange.curtailed:
        return
    if reading.json is None:
        message = f"the error response to {format_request(exchange)} is not JSON"
        came = format_answer(exchange) if exchange.body else f"{exchange.status} and an empty body"
        yield Finding("err.shape", message, '{"error": {"code", "message"}}', came)
    else:
        yield from (finding for finding in reading.findings if finding.rule == "err.shape")


def judge_leaks(exchange: Exchange, key: str) -> Iterator[Finding]:
    """An error must show neither the caller's key nor a stack trace."""
    # The shortest key to look for in errors; a shorter one might occur in any text.
    if len(key) >= 8 and key.encode() in exchange.body:
        yield Finding(
            "err.no-leak", f"the error response to {format_request(exchange)} contains the key of the caller"
        )
    trace = TRACE.search(exchange.body)
    if trace:
        message = f"the error response to {format_request(exchange)} contains a stack trace"
        yield Finding("err.no-leak", message, "no trace", trace.group().decode("utf-8", "replace").strip())


_OF_ITSELF = frozenset({"id", "status", "error"})
"""Members of which the body of a GET has one, if it is an interaction or an error."""
_OUTPUT = re.compile(r"\$(\.(id|steps(\[\d+\](\.content)?)?))?")
_OUTPUT_OF_EVENT = re.compile(r"\$\.(index|step|step\.content|delta|delta\.text|interaction)")
_COMPARED = re.compile(r"\$\.(id|steps\[.*|index|step(\..*)?|delta(\..*)?|interaction(\.id)?)")
_HOLDS_OUTPUT = re.compile(r"\$(\.steps\[.*)?")


def judge_causes(exchange: Exchange, before: Sequence[Exchange]) -> Iterator[Finding]:
    """The findings from which the rest follows, the first one before all; `before` are the exchanges before it."""
    yield from judge_length(exchange)
    wrong = [finding for finding in judge_json_valid(exchange) if finding.severity is Severity.BROKEN]
    yield from wrong or read(exchange).no_json  # whatever its label
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

    Unlike those of `judge_causes`, such a defect leaves the other members and events of the response to be judged.
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
    if exchange.status not in GONE:
        return
    order = summarise_create(exchange.request)  # the id of what a call is about, or of what it continues
    found = order.parent if order is not None else named_interaction(exchange.request)
    if not found or (at := _find_shown(found, exchange, before)) is None:
        return
    known, tried = before[at], _find_deletes(found, before)
    proven = _is_plain_get(known) and _is_plain_get(exchange)
    cause = "a rejected DELETE took effect: " if tried and tried[-1] > at else ""
    # A run was once lost with its agent, and nothing named the DELETE of that.
    shown = {**(object_or_none(known.request.body) or {}), **(read(known).interaction or {})}
    uses = {shown.get(name) for name in ("agent", "environment_id", "previous_interaction_id")}
    canceled = (
        seen for seen in before[at:] if read(seen).call == CANCEL and named_interaction(seen.request) == found
    )
    deleted = (seen for seen in before[at:] if seen.request.method == "DELETE" and seen.succeeded)
    since = [*canceled, *(seen for seen in deleted if seen.request.segments[-1] in uses)]
    after = f", after {' and '.join(dict.fromkeys(map(format_request, since)))}" if since else ""
    by_cancel = since and not tried and all(seen.succeeded and read(seen).call == CANCEL for seen in since)
    yield Finding.from_code(
        "cancel.state/lost" if by_cancel else "get.ok/lost",
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
    gets = (seen for seen in (exchange, *before) if seen.succeeded and _is_plain_get(seen))
    if any(read(get).id not in (None, named_interaction(get.request)) for get in gets):
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
