"""The events of a stream as they came: what came at once is one arrow, and of many arrows only some are drawn.

Layer 6.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from harness.outcome.words import format_count
from harness.report.evidence.stream_events import StreamEvent
from harness.report.page.story.steps import MOST_CELLS
from harness.report.page.story.story import StoryStep
from harness.wire import Exchange

_MOST_CHUNKS = 9
"""Chunks of an answer that are drawn one by one; of more, the first, the last, and those around the fault."""

_AT_ONCE = 0.005
"""Seconds within which chunks come at once."""


@dataclass(slots=True)
class Burst:
    """Events that came at once, in one or several chunks; `at` is in seconds since the request."""

    at: float
    chunks: int
    events: list[StreamEvent]


def draw_burst(
    burst: Burst, began: float | None, accused: set[int], label: str, status: str, number: int
) -> StoryStep:
    """The arrow of a burst; the first one of a stream (`number` 0) carries the `status`."""
    cells = tuple(f"{event.number} {event.name}" for event in burst.events[:MOST_CELLS])
    more = len(burst.events) - MOST_CELLS
    one_chunk = "one chunk" if burst.chunks == 1 and len(burst.events) > 1 else ""
    several = f"{burst.chunks} chunks" if burst.chunks > 1 else ""
    return StoryStep(
        kind="answer",
        text=status if not number else "",
        at=None if began is None else round(1000 * (began + burst.at)),
        cells=cells,
        detail=", ".join(filter(None, (f"{more} more" if more > 0 else "", one_chunk, several, label))),
        hot=any(event.number in accused for event in burst.events),
    )


def group_by_chunk(exchange: Exchange, events: Sequence[StreamEvent]) -> list[Burst]:
    """The events by the moment at which the piece came that completed them; what comes at once together."""
    bursts: list[Burst] = []
    sizes, moments = exchange.arrivals.sizes, exchange.arrivals.moments
    piece, received = -1, 0
    for event in events:
        before = piece
        while received < event.end and piece + 1 < len(sizes):
            piece += 1
            received += sizes[piece]
        moment = moments[piece] if 0 <= piece < len(moments) else 0.0
        if bursts and moment - bursts[-1].at < _AT_ONCE:
            bursts[-1].events.append(event)
            bursts[-1].chunks += piece != before
        else:
            bursts.append(Burst(moment, 1, [event]))
    return bursts


def choose_bursts(chunks: Sequence[Burst], accused: set[int]) -> set[int]:
    """The numbers of the bursts that are drawn."""
    if len(chunks) <= _MOST_CHUNKS:
        return set(range(len(chunks)))
    keep = {0, 1, 2, len(chunks) - 2, len(chunks) - 1}
    for number, burst in enumerate(chunks):
        if len(keep) < 2 * _MOST_CHUNKS and any(event.number in accused for event in burst.events):
            keep.update(range(max(0, number - 1), min(len(chunks), number + 2)))
    return keep


def fold_bursts(skipped: Sequence[Burst]) -> StoryStep:
    """One line in place of bursts that are not drawn: how many, and of what."""
    kinds = Counter(event.name for burst in skipped for event in burst.events)
    listed = ", ".join(f"{name} ×{number}" if number > 1 else name for name, number in kinds.most_common(4))
    return StoryStep(
        kind="pause", text=f"{format_count(sum(burst.chunks for burst in skipped), 'chunk')}: {listed}"
    )
