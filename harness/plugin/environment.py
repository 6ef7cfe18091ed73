"""The environment variables that lead a client to this session's server, also one that is built at import time.

Layer 6. Standard library only: it is used in every pytest session. It binds a socket without listening on it; the
server of `session` takes it over when a test first needs one, so that nobody else can get the port in between.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence

BASE_URL_VARIABLES = ("GOOGLE_GEMINI_BASE_URL",)
KEY_VARIABLES = ("GEMINI_API_KEY", "GOOGLE_API_KEY")
PLACEHOLDER_KEY = "interactions-harness"
"""Goes into the first of `KEY_VARIABLES` where neither is set, and into ready clients, which all need some key."""

_BEFORE = "INTERACTIONS_HARNESS_BEFORE"
"""What the variables were without us, as JSON, for processes that inherit ours (the workers of xdist)."""


class Environment:
    """`install` puts the variables in place, `uninstall` takes them back; `route` switches in between."""

    def __init__(self, variables: Sequence[str] = BASE_URL_VARIABLES) -> None:
        self._variables = tuple(variables)
        self._before: dict[str, str | None] = {}
        self._found: dict[str, str | None] = {}
        self._ours: dict[str, str] = {}
        self.reserved: socket.socket | None = None
        """Bound, and nobody listens there yet; None where there is none to be had, or no more."""
        self.port = 0

    @property
    def url(self) -> str:
        """Where the session's server is, or will be."""
        return f"http://127.0.0.1:{self.port}"

    def install(self) -> None:
        """Reserve the port and set the variables; where no port can be had, leave everything as it is."""
        try:
            self._reserve()
        except OSError:  # a sandbox without a network: no reason to break a session that may not need us
            return
        if not self._variables:
            return
        inherited = json.loads(os.environ.get(_BEFORE, "{}"))
        self._ours = dict.fromkeys(self._variables, self.url)
        if KEY_VARIABLES[0] in inherited or not any(os.environ.get(name) for name in KEY_VARIABLES):
            self._ours[KEY_VARIABLES[0]] = PLACEHOLDER_KEY
        self._before = {name: inherited.get(name, os.environ.get(name)) for name in self._ours}
        self._found = {name: os.environ.get(name) for name in (*self._ours, _BEFORE)}
        os.environ[_BEFORE] = json.dumps(self._before)
        self.route(True)

    def _reserve(self) -> None:
        reserved = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        reserved.bind(("127.0.0.1", 0))
        self.reserved = reserved
        self.port = reserved.getsockname()[1]

    def route(self, here: bool) -> None:
        """Point clients that are built from now on here, or wherever they went without us."""
        for name, ours in self._ours.items():
            _put(name, ours if here else self._before[name])

    def taken(self, port: int) -> None:
        """A server has taken the reserved socket over, or has got a port of its own where there was none."""
        self.reserved = None
        self.port = port

    def uninstall(self) -> None:
        """Leave the environment as it was."""
        for name, value in self._found.items():
            _put(name, value)
        if self.reserved is not None:
            self.reserved.close()
            self.reserved = None


def own_key() -> str | None:
    """The key of whoever runs the tests, None where there is none but the placeholder."""
    found = next(filter(None, map(os.environ.get, KEY_VARIABLES)), None)
    return None if found == PLACEHOLDER_KEY else found


def _put(name: str, value: str | None) -> None:
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value
