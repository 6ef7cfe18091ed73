"""Fault plans: drops and other faults of streams, written in one grammar and applied byte-exactly.

`cut(service, plan, protocol)` wraps a service so that it suffers from a plan; `parse` parses a plan and
`random_plan` draws one from a seed; `every_event`, `structural` and `every_byte` list the places where a recorded
body can be cut.

A fault is one class (`fault`): its values, how a plan spells them, and its stage, which changes the pieces of a
body. `FAULTS` of `grammar` has the class of each word, and `transducer` puts the stages in order.

Names are imported on first use, so that a service without a plan does not pay for the grammar.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.late_names import late_names

if TYPE_CHECKING:
    from harness.faults.answer_faults import Compress, ErrorShape, Inclusive, Reshape, Status
    from harness.faults.byte_faults import Chunks, Crlf, Trickle
    from harness.faults.cut_faults import Cut, Drop, Place, Spot, every_byte, every_event, structural
    from harness.faults.event_faults import (
        BareError,
        Comment,
        ErrorEvent,
        Garble,
        Glue,
        Ids,
        Late,
        Long,
        Members,
        Omit,
        Ping,
        Raw,
        Replay,
        Silence,
        Unknown,
    )
    from harness.faults.fault import Fault
    from harness.faults.grammar import parse, random_plan
    from harness.faults.plan import Connection, Plan, Scope, Seed
    from harness.faults.service import FaultyService, Suffered, cut

__all__ = [
    "cut", "FaultyService", "Suffered",
    "parse", "Plan", "Connection", "Scope", "Seed",
    "Fault", "Cut", "Place", "Spot", "Drop", "Status", "ErrorShape",
    "Replay", "Ping", "Unknown", "ErrorEvent", "BareError", "Ids", "Late", "Inclusive", "Crlf", "Chunks",
    "Garble", "Omit", "Glue", "Long", "Members", "Trickle", "Comment", "Raw", "Silence", "Reshape", "Compress",
    "every_event", "structural", "every_byte",
    "random_plan",
]  # fmt: skip

__getattr__ = late_names(__name__)
