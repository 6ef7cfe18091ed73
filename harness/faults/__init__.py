"""Fault plans: drops and other faults of streams, written in one grammar and applied byte-exactly.

`cut(service, plan, protocol)` wraps a service so that it suffers from a plan; `parse` parses a plan and
`random_plan` draws one from a seed; `every_event`, `structural` and `every_byte` list the places where a recorded
body can be cut.

A fault has a place in three modules: its value in `values`, its word in `grammar`, and its stage, which changes
the pieces of a body, in `cut_faults` or in `STAGES` of `event_faults`. `transducer` puts stages in order.

Names are imported on first use, so that a service without a plan does not pay for the grammar.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.late_names import late_names

if TYPE_CHECKING:
    from harness.faults.grammar import parse, random_plan
    from harness.faults.plan import Connection, Plan, Scope, Seed
    from harness.faults.service import FaultyService, Suffered, cut
    from harness.faults.splitting import every_byte, every_event, structural
    from harness.faults.values import (
        BareError,
        Chunks,
        Comment,
        Compress,
        Crlf,
        Cut,
        Drop,
        ErrorEvent,
        ErrorShape,
        Fault,
        Garble,
        Glue,
        Ids,
        Inclusive,
        Late,
        Members,
        Omit,
        Ping,
        Place,
        Raw,
        Replay,
        Reshape,
        Silence,
        Spot,
        Status,
        Trickle,
        Unknown,
    )

_HOMES = {
    "harness.faults.grammar": ("parse", "random_plan"),
    "harness.faults.plan": ("Connection", "Plan", "Scope", "Seed"),
    "harness.faults.service": ("FaultyService", "Suffered", "cut"),
    "harness.faults.splitting": ("every_byte", "every_event", "structural"),
    "harness.faults.values": (
        "BareError", "Chunks", "Comment", "Compress", "Crlf", "Cut", "Drop", "ErrorEvent", "ErrorShape", "Fault",
        "Garble", "Glue", "Ids", "Inclusive", "Late", "Members", "Omit", "Ping", "Place", "Raw", "Replay",
        "Reshape", "Silence", "Spot", "Status", "Trickle", "Unknown",
    ),
}  # fmt: skip

__all__ = [
    "cut", "FaultyService", "Suffered",
    "parse", "Plan", "Connection", "Scope", "Seed",
    "Fault", "Cut", "Place", "Spot", "Drop", "Status", "ErrorShape",
    "Replay", "Ping", "Unknown", "ErrorEvent", "BareError", "Ids", "Late", "Inclusive", "Crlf", "Chunks",
    "Garble", "Omit", "Glue", "Members", "Trickle", "Comment", "Raw", "Silence", "Reshape", "Compress",
    "every_event", "structural", "every_byte",
    "random_plan",
]  # fmt: skip

__getattr__ = late_names(__name__, _HOMES)
