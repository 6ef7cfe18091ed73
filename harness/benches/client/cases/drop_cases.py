"""The cases of a stream that is known in advance: one for each cut, ending, and setting of event ids.

Layer 5, pure except for the cassette it may read. `harness.faults` defines what happens at a cut.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.benches.client.cases.case import Case
from harness.benches.client.cases.stream_source import whole_stream
from harness.faults import Place, Spot, every_byte, every_event, parse, structural
from harness.kit.api import Api
from harness.outcome import UsageFault
from harness.wire import Decoder

ENUMERATIONS = {"every-event": every_event, "structural": structural, "every-byte": every_byte}


def cases_of(
    api: Api,
    base: Case,
    *,
    cuts: str | Sequence[str] = "every-event",
    first: int = 0,
    endings: str | Sequence[str] = ("rst", "end"),
    event_ids: str | Sequence[str] = "all",
    seed: int = 0,
) -> list[Case]:
    """A case for each cut, ending and setting of event ids; `cuts` names an enumeration or lists whole plans.

    `base` has what all cases share. An enumeration leaves out cuts before event `first`: code that creates its
    stream needs the first event. Raises UsageFault for an unknown enumeration or an invalid plan, CassetteError
    for an unreadable cassette.
    """
    settings = (event_ids,) if isinstance(event_ids, str) else tuple(event_ids)
    ways = (endings,) if isinstance(endings, str) else tuple(endings)
    return [
        case
        for ids in settings
        for case in _build_cases(
            api, replace(base, event_ids=ids), cuts=cuts, first=first, endings=ways, seed=seed
        )
    ]


def _build_cases(
    api: Api, base: Case, *, cuts: str | Sequence[str], first: int, endings: Sequence[str], seed: int
) -> Iterator[Case]:
    if not isinstance(cuts, str):
        for plan in cuts:
            yield replace(base, plan=str(parse(plan)))
        return
    if cuts not in ENUMERATIONS:
        raise UsageFault(f"cuts={cuts!r} is none of {', '.join(ENUMERATIONS)}; or give a list of fault plans")
    for place in _find_places(cuts, whole_stream(api, base, seed), first):
        for ending in endings:
            yield replace(base, plan=str(parse(f"{place},{ending}")))


def _find_places(cuts: str, whole: bytes, first: int) -> Iterator[Place]:
    ends = [0, *(frame.end for frame in Decoder().feed(whole))]
    if not 0 <= first < len(ends):
        raise UsageFault(f"first={first!r}: the stream has the events 0 to {len(ends) - 2}")
    for place in ENUMERATIONS[cuts](whole):
        if place.at is not None and place.at >= (ends[first] if place.spot is Spot.BYTE else first):
            yield place
