"""Thought signatures with a checksum: an altered one is recognised although none are stored.

Layer 2. Knows only its own format, which has the frame and a frequent length of recorded ones (364 characters of
base64; recordings have 0 to 3104). Signatures from elsewhere (recordings, scripts) are accepted.
"""

from __future__ import annotations

import base64
import binascii
from hashlib import shake_128
from zlib import crc32

# frame, mark, body, filling and the four bytes of the seal make 273 bytes: base64 without padding, in which every
# bit counts
_FRAME = b"\x12\x8e\x02\x0a\x8b\x02"
_MARK = _FRAME + b"emu"
_BODY = 8
_SEED = 0x51E5
"""Of the checksum that seals a signature; it is meant to catch accidents, not forgeries."""
_FILLING = 273 - len(_MARK) - _BODY - 4


def sign(number: int) -> str:
    """Make a signature from a 64-bit number, in base64 like every `signature` field."""
    body = number.to_bytes(_BODY, "big")
    filled = body + shake_128(body).digest(_FILLING)
    seal = crc32(filled, _SEED).to_bytes(4, "big")
    return binascii.b2a_base64(_MARK + filled + seal, newline=False).decode("ascii")


def altered(signature: str) -> bool:
    """Whether `signature` is one of ours that was changed on its way back."""
    try:
        data = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return signature.startswith(_PREFIX)
    filled, seal = data[len(_MARK) : -4], data[-4:]
    sealed = len(filled) == _BODY + _FILLING and seal == crc32(filled, _SEED).to_bytes(4, "big")
    return data.startswith(_MARK) != sealed


_PREFIX = base64.b64encode(_MARK).decode("ascii")
