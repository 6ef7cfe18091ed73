"""Writes `docs/incidents.md` from the library: `python -m harness.incidents.page [FILE]`.

Layer 3.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from harness.incidents.incident import WORDS, Incident
from harness.incidents.library_files import load_areas

PAGE = Path(__file__).resolve().parents[2] / "docs" / "incidents.md"
_WIDTH = 120

_INTRODUCTION = """\
# Incidents

What really went wrong for users of the Interactions API, as scenarios that can be played. This page is written
from the data in `harness/incidents/library` by `python -m harness.incidents.page`.

```console
$ harness incidents                                   # all of them, by area
$ harness incidents stream-cut-at-600s                # one in full
$ harness serve --incident stream-cut-at-600s --speed 60x
$ harness torture --incidents -- node client.mjs      # those that a client meets in its mode
```

```python
# test_incidents.py
import pytest
from harness.resume import follow


@pytest.mark.interactions_incident("clean-end-mistaken-for-end", "event-ids-sparse-or-none")
def test_survives(interactions_incident, interactions_client):
    stream = follow(interactions_client, create=interactions_incident.fields)
    for event in stream:
        pass
    interactions_incident.assert_outcome(stream.text)
```

The test runs once for each name. `interactions_incident.fields` are those of the create that meets the incident,
`incident` has all that is known of it, and `assert_outcome` takes the text, the status, the interaction or the
exception with which the code under test ended. A test in which nothing of the incident happened fails. Time is
logical: ten minutes of the service take less than a second.

Over HTTP, `POST /__harness__/incidents` with `{"name": "stale-chain-id"}` makes a server or one of its sessions
behave so; `GET` lists the names ([control.md](control.md)).

What an incident does happens to the next request of its kind, once, and a request that is refused counts: send the
key from the start. To have it again, name it again, or start the server anew.

**Certainty.** *verbatim*: the payload was published. *described*: it was described precisely. *seen in code*: a
client guards against it. *Related* incidents happened with another API; clients of this one can make the same
mistake. All sources were read, and nothing was tried with the live service.

**Outcome** is what the best possible client ends up with: it *survives* with the whole answer, it *reports* an
error because the answer cannot be had, or it shows the status that the run has. A test holds `harness.resume` to
it. What no single run can show has none.

`harness torture --incidents` plays what a client meets in its mode ([torture.md](torture.md#modes)); an incident
that it does not play says why. [clients.md](clients.md) has who survives which.
"""


def format_page() -> str:
    """The whole page."""
    return "\n".join([_INTRODUCTION, *_write_overview(), *_write_sections()])


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
        return f"Not played by `harness torture`: {incident.unplayed}"
    return f"Played by `harness torture --incidents` in the modes {', '.join(incident.modes)}."


def format_origin(incident: Incident) -> str:
    """Where an incident comes from, in a line."""
    related = " Related." if incident.related else ""
    seen = f"Seen: {incident.when} ({incident.certainty}), {'; '.join(incident.sources)}."
    return f"{seen} State: {incident.state}.{related}"


def main() -> None:
    """Write the page."""
    (Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE).write_text(format_page(), encoding="utf-8")


if __name__ == "__main__":
    main()
