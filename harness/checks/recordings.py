"""Judges recorded traffic of this API: findings for `harness verify`.

Sends nothing and opens no file: `FileJudge` takes the contents of files. Every entry of a recorder's file, and
every other file, is either judged or left out with a reason; the two add up to the total. Recordings of the
generation before `steps` are recognized and left out: they were correct in their time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec import structs

from harness.cassette.har import build_stream, exchanges_in
from harness.contract.contract import Contract
from harness.contract.judge.answer import CLIENT_ERROR
from harness.contract.judge.body import (
    UNLISTED,
    error_of,
    is_legacy,
    judge_create_request,
    judge_error,
    judge_reviewed,
    judge_unlisted,
    judge_unlisted_in,
    list_judged_in_request,
)
from harness.contract.judge.history.history_judge import judge_recorded
from harness.contract.judge.reading import (
    list_judged_in_error,
    list_judged_in_interaction,
    list_judged_in_stream,
    read,
)
from harness.contract.judge.stream import StreamJudge, StreamReading, judge_twice
from harness.contract.tables.protocol import COLLECTION, INTERACTION, PROTOCOL, is_transfer
from harness.errors import Unreadable
from harness.kit.api import Answer, UnjudgedEntry, Verification
from harness.outcome import Finding
from harness.wire import Decoder, Ending, Exchange, Frame, bodies
from harness.wire.bodies import as_object, find_ambiguous, objects_in
from harness.wire.mask import keys_in
from harness.wire.sse import encode_frame, events_in

UNRECOGNIZED = "not recognized as a call of the Interactions API"
TRANSFER = "a download, or a part of an upload"
REDIRECTED = "a redirect, which no call of the Interactions API returns"
LEGACY = "of the `outputs` format, which the service removed in June 2026"
_LEGACY_EVENTS = frozenset(
    {"interaction.start", "interaction.complete", "content.start", "content.delta", "content.stop"}
)


class FileJudge:
    """Judges one file by a contract and adds the result to a verification, under the name `file`."""

    def __init__(self, file: str, result: Verification, contract: Contract) -> None:
        self._file = file
        self._contract = contract
        self._result = result

    def judge(self, data: bytes, answers: Iterable[Answer] = ()) -> None:
        name = self._file.lower()
        if name.endswith(".sse"):
            judge = StreamJudge(self._contract)
            judge.feed(data)
            self._judge_stream(data, Decoder().feed(data), judge.finish())
        elif name.endswith(".events.jsonl"):
            # One payload a line. The framing is lost, so its rules do not apply; spans are those of the lines.
            frames, judge = list(_split_frames(data)), StreamJudge(self._contract, framed=False)
            judge.frames(frames)
            self._judge_stream(b"".join(map(encode_frame, frames)), frames, judge.finish())
        elif name.endswith(".request.json"):
            self._judge_request_file(data, answers)
        elif name.endswith((".json", ".har")):
            self._judge_json(json_in(data))
        else:
            self.leave_out("not a kind of file that contains recorded traffic")

    def leave_out(self, reason: str, entry: str = "") -> None:
        """Note that the file, or an entry of it, is not judged, and why."""
        self._result.left_out.append(UnjudgedEntry(self._file, entry, reason))

    def _judge_alone(self, kind: str, rules: Iterable[str], findings: Iterable[Finding]) -> None:
        """Add the findings of a file that is one stream, body or request."""
        self._result.entries += 1
        self._note_findings(kind, rules, findings)

    def _note_findings(
        self, kind: str, rules: Iterable[str], findings: Iterable[Finding], exchange: str = ""
    ) -> None:
        self._result.judged[kind] += 1
        self._result.rules.update(rules)
        self._add(findings, exchange)

    def _add(self, findings: Iterable[Finding], exchange: str = "") -> None:
        for finding in findings:
            place = {"exchange": exchange} if exchange else {}
            self._result.findings.append(finding.at(file=self._file, **place))

    def _judge_stream(self, body: bytes, frames: Iterable[Frame], reading: StreamReading) -> None:
        """Judge a file that is one stream; `body` is the stream as a report draws it."""
        if _is_legacy_stream(reading):
            self.leave_out(f"a stream {LEGACY}")
        else:
            unlisted = judge_unlisted(reading.unknowns, self._contract.revision)
            found = (*reading.findings, *unlisted, *judge_twice(frames))
            before = len(self._result.findings)
            self._judge_alone("streams", list_judged_in_stream(reading) | UNLISTED, found)
            if broken := self._result.findings[before:]:
                self._keep_streams({"": build_stream(body)}, broken)

    def _judge_json(self, value: Any) -> None:
        exchanges = exchanges_in([value])
        if exchanges is not None:
            self.exchanges(exchanges)
        elif _is_legacy_body(value):
            self.leave_out(f"a body {LEGACY}")
        elif error_of(value) is not None:
            self._judge_alone("bodies", list_judged_in_error(value, None), judge_error(value, None))
        elif _looks_like_one(value):
            self._judge_alone("bodies", *self._judge_interaction(value))
        else:
            self.leave_out("JSON, but neither an interaction, an error body, a cassette nor a HAR file")

    def _judge_interaction(self, value: Any) -> tuple[Iterable[str], Iterable[Finding]]:
        """The rules and findings of an interaction that no known call returned."""
        review = self._contract.schemas.validator(INTERACTION).review(value)
        found = [*judge_reviewed(review, self._contract), *judge_unlisted_in(review, self._contract.revision)]
        return list_judged_in_interaction(value) | {"create.schema"} | UNLISTED, found

    def _judge_request_file(self, data: bytes, answers: Iterable[Answer]) -> None:
        answers = list(answers)
        values = [bodies.loads(answer.data).value if answer.is_json else None for answer in answers]
        named = (f'"{kind}"'.encode() for kind in _LEGACY_EVENTS)
        if any(map(_is_legacy_body, values)) or any(kind in answer.data for kind in named for answer in answers):
            self.leave_out(f"the request of a response {LEGACY}")
            return
        refused = any(error_of(value) is not None for value in values)
        json_in(data)  # a file that is no JSON contradicts its name
        found = judge_create_request(data, self._contract, refused=refused)
        self._judge_alone("requests", list_judged_in_request(data), found)

    def documents(self, documents: list[Any]) -> None:
        exchanges = exchanges_in(documents)
        if exchanges is None:
            self.leave_out("YAML, but not a cassette")
        else:
            self.exchanges(exchanges)

    def exchanges(self, entries: Iterable[tuple[str, Exchange | Unreadable]]) -> None:
        entries = list(entries)
        if not entries:
            self.leave_out("a recording without an entry")
        judged, before = [], len(self._result.findings)
        for name, recorded in entries:
            entry = recorded
            if isinstance(entry, Exchange):
                request = entry.request
                self._result.keys.update(keys_in(request, entry.headers))
                if request.method != request.method.upper():  # some recorders write `post`
                    request = structs.replace(request, method=request.method.upper())
                    entry = structs.replace(entry, request=request, notes={})
                read(entry, self._contract)
            reason = str(entry) if isinstance(entry, Unreadable) else _why_not(entry)
            if isinstance(entry, Unreadable) or reason:
                unrecognized = reason in (UNRECOGNIZED, REDIRECTED)
                self._result.unrecognized += unrecognized
                self._result.unjudged += not unrecognized and reason != TRANSFER
                self.leave_out(reason, name)
            else:
                self._judge_exchange(name, entry)
                judged.append((name, entry))
        self._result.entries += len(judged)
        history = judge_recorded(judged, self._contract)
        self._result.rules.update(history.judged)
        self._add(history.findings)
        self._keep_streams(dict(judged), self._result.findings[before:])

    def _keep_streams(self, entries: Mapping[str, Exchange], findings: Iterable[Finding]) -> None:
        """Keep the first stream that breaks each rule, and the one that it resumes, for a report to draw."""
        for finding in findings:
            name = finding.where.exchange
            exchange = entries.get(name)
            if exchange is not None and exchange.is_stream and finding.rule not in self._result.shown:
                streams = (*_find_resumed(exchange, entries), (name, exchange))
                self._result.shown[finding.rule] = (finding.where, streams)

    def _judge_exchange(self, name: str, exchange: Exchange) -> None:
        reading = read(exchange)
        request = exchange.request
        if _shows_its_request(exchange):
            refused = exchange.status in CLIENT_ERROR
            found = judge_create_request(request.body, self._contract, refused=refused)
            self._note_findings("requests", list_judged_in_request(request.body), found, name)
        if reading.operation is None and reading.stream is None and exchange.succeeded:
            self._note_findings("bodies", *self._judge_interaction(reading.json), name)
        elif reading.emptiness:
            self._note_findings("bodies", [found.rule for found in reading.emptiness], reading.emptiness, name)
        elif reading.stream is not None or (exchange.body and exchange.complete):
            kind = "bodies" if reading.stream is None else "streams"
            rules = reading.judged | (UNLISTED if exchange.succeeded else frozenset())
            self._note_findings(kind, rules, (*reading.findings, *reading.unlisted, *reading.ambiguous), name)


def _find_resumed(exchange: Exchange, entries: Mapping[str, Exchange]) -> Iterator[tuple[str, Exchange]]:
    """Yield the first stream that has the cursor which another one resumes after."""
    _, cursor = PROTOCOL.is_resume(exchange.request) or ("", "")
    for name, other in entries.items() if cursor else ():
        cursors = map(PROTOCOL.cursor, events_in(other.body)) if other.is_stream else ()
        if other is not exchange and cursor in cursors:
            yield name, other
            return


def _looks_like_one(value: Any) -> bool:
    """Whether JSON whose request is unknown is an interaction, even one that lacks a required field."""
    if not isinstance(value, Mapping):
        return False
    names = value.keys()
    return (
        value.get("object") == "interaction"
        or ("steps" in names and bool(names & {"id", "status", "usage", "model"}))
        or ("status" in names and bool(names & {"id", "usage"}))
    )


_FINAL = range(200, 1000)


def _why_not(exchange: Exchange) -> str:
    """Why a recorded exchange is not judged; "" if it is."""
    reading = read(exchange)
    if is_transfer(exchange.request):
        return TRANSFER
    if 300 <= (exchange.status or 0) < 400:
        return REDIRECTED
    if reading.operation is None and not _answers_as_one(exchange):
        return UNRECOGNIZED
    if exchange.status is None:
        return f"no response arrived: {_describe_ending(exchange.ending)}"
    if exchange.status not in _FINAL:
        return f"{exchange.status} is not a final HTTP status"
    if reading.stream is None and not exchange.complete and not _shows_its_request(exchange):
        return f"the response is truncated: {_describe_ending(exchange.ending)}"
    if reading.stream is not None and _is_legacy_stream(reading.stream):
        return f"a stream {LEGACY}"
    return f"a body {LEGACY}" if _is_legacy_body(reading.json) else ""


def _answers_as_one(exchange: Exchange) -> bool:
    """Whether the response to an unknown request is one of the API: an interaction, its events, or an error."""
    reading = read(exchange)
    if not exchange.succeeded:
        return COLLECTION in exchange.request.segments
    if reading.stream is not None:
        return any(name.startswith("interaction.") for name in reading.stream.counts)
    below = COLLECTION in exchange.request.segments
    return _looks_like_one(reading.json) if below else as_object(reading.json).get("object") == "interaction"


def _shows_its_request(exchange: Exchange) -> bool:
    """Whether this is a create whose response shows if its request was accepted."""
    request = exchange.request
    creates = request.method == "POST" and request.segments[-1:] == (COLLECTION,)
    return creates and (exchange.succeeded or exchange.status in CLIENT_ERROR)


def _describe_ending(ending: Ending) -> str:
    """An ending in words, with its detail."""
    return f"{ending.words} ({ending.detail})" if ending.detail else ending.words


def _split_frames(data: bytes) -> Iterator[Frame]:
    start = 0
    for line in data.splitlines(keepends=True):
        if line.strip():
            yield Frame(line.strip(), None, None, start, start + len(line))
        start += len(line)


def _is_legacy_stream(reading: StreamReading) -> bool:
    now = ("interaction.created", "step.start")  # which the old generation did not have
    return bool(_LEGACY_EVENTS & reading.counts.keys()) and not any(map(reading.counts.get, now))


def _is_legacy_body(value: Any) -> bool:
    """Whether a body has output of the old generation: a member of that name alone excuses nothing."""
    outputs = as_object(value).get("outputs")
    return is_legacy(value) and isinstance(outputs, list) and len(objects_in(outputs)) == len(outputs)


def json_in(data: bytes) -> Any:
    """The value of a JSON file. Raises Unreadable if it is not JSON."""
    read_ = bodies.loads(data)
    if read_.fault not in ("", "surrogate"):
        raise Unreadable(f"not JSON: {read_.detail}")
    if name := find_ambiguous(data, read_.value):
        raise Unreadable(f"an object has `{name[:80]}` twice, with two values")
    return read_.value
