"""The cases of a set, which are each kind's plans for the shape of a stream, and the cases of incidents.

Layer 5.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.benches.client.cases import Case, whole_stream
from harness.faults import parse
from harness.faults.kinds import CaseKind, StreamShape
from harness.kit.api import Api
from harness.kit.client_model import ClientIncident
from harness.outcome import UsageFault
from harness.outcome.words import did_you_mean


def cases_of_set(
    api: Api,
    name: str,
    base: Case,
    *,
    event_ids: Sequence[str] = ("all",),
    only: Sequence[str] = (),
) -> list[Case]:
    """The cases of a set; `only` names some of its kinds. Raises UsageFault for an unknown set or kind.

    `base` has what all cases share. Kinds that fix the event ids or the script are left out for a recording, which
    brings its own.
    """
    sets = api.load_client_model().sets
    if name not in sets:
        raise UsageFault(f"no set is named {name!r}{did_you_mean(name, sets)}")
    chosen = {kind.name: kind for kind in sets[name]}
    for word in only:
        if word not in chosen:
            raise UsageFault(f"--kinds: {word!r} is not a kind of {name}{did_you_mean(word, chosen)}")
    found = [
        case
        for kind in chosen.values()
        if kind.name in (only or chosen)
        for case in _build_cases(api, kind, base, event_ids)
    ]
    return list(dict.fromkeys(found))


def _build_cases(api: Api, kind: CaseKind, base: Case, event_ids: Sequence[str]) -> Iterator[Case]:
    recorded = base.cassette is not None
    if recorded and (kind.scripts != ({},) or not {"none", "sparse", "odd"}.isdisjoint(kind.event_ids)):
        return
    if kind.scripts != ({},) and kind.calls != ("steps" in base.answer):
        return
    shared = replace(
        base,
        kind=kind.name,
        label=kind.name if kind.refusal or (kind.further and kind.scripts == ({},)) else "",
        resume=kind.resume or base.resume,
        refusal=kind.refusal or base.refusal,
        hopeless=kind.hopeless,
    )
    for ids in kind.event_ids if kind.event_ids and not recorded else event_ids:
        for more in kind.scripts:
            script = {key: value for key, value in {**base.answer, **more}.items() if value is not None}
            further = base.further if kind.further is None else kind.further
            case = replace(shared, event_ids=ids, script=script if more else base.script, further=further)
            shape = _shape_of(api, case)
            for plan in kind.plans(shape):
                yield replace(case, plan=str(parse(plan)))


def _shape_of(api: Api, case: Case) -> StreamShape:
    further = None
    if case.mode.turns and case.further_answer is not None:
        second = replace(case, script=case.further_answer)
        further = StreamShape(whole_stream(api, second), api.load_protocol())
    return StreamShape(whole_stream(api, case), api.load_protocol(), further)


# The cases of incidents: what already happened to others, played to a client.


def cases_of_incidents(api: Api, base: Case, names: Sequence[str] = ()) -> list[Case]:
    """The cases of these incidents, or of all that a client meets in the mode of `base`.

    Raises UsageFault for a name that is unknown, for one that a client cannot meet in that mode, and if there is
    none to meet.
    """
    known, mode = api.load_client_model().load_incidents(), base.mode.name
    if not names:
        found = [incident_case(one, base) for one in known.values() if mode in one.modes]
        if not found:
            raise UsageFault(f"--incidents: no incident applies to a client in the mode {mode}")
        return found
    for name in names:
        if name not in known:
            raise UsageFault(
                f"--incidents: no incident is named {name!r}{did_you_mean(name, known)} (see `harness incidents`)"
            )
        if mode not in known[name].modes:
            there = " or ".join(f"--mode {one}" for one in known[name].modes)
            raise UsageFault(
                f"--incidents {name}: it does not apply to a client in the mode {mode}; "
                + (f"run it with {there}" if there else f"`harness serve --incident {name}` reproduces it")
            )
    return [incident_case(known[name], base) for name in names]


def incident_case(incident: ClientIncident, base: Case) -> Case:
    """The case that plays an incident; `base` has what all cases of a run share."""
    return replace(
        base,
        plan=incident.plan,
        script=incident.script,
        refusal=incident.refusal,
        settings=incident.settings,
        kind="incidents",
        incident=incident.name,
        hopeless=incident.hopeless,
        speed=incident.speed,
    )
