"""Recognises what ended a stream if that is bare JSON outside its framing. Layer 1, pure.

The live service reports some failures so: after the last event comes an error body, in a list over several lines
or in one line, without `data:`. Decoders of event streams drop such lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.contract.data.json_parse import loads
from harness.contract.judge.failures.errors import error_of
from harness.contract.tables.error_codes import STATUS_OF
from harness.outcome import Finding
from harness.wire.frame import StrayBlock

RULE = "stream.bare-error"
_STATUS = re.compile("[1-5][0-9]{2}")


@dataclass(frozen=True, slots=True)
class UnframedError:
    """The code and the message of an error body among the bytes of a stream, and where it is."""

    code: str
    message: str
    start: int
    end: int

    @property
    def status(self) -> int:
        """The HTTP status that this error has elsewhere; 400 for a word that no table lists, or for no status."""
        return int(self.code) if _STATUS.fullmatch(self.code) else STATUS_OF.get(self.code, 400)

    def judge(self) -> Iterator[Finding]:
        """The finding that it came outside the framing."""
        actual = f"{self.code}: {self.message}" if self.message else self.code
        yield Finding(RULE, "bare JSON outside the framing ends the stream", "an error event", actual)


def read_bare_error(stray: StrayBlock | None) -> UnframedError | None:
    """The error body that a stray block is; None if it is none."""
    told = error_of(loads(stray.raw.strip()).value) if stray is not None else None
    if stray is None or told is None:
        return None
    return UnframedError(*told, stray.start, stray.end)
