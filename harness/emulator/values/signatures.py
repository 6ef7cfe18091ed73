"""Thought signatures with a checksum: an altered one is recognised although none are stored.

Layer 2. Knows only its own format. Signatures from elsewhere (recordings, scripts) are accepted.
"""

from __future__ import annotations

import base64
import binascii
from zlib import crc32

# mark, body and the four bytes of the seal make 15 bytes: base64 without padding, in which every bit counts
_MARK = b"emu"
_BODY = 8


def sign(number: int) -> str:
    """Make a signature from a 64-bit number, in base64 like every `signature` field."""
    body = number.to_bytes(_BODY, "big")
    return binascii.b2a_base64(_MARK + body + _seal(body), newline=False).decode("ascii")


def altered(signature: str) -> bool:
    """Whether `signature` is one of ours that was changed on its way back."""
    try:
        data = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return signature.startswith(_PREFIX)
    body, seal = data[len(_MARK) :][:_BODY], data[len(_MARK) :][_BODY:]
    return data.startswith(_MARK) and seal != _seal(body)


def _seal(body: bytes) -> bytes:
    """Return a checksum; it is meant to catch accidents, not forgeries."""
    return crc32(body, 0x51E5).to_bytes(4, "big")


_PREFIX = base64.b64encode(_MARK).decode("ascii")
