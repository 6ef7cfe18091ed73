"""The events of a run as a file, one JSON line each: the part of a shard for `harness merge`.

Layer 6. The first line has the command and the version of the form. Events are written and read by the types that
they have in `engine/events.py`, so a new member of an event needs no line here. A file may come from a stranger: a
member that is missing, unknown or of another type makes it unreadable, in words. Requests and responses are stored
as text, secrets hidden. The shape is published in `schemas/output/events.schema.json`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import structs

from harness import __version__
from harness.engine.capabilities import Capabilities, Capability
from harness.engine.causes import call_of
from harness.engine.decide import THE_BASELINE
from harness.engine.events import (
    CheckFinished,
    PhaseFinished,
    Planned,
    Probed,
    RunEvent,
    RunFinished,
    RunStarted,
    RunStopped,
    TargetInfo,
)
from harness.engine.kill_matrix import RULES as PROOF_RULES
from harness.engine.results import (
    ClientRun,
    DefectRow,
    Evidence,
    KillRow,
    LoggedExchange,
    RecordedPlace,
    Reproduction,
    Result,
    of_kind,
)
from harness.engine.search.failure import RULES, SEARCHED
from harness.engine.shards import ShardPart
from harness.kit.api import Api
from harness.kit.relay import RelayedExchange
from harness.outcome import Finding, Level, Rule, UsageFault
from harness.outcome.words import to_one_line
from harness.report.evidence.curl import EMBEDDED_ROOT, Display, OwnScripts, is_own_command
from harness.report.evidence.evidence_text import logs
from harness.report.presented_result import WIRE_SHOWN
from harness.report.presented_run import PresentedRun
from harness.report.side_by_side.run_file import describe_misfit, find_odd_number, read_report
from harness.wire import Exchange
from harness.wire.mask import hide_secrets

FORM = 1
"""The version of the form; a file of another one is refused."""

_STORED = {
    kind.__name__: kind
    for kind in (RunStarted, Probed, Planned, PhaseFinished, CheckFinished, RunStopped, RunFinished)
}
"""The events that are stored; the others only say how far a run is."""

_EVIDENCE = {kind.__name__: kind for kind in (LoggedExchange, ClientRun, RecordedPlace, KillRow, DefectRow)}
"""The evidence that is stored; an exchange is stored as a `LoggedExchange`."""

_UNSTORED: dict[type, set[str]] = {
    TargetInfo: {"secrets"},
    RunFinished: {"results", "lost"},
    RecordedPlace: {"streams"},
}
"""Members that are not stored: secrets, results that have events of their own, and traffic as it was sent."""

_SHOWN = 60
_LARGEST = 2**128
"""No seed of a run is larger, and no count; a number that is no float would be no part of a sum."""
"""How much of a command is quoted that is not ours."""

_OF_LINES = frozenset(
    {(LoggedExchange, "command"), (Reproduction, "command"), (ClientRun, "stderr"), (TargetInfo, "name")}
    | {(Finding, "expected"), (Finding, "actual")}
)
"""The members whose text may have several lines, such as a client, which is a command; reports quote them."""

_HOW = "run each shard again with --shard K/N --report events=FILE"

# Writing.


def render(state: PresentedRun) -> str:
    """The events of a finished run, a line each."""
    writer = _Writer(state.api, state.display)
    head = {
        "harness": __version__,
        "events": FORM,
        "command": state.presentation.command,
        "started": state.started_text,
        "options": hide_secrets(state.presentation.options(state), state.mask),
    }
    lines = [head, *({"event": type(event).__name__, **writer.write(event)} for event in _list_events(state))]
    return "".join(f"{json.dumps(line)}\n" for line in lines)


def _list_events(state: PresentedRun) -> Iterator[RunEvent]:
    target, finished = state.whole()
    yield RunStarted(target)
    yield Probed(state.capabilities, 0)
    yield state.planned
    yield from state.phases
    yield from map(CheckFinished, finished.results)
    if state.stopped is not None:
        yield state.stopped
    yield finished


@dataclass(frozen=True, slots=True)
class _Writer:
    """Turns values into plain data."""

    api: Api
    display: Display

    def write(self, value: Any) -> Any:
        match value:
            case Capabilities() | list() | tuple() | frozenset():
                return [self.write(item) for item in value]
            case Mapping():
                return {str(name): self.write(item) for name, item in value.items()}
            case Enum():
                return value.value
            case LoggedExchange():
                return {name: getattr(value, name) for name in ("name", "lines", "command", "call", "status")}
        return self._write_members(value) if _has_members(type(value)) else value

    def _write_members(self, value: Any) -> dict[str, Any]:
        """The members that differ from their defaults; evidence has its kind."""
        kind = type(value)
        found = {"is": kind.__name__} if kind.__name__ in _EVIDENCE else {}
        for member in _members_of(kind):
            content = getattr(value, member.name)
            if member.name not in _UNSTORED.get(kind, ()) and content != _default_of(member):
                found[member.name] = self.write(self._convert(value, member.name, content))
        return found

    def _convert(self, value: Any, member: str, content: Any) -> Any:
        """A member as it can be stored: exchanges as text, and the steps of a history as their records."""
        match value, member:
            case Result(), "evidence":
                return self._log(content, value.named)
            case RunStopped(), "evidence":
                return self._log((content,))[0]
            case ShardPart(), "stops":  # of a stop, only the call and its status matter
                return {name: self._to_logged(one) for name, one in content.items()}
            case Reproduction(), "steps":
                return hide_secrets([step.record() for step in content], self.display.mask)
        return content

    def _log(self, evidence: tuple[Evidence, ...], names: tuple[str, ...] = ()) -> tuple[Evidence, ...]:
        """The evidence; what was sent and received as text, by the names that findings give it."""
        texts = logs(evidence, self.display, shown=WIRE_SHOWN)
        called = names or ("",) * len(evidence)
        return tuple(
            structs.replace(self._to_logged(item), name=name or log.name, lines=log.lines, command=log.command)
            if isinstance(item, Exchange | RelayedExchange)
            else item
            for item, log, name in zip(evidence, texts, called, strict=True)
        )

    def _to_logged(self, item: Exchange | RelayedExchange | LoggedExchange) -> LoggedExchange:
        exchange = item.client if isinstance(item, RelayedExchange) else item
        return LoggedExchange("", (), "", call_of(exchange, self.api), exchange.status)


def _has_members(kind: Any) -> bool:
    return is_dataclass(kind) or (isinstance(kind, type) and issubclass(kind, msgspec.Struct))


def _members_of(kind: Any) -> tuple[Any, ...]:
    return fields(kind) if is_dataclass(kind) else msgspec.structs.fields(kind)


def _default_of(member: Any) -> Any:
    if member.default_factory in (MISSING, msgspec.NODEFAULT):
        return member.default
    return member.default_factory


# Reading.


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A run as its file has it; `name` is that of the file, and `options` are what its words depend on besides."""

    name: str
    command: str
    version: str
    options: Mapping[str, Any] = field(default_factory=dict)
    started: datetime | None = None
    target: TargetInfo
    capabilities: Capabilities
    phases: tuple[PhaseFinished, ...]
    results: tuple[Result, ...]
    finished: RunFinished

    @property
    def part(self) -> ShardPart:
        """The part of this shard. Raises UsageFault if the run was no shard."""
        if self.finished.part is None:
            raise UsageFault(
                f"{self.name!r} contains the events of a whole run, but a merge joins shards: "
                "write each of them with --shard K/N --report events=FILE"
            )
        return self.finished.part


def read_events(path: Path, api: Api, mask: Callable[[Any], Any]) -> StoredRun:
    """Read the events of a run. Raises UsageFault if the file holds none.

    `mask` hides secrets in plain data: the author of a file need not know the secrets here.
    """
    name = str(path)
    lines = read_report(path).splitlines()
    if not lines:
        raise UsageFault(f"{name!r} is empty: {_HOW}")
    head = _read_line(name, lines[0])
    if "events" not in head:
        raise UsageFault(f"{name!r} is not a file with the events of a run: {_HOW}")
    if head["events"] != FORM:
        raise UsageFault(
            f"{name!r} stores events in form {str(head['events'])[:20]!r}, and this version reads form {FORM}: "
            "run the shard again with this version"
        )
    if head.get("harness") != __version__:
        raise UsageFault(
            f"{name!r} was written by harness {str(head.get('harness'))[:20]}, and this is {__version__}: "
            "merge with the version that ran the shards"
        )
    with unreadable(name):
        return _to_run(name, mask(head), [mask(_read_line(name, line)) for line in lines[1:]], _Reader(api))


def _to_run(name: str, head: dict[str, Any], records: Sequence[dict[str, Any]], reader: _Reader) -> StoredRun:
    events = [reader.read_event(record) for record in records]
    [started] = of_kind(RunStarted, events)
    [probed] = of_kind(Probed, events)
    results = tuple(event.result for event in of_kind(CheckFinished, events))
    finished = events[-1]
    if not isinstance(finished, RunFinished):
        raise ValueError("its last event is not RunFinished")
    return StoredRun(
        name=name,
        command=str(head["command"]),
        version=str(head["harness"]),
        options=dict(head["options"]),
        started=_read_time(str(head["started"])),
        target=started.target,
        capabilities=probed.capabilities,
        phases=tuple(of_kind(PhaseFinished, events)),
        results=results,
        finished=msgspec.structs.replace(finished, results=results),
    )


@contextmanager
def unreadable(name: str) -> Iterator[None]:
    """Raise UsageFault if what is read in here is not as we write it; `name` is that of the file."""
    try:
        yield
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as wrong:
        raise UsageFault(
            f"{name!r} does not contain the events of a whole run ({describe_misfit(wrong)}): run the shard again"
        ) from None


def _read_line(name: str, line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        is_report = line.strip() == b"{"  # how an indented JSON report begins
        what = (
            "is a JSON report, not the events of a run"
            if is_report
            else "has a line that is cut short or not JSON"
        )
        raise UsageFault(f"{name!r} {what}: {_HOW}") from None
    if not isinstance(record, dict):
        raise UsageFault(f"{name!r} has a line that is not an object: run the shard again")
    if odd := find_odd_number(record):
        raise UsageFault(f"{name!r} contains {odd}, which no run has: run the shard again")
    return record


def _read_time(text: str) -> datetime | None:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) if text else None


class _Reader:
    """Makes values of plain data by the types of their members. Raises ValueError, TypeError or KeyError."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._target = TargetInfo(name="")
        self._scripts = OwnScripts(api, EMBEDDED_ROOT)
        self._rules: dict[str, Rule] | None = None

    def read_event(self, record: dict[str, Any]) -> Any:
        members = {name: item for name, item in record.items() if name != "event"}
        kind = _STORED[record["event"]]
        if kind is RunFinished:
            members["results"] = []
        event = self.read(kind, members)
        if isinstance(event, RunStarted):
            self._target = event.target
        return event

    def read(self, kind: Any, value: Any) -> Any:
        """The value as this type; `is` distinguishes the dataclasses of a union."""
        origin, inside = get_origin(kind), get_args(kind)
        if origin in (Union, UnionType):
            return self._read_union(inside, value)
        if origin is tuple or kind is Capabilities:
            _require(list, value)
            items = (self.read(Capability if kind is Capabilities else inside[0], item) for item in value)
            return Capabilities(items) if kind is Capabilities else tuple(items)
        if origin is not None:
            _require(dict, value)
            return {self.read(inside[0], name): self.read(inside[1], item) for name, item in value.items()}
        if _has_members(kind):
            return self._read_members(kind, value)
        if issubclass(kind, Enum):
            return kind(value)
        _require(int | float if kind is float else kind, value)
        if kind is str:
            return to_one_line(value)
        return _require_amount(kind(value)) if kind in (int, float) else value

    def _read_union(self, kinds: tuple[Any, ...], value: Any) -> Any:
        if value is None and type(None) in kinds:
            return None
        left = [kind for kind in kinds if kind is not type(None)]
        if len(left) > 1:
            left = [_EVIDENCE[value["is"]]] if "is" in value else [LoggedExchange]
        return self.read(left[0], value)

    def _read_members(self, kind: Any, value: Any) -> Any:
        _require(dict, value)
        hints = _hints_of(kind)
        members = {name: item for name, item in value.items() if name != "is"}
        if unknown := members.keys() - hints.keys():
            raise ValueError(f"{kind.__name__} has no member {min(unknown)!r}")
        if kind in (Result, RunStopped):
            self._scripts = OwnScripts(self._api, self._target.url or EMBEDDED_ROOT)
        if kind in (LoggedExchange, Reproduction):
            self._require_own(kind, value.get("command") or "")
        if kind is Reproduction:
            steps = tuple(map(self._read_step, members.pop("steps", [])))
            read = {name: self._read_member(kind, name, hints[name], item) for name, item in members.items()}
            return Reproduction(steps=steps, **read)
        read = {name: self._read_member(kind, name, hints[name], item) for name, item in members.items()}
        if kind is Finding and read.get("code") and not read["code"].startswith(f"{read['rule']}/"):
            raise ValueError(
                f"the finding {read['code'][:_SHOWN]!r} is none of the rule {read['rule'][:_SHOWN]!r}"
            )
        return self._find_rule(Rule(**read)) if kind is Rule else kind(**read)

    def _read_member(self, kind: type, name: str, hint: Any, value: Any) -> Any:
        if (kind, name) in _OF_LINES:
            _require(str, value)
            return value
        return self.read(hint, value)

    def _find_rule(self, stored: Rule) -> Rule:
        """The rule of this version with this id: its words and links are ours, whatever the file has.

        Only an entry of a baseline that names no check has another one.
        """
        if self._rules is None:
            self._rules = {
                rule.id: rule for rule in (*self._api.load_rules().values(), *PROOF_RULES, *RULES, SEARCHED)
            }
            self._rules |= self._api.load_client_model().rules
            with suppress(ImportError):  # of what draws requests
                self._rules |= self._api.load_search().rules
        return self._rules.get(stored.id) or structs.replace(stored, level=Level.MAY, source=THE_BASELINE)

    def _require_own(self, kind: type, command: str) -> None:
        """Raise ValueError for a command that no run writes for its target: a person will copy it."""
        target, is_script = self._target, kind is LoggedExchange
        if command and not (self._scripts.know(command) if is_script else is_own_command(command, target.name)):
            whom = target.url or (EMBEDDED_ROOT if is_script else target.name)
            raise ValueError(f"the command {command[:_SHOWN]!r} is none that harness writes for {whom}")

    def _read_step(self, step: Any) -> Any:
        try:
            return self._api.load_search().read_step(step)
        except ImportError as missing:
            raise UsageFault(f"the shards of a search cannot be read here: {missing}") from None


@cache
def _hints_of(kind: type) -> dict[str, Any]:
    names = {member.name for member in _members_of(kind)} - _UNSTORED.get(kind, set())
    names |= {"results"} if kind is RunFinished else set()
    return {name: hint for name, hint in get_type_hints(kind).items() if name in names}


def _require(kind: Any, value: Any) -> None:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"{str(value)[:40]!r} is not of the type {getattr(kind, '__name__', kind)}")
    if isinstance(value, int) and abs(value) > _LARGEST:
        raise ValueError(f"no run has the number {str(value)[:_SHOWN]}")


def _require_amount(value: float) -> float:
    if not (math.isfinite(value) and value >= 0):  # each number counts or measures something
        raise ValueError(f"{value} is not a number of a run")
    return value
