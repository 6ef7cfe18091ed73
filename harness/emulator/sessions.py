"""The sessions of an emulator: isolated engines by name, beside that of the default session.

Layer 2. Knows how engines are named, opened and closed, and what each can do; not what they answer.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock
from typing import Any

from harness.emulator.engine import Engine
from harness.emulator.values.call import not_found
from harness.emulator.values.settings import Settings

CAPABILITIES = (
    "v1", "auth", "two-keys", "store", "delete", "chain", "stream", "background", "cancel", "resume",
    "background-slow", "event-ids", "functions", "thoughts", "search", "agents", "environments", "agents-crud",
    "webhooks", "credentials", "triggers", "files", "file-search-stores", "voices", "decisions", "continuation",
    "long-decode", "image-answers", "audio-answers", "deep-research", "script",
)  # fmt: skip
"""What the emulator can do, as names of capabilities in the catalogue."""


class Sessions:
    """The engines of one emulator; `default` is the engine of requests that name no session."""

    def __init__(self, new_engine: Callable[[int, Settings], Engine], settings: Settings, lock: RLock) -> None:
        """`new_engine(number, settings)` makes the engine of the session that was opened as that number."""
        self._new_engine = new_engine
        self._lock = lock
        self._named: dict[str, Engine] = {}
        self._opened = 0
        self.default = new_engine(0, settings)

    def get(self, session: str | None) -> Engine | None:
        """The engine of a session, None if there is no such session; None as a name means the default one."""
        return self.default if session is None else self._named.get(session)

    def find(self, session: str | None = None) -> Engine:
        """Return the engine of a session; None means the default session. Raises Refusal 404."""
        engine = self.get(session)
        if engine is None:
            raise not_found(f"There is no session '{str(session)[:100]}': POST /__harness__/sessions makes one.")
        return engine

    def open(self) -> str:
        """Open an isolated session with the default one's settings; beyond `max_sessions` the oldest is closed."""
        with self._lock:
            settings = self.default.settings
            self._opened += 1
            name = f"s{self._opened}"
            self._named[name] = self._new_engine(self._opened, settings)
            if len(self._named) > settings.max_sessions:
                del self._named[next(iter(self._named))]
            return name

    def close(self, session: str) -> None:
        """Close a session. Raises Refusal 404."""
        with self._lock:
            self.find(session)
            del self._named[session]

    def engines(self) -> list[Engine]:
        """The engines of all sessions, that of the default one first."""
        return [self.default, *self._named.values()]

    def describe_states(self) -> dict[str, dict[str, Any]]:
        """What waits and what is held in each session but the default one, by name, the oldest first."""
        return {name: engine.steering.describe_state() for name, engine in self._named.items()}

    def capabilities(self, session: str | None = None) -> set[str]:
        """Return the capabilities that the settings of a session allow. Raises Refusal 404."""
        settings = self.find(session).settings
        missing = set()
        if settings.event_ids == "none":
            missing.add("event-ids")
        projects = set(settings.keys.values()) if settings.keys is not None else set()
        if not (settings.require_key and projects):
            missing.add("auth")  # if every key is accepted, none can be wrong
        if not (settings.require_key and len(projects) > 1):
            missing.add("two-keys")
        return set(CAPABILITIES) - missing
