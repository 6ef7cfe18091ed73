"""Tiny valid pictures, sounds and clips, as the base64 that content carries.

Layer 2. Knows file formats just enough; must not know content types of the API. Everything is built here.
"""

from __future__ import annotations

import base64
import struct
import zlib
from functools import cache


@cache
def picture() -> str:
    """A PNG of one grey pixel."""
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0\x80")), (b"IEND", b""))
    return _text(b"\x89PNG\r\n\x1a\n" + b"".join(_png_part(name, data) for name, data in parts))


@cache
def sound() -> str:
    """A WAV of eight silent 16-bit samples at 8 kHz."""
    samples = bytes(16)
    form = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(samples)) + samples
    return _text(b"RIFF" + struct.pack("<I", len(body)) + body)


@cache
def clip() -> str:
    """An MP4 that holds its file type and an empty media box."""
    brand = b"isom" + struct.pack(">I", 512) + b"isomiso2"
    return _text(_mp4_box(b"ftyp", brand) + _mp4_box(b"mdat", b""))


def _png_part(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _mp4_box(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data) + 8) + name + data


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
