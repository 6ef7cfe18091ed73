"""The events on the wire, as the steps of a sequence diagram: messages, chunks, pauses, breaks.

Values. A story is drawn as an ordered list and printed into the JSON report, so every step is plain text. Secrets
are hidden. Times are milliseconds since the first request, where they are known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, pairwise
from typing import Any
from urllib.parse import unquote

from msgspec import Struct
from msgspec.structs import asdict, replace

from harness.engine.results import ClientRun, Result, of_kind
from harness.kit.relay import RelayedExchange
from harness.outcome import Finding
from harness.outcome.words import format_count, shorten
from harness.report.evidence.curl import Display
from harness.report.evidence.evidence_text import begin_body
from harness.report.evidence.stream_events import StreamEvent, lost_by, number_events, read_events
from harness.wire import Exchange, Request
from harness.wire.message import escape_controls
from harness.wire.stream_picture import spell_columns


class StoryStep(Struct, frozen=True, kw_only=True):
    """One line of the diagram.

    `kind`: `request` and `answer` are arrows, `missing` is an answer that never came, `pause` and `break` are
    bands. `lane`: `front` is between the client and what is judged, `back` behind a gateway. `quoted` is of the
    wire: a path, or the beginning of a body. `events` are the places of the events of one chunk in the whole
    stream. `at` is in milliseconds, None if it is not known. `hot`: a finding speaks of it.
    """

    kind: str
    text: str
    at: int | None = None
    lane: str = "front"
    quoted: str = ""
    detail: str = ""
    events: str = ""
    hot: bool = False

    def record(self) -> dict[str, Any]:
        """The step as plain data, without what it does not have."""
        return {name: value for name, value in asdict(self).items() if value not in ("", None, False)}


class Story(Struct, frozen=True, kw_only=True):
    """The steps of a result and the names of the lanes, two or three; `about` counts in a few words."""

    lanes: tuple[str, ...]
    about: str
    steps: tuple[StoryStep, ...]

    def record(self) -> dict[str, Any]:
        """The story as plain data."""
        return {"lanes": list(self.lanes), "about": self.about, "steps": [step.record() for step in self.steps]}


PAUSE = 0.1
"""Seconds without a byte that are worth a line."""


class Burst(Struct):
    """Events that came without a pause, in one or several chunks; `at` is in seconds since the request."""

    at: float
    chunks: int
    events: list[StreamEvent]


def say_events(events: Sequence[StreamEvent]) -> str:
    """The places of events in the whole stream; the picture of the stream shows each of them."""
    if len(events) == 1:
        return f"event {events[0].number} {events[0].name}"
    return f"events {spell_columns(event.number for event in events)}" if events else ""


def group_by_moment(exchange: Exchange, events: Sequence[StreamEvent]) -> list[Burst]:
    """The events by the moment at which they were complete; those that come without a pause are together."""
    bursts: list[Burst] = []  # at most nine arrows: the last one has the rest of a longer stream
    sizes, moments = exchange.arrivals.sizes, exchange.arrivals.moments
    piece, received, last = -1, 0, 0.0
    for event in events:
        before = piece
        while received < event.end and piece + 1 < len(sizes):
            piece += 1
            received += sizes[piece]
        moment = moments[piece] if 0 <= piece < len(moments) else 0.0
        if bursts and (moment - last < PAUSE or len(bursts) == 9):
            bursts[-1].events.append(event)
            bursts[-1].chunks += piece != before
        else:
            bursts.append(Burst(moment, 1, [event]))
        last = moment
    return bursts


def request_step(
    request: Request, began: float | None, display: Display, *, lane: str = "front", hot: bool = False
) -> StoryStep:
    """The arrow of a request, `began` seconds after the first one."""
    return StoryStep(
        kind="request",
        text=request.method,
        at=None if began is None else round(1000 * began),
        lane=lane,
        quoted=shorten_path(display.mask.show(request.target)),
        detail=begin_body(request.body, display.mask, _QUOTED, request),
        hot=hot,
    )


def shorten_path(target: str) -> str:
    """The path without what all requests begin with; the whole one is in the text below."""
    path, question, query = target.partition("?")
    parts = path.split("/")
    short = "…/" + "/".join(shorten(part, 18) for part in parts[2:]) if len(parts) > 3 or parts[2:] else path
    return shorten(f"{short}{question}{unquote(query, errors='replace')}", 64)


def format_span(seconds: float) -> str:
    """A time between two moments."""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{round(1000 * seconds)} ms"


def answer_step(exchange: Exchange, lane: str, display: Display, *, hot: bool = False) -> StoryStep:
    """The arrow of an answer whose moment is not known; a break if none came."""
    if exchange.status is None:
        return StoryStep(kind="break", text=f"no response: {exchange.ending.words}", lane=lane, hot=hot)
    body = b"" if exchange.is_stream else exchange.body
    return StoryStep(
        kind="answer",
        text=str(exchange.status),
        lane=lane,
        quoted=begin_body(body, display.mask, _QUOTED, exchange.request),
        events=say_events(read_events(exchange, display)) if exchange.is_stream else "",
        detail="" if exchange.ending.complete else exchange.ending.words,
        hot=hot,
    )


MOST_EXCHANGES = 24
_QUOTED = 90
"""Most characters of a body in a step."""


def tell_exchanges(
    exchanges: Sequence[Exchange], named: dict[int, str], findings: Sequence[Finding], display: Display
) -> Story:
    """The story of `exchanges`; `named` has what findings call each, by its identity."""
    timed = all(e.began is not None for e in exchanges)
    shown = (sorted(exchanges, key=_find_start) if timed else list(exchanges))[:MOST_EXCHANGES]
    first = _find_start(shown[0]) if timed else 0.0
    moments: list[_Moment] = []
    streams = [exchange for exchange in shown if exchange.is_stream]
    # Streams need numbers only if one of them begins while another one flows.
    overlap = timed and any(
        _find_start(later) < _find_start(one) + one.seconds for one, later in pairwise(streams)
    )
    labels = count(1)
    for number, exchange in enumerate(shown):
        name, last = named.get(id(exchange), ""), exchange is exchanges[-1]
        # A finding that names an event and no exchange is about the last one.
        about = [
            each
            for each in findings
            if (each.where.exchange == name if each.where.exchange else last and each.where.event is not None)
        ]
        label, events = "", list[StreamEvent]()
        if exchange.is_stream:
            label = f"stream {next(labels)}" if overlap else ""
            events = number_events(exchange, shown[:number], about, display)
        began = _find_start(exchange) - first if timed else None
        moments += _tell_exchange(exchange, began, events, about, display, label)
    if timed:
        moments.sort(key=lambda moment: moment.at)
    steps = list(_with_pauses(moments))
    if left_out := len(exchanges) - len(shown):
        steps.append(StoryStep(kind="pause", text=f"{format_count(left_out, 'more exchange')}, below as text"))
    took = f", {format_span(max(m.at for m in moments))}" if timed else ""
    return Story(
        lanes=("client", "target"), about=format_count(len(exchanges), "request") + took, steps=tuple(steps)
    )


class _Moment(Struct, frozen=True):
    """A step, and when it was: seconds since the first request, or since its own if nothing else is known."""

    at: float
    step: StoryStep


def _find_start(exchange: Exchange) -> float:
    return exchange.began or 0.0


def _with_pauses(moments: Sequence[_Moment]) -> Iterator[StoryStep]:
    """The steps, with a band wherever nothing was sent for a while."""
    before: float | None = None
    for moment in moments:
        if before is not None and moment.at - before > PAUSE:
            yield StoryStep(kind="pause", text=format_span(moment.at - before))
        before = moment.at
        yield moment.step


def _tell_exchange(
    exchange: Exchange,
    began: float | None,
    events: Sequence[StreamEvent],
    findings: Sequence[Finding],
    display: Display,
    label: str,
) -> Iterator[_Moment]:
    hot = bool(findings)
    start = began or 0.0
    end = start + exchange.seconds
    timed = None if began is None else round(1000 * end)
    request = request_step(exchange.request, began, display, hot=hot and exchange.status is None)
    yield _Moment(start, replace(request, detail=f"{label} {request.detail}".strip()))
    bursts = group_by_moment(exchange, events)
    first = bursts[0].at if bursts else exchange.seconds
    lost = lost_by(findings) if exchange.is_stream else []
    for finding in lost:
        text = f"{escape_controls(finding.expected)}, event {finding.where.event}, never comes"
        yield _Moment(start + first, StoryStep(kind="missing", text=text, hot=True))
    if not bursts:  # no stream, or one without an event
        answer = answer_step(exchange, "front", display, hot=hot or exchange.is_stream)
        detail = "a stream without an event" if exchange.is_stream else ""
        yield _Moment(end, replace(answer, at=None if exchange.is_stream else timed, detail=detail))
    places = [] if lost else [finding.where.event for finding in findings if finding.where.event is not None]
    accused = {events[place].number for place in places if place < len(events)}
    for number, burst in enumerate(bursts):
        one_chunk = "one chunk" if burst.chunks == 1 and len(burst.events) > 1 else ""
        several = f"{burst.chunks} chunks" if burst.chunks > 1 else ""
        arrow = StoryStep(
            kind="answer",
            text="" if number else str(exchange.status),  # the first one of a stream carries it
            at=None if began is None else round(1000 * (began + burst.at)),
            events=say_events(burst.events),
            detail=", ".join(filter(None, (one_chunk, several, label))),
            hot=any(event.number in accused for event in burst.events),
        )
        yield _Moment(start + burst.at, arrow)
    if exchange.status is not None and not exchange.ending.complete:
        text = f"{label}: {exchange.ending.words}" if label else exchange.ending.words
        yield _Moment(end, StoryStep(kind="break", text=text, at=timed))


def tell_story(result: Result, display: Display) -> Story | None:
    """The story of a result, from its evidence; None if nothing was sent."""
    findings = result.observation.findings
    if exchanges := of_kind(Exchange, result.evidence):
        names = result.named or ("",) * len(result.evidence)
        named = {id(item): name for item, name in zip(result.evidence, names, strict=True)}
        return tell_exchanges(exchanges, named, findings, display)
    if relayed := of_kind(RelayedExchange, result.evidence):
        return _tell_relayed(relayed, {finding.where.exchange for finding in findings}, display)
    runs = of_kind(ClientRun, result.evidence)
    return _tell_run(runs[0]) if runs else None


def _tell_relayed(relayed: Sequence[RelayedExchange], accused: set[str], display: Display) -> Story:
    chosen = [item for item in relayed if item.name in accused] or list(relayed)
    steps: list[StoryStep] = []
    for item in chosen[:3]:
        steps.append(request_step(item.client.request, None, display))
        behind = (*item.upstream, *item.misrouted)
        for number, exchange in enumerate(behind):
            steps.append(request_step(exchange.request, None, display, lane="back", hot=number > 0))
            steps.append(answer_step(exchange, "back", display))
        if not behind:
            steps.append(StoryStep(kind="missing", text="nothing arrives upstream", lane="back", hot=True))
        steps.append(answer_step(item.client, "front", display, hot=item.name in accused))
    left = len(chosen) - 3
    if left > 0:
        steps.append(StoryStep(kind="pause", text=f"{format_count(left, 'more exchange')}, below as text"))
    return Story(
        lanes=("client", "gateway", "upstream"),
        about=format_count(len(relayed), "exchange"),
        steps=tuple(steps),
    )


def _tell_run(run: ClientRun) -> Story:
    steps: list[StoryStep] = []
    for moment in run.moments[:MOST_EXCHANGES]:
        method, _, rest = escape_controls(moment.request).partition(" ")
        path, *remarks = rest.split(" ", 1)
        at, remark = round(1000 * moment.at), "".join(remarks)
        steps.append(StoryStep(kind="request", text=method, quoted=shorten_path(path), detail=remark, at=at))
        steps.append(StoryStep(kind="answer", text=escape_controls(moment.answer)))
        if moment.fault_words:
            steps.append(StoryStep(kind="break", text=escape_controls(moment.fault_words), hot=True))
    if run.end:
        steps.append(StoryStep(kind="pause", text=f"the client {escape_controls(run.end)}"))
    return Story(lanes=("client", "server"), about=format_count(len(run.moments), "request"), steps=tuple(steps))
