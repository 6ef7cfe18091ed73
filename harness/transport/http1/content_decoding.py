"""Decodes content codings as bytes arrive, with bounds that no compression bomb can exceed.

Layer 3, sans-IO. Knows the bounds; `harness.wire.coding` knows gzip and deflate. Other codings are left alone.
"""

from __future__ import annotations

from typing import NamedTuple

from harness.transport.http1.limits import Limits
from harness.wire import By, Headers, How
from harness.wire.coding import CODINGS, Inflater, coding_of

_FREE_BYTES = 1024 * 1024


class Breach(NamedTuple):
    """Why decoding stopped: one of our bounds, or broken data."""

    by: By
    how: How
    detail: str


class ContentDecoder:
    """Decodes one body; once `breach` is set it returns no more bytes."""

    def __init__(self, coding: str, limits: Limits) -> None:
        self._coding = coding
        self._limits = limits
        self._inflater = Inflater(coding)
        self._came = 0
        self._went = 0
        self.breach: Breach | None = None

    def feed(self, data: bytes) -> bytes:
        """Decode these bytes, as far as the bounds allow."""
        if self.breach is not None:
            return b""
        self._came += len(data)
        limits = self._limits
        most = min(limits.decoded_bytes, max(_FREE_BYTES, limits.decoded_ratio * self._came))
        try:
            part = self._inflater.feed(data, max(most - self._went, 0))
        except ValueError as error:
            self.breach = Breach(By.SERVER, How.BAD_HTTP, f"content-encoding {self._coding} is broken: {error}")
            return b""
        self._went += len(part)
        if self._went > most:
            name = "decoded_bytes" if most == limits.decoded_bytes else "decoded_ratio"
            detail = f"{self._came} bytes of {self._coding} hold more than {most} (Limits.{name})"
            self.breach = Breach(By.LIMIT, How.FIN, detail)
            return b""
        return part

    def finish(self) -> Breach | None:
        """What is wrong with a body that ends here; None if nothing is."""
        if self.breach is None and self._came and not self._inflater.whole:
            detail = f"content-encoding {self._coding} is cut: its end never came"
            self.breach = Breach(By.SERVER, How.BAD_HTTP, detail)
        return self.breach


def decoder_for(headers: Headers, limits: Limits) -> ContentDecoder | None:
    """The decoder that a response with these fields needs; None if its bytes are used as they are."""
    coding = coding_of(headers)
    return ContentDecoder(coding.removeprefix("x-"), limits) if coding in CODINGS else None
