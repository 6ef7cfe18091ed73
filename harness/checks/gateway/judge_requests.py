"""Judges of requests and of answers that are not streams: what arrived upstream, how often, what came back."""

from __future__ import annotations

import contextlib
from collections.abc import Container, Iterator, Sequence
from email.utils import parsedate_to_datetime
from itertools import islice
from typing import Any

from msgspec.structs import replace

from harness.checks.gateway.client import CURSOR, FIRST_KEY, INCLUDE_INPUT, name_operation
from harness.checks.gateway.findings import (
    answer_line,
    answer_of,
    find_relayed,
    format_value,
    is_miscoded,
    notice,
    request_line,
    succeeded,
    told_by,
)
from harness.checks.gateway.relay_diff import ALIASES, PUT_OFF, Change, Kind, Pairs, changes, is_another_model
from harness.checks.gateway.upstream_answers import FORMS, OFTEN_REFUSED, REVISION_HEADER, STRANGER
from harness.contract import read
from harness.contract.requests import KEY_HEADER, TIER_HEADER
from harness.contract.tables.protocol import RUNNING
from harness.contract.transcript import as_steps, output_steps
from harness.kit.relay import RelayedExchange
from harness.outcome import Finding, Severity, Unmet
from harness.outcome.words import format_count
from harness.wire import Exchange, Length, Request
from harness.wire.bodies import loads
from harness.wire.message import EVENT_STREAM

_DEFAULTS = {"$.stream": False, "$.background": False, "$.store": True}
"""The defaults of a create that leaves these fields out."""


def route(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """Each operation arrived upstream as the same operation."""
    late: list[str] = []
    for relayed in exchanges:
        operation, status = name_operation(relayed.client.request), relayed.client.status
        if relayed.upstream:
            continue
        if relayed.misrouted:
            arrived = request_line(relayed.misrouted[0].request)
            sent = request_line(relayed.client.request)
            is_same = name_operation(relayed.misrouted[0].request) == operation
            message = f"{operation} arrived {'with another id' if is_same else 'as another operation'}"
            yield notice("gw.route/elsewhere", relayed, message, sent, arrived)
        elif relayed.not_offered:
            message = f"the gateway does not offer {operation}: nothing arrived upstream"
            actual = answer_line(relayed.client)
            yield notice("gw.route/not-offered", relayed, message, "", actual, severity=Severity.NON_STRICT)
        elif succeeded(relayed.client) and operation == "get":
            message = "the gateway returned the GET from its own storage"
            yield notice("gw.route/own-store", relayed, message, severity=Severity.NON_STRICT)
        elif relayed.put_off:
            late.append(relayed.name)
        else:
            did = "answered" if status is not None else "gave no response to"
            message = f"the gateway {did} {operation}, and nothing arrived upstream"
            yield notice("gw.route/nowhere", relayed, message, "the request upstream", answer_line(relayed.client))
    if late:
        raise Unmet(PUT_OFF.format(late[0]))


def query(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """Each query parameter arrived. A cursor that the upstream accepts may have another value.

    A gateway may use its own event ids. A loss in a single request is not reported again for one beside others.
    """
    lost = False
    told = told_by(exchanges, lambda one: one.answer is not None, "no such request arrived upstream")
    for relayed in sorted(told, key=lambda one: one.name.startswith(("plain", "busy.rest"))):
        in_crowd = relayed.name == "busy.rest"
        if in_crowd and lost:
            continue
        behind = answer_of(relayed).request
        for name, value in relayed.client.request.query:
            got = behind.parameter(name)
            accepted = name == CURSOR and (answer_of(relayed).status or 0) < 400
            if got is not None and (accepted or got.lower() == value.lower()):
                continue
            lost = True
            code = "gw.query" if name == INCLUDE_INPUT else "gw.query/stream"
            message = f"the query parameter {name} {'did not arrive' if got is None else 'was changed'}"
            if in_crowd:
                code, message = "gw.query/crowd", f"{message} during six open streams"
            yield notice(code, relayed, message, f"{name}={value}", request_line(behind))


_FIELD_CODES = {
    Kind.LOST: ("gw.body-fields/lost", Severity.BROKEN),
    Kind.CHANGED: ("gw.body-fields/changed", Severity.BROKEN),
    Kind.ROUNDED: ("gw.body-fields/rounded", Severity.NON_STRICT),
}


def body_fields(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """Each documented field of a create arrived with its value, or the create was refused."""
    seen: set[str] = set()
    for relayed in exchanges:
        if relayed.answer is None and succeeded(relayed.client):
            message = "a create returned a response, but no create arrived"
            yield notice("gw.body-fields/nowhere", relayed, message, "a create upstream")
        elif relayed.name in OFTEN_REFUSED and relayed.stayed and not relayed.put_off:
            # A server that does not read such a body to its end may reset the connection before its 413 arrives.
            code, what = OFTEN_REFUSED[relayed.name], relayed.name.removeprefix("fields.").replace("-", " ")
            message, expected = f"the gateway itself rejects a create {what}", "any text, and up to 20 MB"
            shown, mild = (f"{expected}, as the API accepts", answer_line(relayed.client)), Severity.NON_STRICT
            if code not in seen:
                yield notice(code, relayed, message, *shown, severity=mild)
            seen.add(code)
        elif relayed.client.status is None and relayed.stayed:
            message = "a create was neither forwarded nor rejected"
            expected, actual = "a create upstream, or a rejection", answer_line(relayed.client)
            yield notice("gw.body-fields/no-answer", relayed, message, expected, actual)
        for change in request_changes(relayed):
            top = change.pointer.removeprefix("$.").partition(".")[0].partition("[")[0]
            is_default = change.kind is Kind.LOST and _DEFAULTS.get(change.pointer, ...) is change.before
            if change.kind is Kind.ADDED or top in seen or is_default:
                continue
            seen.add(top)
            form = relayed.name.removeprefix("fields.")
            create = f"a create {form.replace('-', ' ')}" if form in FORMS else "a create"
            message = f"{_name_place(change.pointer)} of {create} was {change.kind}"
            got = "no such field upstream" if change.kind is Kind.LOST else format_value(change.after)
            actual = f"{got}; the client received {relayed.client.status or 'nothing'}"
            code, severity = _FIELD_CODES[change.kind]
            place: dict[str, Any] = {"pointer": change.pointer, "severity": severity}
            yield notice(code, relayed, message, format_value(change.before), actual, **place)


def _name_place(pointer: str) -> str:
    """A field in words; `$` is the place of a body that is no object any more."""
    return "the whole body" if pointer == "$" else f"the field {pointer.removeprefix('$.')}"


def request_changes(relayed: RelayedExchange) -> list[Change]:
    """How a create's fields changed on their way upstream; empty if no create arrived.

    A model of Google instead of another one is a change, too: the client pays for what it did not choose.
    """
    if relayed.answer is None:
        return []
    sent, got = (loads(e.request.body).value for e in (relayed.client, relayed.answer))
    pairs = Pairs((before, behind) for behind, before in relayed.pairs)
    contents = read(relayed.client).contract.contents
    found = list(changes(_normalize(sent, contents), _normalize(got, contents), pairs))
    if isinstance(sent, dict) and isinstance(got, dict):
        named = ((name, sent.get(name), got.get(name)) for name in ALIASES)
        swapped = (each for each in named if is_another_model(*each[1:]))
        found += [Change(Kind.CHANGED, f"$.{name}", before, after) for name, before, after in swapped]
    return found


def _normalize(body: Any, contents: Container[str]) -> Any:
    """The create in one canonical form: `input` and the response format can each be written in several ways."""
    if not isinstance(body, dict):
        return body
    normal = dict(body)
    if "response_mime_type" in normal and "response_format" not in normal:
        normal["response_format"] = {"type": "text", "mime_type": normal.pop("response_mime_type")}
    if "input" in normal:
        with contextlib.suppress(AttributeError, TypeError):  # an input of no known form stays as it is
            normal["input"] = as_steps(normal["input"], contents)
    return normal


def unknown_field(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """An unknown field was passed on, or the create was refused."""
    relayed = find_relayed(exchanges, "stranger.create", "no create was sent")
    lost = [change for change in request_changes(relayed) if change.pointer == f"$.{STRANGER}"]
    if lost and succeeded(relayed.client):
        message = "the gateway silently dropped an unknown field"
        expected = f"{STRANGER} upstream, or a rejection"
        actual = answer_line(relayed.client)
        yield notice("gw.unknown-field", relayed, message, expected, actual, pointer=f"$.{STRANGER}")


def once(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """One create of the client became at most one create upstream."""
    for relayed in told_by(exchanges, lambda one: bool(one.upstream), "no create arrived upstream"):
        times = len(relayed.upstream)
        if times < 2:
            continue
        refused = all((e.status or 0) >= 400 for e in relayed.upstream[:-1])
        first = relayed.upstream[0]
        shown = answer_line(first)
        if refused:
            message = f"a create that the upstream rejected was sent {times} times"
            yield notice(
                "gw.once/refused", relayed, message, "1 create upstream", shown, severity=Severity.NON_STRICT
            )
        else:
            if first.is_stream:  # how it ended says more than how it began
                shown = f"{first.status} and a stream ({'complete' if first.complete else first.ending.words})"
            message, actual = f"one create became {times} upstream", f"{times}, the first of them: {shown}"
            yield notice("gw.once/repeated", relayed, message, "1 create upstream", actual)


def nothing_else(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """No request arrived upstream that no client sent.

    Each kind of request is reported once, as a lenient finding if it is no operation of this API.
    """
    relayed = find_relayed(exchanges, "watch.strays", "the background run to watch was not created")
    kinds: dict[tuple[str, str], list[str]] = {}
    for exchange in relayed.upstream:
        kind = exchange.request.method, name_operation(exchange.request)
        kinds.setdefault(kind, []).append(request_line(exchange.request))
    for (_, operation), lines in kinds.items():
        message = f"{format_count(len(lines), 'request')} arrived upstream that no client sent"
        severity = Severity.NON_STRICT if operation == "other" else Severity.BROKEN
        code = "gw.nothing-else/foreign" if operation == "other" else "gw.nothing-else/own-request"
        yield notice(code, relayed, message, "nothing", ", ".join(dict.fromkeys(lines)), severity=severity)


def status(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """The client got the status that the upstream sent."""
    answered = [one for one in exchanges if one.answer is not None]
    for relayed in told_by(
        answered, lambda one: answer_of(one).status is not None, "the upstream returned no status"
    ):
        gave, came = answer_of(relayed).status, relayed.client.status
        if came is None and relayed.name.startswith(("idle.", "slow.")):  # `gw.idle` reports that
            continue
        if gave != came:
            mild = gave is not None and gave >= 500 and came is not None and came >= 500
            severity = Severity.NON_STRICT if mild else Severity.BROKEN
            message = f"the upstream's {gave} arrived as {came or 'no response'}"
            code = "gw.status/other-5xx" if mild else "gw.status/changed"
            yield notice(code, relayed, message, str(gave), answer_line(relayed.client), severity=severity)


def error_body(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """The code and message of an error arrived; more text around the message is fine."""
    refused = [one for one in exchanges if one.answer is not None and (one.answer.status or 0) >= 400]
    for relayed in told_by(
        refused, lambda one: bool(read(answer_of(one)).error), "the upstream returned no error"
    ):
        sent, came = read(answer_of(relayed)).error, read(relayed.client).error
        assert sent is not None
        actual = answer_line(relayed.client)
        if came is None or sent[1] not in came[1]:
            yield notice("gw.error-body/message", relayed, "the message of an error was lost", sent[1], actual)
        if came is None or sent[0] != came[0]:
            message, pointer = "the code of an error was lost", "$.error.code"
            yield notice("gw.error-body/code", relayed, message, sent[0], actual, pointer=pointer)


def request_headers(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """Each request arrived with a key if the client sent one, and with the revision that the client named.

    A gateway may send a key of its own, and may send it in any of the places that the API reads.
    """
    arrived = list(told_by(exchanges, lambda one: one.answer is not None, "no request arrived upstream"))
    keyless = [one for one in arrived if _keys_of(one.client.request) and not _keys_of(answer_of(one).request)]
    expected = f"{KEY_HEADER}, Authorization or the parameter key"
    for relayed in keyless[:1]:
        message = f"{format_count(len(keyless), 'request')} of {len(arrived)} arrived upstream without a key"
        finding = notice("gw.request-headers/key", relayed, message, expected, "none of them")
        yield replace(finding, weight=len(keyless))
    for relayed in arrived:
        sent, came = (one.request.headers.get(REVISION_HEADER) for one in (relayed.client, answer_of(relayed)))
        if sent and sent != came:
            did = "was changed" if came else "did not arrive"
            shown = sent, came or "no such field"
            yield notice("gw.request-headers/revision", relayed, f"the header {REVISION_HEADER} {did}", *shown)
            break
    for relayed in exchanges:
        if relayed.name == "headers.long" and relayed.stayed and not relayed.put_off:
            message = "a request is too large for the gateway, with a header of 2,048 characters"
            shown, mild = ("the request upstream", answer_line(relayed.client)), Severity.NON_STRICT
            yield notice("gw.request-headers/too-large", relayed, message, *shown, severity=mild)


def keys(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """No request of a client arrived with the key of another. The gateway may have the usual one as its own."""
    arrived = list(told_by(exchanges, lambda one: one.answer is not None, "no request arrived upstream"))
    owners = {key: one.name for one in arrived for key in _keys_of(one.client.request)}
    for relayed in reversed(arrived):  # the last one tells the first key from the one before
        for key in _keys_of(answer_of(relayed).request) - _keys_of(relayed.client.request):
            if key not in owners and not key.startswith(FIRST_KEY):
                continue
            code, severity, actual = "gw.keys/mixed", Severity.BROKEN, "the key that another client sent"
            if owners.get(key) == "users.usual":
                code, severity = "gw.keys/usual", Severity.NON_STRICT
                actual = "the usual key of this run, with which the gateway may be configured"
            message, expected = "a request arrived with the key of another client", "its own key, or the gateway's"
            yield notice(code, relayed, message, expected, actual, severity=severity)
            return


def _keys_of(request: Request) -> frozenset[str]:
    """The keys of a request, wherever the API reads one."""
    bearer = request.headers.get("authorization").removeprefix("Bearer ")
    return frozenset(filter(None, (request.headers.get(KEY_HEADER), bearer, request.parameter("key"))))


def response_headers(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """The tier that served a create reached the client."""
    yield from _find_lost_header("gw.response-headers", TIER_HEADER, exchanges)


def retry_after(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """The Retry-After of a refusal arrived."""
    yield from _find_lost_header("gw.retry-after", "Retry-After", exchanges)


def _find_lost_header(code: str, name: str, exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """A header of responses reached the client; what is lost of all of them is reported once."""
    sent = list(
        told_by(
            exchanges,
            lambda one: bool(_header(one.answer, name)) and one.client.status is not None,
            f"the upstream sent no {name}",
        )
    )
    lost = [one for one in sent if not _is_kept(one, name)]
    for relayed in lost[:1]:
        did = "was changed" if _header(relayed.client, name) else "did not arrive"
        message = f"the header {name} {did}, in {len(lost)} of {format_count(len(sent), 'response')}"
        shown = _header(relayed.answer, name), _header(relayed.client, name) or "no such field"
        yield replace(notice(code, relayed, message, *shown), weight=len(lost))


def _is_kept(relayed: RelayedExchange, name: str) -> bool:
    """Whether a field arrived. By RFC 9110, 10.2.3 a number of seconds may arrive as the date of that moment."""
    sent, came, now = _header(relayed.answer, name), *(_header(relayed.client, each) for each in (name, "Date"))
    with contextlib.suppress(ValueError, TypeError):
        waits = (parsedate_to_datetime(came) - parsedate_to_datetime(now)).total_seconds()
        return abs(waits - int(sent)) <= 2  # dates have whole seconds
    return sent == came


def body(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """Every field of a JSON answer arrived with its value, and no output that the upstream did not send.

    A field that was lost or changed in several answers is reported once; what does the most harm comes first.
    """
    for relayed in exchanges:
        polled = name_operation(relayed.client.request) == "get"
        if polled and not relayed.upstream and read(relayed.client).status in RUNNING:
            message = "a poll returned a stored response of the gateway, in which the run never settles"
            expected, actual = "the settled run of the upstream", answer_line(relayed.client)
            yield notice("gw.body/stale", relayed, message, expected, actual)
    broken: dict[tuple[str, str], list[tuple[Change, RelayedExchange]]] = {}
    for relayed in told_by(exchanges, tells_json, "the upstream returned no JSON"):
        if is_miscoded(relayed.client):  # `gw.coding` reports that
            continue
        if succeeded(relayed.client) and read(relayed.client).json_fault:
            came, sent = relayed.client, f"the {answer_of(relayed).size} bytes of JSON of the upstream"
            message, actual = "the JSON of a response did not arrive", answer_line(came)
            if came.body.startswith(b"{") and not came.body.rstrip().endswith(b"}"):
                message = "a response ends in the middle of its JSON"
                length = ", its Content-Length" if isinstance(came.framing, Length) else ""
                actual = f"{came.size} bytes{length}, the last of them: {came.body[-40:].decode(errors='replace')}"
            yield notice("gw.body/no-json", relayed, message, sent, actual)
        altered = [
            change
            for change in answer_changes(relayed)
            if change.kind is not Kind.ADDED
            or (change.pointer == "$.steps" and output_steps({"steps": change.after}))
        ]
        for change in altered:
            broken.setdefault((change.kind, change.pointer), []).append((change, relayed))
        if not altered:
            yield from find_new_defect("gw.body/invalid", relayed)
    for found in sorted(broken.values(), key=lambda found: found[0][0].rank):
        change, relayed = found[0]
        message = f"{_name_place(change.pointer)} of a response was {change.kind}"
        if len(found) > 1:
            message += f", in {format_count(len(found), 'answer')}"
        code, severity = _BODY_CODES[change.kind]
        actual = "no such field" if change.kind is Kind.LOST else format_value(change.after)
        place: dict[str, Any] = {"pointer": change.pointer, "severity": severity}
        finding = notice(code, relayed, message, format_value(change.before), actual, **place)
        yield replace(finding, weight=len(found))


def find_new_defect(code: str, relayed: RelayedExchange) -> Iterator[Finding]:
    """The finding that the gateway made a right response wrong, by something that it added or rewrote.

    It names the first rule of a single response that the client's side breaks and the upstream's does not.
    """
    known = {finding.rule for finding in read(answer_of(relayed)).findings}
    found = read(relayed.client).findings if succeeded(relayed.client) else ()
    new = (each for each in found if each.severity is Severity.BROKEN and each.rule not in known)
    for wrong in islice(new, 1):
        message = f"behind the gateway the response breaks {wrong.rule}: {wrong.message}"
        place: dict[str, Any] = {"pointer": wrong.where.pointer, "event": wrong.where.event}
        yield notice(code, relayed, message, wrong.expected, wrong.actual, **place)


_BODY_CODES = {
    Kind.LOST: ("gw.body/lost", Severity.BROKEN),
    Kind.CHANGED: ("gw.body/changed", Severity.BROKEN),
    Kind.ADDED: ("gw.body/changed", Severity.BROKEN),
    Kind.ROUNDED: ("gw.body/rounded", Severity.NON_STRICT),
}


def media_type(exchanges: Sequence[RelayedExchange]) -> Iterator[Finding]:
    """The media type of an answer arrived; another JSON type is as good as application/json."""
    comparable = told_by(
        exchanges, lambda one: bool(_read_media_type(one.answer)), "the upstream sent no Content-Type"
    )
    for relayed in comparable:
        if not (succeeded(relayed.client) and relayed.client.body):
            continue
        gave, came = _read_media_type(relayed.answer), relayed.client.headers.media_type()
        if gave != came and not (gave.endswith("json") and came.endswith("json")):
            what = "a stream" if gave == EVENT_STREAM else "a response"
            code = "gw.media-type/stream" if gave == EVENT_STREAM else "gw.media-type/json"
            message = f"the gateway changed the Content-Type of {what}"
            yield notice(code, relayed, message, gave, came or "no Content-Type")


def tells_json(relayed: RelayedExchange) -> bool:
    """Whether the upstream sent a whole, successful JSON answer."""
    answer = relayed.answer
    return answer is not None and answer.complete and succeeded(answer) and not read(answer).json_fault


def answer_changes(relayed: RelayedExchange) -> list[Change]:
    """How the fields of an answer changed on their way to the client; empty if either side has no JSON."""
    if not tells_json(relayed) or not succeeded(relayed.client) or read(relayed.client).json_fault:
        return []
    return list(changes(read(answer_of(relayed)).json, read(relayed.client).json, Pairs(relayed.pairs)))


def _read_media_type(exchange: Exchange | None) -> str:
    return exchange.headers.media_type() if exchange is not None and succeeded(exchange) else ""


def _header(exchange: Exchange | None, name: str) -> str:
    return "" if exchange is None else exchange.headers.get(name)
