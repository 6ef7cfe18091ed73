"""Secrets in a stream of events, also those whose text is spread over several of them. Layer 1.

Text whose fragments are spread over events is looked at as the one text it is; what is found is replaced in the
first fragment it touches and taken out of the others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from harness.cassette.fault import CassetteError
from harness.cassette.places import Found, placed, text_of
from harness.cassette.texts import TextReader
from harness.cassette.vault import Change, Vault, changed, without_overlap
from harness.wire import Decoder, StreamProtocol
from harness.wire.tokens import Token, closed_text, encoded, seems_json, tokens

_NOT_PAYLOAD = re.compile(r"(?:^|(?<=[\r\n]))(?:data: ?|(?!data)[^\r\n]+)")
"""In an event: what is not payload, the prefix of each data line and every other line."""


@dataclass(frozen=True, slots=True)
class _Fragment:
    """One event's share of a text, and the event as text with where it begins in the body."""

    base: int
    frame: str
    key: str
    text: str


class DeltaReader:
    """Finds what must not be written in the streams of one API; `vault` knows and names the secrets."""

    def __init__(self, protocol: StreamProtocol, vault: Vault, texts: TextReader) -> None:
        self._protocol = protocol
        self._vault = vault
        self._texts = texts

    def find(self, body: bytes, *, cut: bool, resumed: bool) -> Iterator[Found]:
        """Everything to replace in a stream; places may overlap."""
        decoder = Decoder()
        texts: dict[str, list[_Fragment]] = {}
        at = 0
        for frame in decoder.feed(body):
            if frame.start > at:
                yield from self._plain(at, body[at : frame.start])
            at = frame.end
            yield from self._event(frame.start, text_of(body[frame.start : at]), frame.data, texts)
        rest = decoder.end()
        if rest is not None:
            at = rest.end
            yield from self._event(rest.start, text_of(rest.raw), None, texts)
        yield from self._plain(at, body[at:])
        for fragments in texts.values():
            yield from self._joined(fragments, cut, resumed)

    def _plain(self, base: int, data: bytes) -> Iterator[Found]:
        text = text_of(data)
        yield from placed(base, text, self._vault.changes(text))

    def _event(
        self, base: int, frame: str, data: bytes | None, texts: dict[str, list[_Fragment]]
    ) -> Iterator[Found]:
        """One event: its fragment is put by for later, every other literal and line is dealt with.

        `data` is None for the event in which the stream ends.
        """
        payload = _payload(frame) if data is None else text_of(data)
        carried = self._carried(payload)
        if carried is not None and carried[1]:
            texts.setdefault(carried[0], []).append(_Fragment(base, frame, *carried))
        if data is not None and not self._is_suspicious(frame):
            return
        payload = _payload(frame)
        literals = list(self._texts.literals(payload)) if seems_json(payload) else []
        if not literals:
            yield from placed(base, frame, self._vault.changes(frame, cut=data is None))
            return
        own = self._literal(payload, literals, carried)
        found = (self._texts.in_literal(payload[t.start : t.end], t) for t in literals if t is not own)
        yield from placed(base, frame, (change for change in found if change is not None))
        yield from placed(base, frame, self._texts.between(frame, literals))

    def _is_suspicious(self, frame: str) -> bool:
        """Whether an event may hold a secret beside its fragment: most do not, and need no closer look."""
        return (
            "\\u" in frame or "\\/" in frame or self._texts.names_secrets(frame) or self._vault.may_change(frame)
        )

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
        changes = without_overlap(self._texts.changes(whole, cut=cut, resumed=resumed))
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
        yield from placed(fragment.base, fragment.frame, [Change(token.start, token.end, new, share[0].kind)])


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
