"""The sets of cases, each a documented list of kinds: for clients that stream, that poll, that do several turns.

Layer 2, values only. A set begins with what is cheap and tells much; kinds in which clients wait come last.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.checks.clients import kinds
from harness.checks.clients.table import CANCELLING_TABLE, POLLING_TABLE, TABLE, TURNS_TABLE
from harness.faults.kinds import CaseKind
from harness.faults.kinds import call_kinds as calls
from harness.faults.kinds import stream_kinds as streams

QUICK = (
    streams.FEW_CLEAN_ENDS,
    streams.FEW_RESETS,
    streams.FEW_INSIDE,
    streams.FEW_NO_IDS,
    streams.FEW_INCLUSIVE,
    streams.FEW_TWICE,
    streams.NOISE,
    streams.BROKEN.first(3),
    streams.ERRORS.first(3),
    kinds.FEW_ENDS,
    streams.STATUSES.first(3),
)
STANDARD = (
    streams.CLEAN_END,
    streams.RESET,
    streams.NOISE,
    streams.TWICE,
    streams.INCLUSIVE,
    streams.NO_IDS,
    streams.FEW_IDS,
    streams.BROKEN,
    streams.ERRORS,
    kinds.ENDS,
    kinds.PARTS,
    streams.FRAMING,
    streams.HALVES,
    streams.INSIDE,
    streams.TORN,
    streams.LATE,
    streams.REPEATED,
    streams.HEADS,
    streams.STATUSES,
    kinds.CONTINUATIONS,
)
_REPLACED = {
    streams.INSIDE: streams.ALL_OF_INSIDE,
    streams.TORN: streams.ALL_OF_TORN,
    streams.STATUSES: streams.MORE_STATUSES,
    streams.LATE: streams.MORE_LATE,
}
THOROUGH = (*(_REPLACED.get(kind, kind) for kind in STANDARD), streams.PAIRS, streams.STALLS)

POLLING = (
    calls.LOST_POLLS,
    calls.REFUSED_POLLS,
    kinds.SLOW_RUNS,
    kinds.FEW_ENDS,
    calls.UNKNOWN_AT_FIRST,
    kinds.NEVER_SETTLES,
)

TURNS = (
    streams.FEW_CLEAN_ENDS,
    streams.FEW_RESETS,
    streams.FEW_INSIDE,
    calls.FURTHER_DROPS,
    calls.LOST_ANSWERS,
    calls.REFUSED_ANSWERS,
    calls.DOUBLED_ANSWERS,
)
CANCELLING = (
    calls.DROPS_BEFORE_CANCEL,
    calls.LOST_CANCELS,
    calls.REFUSED_CANCELS,
    calls.CANCELS_IN_DROPS,
    kinds.SLOW_CANCELS,
)

SETS: Mapping[str, tuple[CaseKind, ...]] = {
    "quick": QUICK,
    "standard": STANDARD,
    "thorough": THOROUGH,
    "every-byte": (*THOROUGH, streams.BYTES),
    "polling": POLLING,
    "turns": TURNS,
    "cancelling": CANCELLING,
    "table": TABLE,
    "polling-table": POLLING_TABLE,
    "turns-table": TURNS_TABLE,
    "cancelling-table": CANCELLING_TABLE,
}
"""The kinds of each set, in the order in which they are played."""
