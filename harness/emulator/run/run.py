"""The life of one interaction: its status, steps and counts, its events so far, and what moves it on.

All state of an interaction is here, nowhere else. A run is moved on by polls (each shows the next visible state)
and by finished pauses of its own readers (each shows the next events). Pulling a piece never moves it, and neither
do requests for other interactions, so that parallel tests do not finish each other's runs. With the setting `pace`
only the clock moves it. Must not know HTTP.

Sources: the lifecycle of the background page; that queued comes first and that cancelling closes the open step is
inferred, and so are the parts that a cancelled run keeps: an open model_output step ends where it is; any other
open step is completed, because half a signature or half of the arguments would be invalid. A background run that
is in progress has always shown its first two events (created, in progress), so a hold never hides them.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from harness.contract import Contract
from harness.emulator.reply.replies import Reply
from harness.emulator.scripts import Script
from harness.emulator.values.create_request import CreateRequest
from harness.emulator.values.settings import Settings
from harness.emulator.values.stamps import Timestamps
from harness.emulator.values.usage import UNSHOWN_TOKENS, Meter, count_thought
from harness.wire import Clock

Json = dict[str, Any]


class RunContext(Protocol):
    """The parts of its engine that a run uses; `deliveries`, `events` and frames import this module."""

    contract: Contract
    clock: Clock
    deliveries: Any
    events: Any
    settings: Settings
    timestamps: Timestamps
    meter: Meter


class Run:
    """An interaction, and what moves it on.

    `steps` are its output steps, `service_tier` the tier that served the request, `shown` is the number of events
    that have happened, `serial` the store's number, `needs_worker` whether it waits until a worker leases it,
    `coded` the JSON of the steps of a plain create until its first body.
    """

    __slots__ = (
        "__weakref__",
        "_ends_in_error", "_events", "_frames", "_goal", "_hidden", "_hold", "_lag", "_old_status",
        "_paced", "_polls", "_queue", "_skipped", "_started", "_was_polled", "_world", "agent",
        "background", "body", "checkpoints", "coded", "context", "created", "environment_id",
        "errors", "given", "id", "interruption", "is_plain", "model", "moves", "needs_worker", "number",
        "platform", "polled", "profile", "project", "rest", "script", "serial", "service_tier", "settled",
        "shown", "size", "steps", "stored", "token", "updated", "waiting",
    )  # fmt: skip

    def __init__(
        self, world: RunContext, order: CreateRequest, script: Script, reply: Reply, *, run_id: str, number: int
    ) -> None:
        self._world = world
        self.script = script
        self.number = number
        self.serial = 0
        self.id = run_id
        self.project = order.project
        self.model, self.agent = order.model, order.agent
        self.background, self.stored = order.background, order.store
        self.body, self.given = order.body, order.given
        self.service_tier: str = order.body.get("service_tier") or "standard"
        self.platform, self.profile = order.platform, order.profile
        self.environment_id = script.environment_id or order.environment_id
        self.steps = reply.steps
        self.errors = reply.errors
        self.token = reply.token
        self.checkpoints, self.rest = reply.checkpoints, reply.rest
        self.size, self.is_plain = order.size, order.is_plain
        self.coded: msgspec.Raw | None = None
        self.context = 0
        if order.previous is not None and not script.without_context:
            self.context = order.previous.total_context()
        self.created = self.updated = world.timestamps.now()
        self._goal = reply.status
        self.settled = False
        self.waiting = self.background and script.queued > 0
        self.shown = 0
        self._lag = 0
        self._old_status = ""
        self._events: list[Json] | None = None
        self._frames: Any = None
        self.interruption: int | None = None
        self._queue = script.queued
        self._polls = world.settings.ticks if script.ticks is None else script.ticks
        self.needs_worker = order.needs_worker
        self._hold = 0 if order.needs_worker else script.held_after if script.hold else None
        self.moves = 0
        self._paced = 0
        self._started = self.polled = world.clock.now if self.background else 0.0
        self._skipped = world.clock.skipped
        self._was_polled = False
        self._hidden = script.hidden.polls if script.hidden is not None else 0
        self._ends_in_error = False
        if script.error_event is not None:
            self._plan_error()
        if self.background:
            self.shown = 1 if self.waiting else 2
        elif self._hold is None:  # hot: it has settled as soon as it is made
            self.settled = True
            if script.error_event is not None:
                self._close(self.events)
        else:
            self.shown = min(self._hold, len(self.events))

    # What clients are shown of it

    @property
    def readable(self) -> int:
        """The number of frames that a reader can get now, including the closing frame."""
        return len(self.events) + 1 if self.settled else min(self.shown, len(self.events))

    @property
    def public_id(self) -> str:
        """The id on the wire: empty if the interaction is not stored, as in recordings."""
        return self.id if self.stored else ""

    @property
    def author(self) -> Json:
        """The model or the agent, as a field of bodies and events."""
        return {"agent": self.agent} if self.agent is not None else {"model": self.model}

    @property
    def announced_author(self) -> Json:
        """The author as the events of a stream name it."""
        return {} if self.platform.vertex else self.author

    @property
    def tag(self) -> str:
        """The prefix of this run's event ids."""
        return f"{self.number:016x}"

    @property
    def event_ids(self) -> str:
        """The policy for event ids, with `auto` resolved."""
        policy = self._world.settings.event_ids
        if policy != "auto":
            return policy
        return self.platform.event_ids if self.background else "none"

    @property
    def created_status(self) -> str:
        if self.script.created_status is not None:
            return self.script.created_status
        return "queued" if self.background and self.script.queued else "in_progress"

    @property
    def status(self) -> str:
        if self.settled:
            return self._goal
        return "queued" if self.waiting else "in_progress"

    @property
    def visible_status(self) -> str:
        """The status that polls see; for a while after a cancel it may still be the old one."""
        if self._lag:
            return self._old_status
        return self._goal if self.settled else self.status

    @property
    def concluded(self) -> bool:
        """Whether it has settled and polls may see it."""
        return self.settled and (not self._lag or self._old_status == self._goal)

    @property
    def usage(self) -> Json:
        """Token counts of all `steps`; counts in the script replace them."""
        usage = self.find_usage()[0] if self.is_plain else self.usage_after(len(self.steps))
        return {**usage, **self.script.usage} if self.script.usage else usage

    def find_usage(self) -> tuple[Json, msgspec.Raw]:
        """The usage of a plain run, and its JSON: it follows from the lengths of its texts."""
        given, made, on = self.body["input"], self.steps[1]["content"][0]["text"], self.platform
        key = self.model, on.gemini, on.vertex, (len(given) + 3) // 4, (len(made) + 3) // 4
        plain = self._world.meter.plain
        if (found := plain.get(key)) is None:
            usage = self.usage_after(len(self.steps))
            found = plain[key] = usage, msgspec.Raw(msgspec.json.encode(usage))
        return found

    def usage_after(self, steps: int) -> Json:
        return self._world.meter.usage(
            self.given,
            self.steps[:steps],
            context=self.context,
            system=self.body.get("system_instruction") or "",
            fields=self.profile.usage,
            thought_tokens=count_thought(self.body.get("generation_config"), self.profile),
            cut_thought=self._count_cut_thought() if self._goal == "incomplete" else None,
            vertex=self.platform.vertex,
            has_invocations=self.platform.gemini and self.model is not None,
        )

    def _count_cut_thought(self) -> int | None:
        """The tokens of thinking that a limit cut before any output (28 and 29 of 32 in recordings), else None."""
        generation = self.body.get("generation_config") or {}
        limit = generation.get("max_output_tokens")
        if limit is None or any(step.get("signature") != "" for step in self.steps):
            return None
        return max(limit - UNSHOWN_TOKENS, 0) if count_thought(generation, self.profile) else 0

    def total_context(self) -> int:
        """Return how many tokens of context a child of this run starts with: its whole input and output."""
        usage = self.usage
        return int(usage.get("total_input_tokens", 0)) + int(usage.get("total_output_tokens", 0))

    def finished_steps(self) -> list[Json]:
        if self.settled:
            return self.steps
        return self.steps[: count_complete_steps(self.events[: self.shown])]

    @property
    def lasts(self) -> float | None:
        """Seconds of the clock that the run takes, if its script or the settings have them."""
        return self._world.settings.lasts if self.script.lasts is None and self.background else self.script.lasts

    @property
    def pace(self) -> float | None:
        """Seconds of the clock between two moves of this run; None: polls and readers move it."""
        lasts = self.lasts
        if lasts is None:
            return self._world.settings.pace
        moves = -(-(len(self.events) - 1) // self._stride)
        return lasts / max(1, moves)

    @property
    def _stride(self) -> int:
        """The number of events that one move shows: of a long run several, so that it has about 200 pauses."""
        return max(1, len(self.events) // 200)

    # What moves it

    def hides(self) -> bool:
        """Whether the script hides the run from this GET. It may count the GETs: call it once for each."""
        hidden = self.script.hidden
        if hidden is None:
            return False
        if hidden.seconds is not None:
            self._let_pass(hidden.seconds / max(1, hidden.polls))
            return self._world.clock.now - self._started < hidden.seconds
        if hidden.polls == 0:
            return True
        self._hidden -= 1
        return self._hidden >= 0

    def poll(self) -> None:
        """Move to the next visible state, because a client has polled."""
        self.polled = self._world.clock.now
        lasts = self.lasts
        if lasts is not None and not self.settled:
            self._let_pass(lasts / max(1, self._polls))
        self.keep_pace()
        if self._lag:
            self._lag -= 1
        if self.settled or not self.background or self.pace is not None:
            return
        if self.waiting and self._queue:
            self._queue -= 1
        elif self._polls:
            self._leave_queue()
            left, self._polls = self._polls, self._polls - 1
            self._show(self.shown + (len(self.events) - self.shown) // (left + 1))
        else:
            self._leave_queue()
            self._show(len(self.events) + 1)

    def pause_finished(self, mark: int) -> None:
        """End a pause that began when `moves` was `mark`; of several such pauses only the first moves the run."""
        self.keep_pace()
        self.polled = self._world.clock.now
        if mark == self.moves and self.pace is None:
            self._move()

    def until_due(self) -> float | None:
        """Seconds of the clock until it moves the run; None without a pace."""
        pace = self.pace if self.background and not self.settled else None
        if pace is None:
            return None
        clock = self._world.clock
        return max(clock.tick_seconds, self._started + (self._paced + 1) * pace - clock.now)

    def keep_pace(self) -> None:
        """With a pace: move the run as far as the clock allows."""
        pace = self.pace if self.background and not self.settled else None
        if pace is None:
            return
        due = int((self._world.clock.now - self._started) / pace)
        while self._paced < due and not self.settled:
            self._paced += 1
            self._move()

    def release(self) -> bool:
        """Let a held run continue; return whether it was held."""
        held, self._hold = self._hold is not None and not self.settled, None
        if held and not self.background:
            self.settle(self._goal)
        return held

    def hold(self) -> None:
        """Stop the run where it is, until it is released."""
        if not self.settled and self._hold is None:
            self._hold = self.shown

    def advance(self) -> bool:
        """Let a held run go on by one event, or to its end after the last; return whether it was held."""
        if not self.held and not (self.waiting and self._hold is not None):
            return False
        self.moves += 1
        if self.waiting:
            self._leave_queue()
        elif self.shown < len(self.events):
            self.shown += 1
        else:
            self.settle(self._goal)
        self._hold = self.shown
        return True

    @property
    def on_hold(self) -> bool:
        """Whether it goes no further than to a hold, which it may not have reached yet."""
        return self._hold is not None and not self.settled

    @property
    def held(self) -> bool:
        """Whether only a release or a cancel can move the run."""
        return not self.settled and not self.waiting and self._hold is not None and self.shown >= self._hold

    def cancel(self) -> None:
        self._old_status = self.status
        self._stop_here()
        self.token = None
        self.settle("cancelled")
        self._lag = self.script.cancel_lag and self.script.cancel_lag + 1

    def settle(self, status: str) -> None:
        """End the run with a final status, now."""
        self._goal = self._world.contract.lifecycle.end(self.status, status)
        self.settled = True
        self.waiting = False
        self.updated = self._world.timestamps.now()
        if self._events is not None:
            self._close(self._events)
        if self.background:
            self._world.deliveries.note_settled(self)

    # Events and frames

    @property
    def events(self) -> list[Json]:
        """The payloads in order; the closing one is appended when the run settles."""
        if self._events is None:
            self._events = self._world.events.sequence(self)
            if self.settled:
                self._close(self._events)
        return self._events

    @property
    def frames(self) -> Any:
        if self._frames is None:
            self._frames = self._world.events.frames_of(self)
        return self._frames

    def _close(self, events: list[Json]) -> None:
        if not self._ends_in_error:
            events.append(self._world.events.build_completed(self))

    def _plan_error(self) -> None:
        wanted = self.script.error_event
        assert wanted is not None
        after = min(wanted.after, len(self.events))
        if wanted.fatal and self._goal != "failed":
            self.interruption = wanted.after
            return
        if not wanted.fatal:
            self.events.insert(after, self._world.events.error(wanted.code, wanted.message))
            return
        payload = self._world.events.error(wanted.code or "api_error", wanted.message)
        self.errors = self.errors if self.script.errors else [payload["error"]]
        self.steps = self.steps[: count_complete_steps(self.events[:after])]
        self._events = [*self.events[:after], payload]
        self._ends_in_error = True

    # How it moves

    def _move(self) -> None:
        self.moves += 1
        if self.settled:
            return
        if self.waiting and self._queue:
            self._queue -= 1
        elif self.waiting:
            self._leave_queue()
        else:
            self._show(self.shown + self._stride)

    def _let_pass(self, seconds: float) -> None:
        """Where time is logical, a client has waited a share of it between two polls; a real clock knows better.

        So does a logical one that a client's own sleeps have moved since the run began: then only they count.
        """
        clock = self._world.clock
        if self._was_polled and clock.skipped == self._skipped:
            clock.reached(clock.now + seconds)
        self._was_polled = True

    def _leave_queue(self) -> None:
        if self.waiting:
            self.waiting = False
            self.shown = 2

    def _show(self, number: int) -> None:
        last = len(self.events)
        if self._hold is not None:
            self.shown = max(self.shown, min(number, self._hold, last))
        elif number > last:
            self.settle(self._goal)
        else:
            self.shown = max(self.shown, number)

    def _stop_here(self) -> None:
        """Stop at the event that is shown now."""
        self._ends_in_error = False
        events, shown = self.events, self.shown
        happened = events[:shown]
        stops = count_complete_steps(happened)
        starts = sum(event["event_type"] == "step.start" for event in happened)
        if starts > stops and self.steps[stops]["type"] == "model_output":
            partial = {"content": _assemble_contents(happened, stops), "type": "model_output"}
            self._events, self.steps = happened, [*self.steps[:stops], partial]
            happened.append(self._world.events.stop(self, stops))
            return
        if starts > stops:
            end = next(i for i in range(shown, len(events)) if events[i]["event_type"] == "step.stop")
            happened, stops = events[: end + 1], stops + 1
        self._events, self.steps = happened, self.steps[:stops]


def count_complete_steps(events: list[Json]) -> int:
    """Return how many steps are complete."""
    return sum(event["event_type"] == "step.stop" for event in events)


def _assemble_contents(events: list[Json], index: int) -> list[Json]:
    """Assemble the contents of step `index` from its deltas so far."""
    contents: list[Json] = []
    for event in events:
        if event["event_type"] != "step.delta" or event["index"] != index:
            continue
        delta = event["delta"]
        last = contents[-1] if contents else {}
        if delta["type"] == "text_annotation_delta":
            last["annotations"] = delta["annotations"]
        elif delta["type"] == "text" and last.get("type") == "text" and "annotations" not in last:
            last["text"] += delta["text"]
        else:
            contents.append(dict(delta))
    return contents
