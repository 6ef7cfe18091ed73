"""One client of the API, step by step: the actions of a search on interactions, and its knowledge of them.

Layer 2. A step is a `ClientCommand`. Requests go through the `SearchWorld` that the engine hands over; the
contract's `HistoryJudge` judges the responses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from harness.contract import PROTOCOL, read
from harness.contract.data.json_parse import objects
from harness.contract.judge.answer import is_refusal, is_success
from harness.contract.judge.history.history_judge import HistoryJudge
from harness.contract.judge.history.history_state import PLAIN, Intent, InteractionModel, PartialReading
from harness.contract.requests import RequestBuilder
from harness.contract.tables.refusals import REFUSALS, Own
from harness.kit.actions import pauses
from harness.kit.search import SearchWorld, TrailEntry
from harness.strategies.operations import KINDS, ON_READERS, ClientCommand
from harness.wire import Exchange, LiveStream, Request
from harness.wire.message import segment

# The bodies of creates for each mode of an operation.


Json = dict[str, Any]

UNKNOWN_ID = "v1_aGFybmVzcy11bmtub3duLWludGVyYWN0aW9u"
"""Has the form of ids in public recordings, but belongs to no interaction."""

NO_CURSOR = "harness-unknown-cursor"

WEATHER: Json = {
    "type": "function",
    "name": "get_weather",
    "description": "Gives the weather of a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}

_FORCED: Json = {
    "input": "Weather in Paris?",
    "tools": [WEATHER],
    "generation_config": {"tool_choice": "any"},
}

LEGAL: Mapping[str, Json] = {
    "plain": {},
    "stream": {"stream": True},
    "background": {"background": True},
    "background-stream": {"background": True, "stream": True},
    "unstored": {"store": False},
    "unstored-stream": {"store": False, "stream": True},
    "tools": _FORCED,
    "tools-stream": {**_FORCED, "stream": True},
}

NEEDS: Mapping[str, frozenset[str]] = {
    "stream": frozenset({"stream"}),
    "background": frozenset({"background"}),
    "background-stream": frozenset({"background", "stream"}),
    "unstored-stream": frozenset({"stream"}),
    "tools": frozenset({"functions"}),
    "tools-stream": frozenset({"functions", "stream"}),
    "unstored-background": frozenset({"background"}),
}
"""The capabilities that a mode needs to be played."""

ILLEGAL: Mapping[str, tuple[str, str]] = {
    "unstored-background": ("store.false-bg", "refused"),
    "no-author": ("create.model-xor-agent", "neither"),
    "two-authors": ("create.both", "both"),
    "no-input": ("create.input-missing", "no_input"),
    "unknown-field": ("err.unknown-field", "unknown_field"),
    "wrong-type": ("err.wrong-type", "number_input"),
    "unknown-model": ("err.unknown-model", "unknown_model"),
}
"""For each wrong create, the rule that it must be refused and the name of its changes in `tables/refusals`."""


def wrong_changes(mode: str, target: RequestBuilder) -> Json:
    """The changes that a wrong create makes to the plain body."""
    rule, name = ILLEGAL[mode]
    own = {Own.MODEL: target.model, Own.AGENT: target.agent, Own.ENVIRONMENT: target.environment}
    return dict(REFUSALS[rule].bodies({}, own))[name]


def result_of(call_id: str, name: str) -> Json:
    """The result of a function call."""
    return {"type": "function_result", "call_id": call_id, "name": name, "result": {"weather": "rain"}}


def body_of(model: str, text: str, changes: Mapping[str, Any]) -> Json:
    """The body of a create: the plain one with `changes`, where None removes a field."""
    body = {"model": model, "input": text, **changes}
    return {name: value for name, value in body.items() if value is not None}


# One client of a target: the streams that it opened, and the judge that knows all it has seen.
# Sends through its `SearchWorld` and lets the contract's `HistoryJudge` judge; must not know which steps there
# are.


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
        """The model of each interaction, in the order of their creation."""
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
        """Disconnect from all open streams."""
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


# Plays reads: polls, whole replays, and waiting until a run has settled.
# What a look shows is judged by the contract's `HistoryJudge`.


MOST_LOOKS = 40


def poll(client: SearchClient, operation: ClientCommand) -> None:
    """One GET."""
    model = client.choose_called(operation, "GET", unknown="get.unknown")
    if model is not None:
        look(client, model, include_input=operation.mode == "input")


def look(
    client: SearchClient, model: InteractionModel, *, include_input: bool = False, awaited: bool = False
) -> None:
    """Look at one interaction; `awaited`: its run has had all the time it may take to settle."""
    query = {"include_input": True} if include_input else {}
    wanted = is_success if model.there else is_refusal
    client.look(client.target.get(model.id, **query), wanted, Intent(awaited=awaited))


def settle(client: SearchClient, operation: ClientCommand) -> None:
    """Poll until it has settled."""
    model = client.subject(operation)
    if not model.there:
        return
    for number, pause in enumerate(islice(pauses(), MOST_LOOKS), 1):
        found = len(client.world.found)
        look(client, model, awaited=number == MOST_LOOKS)
        if not model.running or len(client.world.found) > found:
            return
        client.world.wait(pause)


def replay(client: SearchClient, operation: ClientCommand) -> None:
    """GET with stream=true, read to its end."""
    if operation.mode == "unknown":
        client.send(client.target.get(UNKNOWN_ID, stream=True), Intent(refused_by="resume.unknown"))
        return
    model = client.subject(operation)
    if not model.id:
        return
    if operation.mode == "bad-cursor":
        client.send(client.target.get(model.id, stream=True, last_event_id=NO_CURSOR))
        return
    wanted = is_success if model.there else is_refusal
    client.look(client.target.get(model.id, stream=True), wanted)


# Plays creates, chains and answers to function calls.
# The responses are judged by the contract's `HistoryJudge`, which gets the intent. Must not know streams
# that are read in parts; uses `reads` only to look again at a running parent.


_CHAINS: Mapping[str, dict[str, Any]] = {
    "plain": {},
    "background": {"background": True},
    "stream": {"stream": True},
}
_RIGHT = Intent(legal=True)


def create(client: SearchClient, operation: ClientCommand) -> None:
    """Play a create that must be accepted, or one that must be refused."""
    if operation.mode in ILLEGAL:
        changes = wrong_changes(operation.mode, client.target)
        _ask(client, changes, Intent(refused_by=ILLEGAL[operation.mode][0]))
        return
    _ask(client, {**LEGAL[operation.mode], **(operation.body or {})}, _RIGHT)


def chain(client: SearchClient, operation: ClientCommand) -> None:
    """Play a create with a `previous_interaction_id`."""
    if operation.mode == "unknown":
        _ask(client, {"previous_interaction_id": UNKNOWN_ID}, Intent(refused_by="chain.unknown"))
        return
    parent = client.subject(operation)
    if not parent.id:
        return
    changes = {**_CHAINS.get(operation.mode, {}), "previous_interaction_id": parent.id}
    if operation.mode == "foreign":
        _ask(client, changes, Intent(foreign=True), key=client.another_key())
        return
    _continue(client, parent, changes)


def answer(client: SearchClient, operation: ClientCommand) -> None:
    """Play a create with the results of function calls, right or wrong."""
    if operation.mode == "orphan":
        orphan = {"input": [result_of("call_nobody", "get_weather")], "tools": [WEATHER]}
        _ask(client, orphan, Intent(refused_by="tool.result-orphan"))
        return
    parent = client.subject(operation)
    calls = parent.calls
    if not parent.id or not calls:
        return
    results = [result_of(call["id"], str(call.get("name"))) for call in calls]
    if operation.mode == "wrong-id":
        results[0]["call_id"] = "call_nobody"
    changes: dict[str, Any] = {"previous_interaction_id": parent.id, "input": results, "tools": [WEATHER]}
    changes["stream"] = True if operation.mode == "stream" else None
    if operation.mode == "wrong-id" and parent.there:
        _ask(client, changes, Intent(refused_by="tool.result-bad-id"))
    else:
        _continue(client, parent, changes)


def _continue(client: SearchClient, parent: InteractionModel, changes: Mapping[str, Any]) -> None:
    """Continue a parent; look again at one that ran, since only that shows whether it still does."""
    ran = parent.there and parent.running and not client.judge.is_certain(parent)
    if is_success(_ask(client, changes, _RIGHT)) and ran:
        look(client, parent)


def _ask(client: SearchClient, changes: Mapping[str, Any], intent: Intent, *, key: str | None = None) -> Exchange:
    number = len(client.interactions)
    body = body_of(client.target.model, f"Say hi to {number}.", {**client.target.says, **changes})
    return client.send(client.target.request("POST", "interactions", body, key=key), intent)


# Plays streams that are read in parts: opened, dropped, resumed from a cursor, read by two, read to the end.
# The contract's `HistoryJudge` compares the parts: all of them belong to one sequence of events.


def begin(client: SearchClient, operation: ClientCommand) -> None:
    """Open the stream of an interaction from its first event and read `count` events."""
    model = client.subject(operation)
    if not model.there or not model.background:
        return
    _open(client, model, None, operation.count or 1)


def resume(client: SearchClient, operation: ClientCommand) -> None:
    """Resume from the cursor of a reader, as a client does after a drop, and read `count` events."""
    earlier = client.reader(operation, closed=True)
    if earlier.of.there:
        _open(client, earlier.of, earlier.cursor, operation.count or 1)


def _open(client: SearchClient, model: InteractionModel, cursor: str | None, count: int) -> None:
    query: dict[str, Any] = {"stream": True} if cursor is None else {"stream": True, "last_event_id": cursor}
    request = client.target.get(model.id, **query)
    stream = client.open(request)
    if stream.status is None or stream.status >= 300:
        client.world.accuse(client.judge.refuse(model, cursor, client.world.keep(stream.finish())), request)
        return
    reader = Reader(model, stream, client.judge.open(model, cursor), client.world.begin(), request, cursor)
    client.readers.append(reader)
    _advance(client, reader, count)


def more(client: SearchClient, operation: ClientCommand) -> None:
    """Read `count` more events."""
    _advance(client, client.reader(operation), operation.count or 1)


def drop(client: SearchClient, operation: ClientCommand) -> None:
    """Disconnect."""
    reader = client.reader(operation)
    reader.closed = True
    client.world.keep(reader.stream.close(), reader.sent)


def finish(client: SearchClient, operation: ClientCommand) -> None:
    """Read to the end."""
    _finish(client, client.reader(operation))


def _advance(client: SearchClient, reader: Reader, count: int) -> None:
    events = objects(frame.data for frame in reader.stream.read(count))
    for event in events:
        reader.cursor = PROTOCOL.cursor(event) or reader.cursor
    _take(client, reader, events)
    if reader.stream.ended:
        _finish(client, reader)


def _take(client: SearchClient, reader: Reader, events: list[dict[str, Any]]) -> None:
    reader.taken += len(events)
    client.world.accuse(client.judge.take(reader.of, reader.reading, events), reader.request)


def _finish(client: SearchClient, reader: Reader) -> None:
    reader.closed = True
    exchange = client.world.keep(reader.stream.finish(), reader.sent)
    if not exchange.truncated and not exchange.excuse:
        _take(client, reader, read(exchange).events[reader.taken :])
        client.world.accuse(client.judge.finish(reader.of, reader.reading, exchange), reader.request)


def cancel(client: SearchClient, operation: ClientCommand) -> None:
    """POST …/cancel."""
    model = client.choose_called(operation, "POST", "/cancel", unknown="cancel.unknown")
    if model is not None:
        client.send(client.target.cancel(model.id))


def delete(client: SearchClient, operation: ClientCommand) -> None:
    """DELETE."""
    model = client.choose_called(operation, "DELETE", unknown="del.unknown")
    if model is not None:
        client.send(client.target.delete(model.id))


# The table of all operations a client may do, and the conditions under which each applies.
# This table uses the modules that play the operations. Those know a `SearchClient`, but not one another, except
# for `reads`.


_MOVES: dict[str, Callable[[SearchClient, ClientCommand], None]] = {
    "create": create,
    "chain": chain,
    "answer": answer,
    "poll": poll,
    "settle": settle,
    "replay": replay,
    "cancel": cancel,
    "delete": delete,
    "open": begin,
    "read": more,
    "drop": drop,
    "resume": resume,
    "finish": finish,
}
_NEEDED: Mapping[str, set[str]] = {
    "replay": {"stream"},
    "answer": {"functions"},
    **{kind: {"stream", "background"} for kind in ("open", *sorted(ON_READERS))},
}
"""The capabilities that each kind of operation needs; only background runs can be read in parts."""

_OF_NOBODY = frozenset({"unknown", "orphan"})
"""Modes of operations that have no subject."""


def play(client: SearchClient, operation: ClientCommand) -> None:
    """Play one operation that applies."""
    _MOVES[operation.kind](client, operation)


def able_to(able: frozenset[str], operation: ClientCommand) -> bool:
    """Whether a target with these capabilities has those that an operation needs."""
    needed = NEEDS.get(operation.mode, frozenset()) if operation.kind in ("create", "chain", "answer") else set()
    by_kind = _NEEDED.get(operation.kind, set())
    by_mode = {"foreign": {"two-keys", "store"}, "unknown": set(), "orphan": set()}
    stored = set() if operation.kind == "create" else {"store"}
    return {*needed, *by_kind, *by_mode.get(operation.mode, stored)} <= able


def list_kinds(able: frozenset[str]) -> list[str]:
    """The kinds of operations that a target with these capabilities offers."""
    return [kind for kind, modes in KINDS.items() if able_to(able, ClientCommand(kind, mode=modes[0]))]


def resolve(client: SearchClient, operation: ClientCommand) -> ClientCommand | None:
    """The operation with its subject reduced to the actual number, as it is taken modulo their count.

    None if it has no subject, or if the target lacks a capability for it.
    """
    on_readers = operation.kind in ON_READERS
    if not on_readers and not able_to(client.world.able, operation):
        return None
    if operation.kind == "create" or operation.mode in _OF_NOBODY:
        return operation
    among = client.among(closed=operation.kind == "resume") if on_readers else client.interactions
    return replace(operation, subject=operation.subject % len(among)) if among else None


# The player of histories that a search gets from this API.


class HistoryPlayer:
    """Plays `ClientCommand`s with one client; see `PlaysHistory`."""

    def __init__(self, world: SearchWorld) -> None:
        self._client = SearchClient(world)

    def resolve(self, step: ClientCommand, /) -> ClientCommand | None:
        """The operation with its actual subject; None if it does not apply."""
        return resolve(self._client, step)

    def play(self, step: ClientCommand, /) -> None:
        """Play one operation."""
        play(self._client, step)

    def send(self, request: Request, /) -> Exchange:
        """Send a request without a further intent, and judge its response."""
        return self._client.send(request)

    def close(self) -> None:
        """Disconnect from all open streams."""
        self._client.close()
