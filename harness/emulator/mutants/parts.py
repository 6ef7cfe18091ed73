"""Puts a defect into the emulator: a part, or a method of a part, that differs from the reference's.

A defect takes an emulator class and returns one with the defect, so that several can be put into one emulator. The
hooks for most defects are in `hooks`; what is here reaches every method. Must not know any defect.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias, TypeVar, TypeVarTuple

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

Arguments = TypeVarTuple("Arguments")
Result = TypeVar("Result")

Change: TypeAlias = Callable[..., Any]
Defect: TypeAlias = Callable[[type[Emulator]], type[Emulator]]


@dataclass(frozen=True, slots=True)
class ConditionalChange:
    """A change of what passes a test, which gets the same arguments; `instead` asks the test itself."""

    test: Callable[..., object]
    change: Change

    def __call__(self, *context: Any) -> Any:
        """Change it, or return None."""
        return self.change(*context) if self.test(*context) else None


def memory(part: object) -> dict[str, Any]:
    """Return the memory that defects have in one part of one emulator."""
    found: dict[str, Any] = part.__dict__.setdefault("_memory", {})
    return found


def count(part: object, what: str = "calls") -> int:
    """How often a part was asked this, now included."""
    times: int = memory(part).get(what, 0) + 1
    memory(part)[what] = times
    return times


SKIP = object()
"""What a change before a method returns to leave the method out."""

PARTS: tuple[type, ...] = (
    Emulator, Engine, CreateValidator, Auth, Bodies, Deliveries, EventWriter, IdSequence, Meter, Resources,
    ReplyBuilder, Run, InteractionStore, Streams,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PartDefect:
    """Takes an emulator class and returns one whose part `base` is another."""

    base: type
    derive: Callable[[type], type]

    def __call__(self, emulator: type[Emulator]) -> type[Emulator]:
        base, derive = self.base, self.derive
        if base is Emulator:
            return derive(emulator)
        engine = emulator.engine_type
        if base is Engine:
            engine = derive(engine)
        else:
            parts = {**engine.parts, base: derive(engine.part(base))}
            engine = type(engine.__name__, (engine,), {"parts": parts})
        return type(emulator.__name__, (emulator,), {"engine_type": engine})


def around(method: Callable[..., Any], change: Change) -> Defect:
    """Call `change(method, self, *arguments)` in place of a method, with the bound method as it was before."""
    base, name = _place(method)

    def derive(current: type) -> type:
        inner = getattr(current, name)

        def run_changed(self: Any, *arguments: Any, **named: Any) -> Any:
            return change(partial(inner, self), self, *arguments, **named)

        return type(current.__name__, (current,), {name: run_changed})

    return PartDefect(base, derive)


def instead(method: Callable[[*Arguments], Result], change: Callable[[*Arguments], Result]) -> Defect:
    """Call `change(self, *arguments)` in place of a method; where the test of `when` fails, the method."""
    if isinstance(change, ConditionalChange):
        test, run = change.test, change.change
        return around(
            method,
            lambda inner, self, *arguments: run(self, *arguments) if test(self, *arguments) else inner(*arguments),
        )
    return around(method, lambda inner, *arguments: change(*arguments))


def before(method: Callable[..., Any], change: Change) -> Defect:
    """Call `change(self, *arguments)` before a method; if that returns `SKIP`, the method is left out."""

    def run_changed(inner: Change, *arguments: Any, **named: Any) -> Any:
        if change(*arguments, **named) is SKIP:
            return None
        return inner(*arguments[1:], **named)

    return around(method, run_changed)


def after(method: Callable[..., Any], change: Change) -> Defect:
    """Call `change(result, self, *arguments)` after a method; it returns a new result, or None to keep it."""

    def run_changed(inner: Change, *arguments: Any, **named: Any) -> Any:
        result = inner(*arguments[1:], **named)
        other = change(result, *arguments, **named)
        return result if other is None else other

    return around(method, run_changed)


def _place(method: Callable[..., Any]) -> tuple[type, str]:
    """Return the part that a method belongs to, and its name."""
    for base in PARTS:
        if getattr(base, method.__name__, None) is method:
            return base, method.__name__
    parts = ", ".join(part.__name__ for part in PARTS)
    raise ValueError(f"{method.__qualname__} is not a method of a part of the emulator: parts are {parts}")
