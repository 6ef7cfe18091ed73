"""One client's attempt at one case: the service it talks to, what it received, and what it did wrong.

Layer 5. A client is whatever sends requests to `service`: code under test in this process, or a command.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from harness.benches.client.client_modes import MODES
from harness.benches.client.drop_case import Case
from harness.benches.client.exactly_once import Defect, describe_double_create, judge
from harness.benches.client.observed_streams import Seen, Witness, merge_equal_lines
from harness.benches.client.stream_source import StreamSource
from harness.contract import PROTOCOL
from harness.contract.data.assembly import assemble_steps
from harness.contract.data.output import steps_text
from harness.faults import (
    Chunks,
    Comment,
    Compress,
    Crlf,
    Cut,
    Glue,
    Members,
    Omit,
    Ping,
    Raw,
    Status,
    Trickle,
    Unknown,
    cut,
)
from harness.faults.frame_values import Part

_NOISE = (Chunks, Comment, Compress, Crlf, Glue, Members, Ping, Trickle, Unknown)
"""The faults that a reader must not notice."""

_REFUSED = frozenset({429, 503})
"""Statuses of a create after which it can be sent again: nothing was created."""


class ClientAttempt:
    """A `case` applied to a source; give the client `service`, and `id` as the interaction to read."""

    def __init__(self, source: StreamSource, case: Case) -> None:
        self.case = case
        self.id = source.id
        self.service = self._witness = Witness(cut(source.service, case.plan, PROTOCOL))
        self._source = source
        self.begun = time.monotonic()
        self.contract = source.contract

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of the whole stream; reading them runs the interaction to its end.

        What a client continued by a continuation token is one stream: the steps are numbered on.
        """
        joined: list[dict[str, Any]] = []
        for hop in self._find_hops():
            steps = sum(event.get("event_type") == "step.start" for event in joined)
            events = self._source.whole_of(hop)
            joined += [{**e, "index": e["index"] + steps} if steps and "index" in e else e for e in events]
        return joined

    @property
    def text(self) -> str:
        """The text that the client must end up with."""
        return steps_text(assemble_steps(self.events, self.contract))

    @property
    def streams(self) -> list[Seen]:
        """The responses to the client's requests for streams, refusals included."""
        return self._witness.streams

    @property
    def could_not(self) -> bool:
        """Whether reporting a failure is all that was possible: a fault destroyed the answer to its only create.

        Without the id nothing can be resumed, and another create would start a second interaction.
        """
        turns: dict[str | None, list[Seen]] = defaultdict(list)
        for one in self._witness.seen:
            if one.is_create:
                turns[one.continues].append(one)
        return any(
            any(map(_is_destroyed, creates)) and not any(one.find_created_id() for one in creates)
            for creates in turns.values()
        )

    @property
    def missed_turn(self) -> bool:
        """Whether the further turn that the mode asks for never got an answer that named it."""
        made = (one for one in self._witness.seen if one.continues)
        return MODES[self.case.mode].turns and not any(one.find_created_id() for one in made)

    @property
    def came_back(self) -> bool:
        """Whether the client was refused something, or needed more than one stream."""
        turns = {one.continues for one in self._witness.seen if one.continues is not None}
        return len(self.streams) - len(turns) > 1 or any(
            one.status >= 400 or one.headless or (one.is_stream and not one.completes)
            for one in self._witness.seen
        )

    @property
    def only_noise(self) -> bool:
        """Whether faults took effect, and none of them does harm to a reader of event streams."""
        fired = [fault for one in self._witness.seen if one.suffered for fault in one.suffered.fired]
        return bool(fired) and all(isinstance(fault, _NOISE) or fault == Omit(Part.SENTINEL) for fault in fired)

    @property
    def seen(self) -> list[Seen]:
        """All responses in the order of their requests."""
        return self._witness.seen

    @property
    def knows_end(self) -> bool:
        """Whether the client could know that the interaction has ended."""
        return any(one.completes for one in self._witness.seen)

    @property
    def status(self) -> str:
        """The status in which the interaction ended."""
        last: Mapping[str, Any] = next((one for one in reversed(self.events) if PROTOCOL.completes(one)), {})
        inner = last.get("interaction")
        return str(inner.get("status", "")) if isinstance(inner, dict) else ""

    @property
    def created_again(self) -> bool:
        """Whether the client made a second interaction in place of the first."""
        return bool(describe_double_create(self._witness.seen))

    def defect(self, collected: Any) -> Defect | None:
        """What the client did wrong; None if nothing.

        `collected` is what it ended up with: the text, the events, or the interaction.
        """
        return judge(self.events, collected, self._witness.seen, self.contract)

    def problem(self, collected: Any) -> str:
        """What the client did wrong, as a phrase with the client as its subject; "" if nothing."""
        defect = self.defect(collected)
        return defect.text if defect is not None else ""

    def wire(self) -> list[str]:
        """What went over the wire, one line per request; repeated lines are merged with a count."""
        return merge_equal_lines(map(str, self._witness.seen))

    def _find_hops(self) -> list[str]:
        """The ids whose streams are the result: the last created one, or the given one, and what it continues."""
        made = {found: one for one in self._witness.seen if (found := one.find_created_id())}
        hops = [next(reversed(made), self.id)]
        while (last := made.get(hops[0])) is not None and last.by_token and last.continues in made:
            hops.insert(0, str(last.continues))
        return hops


def _is_destroyed(one: Seen) -> bool:
    """Whether a fault kept the id of a new interaction from the client, and nobody can tell if it exists."""
    fired = one.suffered.fired if one.suffered is not None else ()
    lost = any(
        isinstance(fault, Cut | Raw) or (isinstance(fault, Status) and fault.code not in _REFUSED)
        for fault in fired
    )
    return lost and one.find_created_id() is None
