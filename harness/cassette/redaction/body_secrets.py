"""Secrets inside a body, as edits of its bytes. Layer 1."""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.cassette.format.byte_edits import Found, text_of, to_byte_edits, windows_of
from harness.cassette.redaction.placeholders import PlaceholderTable
from harness.cassette.redaction.stream_secrets import DeltaReader
from harness.cassette.redaction.text_secrets import TextReader
from harness.wire import StreamProtocol

_STREAM = re.compile(rb"\s*(?:\xef\xbb\xbf)?(?:event|data|id|retry)?:")


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
        if stream or begins_a_stream(body):
            return _without_overlap(self._deltas.find(body, cut=cut, resumed=resumed))
        if body.isascii():  # byte offsets equal text offsets, so the text can be freed after the search
            return _without_overlap(
                to_byte_edits(0, "", self._texts.changes(body.decode("ascii"), cut=cut, above=above))
            )
        text = text_of(body)
        return _without_overlap(to_byte_edits(0, text, self._texts.changes(text, cut=cut, above=above)))

    def hide_value(self, value: str) -> str:
        """Replace the whole value of a header, except for the name of an authorisation scheme."""
        return self._texts.hide_value(value)


def _without_overlap(found: Iterable[Found]) -> list[Found]:
    kept: list[Found] = []
    for item in sorted(found, key=lambda item: (item.edit.start, -item.edit.end)):
        if not kept or item.edit.start >= kept[-1].edit.end:
            kept.append(item)
    return kept
