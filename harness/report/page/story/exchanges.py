"""The story of exchanges with a target: their messages by time, with the pauses between them. Layer 6."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from harness.outcome import Finding
from harness.outcome.words import format_count
from harness.report.evidence.display import Display
from harness.report.evidence.stream_events import StreamEvent, lost_by, number_events
from harness.report.page.story.bursts import Burst, choose_bursts, draw_burst, fold_bursts, group_by_chunk
from harness.report.page.story.steps import format_ending, format_span, request_step, say_answer
from harness.report.page.story.story import Story, StoryStep
from harness.wire import Exchange

PAUSE = 0.1
"""Seconds without a byte that are worth a line."""

MOST_EXCHANGES = 24


def tell_exchanges(
    exchanges: Sequence[Exchange], named: dict[int, str], findings: Sequence[Finding], display: Display
) -> Story:
    """The story of `exchanges`; `named` has what findings call each, by its identity."""
    timed = all(e.began is not None for e in exchanges)
    shown = (sorted(exchanges, key=_find_start) if timed else list(exchanges))[:MOST_EXCHANGES]
    first = _find_start(shown[0]) if timed else 0.0
    parallel = timed and _overlap([e for e in shown if e.is_stream])
    moments: list[_Moment] = []
    streams = 0
    for number, exchange in enumerate(shown):
        streams += exchange.is_stream
        name = named.get(id(exchange), "")
        about = [each for each in findings if _names(each, name, last=exchange is exchanges[-1])]
        label = f"stream {streams}" if parallel and exchange.is_stream else ""
        events = number_events(exchange, shown[:number], about, display) if exchange.is_stream else []
        began = _find_start(exchange) - first if timed else None
        moments += _tell_exchange(exchange, began, events, about, display, label)
    steps = list(_with_pauses(sorted(moments, key=lambda moment: moment.at) if timed else moments))
    left_out = len(exchanges) - len(shown)
    if left_out:
        steps.append(StoryStep(kind="pause", text=f"{format_count(left_out, 'more exchange')}, below as text"))
    took = f", {format_span(max(m.at for m in moments))}" if timed else ""
    return Story(
        lanes=("client", "target"), about=format_count(len(exchanges), "request") + took, steps=tuple(steps)
    )


@dataclass(frozen=True, slots=True)
class _Moment:
    """A step, and when it was: seconds since the first request, or since its own if nothing else is known."""

    at: float
    step: StoryStep


def _find_start(exchange: Exchange) -> float:
    return exchange.began or 0.0


def _overlap(streams: Sequence[Exchange]) -> bool:
    """Whether one of the streams begins while another one flows."""
    return any(_find_start(later) < _find_start(one) + one.seconds for one, later in pairwise(streams))


def _with_pauses(moments: Sequence[_Moment]) -> Iterator[StoryStep]:
    """The steps, with a band wherever nothing was sent for a while."""
    before: float | None = None
    for moment in moments:
        if before is not None and moment.at - before > PAUSE:
            yield StoryStep(kind="pause", text=format_span(moment.at - before))
        before = moment.at
        yield moment.step


def _names(finding: Finding, name: str, *, last: bool) -> bool:
    """Whether a finding speaks of what has this name; if it names an event and no exchange, of the last one."""
    if not finding.where.exchange:
        return last and finding.where.event is not None
    return finding.where.exchange == name


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
    if exchange.status is None:
        ending = f"no answer: {format_ending(exchange.ending)}"
        yield _Moment(end, StoryStep(kind="break", text=ending, at=timed, hot=hot))
        return
    if exchange.is_stream:
        yield from _tell_stream(exchange, began, events, findings, display, label)
    else:
        said = say_answer(exchange, display)
        yield _Moment(end, StoryStep(kind="answer", text=str(exchange.status), quoted=said, at=timed, hot=hot))
    if not exchange.ending.complete:
        text = f"{label}: {format_ending(exchange.ending)}" if label else format_ending(exchange.ending)
        yield _Moment(end, StoryStep(kind="break", text=text, at=timed))


def _tell_stream(
    exchange: Exchange,
    began: float | None,
    events: Sequence[StreamEvent],
    findings: Sequence[Finding],
    display: Display,
    label: str,
) -> Iterator[_Moment]:
    start = began or 0.0
    chunks = group_by_chunk(exchange, events)
    first = chunks[0].at if chunks else exchange.seconds
    lost = lost_by(findings)
    for finding in lost:
        text = f"{display.mask.show(finding.expected)}, event {finding.where.event}, never comes"
        yield _Moment(start + first, StoryStep(kind="missing", text=text, hot=True))
    if not chunks:
        empty = StoryStep(kind="answer", text=str(exchange.status), detail="a stream without an event", hot=True)
        yield _Moment(start + first, empty)
        return
    places = [f.where.event for f in findings if f.where.event is not None and not lost]
    accused = {events[place].number for place in places if place < len(events)}
    keep = choose_bursts(chunks, accused)
    skipped: list[Burst] = []
    for number, burst in enumerate(chunks):
        if number not in keep:
            skipped.append(burst)
            continue
        if skipped:
            yield _Moment(start + skipped[-1].at, fold_bursts(skipped))
            skipped = []
        yield _Moment(start + burst.at, draw_burst(burst, began, accused, label, str(exchange.status), number))
