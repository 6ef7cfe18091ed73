"""The emulator of one test: an observed service that can be told what to answer.

Layer 7. Knows scripts and the emulator; what is logged, limited and refused is the observed service's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal, Self, TypedDict, Unpack

from harness.emulator import Emulator, Settings
from harness.emulator.script.script_queue import QueuedAnswer
from harness.interactions import INTERACTIONS
from harness.outcome import UsageFault
from harness.outcome.words import format_count, shorten
from harness.plugin.environment_variables import PLACEHOLDER_KEY, EnvironmentVariables
from harness.plugin.interactions.answers import (
    AnswerFields,
    AnswerMaker,
    check_script,
    make_answer,
    read_recorded,
    tell_undeclared_calls,
)
from harness.plugin.interactions.clients import AsyncClientContext, async_client, client
from harness.plugin.observed_service import ALLOWED, ObservedService
from harness.plugin.session_server import SessionServer
from harness.plugin.virtual_time.service_clocks import moved_by_sleeps
from harness.wire import Headers, LogicalClock, Request

_KEY = ("x-goog-api-key", PLACEHOLDER_KEY)
_SHOWN = 60


class SettingFields(TypedDict, total=False):
    """The settings of an emulator; docs/emulator.md explains each."""

    platform: Literal["gemini", "vertex", "any"]
    unknown: Literal["refuse", "accept"]
    event_ids: Literal["auto", "all", "deltas", "some", "sparse", "none"]
    resume: Literal["exclusive", "inclusive", "start"]
    keys: Mapping[str, str] | None
    require_key: bool
    models: Literal["known", "any"]
    files: Literal["known", "any"]
    processing: float
    ticks: int
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
    max_queued_bytes: int
    max_resource_bytes: int


class InteractionsEmulator(ObservedService):
    """The emulator of one test. Settings are those of `harness.emulator.Settings`.

    `assert_all_used=False` lets a test pass although an answer, a refusal or a fault plan was never used.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        max_requests: int | None = None,
        assert_all_used: bool = True,
        **settings: Unpack[SettingFields],
    ) -> None:
        self._time = LogicalClock()
        self.emulator = Emulator(Settings().with_values(settings), clock=self._time, seed=seed)
        super().__init__(self.emulator, self._time, INTERACTIONS, max_requests=max_requests)
        self.assert_all_used = assert_all_used
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
        """Queue an answer for the next create: a text, or any keys of a script (docs/emulator.md).

        `answer` may be a function that takes the create and returns a text, a script or steps; `cassette` gives a
        recorded interaction again. If no create takes the answer, the test fails, unless it is `optional`. So it
        does if the answer calls a function and the create declares none. Steps that the schemas do not know are
        refused. `unchecked` allows both.
        """
        recorded = {} if cassette is None else read_recorded(Path(cassette), self.emulator.contract)
        fields: dict[str, Any] = {**recorded, **script}
        if callable(answer):
            contract = self.emulator.contract
            made = make_answer(answer, fields, contract, unchecked=unchecked, tell=self._mishaps.append)
            return self._queue(made, optional=optional, unchecked=unchecked)
        text = {} if answer is None else {"text": answer}
        parsed = check_script({**text, **fields}, self.emulator.contract, unchecked=unchecked or bool(recorded))
        return self._queue(QueuedAnswer(parsed), optional=optional, unchecked=unchecked)

    def script(
        self, script: Mapping[str, Any], *, optional: bool = False, unchecked: bool = False
    ) -> InteractionsEmulator:
        """Queue one script."""
        parsed = check_script(script, self.emulator.contract, unchecked=unchecked)
        return self._queue(QueuedAnswer(parsed), optional=optional, unchecked=unchecked)

    def _queue(self, answer: QueuedAnswer, *, optional: bool, unchecked: bool) -> InteractionsEmulator:
        if not unchecked:
            tell_undeclared_calls(answer, self._mishaps.append)
        self.emulator.script(answer)
        if not optional:
            self._answers.append((answer, self.find_origin()))
        return self

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Answer clients of the live service while the block runs, and let skipped sleeps move the clock."""
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

    def client(self) -> AbstractContextManager[Any]:
        """A `google.genai.Client` of this emulator, or an `httpx.Client` if google-genai is not installed."""
        return client(self)

    def async_client(self) -> AsyncClientContext:
        """The async client: `google.genai.Client().aio`, or an `httpx.AsyncClient`."""
        return async_client(self)

    def assert_all_met(self) -> None:
        """Assert that every answer, refusal and fault plan took effect, as the fixture does after each test."""
        __tracebackhide__ = True
        if complaints := list(self.find_complaints()):
            raise AssertionError("\n".join(complaints))

    def find_complaints(self) -> Iterator[str]:
        """What makes a test fail whose own code has passed: what it planned and never happened."""
        yield from super().find_complaints()
        yield from dict.fromkeys(self._mishaps)
        if unused := [one for one in self._answers if self.assert_all_used and not one[0].taken]:
            creates = sum(call.startswith("create") for call in self.list_requests().calls)
            came = f"{format_count(creates, 'create')} came, and none took it. {ALLOWED}"
            yield from (f"{_describe(answer)}{origin} was never used: {came}" for answer, origin in unused)

    def explain_waiting(self) -> str:
        """What a loop that never ends may wait for: whatever only the clock moves on."""
        if not (waiting := self.emulator.waiting):
            return ""
        return (
            f"{', '.join(waiting[:3])} waits for time, of which a request takes {self._time.tick_seconds:g} s: "
            "sleep between two polls (interactions_no_sleep lets the time pass at once), or move `emulator.clock`"
        )

    def change(self, **settings: Unpack[SettingFields]) -> InteractionsEmulator:
        """Change settings by name."""
        self.emulator.change(**settings)
        return self

    def hold(self) -> InteractionsEmulator:
        """Hold background runs until `release`."""
        self.emulator.hold()
        return self

    def release(self, interaction_id: str | None = None) -> int:
        """Let one held run, or all, continue; return how many were held."""
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
        author = {} if "agent" in fields else {"model": "gemini-3.5-flash"}
        return self.call("POST", "interactions", {**author, "input": "Go.", "background": True, **fields})

    def look(self, interaction_id: str) -> dict[str, Any] | None:
        """An interaction in its current state, without advancing it as a poll would; None if there is none."""
        return self.emulator.look(interaction_id)


def _describe(answer: QueuedAnswer) -> str:
    """An answer as the test wrote it, shortened."""
    text = answer.script.text
    return f"reply({'…' if text is None else shorten(repr(text), _SHOWN)})"
