"""The parts of judging clients of an API: their tasks, the service, and the expected results.

Values and their protocols. The runner of cases takes a `ClientModel` from an `Api`, and knows nothing else of
requests, events and results. Must not know which API it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from harness.outcome import Rule
from harness.wire import Clock, Request, Response

Event = Mapping[str, Any]
ClientExchange = tuple[Request, Sequence[Event], Mapping[str, Any]]
"""A request of a client, with the events or the JSON of its response."""

LOSS, HOLE, TWICE, OTHER = "silent-loss", "hole", "duplicated", "altered"
DOUBLE_CREATE, LOST_CONTEXT = "double-create", "lost-context"
UNFINISHED, UNUSABLE = "unfinished", "unusable"
SWAPPED, LOST_ARGUMENTS, STOPPED, SERVER_CALL = "swapped", "lost-arguments", "stopped", "server-call"


class Defect(NamedTuple):
    """A client's defect: `word` is one of those above, `text` a phrase with the client as its subject."""

    word: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientMode:
    """One task of a client.

    `script` is the response to a create, `further` to one that continues another run (None: the same). `usual_set`
    are the cases that run if the user names no others. If it `creates`, the client makes the run itself; if it has
    `turns`, the client's result is that of a further turn. A client without a task does the one that is `usual`.
    """

    name: str
    about: str
    usual_set: str
    script: Mapping[str, Any]
    further: Mapping[str, Any] | None = None
    creates: bool = False
    turns: bool = False
    usual: bool = False


class ClockedService(Protocol):
    """A service whose runs follow a clock, at one revision of the API."""

    clock: Clock
    contract: Any

    def __call__(self, request: Request, /) -> Response: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptedService:
    """The reference service for clients, and its scripts."""

    new: Callable[..., ClockedService]
    """Makes a fresh one, by keyword: `contract` (None: the current revision), `clock`, `seed`."""
    prepare: Callable[..., str]
    """Scripts a fresh service, and begins a run in it; returns the id of the run.

    Keywords are `script`, `further` and `settings` as in a mode or an incident, and `scenario`, a file that takes
    the place of the scripts. `refusal` is the response to creates that name another run; None: they are accepted.
    """
    release: Callable[[Any], object]
    """Lets go on what a script holds until it is cancelled."""
    stream_request: Callable[[str], Request]
    """The request that streams the whole of a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientWords:
    """The words of sentences about clients."""

    run: str
    """What a create makes."""
    completion: str
    """The event that completes a stream."""
    cursor: str
    """The parameter that resumes a stream."""
    keeps_id: str
    """How a create is sent so that its id is not lost with its stream."""
    base_url: str
    """The environment variable in which a client finds the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientIncident:
    """Documented incidents, as a case for clients in `modes`; what is None is as in the mode.

    `settings` are those of the service. `refusal` is its answer to a create that names a previous run. If it is
    `hopeless`, all that a client can do is to report it. `speed` is how much faster its clock runs than
    that of the machine.
    """

    name: str
    title: str
    modes: tuple[str, ...]
    plan: str
    script: Mapping[str, Any] | None = None
    refusal: Mapping[str, Any] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    hopeless: bool = False
    speed: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientModel:
    """The parts of judging clients of one API. Events and bodies are decoded JSON; nothing raises on odd input."""

    words: ClientWords
    service: ScriptedService
    modes: Mapping[str, ClientMode]
    """What a client can be asked to do, by name; one of them is usual."""
    sets: Mapping[str, tuple[Any, ...]]
    """The `faults.kinds.CaseKind`s of each set, in the order in which they are played."""
    load_incidents: Callable[[], Mapping[str, ClientIncident]]
    """Documented incidents, by name."""
    rules: Mapping[str, Rule]
    """What is asked of a client, by the ids of `benches.client.judgement.outcome`."""

    is_final: Callable[[object], bool]
    """Whether a run with this status has ended."""
    quiet: frozenset[str]
    """The statuses of a run that has ended with its whole result: a text alone may report them."""

    continues: Callable[[Request], str | None]
    """What a create goes on from, the id of a run or a transcript in words; None if it begins a conversation."""
    find_input: Callable[[Request], str]
    """What a create says: two that say the same without going on from anything are one create, sent twice."""
    goes_on: Callable[[Request], bool]
    """Whether a create goes on with a run that had stopped, so that both are one result."""
    find_id: Callable[[Mapping[str, Any]], str | None]
    """The id that the JSON answer to a create tells."""
    find_error: Callable[[Mapping[str, Any]], str]
    """The message of a refusal; "" if it has none."""

    join: Callable[[Sequence[Sequence[Event]]], list[dict[str, Any]]]
    """The events of several runs that are one result, as one stream."""
    text_of: Callable[[Sequence[Event], Any], str]
    """The text that a client of a stream must end up with, by a contract."""
    steps_of: Callable[[Sequence[Event], Any], Sequence[Any]]
    """The steps that a client of a stream must end up with, by a contract."""
    mark: Callable[[Event], str | None]
    """What an event adds to the result, without its id; None if it adds nothing."""
    compare: Callable[[Sequence[Event], Any, Any, Sequence[Request]], Defect | None]
    """(events of the whole stream, what a client ended up with, contract, its creates) → how the two differ."""

    answer_events: Callable[[Mapping[str, Any]], list[dict[str, Any]]] = lambda answer: []
    """The whole run in a JSON answer, as the events of a stream."""
    waiting: frozenset[str] = frozenset()
    """The quiet statuses of a run that waits for its client: an error that names one of them reports it."""
    judge_calls: Callable[[Sequence[ClientExchange], Any], Defect | None] = lambda exchanges, contract: None
    """(each request with the events or the JSON of its answer, contract) → what is wrong with the results that a
    client returned for the calls of a model."""
    find_forgotten: Callable[[Sequence[Request], Any], str] = lambda creates, contract: ""
    """What the user said in an earlier create, if the last one sends the conversation without it; or ""."""
    find_split_call: Callable[[Sequence[ClientExchange]], str] = lambda exchanges: ""
    """How the arguments of calls without any result arrived in pieces, in a sentence; "" if none did."""

    @property
    def usual_mode(self) -> ClientMode:
        """The task of a client that was given none."""
        return next(mode for mode in self.modes.values() if mode.usual)
