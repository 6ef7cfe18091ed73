"""`SearchModel`: the facts about an API that a search needs.

A value and its protocols. The engine draws, runs, counts, shrinks and stores histories without a look inside: the
steps, their requests, and the rules of their responses come from here. Must not know which API it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct, field

from harness.kit.history import History, Step
from harness.outcome import Finding, Judgement, Rule, Severity
from harness.wire import Exchange, LiveStream, Request

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy


class TrailEntry(Struct, eq=False):
    """A request's place in the trail; its exchange is None until it has ended. `wrong`: it is so on purpose."""

    exchange: Exchange | None = None
    wrong: bool = False


class SearchWorld(Protocol):
    """The world of one history, from the engine: the target, and a place for each exchange.

    `settled_by_us`: only our own requests advance a run, so there are no races and nothing lags behind.
    Every response that is kept has been judged on its own.
    """

    target: Any
    """The builder of requests, the `ApiRequests` of the API."""
    able: frozenset[str]
    """The target's capabilities."""
    settled_by_us: bool

    @property
    def found(self) -> Sequence[object]:
        """The findings of the current step so far."""

    def send(self, request: Request, *, wrong: bool = False) -> Exchange:
        """Send a request and keep its exchange."""

    def look(self, request: Request, wanted: Callable[[Exchange], bool], *, within: float) -> Exchange:
        """Look until the exchange is `wanted`, for `within` seconds where something may lag behind."""

    def open(self, request: Request, *, within: float) -> LiveStream:
        """Open a stream of events to be read in parts; a stream that is not found yet is requested again."""

    def begin(self) -> TrailEntry:
        """Reserve a place in the trail for a stream that was opened."""

    def keep(self, exchange: Exchange, sent: TrailEntry | None = None) -> Exchange:
        """Record a finished exchange, in the place that was reserved for it, and judge it on its own."""

    def leave(self, exchange: Exchange, sent: TrailEntry) -> None:
        """Record an exchange that only the end of the history ended, unjudged."""

    def accuse(self, judgement: Judgement, request: Request) -> None:
        """Add the findings of a judgment of the response to a request."""

    def wait(self, seconds: float) -> None:
        """Wait before the next request."""


class PlaysHistory(Protocol):
    """Plays the steps of one history, and judges each answer by all that came before it."""

    def resolve(self, step: Any, /) -> Any:
        """The step with its actual subject; None if it does not apply here."""

    def play(self, step: Any, /) -> None:
        """Play a step that was resolved."""

    def send(self, request: Request, /) -> Exchange:
        """Send any request, and judge its answer like those of the steps."""

    def close(self) -> None:
        """Disconnect all that is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """The operations of a document below one collection, which are searched together.

    The user may deny its `capability`, if it has one. `checks` are the tool's own checks that count here, each
    with the rule that its failure breaks. `weight` is its share of a limited time. `keeps`: what is created can be
    listed.
    """

    collection: str
    capability: str = ""
    checks: Mapping[str, str] = dataclass_field(default_factory=dict, hash=False)
    weight: int = 1
    keeps: bool = True

    @property
    def beginning(self) -> str:
        """The operation that every chain of links begins with."""
        return f"POST /{self.collection}"


class SearchDocument(Struct, frozen=True, kw_only=True):
    """The OpenAPI document of the API, and the rules of its search.

    `build` returns a copy that fits a target and refers to nothing outside; if the second argument is true, a
    create of the first family has only what each target takes. This family is always searched, the others if they
    are served. `echoed` are rules on the caller's own input in a read, judged only on creates; `shapes` are not
    judged once a wrong create was accepted.
    `with_keys` are further checks for targets that check keys; `weigh_wrong_key` rates the status of a response to
    a wrong key, None if it is right. `strict` are checks that lenient services fail.
    """

    build: Callable[[Any, bool], dict[str, Any]]
    families: tuple[Family, ...]
    echoed: frozenset[str] = frozenset()
    shapes: frozenset[str] = frozenset()
    with_keys: Mapping[str, str] = field(default_factory=dict)
    weigh_wrong_key: Callable[[int], Severity | None] = lambda status: Severity.BROKEN
    strict: Mapping[str, str] = field(default_factory=dict)


class SearchModel(Struct, frozen=True, kw_only=True):
    """The facts of a search about one API: its steps, their player and judge, and the requests to draw.

    Functions that take capabilities leave out steps that a target without them does not offer.
    """

    rules: Mapping[str, Rule]
    """The rules that a finding of a search may be about, by id."""
    rests_on: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The rules by id, each with those whose breach explains its own."""
    needed: frozenset[str]
    """The capabilities that decide which steps are played; a probe finds them out."""
    create: str
    """The call without which a search proves nothing, such as `POST things`."""
    name_call: Callable[[Request], str]
    """The call that a request makes, without its ids."""
    judge_answer: Callable[[Exchange, str, bool], Iterable[Finding]]
    """What is wrong with one answer alone. The second argument is the caller's key, which no error may repeat; the
    third one is False for an error that something in front of the API may have written.
    """
    new_player: Callable[[SearchWorld], PlaysHistory]

    read_step: Callable[[Mapping[str, Any]], Step]
    """The step that a record describes. Raises ValueError or TypeError if it describes none."""
    simplify: Callable[[Any], Iterator[History]]
    """Histories that may show the same and are simpler, the simplest first."""
    weigh: Callable[[Any], tuple[int, ...]]
    """The sort key by which the simpler of two histories is chosen."""
    draw_histories: Callable[[frozenset[str], int], SearchStrategy[Any]]
    """Histories of so many steps."""
    list_kinds: Callable[[frozenset[str]], Sequence[str]]
    """The kinds of steps that a long search must have played."""
    draw_laws: Callable[[frozenset[str]], SearchStrategy[Any]] | None = None
    """Whole histories of one stream, read in parts; None if the API has no streams to read so."""
    document: SearchDocument | None = None


# Smaller forms of a JSON value, to find out which of its parts matter.


def weigh(value: Any) -> int:
    """How large a value is, as JSON text; 0 for none."""
    return 0 if value is None else len(json.dumps(value, ensure_ascii=False))


def simpler_values(value: Any) -> Iterator[Any]:
    """Smaller values, each with one part removed or made smaller; larger removals first."""
    if isinstance(value, Mapping):
        for name in value:
            yield {key: item for key, item in value.items() if key != name}
        for name, item in value.items():
            yield from ({**value, name: smaller} for smaller in simpler_values(item))
    elif isinstance(value, list):
        yield from _halve(value) if len(value) > 2 else ()
        yield from ([*value[:at], *value[at + 1 :]] for at in range(len(value)))
        for at, item in enumerate(value):
            yield from ([*value[:at], smaller, *value[at + 1 :]] for smaller in simpler_values(item))
    elif isinstance(value, str) and len(value) > 1:
        yield from _halve(value)
        yield from (value[1:], value[:-1]) if len(value) > 2 else ()


def _halve(value: Any) -> tuple[Any, Any]:
    half = len(value) // 2
    return value[:half], value[half:]
