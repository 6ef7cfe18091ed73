"""The emulator: a service (request in, response out) and the Python API of the fixtures.

Knows routes and the lock. Operations on interactions are in the engine, those on other resources in `resources`.
Every call, and every `next` of a live body, takes the one lock and releases it before it returns, so that several
threads may share an emulator. A request moves the clock by one tick; nothing here waits.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import RLock
from typing import Any
from urllib.parse import quote

from msgspec.structs import replace

from harness.contract import CURRENT, Contract, load
from harness.emulator.control_api import Sessions
from harness.emulator.deliveries import Deliveries, build_jwks
from harness.emulator.engine import LEASE, Engine
from harness.emulator.scripts import QueuedAnswer, Script, load_scenario, parse
from harness.emulator.values import hints
from harness.emulator.values.call import Call, Refusal, Route, decode_json, json_response, not_found, route
from harness.emulator.values.settings import UNCHANGED, Settings
from harness.outcome import UsageFault
from harness.wire import Chunk, Clock, Headers, LogicalClock, Request, Response
from harness.wire.bodies import accepts, compress
from harness.wire.delivery import Delivery

JWKS_PATH = (".well-known", "jwks.json")
"""The path of the public keys that verify dynamic webhooks; served without a key, as the live service does."""


class Emulator:
    """A stateful reference implementation of the Interactions API, deterministic for a given seed."""

    engine_type: type[Engine] = Engine

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        clock: Clock | None = None,
        seed: int = 0,
        contract: Contract | None = None,
    ) -> None:
        """Without `contract` the emulator speaks the current revision."""
        self.contract = contract if contract is not None else load(CURRENT)
        self.clock: Clock = clock if clock is not None else LogicalClock()
        self._seed = seed
        self._lock = RLock()
        self._offset: float | None = None
        self._is_now = False
        self.notes: list[str] = []
        """Notes on the models that creates named: each retirement once, and each name that no table lists."""
        self.on_note: Callable[[str], object] | None = None
        """Called with each of them, before the response that it belongs to."""
        self.sessions = Sessions(self._new_engine, settings if settings is not None else UNCHANGED)
        self._default = self.sessions.default
        self.outbox = EmulatorOutbox(self.sessions.engines, self._lock)

    # As a service

    def __call__(self, request: Request) -> Response:
        """Answer one request. A Refusal becomes an error response."""
        with self._lock:
            self.clock.tick()
            where = route(request.target)
            try:
                response = self.dispatch(request, where)
            except Refusal as refusal:
                response = self.refuse(refusal, request, where)
                refusal.with_traceback(None)  # where it was raised again, it is in a cycle with the request's body
            response = self.encode(response, request, where)
            if self._is_now:
                response.headers = response.headers.adding("date", self._default.timestamps.write_date())
            return response

    def dispatch(self, request: Request, where: Route) -> Response:
        """Pass a routed request to the part that handles it. Raises Refusal."""
        if where.control:
            return self.sessions.handle(request, where)
        if where.segments == JWKS_PATH and request.method == "GET":
            return json_response(build_jwks())
        engine = self._default if where.session is None else self.sessions.find(where.session)
        engine.log.add(request)
        if not where.version:
            raise self.unknown_path(request, where)
        return self.operate(engine, request, where)

    def operate(self, engine: Engine, request: Request, where: Route) -> Response:
        """Authenticate a request and perform its operation. Raises Refusal."""
        if "upload_id" in where.query and engine.resources.keyless(where):
            project = "default"
        elif where.segments == LEASE:
            project = engine.find_worker_project(request, where)
        else:
            project = engine.auth.project(request, where.query)
        platform = engine.platforms[where.vertex]
        engine.ids.vertex = platform.vertex
        call = Call(request, where.segments, where.query, None, project, platform, where.version)
        response = self.perform(engine, call)
        if response is None:
            raise self.unknown_path(request, where)
        return response

    def perform(self, engine: Engine, call: Call) -> Response | None:
        """Perform the operation of an authenticated call; None if its path has none. Raises Refusal."""
        response = engine.handle(call)
        if response is not None:
            return response
        if call.request.body and call.segments[:1] != ("upload",):  # an upload keeps its raw body
            call = replace(call, body=decode_json(call.request.body))
        return engine.resources.handle(call)

    def unknown_path(self, request: Request, where: Route) -> Refusal:
        """Return a Refusal 404 that suggests what was probably meant."""
        path = request.raw_path[:200]
        hint = hints.wrong_path(where.version, where.segments)
        return not_found(f"There is no {request.method} {path}.{hint}")

    def refuse(self, refusal: Refusal, request: Request, where: Route) -> Response:
        return refusal.response()

    def encode(self, response: Response, request: Request, where: Route) -> Response:
        """The response in the content coding of the settings, if the client accepts it; errors, too, as live."""
        engine = self._default if where.session is None else self.sessions.get(where.session)
        coding = engine.settings.compression if engine is not None and not where.control else "none"
        if coding == "none" or not accepts(request.headers.get("accept-encoding"), coding):
            return response
        return compress(response, coding)

    def capabilities(self) -> set[str]:
        """Return the capabilities that the settings of the default session allow."""
        return self.sessions.capabilities()

    def set_time(self, now: float, *, everywhere: bool = False) -> None:
        """Sign deliveries with real time: `now` is the present moment in unix seconds.

        Receivers refuse a signature that is minutes old, and the emulator's own time starts on a fixed day. With
        `everywhere` that time goes into every field, too (`created`, `expirationTime`, the body of a webhook), and
        responses have a `Date`: clients of `harness serve` compare them with their own clock.
        """
        with self._lock:
            self._offset = now - self.clock.now
            self._is_now = everywhere
            for engine in self.sessions.engines():
                self._set_timestamps(engine)

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)
            if self.on_note is not None:
                self.on_note(note)

    def _set_timestamps(self, engine: Engine) -> None:
        if self._offset is not None:
            engine.timestamps.offset = self._offset
            if self._is_now:
                engine.timestamps.start = self._offset

    def _new_engine(self, number: int, settings: Settings) -> Engine:
        seed = self._seed * 1_000_003 + number
        engine = self.engine_type(settings, self.clock, seed, self._lock, self.contract, self._note)
        self._set_timestamps(engine)
        return engine

    # For fixtures: methods of the default session

    @property
    def settings(self) -> Settings:
        return self._default.settings

    def reply(self, text: str | None = None, **script: Any) -> Emulator:
        """Queue a response: `reply(text=…)`, `reply(steps=[…])` or any other keys of a script.

        Returns the emulator, so that calls can be chained. Raises ScriptFault.
        """
        return self.script({**({"text": text} if text is not None else {}), **script})

    def script(self, script: Mapping[str, Any] | Script | QueuedAnswer) -> Emulator:
        parsed = script if isinstance(script, Script | QueuedAnswer) else parse(script, self.contract.lifecycle)
        with self._lock:
            self._default.scripts.add(parsed)
        return self

    def load_scenario(self, path: str | Path) -> Emulator:
        """Queue the scripts of a scenario file and apply its settings. Raises ScriptFault or UsageFault."""
        loaded = load_scenario(path, self.contract.lifecycle)
        self.change(**loaded.settings)
        for script in loaded.replies:
            self.script(script)
        return self

    def change(self, **settings: Any) -> Emulator:
        """Change settings by name. Raises UsageFault."""
        with self._lock:
            self._default.change(self._default.settings.with_values(settings))
        return self

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The requests received, oldest first, with secrets masked: `method`, `target`, `headers`, `body`."""
        with self._lock:
            return self._default.log.to_dicts()

    def look(self, interaction_id: str) -> dict[str, Any] | None:
        """Return an interaction as it is now, or None. Unlike a poll, this does not move the interaction on."""
        with self._lock:
            return self._default.steering.look(interaction_id)

    def hold(self, id: str | None = None) -> Emulator:  # noqa: A002 - the word of the control API
        """Hold one background run, or all of them, including future ones, until `release`."""
        with self._lock:
            self._default.steering.hold(id)
        return self

    def release(self, id: str | None = None) -> int:  # noqa: A002 - the word of the control API
        """Let one held run continue, or all of them; return the number of runs that were held."""
        with self._lock:
            return self._default.steering.release(id)

    def advance(self, id: str | None = None) -> int:  # noqa: A002 - the word of the control API
        """Let one held run send one more event, or all of them; return the number of runs that were held."""
        with self._lock:
            return self._default.steering.advance(id)

    @property
    def state(self) -> dict[str, Any]:
        """The waiting responses and held runs of the default session (`Steering.describe_state`)."""
        with self._lock:
            return self._default.steering.describe_state()

    @property
    def waiting(self) -> list[str]:
        """The ids that only time moves on in the default session: runs that last, and files in processing."""
        with self._lock:
            runs = [run.id for run in self._default.store.all() if run.until_due() is not None and not run.held]
            return [*runs, *self._default.resources.find_processing()]

    @property
    def session_states(self) -> dict[str, dict[str, Any]]:
        """The current state of each session but the default one, by name, the oldest first."""
        with self._lock:
            return {name: engine.steering.describe_state() for name, engine in self.sessions.named.items()}

    def reset(self) -> Emulator:
        """Forget runs, resources, scripts and requests."""
        with self._lock:
            self._default.reset()
        return self


class EmulatorOutbox:
    """The deliveries of all sessions. Takes the emulator's lock for each call, as every request does."""

    def __init__(self, sessions: Callable[[], list[Engine]], lock: RLock) -> None:
        self._sessions = sessions
        self._lock = lock

    def _all(self) -> list[Deliveries]:
        return [session.deliveries for session in self._sessions()]

    @property
    def next_due(self) -> float | None:
        """The moment of the next attempt, or of the next scheduled run, in any session."""
        with self._lock:
            return min((due for one in self._sessions() if (due := one.next_due) is not None), default=None)

    @property
    def given_up(self) -> list[str]:
        """Why deliveries were dropped."""
        with self._lock:
            return [reason for one in self._all() for reason in one.given_up]

    def attend(self, reaches: Callable[[str], bool] = lambda uri: True) -> bool:
        """Start runs that triggers owe, and move those that a webhook waits for which `reaches` confirms."""
        with self._lock:
            return bool(sum(one.attend(reaches) for one in self._sessions()))  # each of them is to be moved

    def take_due(self) -> list[Delivery]:
        with self._lock:
            return [delivery for one in self._all() for delivery in one.take_due()]

    def note_answer(self, delivery: Delivery, status: int | None) -> None:
        with self._lock:
            for one in self._all():
                one.note_answer(delivery, status)

    def drop(self, delivery: Delivery, reason: str) -> None:
        """Give a delivery up."""
        with self._lock:
            for one in self._all():
                one.drop(delivery, reason)


# For one case of a client: scripted answers, with a run in the background that can be followed

_COLLECTION = "/v1beta/interactions"
_CLIENT_FIELDS = Headers([("x-goog-api-key", "interactions-harness"), ("content-type", "application/json")])
_CREATE = {"model": "gemini-3.8-flash", "input": "Go.", "background": True}


def prepare_run(
    emulator: Emulator,
    *,
    script: Mapping[str, Any],
    further: Mapping[str, Any] | None,
    refusal: Mapping[str, Any] | None,
    scenario: str | None,
    settings: Mapping[str, Any],
) -> str:
    """Script the emulator and begin a run; return its id. Raises UsageFault if the emulator refuses.

    If the script refuses every create, the run is one from before. If it calls functions and nothing is `further`,
    a turn with their results gets a text, so that an agent that answers every call can finish.
    """
    emulator.change(**settings)
    if refusal is not None:
        emulator.script({**refusal, "times": 0, "match": {"previous": True}})
    if "refuse" in script and scenario is None:
        found = _begin_run(emulator)
        emulator.script({**script, "times": 0})
        return found
    if scenario is not None:
        emulator.load_scenario(scenario)
        return _begin_run(emulator)
    answer = unfold(script)[0]
    emulator.script({**answer, "times": 1})  # a script of its own: the client's first create has its ids of calls
    found = _begin_run(emulator)
    if further is None and not any(step.get("type") == "function_call" for step in script.get("steps") or ()):
        emulator.script({**answer, "times": 0})
    else:
        emulator.script({**answer, "times": 0, "match": {"further": False}})
        *first, last = unfold(further or {"text": "The results have arrived."})
        for one in first:
            emulator.script({**one, "match": {"further": True}})
        emulator.script({**last, "times": 0, "match": {"further": True}})
    return found


def unfold(script: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A script and those that its key `then` holds: what the model answers to one create after the other."""
    found = {key: value for key, value in script.items() if key != "then"}
    then = script.get("then")
    return [found, *(unfold(then) if isinstance(then, Mapping) else ())]


def _begin_run(emulator: Emulator) -> str:
    response = emulator(Request("POST", _COLLECTION, _CLIENT_FIELDS, json.dumps(_CREATE).encode()))
    answer = json.loads(b"".join(piece.data for piece in response.body if isinstance(piece, Chunk)))
    if "error" in answer:
        raise UsageFault(f"the emulator refused to create: {answer['error']['message']}")
    return str(answer["id"])


def stream_request(run_id: str) -> Request:
    """The request that streams the whole of a run."""
    return Request("GET", f"{_COLLECTION}/{quote(run_id, safe='')}?stream=true", _CLIENT_FIELDS)
