"""The environment variables that direct clients to this session's server while a test uses a fixture.

Standard library only. It binds a socket without listening on it. The server of `session` takes the socket over
when a test first needs it, so no other process can get the port.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

KEY_VARIABLES = ("GEMINI_API_KEY", "GOOGLE_API_KEY")
OTHER_KEY_VARIABLE = "OTHER_GEMINI_API_KEY"
PLACEHOLDER_KEY = "interactions-harness"
"""The value of the first of `KEY_VARIABLES` if neither is set, and of the ready-made clients, which need a key."""

LIVE_HOST = "generativelanguage.googleapis.com"
"""The host of the service, which a client uses that finds no variable."""

_BEFORE = "INTERACTIONS_HARNESS_BEFORE"
"""The original values of the variables as JSON, for processes that inherit ours (the workers of xdist)."""


class EnvironmentVariables:
    """Takes over the variables with `install`, restores them with `uninstall`, and switches with `route`.

    `early`: they belong to the plugin between tests, too, for what is imported then.
    """

    def __init__(self, variables: Sequence[str], *, early: bool = False) -> None:
        self.early = early
        self._variables = tuple(variables)
        self._before: dict[str, str | None] = {}
        self._found: dict[str, str | None] = {}
        self._ours: dict[str, str] = {}
        self.live_hosts: frozenset[str] = frozenset()
        """The hosts, `name` or `name:port`, that clients built without these variables send requests to."""
        self._note_live_hosts()
        self.reserved: socket.socket | None = None
        """Bound but not listening; None if no socket could be bound, or after the server took it over."""
        self.port = 0

    @property
    def url(self) -> str:
        """The URL of the session's server, even before it listens."""
        return f"http://127.0.0.1:{self.port}"

    def install(self) -> None:
        """Reserve the port and set the variables; if no port can be bound, change nothing."""
        try:
            self.reserved = bind_socket()
            self.port = self.reserved.getsockname()[1]
        except (OSError, RuntimeError):  # no network here, or pytest-socket forbids it: tests may not need it
            return
        if not self._variables:
            return
        inherited = json.loads(os.environ.get(_BEFORE, "{}"))
        self._ours = dict.fromkeys(self._variables, self.url)
        if KEY_VARIABLES[0] in inherited or not any(os.environ.get(name) for name in KEY_VARIABLES):
            self._ours[KEY_VARIABLES[0]] = PLACEHOLDER_KEY
        self._before = {name: inherited.get(name, os.environ.get(name)) for name in self._ours}
        self._found = {name: os.environ.get(name) for name in (*self._ours, _BEFORE)}
        self._note_live_hosts()
        self.route(True)

    def _note_live_hosts(self) -> None:
        if self._variables:
            urls = (self._before.get(name) for name in self._variables)
            self.live_hosts = frozenset((LIVE_HOST, *(urlsplit(url).netloc for url in urls if url)))

    def route(self, here: bool) -> None:
        """Point new clients to the server of the test or, if not `here`, restore the original values."""
        for name, ours in self._ours.items():
            _put(name, ours if here else self._before[name])
        if self._ours:
            _put(_BEFORE, json.dumps(self._before) if here else None)

    def adopt_port(self, port: int) -> None:
        """Note that a server has taken over the reserved socket, or has bound its own if there was none."""
        self.reserved = None
        self.port = port

    def uninstall(self) -> None:
        for name, value in self._found.items():
            _put(name, value)
        if self.reserved is not None:
            self.reserved.close()
            self.reserved = None


def refuse_forbidden() -> None:
    """Raise RuntimeError where pytest-socket forbids sockets: to try one would be a warning of each test."""
    if socket.socket.__module__ == "pytest_socket":
        raise RuntimeError("pytest-socket forbids them")


def bind_socket() -> socket.socket:
    """A socket on a free port of this machine. Raises OSError, or RuntimeError where sockets are forbidden."""
    refuse_forbidden()
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.bind(("127.0.0.1", 0))
    return bound


def own_key() -> str | None:
    """The user's own key; None if there is only the placeholder or no key."""
    found = next(filter(None, map(os.environ.get, KEY_VARIABLES)), None)
    return None if found == PLACEHOLDER_KEY else found


def _put(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
