"""An incident: the observation, its place, its certainty and its reproduction, as data and set on a server.

Knows scripts, settings and fault plans; must not know commands or fixtures. `IncidentControl` serves
`/__harness__/incidents`, which makes a running server, or one of its sessions, behave as in an incident, by
requests of the public control API.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import StrEnum
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import msgspec

from harness.contract import PROTOCOL
from harness.contract.transcript import steps_text
from harness.emulator import Emulator
from harness.emulator.scripts import parse
from harness.faults import Plan
from harness.faults import parse as parse_plan
from harness.faults.fault import spell_text
from harness.files import load_yaml, read_file
from harness.kit.client_model import ClientIncident
from harness.outcome import UsageFault
from harness.outcome.words import did_you_mean
from harness.wire import Chunk, Request, Response, Service

MODEL = "gemini-3.8-flash"

SPEED = 2000.0
"""How much faster than the machine's the clock of a socket runs in tests: ten minutes take a third of a second."""


class Encounter(StrEnum):
    """The action by which a client meets an incident; in words, its modes, and what its create asks for."""

    words: str
    modes: tuple[str, ...]
    asks: tuple[str, ...]

    def __new__(cls, name: str, words: str, modes: tuple[str, ...], *asks: str) -> Encounter:
        made = str.__new__(cls, name)
        made._value_, made.words, made.modes, made.asks = name, f"create an interaction{words}", modes, asks
        return made

    CALL = "call", " without streaming", ("create", "background", "poll")
    STREAM = "stream", " and stream it", ("create",), "stream"
    BACKGROUND_STREAM = (
        "background-stream", " with background and stream", ("follow", "background", "create"),
        "background", "stream",
    )  # fmt: skip
    POLL = "poll", " in the background and poll it", ("follow", "poll"), "background"
    TURNS = "turns", ", then another one that continues it", ("chain",)
    CANCEL = "cancel", " in the background and cancel it", ("cancel",), "background"
    DELETE = "delete", " in the background and delete it while it runs", (), "background"


_WITH_TOOLS = {Encounter.BACKGROUND_STREAM: ("follow", "tools"), Encounter.TURNS: ("tools",)}
"""The modes of torture where the create declares a function, which a client does in one mode."""


class Incident(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, dict=True):
    """An incident, as in its file.

    `wire` is the traffic, `mistake` the error of clients, `client` what a correct client does. `related` ones
    happened with another API, and clients of this one can make the same mistake. `follow` is what a client that
    does all it can: `survives` (the whole text), `reports` (an error), or the status of the run; None
    if no single run can show it. `unplayed` is the reason why `harness torture` never uses it. In `fault` and
    `replies`, `$name` stands for one of `texts`.
    """

    name: str
    title: str
    wire: str
    mistake: str
    client: str
    sources: list[str]
    when: str
    certainty: str
    state: str
    meet: Encounter
    unplayed: str = ""
    related: bool = False
    settings: dict[str, Any] = {}
    replies: list[dict[str, Any]] = []
    fault: str = ""
    texts: dict[str, Any] = {}
    request: dict[str, Any] = {}
    follow: str | None = None

    @cached_property
    def plan(self) -> Plan | None:
        """The fault plan; None without one. Raises UsageFault."""
        text = self.fault
        for name in sorted(self.texts, key=len, reverse=True):
            text = text.replace(f"${name}", spell_text(self.text_of(name)))
        return parse_plan(text) if text else None

    @cached_property
    def scripts(self) -> list[dict[str, Any]]:
        """The responses of the emulator; a single one is for all creates."""
        found = [self._fill(reply) for reply in self.replies]
        return [{"times": 0, **found[0]}] if len(found) == 1 else found

    @property
    def answer(self) -> str:
        """The text of the first response; "" if it is the emulator's own."""
        first = self.scripts[0] if self.scripts else {}
        return str(first.get("text", "")) or steps_text(first.get("steps", ()))

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of a create that runs into the incident."""
        model = {} if "agent" in self.request else {"model": MODEL}
        return {**model, "input": "Go.", **dict.fromkeys(self.meet.asks, True), **self.request}

    @property
    def modes(self) -> tuple[str, ...]:
        """The modes (`harness torture --mode`) in which a client meets the incident.

        A client that only follows an interaction does not meet an incident of a create.
        """
        if self.unplayed:
            return ()
        modes = _WITH_TOOLS.get(self.meet, ()) if "tools" in self.request else self.meet.modes
        given = self.follow != "reports" and not any("hidden" in script for script in self.scripts)
        return tuple(mode for mode in modes if mode != "follow" or given)

    def to_client_incident(self) -> ClientIncident:
        return ClientIncident(
            name=self.name,
            title=self.title,
            modes=self.modes,
            plan="pass" if self.plan is None else str(self.plan),
            script=self.scripts[0] if self.scripts and self._refusal is None else None,
            refusal=self._refusal,
            settings=self.settings,
            hopeless=self.follow in ("reports", "in_progress"),
            speed=SPEED,
        )

    @property
    def _refusal(self) -> dict[str, Any] | None:
        """The answer to turns that name the one before; None if they are not refused."""
        last = self.scripts[-1] if self.scripts else {}
        refused = last.get("match") == {"previous": True} and "refuse" in last
        return {"refuse": last["refuse"]} if refused else None

    def text_of(self, name: str) -> str:
        value = self.texts[name]
        return str(value["repeat"]) * int(value["times"]) if isinstance(value, Mapping) else str(value)

    def apply_to(self, emulator: Emulator) -> None:
        """Make an emulator respond as in the incident. Its fault plan is not the emulator's: see `plan`."""
        emulator.change(**self.settings)
        for script in self.scripts:
            emulator.script(parse(script))

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data, with the scripts and the plan written out."""
        kept = {name: getattr(self, name) for name in self.__struct_fields__ if name not in ("texts", "replies")}
        plan = None if self.plan is None else str(self.plan)
        return {**kept, "meet": str(self.meet), "fault": plan, "replies": self.scripts, "request": self.fields}

    def _fill(self, value: Any) -> Any:
        """A value of a script, with its texts in place of their names."""
        if isinstance(value, str) and value[:1] == "$" and value[1:] in self.texts:
            return self.text_of(value[1:])
        if isinstance(value, list):
            return [self._fill(item) for item in value]
        if isinstance(value, dict):
            return {key: self._fill(item) for key, item in value.items()}
        return value


# Reads the files in `library/`: one for each area, with its incidents in order.


_FOLDER = Path(__file__).parent / "library"


class IncidentArea(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Incidents of a kind."""

    title: str
    incidents: list[Incident]


@cache
def load_areas() -> tuple[IncidentArea, ...]:
    """All areas, most painful first."""
    return tuple(
        msgspec.convert(load_yaml(read_file(path)), IncidentArea) for path in sorted(_FOLDER.glob("*.yaml"))
    )


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


_PATH = re.compile(r"((?:/__harness__/sessions/[^/?]+)?/__harness__)/incidents/?(?:\?.*)?")


class IncidentControl:
    """A `Service` around a server with a control API.

    `GET` answers `{"incidents": [{"name", "title", "meet", "follow"}]}`. `POST {"name": …}` sets settings, scripts
    and fault plan, and answers with the whole incident, of which `request` is the create that meets it.
    """

    def __init__(self, service: Service) -> None:
        self._service = service

    def __call__(self, request: Request) -> Response:
        """Answer a request for incidents, and pass on any other."""
        found = _PATH.fullmatch(request.target)
        if found is None:
            return self._service(request)
        if request.method == "GET":
            shown = ("name", "title", "meet", "follow")
            listed = [{name: getattr(one, name) for name in shown} for one in load_incidents().values()]
            return _answer({"incidents": listed})
        if request.method != "POST":
            return PROTOCOL.refuse(405, "method_not_allowed", f"{request.method}: use POST or GET here.")
        try:
            incident = find_incident(json.loads(request.body)["name"])
        except UsageFault as wrong:
            return PROTOCOL.refuse(400, "invalid_request", str(wrong))
        except (ValueError, LookupError, TypeError, RecursionError):
            return PROTOCOL.refuse(
                400, "invalid_request", 'Write {"name": "stale-chain-id"}, see docs/incidents.md.'
            )
        control = found[1]  # the path of the control API, which is asked for what the incident needs
        asked: list[tuple[str, Any]] = []
        if incident.settings:
            asked.append(("settings", incident.settings))
        if incident.scripts:
            asked.append(("scripts", incident.scripts))
        if incident.plan is not None:
            asked.append(("faults", {"plan": str(incident.plan)}))
        for path, body in asked:
            done = self._service(Request("POST", f"{control}/{path}", request.headers, json.dumps(body).encode()))
            if done.status != 200:
                return done
            for piece in done.body:
                if not isinstance(piece, Chunk):
                    break
            done.body.close()
        return _answer(incident.to_dict())


def _answer(value: Any) -> Response:
    return Response.json(200, json.dumps(value, ensure_ascii=False).encode())
