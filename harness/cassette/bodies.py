"""Secrets inside a body: in JSON fields at any depth, in plain text, in text split over events. Layer 1.

Works on decoded values and answers with the places in the bytes, so that nothing but the secret changes. Text
whose fragments are spread over events is looked at as the one text it is; what is found is replaced in the first
fragment it touches and taken out of the others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from harness.cassette.fault import CassetteError
from harness.cassette.framing import Edit
from harness.cassette.tokens import Token, closed_text, encoded, seems_json, tokens
from harness.cassette.vault import Change, Vault, changed, without_overlap
from harness.wire import Decoder, StreamProtocol
from harness.wire.secrets import SECRET_NAMES, is_placeholder, looks_random, plain_name

_DEPTH = 4
"""JSON inside JSON strings is followed so deep."""

_NOT_PAYLOAD = re.compile(r"(?:^|(?<=[\r\n]))(?:data: ?|(?!data)[^\r\n]+)")
"""In an event: what is not payload, the prefix of each data line and every other line."""

_SCHEME = re.compile(r"(?i:bearer|basic|token)\s+")


class Found(NamedTuple):
    """A place in the bytes of a body, what to put there, and the kind of secret that was there."""

    edit: Edit
    kind: str


@dataclass(frozen=True, slots=True)
class _Fragment:
    """One event's share of a text, and the event as text with where it begins in the body."""

    base: int
    frame: str
    key: str
    text: str


class BodyReader:
    """Finds what must not be written in the bodies of one API; `vault` knows and names the secrets."""

    def __init__(self, protocol: StreamProtocol, vault: Vault) -> None:
        self._protocol = protocol
        self._vault = vault
        self._secret = frozenset(map(plain_name, protocol.secret_fields)) | SECRET_NAMES
        self._exempt = frozenset(map(plain_name, protocol.opaque_fields | protocol.id_fields))

    def learn(self, body: bytes) -> None:
        """Take in the values of secret fields that are unlike any word: they may turn up again elsewhere."""
        text = _text(body)
        if self._names_secrets(text):
            for token in tokens(text):
                if token.is_string and not token.is_name and token.closed and self._is_secret(token):
                    value = _SCHEME.sub("", token.text, count=1)
                    if looks_random(value):
                        self._vault.learn(value)

    def find(self, body: bytes, *, stream: bool, cut: bool = False, resumed: bool = False) -> list[Found]:
        """Everything to replace in a body, in order, without overlap."""
        if not body:
            return []
        if stream:
            found = list(self._stream(body, cut, resumed))
        else:
            text = _text(body)
            found = list(_placed(0, text, self._any(text, cut=cut)))
        return _without_overlap(found)

    def _names_secrets(self, text: str) -> bool:
        low = plain_name(text)
        return any(name in low for name in self._secret)

    def _is_secret(self, token: Token) -> bool:
        return any(plain_name(name) in self._secret for name in token.path)

    def _is_exempt(self, token: Token) -> bool:
        """Whether a literal must stay as it is: a signature, inline data, an id."""
        return not token.is_name and bool(token.path) and plain_name(token.path[-1]) in self._exempt

    def _any(self, text: str, *, depth: int = 0, cut: bool = False, resumed: bool = False) -> list[Change]:
        """What to replace in a text, which may be JSON or hold none."""
        if seems_json(text) and depth < _DEPTH:
            return self._json(text, tokens(text), depth)
        return self._vault.changes(text, cut=cut, resumed=resumed)

    def _json(self, text: str, found: Iterable[Token], depth: int) -> list[Change]:
        """What to replace in a JSON text, literal by literal, and what is found between literals."""
        changes: list[Change] = []
        taken: list[Token] = []
        for token in found:
            taken.append(token)
            change = self._token(text[token.start : token.end], token, depth)
            if change is not None:
                changes.append(change)
        return [*changes, *self._between(text, taken)]

    def _between(self, text: str, taken: list[Token]) -> Iterator[Change]:
        """Secrets outside of every literal: in comments, in event names, in text that only began like JSON."""
        blank, at = [], 0
        for token in taken:
            if token.is_string:
                blank += [text[at : token.start], " " * (token.end - token.start)]
                at = token.end
        yield from self._vault.changes("".join((*blank, text[at:])))

    def _token(self, literal: str, token: Token, depth: int) -> Change | None:
        if self._is_exempt(token):
            return None
        if not token.is_string:
            secret = self._is_secret(token) and len(token.text) > 3
            return Change(token.start, token.end, "0", "secret field") if secret else None
        value, kind = self._value(token, depth)
        if value == token.text:
            return None
        return Change(token.start, token.end, encoded(value, literal, closed=token.closed), kind)

    def _value(self, token: Token, depth: int) -> tuple[str, str]:
        """A literal's value with its secrets replaced, and why it had to be."""
        if not token.is_name and self._is_secret(token):
            return self.hidden(token.text), "secret field"
        changes = without_overlap(self._any(token.text, depth=depth + 1, cut=not token.closed))
        return changed(token.text, changes), changes[0].kind if changes else ""

    def hidden(self, value: str) -> str:
        """The whole value replaced, but for the name of an authorisation scheme."""
        scheme = _SCHEME.match(value)
        start = scheme.end() if scheme else 0
        secret = value[start:]
        if not secret or is_placeholder(secret):
            return value
        return value[:start] + self._vault.placeholder(secret)

    def _stream(self, body: bytes, cut: bool, resumed: bool) -> Iterator[Found]:
        decoder = Decoder()
        texts: dict[str, list[_Fragment]] = {}
        at = 0
        for frame in decoder.feed(body):
            if frame.start > at:
                yield from self._plain(at, body[at : frame.start])
            at = frame.end
            yield from self._event(frame.start, _text(body[frame.start : at]), frame.data, texts)
        rest = decoder.end()
        if rest is not None:
            at = rest.end
            yield from self._event(rest.start, _text(rest.raw), None, texts)
        yield from self._plain(at, body[at:])
        for fragments in texts.values():
            yield from self._joined(fragments, cut, resumed)

    def _plain(self, base: int, data: bytes) -> Iterator[Found]:
        text = _text(data)
        yield from _placed(base, text, self._vault.changes(text))

    def _event(
        self, base: int, frame: str, data: bytes | None, texts: dict[str, list[_Fragment]]
    ) -> Iterator[Found]:
        """One event: its fragment is put by for later, every other literal and line is dealt with.

        `data` is None for the event in which the stream ends.
        """
        payload = _payload(frame) if data is None else _text(data)
        carried = self._carried(payload)
        if carried is not None and carried[1]:
            texts.setdefault(carried[0], []).append(_Fragment(base, frame, *carried))
        if data is not None and not self._is_suspicious(frame):
            return
        payload = _payload(frame)
        literals = list(tokens(payload)) if seems_json(payload) else []
        if not literals:
            yield from _placed(base, frame, self._vault.changes(frame, cut=data is None))
            return
        own = self._literal(payload, literals, carried)
        found = (self._token(payload[t.start : t.end], t, 0) for t in literals if t is not own)
        yield from _placed(base, frame, (change for change in found if change is not None))
        yield from _placed(base, frame, self._between(frame, literals))

    def _is_suspicious(self, frame: str) -> bool:
        """Whether an event may hold a secret beside its fragment: most do not, and need no closer look."""
        return "\\u" in frame or "\\/" in frame or self._names_secrets(frame) or self._vault.may_change(frame)

    def _literal(self, payload: str, literals: list[Token], carried: tuple[str, str] | None) -> Token | None:
        """The literal that holds an event's fragment; None where it cannot be told or there is none."""
        if carried is None or not carried[1]:
            return None
        key, text = carried
        candidates = [t for t in literals if t.is_string and not t.is_name and t.text == text]
        if len(candidates) > 1:
            candidates = [t for t in candidates if self._carries(payload, t, key)]
        return candidates[0] if candidates else None

    def _carries(self, payload: str, token: Token, key: str) -> bool:
        """Whether changing this literal changes the fragment: several may have the same value."""
        probe = token.text + "?"
        literal = encoded(probe, "", closed=token.closed)
        return self._carried(payload[: token.start] + literal + payload[token.end :]) == (key, probe)

    def _carried(self, payload: str) -> tuple[str, str] | None:
        """(join key, fragment) of an event, whose text may have been cut."""
        if not seems_json(payload):
            return None
        try:
            event: Any = json.loads(payload, strict=False)
        except (ValueError, RecursionError):
            try:
                event = json.loads(closed_text(payload), strict=False)
            except (ValueError, RecursionError):
                return None
        return self._protocol.text_of(event) if isinstance(event, dict) else None

    def _joined(self, fragments: list[_Fragment], cut: bool, resumed: bool) -> Iterator[Found]:
        whole = "".join(fragment.text for fragment in fragments)
        changes = without_overlap(self._any(whole, cut=cut, resumed=resumed))
        if seems_json(whole) and (cut or resumed):
            changes = without_overlap([*changes, *self._vault.changes(whole, cut=cut, resumed=resumed)])
        at = 0
        for fragment in fragments if changes else ():
            share = list(_share(changes, at, at + len(fragment.text)))
            at += len(fragment.text)
            if share:
                yield from self._replaced(fragment, share)

    def _replaced(self, fragment: _Fragment, share: list[Change]) -> Iterator[Found]:
        """The literal of a fragment without what is secret in it."""
        payload = _payload(fragment.frame)
        token = self._literal(payload, list(tokens(payload)), (fragment.key, fragment.text))
        if token is None:
            raise CassetteError(
                f"the event at byte {fragment.base} carries part of a secret outside of any "
                "literal: it cannot be redacted, so record something else"
            )
        literal = payload[token.start : token.end]
        new = encoded(changed(token.text, share), literal, closed=token.closed)
        yield from _placed(fragment.base, fragment.frame, [Change(token.start, token.end, new, share[0].kind)])


def _payload(frame: str) -> str:
    """An event with everything but its payload blanked, so that places stay."""
    return _NOT_PAYLOAD.sub(lambda prefix: " " * len(prefix[0]), frame)


def _share(changes: Iterable[Change], start: int, end: int) -> Iterator[Change]:
    """The changes of the fragment from `start` to `end`; the new text goes where a change begins."""
    for change in changes:
        if change.start < end and change.end > start:
            first = change.start >= start
            yield Change(
                max(change.start, start) - start, min(change.end, end) - start, change.text if first else "",
                change.kind,
            )  # fmt: skip


def _placed(base: int, text: str, changes: Iterable[Change]) -> Iterator[Found]:
    """Changes of a text as edits of the bytes that it was decoded from, which begin at `base`."""
    offset: Callable[[int], int] = (
        (lambda at: base + at) if text.isascii() else (lambda at: base + len(_bytes(text[:at])))
    )
    for change in changes:
        yield Found(Edit(offset(change.start), offset(change.end), _bytes(change.text)), change.kind)


def _without_overlap(found: Iterable[Found]) -> list[Found]:
    kept: list[Found] = []
    for item in sorted(found, key=lambda item: (item.edit.start, -item.edit.end)):
        if not kept or item.edit.start >= kept[-1].edit.end:
            kept.append(item)
    return kept


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
