"""The cases of incidents: what already happened to others, played to a client.

Layer 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.benches.client.cases.case import Case
from harness.kit.api import Api
from harness.kit.client_model import ClientIncident
from harness.outcome import UsageFault
from harness.outcome.suggest import did_you_mean


def cases_of_incidents(api: Api, base: Case, names: Sequence[str] = ()) -> list[Case]:
    """The cases of these incidents, or of all that a client meets in the mode of `base`.

    Raises UsageFault for a name that is unknown, for one that a client cannot meet in that mode, and if there is
    none to meet.
    """
    known, mode = api.load_client_model().load_incidents(), base.mode.name
    if not names:
        found = [incident_case(one, base) for one in known.values() if mode in one.modes]
        if not found:
            raise UsageFault(f"--incidents: a client in the mode {mode} meets none of them")
        return found
    for name in names:
        if name not in known:
            raise UsageFault(
                f"--incidents: no incident is named {name!r}{did_you_mean(name, known)} (see `harness incidents`)"
            )
        if mode not in known[name].modes:
            there = " or ".join(f"--mode {one}" for one in known[name].modes)
            raise UsageFault(
                f"--incidents {name}: a client in the mode {mode} cannot meet it; "
                + (f"play it with {there}" if there else f"`harness serve --incident {name}` plays it")
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
