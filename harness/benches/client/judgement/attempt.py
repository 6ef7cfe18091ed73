"""One client's attempt at one case: the service it talks to, what it received, and what it did wrong.

Layer 5. A client is whatever sends requests to `service`: code under test in this process, or a command.
"""

from __future__ import annotations

import time
from collections import defaultdict
from typing import Any

from harness.benches.client.cases.case import Case
from harness.benches.client.cases.stream_source import StreamSource
from harness.benches.client.judgement.causes import (
    describe_double_create,
    judge_context,
    judge_knowledge,
    judge_result,
)
from harness.benches.client.judgement.received_responses import ReceivedResponse, WatchedService, merge_equal_lines
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
from harness.faults.values import Part
from harness.kit.client_model import Defect

_NOISE = (Chunks, Comment, Compress, Crlf, Glue, Members, Ping, Trickle, Unknown)
"""The faults that a reader must not notice."""

_REFUSED = frozenset({429, 503})
"""Statuses of a create after which it can be sent again: nothing was created."""


class ClientAttempt:
    """A `case` applied to a source; give the client `service`, and `id` as the run to read."""

    def __init__(self, source: StreamSource, case: Case) -> None:
        self.case = case
        self.id = source.id
        self.api = source.api
        self.contract = source.contract
        self._source = source
        self._model = source.api.load_client_model()
        self._protocol = source.api.load_protocol()
        self.service = self._watched = WatchedService(self.api, cut(source.service, case.plan, self._protocol))
        self.begun = time.monotonic()

    @property
    def received(self) -> list[ReceivedResponse]:
        """All responses in the order of their requests."""
        return self._watched.received

    @property
    def streams(self) -> list[ReceivedResponse]:
        """The responses to the client's requests for streams, refusals included."""
        return self._watched.streams

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of the whole stream; reading them runs it to its end."""
        return self._model.join([self._source.whole_of(hop) for hop in self._find_hops()])

    @property
    def text(self) -> str:
        """The text that the client must end up with."""
        return self.text_of(self.events)

    def text_of(self, events: list[dict[str, Any]]) -> str:
        """The text in some of the events."""
        return self._model.text_of(events, self.contract)

    @property
    def status(self) -> str:
        """The status in which the run ended."""
        last = next((event for event in reversed(self.events) if self._protocol.completes(event)), None)
        told = None if last is None else self.api.read_status(last)
        return told[1] if told is not None else ""

    @property
    def could_not(self) -> bool:
        """Whether reporting a failure is all that was possible: a fault destroyed the answer to its only create.

        Without the id nothing can be resumed, and another create would start a second run.
        """
        if self.case.hopeless:
            return True
        turns: dict[str | None, list[ReceivedResponse]] = defaultdict(list)
        for one in self.received:
            if one.is_create:
                turns[one.continues].append(one)
        return any(
            any(map(_is_destroyed, creates)) and not any(one.find_created_id() for one in creates)
            for creates in turns.values()
        )

    @property
    def missed_turn(self) -> bool:
        """Whether the further turn that the mode asks for never got an answer that named it."""
        made = (one for one in self.received if one.continues)
        return self.case.mode.turns and not any(one.find_created_id() for one in made)

    @property
    def came_back(self) -> bool:
        """Whether the client was refused something, lost a stream or an answer, or needed more than one stream."""
        turns = {one.continues for one in self.received if one.continues is not None}
        return len(self.streams) - len(turns) > 1 or any(
            one.status >= 400 or one.headless or one.broke_off for one in self.received
        )

    @property
    def only_noise(self) -> bool:
        """Whether faults took effect, and none of them does harm to a reader of event streams."""
        fired = [fault for one in self.received if one.suffered for fault in one.suffered.fired]
        return bool(fired) and all(isinstance(fault, _NOISE) or fault == Omit(Part.SENTINEL) for fault in fired)

    @property
    def knows_end(self) -> bool:
        """Whether the client could know that the run has ended."""
        return judge_knowledge(self.api, self.received) is None

    @property
    def created_again(self) -> bool:
        """Whether the client made a second run in place of the first."""
        return bool(describe_double_create(self.api, self.received))

    def find_lost_context(self) -> Defect | None:
        """How the further turn that the mode asks for was sent without the first; None if it was not."""
        return judge_context(self.api, self.received) if self.case.mode.turns else None

    def find_defect(self, collected: Any) -> Defect | None:
        """What the client did wrong; None if nothing.

        `collected` is what it ended up with: the text, the events, or the run's JSON.
        """
        return judge_result(self.api, self.events, collected, self.received, self.contract)

    def describe_problem(self, collected: Any) -> str:
        """What the client did wrong, as a phrase with the client as its subject; "" if nothing."""
        defect = self.find_defect(collected)
        return defect.text if defect is not None else ""

    def wire(self) -> list[str]:
        """What went over the wire, one line per request; repeated lines are merged with a count."""
        return merge_equal_lines(map(str, self.received))

    def _find_hops(self) -> list[str]:
        """The ids whose streams are the result: the last created or the given one, and what it goes on with."""
        made = {found: one for one in self.received if (found := one.find_created_id())}
        hops = [next(reversed(made), self.id)]
        while (last := made.get(hops[0])) is not None and last.goes_on and last.continues in made:
            hops.insert(0, str(last.continues))
        return hops


def _is_destroyed(one: ReceivedResponse) -> bool:
    """Whether a fault kept the id of a new run from the client, and nobody can tell if it exists."""
    fired = one.suffered.fired if one.suffered is not None else ()
    lost = any(
        isinstance(fault, Cut | Raw) or (isinstance(fault, Status) and fault.code not in _REFUSED)
        for fault in fired
    )
    return lost and one.find_created_id() is None
