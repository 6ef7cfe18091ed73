"""Keeps secrets out of everything that is printed or written.

Layer 5. Knows where secrets live in HTTP and what the run's own keys are; what is a secret field of an API's
bodies is told by its `StreamProtocol`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

HIDDEN = "***"

_SECRET_HEADER = re.compile(r"auth|api-?key|token|secret|cookie|password|credential", re.IGNORECASE)
_SECRET_QUERY = re.compile(r"([?&](?:key|api_key|access_token|token)=)[^&#\s\"']+", re.IGNORECASE)
_LOOKS_SECRET = re.compile(
    r"AIza[0-9A-Za-z_\-]{35}|ya29\.[0-9A-Za-z_\-.]{20,}|(?<=Bearer )[0-9A-Za-z_\-.~+/=]{8,}"
)
_SHORTEST = 4
"""A shorter key is hidden in headers only: masked everywhere it would turn ordinary text into stars."""


class Mask:
    """Hides known secrets, and what looks like one.

    `secrets` are the run's own, by the variable that stands for each; `fields` are JSON field names whose string
    values are secret wherever they appear.
    """

    def __init__(self, secrets: Mapping[str, str] | None = None, fields: Collection[str] = ()) -> None:
        self._secrets = {name: value for name, value in (secrets or {}).items() if value}
        known = sorted((v for v in self._secrets.values() if len(v) >= _SHORTEST), key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None
        names = "|".join(sorted(map(re.escape, fields)))
        self._fields = re.compile(rf'("(?:{names})"\s*:\s*")(?:[^"\\]|\\.)*') if names else None

    def text(self, text: str) -> str:
        """Any text with its secrets hidden; everything printed passes here once."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        if self._fields is not None:
            text = self._fields.sub(rf"\g<1>{HIDDEN}", text)
        return _LOOKS_SECRET.sub(HIDDEN, _SECRET_QUERY.sub(rf"\g<1>{HIDDEN}", text))

    def header(self, name: str, value: str) -> str:
        """One header value: hidden whole when its name says so."""
        return HIDDEN if is_secret_header(name) else self.text(value)

    def variable(self, value: str) -> str | None:
        """The name of the environment variable that stands for exactly this secret, None when it is no secret."""
        return next((name for name, secret in self._secrets.items() if secret == value), None)

    def tree(self, value: Any) -> Any:
        """Plain data with every string in it masked."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: self.tree(item) for key, item in value.items()}
        return [self.tree(item) for item in value] if isinstance(value, list) else value


def is_secret_header(name: str) -> bool:
    """Whether a header's value is a secret by its name alone."""
    return _SECRET_HEADER.search(name) is not None
