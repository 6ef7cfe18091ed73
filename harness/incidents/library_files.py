"""Reads the files in `library/`: one for each area, with its incidents in order.

Layer 3.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from harness.documents import load_yaml, read_file
from harness.incidents.incident import Incident
from harness.outcome import UsageFault
from harness.outcome.suggest import did_you_mean

_FOLDER = Path(__file__).parent / "library"


class IncidentArea(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Incidents of a kind."""

    title: str
    incidents: list[Incident]


@cache
def load_areas() -> tuple[IncidentArea, ...]:
    """All areas, most painful first."""
    return tuple(msgspec.convert(_read(path), IncidentArea) for path in sorted(_FOLDER.glob("*.yaml")))


@cache
def load_incidents() -> dict[str, Incident]:
    """All incidents by name, in the order of their files."""
    return {incident.name: incident for area in load_areas() for incident in area.incidents}


def find_incident(name: str) -> Incident:
    """The incident with this name. Raises UsageFault, with a suggestion."""
    known = load_incidents()
    if name not in known:
        hint = did_you_mean(name, known, otherwise=": `harness incidents` lists them")
        raise UsageFault(f"no incident is named {name!r}{hint}")
    return known[name]


def _read(path: Path) -> Any:
    return load_yaml(read_file(path))
