"""The deliveries of all sessions of an emulator, as the `wire.Outbox` that a carrier empties. Layer 2."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import RLock
from typing import Protocol

from harness.emulator.deliveries.outbox import Deliveries
from harness.wire.delivery import Delivery


class Session(Protocol):
    """What has deliveries."""

    deliveries: Deliveries

    @property
    def next_due(self) -> float | None: ...

    def attend(self) -> bool: ...


class EmulatorOutbox:
    """Takes the emulator's lock for each call, as every request does."""

    def __init__(self, sessions: Callable[[], Iterable[Session]], lock: RLock) -> None:
        self._sessions = sessions
        self._lock = lock

    def _all(self) -> list[Deliveries]:
        return [session.deliveries for session in self._sessions()]

    @property
    def next_due(self) -> float | None:
        """The moment of the next attempt, or of the next scheduled run, in any session."""
        with self._lock:
            return min((due for one in self._sessions() if (due := one.next_due) is not None), default=None)

    @property
    def given_up(self) -> list[str]:
        """Why deliveries were dropped."""
        with self._lock:
            return [reason for one in self._all() for reason in one.given_up]

    def attend(self) -> bool:
        """Start runs that triggers owe, and move those that webhooks wait for."""
        with self._lock:
            return bool(sum(one.attend() for one in self._sessions()))  # each of them is to be moved

    def take_due(self) -> list[Delivery]:
        """Begin every attempt that is due."""
        with self._lock:
            return [delivery for one in self._all() for delivery in one.take_due()]

    def note_answer(self, delivery: Delivery, status: int | None) -> None:
        """Record what answered an attempt."""
        with self._lock:
            for one in self._all():
                one.note_answer(delivery, status)

    def drop(self, delivery: Delivery, reason: str) -> None:
        """Give a delivery up."""
        with self._lock:
            for one in self._all():
                one.drop(delivery, reason)
