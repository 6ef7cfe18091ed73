"""What is in force in each session of a server: its fault plan, its queue, its held runs. Layer 6."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from harness.benches.server.fault_control import Faulty
from harness.inspector.changes import Change

_MOST_SESSIONS = 50


class ServedSessions(Protocol):
    """A service with sessions: what is in force in the default one, and in each other one by name."""

    @property
    def state(self) -> dict[str, Any]: ...
    @property
    def session_states(self) -> Mapping[str, dict[str, Any]]: ...


def describe_sessions(faulty: Faulty, service: ServedSessions) -> Change:
    """The state of the default session; `sessions` has that of the newest others, by name."""
    newest = list(service.session_states.items())[-_MOST_SESSIONS:]
    sessions = {
        name: {**faulty.describe_state(f"/__harness__/sessions/{name}"), **state} for name, state in newest
    }
    return {**faulty.state, **service.state, "sessions": sessions}
