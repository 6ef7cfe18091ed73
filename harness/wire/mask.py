"""Keeps secrets out of everything that is shown: reports, messages, the emulator's log of requests.

Layer 0. Knows what the run's own keys are and what stands where a secret was; what a secret looks like is
`secrets`' business, and which fields of an API's bodies hold one is told by its `StreamProtocol`. A recording is
redacted elsewhere (`harness.cassette`): there one secret keeps one placeholder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from harness.wire.message import Request
from harness.wire.secrets import CREDENTIALS, SECRET_PARAMETERS, SecretFields, is_secret_header, sightings
from harness.wire.tokens import encoded, paired, seems_json, tokens

HIDDEN = "***"

_SECRET_QUERY = re.compile(rf"([?&](?:{'|'.join(SECRET_PARAMETERS)})=)[^&#\s\"']+", re.IGNORECASE)
_MEMBER = re.compile(r'("(?P<name>[^"\\]{1,64})"\s*:\s*")(?:[^"\\]|\\.)*+')
"""A member of JSON whose value is a string, also in running text."""

_SHORTEST = 4
"""A shorter key is hidden in headers only: masked everywhere it would turn ordinary text into stars."""


class Mask:
    """Hides known secrets, and what looks like one.

    `secrets` are the run's own, by the variable that stands for each; `fields` are the members of JSON that hold
    one, whatever it looks like.
    """

    def __init__(self, secrets: Mapping[str, str] | None = None, fields: SecretFields | None = None) -> None:
        self._secrets = {name: value for name, value in (secrets or {}).items() if value}
        known = sorted((v for v in self._secrets.values() if len(v) >= _SHORTEST), key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None
        self._fields = fields or SecretFields()

    def text(self, text: str, request: Request | None = None) -> str:
        """Any text with its secrets hidden; everything printed passes here once.

        `request` is the one in whose exchange the text was a body.
        """
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        if seems_json(text):
            text = self._without_values(text, self._above(request))
        text = _MEMBER.sub(self._member, text)
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

    def body(self, value: Any, request: Request) -> Any:
        """A decoded body of a request: what is a secret by its place is hidden, every other string masked."""
        return self._at(value, self._above(request))

    def _at(self, value: Any, path: tuple[str, ...]) -> Any:
        if isinstance(value, dict):
            return {key: self._at(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self._at(item, (*path, "") if isinstance(item, dict | list) else path) for item in value]
        return HIDDEN if value is not None and self._fields.covers(path) else self.tree(value)

    def _member(self, found: re.Match[str]) -> str:
        return f"{found[1]}{HIDDEN}" if self._fields.names(found["name"]) else found[0]

    def _above(self, request: Request | None) -> tuple[str, ...]:
        return self._fields.above(request.segments) if request is not None else ()

    def _without_values(self, text: str, above: tuple[str, ...]) -> str:
        """A JSON text, which may be cut, without the strings that are secrets by their place."""
        parts, at = [], 0
        for token in paired(tokens(text, above), self._fields.covers):
            if token.is_string and not token.is_name and self._fields.covers(token.path):
                parts += [text[at : token.start], encoded(HIDDEN, "", closed=token.closed)]
                at = token.end
        return "".join((*parts, text[at:]))


def _without_sightings(text: str) -> str:
    """What looks like a credential hidden; private addresses stay, a report names its target."""
    parts, at = [], 0
    for _, start, end in sorted(sightings(text, CREDENTIALS), key=lambda seen: seen.start):
        if start >= at:
            parts += [text[at:start], HIDDEN]
        at = max(at, end)
    return "".join((*parts, text[at:]))
