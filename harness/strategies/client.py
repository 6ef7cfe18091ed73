"""One client of the API, step by step: the actions of a search on interactions, and its knowledge of them.

A step is a `ClientCommand`. Requests go through the `SearchWorld` that the engine hands over; the contract's
`HistoryJudge` judges the responses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from harness.contract import PROTOCOL, read
from harness.contract.judge.answer import is_refusal, is_success
from harness.contract.judge.history.history_judge import HistoryJudge
from harness.contract.judge.history.interactions import PLAIN, Intent, InteractionModel, PartialReading
from harness.contract.requests import RequestBuilder
from harness.contract.tables.refusals import REFUSALS, Own
from harness.kit.check import pauses
from harness.kit.search import SearchWorld, TrailEntry
from harness.strategies.operations import ILLEGAL, KINDS, LEGAL, OF_NOBODY, ON_READERS, WEATHER, ClientCommand
from harness.wire import Exchange, LiveStream, Request
from harness.wire.bodies import objects
from harness.wire.message import segment

Json = dict[str, Any]

UNKNOWN_ID = "v1_aGFybmVzcy11bmtub3duLWludGVyYWN0aW9u"
"""Has the form of ids in public recordings, but belongs to no interaction."""

NO_CURSOR = "harness-unknown-cursor"


def result_of(call_id: str, name: str) -> Json:
    """The result of a function call."""
    return {"type": "function_result", "call_id": call_id, "name": name, "result": {"weather": "rain"}}


# What a step needs of its target.


_NEEDED: Mapping[str, set[str]] = {
    "replay": {"stream"},
    "answer": {"functions"},
    "cancel": {"cancel"},
    **{kind: {"stream", "background"} for kind in ("open", *sorted(ON_READERS))},
}
"""The capabilities that each kind of operation needs; only background runs can be read in parts."""


def able_to(able: frozenset[str], operation: ClientCommand) -> bool:
    """Whether a target with these capabilities has those that an operation needs."""
    kind, mode = operation.kind, operation.mode
    needed = {*_NEEDED.get(kind, ())}
    if kind in ("create", "chain", "answer"):
        rule, name = ILLEGAL.get(mode, ("", ""))
        fields = REFUSALS[rule].creates[name] if rule else LEGAL.get(mode, {})
        needed |= {word for word in ("stream", "background") if fields.get(word)}
        needed |= {"functions"} if "tools" in fields and not rule else set()
    if kind != "create" and mode not in OF_NOBODY:
        needed |= {"two-keys", "store"} if mode == "foreign" else {"store"}
    return needed <= able


def list_kinds(able: frozenset[str]) -> list[str]:
    """The kinds of operations that a target with these capabilities offers."""
    return [kind for kind, modes in KINDS.items() if able_to(able, ClientCommand(kind, mode=modes[0]))]


# The player of a history: a client, the streams that it opened, and the judge that knows all it has seen.


MOST_LOOKS = 40
"""How often a run is polled until it has settled."""

_RIGHT = Intent(legal=True)


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


class HistoryPlayer:
    """Plays `ClientCommand`s with one client; see `PlaysHistory`."""

    def __init__(self, world: SearchWorld) -> None:
        self._world = world
        self._target: RequestBuilder = world.target
        self._judge = HistoryJudge(
            self._target.contract,
            sole_client=True,
            deterministic=world.settled_by_us,
            stores="store" in world.able,
        )
        self._readers: list[Reader] = []
        self._other_key = world.target.other_key or "harness-wrong-key"  # of another project, or of none

    def resolve(self, step: ClientCommand, /) -> ClientCommand | None:
        """The operation with its subject reduced to the actual number, as it is taken modulo their count.

        None if it has no subject, or if the target lacks a capability for it.
        """
        on_readers = step.kind in ON_READERS
        if not on_readers and not able_to(self._world.able, step):
            return None
        if step.kind == "create" or step.mode in OF_NOBODY:
            return step
        among = self._list_readers(closed=step.kind == "resume") if on_readers else self._judge.interactions
        return replace(step, subject=step.subject % len(among)) if among else None

    def play(self, step: ClientCommand, /) -> None:
        _MOVES[step.kind](self, step)

    def send(self, request: Request, intent: Intent = PLAIN, /) -> Exchange:
        """Send a request, and judge its response by all that came before."""
        exchange = self._world.send(request, wrong=intent.foreign or bool(intent.refused_by))
        return self._note(exchange, intent)

    def close(self) -> None:
        for reader in self._list_readers(closed=False):
            reader.closed = True
            self._world.leave(reader.stream.close(), reader.sent)

    # --- the subject of an operation

    def _subject(self, operation: ClientCommand) -> InteractionModel:
        return self._judge.interactions[operation.subject % len(self._judge.interactions)]

    def _reader(self, operation: ClientCommand, *, closed: bool = False) -> Reader:
        choice = self._list_readers(closed=closed)
        return choice[operation.subject % len(choice)]

    def _list_readers(self, *, closed: bool) -> list[Reader]:
        """The open streams; with `closed`, the closed ones as well."""
        return [reader for reader in self._readers if closed or not reader.closed]

    def _choose_called(
        self, operation: ClientCommand, method: str, action: str = "", *, unknown: str
    ) -> InteractionModel | None:
        """The interaction to call; None if it has no id, or if a wrong call was to be made, which is sent here.

        A wrong one has the id of none, which the rule `unknown` refuses, or another project's key.
        """
        if operation.mode == "unknown":
            request = self._target.request(method, f"interactions/{UNKNOWN_ID}{action}")
            self.send(request, Intent(refused_by=unknown))
            return None
        model = self._subject(operation)
        if not model.id:
            return None
        if operation.mode == "foreign":
            path = f"interactions/{segment(model.id)}{action}"
            self.send(self._target.request(method, path, key=self._other_key), Intent(foreign=True))
            return None
        return model

    def _note(self, exchange: Exchange, intent: Intent) -> Exchange:
        if not exchange.excuse:
            self._world.accuse(self._judge.note(exchange, intent), exchange.request)
        return exchange

    # --- reads, until something is seen

    def _look(self, model: InteractionModel, *, awaited: bool = False, **query: bool) -> None:
        """Look at an interaction until it is there, or gone, or too late to become so; judge the last look.

        `awaited`: its run has had all the time it may take to settle.
        """
        wanted = is_success if model.there else is_refusal
        request = self._target.get(model.id, **query)
        self._note(self._world.look(request, wanted, within=self._target.gone_within), Intent(awaited=awaited))

    def _poll(self, operation: ClientCommand) -> None:
        model = self._choose_called(operation, "GET", unknown="get.unknown")
        if model is not None:
            self._look(model, **({"include_input": True} if operation.mode == "input" else {}))

    def _settle(self, operation: ClientCommand) -> None:
        """Poll until it has settled."""
        model = self._subject(operation)
        if not model.there:
            return
        for number, pause in enumerate(islice(pauses(), MOST_LOOKS), 1):
            found = len(self._world.found)
            self._look(model, awaited=number == MOST_LOOKS)
            if not model.running or len(self._world.found) > found:
                return
            self._world.wait(pause)

    def _replay(self, operation: ClientCommand) -> None:
        """GET with stream=true, read to its end."""
        if operation.mode == "unknown":
            self.send(self._target.get(UNKNOWN_ID, stream=True), Intent(refused_by="resume.unknown"))
            return
        model = self._subject(operation)
        if not model.id:
            return
        if operation.mode == "bad-cursor":
            self.send(self._target.get(model.id, stream=True, last_event_id=NO_CURSOR))
            return
        self._look(model, stream=True)

    # --- creates

    def _create(self, operation: ClientCommand) -> None:
        """A create that must be accepted, or one that must be refused."""
        if operation.mode in ILLEGAL:
            (rule, name), target = ILLEGAL[operation.mode], self._target
            own = {Own.MODEL: target.model, Own.AGENT: target.agent, Own.ENVIRONMENT: target.environment}
            self._ask(dict(REFUSALS[rule].bodies({}, own))[name], Intent(refused_by=rule))
            return
        self._ask({**LEGAL[operation.mode], **(operation.body or {})}, _RIGHT)

    def _chain(self, operation: ClientCommand) -> None:
        """A create with a `previous_interaction_id`."""
        if operation.mode == "unknown":
            self._ask({"previous_interaction_id": UNKNOWN_ID}, Intent(refused_by="chain.unknown"))
            return
        parent = self._subject(operation)
        if not parent.id:
            return
        if operation.mode == "foreign":
            changes = {"previous_interaction_id": parent.id}
            self._ask(changes, Intent(foreign=True), key=self._other_key)
            return
        self._continue(parent, {**LEGAL[operation.mode], "previous_interaction_id": parent.id})

    def _answer(self, operation: ClientCommand) -> None:
        """A create with the results of function calls, right or wrong."""
        if operation.mode == "orphan":
            orphan = {"input": [result_of("call_nobody", "get_weather")], "tools": [WEATHER]}
            self._ask(orphan, Intent(refused_by="tool.result-orphan"))
            return
        parent = self._subject(operation)
        calls = parent.calls
        if not parent.id or not calls:
            return
        results = [result_of(call["id"], str(call.get("name"))) for call in calls]
        if operation.mode == "wrong-id":
            results[0]["call_id"] = "call_nobody"
        changes: dict[str, Any] = {"previous_interaction_id": parent.id, "input": results, "tools": [WEATHER]}
        changes["stream"] = True if operation.mode == "stream" else None
        if operation.mode == "wrong-id" and parent.there:
            self._ask(changes, Intent(refused_by="tool.result-bad-id"))
        else:
            self._continue(parent, changes)

    def _continue(self, parent: InteractionModel, changes: Mapping[str, Any]) -> None:
        """Continue a parent; look again at one that ran, since only that shows whether it still does."""
        ran = parent.there and parent.running and not self._judge.is_certain(parent)
        if is_success(self._ask(changes, _RIGHT)) and ran:
            self._look(parent)

    def _ask(self, changes: Mapping[str, Any], intent: Intent, *, key: str | None = None) -> Exchange:
        text = f"Say hi to {len(self._judge.interactions)}."
        fields = {"model": self._target.model, "input": text, **self._target.says, **changes}
        body = {name: value for name, value in fields.items() if value is not None}
        return self.send(self._target.request("POST", "interactions", body, key=key), intent)

    def _cancel(self, operation: ClientCommand) -> None:
        model = self._choose_called(operation, "POST", "/cancel", unknown="cancel.unknown")
        if model is not None:
            self.send(self._target.cancel(model.id))

    def _delete(self, operation: ClientCommand) -> None:
        model = self._choose_called(operation, "DELETE", unknown="del.unknown")
        if model is not None:
            self.send(self._target.delete(model.id))

    # --- streams that are read in parts, which belong to one sequence of events

    def _begin(self, operation: ClientCommand) -> None:
        """Open the stream of an interaction from its first event and read `count` events."""
        model = self._subject(operation)
        if model.there and model.background:
            self._open(model, None, operation.count or 1)

    def _resume(self, operation: ClientCommand) -> None:
        """Resume from the cursor of a reader, as a client does after a drop, and read `count` events."""
        earlier = self._reader(operation, closed=True)
        if earlier.of.there:
            self._open(earlier.of, earlier.cursor, operation.count or 1)

    def _open(self, model: InteractionModel, cursor: str | None, count: int) -> None:
        query: dict[str, Any] = {"stream": True} if cursor is None else {"stream": True, "last_event_id": cursor}
        request = self._target.get(model.id, **query)
        stream = self._world.open(request, within=self._target.gone_within)
        if stream.status is None or stream.status >= 300:
            self._world.accuse(self._judge.refuse(model, cursor, self._world.keep(stream.finish())), request)
            return
        reader = Reader(model, stream, self._judge.open(model, cursor), self._world.begin(), request, cursor)
        self._readers.append(reader)
        self._advance(reader, count)

    def _read(self, operation: ClientCommand) -> None:
        self._advance(self._reader(operation), operation.count or 1)

    def _drop(self, operation: ClientCommand) -> None:
        reader = self._reader(operation)
        reader.closed = True
        self._world.keep(reader.stream.close(), reader.sent)

    def _finish(self, operation: ClientCommand) -> None:
        self._end(self._reader(operation))

    def _advance(self, reader: Reader, count: int) -> None:
        events = objects(frame.data for frame in reader.stream.read(count))
        for event in events:
            reader.cursor = PROTOCOL.cursor(event) or reader.cursor
        self._take(reader, events)
        if reader.stream.ended:
            self._end(reader)

    def _take(self, reader: Reader, events: list[dict[str, Any]]) -> None:
        reader.taken += len(events)
        self._world.accuse(self._judge.take(reader.of, reader.reading, events), reader.request)

    def _end(self, reader: Reader) -> None:
        reader.closed = True
        exchange = self._world.keep(reader.stream.finish(), reader.sent)
        if not exchange.truncated and not exchange.excuse:
            self._take(reader, read(exchange).events[reader.taken :])
            self._world.accuse(self._judge.finish(reader.of, reader.reading, exchange), reader.request)


_MOVES: dict[str, Callable[[HistoryPlayer, ClientCommand], None]] = {
    "create": HistoryPlayer._create,
    "chain": HistoryPlayer._chain,
    "answer": HistoryPlayer._answer,
    "poll": HistoryPlayer._poll,
    "settle": HistoryPlayer._settle,
    "replay": HistoryPlayer._replay,
    "cancel": HistoryPlayer._cancel,
    "delete": HistoryPlayer._delete,
    "open": HistoryPlayer._begin,
    "read": HistoryPlayer._read,
    "drop": HistoryPlayer._drop,
    "resume": HistoryPlayer._resume,
    "finish": HistoryPlayer._finish,
}
"""How each kind of operation is played."""
