"""Thought signatures that prove themselves: an altered one is recognised without keeping any.

Layer 2. Knows its own format only. Signatures of other origin (recordings, scripts) are let pass.
"""

from __future__ import annotations

import base64
import binascii
from zlib import crc32

# with a seal of four bytes they make 15: base64 without padding, in which every bit counts
_MARK = b"emu"
_BODY = 8


def sign(number: int) -> str:
    """The signature made from a 64-bit number: base64, as every `signature` field."""
    body = number.to_bytes(_BODY, "big")
    return binascii.b2a_base64(_MARK + body + _seal(body), newline=False).decode("ascii")


def altered(signature: str) -> bool:
    """Whether this began as one of ours and was changed on its way back."""
    try:
        data = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return signature.startswith(_PREFIX)
    body, seal = data[len(_MARK) :][:_BODY], data[len(_MARK) :][_BODY:]
    return data.startswith(_MARK) and seal != _seal(body)


def _seal(body: bytes) -> bytes:
    """A checksum: it shall catch accidents, not forgers."""
    return crc32(body, 0x51E5).to_bytes(4, "big")


_PREFIX = base64.b64encode(_MARK).decode("ascii")
