"""The emulator of one test: an observed service with scripts.

Knows scripts and the emulator; the observed service logs, limits and rejects.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypedDict, Unpack

from harness.benches.client.judgement.received_responses import DeadEnd, ReceivedResponse
from harness.emulator import Emulator
from harness.emulator.scripts import QueuedAnswer
from harness.emulator.values.settings import UNCHANGED
from harness.errors import TurnWarning
from harness.interactions import INTERACTIONS
from harness.interactions.clients import CLIENTS
from harness.outcome import UsageFault
from harness.outcome.words import format_count, shorten
from harness.plugin.environment_variables import PLACEHOLDER_KEY, EnvironmentVariables
from harness.plugin.interactions.clients import AsyncClientContext, async_client, client
from harness.plugin.interactions.conversation import MOST_ROUNDS, Turn, find_mistakes, is_endless, read_steps
from harness.plugin.observed_service import ObservedService
from harness.plugin.sent_requests import find_hurried
from harness.plugin.session_server import SessionServer, moved_by_sleeps
from harness.wire import Headers, LogicalClock, Request
from harness.wire.bodies import object_or_none

if TYPE_CHECKING:
    from google.genai import Client

    from harness.plugin.interactions.answers import AnswerFields, AnswerMaker

_KEY = ("x-goog-api-key", PLACEHOLDER_KEY)


class SettingFields(TypedDict, total=False):
    """The settings of an emulator; docs/emulator-reference.md explains each."""

    platform: Literal["gemini", "vertex", "any"]
    unknown: Literal["refuse", "accept"]
    event_ids: Literal["auto", "all", "deltas", "some", "sparse", "none"]
    resume: Literal["exclusive", "inclusive", "start"]
    keys: Mapping[str, str] | None
    require_key: bool
    models: Literal["known", "any"]
    lifecycle: str | None
    files: Literal["known", "any"]
    processing: float
    ticks: int
    lasts: float | None
    chunking: str | int
    stream_refusals: Literal["http", "event"]
    pace: float | None
    compression: Literal["none", "gzip", "deflate"]
    delete_stops: bool
    max_runs: int
    max_queued: int
    max_sessions: int
    max_run_bytes: int
    max_request_bytes: int
    max_file_bytes: int


class MarkerOptions(TypedDict, total=False):
    """The options of the marker beside the settings."""

    max_requests: int | None
    max_settled_reads: int | None
    assert_all_used: bool
    judge_turns: bool


class InteractionsEmulator(ObservedService):
    """The emulator of one test. Settings are those of `harness.emulator.Settings`.

    `assert_all_used=False` lets a test pass although a response, a refusal or a fault plan was never used, and
    `judge_turns=False` although a turn of its conversation looks wrong.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        max_requests: int | None = None,
        max_settled_reads: int | None = None,
        assert_all_used: bool = True,
        judge_turns: bool = True,
        **settings: Unpack[SettingFields],
    ) -> None:
        self._time = LogicalClock()
        self.emulator = Emulator(UNCHANGED.with_values(settings), clock=self._time, seed=seed)
        limits = {"max_requests": max_requests, "max_settled_reads": max_settled_reads}
        super().__init__(self.emulator, self._time, CLIENTS, **limits)
        self._reads.find_dead_end = self._find_dead_end
        self.before.append(self._end_equal_rounds)
        self.more_settled_reads = "mark the test interactions_emulator(max_settled_reads=…)"
        self.more_requests = "mark the test interactions_emulator(max_requests=…)"
        self.how_to_wait = (
            "sleep between two polls (interactions_no_sleep lets the time pass at once), or move `emulator.clock`"
        )
        self.assert_all_used = assert_all_used
        self.judge_turns = judge_turns
        """Whether the turns of the code under test are judged when the test ends."""
        self.allowed_turns = "mark the test interactions_emulator(judge_turns=False)"
        """How to allow a turn that looks wrong."""
        self._answers: list[tuple[QueuedAnswer, str]] = []
        self._mishaps: list[str] = []
        self._block = ExitStack()

    def reply(
        self,
        answer: str | AnswerMaker | None = None,
        *,
        cassette: str | Path | None = None,
        optional: bool = False,
        unchecked: bool = False,
        **script: Unpack[AnswerFields],
    ) -> InteractionsEmulator:
        """Queue a response for the next create: a text, or any keys of a script (docs/emulator-reference.md).

        `answer` may be a function that takes the create and returns a text, a script or steps; `cassette` gives a
        recorded interaction again. If no create takes the response, the test fails, unless it is `optional`. So it
        does if the response calls a function and the create declares none. Steps that the schemas do not know are
        refused. `unchecked` allows both.
        """
        from harness.plugin.interactions.answers import check_script, make_answer, read_recorded  # late, as below

        recorded = {} if cassette is None else read_recorded(Path(cassette), self.emulator.contract)
        fields: dict[str, Any] = {**recorded, **script}
        if callable(answer):
            contract = self.emulator.contract
            made = make_answer(answer, fields, contract, unchecked=unchecked, tell=self._mishaps.append)
            return self._queue(made, optional=optional, unchecked=unchecked)
        if isinstance(answer, Mapping):
            raise UsageFault(
                f"reply({shorten(repr(answer), 60)}): a script is written as keywords, such as reply(steps=[…]); "
                "script({…}) takes a mapping"
            )
        text = {} if answer is None else {"text": answer}
        parsed = check_script({**text, **fields}, self.emulator.contract, unchecked=unchecked or bool(recorded))
        return self._queue(QueuedAnswer(parsed), optional=optional, unchecked=unchecked)

    def script(
        self, script: Mapping[str, Any], *, optional: bool = False, unchecked: bool = False
    ) -> InteractionsEmulator:
        """Queue one script."""
        from harness.plugin.interactions.answers import check_script

        parsed = check_script(script, self.emulator.contract, unchecked=unchecked)
        return self._queue(QueuedAnswer(parsed), optional=optional, unchecked=unchecked)

    def _queue(self, answer: QueuedAnswer, *, optional: bool, unchecked: bool) -> InteractionsEmulator:
        if not unchecked:
            from harness.plugin.interactions.answers import tell_undeclared_calls

            tell_undeclared_calls(answer, self._mishaps.append)
        self.emulator.script(answer)
        if not optional:
            self._answers.append((answer, self.find_origin()))
        return self

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Respond to clients of the live service while the block runs, and let skipped sleeps move the clock."""
        with super().in_use(), moved_by_sleeps(self._time):
            yield

    # Without pytest

    def __enter__(self) -> Self:
        """Serve on a port of this machine until the block ends, for scripts, notebooks and unittest."""
        environment = EnvironmentVariables(())
        environment.install()
        with ExitStack() as stack:
            stack.callback(environment.uninstall)
            session = SessionServer(environment, INTERACTIONS)
            stack.callback(session.close)
            stack.enter_context(self.open(session))
            self._block = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._block.close()

    def client(self) -> AbstractContextManager[Client]:
        """A `google.genai.Client` of this emulator, or an `httpx.Client` if google-genai is not installed."""
        return client(self)

    def async_client(self) -> AsyncClientContext:
        """The async client: `google.genai.Client().aio`, or an `httpx.AsyncClient`."""
        return async_client(self)

    def assert_all_met(self) -> None:
        """Assert that every response, refusal and fault plan took effect, as the fixture does after each test."""
        __tracebackhide__ = True
        if complaints := [one for one in self.find_complaints() if isinstance(one, str)]:
            raise AssertionError("\n".join(complaints))

    def find_complaints(self) -> Iterator[str | Warning]:
        """The reasons to fail a test whose own code has passed: plans that nothing met, and wrong turns.

        A warning is about a turn that may be meant. Tests that share an emulator share no conversation.
        """
        yield from super().find_complaints()
        yield from dict.fromkeys(self._mishaps)
        if unused := [one for one in self._answers if self.assert_all_used and not one[0].taken]:
            creates = sum(call.startswith("create") for call in self.list_requests().calls)
            came = f"{format_count(creates, 'create')} came, and none took it. {self.allowed}"
            for answer, origin in unused:
                text = answer.script.text
                written = "…" if text is None else shorten(repr(text), 60)
                yield f"reply({written}){origin} was never used: {came}"
        if self.judge_turns and not self.shared_as:
            for mistake in find_mistakes(self.list_turns(), self.look):
                text = f"{mistake.text}. If it is meant, {self.allowed_turns}"
                yield f"the code under test went on wrongly: {text}" if mistake.certain else TurnWarning(text)
            if hurried := find_hurried(list(self._calls)):
                yield TurnWarning(f"{hurried}. If it is meant, {self.allowed_turns}")

    def _end_equal_rounds(self, request: Request) -> None:
        """Raise RequestLimit in a tool loop without an end, unless the test has set a limit of its own."""
        if self._asked_for is None and request.method == "POST" and is_endless(request, self.look):
            self.runaway = (
                f"the code under test ran {MOST_ROUNDS + 1} rounds of a tool loop in a row in which the model "
                "made the same calls and got the same results: such a loop never ends. Limit the rounds, and "
                f"report that the limit was reached; if so many rounds are meant, {self.more_requests}"
            )
            self._stop()

    def _describe_turns(self) -> Iterator[str]:
        yield from super()._describe_turns()
        current = self.emulator.contract.revision
        named = (call.request.headers.get("api-revision", current) for call in list(self._calls))
        if other := next((revision for revision in named if revision != current), ""):
            yield (
                f"a request has the header Api-Revision {other!r}, which the service ignores: its responses are "
                f"those of {current}, with `steps` and without `outputs`"
            )

    def explain_waiting(self) -> str:
        """The state that an endless loop may wait for, and that only the clock changes."""
        if not (waiting := self.emulator.waiting):
            return ""
        each = f"of which a request takes {self._time.tick_seconds:g} s"
        return f"{', '.join(waiting[:3])} waits for time, {each}: {self.how_to_wait}"

    def reset(self) -> InteractionsEmulator:
        """Forget interactions, answers, refusals, fault plans and requests, as between examples of `@given`."""
        self.emulator.reset()
        self.forget()
        self._refusals.clear()
        self._drops.clear()
        self.service, self.runaway = self._whole, ""
        self._answers.clear()
        self._mishaps.clear()
        return self

    def change(self, **settings: Unpack[SettingFields]) -> InteractionsEmulator:
        """Change settings by name."""
        self.emulator.change(**settings)
        return self

    def hold(self) -> InteractionsEmulator:
        """Hold background runs until `release`."""
        self.emulator.hold()
        return self

    def release(self, interaction_id: str | None = None) -> int:
        """Let one held run, or all, continue; return the number of runs that were held."""
        return self.emulator.release(interaction_id)

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a request of the test's own, which is not in `requests`; `path` starts after the API version.

        Raises UsageFault if the emulator refuses it.
        """
        data = b"" if body is None else json.dumps(body).encode()
        headers = Headers([_KEY, ("content-type", "application/json")])
        exchange = self.driver().send(Request(method, f"/v1beta/{path}", headers, data))
        value = json.loads(exchange.body)
        if exchange.status != 200:
            raise UsageFault(f"the emulator refused {method} {path}: {value['error']['message']}")
        found: dict[str, Any] = value
        return found

    def create(self, **fields: Any) -> dict[str, Any]:
        """Create an interaction outside the code under test; model, input and background=True are defaults."""
        author = {} if "agent" in fields else {"model": "gemini-3.8-flash"}
        return self.call("POST", "interactions", {**author, "input": "Go.", "background": True, **fields})

    def list_turns(self) -> list[Turn]:
        """The creates of the code under test that were accepted, with what each has made."""
        accepted = (one for one in self._list_answers() if one.status < 400 and not one.goes_on)
        return [
            Turn(number, one, self.look(one.find_created_id() or ""), self.emulator.contract)
            for number, one in enumerate(accepted, 1)
        ]

    def find_created(self, *, before_last: bool = False) -> list[dict[str, Any]]:
        """The stored interactions of the code under test as they are now, a deleted one as it was returned."""
        answers = self._list_answers()[: -1 if before_last else None]
        bodies = [object_or_none(one.request.body) or {} for one in answers]
        stored = [
            one
            for one, body in zip(answers, bodies, strict=True)
            if one.status < 400 and body.get("store") is not False
        ]
        made = [(found, one) for one in stored if (found := one.find_created_id())]
        return [
            self.look(found) or {"id": found, "steps": read_steps(one, self.emulator.contract)}
            for found, one in made
        ]

    def _list_answers(self) -> list[ReceivedResponse]:
        return [one for one in self.list_received() if one.is_create]

    def look(self, interaction_id: str) -> dict[str, Any] | None:
        """An interaction in its current state, without advancing it as a poll would; None if there is none."""
        return self.emulator.look(interaction_id)

    def _find_dead_end(self, interaction_id: str, status: int) -> DeadEnd | None:
        """Why an interaction cannot go on while its reader only sleeps: it is held, or there is none."""
        if status == 404 and self.look(interaction_id) is None:
            return DeadEnd("an interaction that does not exist", "it never appears", "Report the error")
        if status >= 400 or interaction_id not in self.emulator.state["held"]:
            return None
        advice = "Call release() from another thread or task, or give the loop a limit"
        return DeadEnd("an interaction that the test keeps on hold", "only release() lets it go on", advice)


# A fixture that knows the expected end of the code under test, and whether its test used it.
# `harness.plugin.after_test` decides what follows if it did not.


class CheckedResult:
    """Keeps a test's emulator. A method that returns the expected value sets `_asked`."""

    def __init__(self, emulator: InteractionsEmulator) -> None:
        self.emulator = emulator
        self._asked = False

    @property
    def base_url(self) -> str:
        """The URL for a client that uses a socket, as that of `interactions_emulator`."""
        return self.emulator.base_url

    @property
    def was_asked(self) -> bool:
        """Whether the test asked what is expected, or looked at what the client sent."""
        return self._asked or self.emulator.was_looked_at

    def note_checked(self) -> None:
        """Say that the test checks the result in its own way, so that it gets no warning."""
        self._asked = True
