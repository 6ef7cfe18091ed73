"""One session of the service: its parts, wired together, and what belongs to all of them.

Layer 2. The type of each part is a class attribute, so that a mutant can replace it by a subclass. Must not know
the operations, which `engine` adds; the caller holds the lock.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock
from typing import Any

from harness.contract import Contract
from harness.emulator.create.validation import CreateValidator
from harness.emulator.deliveries.outbox import Deliveries
from harness.emulator.http.auth import Auth
from harness.emulator.reply.replies import ReplyBuilder
from harness.emulator.resources import Resources
from harness.emulator.resources.collection import Stamps
from harness.emulator.run.event_writer import EventWriter
from harness.emulator.run.interaction_body import Bodies
from harness.emulator.run.order_watch import OrderWatch
from harness.emulator.run.run import Run
from harness.emulator.run.store import InteractionStore
from harness.emulator.run.stream_response import Streams
from harness.emulator.script.script_queue import ScriptQueue
from harness.emulator.script.steering import Steering
from harness.emulator.values.ids import IdSequence
from harness.emulator.values.settings import Settings
from harness.emulator.values.timestamps import Timestamps
from harness.emulator.values.usage import Meter
from harness.wire import Clock
from harness.wire.request_log import RequestLog


class SessionParts:
    """The parts of one session, and its time."""

    validator_type: type[CreateValidator] = CreateValidator
    auth_type: type[Auth] = Auth
    bodies_type: type[Bodies] = Bodies
    deliveries_type: type[Deliveries] = Deliveries
    events_type: type[EventWriter] = EventWriter
    ids_type: type[IdSequence] = IdSequence
    meter_type: type[Meter] = Meter
    resources_type: type[Resources] = Resources
    replies_type: type[ReplyBuilder] = ReplyBuilder
    run_type: type[Run] = Run
    store_type: type[InteractionStore] = InteractionStore
    streams_type: type[Streams] = Streams

    def __init__(self, settings: Settings, clock: Clock, seed: int, lock: RLock, contract: Contract) -> None:
        self.contract = contract
        self.clock = clock
        self.lock = lock
        self.ids = self.ids_type(seed)
        self.timestamps = Timestamps(clock)
        self.scripts = ScriptQueue(settings.max_queued, settings.max_queued_bytes)
        fields = contract.protocol.secret_fields
        self.log = RequestLog(settings.max_requests, fields, most_bytes=settings.max_request_bytes)
        self._on_note: Callable[[str], object] | None = None
        self._build(settings)

    def _build(self, settings: Settings) -> None:
        self.settings = settings
        self.ids.vertex = settings.platform == "vertex"
        self.auth = self.auth_type(settings)
        self.events = self.events_type(self.contract)
        self.meter = self.meter_type(self.contract)
        self.bodies = self.bodies_type()
        self.store = self.store_type(settings.max_runs, settings.max_run_bytes)
        self.steering = Steering(self.store, self.bodies, self.scripts)
        self.resources = self.resources_type(self.ids.make_id, self.timestamps.now, settings, self.contract)
        self.deliveries = self.deliveries_type(
            self.clock,
            Stamps(self.ids.make_id, self.timestamps.now),
            self.resources.find_webhooks,
            self.timestamps.read_unix,
        )
        self.replies = self.replies_type(self.ids, self.resources.deliver)
        self.resources.look_up = self.look_up
        self.validator = self.validator_type(settings, self.resources, self.find, self.contract)
        self.validator.on_note = self._on_note
        self.streams = self.streams_type(self, self.lock)

    def set_on_note(self, on_note: Callable[[str], object]) -> None:
        """Call a function with each new note on a model; a reset keeps it."""
        self._on_note = self.validator.on_note = on_note

    def watch(self) -> OrderWatch | None:
        """Return a watch over the events of a run; a mutant, which may break the order, has none."""
        return OrderWatch(self.contract.order)

    def note_settled(self, run: Run) -> None:
        """Tell webhooks that a background run has come to its end."""
        self.deliveries.note_settled(run)

    def change(self, settings: Settings) -> None:
        """Replace the settings. Existing runs keep their `ticks`; queue, log, store and files their bounds."""
        self.settings = settings
        self.ids.vertex = settings.platform == "vertex"
        self.auth = self.auth_type(settings)
        self.validator.settings = settings
        self.resources.settings = settings

    def reset(self) -> None:
        """Forget runs, resources, scripts and requests; the id counter goes on, so that no id is used twice.

        What is held is let go first: nobody could release it later, and its readers would wait for ever.
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
        return self.bodies.interaction(run, timeline=True) if run is not None else None

    def attend(self) -> bool:
        """Start runs that triggers owe, and move those that webhooks wait for; whether one is still running."""
        self.resources.attend()
        return self.deliveries.attend()

    @property
    def next_due(self) -> float | None:
        """When the next delivery or scheduled run is due, in seconds of the clock."""
        due = self.resources.next_due
        moments = [self.deliveries.next_due, self.timestamps.read_clock(due) if due is not None else None]
        return min((moment for moment in moments if moment is not None), default=None)
