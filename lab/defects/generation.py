"""Draws defects from the traffic of one clean run, and legal oddities in the same way.

Every member, event, status, request field and route in it is a place for each operator that changes
it. The table `survivors.yaml` has the reasons why a defect may survive, as patterns over defects.
Must not know which checks exist.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from harness.contract.tables.protocol import STATUSES
from harness.wire.bodies import object_or_none
from lab.defects import edits
from lab.defects.edits import ODDITIES
from lab.defects.scenes import (
    BODY,
    ELSEWHERE,
    EVENT,
    EVERY,
    MODES,
    ODDITY,
    REQUEST,
    ROUTE,
    STATUS,
    STREAM,
    WHENS,
    Scene,
    WireDefect,
)
from lab.defects.wrapped_service import CleanExchange, DefectRun, subject_of

FILE = Path(__file__).with_name("survivors.yaml")

LEGAL, UNSEEN, TOLERATED = KINDS = ("legal", "unseen", "tolerated")
"""The kinds of reasons: the API allows it, no client can tell, or a MUST rule accepts it with a warning."""

_PLACES = ("part", "operator", "field", "value", "call", "mode", "moment", "when")


@dataclass(frozen=True, slots=True)
class Excuse:
    """One entry: the defects that it covers, and the sentence that excuses them."""

    name: str
    kind: str
    because: str
    patterns: Mapping[str, tuple[str, ...]]

    def covers(self, record: Mapping[str, Any]) -> bool:
        """Whether a defect, given as its record, is one of these."""
        return all(
            any(fnmatch.fnmatchcase(str(record[place]), glob) for glob in globs)
            for place, globs in self.patterns.items()
        )


def read_excuses(table: Mapping[str, Any]) -> tuple[Excuse, ...]:
    """Return the entries of a table. Raises ValueError for an entry that is wrong."""
    found = []
    for name, row in table.items():
        unknown = set(row) - {*_PLACES, "kind", "because"}
        if unknown or row.get("kind") not in KINDS or not row.get("because", "").endswith("."):
            raise ValueError(
                f"survivors.yaml: {name!r} needs `kind` ({' or '.join(KINDS)}), `because` (a sentence) and "
                f"patterns for {', '.join(_PLACES)}; it has {', '.join(row)}"
            )
        patterns = {
            place: tuple(map(str, row[place] if isinstance(row[place], list) else [row[place]]))
            for place in _PLACES
            if place in row
        }
        found.append(Excuse(name, row["kind"], row["because"], patterns))
    return tuple(found)


@cache
def _load() -> Mapping[str, Any]:
    table: Mapping[str, Any] = yaml.safe_load(FILE.read_bytes())
    return table


@cache
def load_excuses() -> tuple[Excuse, ...]:
    """Return the entries of the package."""
    return read_excuses(_load()["survivors"])


def load_floors() -> dict[str, float]:
    """Return the least shares in percent that a score must reach, by name."""
    return {str(name): float(floor) for name, floor in _load()["floors"].items()}


def find_excuse(defect: WireDefect, *, warned: bool = False) -> Excuse | None:
    """Return the first entry that covers a defect, which a check `warned` of or which survived."""
    record = defect.to_record()
    fitting = (reason for reason in load_excuses() if (reason.kind == TOLERATED) is warned)
    return next((reason for reason in fitting if reason.covers(record)), None)


_HTTP = (200, 201, 204, 302, 400, 401, 403, 404, 409, 429, 500, 503)
_MOST_VALUES = 2
_IN_BODIES = ("dropped", "emptied", "retyped", "stale", "of a neighbor")
_IN_STREAMS = ("lost", "doubled", "swapped", "merged", "late", "renamed")
_IN_REQUESTS = ("ignored", "refused", "cut")
_IN_ROUTES = ("of a moment ago", "of another id", "of another key")


def generate(traffic: Iterable[CleanExchange]) -> list[WireDefect]:
    """Return every defect that the traffic allows, in a stable order, each once for each time to act."""
    listed = list(traffic)
    of_scene: dict[Scene, list[CleanExchange]] = defaultdict(list)
    for seen in listed:
        of_scene[seen.scene].append(seen)

    @cache
    def find_values(scene: Scene, kind: str) -> list[tuple[CleanExchange, Any]]:
        return [(seen, value) for seen in of_scene[scene] for value in _values_of(seen, kind)]

    once = [defect for defect in dict.fromkeys(_generate(listed)) if _acts(defect, find_values, listed)]
    return [replace(defect, when=when, seed=zlib.crc32(defect.id.encode())) for defect in once for when in WHENS]


def generate_oddities() -> list[WireDefect]:
    """Return every oddity, for all exchanges and for each mode."""
    return [
        WireDefect(ODDITY, name, Scene("", mode, ""), when=when, seed=number)
        for number, name in enumerate(ODDITIES)
        for mode in ("", *MODES, ELSEWHERE)
        for when in (WHENS if ODDITIES[name].at_any_time else (EVERY,))
    ]


def touches(defect: WireDefect, scene: Scene) -> bool:
    """Whether a defect could act on an exchange of this scene."""
    return defect.scene.mode in ("", scene.mode) if defect.part == ODDITY else defect.scene == scene


def draw(defects: Sequence[WireDefect], number: int, seed: int) -> list[WireDefect]:
    """Return a sample that takes from each mode and each operator alike, in the order of `defects`."""

    # By name and not by place: traffic that a new check adds leaves most of a sample as it was before.
    def place(defect: WireDefect) -> bytes:
        return hashlib.sha256(f"{seed} {defect.id}".encode()).digest()

    groups: dict[tuple[str, str, str], list[WireDefect]] = defaultdict(list)
    for defect in sorted(defects, key=place):
        groups[defect.scene.mode, defect.part, defect.operator].append(defect)
    chosen: set[WireDefect] = set()
    waiting = list(groups.values())
    while waiting and len(chosen) < number:
        for group in waiting:
            if len(chosen) < number:
                chosen.add(group.pop())
        waiting = [group for group in waiting if group]
    return [defect for defect in defects if defect in chosen]


def _generate(traffic: list[CleanExchange]) -> Iterator[WireDefect]:
    known = _collect_values(traffic)
    for seen in traffic:
        if not seen.scene.call:
            continue
        yield from _generate_statuses(seen)
        yield from _generate_requests(seen)
        if seen.frames is not None:
            yield from _generate_stream(seen.scene, seen.frames, known)
        elif isinstance(seen.value, dict):
            for path, value in edits.list_paths(seen.value):
                yield from _change_member(BODY, seen.scene, path, value, known)


def _acts(
    defect: WireDefect,
    find_values: Callable[[Scene, str], list[tuple[CleanExchange, Any]]],
    whole: list[CleanExchange],
) -> bool:
    """Whether a defect that needs an earlier exchange finds one: a run is the clean one until the defect acts."""
    if defect.operator in ("stale", "of a neighbor"):
        kind, _, path = defect.field.rpartition(": ")
        run = DefectRun(defect)
        values = find_values(defect.scene, kind)
        return any(run.edit_value(tuple(path.split(".")), one, subject_of(seen, one)) for seen, one in values)
    if defect.operator == "of a moment ago":
        return _finds_another_answer(defect, whole)
    if defect.part == STREAM and defect.operator in ("swapped", "late"):
        return defect.field != "[DONE]"
    return True


def _finds_another_answer(defect: WireDefect, whole: list[CleanExchange]) -> bool:
    known: dict[tuple[str, str], Any] = {}
    for seen in whole:
        key = (seen.request.method, seen.request.target)
        if seen.scene == defect.scene and known.get(key, seen.value) != seen.value:
            return True
        known[key] = seen.value
    return False


def _values_of(seen: CleanExchange, kind: str) -> Iterator[Any]:
    if seen.frames is None:
        yield seen.value
    else:
        yield from (payload for payload in map(edits.payload_of, seen.frames) if edits.type_of(payload) == kind)


def _change_member(
    part: str, scene: Scene, path: edits.Path, value: Any, known: Mapping[str, list[Any]], kind: str = ""
) -> Iterator[WireDefect]:
    name = f"{kind}: {edits.format_path(path)}" if kind else edits.format_path(path)
    for operator in _IN_BODIES:
        yield WireDefect(part, operator, scene, name)
    others = _list_others(path[-1], value, known)
    for other in others if path[-1] == "status" else others[:_MOST_VALUES]:
        yield WireDefect(part, "replaced", scene, name, json.dumps(other))


def _list_others(name: str, value: Any, known: Mapping[str, list[Any]]) -> list[Any]:
    """The values that a member could have instead of its own."""
    if name == "status" and value in STATUSES:
        return sorted(STATUSES - {value})
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1]
    return [other for other in known.get(name, ()) if other != value and type(other) is type(value)]


def _generate_stream(scene: Scene, frames: list[bytes], known: Mapping[str, list[Any]]) -> Iterator[WireDefect]:
    for block in frames:
        payload = edits.payload_of(block)
        kind = edits.type_of(payload) if payload is not None else "[DONE]"
        for operator in _IN_STREAMS:
            yield WireDefect(STREAM, operator, scene, kind)
        for path, value in edits.list_paths(payload):
            yield from _change_member(EVENT, scene, path, value, known, kind)


def _generate_statuses(seen: CleanExchange) -> Iterator[WireDefect]:
    for other in _HTTP:
        if other != seen.status:
            yield WireDefect(STATUS, "replaced", seen.scene, str(seen.status), str(other))


def _generate_requests(seen: CleanExchange) -> Iterator[WireDefect]:
    names = [f"?{name}" for name, _ in seen.request.query]
    names += [edits.format_path(path) for path, _ in edits.list_paths(object_or_none(seen.request.body))]
    for name in names:
        for operator in _IN_REQUESTS:
            yield WireDefect(REQUEST, operator, seen.scene, name)
    for operator in _IN_ROUTES:
        if seen.frames is None or operator != "of a moment ago":
            yield WireDefect(ROUTE, operator, seen.scene)


def _collect_values(traffic: list[CleanExchange]) -> dict[str, list[Any]]:
    """The scalars that each member had anywhere, by its name."""
    known: dict[str, dict[str, Any]] = defaultdict(dict)
    for seen in traffic:
        values = [seen.value] if seen.frames is None else map(edits.payload_of, seen.frames)
        for value in values:
            for path, member in edits.list_paths(value):
                if isinstance(member, str | int | float) and len(known[path[-1]]) <= _MOST_VALUES:
                    known[path[-1]][json.dumps(member)] = member
    return {name: list(found.values()) for name, found in known.items()}
