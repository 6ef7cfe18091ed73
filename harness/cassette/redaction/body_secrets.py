"""Secrets inside a body, as edits of its bytes. Layer 1."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable

from harness.cassette.format.byte_edits import Found, text_of, to_byte_edits, windows_of
from harness.cassette.format.framing import ByteEdit, apply
from harness.cassette.redaction.placeholders import PlaceholderTable
from harness.cassette.redaction.stream_secrets import DeltaReader
from harness.cassette.redaction.text_secrets import TextReader
from harness.wire import StreamProtocol
from harness.wire.coding import DECODED_BYTES, Inflater

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
    """Whether a body begins like an event stream, whatever its Content-Type says."""
    return _STREAM.match(body) is not None


class BodySecretFinder:
    """Finds the secrets in the bodies of one API; `table` holds the known secrets and their placeholders.

    `above` is the path under which the members of a body stand, derived from its request (`SecretFields.above`).
    """

    def __init__(self, protocol: StreamProtocol, table: PlaceholderTable) -> None:
        self._texts = TextReader(protocol, table)
        self._deltas = DeltaReader(protocol, table, self._texts)

    def learn(self, body: bytes, *, above: tuple[str, ...] = ()) -> None:
        """Add the random-looking values of secret fields to the table, because they may appear again elsewhere."""
        body = unpack(body) or body
        if above or self._texts.any_names_secrets(windows_of(body)):
            self._texts.learn(text_of(body), above)

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
        """The edit of a compressed body whose content is to be edited: it is compressed anew."""
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
