"""One session of the service: its parts, wired together, and the operations on its interactions.

A mutant replaces the type of a part by a subclass (`parts`). Must not know the network or the control API; the
caller holds the lock.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from threading import RLock
from typing import Any, ClassVar, TypeVar

import msgspec

from harness.contract import Contract
from harness.contract.tables.protocol import code_of
from harness.emulator.auth import Auth
from harness.emulator.create.validation import CreateValidator
from harness.emulator.deliveries import Deliveries
from harness.emulator.reply.replies import ReplyBuilder
from harness.emulator.resources.collection import listing, page
from harness.emulator.resources.router import Resources
from harness.emulator.run.event_writer import EventWriter
from harness.emulator.run.interaction_body import Bodies
from harness.emulator.run.run import Run
from harness.emulator.run.store import InteractionStore, Steering
from harness.emulator.run.stream_response import HeldBody, Streams
from harness.emulator.scripts import EMPTY, ScriptQueue
from harness.emulator.values.call import Call, Refusal, Route, decode_json, invalid, json_response, not_found
from harness.emulator.values.create_request import CreateRequest
from harness.emulator.values.settings import PLATFORMS, VERTEX, Platform, Settings
from harness.emulator.values.stamps import IdSequence, Stamps, Timestamps, interaction_id
from harness.emulator.values.usage import Meter
from harness.wire import Chunked, Clock, Length, PieceBody, Request, Response
from harness.wire.bodies import object_or_none
from harness.wire.message import COMPLETE, JSON_HEADERS, Chunk, ReadyBody
from harness.wire.request_log import RequestLog

LEASE = ("environments:leaseInteractions",)
"""The path on which the worker of a self-hosted environment polls for interactions."""

_FLAGS = {"true": True, "false": False, "1": True, "0": False, "": False}


_SENDS_LEGACY = re.compile(r"google-genai-sdk/(1\.[\w.]+)(.*gl-node)?")
"""The official SDKs of before 2026-06-08, which the service refuses; by what it knows them is not published."""
_LEGACY = "The legacy Interactions API schema is no longer supported. Please upgrade your client SDK."


Part = TypeVar("Part")


class Engine:
    """The parts of one session and its time; handles calls that have been routed and authenticated."""

    parts: ClassVar[Mapping[type, type]] = {}
    """The subclass that takes the place of a part; each makes a mutant."""

    @classmethod
    def part(cls, base: type[Part]) -> type[Part]:
        return cls.parts.get(base, base)

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        seed: int,
        lock: RLock,
        contract: Contract,
        note: Callable[[str], object],
    ) -> None:
        """`note` gets each note on a create, such as on its model or SDK, before the response."""
        self.contract = contract
        self.clock = clock
        self.lock = lock
        self._new_run = self.part(Run)  # hot
        self.ids = self.part(IdSequence)(seed)
        self.timestamps = Timestamps(clock)
        self.scripts = ScriptQueue(settings.max_queued)
        fields = contract.protocol.secret_fields
        self.log = RequestLog(settings.max_requests, fields, most_bytes=settings.max_request_bytes)
        self._note = note
        self._build(settings)

    def _build(self, settings: Settings) -> None:
        self._apply(settings)
        self.events = self.part(EventWriter)(self.contract)
        self.meter = self.part(Meter)(self.contract)
        self.bodies = self.part(Bodies)()
        self.store = self.part(InteractionStore)(settings.max_runs, settings.max_run_bytes)
        self.steering = Steering(self.store, self.bodies, self.scripts)
        stamps = Stamps(self.ids.make_id, self.timestamps.now)
        self.resources = self.part(Resources)(stamps, settings, self.contract, self.look_up, self.run_trigger)
        self.deliveries = self.part(Deliveries)(
            self.clock, stamps, self.resources.find_webhooks, self.timestamps.read_unix, self.lock
        )
        self.replies = self.part(ReplyBuilder)(self.ids, self.resources.deliver)
        self.validator = self.part(CreateValidator)(settings, self.resources, self.find, self.contract, self._note)
        self.streams = self.part(Streams)(self, self.lock)

    def change(self, settings: Settings) -> None:
        """Replace the settings. Existing runs keep their `ticks`; queue, log, store and files their bounds."""
        self._apply(settings)
        self.validator.settings = settings
        self.validator.admitted.clear()
        self.resources.settings = settings

    def _apply(self, settings: Settings) -> None:
        self.settings = settings
        self.auth = self.part(Auth)(settings)
        own = PLATFORMS[settings.platform]
        self.platforms: tuple[Platform, Platform] = own, VERTEX if own.gemini else own
        """The surfaces of a call: of a path in the form of the Gemini API, and of one in Vertex's."""

    def reset(self) -> None:
        """Forget runs, resources, scripts and requests; the id counter goes on, so that no id is used twice.

        Held runs are released first: no client could release them later, and their readers would wait for ever.
        """
        self.steering.release()
        self.scripts.clear()
        self.log.clear()
        self._build(self.settings)

    def find(self, interaction_id: str, project: str) -> Run | None:
        """Return a stored interaction of the project, or None."""
        return self.store.find(interaction_id, project)

    def look_up(self, interaction_id: str, project: str) -> dict[str, Any] | None:
        """Return an interaction as it is now, or None, without moving it on."""
        run = self.find(interaction_id, project)
        # decoded: what a caller changes in it is no part of the run
        return decode_json(self.bodies.render(run, timeline=True)) if run is not None else None

    def attend(self, reaches: Callable[[str], bool]) -> bool:
        """Start runs that triggers owe, and move those that webhooks wait for; whether one is still running."""
        self.resources.attend()
        return self.deliveries.attend(reaches)

    @property
    def next_due(self) -> float | None:
        """The moment of the next delivery or scheduled run, in seconds of the clock."""
        due = self.resources.next_due
        moments = [self.deliveries.next_due, due.timestamp() - self.timestamps.start if due else None]
        return min((moment for moment in moments if moment is not None), default=None)

    # The operations

    def handle(self, call: Call) -> Response | None:
        """Answer a call on interactions; return None for any other path. Raises Refusal."""
        method, segments = call.request.method, call.segments
        if segments == LEASE and method == "POST":
            return self.lease(call)
        if segments[:1] != ("interactions",):
            return None
        rest = segments[1:-1] if segments[-1] == "" else segments[1:]
        if not rest:
            # the Gemini API lists nothing, Vertex does (its reference)
            lists = not call.platform.gemini
            if method == "POST":
                return self.create(call)
            if method == "GET" and lists:
                # that the oldest come first is inferred
                stored = self.store.of(call.project)
                runs, token = page(stored, call.query, "interactions", default=10, largest=500)
                return json_response(listing("interaction_metadatas", [{"id": run.id} for run in runs], token))
            return self.refuse_method(call, ("POST", "GET") if lists else ("POST",))
        if len(rest) == 1 and ":" not in rest[0]:
            if method == "GET":
                return self.get(call, rest[0])
            if method == "DELETE":
                return self.delete(call, rest[0])
            return self.refuse_method(call, ("GET", "DELETE"))
        if len(rest) == 2 and rest[1] == "cancel":
            return self.cancel(call, rest[0]) if method == "POST" else self.refuse_method(call, ("POST",))
        return None

    def refuse_method(self, call: Call, allowed: tuple[str, ...]) -> Response:
        """Raise Refusal 404, as the service did for an unknown method (issues); the errors page has no 405."""
        message = f"{call.request.method} is not an operation on this path: it takes {' and '.join(allowed)}."
        raise not_found(message)

    def create(self, call: Call) -> Response:
        try:
            client = call.request.headers.get("x-goog-api-client")
            if client and (old := _SENDS_LEGACY.match(client)):
                sdk = "@google/genai" if old[2] else "google-genai"
                self._note(f"{sdk} {old[1]} sends the legacy schema: upgrade to {sdk} 2.0.0 or newer")
                raise invalid(_LEGACY)
            opened = self.open(self.validator.admit(call.request.body, call.project, call.platform, call.version))
            response = self.answer(opened)
        except Refusal as refusal:
            return self.refuse_create(call, refusal)
        # priority page
        response.headers = response.headers.adding("x-gemini-service-tier", opened[0].service_tier)
        return response

    def open(self, order: CreateRequest) -> tuple[Run, CreateRequest]:
        """Start and keep a run for an admitted order. Raises Refusal if the script refuses it."""
        script = self.scripts.take(order)
        if script.refuse is not None:
            wanted = script.refuse
            code = wanted.code or code_of(wanted.status)
            raise Refusal(wanted.status, code, wanted.message, tuple(wanted.headers.items()))
        number = self.ids.number()
        order.is_plain = order.is_plain and script is EMPTY and type(self) is Engine  # a mutant is of another type
        reply = self.replies.reply(order, script)
        run = self._new_run(self, order, script, reply, run_id=self.interaction_id(number), number=number)
        if script.steps is not None:
            self.validator.sent.remember(run.steps)
        if order.agent is not None and order.environment_id is not None:
            self.resources.kept.environments.keep_written(order.environment_id, order.project, run.steps)
        if not run.settled:
            self.steering.note_begun(run)
        if run.stored:
            coded = msgspec.json.encode(run.steps)
            if run.is_plain:
                run.coded = msgspec.Raw(coded)
            run.size += 4 * len(coded)  # as values, events, frames and bodies, about
            self.store.keep(run)
        if run.background:
            self.deliveries.watch(run)
        if run.token is not None or run.checkpoints:
            self.validator.remember_token(run)
        return run, order

    def interaction_id(self, number: int) -> str:
        """Return the id of a new interaction, opaque to clients."""
        return interaction_id(number, vertex=self.ids.vertex)

    def answer(self, opened: tuple[Run, CreateRequest]) -> Response:
        """Return a stream, or the interaction as JSON; the JSON of a held foreground run waits for its release."""
        run, order = opened
        if order.stream:
            return self.streams.open(run)
        if run.settled or run.background:
            return self.json(self.bodies.render(run, timeline=False))
        body = HeldBody(run, self.streams.waiting(run), self.lock, lambda: self.bodies.render(run, timeline=False))
        return Response(200, JSON_HEADERS, Chunked(), body)

    def refuse_create(self, call: Call, refusal: Refusal) -> Response:
        """Raise the refusal of a create, or answer it with a stream of one error event (`stream_refusals`)."""
        body = object_or_none(call.request.body) or {}
        if self.settings.stream_refusals == "event" and body.get("stream") is True:
            frames = (
                self.events.frame(self.events.error(refusal.code, refusal.message)) + self.events.encode_done()
            )
            return Response(200, self.streams.headers(), Chunked(), PieceBody((Chunk(frames), COMPLETE)))
        raise refusal

    def get(self, call: Call, interaction_id: str) -> Response:
        """GET /interactions/{id}: a poll or a stream."""
        query = call.query
        stream = self.read_flag(query, "stream")
        include_input = self.read_flag(query, "include_input")
        cursor = query.get("last_event_id")
        if cursor and not stream:
            raise invalid("'last_event_id' is only valid together with 'stream=true'.")
        run = self.require_run(interaction_id, call.project)
        hidden = run.script.hidden
        if hidden is not None and run.hides():
            raise Refusal(hidden.status, hidden.code or code_of(hidden.status), hidden.message)
        if stream:
            run.keep_pace()
            return self.streams.open(run, cursor)
        run.poll()
        return self.json(self.bodies.render(run, timeline=True, include_input=include_input))

    def cancel(self, call: Call, interaction_id: str) -> Response:
        """POST /interactions/{id}/cancel: only for a background run that is still running (OpenAPI text)."""
        run = self.require_run(interaction_id, call.project)
        run.keep_pace()
        self.require_cancellable(run)
        if not run.settled:
            self.stop(run)
        return self.json(self.bodies.render(run, timeline=True))

    def require_cancellable(self, run: Run) -> None:
        """Raise Refusal for a foreground run, and for a run that has settled in a status other than cancelled."""
        if run.status == "cancelled":
            return
        if not run.background:
            raise invalid(
                f"'{run.id}' does not run in the background: it cannot be cancelled.", "failed_precondition"
            )
        if run.settled:
            raise invalid(
                f"'{run.id}' is {run.status} already: only a running one is cancelled.", "failed_precondition"
            )

    def stop(self, run: Run) -> None:
        run.cancel()

    def delete(self, call: Call, interaction_id: str) -> Response:
        """DELETE /interactions/{id}. A run in progress is cancelled first, so that its readers come to an end.

        Without `delete_stops` it goes on, for readers that have it open.
        """
        run = self.require_run(interaction_id, call.project)
        if not run.settled and self.settings.delete_stops:
            run.cancel()
        self.store.forget(run)
        return self.json(b"{}")

    def require_run(self, interaction_id: str, project: str) -> Run:
        """Return a stored interaction of the caller's project. Raises Refusal 404."""
        run = self.find(interaction_id, project)
        if run is not None:
            return run
        hint, settings = "", self.settings
        if interaction_id == "live":
            hint = " '/interactions/live' is the WebSocket of Live Interactions, which is not emulated."
        if interaction_id in self.store.forgotten:
            hint = (
                f" It had to make room: the emulator's settings are max_runs={settings.max_runs}, "
                f"max_run_bytes={settings.max_run_bytes}."
            )
        raise not_found(f"There is no interaction '{interaction_id[:100]}'.{hint}")

    def json(self, data: bytes) -> Response:
        return Response(200, JSON_HEADERS, Length(len(data)), ReadyBody((Chunk(data),)))

    def read_flag(self, query: Any, name: str) -> bool:
        """Read a boolean query parameter, False by default. Raises Refusal 400 for any other value."""
        text = query.get(name)
        if text is None:
            return False
        value = _FLAGS.get(text.lower())
        if value is None:
            raise invalid(f"'{name}' must be true or false, not '{text[:100]}'.")
        return value

    def find_worker_project(self, request: Request, where: Route) -> str:
        """The project of a worker, which has the key of its environment or of the project. Raises Refusal."""
        hosted = self.resources.find_hosted(self.auth.key(request, where.query))
        return hosted.project if hosted is not None else self.auth.project(request, where.query)

    def lease(self, call: Call) -> Response:
        """POST environments:leaseInteractions, with the key of an environment, or of a project for all of its own.

        Only that a worker polls it is public. Inferred: its keys, that it returns at once, and its response.
        """
        if call.request.body and not isinstance(decode_json(call.request.body), dict):
            raise invalid("The body must be a JSON object, or empty.")
        hosted = self.resources.find_hosted(self.auth.key(call.request, call.query))
        leased = self.steering.lease(call.project, hosted.id if hosted is not None else None)
        return json_response(listing("interactions", leased, ""))

    def run_trigger(self, body: dict[str, Any], project: str) -> dict[str, Any]:
        """Create an interaction from a trigger's body. Raises Refusal."""
        run, _ = self.open(self.validator.admit(msgspec.json.encode(body), project, self.platforms[False]))
        return self.bodies.interaction(run, timeline=False)
