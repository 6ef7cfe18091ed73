"""The library of incidents as Markdown: on the site it follows what `docs/incidents.md` says. Layer 3."""

from __future__ import annotations

from collections.abc import Iterator

from harness.incidents.incident import WORDS, Incident, load_areas

_WIDTH = 120


def format_library() -> str:
    """The overview of each area, then a section for each incident."""
    return "\n".join([*_write_overview(), *_write_sections()])


def _write_overview() -> Iterator[str]:
    for area in load_areas():
        yield f"## {area.title}\n"
        yield "| Incident | What happened | Outcome |"
        yield "|---|---|---|"
        for incident in area.incidents:
            title = incident.title.rstrip(".")
            yield f"| [`{incident.name}`](#{incident.name}) | {title} | {incident.follow or '–'} |"
        yield ""


def _write_sections() -> Iterator[str]:
    for area in load_areas():
        for incident in area.incidents:
            yield from _write_section(incident)


def _write_section(incident: Incident) -> Iterator[str]:
    yield f"### {incident.name}\n"
    yield f"{incident.title}\n"
    yield f"- On the wire: {incident.wire}"
    yield f"- What goes wrong: {incident.mistake}"
    yield f"- A good client {incident.client}"
    yield f"- To meet it: {WORDS[incident.meet]}."
    yield f"- {format_modes(incident)}"
    yield f"- {format_origin(incident)}"
    if incident.fault and len(incident.fault) < _WIDTH and "$" not in incident.fault:
        yield f"- Fault plan: `{incident.fault}`"
    yield ""


def format_modes(incident: Incident) -> str:
    """The modes in which a client meets an incident, or why there are none, in a line."""
    if incident.unplayed:
        return f"Not run by `harness torture`: {incident.unplayed}"
    return f"Run by `harness torture --incidents` in the modes {', '.join(incident.modes)}."


def format_origin(incident: Incident) -> str:
    """Where an incident comes from, in a line."""
    related = " Related." if incident.related else ""
    seen = f"Seen: {incident.when} ({incident.certainty}), {'; '.join(incident.sources)}."
    return f"{seen} State: {incident.state}.{related}"
