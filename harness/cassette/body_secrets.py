"""Secrets inside a body, as edits of its bytes. Layer 1."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from array import array
from collections.abc import Iterable, Iterator
from typing import Any

from harness.cassette.framing import ByteEdit, Found, TextEdit, apply, bytes_of, text_of, to_byte_edits, windows_of
from harness.cassette.placeholders import PlaceholderTable, apply_changes, without_overlap
from harness.errors import CassetteError
from harness.wire import Decoder, StreamProtocol
from harness.wire.coding import DECODED_BYTES, Inflater
from harness.wire.secret_texts import SCHEME
from harness.wire.secrets import is_placeholder, looks_random, plain_name
from harness.wire.tokens import Token, closed_text, encode_literal, pair_up, seems_json, tokens

_GZIP = b"\x1f\x8b"
_PACKED = (_GZIP, b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
"""How gzip begins, and zlib at each of its levels."""

_STREAM = re.compile(rb"\s*(?:\xef\xbb\xbf)?(?:event|data|id|retry)?:")


def unpack(body: bytes) -> bytes | None:
    """The content of a body in gzip or zlib that no header announces, as far as it goes; None if it is neither.

    A body that is damaged, or larger than `DECODED_BYTES`, is not looked into.
    """
    if not body.startswith(_PACKED):
        return None
    try:
        plain = Inflater("gzip").feed(body, DECODED_BYTES)
    except ValueError:
        return None
    return plain if 0 < len(plain) <= DECODED_BYTES else None


def begins_a_stream(body: bytes) -> bool:
    """Whether a body begins like an event stream, whatever its Content-Type."""
    return _STREAM.match(body) is not None


class BodySecretFinder:
    """Finds the secrets in the bodies of one API; `table` holds the known secrets and their placeholders.

    `above` is the path under which the members of a body stand, derived from its request (`SecretFields.above`).
    """

    def __init__(self, protocol: StreamProtocol, table: PlaceholderTable) -> None:
        self._texts = TextReader(protocol, table)
        self._deltas = DeltaReader(protocol, table, self._texts)

    def learn(self, body: bytes, *, above: tuple[str, ...] = (), sent: bool = False) -> None:
        """Add the random-looking values of secret fields to the table, because they may appear again elsewhere.

        `sent`: it is the body of a request, so they are the user's own.
        """
        body = unpack(body) or body
        if above or self._texts.any_names_secrets(windows_of(body)):
            self._texts.learn(text_of(body), above, sent=sent)

    def find(
        self,
        body: bytes,
        *,
        stream: bool = False,
        cut: bool = False,
        resumed: bool = False,
        above: tuple[str, ...] = (),
    ) -> list[Found]:
        """Return everything to replace in a body, in order and without overlap.

        `cut` means that the body ends where a connection broke, `resumed` that it begins where one resumed.
        """
        if not body:
            return []
        plain = unpack(body)
        if plain is not None:
            found = self.find(plain, stream=stream, cut=cut, resumed=resumed, above=above)
            return self._pack_again(body, found, plain)
        if stream or begins_a_stream(body):
            return _without_overlap(self._deltas.find(body, cut=cut, resumed=resumed))
        if body.isascii():  # byte offsets equal text offsets, so the text can be freed after the search
            return _without_overlap(
                to_byte_edits(0, "", self._texts.changes(body.decode("ascii"), cut=cut, above=above))
            )
        text = text_of(body)
        return _without_overlap(to_byte_edits(0, text, self._texts.changes(text, cut=cut, above=above)))

    @staticmethod
    def _pack_again(body: bytes, found: list[Found], plain: bytes) -> list[Found]:
        """The edit of a compressed body whose content is to be edited: it is compressed again."""
        if not found:
            return []
        edited = apply(plain, [item.edit for item in found])
        packed = gzip.compress(edited, mtime=0) if body.startswith(_GZIP) else zlib.compress(edited)
        return [Found(ByteEdit(0, len(body), packed), found[0].kind)]

    def hide_value(self, value: str) -> str:
        """Replace the whole value of a header, except for the name of an authorisation scheme."""
        return self._texts.hide_value(value)


def _without_overlap(found: Iterable[Found]) -> list[Found]:
    kept: list[Found] = []
    for item in sorted(found, key=lambda item: (item.edit.start, -item.edit.end)):
        if not kept or item.edit.start >= kept[-1].edit.end:
            kept.append(item)
    return kept


# Find secrets in a text: in JSON literals at any depth, and between them. Searches decoded values but returns
# places in the text, so that nothing but the secret changes. Knows nothing of bytes, streams or requests.


_DEPTH = 4
"""How many levels of JSON are read: that of the text itself, and of strings in it up to three deep."""

_BLANK = " " * 65_536
_FEW = 4096
"""How many parts to hold before joining them: a short string takes many times the memory of its characters."""

_SHORT = 1024
"""Length up to which a text is not searched as a whole before its literals are."""

_FOLDED = re.compile(r"[,;] ")
"""The separator between the values of a repeated header, as a cassette joins them."""


class TextReader:
    """Finds the secrets in the texts of one API; `table` holds the known secrets and their placeholders.

    `above` is the path of names under which the members of a text stand (`SecretFields`).
    """

    def __init__(self, protocol: StreamProtocol, table: PlaceholderTable) -> None:
        self._table = table
        self._secret = protocol.secret_fields
        stems = self._secret.stems
        self._stems = [stem for stem in stems if not any(other in stem for other in stems - {stem})]
        self._longest = max(map(len, stems), default=1)
        self._exempt = frozenset(map(plain_name, protocol.opaque_fields | protocol.id_fields))

    def learn(self, text: str, above: tuple[str, ...] = (), depth: int = 0, *, sent: bool = False) -> None:
        """Add the random-looking values of secret fields to the table, because they may appear again elsewhere.

        Only useful for a text that names secrets, or that stands below such a name. Looks as deep into JSON inside
        JSON as `changes`.
        """
        for token in self.literals(text, above):
            if not token.is_string or token.is_name:
                continue
            if self._secret.covers(token.path):
                self._learn_value(token, own=sent)
            elif depth + 1 < _DEPTH and self._may_nest(token) and self.names_secrets(token.text):
                self.learn(token.text, depth=depth + 1, sent=sent)

    def _may_nest(self, token: Token) -> bool:
        return seems_json(token.text) and not self._is_exempt(token)

    def _learn_value(self, token: Token, *, own: bool = False) -> None:
        value = _without_scheme(token.text)
        if token.closed and looks_random(value):
            self._table.learn(value, own=own)

    def changes(
        self,
        text: str,
        *,
        above: tuple[str, ...] = (),
        depth: int = 0,
        cut: bool = False,
        resumed: bool = False,
    ) -> list[TextEdit]:
        """Return what to replace in a text, which may or may not be JSON."""
        if not seems_json(text) or depth >= _DEPTH:
            return self._table.changes(text, cut=cut, resumed=resumed)
        found: list[TextEdit] = []
        outside = _Outside()
        clean = _Clean(text, self._table) if len(text) > _SHORT else None
        for token in self.literals(text, above):
            outside.take(text, token)
            if clean is not None and clean.holds(token) and not self._secret.covers(token.path):
                continue
            change = self.in_literal(text, token, depth)
            if change is not None:
                found.append(change)
        outside.end(text)
        del text, clean  # free a long text early
        return [*found, *self._table.changes(outside.text())]

    def literals(self, text: str, above: tuple[str, ...] = ()) -> Iterator[Token]:
        """The literals of a JSON text; `{"name": …, "value": …}` objects are read as members."""
        return pair_up(tokens(text, above), self._secret.covers)

    def names_secrets(self, text: str) -> bool:
        """Whether a text may have a member that holds a secret; cheap, with no false negatives."""
        return self.any_names_secrets((text,))

    def any_names_secrets(self, parts: Iterable[str]) -> bool:
        """The same for a text given in parts, without keeping them."""
        low = ""
        for part in parts:
            low = low[-self._longest :] + plain_name(part)
            for stem in self._stems:  # hot: a generator would take longer than the search
                if stem in low:
                    return True
        return False

    def between(self, text: str, taken: Iterable[Token]) -> list[TextEdit]:
        """Secrets outside all literals: in comments, in event names, in text that only began like JSON."""
        outside = _Outside()
        for token in taken:
            outside.take(text, token)
        outside.end(text)
        return self._table.changes(outside.text())

    def in_literal(self, text: str, token: Token, depth: int = 0) -> TextEdit | None:
        """The change to a literal of a text, None if it stays."""
        if self._is_exempt(token):
            changes = self._table.own_changes(token.text) if token.is_string else []
            value = apply_changes(token.text, changes)
            return None if not changes else self._edit(text, token, value, changes[0].kind)
        if not token.is_string:
            secret = len(token.text) > 3 and self._secret.covers(token.path)
            return TextEdit(token.start, token.end, "0", "secret field") if secret else None
        value, kind = self._redact_value(token, depth)
        return None if value == token.text else self._edit(text, token, value, kind)

    @staticmethod
    def _edit(text: str, token: Token, value: str, kind: str) -> TextEdit:
        new = encode_literal(value, text[token.start : token.end], closed=token.closed)
        return TextEdit(token.start, token.end, new, kind)

    def hide_value(self, value: str) -> str:
        """Replace the whole value, except for the name of an authorisation scheme."""
        if all(is_placeholder(part) or not part for part in map(_without_scheme, _FOLDED.split(value))):
            return value
        secret = _without_scheme(value)
        return value[: len(value) - len(secret)] + self._table.placeholder(secret)

    def _redact_value(self, token: Token, depth: int) -> tuple[str, str]:
        """A literal's value with its secrets replaced, and the kind of the first secret."""
        if not token.is_name and self._secret.covers(token.path):
            self._learn_value(token)  # `learn` cannot: it may be in a text that is split over events
            return self.hide_value(token.text), "secret field"
        changes = without_overlap(self.changes(token.text, depth=depth + 1, cut=not token.closed))
        return apply_changes(token.text, changes), changes[0].kind if changes else ""

    def _is_exempt(self, token: Token) -> bool:
        """Whether a literal must stay as it is but for the owner's keys: a signature, inline data, an id."""
        return not token.is_name and bool(token.path) and plain_name(token.path[-1]) in self._exempt


def _without_scheme(value: str) -> str:
    scheme = SCHEME.match(value)
    return value[scheme.end() :] if scheme else value


class _Clean:
    """Which strings of a JSON text hold nothing to replace: one search of the whole is faster than one of each."""

    def __init__(self, text: str, table: PlaceholderTable) -> None:
        self._text = text
        self._table = table
        self._learned = table.learned
        self._places = table.find_places(text)
        self._next = 0

    def holds(self, token: Token) -> bool:
        """Whether a string is sure to be clean as it is written; asked of each in order.

        Nothing is sure any more once a secret was learned that may stand in the rest of the text.
        """
        while self._next < len(self._places) and self._places[self._next][1] <= token.start:
            self._next += 1
        if not (token.is_string and token.closed) or self._table.learned != self._learned:
            return False
        found = self._next < len(self._places) and self._places[self._next][0] < token.end
        return not found and self._text.find("\\", token.start, token.end) < 0


class _Outside:
    """A text with its strings blanked, assembled while they are found, because a body may have millions."""

    def __init__(self) -> None:
        self._at = 0
        self._parts: list[str] = []
        self._latest: list[str] = []

    def take(self, text: str, token: Token) -> None:
        """Blank a literal if it is a string."""
        if not token.is_string:
            return
        blanks, rest = divmod(token.end - token.start, len(_BLANK))
        self._latest += [text[self._at : token.start], " " * rest]
        self._at = token.end
        if blanks or len(self._latest) > _FEW:
            self._parts += ["".join(self._latest), *[_BLANK] * blanks]
            self._latest.clear()

    def end(self, text: str) -> None:
        """Add what follows the last string."""
        self._latest.append(text[self._at :])

    def text(self) -> str:
        """The text with its strings blanked; it has the same length."""
        return "".join((*self._parts, *self._latest))


# Find secrets in an event stream, including those whose text is split over several events. The fragments of a
# split text are joined and searched as one text. A secret is replaced in the first fragment that it touches and
# removed from the others.


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
