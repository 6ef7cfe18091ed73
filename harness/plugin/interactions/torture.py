"""Every class of fault for code under test: `harness torture` for a function in place of a command.

Knows functions and assertion messages; the cases and the judgment of a client are those of
`harness.benches.client`. A case has a fresh service behind the clients of the test's emulator, and no time passes.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, TypedDict, Unpack

from harness.benches.client.bench import ENOUGH, describe_unreadable
from harness.benches.client.case_workers import CaseQueue, PlayedCase
from harness.benches.client.cases import Case, StreamSource, cases_of_set
from harness.benches.client.client_commands import ClientResult
from harness.benches.client.judgement.attempt import ClientAttempt
from harness.benches.client.judgement.outcome import read_allowed
from harness.benches.client.judgement.reasons import FailureReasons, JudgedCase, judge_played
from harness.checks.clients.result_comparison import events_of, plain, status_of
from harness.contract import STATUSES
from harness.interactions.clients import CLIENTS
from harness.kit.client_model import ClientMode
from harness.outcome import UsageFault
from harness.outcome.words import did_you_mean, shorten
from harness.plugin.blocking_calls import collected_calls
from harness.plugin.interactions import TORTURE
from harness.plugin.interactions.clients import async_client, client
from harness.plugin.interactions.emulator import InteractionsEmulator
from harness.plugin.names import find_wrong_options
from harness.plugin.observed_service import SET_TIMEOUT, WAITS_FOR_EVER, RequestLimit
from harness.plugin.virtual_time import no_sleep

Mode: TypeAlias = Literal["follow", "create", "background", "poll", "chain", "tools", "cancel"]


class MarkerOptions(TypedDict, total=False):
    """The options of the marker, and of a call; `Wanted` has their defaults."""

    mode: Mode
    set: str
    only: Sequence[str]
    exclude: Sequence[str]
    case: str
    script: Mapping[str, Any] | None
    allow: Collection[str]
    timeout: float | None


_OWN_TIMEOUT = ". If the client that your code builds has one, say so: `timeout=60` in this call"
"""Added for the client of this fixture, which has no timeout, like the one that google-genai makes."""

_STEPS: Sequence[Mapping[str, Any]] = (
    {
        "type": "thought",
        "summary": [{"type": "text", "text": "Zuerst überlegen, dann antworten."}],
        "signature": "c2lnbmVk",
    },
    {"type": "model_output", "content": [{"type": "text", "text": "Déjà vu in 東京: "}]},
    {"type": "model_output", "content": [{
        "type": "text",
        "text": "two steps and a 🦊.",
        "annotations": [{"type": "url_citation", "url": "https://example.com/fox", "title": "Foxes"}],
    }]},
)  # fmt: skip
"""The default answer: a thought, two steps with text, a citation, characters outside of ASCII."""

_CALLS: Sequence[Mapping[str, Any]] = (
    {"type": "thought", "signature": "VGhlIGNhbGwgaXMgbWluZS4="},
    {"type": "function_call", "id": "call_1", "name": "look", "arguments": {"place": "behind the door"}},
    {"type": "function_call", "id": "call_2", "name": "look", "arguments": {"place": "under the 机"}},
)
"""The first answer in the mode `tools`: two calls in parallel."""


_MODEL = CLIENTS.load_client_model()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The cases to play, and how to judge them: the options that the marker and the call share."""

    mode: Mode = "follow"
    set: str = ""
    only: Sequence[str] = ()
    exclude: Sequence[str] = ()
    case: str = ""
    script: Mapping[str, Any] | None = None
    allow: Collection[str] = ()
    timeout: float | None = None

    @property
    def usual(self) -> ClientMode:
        """The mode with the answers that it has by itself."""
        return _MODEL.modes[self.mode]

    @property
    def scripted(self) -> ClientMode:
        """The mode with the answers of this run."""
        usual = self.usual
        if self.mode == "cancel":
            return usual if self.script is None else replace(usual, script={**self.script, "hold": {"after": 5}})
        usual_answer = {"steps": [*_STEPS], "deltas": 2, "usage": {"total_cached_tokens": 1}}
        answer = usual_answer if self.script is None else dict(self.script)
        if not usual.turns:
            return replace(usual, script=answer)
        return replace(
            usual, script={"steps": [*_CALLS]} if self.mode == "tools" else usual.script, further=answer
        )

    @property
    def set_name(self) -> str:
        """The name of the set: as no time passes here, the usual one has the kinds in which clients wait, too."""
        usual = "application" if self.usual.usual_set == "standard" else self.usual.usual_set
        return self.set or usual

    def list_cases(self) -> list[Case]:
        """The cases. `script` is not for kinds that bring responses: these keep the usual ones of the mode."""
        kinds = _MODEL.sets.get(self.set_name, ())
        own = {kind.name for kind in kinds if kind.has_own_scripts or kind.further is not None}
        found: list[Case] = []
        for mode, has_own in ((self.scripted, False), (self.usual, True)):
            exclude = [*self.exclude, *(kind.name for kind in kinds if (kind.name in own) is not has_own)]
            base = Case(plan="pass", mode=mode)
            found += cases_of_set(CLIENTS, self.set_name, base, only=self.only, exclude=exclude)
        if not found:
            raise UsageFault(f"only and exclude leave no case of the set {self.set_name!r}")
        if not self.case:
            return found
        if alone := [one for one in found if str(one) == self.case]:
            return alone[:1]
        hint = did_you_mean(self.case, [str(one) for one in found])
        raise UsageFault(f"case={self.case!r} is not a case of the set {self.set_name!r}{hint}")


@dataclass(frozen=True, slots=True)
class TortureCase:
    """The case of one test, if a marker makes a test of each."""

    case: Case
    wanted: Wanted

    def __str__(self) -> str:
        return str(self.case)


def list_cases(definition: Any, seed: int) -> list[TortureCase]:
    """The cases that a test's marker asks for. Raises UsageFault for wrong options."""
    wanted = Wanted(**definition.get_closest_marker(TORTURE).kwargs)
    read_allowed(wanted.allow)
    return [TortureCase(case, wanted) for case in wanted.list_cases()]


class Torture:
    """Call it with the function to test; it raises AssertionError with each reason why cases failed.

    `planned` is the case of this test, if its marker makes a test of each; `nodeid` repeats it.
    """

    def __init__(
        self, emulator: InteractionsEmulator, planned: TortureCase | None = None, nodeid: str = ""
    ) -> None:
        self.emulator = emulator
        emulator.judge_turns = False  # each case is judged by itself
        self._planned = planned
        self._nodeid = nodeid
        self.was_asked = False
        """Whether the test called it."""
        self._blocks: dict[str, None] = {}

    def __call__(
        self,
        function: Callable[..., Any],
        *,
        enough: int = ENOUGH,
        fail: bool = True,
        **options: Unpack[MarkerOptions],
    ) -> TortureReport:
        """Put `function` through a set of cases, or the one named `case`, and fail if it does not survive them.

        It gets a client, and in the modes `follow` and `cancel` the id of the interaction. It returns the text,
        the events or the interaction; an exception means that it gave up. An async function gets the async client.
        `set` names the set, `only` some of its kinds (docs/torture.md), and `exclude` those to leave out.
        `script` is what the model answers, `allow` names rules or codes that are no failures here. `timeout` is
        the read timeout of the client that the function gets, in seconds; by default it has none, like the one
        that google-genai makes. The marker takes the same options, and makes a test of each case. After `enough`
        equal failures the other cases of their kind are left out; 0 leaves none out. With `fail=False` the report
        is returned, whatever it is.
        Raises UsageFault for wrong arguments.
        """
        __tracebackhide__ = True
        self.was_asked = True
        if not callable(function):
            raise UsageFault(f"{TORTURE}({function!r}) takes the function to test: one that takes a client")
        if self._planned is not None and options:
            raise UsageFault(
                f"{TORTURE}({next(iter(options))}=…): the marker of this test has its options, add it there"
            )
        if mistakes := list(find_wrong_options(TORTURE, options, MarkerOptions)):
            raise UsageFault("; ".join(mistakes))
        wanted = Wanted(**options) if self._planned is None else self._planned.wanted
        found = wanted.list_cases() if self._planned is None else [self._planned.case]
        call = _Caller(function, self.emulator, wanted)
        judged = FailureReasons(read_allowed(wanted.allow))
        queue = CaseQueue(list(enumerate(found)), enough)
        with no_sleep(), call.open_client():
            quiet = self._play(0, Case(plan="pass", mode=wanted.scripted), call)
            for failure in self._judge(quiet, None).failures:  # whoever fails without a fault cannot be judged
                raise AssertionError(describe_unreadable(quiet, failure.message))
            while (task := queue.take()) is not None:
                played = self._play(*task, call)
                for failure in judged.note(self._judge(played, len(quiet.attempt.received))):
                    queue.note_failure(played.case.kind, failure.code)
        words = [getattr(function, "__name__", "function")]
        words += [f"mode={wanted.mode!r}"] if wanted.mode != "follow" else []
        words += [f"set={wanted.set!r}"] if wanted.set else []
        words += ["script=…"] if wanted.script is not None else []

        def repeat(one: Case) -> str:
            return f"{TORTURE}({', '.join([*words, f'case={str(one)!r}'])})"

        kinds_told = {kind.name: kind.about for kind in _MODEL.sets[wanted.set_name]}
        lines = judged.describe(repeat, kinds_told, queue.skipped, enough)
        report = TortureReport(len(found), judged, queue.skipped, "\n".join(lines))
        if fail and report.reasons:
            raise AssertionError(str(report) if self._planned is None else self._describe_planned(report))
        return report

    def _describe_planned(self, report: TortureReport) -> str:
        """Why the one case of this test failed."""
        lines = []
        for reason in report.reasons:
            lines += [f"{reason.code}: the client {reason.message}", *(f"  {line}" for line in reason.wire)]
        return "\n".join([*lines, f"  this one again:  pytest '{self._nodeid}'"])

    def _judge(self, played: PlayedCase, usual: int | None) -> JudgedCase:
        """The judgment of the function in the last case; `usual`: its number of requests without a fault."""
        own = "" if False in self.emulator.endless else _OWN_TIMEOUT
        endless = f"{WAITS_FOR_EVER}; {SET_TIMEOUT}{own}" if self.emulator.endless else ""
        self.emulator.endless.clear()
        return judge_played(
            played.number,
            played.attempt,
            played.ended,
            usual=usual,
            left_open=sum(one.left_open for one in self.emulator.list_received(by_socket=False)),
            endless=endless,
            blocks=self._blocks,
        )

    def _play(self, number: int, case: Case, call: _Caller) -> PlayedCase:
        __tracebackhide__ = True  # a `pytest.fail` of the function ends the test at its own line
        service = _MODEL.service.new(contract=case.contract, clock=self.emulator.clock, seed=0)
        attempt = ClientAttempt(StreamSource(CLIENTS, service, case), case)
        self.emulator.service = attempt.service
        self.emulator.forget()
        self.emulator.runaway = ""
        self.emulator.endless.clear()
        self._blocks = {}
        self.emulator.limit = case.most_requests
        begun = time.monotonic()
        with collected_calls() as self._blocks:
            try:
                ended = call(attempt.id)
            except RequestLimit:
                ended = ClientResult()
        attempt.asked_for_ever = bool(self.emulator.runaway)
        self.emulator.runaway = ""
        return PlayedCase(number, case, attempt, replace(ended, seconds=time.monotonic() - begun))


class _Caller:
    """Calls the function with what it takes, in an event loop if it is async."""

    def __init__(self, function: Callable[..., Any], emulator: InteractionsEmulator, wanted: Wanted) -> None:
        self._function = function
        self._emulator = emulator
        self._takes_id = not wanted.usual.creates
        self._takes_status = wanted.mode == "cancel"
        self._timeout = wanted.timeout
        target = function if inspect.isroutine(function) else getattr(function, "__call__", function)  # noqa: B004
        self._asynchronous = inspect.iscoroutinefunction(target)
        self._client: Any = None
        if self._asynchronous and asyncio._get_running_loop() is not None:
            raise UsageFault(
                f"{TORTURE} runs an async function in a loop of its own for each case: call it in a plain "
                "`def test_…`"
            )
        given = ("client", "interaction_id") if self._takes_id else ("client",)
        try:
            inspect.signature(function).bind(*given)
        except TypeError as error:
            raise UsageFault(
                f"{TORTURE}: the function is called as function({', '.join(given)}): {error}"
            ) from None
        except ValueError:  # a function of C has no signature
            return

    @contextmanager
    def open_client(self) -> Iterator[None]:
        """Open the client that all cases share."""
        opened: AbstractContextManager[Any] = (
            async_client(self._emulator, timeout=self._timeout)
            if self._asynchronous
            else client(self._emulator, timeout=self._timeout)
        )
        with opened as self._client:
            yield

    def __call__(self, interaction: str) -> ClientResult:
        """The result of a case."""
        __tracebackhide__ = True
        given = (self._client, interaction) if self._takes_id else (self._client,)
        try:
            found = asyncio.run(self._function(*given)) if self._asynchronous else self._function(*given)
        except Exception as error:
            return ClientResult(error=shorten(f"{type(error).__name__}: {error}", 200))
        if inspect.isgenerator(found) or inspect.isasyncgen(found):
            raise UsageFault(
                f"{TORTURE}: the function returned a generator: return the text, the events or the interaction"
            )
        value = plain(found)
        status = (status_of(value) or "") if isinstance(value, Mapping) else ""
        alone = value if self._takes_status else ""  # in `cancel` a text that is a status is meant as one
        if isinstance(value, Mapping) and value.keys() == {"status"}:
            alone = status
        if isinstance(alone, str) and alone in STATUSES:
            return ClientResult(status=alone)
        if (
            isinstance(value, Mapping)
            and isinstance(value.get("text"), str)
            and value.keys().isdisjoint({"steps", "usage"})
        ):
            return ClientResult(collected=value["text"], status=status)
        return ClientResult(collected=events_of(found) or found, status=status)


class TortureReport:
    """The result: `reasons` why cases failed, `played` of `planned` cases, `left_out` by kind."""

    def __init__(self, planned: int, judged: FailureReasons, left_out: Mapping[str, int], text: str) -> None:
        self.planned = planned
        self.played, self.failed, self.allowed = judged.played, judged.failed, judged.allowed
        self.reasons = judged.reasons
        self.left_out = left_out
        self._text = text

    def __str__(self) -> str:
        return self._text
