"""The statuses that each rule accepts: one row per rule, read by checks and by the judge of histories.

A table and its one reader. The row has the documented statuses of its check. Must not know why a request had to be
rejected.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping

from msgspec import Struct

from harness.contract.judge.reading import read
from harness.contract.judge.wording import format_answer, format_ending, format_request, format_statuses
from harness.contract.tables.refusals import REFUSALS
from harness.outcome import Finding, Severity
from harness.wire import Exchange

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
