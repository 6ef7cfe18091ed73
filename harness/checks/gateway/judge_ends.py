"""Judges of a stream's life: when its events arrive, how it ends, and whether it can be resumed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from harness.checks.gateway import relay_diff as relay
from harness.checks.gateway.exercises import AT_ONCE, ONE_BY_ONE
from harness.checks.gateway.findings import (
    answer_line,
    answer_of,
    choose_cure,
    find_relayed,
    format_value,
    is_miscoded,
    notice,
    succeeded,
    told_by,
)
from harness.checks.gateway.upstream_answers import BARE_ERRORS
from harness.contract import PROTOCOL, judge_error, read
from harness.contract.judge.body import error_of
from harness.kit.relay import RelayedExchange
from harness.outcome import Finding, NotApplicable, Severity, Unmet
from harness.outcome.words import format_count
from harness.wire import By, Chunked, Exchange, Framing, How, Length, UntilClose
from harness.wire.bodies import loads
from harness.wire.message import NOT_READY


def live(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """Each event arrived before the upstream sent the next one; events that never arrived are not late.

    A stream that is late in a coding that the client offers is reported only if it is in time without one.
    """
    find_relayed(exchanges, "live.stream", relay.NO_STREAM)
    found = _judge_looks(exchanges, "live.stream")
    yield from found
    for relayed in exchanges:
        if relayed.name == "gzip.live" and relay.tells(relayed) and not found and not is_miscoded(relayed.client):
            for finding in _judge_looks(exchanges, relayed.name):
                message, code = f"for a client that accepts gzip, {finding.message}", "gw.live/compressed"
                yield replace(finding, code=code, message=message, cure=choose_cure(code, relayed))


def _judge_looks(exchanges: Sequence[RelayedExchange], name: str) -> list[Finding]:
    """The findings about a stream that was read until no event was late; none if that was so."""
    looks = [list(_judge_pace(one)) for one in exchanges if one.name.startswith(name)]
    return looks[0] if all(looks) else []


def judge_coding(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """Content-Encoding describes the bytes of the response."""
    reached = told_by(
        exchanges, lambda one: succeeded(one.answer) and succeeded(one.client), "no response reached the client"
    )
    for relayed in reached:
        client = relayed.client
        if is_miscoded(client):
            named, sent = (one.headers.get("content-encoding") for one in (client, answer_of(relayed)))
            message = f"a response is not in the coding that its Content-Encoding names ({named or 'none'})"
            if sent and not named:
                message = "the Content-Encoding of a response did not arrive, although its body has that coding"
            actual = client.ending.detail or "a body that starts as gzip"
            yield notice("gw.coding", relayed, message, "a body in the named coding", actual)


def _judge_pace(relayed: RelayedExchange) -> Iterator[Finding]:
    arrivals = relayed.arrivals
    if not relay.tells(relayed) or arrivals is None:
        raise Unmet(relay.NO_STREAM)
    if relay.held_back(relayed):
        yield _report_buffer(relayed, "nothing arrived in time, although the upstream continued to send")
        return
    if not relay.arrived(relayed):
        raise Unmet("no stream reached the client")
    paced = [
        (one, other)
        for one, other in relay.difference(relayed).kept
        if other.number < len(arrivals) and one.number < ONE_BY_ONE - 1  # none waits after the last
    ]
    late = [one for one, other in paced if arrivals[other.number] > max(AT_ONCE, one.number + 1)]
    if not arrivals or len(late) == len(paced):
        sent = format_count(arrivals[0], "event") if arrivals else "everything"
        yield _report_buffer(relayed, f"no event arrived before the upstream had sent {sent}")
    elif late:
        message = f"{len(late)} of {len(paced)} events arrived after the upstream had sent the next one"
        yield notice(
            "gw.live/behind", relayed, message, "each event as it is sent", str(late[0]), event=late[0].number
        )


def _report_buffer(relayed: RelayedExchange, message: str) -> Finding:
    return notice("gw.live/buffered", relayed, message, "each event as it is sent", "buffered events")


def idle(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """A stream and JSON that paused upstream arrived to their ends, and were requested once."""
    relayed = find_relayed(exchanges, "idle.stream", relay.NO_STREAM)
    waits = [one for one in exchanges if one.name.startswith(("idle.", "slow.")) and one.answer is not None]
    for one in waits:
        if len(one.upstream) > 1:
            message = "the gateway repeated the create when its response was idle"
            yield notice("gw.idle/repeated", one, message, "1 create upstream", str(len(one.upstream)))
    plain = find_relayed(exchanges, "plain.create", "no create was sent").client
    for one in waits if plain.succeeded and plain.complete else ():
        client = one.client
        left_to_us = client.ending.by is By.LIMIT and answer_of(one).ending.by is not By.CLIENT
        if one is not relayed and not (client.succeeded and client.complete) and not left_to_us:
            message = "a response that took long upstream did not arrive"
            actual = f"{answer_line(client)} ({client.ending.words}), after {client.seconds:.1f} s"
            yield notice("gw.idle/no-response", one, message, "the response of the upstream", actual)
    others = [other for other in exchanges if other not in waits and relay.tells(other)]
    if not relay.tells(relayed) or not others or not all(relay.completes(other.client) for other in others):
        raise Unmet("a stream without pauses did not arrive complete either")
    client, answer = relayed.client, answer_of(relayed)
    if relay.completes(client):
        if not any(relay.touched(relay.difference(other)) for other in others):
            yield from relay.differences("gw.idle", relayed, relay.difference(relayed))
        return
    # It ended while it stood still.
    if client.ending.by is By.LIMIT and answer.ending.by is not By.CLIENT:
        raise Unmet(f"the idle stream did not end in time ({client.ending.words})")
    if client.status is not None and not relay.arrived(relayed):
        yield relay.no_stream("gw.idle", relayed)
        return
    events = format_count(len(read(client).frames), "event")
    actual = f"{events}, then {client.ending.words}, after {client.seconds:.1f} s"
    if client.ending.complete and not relay.tells_error(client):
        message = "an idle stream ended as if it were complete"
        yield notice("gw.idle/clean-end", relayed, message, "the rest of the stream", actual)
    else:
        yield notice("gw.idle/cut", relayed, "an idle stream was dropped", "the rest of the stream", actual)


_CLEAN_ENDS: Mapping[type[Framing], tuple[str, str]] = {
    Chunked: ("gw.truncated/clean-end-chunked", "gw.truncated/clean-json-chunked"),
    Length: ("gw.truncated/clean-end-length", "gw.truncated/clean-json-length"),
    UntilClose: ("gw.truncated/clean-end-close", "gw.truncated/clean-json-close"),
}
"""The codes for a stream and for JSON, by the framing upstream: a baseline excuses one kind of ending only."""


def judge_truncation(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """A response that ended early upstream did not look complete to the client."""
    for relayed in told_by(exchanges, _breaks_off, "the upstream sent no truncated response"):
        client, answer = relayed.client, answer_of(relayed)
        if not succeeded(client) or relay.tells_error(client):
            continue
        how = answer.ending.how if _is_loud(answer) else "in order, nothing completed"
        cut = f"a response that ends after {answer.size} bytes ({how})"
        made_up = ""
        if relay.completes(client) and not relay.completes(answer):
            made_up = "an interaction.completed"
        elif relay.has(client, PROTOCOL.sentinel) and not relay.has(answer, PROTOCOL.sentinel):
            made_up = f"data: {PROTOCOL.sentinel.decode()}"
        if made_up:
            message = "the gateway invented the end of a truncated stream"
            yield notice("gw.truncated/made-up", relayed, message, cut, made_up)
        elif _is_loud(answer) and client.ending.complete:
            stream, json = _CLEAN_ENDS[type(answer.framing)]
            code, message = stream if read(answer).is_stream else json, f"{cut} arrived as complete"
            severity = Severity.BROKEN
            if isinstance(answer.framing, UntilClose):
                # RFC 9112, section 8: without a length and chunks, the end of a connection is the end of the body.
                # A reset is more precise, but not every proxy can pass it on.
                severity = Severity.NON_STRICT
                message += "; its body had neither a length nor chunks"
            yield notice(code, relayed, message, "a drop", answer_line(client), severity=severity)
        elif relayed.name in _DROPPED and isinstance(answer.framing, UntilClose) and client.ending.complete:
            message = "a dropped response arrived as complete: the gateway uses HTTP/1.0 upstream, without chunks"
            shown, mild = ("HTTP/1.1 upstream, and a drop", answer_line(client)), Severity.NON_STRICT
            yield notice("gw.truncated/clean-end-http10", relayed, message, *shown, severity=mild)


_DROPPED = ("truncation.between-chunks", "truncation.in-event")
"""Streams in chunks whose connection closes early. To a gateway that speaks HTTP/1.0 they come without chunks."""


def judge_bare_error(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """An error that the upstream wrote outside of any event reached the client in some form."""
    for relayed in told_by(exchanges, relay.tells, relay.NO_STREAM):
        client, answer = relayed.client, answer_of(relayed)
        if not succeeded(client) or not client.ending.complete or relay.tells_error(client):
            continue
        text = next((text for text in BARE_ERRORS.values() if text in answer.body), b"")
        _, message = error_of(loads(text).value) or ("", "")
        if message and message.encode() not in client.body:
            problem = "the gateway dropped an error that the upstream wrote outside of events"
            yield notice(
                "gw.bare-error", relayed, problem, message, "a stream that ends normally, without the error"
            )


def judge_own_errors(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """An error that the gateway itself answers has the shape of the API's; each kind of mistake is reported once.

    The plain page of a proxy whose upstream cannot be reached (502, 503, 504) claims nothing and is no mistake.
    Nor is its page for a body that is too large (413): `gw.body-fields` reports that.
    """
    refused = [one for one in exchanges if (one.client.status or 0) >= 400 and not one.misrouted]
    own = [one for one in refused if one.answer is None or (one.answer.status or 0) < 400]
    if not own:
        raise NotApplicable("the gateway returned no error of its own")
    seen: dict[str, list[Finding]] = {}
    for relayed in own:
        client, found = relayed.client, []
        if not read(client).json_fault:
            for wrong in judge_error(read(client).json, client.status):
                shown = f"in an error of the gateway, {wrong.message}", wrong.expected, answer_line(client)
                found.append(notice("gw.own-error/shape", relayed, *shown, severity=wrong.severity))
        elif client.status not in NOT_READY | {413}:
            message, expected = "an error of the gateway is not JSON", '{"error": {"code", "message"}}'
            found.append(notice("gw.own-error/no-json", relayed, message, expected, answer_line(client)))
        for finding in found:
            seen.setdefault(finding.stable_code + finding.message, []).append(finding)
    for same in seen.values():
        yield replace(same[0], weight=len(same))


def _is_loud(answer: Exchange) -> bool:
    """Whether the end alone shows that something is missing; a body without any length ends by closing."""
    closed = isinstance(answer.framing, UntilClose) and answer.ending.how is How.FIN
    return not answer.ending.complete and not closed


def _breaks_off(relayed: RelayedExchange) -> bool:
    answer = relayed.answer
    if answer is None or not succeeded(answer) or relayed.client.status is None:
        return False
    return not answer.ending.complete or (read(answer).is_stream and not relay.completes(answer))


def error_event(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """Each error that the gateway itself puts into a stream is an error event of the API.

    Each kind of mistake is reported once.
    """
    with_error = [relayed for relayed in exchanges if relay.tells_error(relayed.client)]
    if not with_error:
        raise NotApplicable("the gateway sent no error in a stream")
    seen: set[str] = set()
    for relayed in with_error:
        for number, event in enumerate(read(relayed.client).events):
            if "error" not in event:
                continue
            wrong = [("shape", each.message, each.expected, each.actual) for each in judge_error(event, None)]
            if not PROTOCOL.is_error(event):
                message = "an error in a stream is not an error event"
                wrong.insert(0, ("type", message, '"event_type": "error"', format_value(event)))
            for word, *shown in wrong:
                if shown[0] not in seen:
                    seen.add(shown[0])
                    yield notice(f"gw.error-event/{word}", relayed, *shown, event=number)


def resume_through(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """The events before a drop, followed by those after its cursor, make the whole stream."""
    first = find_relayed(exchanges, "resume.first", "no background run was streamed")
    if first.not_offered:
        raise NotApplicable("the gateway does not offer get")
    if not relay.arrived(first):
        yield relay.no_stream("gw.resume-through", first)
        return
    rest = find_relayed(exchanges, "resume.rest", "no event with an id arrived to resume from")
    whole = find_relayed(exchanges, "resume.whole", "the complete stream did not arrive")
    if whole.put_off:
        raise Unmet(relay.PUT_OFF.format(whole.name))
    if not relay.arrived(rest):
        yield relay.no_stream("gw.resume-through", rest)
        return
    before = [frame for frame in read(first.client).frames if frame.data != PROTOCOL.sentinel]
    after = read(rest.client).frames
    found = relay.compare_streams(read(whole.client).frames, [*before, *after])
    if [event.number for event in found.doubled] == [len(before)]:
        message = "the event of the cursor arrived again"
        actual = str(found.doubled.pop())
        mild = Severity.NON_STRICT
        yield notice("gw.resume-through/inclusive", rest, message, "the event after it", actual, severity=mild)
    yield from relay.differences("gw.resume-through", rest, found)


def hang_up(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """The upstream noticed that the client disconnected."""
    relayed = find_relayed(exchanges, "hang_up.stream", relay.NO_STREAM)
    if not relay.tells(relayed):
        raise Unmet(relay.NO_STREAM)
    if answer_of(relayed).ending.by is not By.CLIENT:
        message = "the client disconnected, but the gateway continued to read"
        yield notice("gw.hang-up", relayed, message, "a hang-up", "the gateway still reads the stream")
