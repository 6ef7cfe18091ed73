"""The sets of cases, each a documented list of kinds: for clients that stream, that poll, that do several turns.

Layer 5. A set begins with what is cheap and tells much; kinds in which clients have to wait come last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.benches.client import case_kinds as kinds
from harness.benches.client.case_kinds import CaseKind, StreamShape
from harness.benches.client.drop_case import Case
from harness.benches.client.stream_source import whole_stream
from harness.benches.client.table_kinds import POLLING_TABLE, TABLE
from harness.faults import parse
from harness.outcome import UsageFault
from harness.outcome.suggest import did_you_mean

QUICK = (
    kinds.FEW_CLEAN_ENDS,
    kinds.FEW_RESETS,
    kinds.FEW_INSIDE,
    kinds.FEW_NO_IDS,
    kinds.FEW_INCLUSIVE,
    kinds.FEW_TWICE,
    kinds.NOISE,
    kinds.BROKEN.first(3),
    kinds.ERRORS.first(3),
    kinds.FEW_ENDS,
    kinds.STATUSES.first(3),
)
STANDARD = (
    kinds.CLEAN_END,
    kinds.RESET,
    kinds.NOISE,
    kinds.TWICE,
    kinds.INCLUSIVE,
    kinds.NO_IDS,
    kinds.FEW_IDS,
    kinds.BROKEN,
    kinds.ERRORS,
    kinds.ENDS,
    kinds.PARTS,
    kinds.FRAMING,
    kinds.HALVES,
    kinds.INSIDE,
    kinds.TORN,
    kinds.LATE,
    kinds.REPEATED,
    kinds.HEADS,
    kinds.STATUSES,
    kinds.CONTINUATIONS,
)
_REPLACED = {
    kinds.INSIDE: kinds.ALL_OF_INSIDE,
    kinds.TORN: kinds.ALL_OF_TORN,
    kinds.STATUSES: kinds.MORE_STATUSES,
    kinds.LATE: kinds.MORE_LATE,
}
THOROUGH = (*(_REPLACED.get(kind, kind) for kind in STANDARD), kinds.PAIRS, kinds.STALLS)

POLLING = (kinds.LOST_POLLS, kinds.REFUSED_POLLS, kinds.SLOW_RUNS, kinds.FEW_ENDS, kinds.UNKNOWN_AT_FIRST)

TURNS = (
    kinds.FEW_CLEAN_ENDS,
    kinds.FEW_RESETS,
    kinds.FEW_INSIDE,
    kinds.FURTHER_DROPS,
    kinds.LOST_ANSWERS,
    kinds.REFUSED_ANSWERS,
)
CANCELLING = (kinds.DROPS_BEFORE_CANCEL, kinds.LOST_CANCELS, kinds.REFUSED_CANCELS, kinds.SLOW_CANCELS)

SETS: dict[str, tuple[CaseKind, ...]] = {
    "quick": QUICK,
    "standard": STANDARD,
    "thorough": THOROUGH,
    "every-byte": (*THOROUGH, kinds.BYTES),
    "polling": POLLING,
    "turns": TURNS,
    "cancelling": CANCELLING,
    "table": TABLE,
    "polling-table": POLLING_TABLE,
}
"""The kinds of each set, in the order in which they are played."""


def cases_of_set(
    name: str,
    base: Case,
    *,
    event_ids: Sequence[str] = ("all",),
    only: Sequence[str] = (),
    seed: int = 0,
) -> list[Case]:
    """The cases of a set; `only` names some of its kinds. Raises UsageFault for an unknown set or kind.

    `base` has what all cases share. Kinds that fix the event ids or the script are left out for a recording, which
    brings its own.
    """
    if name not in SETS:
        raise UsageFault(f"no set is named {name!r}{did_you_mean(name, SETS)}")
    chosen = {kind.name: kind for kind in SETS[name]}
    for word in only:
        if word not in chosen:
            raise UsageFault(f"--kinds: {word!r} is no kind of {name}{did_you_mean(word, chosen)}")
    found = [
        case
        for kind in chosen.values()
        if kind.name in (only or chosen)
        for case in _cases(kind, base, event_ids, seed)
    ]
    return list(dict.fromkeys(found))


def _cases(kind: CaseKind, base: Case, event_ids: Sequence[str], seed: int) -> Iterator[Case]:
    recorded = base.cassette is not None
    if recorded and (kind.scripts != ({},) or "none" in kind.event_ids or "sparse" in kind.event_ids):
        return
    if kind.scripts != ({},) and "steps" in base.script:
        return
    shared = replace(base, kind=kind.name, resume=kind.resume or base.resume)
    for ids in kind.event_ids if kind.event_ids and not recorded else event_ids:
        for more in kind.scripts:
            merged = {key: value for key, value in {**base.script, **more}.items() if value is not None}
            further = base.further if kind.further is None else kind.further
            case = replace(shared, event_ids=ids, script=merged, further=further)
            shape = StreamShape(whole_stream(case, seed))
            for plan in kind.plans(shape):
                yield replace(case, plan=str(parse(plan)))
