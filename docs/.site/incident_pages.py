"""The library of incidents as Markdown, which follows `docs/incidents.md`."""

from __future__ import annotations

from harness.incidents import load_areas, load_incidents
from harness.incidents.incident import format_modes, format_origin


def format_library() -> str:
    """The overview of each area, then a section for each incident."""
    lines: list[str] = []
    for area in load_areas():
        lines += [f"## {area.title}\n", "| Incident | What happened | Outcome |", "|---|---|---|"]
        for incident in area.incidents:
            title = incident.title.rstrip(".")
            lines.append(f"| [`{incident.name}`](#{incident.name}) | {title} | {incident.follow or '–'} |")
        lines.append("")
    for incident in load_incidents().values():
        lines += [
            f"### {incident.name}\n",
            f"{incident.title}\n",
            f"- On the wire: {incident.wire}",
            f"- What goes wrong: {incident.mistake}",
            f"- A good client {incident.client}",
            f"- To meet it: {incident.meet.words}.",
            f"- {format_modes(incident)}",
            f"- {format_origin(incident)}",
        ]
        if incident.fault and len(incident.fault) < 120 and "$" not in incident.fault:
            lines.append(f"- Fault plan: `{incident.fault}`")
        lines.append("")
    return "\n".join(lines)
