"""Plans drawn from a seed: the same seed draws the same plan, everywhere and for ever.

Layer 1. Knows how likely each fault is; must not know how faults are applied. Code that runs a drawn plan
prints it: its `str` is `random:SEED`, which the grammar parses.
"""

from __future__ import annotations

import random

from harness.faults.plan import Connection, Fault, Plan, Scope, Seed
from harness.faults.values.answers import Status
from harness.faults.values.cuts import Cut, Drop, Place, Spot
from harness.faults.values.events import Chunks, Crlf, ErrorEvent, Ids, Inclusive, Late, Ping, Replay, Unknown

_BODY_SPOTS = (Spot.EVENT, Spot.EVENT, Spot.EVENT, Spot.BYTE, Spot.DATA, Spot.BLANK, Spot.UTF8, Spot.COMPLETION)
_DROPS = (Drop.FIN, Drop.RST, Drop.END, Drop.STALL, Drop.BAD_CHUNK, Drop.SHORT_LENGTH)
_HEAD_CUTS = (
    Cut(Place(Spot.BEFORE_HEADERS), Drop.FIN),
    Cut(Place(Spot.BEFORE_HEADERS), Drop.RST),
    Cut(Place(Spot.HEADERS), Drop.FIN),
)
_STATUSES = (Status(408), Status(409), Status(429, 1), Status(429, None, 20), Status(500), Status(503, None, 20))
_BYTES_AN_EVENT = 150


def random_plan(seed: int, *, events: int = 12) -> Plan:
    """Draw the plan of `seed` for streams of about `events` events."""
    return draw(Seed(seed, events))


def draw(seed: Seed, scope: Scope = Scope.STREAMS) -> Plan:
    """Draw the plan that `seed` stands for: one to three connections with faults."""
    source = random.Random(f"harness.faults 1 {seed.number} {seed.events}")  # a string seeds the same everywhere
    connections = [_draw_connection(source, seed.events) for _ in range(source.randrange(1, 4))]
    return Plan(tuple(connections), scope, seed)


def _draw_connection(source: random.Random, events: int) -> Connection:
    kind = source.random()
    if kind < 0.15:
        return Connection((source.choice(_STATUSES),))
    faults = [_draw_noise(source, events) for _ in range(source.choice((0, 0, 0, 1, 1, 2)))]
    if kind < 0.25:
        faults.append(source.choice(_HEAD_CUTS))
    elif kind < 0.95 or not faults:
        faults.append(Cut(_place(source, events), source.choice(_DROPS)))
    return Connection(tuple(faults))


def _place(source: random.Random, events: int) -> Place:
    spot = source.choice(_BODY_SPOTS)
    if spot is Spot.COMPLETION:
        return Place(spot)
    if spot is Spot.BYTE:
        return Place(spot, source.randrange(events * _BYTES_AN_EVENT))
    inside = source.choice((0, source.randrange(1, _BYTES_AN_EVENT))) if spot is Spot.EVENT else 0
    return Place(spot, source.randrange(events + 1), inside)


def _draw_noise(source: random.Random, events: int) -> Fault:
    after = source.randrange(1, events + 1)
    return source.choice(
        (
            Replay(after),
            Replay(after, source.randrange(1, min(after, 8) + 1)),
            Ping(source.choice((None, after))),
            Unknown(source.choice((None, after))),
            ErrorEvent(after, source.choice((True, False))),
            Ids(source.choice((None, 2, 3))),
            Late(source.randrange(1, 5) * 250),
            Inclusive(),
            Crlf(),
            Chunks(source.choice((1, 7, 64))),
        )
    )
