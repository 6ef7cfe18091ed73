"""Judges of a stream's life: when its events arrive, how it ends, and whether it can be resumed.

Layer 2, pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.checks.gateway.findings import (
    answer_line,
    find_passage,
    format_value,
    notice,
    succeeded,
    told_by,
)
from harness.checks.gateway.relay_diff import compare_streams
from harness.checks.gateway.stream_queries import (
    NO_STREAM,
    arrived,
    completes,
    difference,
    differences,
    frames_of,
    has,
    no_stream,
    tells,
    tells_error,
)
from harness.contract import PROTOCOL, judge_error, read
from harness.kit.relayed_exchange import RelayedExchange
from harness.outcome import Finding, NotApplicable, Severity, Unmet
from harness.wire import By, Exchange


def live(passages: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """Each event arrived before the upstream had the next one."""
    passage = find_passage(passages, "live.stream", NO_STREAM)
    if not tells(passage) or passage.early is None:
        raise Unmet(NO_STREAM)
    undisturbed = find_passage(passages, "stream.create", NO_STREAM)
    never = difference(undisturbed).lost if tells(undisturbed) and arrived(undisturbed) else []
    existed = passage.early.existed - sum(told.number < passage.early.existed for told in never)
    came = passage.early.arrived
    if came < existed:
        message = f"{came} of {existed} events arrived before the upstream went on"
        yield notice("gw.live", passage, message, str(existed), str(came))


def judge_truncation(passages: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """An answer that broke off upstream did not look complete to the client."""
    for passage in told_by(passages, _breaks_off, "nothing that breaks off came from upstream"):
        client, answer = passage.client, passage.answer
        assert answer is not None
        if not succeeded(client) or tells_error(client):
            continue
        how = "in order, nothing completed" if answer.ending.complete else answer.ending.how
        cut = f"an answer that ends after {answer.size} bytes ({how})"
        if (made_up := _made_up_end(answer, client)) is not None:
            message = "the gateway made up the end of a stream that broke off"
            yield notice("gw.truncated/made-up", passage, message, cut, made_up)
        elif not answer.ending.complete and client.ending.complete:
            stream = read(answer).is_stream
            severity = Severity.NON_STRICT if stream else Severity.BROKEN
            code = "gw.truncated/clean-end" if stream else "gw.truncated/clean-json"
            actual = answer_line(client)
            yield notice(code, passage, f"{cut} arrived as a complete one", "", actual, severity=severity)


def _breaks_off(passage: RelayedExchange) -> bool:
    answer = passage.answer
    if answer is None or not succeeded(answer):
        return False
    return not answer.ending.complete or (read(answer).is_stream and not completes(answer))


def _made_up_end(answer: Exchange, client: Exchange) -> str | None:
    if completes(client) and not completes(answer):
        return "an interaction.completed"
    sentinel = PROTOCOL.sentinel
    if has(client, sentinel) and not has(answer, sentinel):
        return f"data: {sentinel.decode()}"
    return None


def error_event(passages: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """Each error that the gateway itself puts into a stream is an error event of the API.

    Each kind of mistake is reported once.
    """
    told = [passage for passage in passages if tells_error(passage.client)]
    if not told:
        raise NotApplicable("the gateway told no error in a stream")
    seen: set[str] = set()
    for passage in told:
        for finding in _wrong_errors(passage):
            if finding.message not in seen:
                seen.add(finding.message)
                yield finding


def _wrong_errors(passage: RelayedExchange) -> Iterator[Finding]:
    for number, event in enumerate(read(passage.client).events):
        if "error" not in event:
            continue
        if not PROTOCOL.is_error(event):
            message = "an error in a stream is no error event"
            expected, actual = '"event_type": "error"', format_value(event)
            yield notice("gw.error-event/type", passage, message, expected, actual, event=number)
        for wrong in judge_error(event, None):
            shown = wrong.message, wrong.expected, wrong.actual
            yield notice("gw.error-event/shape", passage, *shown, event=number)


def resume_through(passages: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """The events before a drop, followed by those after its cursor, make the whole stream."""
    first = find_passage(passages, "resume.first", "no background run could be streamed")
    if first.not_offered:
        raise NotApplicable("the gateway does not offer get")
    if not arrived(first):
        yield no_stream("gw.resume-through", first)
        return
    rest = find_passage(passages, "resume.rest", "no event came with an id to resume from")
    whole = find_passage(passages, "resume.whole", "the whole stream did not come")
    if not arrived(rest):
        yield no_stream("gw.resume-through", rest)
        return
    before = [frame for frame in frames_of(first.client) if frame.data != PROTOCOL.sentinel]
    after = frames_of(rest.client)
    found = compare_streams(frames_of(whole.client), [*before, *after])
    if [told.number for told in found.doubled] == [len(before)]:
        message = "the event of the cursor came again"
        actual = str(found.doubled.pop())
        mild = Severity.NON_STRICT
        yield notice("gw.resume-through/inclusive", rest, message, "the event after it", actual, severity=mild)
    yield from differences("gw.resume-through", rest, found)


def hang_up(passages: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """The upstream noticed that the client hung up."""
    passage = find_passage(passages, "hang_up.stream", NO_STREAM)
    if not tells(passage):
        raise Unmet(NO_STREAM)
    assert passage.answer is not None
    if passage.answer.ending.by is not By.CLIENT:
        message = "the client left, and the gateway went on reading"
        yield notice("gw.hang-up", passage, message, "a hang-up", "the stream is still being read upstream")
