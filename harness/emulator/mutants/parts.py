"""Puts a defect into the emulator: a part, or a method of a part, that differs from the reference's.

Layer 2. A defect takes an emulator class and returns one with the defect, so that several can be put into one
emulator. The hooks for most defects are in `hooks`; what is here reaches every method. Must not know any defect.
"""

from __future__ import annotations

import dis
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from types import FunctionType
from typing import Any, TypeAlias, TypeVar, TypeVarTuple

import msgspec

from harness.emulator.auth import Auth
from harness.emulator.create.validation import CreateValidator
from harness.emulator.deliveries import Deliveries
from harness.emulator.engine import Engine
from harness.emulator.reply.replies import ReplyBuilder
from harness.emulator.resources.router import Resources
from harness.emulator.run.event_writer import EventWriter
from harness.emulator.run.interaction_body import Bodies
from harness.emulator.run.run import Run
from harness.emulator.run.store import InteractionStore
from harness.emulator.run.stream_response import Streams
from harness.emulator.service import Emulator
from harness.emulator.values.stamps import IdSequence
from harness.emulator.values.usage import Meter
from harness.kit.mutant import ReplacedFunction

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")

Change: TypeAlias = Callable[..., Any]
Defect: TypeAlias = Callable[[type[Emulator]], type[Emulator]]


@dataclass(frozen=True, slots=True)
class ConditionalChange:
    """A change of what passes a test, which gets the same arguments; the test changes nothing.

    `foreseen`: the change leaves alone what fails the test, which therefore need not be asked before.
    """

    test: Callable[..., object]
    change: Change
    foreseen: bool = False

    def __call__(self, *context: Any) -> Any:
        """Change it, or return None."""
        return self.change(*context) if self.foreseen or self.test(*context) else None

    @staticmethod
    def adapt(change: Change, pass_on: Callable[[Change], Change]) -> Change:
        """The change with other arguments: `pass_on` takes a function, and returns one that calls it."""
        if isinstance(change, ConditionalChange):
            return ConditionalChange(pass_on(change.test), pass_on(change.change), change.foreseen)
        return pass_on(change)


SKIP = object()
"""What a change before a method returns to leave the method out."""

_SLOTS: dict[type, str] = {
    CreateValidator: "validator_type",
    Auth: "auth_type",
    Bodies: "bodies_type",
    Deliveries: "deliveries_type",
    EventWriter: "events_type",
    IdSequence: "ids_type",
    Meter: "meter_type",
    Resources: "resources_type",
    ReplyBuilder: "replies_type",
    Run: "run_type",
    InteractionStore: "store_type",
    Streams: "streams_type",
}
"""Maps each part of the engine to the class attribute that holds its type."""

PARTS: tuple[type, ...] = (Emulator, Engine, *_SLOTS)


@dataclass(frozen=True, slots=True)
class PartDefect:
    """Takes an emulator class and returns one whose part `base` is another; `places` as in `Mutant`."""

    base: type
    derive: Callable[[type], type]
    places: tuple[ReplacedFunction, ...] | None

    def __call__(self, emulator: type[Emulator]) -> type[Emulator]:
        """The events of the new one are not watched, as their order may be the defect."""
        base, derive = self.base, self.derive
        if base is Emulator:
            return derive(emulator)
        engine = emulator.engine_type
        unwatched: dict[str, Any] = {"watch": lambda engine: None}
        if base is Engine:
            engine = type(engine.__name__, (derive(engine),), unwatched)
        else:
            slot = _SLOTS[base]
            engine = type(engine.__name__, (engine,), {**unwatched, slot: derive(getattr(engine, slot))})
        return type(emulator.__name__, (emulator,), {"engine_type": engine})


def part(
    defective: type, since: Callable[..., Any] | None = None, test: Callable[..., object] | None = None
) -> Defect:
    """Use `defective`, a subclass of one part, in place of that part: for defects that remember something.

    It does what the part does until `since` is called, a method of the part, with `self` and arguments that pass
    the test; without `since`, until a method that it replaces is called.
    """
    for base in PARTS:
        if issubclass(defective, base):
            places = _find_places(defective, base)
            if since is not None:
                places = (ReplacedFunction(since.__code__, test, at_call=test is not None),)
            return PartDefect(base, lambda current: _join(defective, current), places)
    raise ValueError(f"{defective.__name__} is not a part of the emulator: derive it from one of {_names()}")


def around(
    method: Callable[..., Any],
    change: Change,
    concerns: Callable[..., object] | None = None,
    *,
    at_call: bool = False,
    differs: Callable[..., bool] | None = None,
) -> Defect:
    """Call `change(method, self, *arguments)` in place of a method, with the bound method as it was before.

    `concerns(*arguments)` returns whether the change can affect a call; None: it can affect each. `at_call` and
    `differs` as in `ReplacedFunction`.
    """
    base, name = _place(method)

    def derive(current: type) -> type:
        inner = getattr(current, name)

        def run_changed(self: Any, *arguments: Any, **named: Any) -> Any:
            return change(partial(inner, self), self, *arguments, **named)

        return type(current.__name__, (current,), {name: run_changed})

    return PartDefect(
        base,
        derive,
        (ReplacedFunction(method.__code__, concerns, at_call, differs),)
        if isinstance(method, FunctionType)
        else None,
    )


def instead(
    method: Callable[[*Arguments], Result],
    change: Callable[[*Arguments], Result],
    concerns: Callable[..., object] | None = None,
) -> Defect:
    """Call `change(self, *arguments)` in place of a method; `concerns` as in `around`."""
    if isinstance(change, ConditionalChange):
        test, run = change.test, change.change
        return around(
            method,
            lambda inner, self, *arguments: run(self, *arguments) if test(self, *arguments) else inner(*arguments),
            test,
            at_call=True,
        )
    return around(method, lambda inner, *arguments: change(*arguments), concerns)


def before(method: Callable[..., Any], change: Change) -> Defect:
    """Call `change(self, *arguments)` before a method; if that returns `SKIP`, the method is left out."""

    def run_changed(inner: Change, *arguments: Any, **named: Any) -> Any:
        if change(*arguments, **named) is SKIP:
            return None
        return inner(*arguments[1:], **named)

    test = change.test if isinstance(change, ConditionalChange) else None
    return around(method, run_changed, test, at_call=test is not None)


def after(
    method: Callable[..., Any],
    change: Change,
    concerns: Callable[..., bool] | None = None,
    *,
    differs: Callable[..., bool] | None = None,
) -> Defect:
    """Call `change(result, self, *arguments)` after a method; it returns a new result, or None to keep it.

    `differs` as in `ReplacedFunction`; a conditional change differs where its test passes.
    """
    if isinstance(change, ConditionalChange) and differs is None:
        test = change.test
        differs = lambda *arguments, **named: bool(test(*arguments, **named))  # noqa: E731

    def run_changed(inner: Change, *arguments: Any, **named: Any) -> Any:
        result = inner(*arguments[1:], **named)
        other = change(result, *arguments, **named)
        return result if other is None else other

    return around(method, run_changed, concerns, differs=differs)


def after_json(method: Callable[..., Any], change: Change) -> Defect:
    """Like `after`, for a method that returns JSON, and a change that changes nothing but that."""

    def differs(result: Any, *arguments: Any, **named: Any) -> bool:
        return differs_in_json(lambda copy: change(copy, *arguments, **named), msgspec.json.encode(result))

    return after(method, change, differs=differs)


def differs_in_json(change: Change, written: bytes) -> bool:
    """Whether a value would be written in another way after a change, which returns a new one or None."""
    value = msgspec.json.decode(written)
    other = change(value)
    return msgspec.json.encode(value if other is None else other) != written


def _place(method: Callable[..., Any]) -> tuple[type, str]:
    """Return the part that a method belongs to, and its name."""
    for base in PARTS:
        if getattr(base, method.__name__, None) is method:
            return base, method.__name__
    raise ValueError(f"{method.__qualname__} is not a method of a part of the emulator: parts are {_names()}")


def _find_places(defective: type, base: type) -> tuple[ReplacedFunction, ...] | None:
    """The methods that a subclass of a part replaces; None if it replaces more, so that it may act anywhere."""
    places = []
    for original in _list_replaced(defective, base):
        if isinstance(original, property | cached_property):
            original = original.fget if isinstance(original, property) else original.func
        if not isinstance(original, FunctionType):
            return None
        places.append(ReplacedFunction(original.__code__))
    return tuple(places)


def _list_replaced(defective: type, base: type) -> Iterator[Any]:
    """The values of a part under each name that a subclass replaces, without the subclass's own names."""
    for owner in defective.__mro__[: defective.__mro__.index(base)]:
        for name in vars(owner).keys() - _OF_EACH_CLASS:
            if name == "__init__" and only_prepares(vars(owner)[name], base):
                continue
            for there in base.__mro__:
                if name in vars(there):
                    yield vars(there)[name]
                    break
            else:
                if name.startswith("__"):  # called by the interpreter
                    yield None


def only_prepares(function: FunctionType, base: type) -> bool:
    """Whether an `__init__` does no more than give an object attributes of which its part knows nothing.

    Then it acts only through the methods that read them, which are places of their own.
    """
    stored, read = set(), set()
    for instruction in dis.get_instructions(function):
        if instruction.opname == "STORE_ATTR":
            stored.add(instruction.argval)
        elif instruction.opname in _READS:
            read.add(instruction.argval)
        elif instruction.opname in _CHANGES:
            return False
    methods = [
        value.__code__ for owner in base.__mro__ for value in vars(owner).values() if type(value) is FunctionType
    ]
    known = {*dir(base), *(name for code in methods for name in code.co_names)}
    return read <= {"__init__"} and stored.isdisjoint(known)


_READS = frozenset({"LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR", "LOAD_SUPER_METHOD"})
_CHANGES = frozenset(
    {"STORE_SUBSCR", "STORE_GLOBAL", "STORE_DEREF", "DELETE_ATTR", "DELETE_SUBSCR", "IMPORT_NAME"}
)


class _Empty:
    pass


_OF_EACH_CLASS = vars(_Empty).keys() | {"__annotations__", "__annotate_func__", "__slots__"}
"""What every class has of its own."""


def _join(defective: type, current: type) -> type:
    """Return the defective part on top of the defects that the current one has already."""
    return defective if issubclass(defective, current) else type(defective.__name__, (defective, current), {})


def _names() -> str:
    return ", ".join(part.__name__ for part in PARTS)
