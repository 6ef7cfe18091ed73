"""Evidence in words: an exchange, a relayed exchange, a run of a client; and how to see a failure again.

The only place that distinguishes the kinds of evidence, so that no report format needs to know them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from itertools import chain, groupby, takewhile
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from harness.engine.events import ClientRun, Evidence, RecordedPlace, Replays, Reproduction, of_kind
from harness.engine.origins import is_same_read, list_earlier_deletes, list_ids, made_or_changed, with_origins
from harness.kit.api import Api
from harness.kit.relay import RelayedExchange
from harness.outcome import Where
from harness.outcome.words import format_count
from harness.report.evidence.curl import Display, curl, curl_lines
from harness.report.finding_text import STEP, place, quote, quote_place, shorten_target, shorten_tokens
from harness.report.screen import Line, Role
from harness.wire import Decoder, Exchange, Headers, Request
from harness.wire.bodies import object_or_none
from harness.wire.mask import Mask
from harness.wire.message import escape_controls


class Detail(StrEnum):
    """How much of the evidence is shown.

    `BRIEF`: a failure on a screen, without its bytes. `FULL`: each exchange that matters. `WHOLE`: all exchanges,
    to their last byte.
    """

    BRIEF = "brief"
    FULL = "full"
    WHOLE = "whole"


SHOWN = 1_600
"""Most characters of a body that a report shows uncut."""

MASKED = 1 << 18
"""Most bytes of a body without events that are searched for secrets. To search all of a huge one takes minutes; no
secret is cut at the end of what is shown, which is far shorter."""

_STREAM = re.compile(rb"\s*(?:\xef\xbb\xbf)?(?:event|data|id|retry)?:")
_NOISE = frozenset({"date", "server", "content-length", "transfer-encoding", "connection", "user-agent", "host"})


def exchange_lines(
    exchange: Exchange, display: Display, *, shown: int = SHOWN, where: Where | None = None
) -> list[str]:
    """`>` lines show the request, `<` lines the response; a last line describes how an incomplete response ended.

    Of a long response the part around the place `where` is shown, if a finding names one.
    """
    lines = _list_head(exchange, display, shown)
    if exchange.status is not None:
        lines += [f"< {line}" for line in body_lines(exchange.body, exchange.request, display, shown, where)]
    return lines + _list_end(exchange, display.mask)


def _list_head(exchange: Exchange, display: Display, shown: int) -> list[str]:
    """The request, and the answer up to its body."""
    request, mask = exchange.request, display.mask
    lines = [f"> {request.method} {mask.text(request.target)}"]
    lines += [f"> {line}" for line in _list_headers(request.headers, mask)]
    lines += [f"> {line}" for line in body_lines(request.body, request, display, shown)]
    if exchange.status is None:
        return [*lines, "< no response"]
    return [*lines, f"< {exchange.status}", *(f"< {line}" for line in _list_headers(exchange.headers, mask))]


def _list_end(exchange: Exchange, mask: Mask) -> list[str]:
    return [] if exchange.ending.complete else [f"< [{ending_line(exchange, mask)}]"]


def ending_line(exchange: Exchange, mask: Mask) -> str:
    """How the answer ended, in one line."""
    ending = exchange.ending
    counted = f", {ending.sent} of {ending.declared} bytes" if ending.declared is not None else ""
    detail = f": {mask.text(ending.detail)}" if ending.detail else ""
    return escape_controls(f"ended: {ending.words}{counted}{detail}")


def body_lines(
    body: bytes, request: Request, display: Display, shown: int = SHOWN, where: Where | None = None
) -> list[str]:
    """A body as masked lines; of a long one the part around the place `where`.

    Without such a place it is the beginning and the end, because a stream often fails last. Of a huge one that is
    no stream only the beginning, unless more is wanted. `request` is the request of its exchange.
    """
    if len(body) > MASKED > shown and not _STREAM.match(body):
        text = escape_controls(body_text(body[:MASKED], request, display))[:shown]
        return f"{text}\n[… the beginning of {len(body):,} bytes …]".splitlines()
    text = body_text(body, request, display)
    if len(text) > shown and where is not None and (found := find_place(text, where)) is not None:
        first, last = _widen(text, found, shown)
        before = [f"[… {first:,} characters …]"] if first else []
        after = [f"[… {len(text) - last:,} characters …]"] if last < len(text) else []
        return [*before, *escape_controls(text[first:last]).splitlines(), *after]
    text = escape_controls(text)
    if len(text) > shown:
        head, tail = text[: shown * 2 // 3], text[-shown // 3 :]
        text = f"{head}\n[… {len(text) - len(head) - len(tail)} characters …]\n{tail}"
    return text.rstrip("\n").splitlines()


def _widen(text: str, found: Span, shown: int) -> Span:
    """So many characters around a place; of a place that is longer, its beginning."""
    around = max(0, shown - (found[1] - found[0])) // 2
    first = max(0, found[0] - around)
    return first, min(len(text), first + shown)


def begin_body(body: bytes, mask: Mask, most: int, request: Request | None = None) -> str:
    """The beginning of a body in one line of at most `most` characters, masked; `request` as in `body_lines`."""
    return quote(mask.show(body[:MASKED].decode("utf-8", "replace"), request), most)


def body_text(body: bytes, request: Request, display: Display) -> str:
    """A body as text without its secrets."""
    return display.mask.text(body.decode("utf-8", "replace"), request)


Span: TypeAlias = tuple[int, int]
"""The first character of a part of a text, and the one after its last."""

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


def find_place(text: str, where: Where) -> Span | None:
    """The characters of a body that a finding names: an event, a member, or the member that should hold it."""
    at, end = 0, len(text)
    if where.event is not None:
        data = text.encode("utf-8", "replace")
        frames = Decoder().feed(data)
        if where.event >= len(frames):
            return None
        at, end = (len(data[:n].decode("utf-8", "replace")) for n in frames[where.event][-2:])
    elif _STREAM.match(text[:64].encode("utf-8", "replace")):
        return _find_in_events(text, where.pointer)
    member = _find_member(text, text.find("{", at, end), where.pointer)
    return member or ((at, end) if where.event is not None else None)


def _find_in_events(text: str, pointer: str) -> Span | None:
    """The member of the last event of a stream that has it, where a finding names no event."""
    steps = STEP.findall(pointer)
    name = json.dumps(steps[-1][0], ensure_ascii=False) if steps and steps[-1][0] else ""
    at = len(text)
    while name and (at := text.rfind("data:", 0, at)) >= 0:
        if name in text[at : at + MASKED].partition("\n")[0]:
            member = _find_member(text, text.find("{", at), pointer)
            if member is not None and text.startswith(name, member[0]):
                return member
    return None


def _find_member(text: str, at: int, pointer: str) -> Span | None:
    """The deepest member on the way of a pointer that is there; None if not even the first one is."""
    first = -1
    with suppress(ValueError, IndexError, RecursionError):  # no JSON, or no such member
        for name, index in STEP.findall(pointer) if at >= 0 else ():
            first, at = _enter(text, at, name, int(index) if index else -1)
    with suppress(ValueError, RecursionError):  # its value is cut
        return None if first < 0 else (first, _DECODER.raw_decode(text, at)[1])
    return None


def _enter(text: str, at: int, name: str, index: int) -> Span:
    """Where a member of the value at a place begins, with its name, and where its value does."""
    is_object = text[at] == "{"
    if not is_object and (name or text[at] != "["):
        raise IndexError(at)
    number = 0
    while True:
        first = at = _skip(text, at + 1)
        if is_object:
            key, at = _DECODER.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)
        if (key == name) if is_object else (number == index):
            return first, at
        at = _skip(text, _DECODER.raw_decode(text, at)[1])
        number += 1
        if text[at] != ",":
            raise IndexError(at)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()


def _list_headers(headers: Headers, mask: Mask) -> list[str]:
    return [
        escape_controls(f"{mask.text(name)}: {mask.header(name, value)}")
        for name, value in headers
        if name.lower() not in _NOISE
    ]


ONE_ROW, TWO_ROWS, RELAYED_IN_FULL = 62, 134, 2_000
"""Most characters of a body in rows of a terminal, and in a relayed exchange in full."""


_MOST_EXCHANGES = 3


class LogPart(Struct, frozen=True):
    """Some text of a piece of evidence; a finding names what is `accused`."""

    text: str
    accused: bool = False


class Log(Struct, frozen=True):
    """One piece of evidence as text: its lines, and the command that repeats it, if there is one.

    `parts` are the same text, in which what its finding names is marked; without them there is no such place.
    """

    name: str
    lines: tuple[str, ...]
    command: str = ""
    parts: tuple[LogPart, ...] = ()


def split_body(exchange: Exchange, display: Display, where: Where, *, shown: int) -> tuple[LogPart, ...]:
    """An exchange whose answer has what a finding names, in parts: before it, that, and after it; else nothing."""
    if len(exchange.body) > MASKED:
        return ()
    text = body_text(exchange.body, exchange.request, display)
    found = find_place(text, where)
    if found is None:
        return ()
    first, last = _widen(text, found, shown)
    before, after = (f"[… {count:,} characters …]\n" if count else "" for count in (first, len(text) - last))
    head = "\n".join([*_list_head(exchange, display, shown), before])
    tail = "\n".join([f"\n{after}".rstrip("\n"), *_list_end(exchange, display.mask)])
    return (
        LogPart(head + escape_controls(text[first : found[0]])),
        LogPart(escape_controls(text[slice(*found)]), accused=True),
        LogPart(escape_controls(text[found[1] : last]) + tail),
    )


def logs(evidence: Sequence[Evidence], display: Display, *, shown: int = SHOWN) -> list[Log]:
    """All of the evidence in full; of a body of an exchange at most `shown` characters."""
    commands = iter(curl_lines(of_kind(Exchange, evidence), display))
    mask = display.mask
    found = []
    for item in evidence:
        match item:
            case Exchange():
                found.append(Log("", tuple(exchange_lines(item, display, shown=shown)), next(commands)))
            case RelayedExchange():
                lines = tuple(relayed_lines(item, mask, RELAYED_IN_FULL))
                found.append(Log(item.name, lines, curl(item.client.request, display)))
            case ClientRun():
                found.append(Log(item.name, tuple(client_lines(item, verbose=True))))
            case RecordedPlace():
                found.append(Log("", (place_line(item),)))
    return found


def shown_lines(
    evidence: Sequence[Evidence],
    display: Display,
    *,
    named: bool,
    detail: Detail,
    accused: Evidence | None,
    events: Sequence[str],
    places: Mapping[int, Where],
    elsewhere: str,
) -> Iterator[str]:
    """The evidence that a person needs; `named`: a finding names its exchange, the first `accused`.

    `places` has the place that the first finding names in each exchange, by its identity. `events` are lines that
    stand for the stream in which the fault is. `elsewhere` describes where the others are, `""` if nowhere.
    """
    brief = detail is Detail.BRIEF
    if exchanges := of_kind(Exchange, evidence):
        shown, fault = _choose(exchanges, display.api, accused, named=named)
        if brief and len(shown) > _MOST_EXCHANGES + 1:  # the others led to them
            before = [*takewhile(lambda each: each is not fault, shown)][-1:]
            shown = [each for each in shown if each in (shown[0], *before, fault, shown[-1])]
        if detail is Detail.WHOLE:
            yield f"the wire, {format_count(len(exchanges), 'exchange')}:"
            for exchange in exchanges:
                yield from exchange_lines(exchange, display, shown=1_000_000)
        else:
            if len(exchanges) > len(shown) and not brief:
                more = f"; {elsewhere}" if elsewhere else ""
                yield f"exchanges ({len(shown)} of {len(exchanges)}{more}):"
            yield from _write_exchanges(display, shown, fault, detail=detail, events=events, places=places)
        if not brief:
            yield "reproduce:"
            for command in curl_lines(shown, display):
                yield from (Line(line, Role.COMMAND) for line in command.split("\n"))
    if relayed := of_kind(RelayedExchange, evidence):
        most = ONE_ROW - len("client → gateway    ") if brief else RELAYED_IN_FULL
        about = accused if isinstance(accused, RelayedExchange) else relayed[0]
        for item in (about,) if brief else relayed:
            yield f"exchange {item.name}:"
            yield from (Line(f"  {line}", Role.QUIET, hang=22) for line in relayed_lines(item, display.mask, most))
        if not brief:
            yield "the request of the client (the harness is the upstream):"
            command = curl(about.client.request, display)
            yield from (Line(f"  {line}", Role.COMMAND) for line in command.split("\n"))
    if recorded := of_kind(RecordedPlace, evidence):
        first = recorded[:10] if brief else recorded
        yield f"found in {format_count(len(recorded), 'place')}{':' if first == recorded else ', such as:'}"
        yield from (f"  {place_line(item)}" for item in first)
    for run in of_kind(ClientRun, evidence):
        yield from client_lines(run, verbose=not brief)


def _write_exchanges(
    display: Display,
    shown: Sequence[Exchange],
    fault: Exchange,
    *,
    detail: Detail,
    events: Sequence[str],
    places: Mapping[int, Where],
) -> Iterator[str]:
    """Each exchange, in full or as a line each way, then the `events` of the stream in which the fault is.

    In brief, the exchange that shows the fault has the member that a finding names, unless `events` show it.
    """
    first = shown[0].began
    for exchange in shown:
        where, time = places.get(id(exchange)), ""
        if exchange.began is not None and first is not None and exchange.began - first >= 0.25:
            time = f" (after {exchange.began - first:.1f} s)"
        if detail is Detail.FULL:
            head, *others = exchange_lines(exchange, display, where=where)
            yield from (Line(line, Role.QUIET) for line in (head + time, *others))
            continue
        most = TWO_ROWS if exchange is fault else ONE_ROW
        yield Line(f"> {_request(exchange.request, display.mask, most)}{time}", Role.QUIET, hang=4)
        if not events:  # else the picture shows what came
            text = body_text(exchange.body[:MASKED], exchange.request, display)
            place = list(quote_place(text, where.pointer)) if exchange is fault and where is not None else []
            at = f"{exchange.status}, at {where.pointer}:" if place and where is not None else ""
            yield Line(f"< {at or _answer(exchange, display.mask, most)}", Role.QUIET, hang=4)
            yield from place
    yield from events


def _choose(
    exchanges: Sequence[Exchange], api: Api, accused: Evidence | None, *, named: bool
) -> tuple[Sequence[Exchange], Exchange]:
    """The exchanges that matter, with those that they depend on, and the one that shows the fault."""
    shown, fault = _pick_first(exchanges, api) if named else (exchanges[-_MOST_EXCHANGES:], exchanges[-1])
    if isinstance(accused, Exchange):
        if all(each is not accused for each in shown):
            before = takewhile(lambda each: each is not accused, exchanges)
            reads = [each for each in before if is_same_read(each, accused)][-_MOST_EXCHANGES:]
            shown = [*reads, accused]
        fault = accused
    deletes = list_earlier_deletes(fault, exchanges, api)
    return with_origins([*shown, *deletes], exchanges, api), fault


def _pick_first(exchanges: Sequence[Exchange], api: Api) -> tuple[Sequence[Exchange], Exchange]:
    """The first exchanges that findings name, after those that made or changed their ids; and the very first."""
    needed = []  # for each exchange, the numbers of those that made or changed what it refers to
    for number, exchange in enumerate(exchanges):
        ids = list_ids(exchange, api)
        needed.append([at for at in range(number) if made_or_changed(exchanges[at], ids, api)])
    only_needed = set(chain.from_iterable(needed))
    named = [number for number in range(len(exchanges)) if number not in only_needed]
    shown: dict[int, Exchange] = {}
    for number in named:
        more = {at: exchanges[at] for at in (*needed[number], number)}
        if shown and len(shown | more) > _MOST_EXCHANGES:
            break
        shown |= more
    return list(shown.values()), exchanges[named[0]]


def relayed_lines(relayed: RelayedExchange, mask: Mask, shown: int) -> Iterator[str]:
    """The four directions in order: a line for each request and each answer."""
    yield f"client → gateway    {_request(relayed.client.request, mask, shown)}"
    behind = (*relayed.upstream, *relayed.misrouted)
    if not behind:
        yield "gateway → upstream  nothing"
    for exchange in behind:
        yield f"gateway → upstream  {_request(exchange.request, mask, shown)}"
        yield f"upstream → gateway  {_answer(exchange, mask, shown)}"
    yield f"gateway → client    {_answer(relayed.client, mask, shown)}"


def _request(request: Request, mask: Mask, shown: int) -> str:
    line = f"{request.method} {shorten_target(mask.text(request.target))}"
    if not request.body:
        return escape_controls(line)
    most = shown - len(line) if shown <= TWO_ROWS else shown
    body = _count_binary(request.body) or begin_body(request.body, mask, most)
    return escape_controls(f"{line} {body}" if body else line)


def _count_binary(body: bytes) -> str:
    """How many bytes a body has that is no text, such as one that is compressed or an archive; `""` for a text."""
    try:
        is_text = "\0" not in body.decode()
    except UnicodeDecodeError:
        is_text = False
    return "" if is_text else f"{len(body):,} bytes that are not text"


def _answer(exchange: Exchange, mask: Mask, shown: int) -> str:
    if exchange.status is None:
        return f"no response, {ending_line(exchange, mask)}"
    end = "" if exchange.ending.complete else f", {ending_line(exchange, mask)}"
    if exchange.is_stream:
        events = [frame.data for frame in Decoder().feed(exchange.body)]
        objects = [data for data in events[-2:] if object_or_none(data) is not None]  # a sentinel says little
        last = f", the last {begin_body((objects or events)[-1], mask, shown)}" if events else ""
        last += f" and {begin_body(events[-1], mask, shown)}" if objects and objects[-1] is not events[-1] else ""
        return escape_controls(f"{exchange.status} stream of {format_count(len(events), 'event')}{last}{end}")
    body = _count_binary(exchange.body) or begin_body(exchange.body, mask, shown)
    return escape_controls(f"{exchange.status} {body}{end}")


def client_lines(run: ClientRun, *, verbose: bool) -> Iterator[Line]:
    """The requests and responses with times, the client's result, and its last words; `verbose`: all of them."""
    yield Line("on the wire:")
    for line in _draw_timeline(run):
        shown = line if verbose else shorten_tokens(shorten_target(line))
        yield Line(f"  {escape_controls(shown)}", Role.QUIET, hang=16)
    for line in run.stray:
        yield Line(f"on standard output, not a result: {escape_controls(line)}")
    words = run.stderr.splitlines()
    if words and not verbose:
        words = [line for line in words if line.strip()][-3:]  # the failure itself is in `run.end`
    if run.stderr.splitlines():
        yield Line("standard error ends with:")
        yield from (Line(f"  {escape_controls(line)}", Role.QUIET) for line in words)


def _draw_timeline(run: ClientRun) -> Iterator[str]:
    """The requests in order, equal ones in a row once: who sent what when, and where the faults hit."""
    if not run.moments:
        yield "nothing"
    for key, same in groupby(run.moments, lambda one: (one.request, one.answer, one.fault_words)):
        first, *others = same
        request, answer, fault = key
        yield f"{first.at:7.3f} s  -> {request}" + (f"  ({len(others) + 1} times)" if others else "")
        yield f"{'':9}  <- {answer}"
        if fault:
            yield f"{'':9}  !! {fault}"
    if run.end:
        yield f"{'':9}  => the client {run.end}"


def place_line(item: RecordedPlace) -> str:
    """The file of a finding, and where in it."""
    where = ", ".join(filter(None, (item.where.exchange, place(replace(item.where, exchange="")))))
    return escape_controls(f"{item.where.file} ({where})" if where else item.where.file)


def reproduction_lines(reproduction: Reproduction, *, noun: str = "") -> Iterator[Line]:
    """How to see it again; `noun` is what a command line is for."""
    if reproduction.steps:
        why = f" ({reproduction.unshrunk})" if reproduction.unshrunk else ""
        words = f"request sequence, not fully shrunk{why}" if why else "shortest request sequence"
        yield Line(f"{words}: {' > '.join(map(str, reproduction.steps))}")
    elif reproduction.unshrunk:
        yield Line(f"its requests are not fully shrunk: {reproduction.unshrunk}")
    if reproduction.consequences:
        yield Line(f"consequences: {escape_controls(', '.join(reproduction.consequences))}")
    if reproduction.command:
        yield Line(f"this {noun or 'one'} alone: {escape_controls(reproduction.command)}", Role.COMMAND)


def again_lines(reproduction: Reproduction, *, noun: str = "") -> Iterator[str]:
    """How to see it again, and what came of doing so before it was reported."""
    yield from reproduction_lines(reproduction, noun=noun)
    if reproduction.replays.played:
        yield replay_words(reproduction.replays)


def replay_words(replays: Replays) -> str:
    """The result of the repetitions."""
    if replays.lost:
        return f"flaky: did not reproduce, 0 of {replays.played}"
    if replays.played:
        return f"{'flaky: ' if replays.flaky else ''}reproduced {replays.shown} of {replays.played}"
    return f"not run again: {replays.why_not or 'not attempted'}"
