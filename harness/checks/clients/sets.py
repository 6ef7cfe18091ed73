"""The sets of cases, each a documented list of kinds: for clients that stream, that poll, that do several turns.

Layer 2, values only. A set begins with what is cheap and tells much; kinds in which clients wait come last.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.checks.clients import kinds
from harness.checks.clients.table import CANCELLING_TABLE, POLLING_TABLE, TABLE, TURNS_TABLE
from harness.faults import kinds as fault_kinds
from harness.faults.kinds import CaseKind

QUICK = (
    fault_kinds.FEW_CLEAN_ENDS,
    fault_kinds.FEW_RESETS,
    fault_kinds.FEW_INSIDE,
    fault_kinds.FEW_NO_IDS,
    fault_kinds.FEW_INCLUSIVE,
    fault_kinds.FEW_TWICE,
    fault_kinds.NOISE,
    fault_kinds.BROKEN.first(3),
    fault_kinds.ERRORS.first(3),
    kinds.FEW_ENDS,
    fault_kinds.STATUSES.first(3),
)
STANDARD = (
    fault_kinds.CLEAN_END,
    fault_kinds.RESET,
    fault_kinds.NOISE,
    fault_kinds.TWICE,
    fault_kinds.INCLUSIVE,
    fault_kinds.NO_IDS,
    fault_kinds.FEW_IDS,
    fault_kinds.BROKEN,
    fault_kinds.ERRORS,
    kinds.ENDS,
    kinds.PARTS,
    fault_kinds.FRAMING,
    fault_kinds.HALVES,
    fault_kinds.INSIDE,
    fault_kinds.TORN,
    fault_kinds.LATE,
    fault_kinds.REPEATED,
    fault_kinds.HEADS,
    fault_kinds.STATUSES,
    kinds.CONTINUATIONS,
)
_REPLACED = {
    fault_kinds.INSIDE: fault_kinds.ALL_OF_INSIDE,
    fault_kinds.TORN: fault_kinds.ALL_OF_TORN,
    fault_kinds.STATUSES: fault_kinds.MORE_STATUSES,
    fault_kinds.LATE: fault_kinds.MORE_LATE,
}
_FURTHER = (fault_kinds.ODD_IDS, kinds.STATUS_UPDATES, fault_kinds.OUTAGES, fault_kinds.STALLS)
APPLICATION = (*STANDARD, *_FURTHER)
THOROUGH = (*(_REPLACED.get(kind, kind) for kind in STANDARD), fault_kinds.PAIRS, *_FURTHER)

POLLING = (
    fault_kinds.LOST_POLLS,
    fault_kinds.REFUSED_POLLS,
    kinds.SLOW_RUNS,
    kinds.FEW_ENDS,
    fault_kinds.UNKNOWN_AT_FIRST,
    kinds.NEVER_SETTLES,
)

TURNS = (
    fault_kinds.FEW_CLEAN_ENDS,
    fault_kinds.FEW_RESETS,
    fault_kinds.FEW_INSIDE,
    fault_kinds.FURTHER_DROPS,
    fault_kinds.LOST_ANSWERS,
    fault_kinds.REFUSED_ANSWERS,
    fault_kinds.DOUBLED_ANSWERS,
    kinds.FURTHER_ENDS,
    kinds.PARENT_GONE,
)
TOOLS = (
    *TURNS,
    kinds.PARALLEL_CALLS,
    kinds.MORE_CALLS,
    kinds.SERVER_STEPS,
    kinds.SLOW_CALLS,
)
CANCELLING = (
    fault_kinds.DROPS_BEFORE_CANCEL,
    fault_kinds.LOST_CANCELS,
    fault_kinds.REFUSED_CANCELS,
    fault_kinds.CANCELS_IN_DROPS,
    kinds.SLOW_CANCELS,
)

SETS: Mapping[str, tuple[CaseKind, ...]] = {
    "quick": QUICK,
    "standard": STANDARD,
    "application": APPLICATION,
    "thorough": THOROUGH,
    "every-byte": (*THOROUGH, fault_kinds.BYTES),
    "polling": POLLING,
    "turns": TURNS,
    "tools": TOOLS,
    "cancelling": CANCELLING,
    "table": TABLE,
    "polling-table": POLLING_TABLE,
    "turns-table": TURNS_TABLE,
    "cancelling-table": CANCELLING_TABLE,
}
"""The kinds of each set, in the order in which they are played."""
