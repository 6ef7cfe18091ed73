"""The cases of incidents: what already happened to others, played to a client.

Layer 5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.benches.client.drop_case import Case
from harness.incidents import SPEED, Incident, find_incident, load_incidents
from harness.outcome import UsageFault


def cases_of_incidents(base: Case, names: Sequence[str] = ()) -> list[Case]:
    """The cases of these incidents, or of all. Raises UsageFault for one that a client cannot meet here."""
    if not names:
        return [incident_case(one, base) for one in load_incidents().values() if one.can_be_followed]
    chosen = [find_incident(name) for name in names]
    for incident in chosen:
        if not incident.can_be_followed:
            raise UsageFault(
                f"--incidents {incident.name}: a client that streams or polls $INTERACTION_ID cannot meet it; "
                f"`harness serve --incident {incident.name}` plays it"
            )
    return [incident_case(incident, base) for incident in chosen]


def incident_case(incident: Incident, base: Case) -> Case:
    """The case that plays an incident; `base` has what all cases of a run share."""
    scripts = incident.scripts
    return replace(
        base,
        plan="pass" if incident.plan is None else str(incident.plan),
        script=scripts[0] if scripts else base.script,
        event_ids=incident.settings.get("event_ids", "all"),
        kind="incidents",
        incident=incident.name,
        speed=SPEED,
    )
