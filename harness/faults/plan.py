"""Fault plans as frozen values: which faults, on which connections of which requests.

Knows which faults can be combined; must not know how one is parsed (`grammar`) or applied (`transducer`). `fault`
has what a single fault is. `str` of every value is its spelling in the grammar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from itertools import islice, repeat

from msgspec import Struct
from msgspec.structs import replace

from harness.faults.answer_faults import Status
from harness.faults.fault import Fault, require_range


class Scope(StrEnum):
    """The requests that a plan counts and applies to."""

    STREAMS = "streams"
    STARTS = "starts"
    RESUMES = "resumes"
    CALLS = "calls"
    CREATES = "creates"
    GETS = "gets"
    CANCELS = "cancels"
    DELETES = "deletes"
    ALL = "all"


class Connection(Struct, frozen=True):
    """The faults of a connection, applied from left to right; without any it is left alone.

    `times` is the number of consecutive connections that they apply to, None: all that follow.
    """

    faults: tuple[Fault, ...] = ()
    times: int | None = 1

    def __post_init__(self) -> None:
        if self.times is not None:
            require_range("times", self.times, least=1)
        for fault in self.faults[:-1]:
            if what := fault.ends_as:
                raise ValueError(f"{fault} is not the last fault of its connection: nothing can follow {what}")
        for fault in self.faults:
            if isinstance(fault, Status) and len(self.faults) > 1:
                raise ValueError(f"{fault} replaces the whole response: it stands alone in its connection")

    def __str__(self) -> str:
        times = "" if self.times == 1 else f",times:{'all' if self.times is None else self.times}"
        return (",".join(map(str, self.faults)) or "pass") + times


class Seed(Struct, frozen=True):
    """The origin of a random plan: a seed and the expected number of events in a stream."""

    number: int
    events: int = 12

    def __post_init__(self) -> None:
        require_range("a seed", self.number)
        require_range("the events of a random plan", self.events, least=1)

    def __str__(self) -> str:
        return f"random:{self.number}" + ("" if self.events == 12 else f"+{self.events}")


class Plan(Struct, frozen=True):
    """The faults of the connections in `scope`, in order; connections past the last one are left alone.

    `str` of a plan that was drawn is its `seed`, from which the same plan is drawn again; `spelled` writes it out.
    `also` are plans for other requests: each request counts in the part with the narrowest scope that it is in.
    """

    connections: tuple[Connection, ...]
    scope: Scope = Scope.STREAMS
    seed: Seed | None = None
    also: tuple[Plan, ...] = ()

    def __post_init__(self) -> None:
        if not self.connections:
            raise ValueError("a plan needs at least one connection: `pass` is the one without faults")
        for connection in self.connections[:-1]:
            if connection.times is None:
                raise ValueError(f"{connection} is for ever: the connections after it would never come")
        scopes = [self.scope]
        for plan in self.also:
            if plan.also:
                raise ValueError(f"{plan} is a plan of several parts, which cannot be a part of another one")
            if plan.scope in scopes:
                raise ValueError(f"{plan.scope} has a part already: write all its connections there")
            scopes.append(plan.scope)

    @property
    def parts(self) -> tuple[Plan, ...]:
        """The plans for different requests that this plan consists of, each without further parts."""
        return (replace(self, also=()), *self.also) if self.also else (self,)

    @property
    def is_quiet(self) -> bool:
        """Whether no part of it has a fault."""
        return not any(connection.faults for part in self.parts for connection in part.connections)

    def sequence(self) -> Iterator[tuple[Fault, ...]]:
        """Yield the faults of each connection in order, without end."""
        for connection in self.connections:
            times = () if connection.times is None else (connection.times,)
            yield from repeat(connection.faults, *times)
        yield from repeat(())

    def faults(self, number: int) -> tuple[Fault, ...]:
        """The faults of the connection with this 0-based number."""
        return next(islice(self.sequence(), number, None))

    @property
    def length(self) -> int | None:
        """The number of connections that it is for; None if it applies to all."""
        times = [connection.times for connection in self.connections]
        return None if None in times else sum(time for time in times if time is not None)

    @property
    def spelled(self) -> str:
        """The plan written out, even if its `str` is the seed."""
        return self._join(lambda plan: "/".join(map(str, plan.connections)))

    def _join(self, spell: Callable[[Plan], str]) -> str:
        own = spell(self) if self.scope is Scope.STREAMS else f"{self.scope}={spell(self)}"
        return "/".join((own, *(f"{plan.scope}={spell(plan)}" for plan in self.also)))

    def __str__(self) -> str:
        return self._join(lambda plan: str(plan.seed or "/".join(map(str, plan.connections))))


_WIDE = {Scope.ALL: 2, Scope.STREAMS: 1, Scope.CALLS: 1}


def choose_scope(scopes: Iterable[Scope], fitting: frozenset[Scope]) -> Scope | None:
    """The narrowest of a plan's scopes that a request is in; of equally narrow ones the first; None: no one."""
    return min(
        (scope for scope in scopes if scope in fitting), key=lambda scope: _WIDE.get(scope, 0), default=None
    )
