"""Judges a single response, whatever came before it: its status, that it is whole, and that it leaks nothing.

Pure. One function per rule, for checks and searches alike. `REPLIES` has the statuses that each rule accepts, a
row each, as the documents give them. Must not know why a request was sent, or why it had to be rejected.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping

from msgspec import Struct

from harness.contract.judge.errors import FAILED, find_refusal
from harness.contract.judge.reading import (
    format_answer,
    format_ending,
    format_request,
    format_statuses,
    is_file,
    read,
)
from harness.contract.tables.refusals import REFUSALS
from harness.outcome import Finding, Severity
from harness.wire import By, Exchange, How, Length
from harness.wire.coding import coding_of
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
        yield Finding(rule, message, expected, actual, severity=severity, code=code if word else "")


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
        message = f"the response to {format_request(exchange)} does not parse ({fault})"
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
