"""Dropped streams for tests: turns the marker into cases, each of them one test or one turn of a loop.

Knows markers, node ids and assertion messages; cases, their streams and the judgment of a client are in
`harness.benches.client`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypedDict

from harness.benches.client import cases
from harness.benches.client.cases import Case, StreamSource, whole_stream
from harness.benches.client.judgement.attempt import ClientAttempt
from harness.contract import Contract
from harness.faults import Cut, Spot, parse
from harness.faults.cut_faults import HEAD_SPOTS
from harness.interactions.clients import CLIENTS
from harness.outcome import UsageFault
from harness.outcome.words import format_count
from harness.plugin.interactions.emulator import CheckedResult, InteractionsEmulator
from harness.plugin.virtual_time import Sleeps
from harness.wire import Decoder
from harness.wire.sse import events_in

_PLAIN = Case(plan="pass", mode=CLIENTS.load_client_model().usual_mode)
NAME = "interactions_dropped_stream"
"""The fixture, and the marker that configures it."""


class MarkerOptions(TypedDict, total=False):
    """The options of the marker: those of `cases_of`, and `mode`."""

    cuts: str | Sequence[str]
    first: int
    endings: str | Sequence[str]
    script: Mapping[str, Any] | None
    cassette: str | None
    event_ids: str | Sequence[str]
    resume: str
    mode: Literal["tests", "loop"]


@dataclass(frozen=True, slots=True)
class Loop:
    """Many cases in one test."""

    cases: tuple[Case, ...]

    def __str__(self) -> str:
        return format_count(len(self.cases), "cut")


def cases_of(
    *,
    cuts: str | Sequence[str] = "every-event",
    first: int = 0,
    endings: str | Sequence[str] = ("rst", "end"),
    script: Mapping[str, Any] | None = None,
    cassette: str | None = None,
    contract: Contract | None = None,
    event_ids: str | Sequence[str] = "all",
    resume: str = "exclusive",
    seed: int = 0,
) -> list[Case]:
    """The cases of `harness.benches.client.cases.cases_of` for a client that follows a stream."""
    base = replace(_PLAIN, script=script, cassette=cassette, contract=contract, resume=resume)
    return cases.cases_of(CLIENTS, base, cuts=cuts, first=first, endings=endings, event_ids=event_ids, seed=seed)


def list_cases(definition: Any, seed: int = 0) -> list[Case | Loop]:
    """The cases that a test's marker asks for. Raises UsageFault for wrong options."""
    marker = definition.get_closest_marker(NAME)
    options = dict(marker.kwargs) if marker is not None else {}
    mode = options.pop("mode", "tests")
    if options.get("cassette") is not None:
        options["cassette"] = str(Path(definition.path).parent / options["cassette"])
    cases = cases_of(seed=seed, **options)
    return [Loop(tuple(cases))] if mode == "loop" else list(cases)


class DroppedStream(CheckedResult):
    """The stream of interaction `id`, dropped according to `plan`; iterate over it with `mode="loop"`.

    In a loop, each turn has a separate stream of the same finished interaction, so that thousands are cheap.
    """

    def __init__(
        self, emulator: InteractionsEmulator, wanted: Case | Loop, nodeid: str = "", *, given: bool = False
    ) -> None:
        """`given`: the plans are the test's own, so that one without any effect is its mistake."""
        super().__init__(emulator)
        self._nodeid = nodeid
        self._loop = isinstance(wanted, Loop)
        self._given = given
        self._cases = wanted.cases if isinstance(wanted, Loop) else (wanted,)
        self._drop: ClientAttempt | None = None
        self._judged = False
        self._asserted = self._compared = False
        self._passed_over = 0
        emulator.limit_requests(cases.MOST_REQUESTS)
        if self._cases:
            self._source = StreamSource(CLIENTS, emulator.emulator, self._cases[0])
        if not self._loop:
            self._begin(self._cases[0])

    def _begin(self, case: Case) -> None:
        if not self._source.serves(case):
            self._source = StreamSource(CLIENTS, self.emulator.emulator, case)
        if self._loop:
            self._source.whole_of(self._source.id)  # reading the whole stream lets the run end
        if self._given:
            _require_effect(case)
        self._drop = drop = ClientAttempt(self._source, case)
        self._asserted = False
        self.emulator.service = drop.service
        self.emulator.forget()
        self.emulator.explain = lambda: f"the stream was dropped at {case}"

    def __iter__(self) -> Iterator[DroppedStream]:
        """Yield once for each cut."""
        for case in self._cases:
            self._begin(case)
            yield self
            self._passed_over += not self._asserted

    @property
    def was_asked(self) -> bool:
        """Whether the test asked what is expected. To assert on some turns of a loop is not enough: its client may
        have given up on the others. To read the text or the events once is, because all turns have the same.
        """
        asserted_on_all = not (self._loop and self._passed_over)
        return super().was_asked and (asserted_on_all or self._compared or self.emulator.was_looked_at)

    def note_checked(self) -> None:
        self._asked = self._compared = True

    @property
    def _turn(self) -> ClientAttempt:
        """The current drop. Raises UsageFault before the first turn of a loop."""
        if self._drop is None:
            raise UsageFault(f'no stream has been dropped yet: with mode="loop", write `for stream in {NAME}:`')
        return self._drop

    @property
    def case(self) -> Case:
        """The case of this test or turn."""
        return self._turn.case

    @property
    def id(self) -> str:
        """The id of the interaction to read."""
        return self._turn.id

    @property
    def plan(self) -> str:
        """The faults injected into the connections, in the grammar of docs/faults.md."""
        return self.case.plan

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of the whole stream, as a copy for the test; reading this lets the run finish."""
        self._asked = self._compared = True
        return deepcopy(self._turn.events)

    @property
    def text(self) -> str:
        """The text that the client must end with."""
        self._asked = self._compared = True
        return self._turn.text

    def assert_seen_once(self, collected: Any) -> None:
        """Assert that `collected` (text, events, or interaction) is the whole stream, once and in order."""
        __tracebackhide__ = True
        self._asked = self._asserted = True
        if defect := self._turn.find_defect(collected):
            raise AssertionError(self._write_message(defect.text))

    def assert_patient(self, sleeps: Sleeps, *, least: float = 0.1) -> None:
        """Assert that the client waited between connections without new events (with `interactions_no_sleep`).

        `least` is the seconds required for each such connection after the first. The plan has to allow two.
        """
        __tracebackhide__ = True
        self._asked = self._asserted = True
        empty = [one for one in self._turn.streams if not one.events()]
        if len(empty) < 2:
            problem = (
                f"gave up after {format_count(len(empty), 'connection')} in vain, so it never had to wait; a plan "
                f'that shows it has two: {NAME}(cuts="outage"), or "event:5,rst/before-headers,rst,times:3"'
            )
            raise AssertionError(self._write_message(problem))
        if sleeps.total < least * (len(empty) - 1):
            problem = f"asked {len(empty)} times in vain and slept {sleeps.total:g} s in all: it needs a delay"
            raise AssertionError(self._write_message(problem))

    def _write_message(self, problem: str) -> str:
        self._judged = True
        return f"dropped at {self.case}, the client {problem}.\n{self._describe_circumstances()}"

    def _describe_circumstances(self) -> str:
        """The requests and responses at this cut, and how to reproduce it."""
        lines = ["  on the wire:", *(f"    {line}" for line in self._turn.wire() or ["nothing"])]
        if self._loop:
            case = self.case
            words = [f"cuts=[{case.plan!r}]"]
            if case.event_ids != _PLAIN.event_ids:
                words.append(f"event_ids=[{case.event_ids!r}]")
            if case.resume != _PLAIN.resume:
                words.append(f"resume={case.resume!r}")
            words += [f"{of}=…" for of in ("script", "cassette") if getattr(case, of) != getattr(_PLAIN, of)]
            lines.append(f"  this one alone:  @pytest.mark.{NAME}({', '.join(words)})")
        elif self._nodeid:
            lines.append(f"  this one again:  pytest '{self._nodeid}'")
        return "\n".join(lines)

    def format_context(self) -> str:
        """The context of a failure at this cut, unless an assertion of the fixture already contains it."""
        unsaid = self._drop is not None and not self._judged
        cut_at = [f"dropped at {self.case}", self._describe_circumstances()] if unsaid else []
        return "\n".join([*cut_at, *self.emulator.list_refusals()])


def _require_effect(case: Case) -> None:
    """Raise UsageFault for a plan that cannot take effect, even on a stream that is read whole."""
    whole = whole_stream(CLIENTS, case)
    events, frames = len(events_in(whole)), len(Decoder().feed(whole))
    for connection in parse(case.plan).connections:
        for fault in connection.faults:
            place = fault.place if isinstance(fault, Cut) and fault.place.spot not in HEAD_SPOTS else None
            at_byte = place is not None and place.spot is Spot.BYTE
            most = len(whole) if at_byte else frames
            if place is not None and place.at is not None and place.at > most:
                raise UsageFault(
                    f"cuts=[{case.plan!r}] never takes effect: {place} is behind the end of the stream, which has "
                    f"{format_count(most, 'byte') if at_byte else format_count(events, 'event')}"
                )
