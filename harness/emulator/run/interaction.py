"""An interaction as it is at this moment: what it was made of, its status, its steps and its counts.

Layer 2. What clients are shown of it follows from this. What moves it on is in `run`; must not know how its events
are written or read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol

from harness.emulator.reply.replies import Reply
from harness.emulator.run.cancel_cut import count_complete_steps
from harness.emulator.script.scripts import Script
from harness.emulator.values.create_request import CreateRequest
from harness.emulator.values.settings import Settings
from harness.emulator.values.timestamps import Timestamps
from harness.emulator.values.usage import Meter, count_invocations, count_thought

Json = dict[str, Any]

_ZEROS = frozenset({"total_cached_tokens", "total_tool_use_tokens"})


class InteractionContext(Protocol):
    """What an interaction needs from its engine."""

    settings: Settings
    timestamps: Timestamps
    meter: Meter


class Interaction(ABC):
    """What is seen of one interaction.

    `steps` are its output steps, `service_tier` the tier that served the request, `shown` is the number of events
    that have happened, `serial` the store's number.
    """

    __slots__ = (
        "__weakref__",
        "_goal", "_lag", "_old_status", "_usage", "_world", "agent", "background", "bodies", "body", "checkpoints",
        "context", "created", "environment_id", "errors", "given", "id", "model", "number", "platform", "profile",
        "project", "rest", "script", "serial", "service_tier", "settled", "shown", "size", "steps", "stored",
        "token", "updated", "waiting",
    )  # fmt: skip

    def __init__(
        self,
        world: InteractionContext,
        order: CreateRequest,
        script: Script,
        reply: Reply,
        *,
        run_id: str,
        number: int,
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
        self.size = order.size
        self.context = 0
        if order.previous is not None and not script.without_context:
            self.context = order.previous.total_context()
        self.created = self.updated = world.timestamps.now()
        self.bodies: dict[bool, bytes] = {}
        self._goal = reply.status
        self.settled = False
        self._usage: Json | None = None
        self.waiting = self.background and script.queued > 0
        self.shown = 0
        self._lag = 0
        self._old_status = ""

    @property
    @abstractmethod
    def events(self) -> list[Json]:
        """The payloads of its events in order; the closing one is there once it has settled."""

    @property
    def readable(self) -> int:
        """How many frames a reader can get now, including the closing frame."""
        return len(self.events) + 1 if self.settled else self.shown

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
        return self.author if self.platform.names_author else {}

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
        """The status in interaction.created."""
        if self.script.created_status is not None:
            return self.script.created_status
        return "queued" if self.background and self.script.queued else "in_progress"

    @property
    def status(self) -> str:
        """The actual status at this moment."""
        if self.settled:
            return self._goal
        return "queued" if self.waiting else "in_progress"

    @property
    def visible_status(self) -> str:
        """The status that polls see; for a while after a cancel it may still be the old one."""
        if self._lag:
            return self._old_status
        if self.settled:
            return self._goal
        return "queued" if self.waiting else "in_progress"

    @property
    def concluded(self) -> bool:
        """Whether it has settled and polls may see it."""
        return self.settled and (not self._lag or self._old_status == self._goal)

    @property
    def usage(self) -> Json:
        """Token counts of all `steps`; counts in the script replace them."""
        if self._usage is None:
            self._usage = self.usage_after(len(self.steps))
            self._usage.update(self.script.usage)
        return self._usage

    def usage_after(self, steps: int) -> Json:
        """Return the token counts after the first `steps` steps."""
        system = self.body.get("system_instruction") or ""
        fields = self.profile.usage
        usage = self._world.meter.usage(
            self.given,
            self.steps[:steps],
            context=self.context,
            system=system,
            fields=fields,
            thought_tokens=count_thought(self.body.get("generation_config"), self.profile),
        )
        if not self.platform.counts_nothing:
            made = [{"modality": "text", "tokens": usage["total_output_tokens"]}]
            usage = {name: value for name, value in usage.items() if name not in _ZEROS or value}
            usage.setdefault("output_tokens_by_modality", made)
        elif self.platform.counts_prompt and self.model is not None:
            usage |= count_invocations(usage, fields)
            if "no_output" in fields:
                usage |= {"total_output_tokens": 0, "total_tokens": usage["total_input_tokens"]}
        return usage

    def total_context(self) -> int:
        """Return how many tokens of context a child of this run starts with: its whole input and output."""
        usage = self.usage
        return int(usage.get("total_input_tokens", 0)) + int(usage.get("total_output_tokens", 0))

    def finished_steps(self) -> list[Json]:
        """Return the steps that are complete at this moment."""
        if self.settled:
            return self.steps
        return self.steps[: count_complete_steps(self.events[: self.shown])]
