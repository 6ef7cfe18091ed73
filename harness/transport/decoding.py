"""Content codings undone while bytes arrive, with a bound that no compression bomb can pass.

Layer 3, sans-IO. Knows gzip and deflate (RFC 9110, 8.4.1); any other coding is handed on as it is.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

from harness.transport.limits import Limits
from harness.wire import By, Headers, How

_GZIP_OR_ZLIB = 47
_RAW = -15
_FREE_BYTES = 1024 * 1024
_CODINGS = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}


class Breach(NamedTuple):
    """Why decoding stopped: our bound, or a coding that is broken."""

    by: By
    how: How
    detail: str


class ContentDecoder:
    """Decodes one body; once `breach` is set it gives nothing more."""

    def __init__(self, coding: str, limits: Limits) -> None:
        self._coding = coding
        self._limits = limits
        self._start = b""
        self._inflate = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._came = 0
        self._went = 0
        self.breach: Breach | None = None

    def feed(self, data: bytes) -> bytes:
        """What these bytes decode to, as far as the bounds allow."""
        self._came += len(data)
        if len(self._start) < 2:
            data = self._start = self._start + data
            if len(data) < 2:
                return b""
            self._inflate = zlib.decompressobj(_window(self._coding, data))
        out: list[bytes] = []
        while data and self.breach is None:
            try:
                data = self._step(data, out)
            except zlib.error as error:
                detail = f"content-encoding {self._coding} is broken: {error}"
                self.breach = Breach(By.SERVER, How.BAD_HTTP, detail)
        return b"".join(out)

    def _step(self, data: bytes, out: list[bytes]) -> bytes:
        """Decode once; what of `data` is still to be decoded."""
        limits = self._limits
        most = min(limits.decoded_bytes, max(_FREE_BYTES, limits.decoded_ratio * self._came))
        part = self._inflate.decompress(data, max(most - self._went, 0) + 1)
        self._went += len(part)
        if self._went > most:
            name = "decoded_bytes" if most == limits.decoded_bytes else "decoded_ratio"
            detail = f"{self._came} bytes of {self._coding} hold more than {most} (Limits.{name})"
            self.breach = Breach(By.LIMIT, How.FIN, detail)
            return b""
        out.append(part)
        if self._inflate.eof and self._inflate.unused_data:
            rest = self._inflate.unused_data
            self._inflate = zlib.decompressobj(_GZIP_OR_ZLIB)  # gzip members may follow each other
            return rest
        return self._inflate.unconsumed_tail

    def finish(self) -> Breach | None:
        """What is wrong with a body that ends here."""
        if self.breach is None and self._came and not self._inflate.eof:
            detail = f"content-encoding {self._coding} is cut: its end never came"
            self.breach = Breach(By.SERVER, How.BAD_HTTP, detail)
        return self.breach


def _window(coding: str, data: bytes) -> int:
    """The `wbits` for a body that begins with `data`: many servers mean raw deflate where they say deflate."""
    zlib_header = data[0] & 0x0F == zlib.DEFLATED and int.from_bytes(data[:2], "big") % 31 == 0
    return _RAW if coding == "deflate" and not zlib_header else _GZIP_OR_ZLIB


def decoder_for(headers: Headers, limits: Limits) -> ContentDecoder | None:
    """The decoder that a response with these fields needs, None when its bytes are taken as they are."""
    coding = _CODINGS.get(headers.get("content-encoding").strip().lower())
    return ContentDecoder(coding, limits) if coding else None
