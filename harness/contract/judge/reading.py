"""The content of an exchange, decoded once and judged once for all callers.

`read` never raises, whatever the target sent: no response, no JSON, a list, ten thousand brackets. Checks use it
and never parse for themselves. Its content needs no contract; its findings do. The sender of the requests passes
the contract once for each exchange, and all later readers judge by that one.

The `list_judged_…` functions name the rules that a stream, body or error could have broken: one without a finding
was met; one without such a part is not judged.

The messages of findings take their words about exchanges and statuses from here, safe on anything a target may
send.
"""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF8
from collections.abc import Container, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

from msgspec.structs import replace

from harness.contract.contract import Contract
from harness.contract.judge.body import (
    error_of,
    has_to_count,
    judge_ambiguous,
    judge_answer,
    judge_crash,
    judge_error,
    judge_failed_refusal,
    judge_unlisted,
    judge_unlisted_in,
    show_start,
    unwrap_list,
)
from harness.contract.judge.stream import StreamJudge, StreamReading, judge_twice
from harness.contract.schema.schemas import Review
from harness.contract.tables.protocol import (
    CREATE,
    INTERACTION,
    STATUS_OF,
    Operation,
    has_numeric_errors,
    interaction_id,
    is_resume,
    operation_of,
)
from harness.contract.tables.stream_order import DELTA, ERROR, START, STOP
from harness.contract.transcript import assemble_steps
from harness.outcome import Finding, HarnessFault
from harness.outcome.words import quote_body, shorten, to_one_line
from harness.rules import rows_of
from harness.wire import By, Decoder, Ending, Exchange, Frame, How, Request, bodies
from harness.wire.bodies import as_object, coding_of, may_be_ambiguous, object_or_none, objects_in
from harness.wire.message import segment


class Reading:
    """One exchange, decoded lazily; every attribute is computed at most once."""

    def __init__(self, exchange: Exchange, contract: Contract | None = None) -> None:
        self.exchange = exchange
        self._contract = contract
        self._judged_events: list[dict[str, Any]] = []

    @property
    def contract(self) -> Contract:
        """The contract to judge by. Raises HarnessFault if there is none."""
        if self._contract is None:
            request = self.exchange.request
            raise HarnessFault(
                f"{request.method} {request.target} has no revision to judge it by: "
                "call read(exchange, contract) on every exchange"
            )
        return self._contract

    @cached_property
    def is_stream(self) -> bool:
        return self.exchange.is_stream

    @cached_property
    def _parsed(self) -> bodies.JsonResult:
        exchange = self.exchange
        if self.is_stream or not exchange.body or exchange.truncated:
            return bodies.JsonResult(None, "absent", "no JSON body")
        return bodies.loads(exchange.body)

    @cached_property
    def json(self) -> Any:
        """The JSON value of a body that is not a stream; None if there is none, or if it is `null`."""
        return self._parsed.value

    @cached_property
    def says_error(self) -> bool:
        """Whether the response is an error under a status of success.

        What has an id or a name is a resource, which may tell of an error of its own.
        """
        if not self.exchange.succeeded or is_file(self.exchange):
            return False
        body = unwrap_list(self.json)
        if not isinstance(body, Mapping) or any(isinstance(body.get(name), str) for name in ("id", "name")):
            return False
        error = body.get("error")
        return bool(error) and isinstance(error, str | Mapping)

    @property
    def json_fault(self) -> str:
        """The fault of the JSON: "" if there is none, or `absent`, `encoding`, `syntax`, `depth`, `surrogate`."""
        return self._parsed.fault

    @cached_property
    def _review(self) -> Review:
        """The JSON value by the schema of the operation, which must have one: to explain a misfit takes long."""
        assert self.operation is not None
        return self.contract.schemas.validator(self.operation.schema).review(self.json)

    @property
    def error(self) -> tuple[str, str] | None:
        """(code, message) of an error body of either shape; None if it is not one."""
        return error_of(self.json)

    @cached_property
    def operation(self) -> Operation | None:
        """The operation of the API that was called; None if it was something else."""
        return operation_of(self.exchange.request)

    @property
    def call(self) -> str:
        """The call of the API; "" if the request was for something else."""
        return self.operation.call if self.operation is not None else ""

    @property
    def is_resumed(self) -> bool:
        """Whether it is the rest of a stream that was begun in another exchange."""
        return self.stream is not None and self.stream.start == "resumed"

    @cached_property
    def interaction(self) -> dict[str, Any] | None:
        """The interaction that a successful create, get or cancel returned as JSON; None for a stream."""
        value, operation = self.json, self.operation
        about_one = operation is not None and operation.schema == INTERACTION
        return value if self.exchange.succeeded and about_one and isinstance(value, dict) else None

    @cached_property
    def stream(self) -> StreamReading | None:
        """The judged stream of a successful response; None if the body is not a stream."""
        exchange = self.exchange
        if not self.is_stream or not self.exchange.succeeded:
            return None
        resumed = is_resume(exchange.request)
        start = "fresh" if resumed is None else "replay" if resumed[1] is None else "resumed"
        asked = bodies.loads(exchange.request.body).value if exchange.request.method == "POST" else None
        background = isinstance(asked, dict) and asked.get("background") is True
        judge = StreamJudge(self.contract, start=start, background=background)
        judge.events = self._judged_events
        judge.feed(exchange.body)
        ending = exchange.ending
        if exchange.truncated or exchange.interrupted:  # the record cannot say how the stream ended by itself
            ending = Ending(by=By.LIMIT, how=How.FIN)
        return judge.finish(ending)

    @cached_property
    def frames(self) -> list[Frame]:
        """The dispatched events of a stream, as far as its bytes were kept, with their spans."""
        return Decoder().feed(self.exchange.body) if self.is_stream else []

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        """The payloads that are JSON objects; does not compute `frames`, which are rarely needed."""
        if self.stream is not None:
            return self._judged_events
        frames = Decoder().each(self.exchange.body) if self.is_stream else ()
        return bodies.objects(frame.data for frame in frames)

    @cached_property
    def streamed_steps(self) -> list[dict[str, Any]]:
        """The steps that the events of a stream add up to."""
        return assemble_steps(self.events, self.contract)

    @cached_property
    def id(self) -> str | None:
        """The id of the interaction that was returned, as JSON or as a stream; None if it is "" or absent."""
        if self.stream is not None:
            return self.stream.interaction_id or None
        return interaction_id({"interaction": self.interaction}) if self.interaction is not None else None

    @cached_property
    def new_id(self) -> str:
        """The id of the interaction that a create stored; "" if it stored nothing, or is no create."""
        if self.call != CREATE or not self.exchange.succeeded:
            return ""
        asked = object_or_none(self.exchange.request.body)
        if asked is None or asked.get("continuation_token") or asked.get("store") is False:
            return ""
        if self.stream is not None and self.stream.refused:
            return ""
        return self.id or ""

    @property
    def status(self) -> str | None:
        """The last status of the interaction that the response shows."""
        if self.stream is not None:
            return self.stream.status
        status = self.interaction.get("status") if self.interaction is not None else None
        return status if isinstance(status, str) else None

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """Findings of the contract about the body alone."""
        exchange = self.exchange
        if self.stream is not None:
            streamed = self.stream.findings  # mostly empty, and this is hot
            return streamed and tuple(each for each in streamed if not self._asks_for_an_unstored_id(each))
        if exchange.status is not None and exchange.status >= 400 and not self.is_stream:
            if exchange.curtailed:
                return ()
            errors = judge_error(self.json, exchange.status, rpc=has_numeric_errors(exchange.request))
            return tuple(errors if exchange.body else (replace(one, actual="an empty body") for one in errors))
        operation = self._answered
        if operation is None or not exchange.body:
            return ()
        if self.json_fault not in ("", "surrogate"):
            return self.no_json
        found = judge_answer(self._review, operation, self.contract)
        return tuple(finding for finding in found if not self._is_echo(finding))

    @property
    def _answered(self) -> Operation | None:
        """The operation that succeeded, if it answers with a body that has a schema."""
        operation = self.operation
        return operation if self.exchange.succeeded and operation is not None and operation.schema else None

    @cached_property
    def judged(self) -> frozenset[str]:
        exchange = self.exchange
        if self.stream is not None:
            return list_judged_in_stream(self.stream)
        if exchange.status is not None and exchange.status >= 400:
            return frozenset() if exchange.curtailed else list_judged_in_error(self.json, exchange.status)
        operation = self._answered
        if operation is None or not exchange.body:
            return frozenset()
        own = list_judged_in_interaction(self.json) if self.interaction is not None else frozenset()
        return own | {operation.rule}

    @cached_property
    def crash(self) -> tuple[Finding, ...]:
        """The finding that this request, though right, made the server fail.

        It is kept apart from `findings`, because a recorded failure is a fact, and its body may be as it should.
        """
        return tuple(judge_crash(self.exchange, self.operation, self.contract))

    @cached_property
    def failed_refusal(self) -> tuple[Finding, ...]:
        """The finding, as information, that the server failed where it had to refuse this request."""
        return tuple(judge_failed_refusal(self.exchange, self.operation, self.contract))

    @cached_property
    def emptiness(self) -> tuple[Finding, ...]:
        """The finding that a success came whole and without the body that its operation returns.

        It is kept apart from `findings`, because a live check of the operation words it itself.
        """
        return () if self.exchange.body else self.no_json

    @cached_property
    def unlisted(self) -> tuple[Finding, ...]:
        """Members of a successful body that the contract does not name; kept apart, because they are no fault."""
        if self.stream is not None:
            return tuple(judge_unlisted(self.stream.unknowns, self.contract.revision))
        if self._answered is None or self.json is None:
            return ()
        return tuple(judge_unlisted_in(self._review, self.contract.revision))

    @cached_property
    def coded(self) -> tuple[Finding, ...]:
        """A coding that a request of this program did not allow; others may have lost the header that did."""
        wanted = self.exchange.request.headers.get("accept-encoding").lower()  # without it, `identity` was sent
        coding = coding_of(self.exchange.headers)
        if not coding or coding in wanted or "*" in wanted:
            return ()
        message = "the body has a coding that the request does not allow"
        return (Finding("http.gzip", message, "no content-encoding", f"content-encoding: {coding}"),)

    @cached_property
    def ambiguous(self) -> tuple[Finding, ...]:
        """The finding that readers of the JSON see different values; kept apart, as each check has its own."""
        body = self.exchange.body
        if self.is_stream:
            return tuple(judge_twice(self.frames)) if may_be_ambiguous(body, *self.events) else ()
        return (
            () if self.json is None else tuple(judge_ambiguous("http.json-valid/twice", "body", body, self.json))
        )

    def _asks_for_an_unstored_id(self, finding: Finding) -> bool:
        """Whether a finding asks for the id of an interaction that is not stored: "" and no id mean the same."""
        name = _IDS.get(finding.where.pointer, "")
        if finding.stable_code != "stream.schema/required" or finding.expected != f"a field {name}":
            return False
        return as_object(bodies.loads(self.exchange.request.body).value).get("store") is False

    def _is_echo(self, finding: Finding) -> bool:
        """Whether a finding is about a field that repeats the request: a fault of the caller's."""
        name = finding.where.pointer.removeprefix("$.").partition(".")[0].partition("[")[0]
        if not name or self.exchange.request.method != "POST" or not isinstance(self.json, dict):
            return False
        sent = bodies.loads(self.exchange.request.body).value
        return isinstance(sent, dict) and name in sent and name in self.json and sent[name] == self.json[name]

    @cached_property
    def no_json(self) -> tuple[Finding, ...]:
        """The finding that a success is no JSON or empty, unless it did not come whole or was not kept."""
        operation, exchange, body = self._answered, self.exchange, self.exchange.body
        if operation is None or self.is_stream or (body and self.json_fault in ("", "surrogate")):
            return ()
        if not exchange.complete or exchange.truncated:
            return ()
        message, code = f"the response to {operation.call} is not JSON", operation.rule
        message += ": it begins with a byte order mark" * body.startswith(BOM_UTF8)
        if not body:
            message, code = f"{operation.call} returns {exchange.status} without a body", f"{code}/empty"
        return (Finding.from_code(code, message, operation.schema, show_start(body)),)


def read(exchange: Exchange, contract: Contract | None = None) -> Reading:
    """The reading of an exchange: the same object on every call, which lives as long as the exchange.

    A `contract` replaces the one that the exchange was read by before, if that was another.
    """
    reading: Any = exchange.notes.get(__name__)  # each exchange is read forty times: a `cast` would be a call
    if reading is None or not (contract is None or contract is reading._contract or contract == reading._contract):
        reading = exchange.notes[__name__] = Reading(exchange, contract)
    return reading  # type: ignore[no-any-return]


def is_file(exchange: Exchange) -> bool:
    """Whether the body is the content of a file, which may be anything."""
    return exchange.status == 200 and exchange.request.parameter("alt") == "media"


_IDS = {"$.interaction": "id", "$": "interaction_id"}
"""What names the interaction of an event, by the place that holds it."""

_WITH_OTHERS = frozenset({"stream.text", "stream.equals-get", "stream.end-matches-get"})
"""Rules of streams that a stream alone cannot break."""
_STREAM = frozenset(row.rule.id for row in rows_of("stream") if row.everywhere) - _WITH_OTHERS | {
    "create.status", "create.status-listed", "stream.evid-delta"
}  # fmt: skip
_FRAMING = frozenset(
    {"stream.framing", "stream.name-agrees", "stream.done", "stream.done-final", "stream.bare-error"}
)
_END = frozenset({"stream.terminal", "stream.done", "stream.bare-error"})
_COMPLETION = frozenset({"stream.completed-status", "stream.completed-usage", "stream.completed-no-steps"})
_STEPS = frozenset(
    {"stream.start-before", "stream.stop-once", "stream.index-contiguous", "stream.index-reuse",
     "stream.no-interleave"}
)  # fmt: skip
_DELTAS = frozenset({"stream.delta-known", "stream.delta-fits"})
_USAGE = ("total_tokens", "total_input_tokens", "total_output_tokens")


def list_judged_in_stream(reading: StreamReading) -> frozenset[str]:
    """The rules that this stream could have broken, and those that it broke."""
    counts, lacking = reading.counts, set[str]()
    for present, rules in (
        (reading.framed, _FRAMING),
        (reading.whole, _END),
        (reading.completed is not None, _COMPLETION),
        ({START, DELTA, STOP} & counts.keys(), _STEPS),
        (DELTA in counts, _DELTAS),
        (reading.arguments, {"stream.args-join"}),
        (reading.signatures, {"stream.sig-last"}),
        (reading.stop_usages > 1, {"stream.stop-usage"}),
        (ERROR in counts, {"stream.error-shape"}),
        (reading.cursors, {"stream.evid-unique"}),
        (reading.cursors and reading.background and DELTA in counts, {"stream.evid-delta"}),
    ):
        if not present:
            lacking |= rules
    usage = _list_of_usage((reading.completed or {}).get("usage"))
    return (_STREAM - lacking) | {*usage, *(finding.rule for finding in reading.findings)}


def list_judged_in_interaction(value: Any) -> frozenset[str]:
    """The rules of an interaction's body that this one could have broken, its schema apart."""
    judged = {"create.status", "create.generation"}
    if not isinstance(value, Mapping):
        return frozenset({"create.status"})
    if isinstance(value.get("status"), str):
        judged.add("create.status-listed")
    if {"created", "updated"} & value.keys():
        judged.add("create.times")
    if has_to_count(value):
        judged.add("usage.counted")
    judged.update(_list_of_usage(value.get("usage")))
    judged.update(_list_of_steps(bodies.as_list(value.get("steps"))))
    return frozenset(judged)


def list_judged_in_error(value: Any, status: int | None) -> frozenset[str]:
    """The rules of errors that this body could have broken."""
    code = as_object(as_object(value).get("error")).get("code")
    judged = {"err.shape"}
    if isinstance(code, str):
        judged |= {"err.code-string", "err.code-word"}
    if isinstance(code, str) and code in STATUS_OF and status is not None:
        judged.add("err.code-status")
    return frozenset(judged)


def _list_of_usage(usage: Any) -> Iterator[str]:
    if usage is not None:
        yield "usage.types"
    if isinstance(usage, Mapping):
        if all(name in usage for name in _USAGE):
            yield "usage.sum"
        if any(name.endswith("_by_modality") for name in usage):
            yield "usage.modality"


def _list_of_steps(steps: list[Any]) -> Iterator[str]:
    if steps:
        yield "steps.discriminator"
    for step in objects_in(steps):
        parts = objects_in(step.get("content"))
        if str(step.get("type", "")).endswith("_result") and "call_id" in step:
            yield "steps.result-match"
        if any(name in holder for holder in (step, *parts) for name in ("data", "signature")):
            yield "steps.base64"
        if any(part.get("annotations") for part in parts):
            yield "steps.annotation-range"


_KEY = re.compile(r"([?&](?:key|access_token)=)[^&]*")
_GZIP = b"\x1f\x8b"


def format_request(exchange: Exchange) -> str:
    """The request's method and target; a key in the query is masked."""
    return describe_request(exchange.request)


def describe_request(request: Request) -> str:
    """A request's method and target; a key in the query is masked."""
    target = _KEY.sub(r"\1…", request.target)
    return f"{request.method} {_clip(target)}"


def odd_letters(identity: str, known: Iterable[str]) -> str:
    """The letters of an id that a path has to escape and no `known` id has: a router may read them wrongly."""
    odd = sorted(letter for letter in {*identity}.difference(*known) if segment(letter) != letter)
    return format_value("".join(odd)) if odd else ""


def format_answer(exchange: Exchange) -> str:
    """The status and the error or the beginning of the body."""
    if exchange.status is None:
        return format_ending(exchange)
    error = read(exchange).error
    if error is not None:
        parts = [str(part) for part in error if part and str(part) != str(exchange.status)]
        return f"{exchange.status} {_clip(to_one_line(': '.join(parts)))}".rstrip()
    if exchange.body.startswith(_GZIP) and "content-encoding" not in exchange.headers:
        return f"{exchange.status} a gzip body without Content-Encoding"
    return f"{exchange.status} {quote_body(exchange.body, 80, complete=exchange.complete)}".rstrip()


def format_ending(exchange: Exchange) -> str:
    """How the answer ended."""
    ending = exchange.ending
    return f"{ending.words}: {ending.detail}" if ending.detail else ending.words


def format_value(value: object) -> str:
    """A JSON value, shortened to fit a message; never raises, however deep or odd the value is."""
    try:
        return _clip(json.dumps(value, ensure_ascii=False))
    except (TypeError, ValueError, RecursionError):
        return f"a {type(value).__name__} that cannot be shown"


def format_statuses(statuses: Container[int]) -> str:
    """The listed statuses, whole classes as `2xx`."""
    words: list[str] = []
    for first in range(100, 600, 100):
        listed = [status for status in range(first, first + 100) if status in statuses]
        # If more statuses of one class are listed, a message names the class and the missing ones.
        if len(listed) > 50:
            missing = [str(status) for status in range(first, first + 100) if status not in statuses]
            words.append(f"{first // 100}xx" + (f" other than {' and '.join(missing)}" if missing else ""))
        else:
            words += map(str, listed)
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _clip(text: str) -> str:
    text = text.encode("utf-8", "replace").decode()  # a lone surrogate cannot be printed
    return shorten(text, 120)
