"""Find secrets in an event stream, including those whose text is split over several events. Layer 1.

The fragments of a split text are joined and searched as one text. A secret is replaced in the first fragment that
it touches and removed from the others.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Iterable, Iterator
from typing import Any

from harness.cassette.format.byte_edits import Found, TextEdit, bytes_of, text_of, to_byte_edits
from harness.cassette.redaction.placeholders import PlaceholderTable, apply_changes, without_overlap
from harness.cassette.redaction.text_secrets import TextReader
from harness.errors import CassetteError
from harness.wire import Decoder, StreamProtocol
from harness.wire.tokens import Token, closed_text, encode_literal, seems_json, tokens

_FEW = 4096
"""How many fragments to hold before joining them: a short string takes many times the memory of its characters."""

_NOT_PAYLOAD = re.compile(r"(?:^|(?<=[\r\n]))(?:data: ?|(?!data)[^\r\n]+)")
"""Matches what is not payload in an event: the prefix of each data line, and every other line."""


class _Spread:
    """A text split over events, and the offsets of those events. Compact, because a body may have millions."""

    def __init__(self, key: str) -> None:
        self.key = key
        self._starts, self._ends, self._sizes = array("Q"), array("Q"), array("Q")
        self._parts: list[str] = []
        self._latest: list[str] = []

    def add(self, start: int, end: int, text: str) -> None:
        """Add one event's fragment of the text; `start` and `end` are the offsets of the event in the body."""
        self._starts.append(start)
        self._ends.append(end)
        self._sizes.append(len(text))
        self._latest.append(text)
        if len(self._latest) >= _FEW:
            self._parts.append("".join(self._latest))
            self._latest.clear()

    def whole(self) -> str:
        """Return the joined text and release the fragments."""
        parts, self._parts, self._latest = [*self._parts, *self._latest], [], []
        return "".join(parts)

    def split_changes(self, whole: str, changes: list[TextEdit]) -> Iterator[tuple[int, int, str, list[TextEdit]]]:
        """For each event whose fragment changes, yield start, end, the fragment, and the changes in it."""
        at = 0
        for start, end, size in zip(self._starts, self._ends, self._sizes, strict=True) if changes else ():
            share = list(_share(changes, at, at + size))
            if share:
                yield start, end, whole[at : at + size], share
            at += size


class DeltaReader:
    """Finds the secrets in the streams of one API; `table` holds the known secrets and their placeholders."""

    def __init__(self, protocol: StreamProtocol, table: PlaceholderTable, texts: TextReader) -> None:
        self._protocol = protocol
        self._table = table
        self._texts = texts

    def find(self, body: bytes, *, cut: bool, resumed: bool) -> Iterator[Found]:
        """Yield everything to replace in a stream; places may overlap."""
        decoder = Decoder()
        texts: dict[str, _Spread] = {}
        at = 0
        for frame in decoder.each(body):
            if frame.start > at:
                yield from self._find_plain(at, body[at : frame.start])
            at = frame.end
            yield from self._add_event(frame.start, text_of(body[frame.start : at]), frame.data, texts)
        rest = decoder.end()
        if rest is not None:
            at = rest.end
            yield from self._add_event(rest.start, text_of(rest.raw), None, texts)
        yield from self._find_plain(at, body[at:])
        for spread in texts.values():
            yield from self._search_joined(body, spread, cut, resumed)

    def _find_plain(self, base: int, data: bytes) -> Iterator[Found]:
        text = text_of(data)
        yield from to_byte_edits(base, text, self._table.changes(text))

    def _add_event(self, base: int, frame: str, data: bytes | None, texts: dict[str, _Spread]) -> Iterator[Found]:
        """Add an event's fragment to `texts` for later, and yield what to replace in its other literals and lines.

        `data` is None for the incomplete event at the end of the stream.
        """
        payload = _blank_out(frame) if data is None else text_of(data)
        carried = self._read_fragment(payload)
        if carried is not None and carried[1]:
            end = base + (len(frame) if frame.isascii() else len(bytes_of(frame)))
            key, fragment = carried
            (texts.get(key) or texts.setdefault(key, _Spread(key))).add(base, end, fragment)
        if data is not None and not self._is_suspicious(frame):
            return
        payload = _blank_out(frame)
        literals = list(self._texts.literals(payload)) if seems_json(payload) else []
        if not literals:
            yield from to_byte_edits(base, frame, self._table.changes(frame, cut=data is None))
            return
        own = self._find_literal(payload, literals, carried)
        found = (self._texts.in_literal(payload, t) for t in literals if t is not own)
        yield from to_byte_edits(base, frame, (change for change in found if change is not None))
        yield from to_byte_edits(base, frame, self._texts.between(frame, literals))

    def _is_suspicious(self, frame: str) -> bool:
        """Whether an event may hold a secret outside its fragment. A cheap test: most events do not."""
        return (
            "\\u" in frame or "\\/" in frame or self._texts.names_secrets(frame) or self._table.may_change(frame)
        )

    def _find_literal(self, payload: str, literals: list[Token], carried: tuple[str, str] | None) -> Token | None:
        """The literal that holds an event's fragment; None if it cannot be determined or there is none."""
        if carried is None or not carried[1]:
            return None
        key, text = carried
        candidates = [t for t in literals if t.is_string and not t.is_name and t.text == text]
        if len(candidates) > 1:
            candidates = [t for t in candidates if self._carries(payload, t, key)]
        return candidates[0] if candidates else None

    def _carries(self, payload: str, token: Token, key: str) -> bool:
        """Whether changing this literal changes the fragment; several literals may have the same value."""
        probe = token.text + "?"
        literal = encode_literal(probe, "", closed=token.closed)
        return self._read_fragment(payload[: token.start] + literal + payload[token.end :]) == (key, probe)

    def _read_fragment(self, payload: str) -> tuple[str, str] | None:
        """(join key, fragment) of an event, whose JSON may be truncated; None if it carries no text."""
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

    def _search_joined(self, body: bytes, spread: _Spread, cut: bool, resumed: bool) -> Iterator[Found]:
        whole = spread.whole()
        changes = without_overlap(self._texts.changes(whole, cut=cut, resumed=resumed))
        if seems_json(whole) and (cut or resumed):
            changes = without_overlap([*changes, *self._table.changes(whole, cut=cut, resumed=resumed)])
        for start, end, fragment, share in spread.split_changes(whole, changes):
            yield from self._replace_fragment(start, text_of(body[start:end]), (spread.key, fragment), share)

    def _replace_fragment(
        self, base: int, frame: str, carried: tuple[str, str], share: list[TextEdit]
    ) -> Iterator[Found]:
        """Yield the replacement of a fragment's literal, with its secrets removed."""
        payload = _blank_out(frame)
        token = self._find_literal(payload, list(tokens(payload)), carried)
        if token is None:
            raise CassetteError(
                f"the event at byte {base} carries part of a secret outside of any "
                "literal: it cannot be redacted, so record something else"
            )
        literal = payload[token.start : token.end]
        new = encode_literal(apply_changes(token.text, share), literal, closed=token.closed)
        yield from to_byte_edits(base, frame, [TextEdit(token.start, token.end, new, share[0].kind)])


def _blank_out(frame: str) -> str:
    """An event with everything but its payload replaced by spaces, so that offsets stay the same."""
    return _NOT_PAYLOAD.sub(lambda prefix: " " * len(prefix[0]), frame)


def _share(changes: Iterable[TextEdit], start: int, end: int) -> Iterator[TextEdit]:
    """The changes within the fragment from `start` to `end`; a change inserts its text only where it begins."""
    for change in changes:
        if change.start < end and change.end > start:
            first = change.start >= start
            yield TextEdit(
                max(change.start, start) - start, min(change.end, end) - start, change.text if first else "",
                change.kind,
            )  # fmt: skip
