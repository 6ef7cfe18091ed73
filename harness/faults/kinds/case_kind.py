"""A kind of cases: what goes wrong in them, and where in a stream.

Layer 1. A kind makes its fault plans for the shape of a stream; must not know who reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any

from harness.wire import Decoder, StreamProtocol
from harness.wire.json_value import object_or_none


@dataclass(frozen=True)
class StreamShape:
    """What the places of a kind depend on: the bytes of a stream, and where its events are.

    `further` is the shape of the stream of a further turn, None if there is no such turn.
    """

    body: bytes
    protocol: StreamProtocol
    further: StreamShape | None = None

    @cached_property
    def frames(self) -> int:
        """How many frames it has, the final one included that is no JSON."""
        return len(Decoder().feed(self.body))

    @cached_property
    def completion(self) -> int:
        """How many frames precede the event that completes the stream."""
        events = [object_or_none(frame.data) for frame in Decoder().feed(self.body)]
        done = (n for n, event in enumerate(events) if event is not None and self.protocol.completes(event))
        return next(done, len(events))

    @cached_property
    def landmarks(self) -> tuple[int, ...]:
        """A few telling numbers of events: after the first, in the middle, before the completion."""
        last = self.completion
        return tuple(sorted({1, max(1, last // 2), max(1, last * 3 // 4), last}))

    @property
    def places(self) -> dict[str, int]:
        """The numbers of events that a plan may name in braces, such as `event:{late},rst`."""
        last = len(self.landmarks) - 1
        middle, late = (self.landmarks[min(number, last)] for number in (1, 2))
        named = {"middle": middle, "late": late, "last": self.completion}
        return {**named, **{f"after_{name}": number + 1 for name, number in named.items()}}


Plans = Callable[[StreamShape], Iterator[str]]
"""Makes fault plans for a stream."""


def at(*plans: str) -> Plans:
    """These plans, at the places that they name (`StreamShape.places`)."""
    return lambda shape: (plan.format(**shape.places) for plan in plans)


def at_each(*plans: str) -> Plans:
    """These plans at each landmark of the stream, `{n}`; `{after}` is the place after it."""
    return lambda shape: (plan.format(n=n, after=n + 1) for n in shape.landmarks for plan in plans)


def in_further(plans: Plans) -> Plans:
    """These plans, at places of the stream of the further turn."""
    return lambda shape: plans(shape.further or shape)


def chain_plans(*parts: Plans) -> Plans:
    """All plans of each part."""
    return lambda shape: (plan for part in parts for plan in part(shape))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CaseKind:
    """Cases that are alike: `plans` makes their fault plans.

    Each plan is played with each of `event_ids` (none: those of the run), with the run's script and each of
    `scripts` merged into it, and with `resume` and `further` unless they are None. If it is `hopeless`, all that a
    client can do is to report a failure.
    """

    name: str
    about: str
    plans: Plans
    event_ids: tuple[str, ...] = ()
    resume: str | None = None
    scripts: tuple[Mapping[str, Any], ...] = ({},)
    further: Mapping[str, Any] | None = None
    hopeless: bool = False

    def only(self, plans: Plans) -> CaseKind:
        """The same kind with other plans."""
        return replace(self, plans=plans)

    def first(self, many: int) -> CaseKind:
        """The same kind with the first of its plans only."""
        return replace(self, plans=lambda shape: islice(self.plans(shape), many))
