"""Where an exchange belongs (the call, the mode of its interaction, the moment in its life), and a defect there.

A `SceneTracker` knows only what passes on the wire, and a `WireDefect` is a value: what is changed, in
which scene, and when; `wrapped_service` puts it on the wire. Must not know what is right or wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from harness.contract.requests import named_interaction, status_of
from harness.contract.tables.protocol import CREATE, GET, RUNNING, operation_of
from harness.wire import Request
from harness.wire.bodies import object_or_none

PLAIN, STREAMED, BACKGROUND, BACKGROUND_STREAMED, RESUMED, CHAINED = MODES = (
    "plain", "streamed", "background", "background streamed", "resumed", "chained",
)  # fmt: skip
"""The ways in which a client gets an interaction."""

ELSEWHERE = "other resource"
"""The mode of an exchange that is not about an interaction."""

AT_ONCE, RUNS, ENDED, DELETED, SECOND_KEY, TOGETHER = MOMENTS = (
    "at once", "while running", "after the end", "after delete", "second key", "two at a time",
)  # fmt: skip
"""The moments at which a client looks."""


class Scene(NamedTuple):
    """The place of one exchange; `call` is empty if the request is for no operation of the API."""

    call: str
    mode: str
    moment: str


class SceneTracker:
    """Follows the traffic of one run of checks; `open_bodies` counts the responses that are still being read."""

    def __init__(self, key_header: str, other_key: str) -> None:
        self._key_header = key_header
        self._other_key = other_key
        self._modes: dict[str, str] = {}
        self._settled: set[str] = set()
        self._deleted: set[str] = set()
        self.open_bodies = 0

    def find_scene(self, request: Request) -> Scene:
        """Return the scene of a request, before its response."""
        operation = operation_of(request)
        call = operation.call if operation is not None else ""
        if not call.partition(" ")[2].startswith("interactions"):
            return Scene(call, ELSEWHERE, self._find_moment(request, AT_ONCE))
        if call == CREATE:
            return Scene(call, mode_of(object_or_none(request.body) or {}), self._find_moment(request, AT_ONCE))
        name = named_interaction(request)
        mode = RESUMED if request.parameter("stream") == "true" else self._modes.get(name, PLAIN)
        if name in self._deleted:
            return Scene(call, mode, DELETED)
        runs = name in self._modes and name not in self._settled
        return Scene(call, mode, self._find_moment(request, RUNS if runs else ENDED))

    def _find_moment(self, request: Request, otherwise: str) -> str:
        if request.headers.get(self._key_header) == self._other_key:
            return SECOND_KEY
        return TOGETHER if self.open_bodies else otherwise

    def note_body(self, scene: Scene, request: Request, status: int, value: Any) -> Scene:
        """Learn from a JSON response, and return the scene that it shows: a look at a run may find it settled."""
        if not isinstance(value, Mapping) or scene.mode == ELSEWHERE or not 200 <= status < 300:
            return scene
        if scene.call.startswith("DELETE"):
            self._deleted.add(named_interaction(request))
        self.note_value(scene, value)
        found = status_of(value)
        if found is not None and scene.call.startswith("GET") and scene.moment in (RUNS, ENDED):
            return scene._replace(moment=RUNS if found[1] in RUNNING else ENDED)
        return scene

    def note_value(self, scene: Scene, value: Mapping[str, Any]) -> None:
        """Learn from an interaction or an event: its id, and whether it is settled."""
        found = status_of(value)
        if found is None or not found[0]:
            return
        name, status = found
        if scene.call == CREATE:
            self._modes.setdefault(name, scene.mode)
        if status not in RUNNING:
            self._settled.add(name)


def mode_of(create: Mapping[str, Any]) -> str:
    """Return the mode that the body of a create asks for."""
    streams, background = create.get("stream") is True, create.get("background") is True
    if create.get("previous_interaction_id"):
        return CHAINED
    if background:
        return BACKGROUND_STREAMED if streams else BACKGROUND
    return STREAMED if streams else PLAIN


def explain_cell(mode: str, moment: str, calls: frozenset[tuple[str, bool]]) -> str:
    """Return in one word why a rule cannot be judged in a cell, or `open` if it could be.

    `calls` are those that the rule is judged on elsewhere, each with whether its response is a stream.
    """
    own = {(call, streams) for call, streams in calls if call.partition(" ")[2].startswith("interactions")}
    if not own:
        return "unseen" if not calls else "resource"
    if (mode, moment) in _IMPOSSIBLE:
        return _IMPOSSIBLE[mode, moment]
    looks = {(call, streams) for call, streams in own if call != CREATE}
    of_create = _explain_create(mode, {streams for call, streams in own if call == CREATE})
    if moment == AT_ONCE:
        return of_create
    if mode == RESUMED:
        return "open" if (GET, True) in looks else "call"
    is_looked_at = any(not streams for _, streams in looks)
    is_created = of_create == "open" and moment not in (RUNS, ENDED, DELETED)
    return "open" if is_looked_at or is_created else "call"


def _explain_create(mode: str, creates: set[bool]) -> str:
    if not creates:
        return "call"
    streams = mode in (STREAMED, BACKGROUND_STREAMED, CHAINED)
    return "open" if streams or False in creates else "form"  # what holds of a body may hold of a stream, too


_IMPOSSIBLE = {
    (PLAIN, RUNS): "blocking",  # its id is known only when it has ended
    (RESUMED, AT_ONCE): "create",  # only a create returns at once
}
"""Cells that no exchange can be in, and why."""


EVERY, FIRST, RANDOM = WHENS = ("every time", "first time", "at random")

BODY, EVENT, STREAM, STATUS, REQUEST, ROUTE, ODDITY = (
    "field", "event field", "event", "status", "request field", "route", "oddity",
)  # fmt: skip
"""What a defect changes; an oddity changes what a legal server may write in another way."""


@dataclass(frozen=True, slots=True)
class WireDefect:
    """One defect; hashable, so that it can be sent between processes.

    `field` is what the operator changes: the path of a member, `type: path` for a member of an event, the type of
    an event, an HTTP status, or a query parameter. `value` is what replaces it, as JSON.
    """

    part: str
    operator: str
    scene: Scene
    field: str = ""
    value: str = ""
    when: str = EVERY
    seed: int = 0

    @property
    def id(self) -> str:
        """All that distinguishes it from others, in one line."""
        what = " ".join(filter(None, (self.operator, self.part, self.field)))
        given = f" to {self.value}" if self.value else ""
        place = " | ".join((self.scene.call or "all calls", self.scene.mode, self.scene.moment))
        return f"{what}{given} | {place} | {self.when}"

    @property
    def target(self) -> str:
        """The field that a score is kept for."""
        return f"{self.part} {self.field}".strip()

    def to_record(self) -> dict[str, Any]:
        """The defect as members of a report."""
        call, mode, moment = self.scene
        return {
            "operator": self.operator,
            "part": self.part,
            "field": self.field,
            "value": self.value,
            "call": call,
            "mode": mode,
            "moment": moment,
            "when": self.when,
            "seed": self.seed,
        }
