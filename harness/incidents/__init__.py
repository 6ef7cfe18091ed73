"""Incidents: documented production failures of the API, as named scenarios.

`load_incidents()` returns all of them; `Incident.apply_to(emulator)` makes an emulator behave so. The data are the
YAML files in `library/`, which the site shows below `docs/incidents.md`.
"""

from harness.incidents.incident import (
    SPEED,
    Encounter,
    Incident,
    IncidentArea,
    find_incident,
    load_areas,
    load_incidents,
)

__all__ = ["Incident", "Encounter", "SPEED", "IncidentArea", "load_incidents", "load_areas", "find_incident"]
