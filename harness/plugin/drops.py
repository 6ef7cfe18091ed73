"""Streams that drop: one test, or one turn of a loop, for each cut of a stream that is known beforehand.

Layer 6. What a test's marker asks for becomes cases here; what happens at a cut is `harness.faults`', what is
right afterwards `once`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from harness.contract import PROTOCOL
from harness.faults import cut, every_byte, every_event, parse, structural
from harness.outcome import UsageFault
from harness.plugin.once import events_in, judge
from harness.plugin.results import assembled, steps_text
from harness.plugin.served import InteractionsEmulator
from harness.plugin.sleeps import Sleeps
from harness.plugin.witness import Witness
from harness.wire import Chunk, Headers, Request, Response, Service

TEXT = "A text in several pieces: déjà vu, 東京 and 🦊, to the very end."
MOST_REQUESTS = 60
"""Requests for one dropped stream: who resumes sensibly needs three."""

ENUMERATIONS = {"every-event": every_event, "structural": structural, "every-byte": every_byte}
EVENT_IDS = ("all", "deltas", "sparse", "none")
_MODES = ("tests", "loop")
_OPTIONS = ("cuts", "endings", "script", "cassette", "event_ids", "resume", "mode")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One stream and what it suffers: `plan` in the grammar of docs/faults.md."""

    plan: str
    event_ids: str = "all"
    resume: str = "exclusive"
    script: Mapping[str, Any] = field(default_factory=lambda: {"text": TEXT}, hash=False)
    cassette: str | None = None

    def __str__(self) -> str:
        marks = [self.plan]
        if self.event_ids != "all":
            marks.append(f"ids={self.event_ids}")
        if self.resume != "exclusive":
            marks.append(self.resume)
        return "-".join(marks)


@dataclass(frozen=True, slots=True)
class Loop:
    """Many cases in one test."""

    cases: tuple[Case, ...]

    def __str__(self) -> str:
        return f"{len(self.cases)} cuts"


def parameters(definition: Any, seed: int = 0) -> list[Case | Loop]:
    """What the `interactions_dropped` marker of a test asks for. Raises UsageFault."""
    marker = definition.get_closest_marker("interactions_dropped")
    options = dict(marker.kwargs) if marker is not None else {}
    if marker is not None and marker.args:
        raise UsageFault("interactions_dropped takes its options by name: cuts='every-event', endings=['rst'], …")
    mode = options.pop("mode", "tests")
    if mode not in _MODES:
        raise UsageFault(f"interactions_dropped(mode={mode!r}): write {' or '.join(map(repr, _MODES))}")
    if options.get("cassette") is not None:
        options["cassette"] = str(Path(definition.path).parent / options["cassette"])
    cases = cases_of(seed=seed, **_known(options))
    return [Loop(tuple(cases))] if mode == "loop" else list(cases)


def cases_of(
    *,
    cuts: str | Sequence[str] = "every-event",
    endings: Sequence[str] = ("rst", "end"),
    script: Mapping[str, Any] | None = None,
    cassette: str | None = None,
    event_ids: str | Sequence[str] = "all",
    resume: str = "exclusive",
    seed: int = 0,
) -> list[Case]:
    """A case for each cut, ending and setting of event ids; `cuts` names an enumeration or lists whole plans."""
    base = Case(plan="pass", resume=resume, script=script or {"text": TEXT}, cassette=cassette)
    settings = (event_ids,) if isinstance(event_ids, str) else tuple(event_ids)
    return [case for ids in settings for case in _cases(replace(base, event_ids=ids), cuts, endings, seed)]


def _cases(base: Case, cuts: str | Sequence[str], endings: Sequence[str], seed: int) -> Iterator[Case]:
    if not isinstance(cuts, str):
        for plan in cuts:
            yield replace(base, plan=str(parse(plan)))
        return
    if cuts not in ENUMERATIONS:
        raise UsageFault(f"cuts={cuts!r} is none of {', '.join(ENUMERATIONS)}; or give a list of fault plans")
    for place in ENUMERATIONS[cuts](whole_stream(base, seed)):
        for ending in endings:
            yield replace(base, plan=str(parse(f"{place},{ending}")))


def whole_stream(case: Case, seed: int = 0) -> bytes:
    """The bytes of the stream without any fault."""
    if case.cassette is not None:
        from harness.plugin.recorded import stream_of

        return stream_of(case.cassette).data
    emulator = InteractionsEmulator(seed=seed, event_ids=case.event_ids)
    emulator.script(case.script)
    return _read(emulator.emulator, emulator.create()["id"])


class DroppedStream:
    """The stream of interaction `id`, dropped as `plan` says; iterate over it with `mode="loop"`.

    In a loop each turn is a stream of its own over one interaction that has ended, so that thousands are cheap.
    """

    def __init__(self, emulator: InteractionsEmulator, wanted: Case | Loop, nodeid: str = "") -> None:
        self.emulator = emulator
        self._nodeid = nodeid
        self._cases = wanted.cases if isinstance(wanted, Loop) else (wanted,)
        self._loop = isinstance(wanted, Loop)
        self._source = _Source(emulator, self._cases[0]) if self._cases else None
        if not self._loop:
            self._begin(self._cases[0])

    def _begin(self, case: Case) -> None:
        if self._source is None or not self._source.serves(case):
            self._source = _Source(self.emulator, case)
        source = self._source
        self.case = case
        self.id = source.id
        if self._loop:
            source.whole  # noqa: B018 - reading it through lets the run end
        self._witness = Witness(cut(source.service, case.plan, PROTOCOL))
        self.emulator.service = self._witness
        self.emulator.forget()
        self.emulator.limit = MOST_REQUESTS
        self.emulator.explain = lambda: f"the stream was dropped at {case}"

    def __iter__(self) -> Iterator[DroppedStream]:
        """One turn for each cut."""
        for case in self._cases:
            self._begin(case)
            yield self

    @property
    def plan(self) -> str:
        """What the connections suffer, in the grammar of docs/faults.md."""
        return self.case.plan

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of the whole stream; asking lets the run come to its end."""
        assert self._source is not None
        return self._source.whole_of(self._created())

    @property
    def text(self) -> str:
        """The text that the client must end up with."""
        return steps_text(assembled(self.events))

    def assert_seen_once(self, collected: Any) -> None:
        """What the code under test ended with (text, events, or interaction) is the whole, once and in order."""
        __tracebackhide__ = True
        problem = judge(self.events, collected, self._witness.seen)
        if problem:
            raise AssertionError(self._message(problem))

    def assert_patient(self, sleeps: Sleeps, *, least: float = 0.1) -> None:
        """Between connections that brought nothing new the client waited (with `interactions_no_sleep`)."""
        __tracebackhide__ = True
        empty = [one for one in self._witness.streams if not one.events()]
        if len(empty) > 1 and sleeps.total < least * (len(empty) - 1):
            problem = f"asked {len(empty)} times in vain and slept {sleeps.total:g} s in all: it needs a delay"
            raise AssertionError(self._message(problem))

    def _message(self, problem: str) -> str:
        groups = [(line, len(list(same))) for line, same in groupby(map(str, self._witness.seen))]
        wire = "\n    ".join(f"{line} ({times} times)" if times > 1 else line for line, times in groups)
        lines = [f"dropped at {self.case}, the client {problem}.", f"  on the wire:\n    {wire or 'nothing'}"]
        if self._nodeid and not self._loop:
            lines.append(f"  this one again:  pytest '{self._nodeid}'")
        elif self._loop:
            lines.append(f"  this one alone:  @pytest.mark.interactions_dropped(cuts=[{self.plan!r}])")
        return "\n".join(lines)

    def _created(self) -> str:
        """The interaction that the client created itself, if it did, else the one it was given."""
        for one in self._witness.seen:
            if one.request.method == "POST" and one.request.segments[-1:] == ("interactions",):
                for event in one.events():
                    if found := PROTOCOL.stream_id(event):
                        return found
        return self.id


class _Source:
    """The service and the interaction behind some cases that differ only in their plans."""

    def __init__(self, emulator: InteractionsEmulator, case: Case) -> None:
        self._key = (case.event_ids, case.resume, case.cassette)
        self._whole: dict[str, list[dict[str, Any]]] = {}
        if case.cassette is not None:
            from harness.plugin.recorded import stream_of

            stream = stream_of(case.cassette)
            self.service: Service = stream.player()
            self.id = stream.id
            self._whole[self.id] = events_in(stream.data)
            return
        self.service = emulator.emulator
        emulator.change(event_ids=case.event_ids, resume=case.resume)
        emulator.script({**case.script, "times": 0})
        self.id = emulator.create()["id"]

    def serves(self, case: Case) -> bool:
        return self._key == (case.event_ids, case.resume, case.cassette)

    @property
    def whole(self) -> list[dict[str, Any]]:
        return self.whole_of(self.id)

    def whole_of(self, interaction_id: str) -> list[dict[str, Any]]:
        if interaction_id not in self._whole:
            self._whole[interaction_id] = events_in(_read(self.service, interaction_id))
        return self._whole[interaction_id]


def _read(service: Service, interaction_id: str) -> bytes:
    """The stream of an interaction, whole, past every fault."""
    target = f"/v1beta/interactions/{interaction_id}?stream=true"
    response: Response = service(Request("GET", target, Headers([("x-goog-api-key", "interactions-harness")])))
    try:
        return b"".join(piece.data for piece in response.body if isinstance(piece, Chunk))
    finally:
        response.body.close()


def _known(options: dict[str, Any]) -> dict[str, Any]:
    for name in options:
        if name not in _OPTIONS:
            raise UsageFault(f"interactions_dropped has no option {name!r}: it takes {', '.join(_OPTIONS)}")
    return options
