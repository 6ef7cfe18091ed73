"""Keeps secrets out of everything that is printed or written.

Layer 5. Knows what the run's own keys are and what stands where a secret was; what a secret looks like is
`harness.wire.secrets`', and which fields of an API's bodies hold one is told by its `StreamProtocol`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from harness.wire.secrets import CREDENTIALS, SECRET_PARAMETERS, is_secret_header, sightings

HIDDEN = "***"

_SECRET_QUERY = re.compile(rf"([?&](?:{'|'.join(SECRET_PARAMETERS)})=)[^&#\s\"']+", re.IGNORECASE)
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
        return _without_sightings(_SECRET_QUERY.sub(rf"\g<1>{HIDDEN}", text))

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


def _without_sightings(text: str) -> str:
    """What looks like a credential hidden; private addresses stay, a report names its target."""
    parts, at = [], 0
    for _, start, end in sorted(sightings(text, CREDENTIALS), key=lambda seen: seen.start):
        if start >= at:
            parts += [text[at:start], HIDDEN]
        at = max(at, end)
    return "".join((*parts, text[at:]))
