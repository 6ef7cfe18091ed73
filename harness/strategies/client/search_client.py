"""One client of a target: the streams that it opened, and the judge that knows all it has seen.

Layer 2. Sends through its `SearchWorld` and lets the contract's `HistoryJudge` judge; must not know which steps
there are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.contract.judge.history.history_judge import PLAIN, HistoryJudge
from harness.contract.judge.history.history_state import Intent
from harness.contract.judge.history.interaction_model import InteractionModel
from harness.contract.judge.history.timeline import PartialReading
from harness.contract.requests import RequestBuilder
from harness.kit.search import SearchWorld, TrailEntry
from harness.strategies.client.create_modes import UNKNOWN_ID
from harness.strategies.operations import ClientCommand
from harness.wire import Exchange, LiveStream, Request
from harness.wire.message import segment


@dataclass(eq=False, slots=True)
class Reader:
    """One stream that was opened and is read in parts.

    `cursor` is the last one it saw before it was read to its end; `taken` counts the events that were judged.
    """

    of: InteractionModel
    stream: LiveStream
    reading: PartialReading
    sent: TrailEntry
    request: Request
    cursor: str | None = None
    taken: int = 0
    closed: bool = False


class SearchClient:
    """One client, what it opened, and what it knows of each interaction."""

    def __init__(self, world: SearchWorld) -> None:
        self.world = world
        self.target: RequestBuilder = world.target
        self.judge = HistoryJudge(
            self.target.contract,
            sole_client=True,
            deterministic=world.settled_by_us,
            stores="store" in world.able,
        )
        self.readers: list[Reader] = []

    @property
    def interactions(self) -> list[InteractionModel]:
        """What is known of each interaction, in the order of their creation."""
        return self.judge.interactions

    def subject(self, operation: ClientCommand) -> InteractionModel:
        """The interaction that an operation refers to."""
        return self.interactions[operation.subject % len(self.interactions)]

    def choose_called(
        self, operation: ClientCommand, method: str, action: str = "", *, unknown: str
    ) -> InteractionModel | None:
        """The interaction to call; None if it has no id, or if a wrong call was to be made, which is sent here.

        A wrong one has the id of none, which the rule `unknown` refuses, or another project's key.
        """
        if operation.mode == "unknown":
            request = self.target.request(method, f"interactions/{UNKNOWN_ID}{action}")
            self.send(request, Intent(refused_by=unknown))
            return None
        model = self.subject(operation)
        if not model.id:
            return None
        if operation.mode == "foreign":
            path = f"interactions/{segment(model.id)}{action}"
            self.send(self.target.request(method, path, key=self.another_key()), Intent(foreign=True))
            return None
        return model

    def reader(self, operation: ClientCommand, *, closed: bool = False) -> Reader:
        """The stream that an operation refers to."""
        choice = self.among(closed=closed)
        return choice[operation.subject % len(choice)]

    def among(self, *, closed: bool) -> list[Reader]:
        """The open streams; with `closed`, the closed ones as well."""
        return [reader for reader in self.readers if closed or not reader.closed]

    def send(self, request: Request, intent: Intent = PLAIN) -> Exchange:
        """Send a request, and judge its exchange by all that came before."""
        exchange = self.world.send(request, wrong=intent.foreign or bool(intent.refused_by))
        return self._judge(exchange, intent)

    def look(self, request: Request, wanted: Callable[[Exchange], bool], intent: Intent = PLAIN) -> Exchange:
        """Look until the exchange is `wanted` or it is too late to become so; judge the last one."""
        return self._judge(self.world.look(request, wanted, within=self.target.gone_within), intent)

    def open(self, request: Request) -> LiveStream:
        """Open a stream of events to be read in parts."""
        return self.world.open(request, within=self.target.gone_within)

    def close(self) -> None:
        """Hang up all open streams."""
        for reader in self.among(closed=False):
            reader.closed = True
            self.world.leave(reader.stream.close(), reader.sent)

    def another_key(self) -> str:
        """The key of another project, or one that belongs to none."""
        return self.target.other_key or "harness-wrong-key"

    def _judge(self, exchange: Exchange, intent: Intent) -> Exchange:
        if not exchange.excuse:
            self.world.accuse(self.judge.note(exchange, intent), exchange.request)
        return exchange
