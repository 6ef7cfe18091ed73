"""Media in contents: validation of those that are sent, and tiny valid images, sounds and videos to answer with.

Layer 2. Knows base64, and just enough of some file formats. All media in answers are built here.
"""

from __future__ import annotations

import base64
import re
import struct
import zlib
from collections.abc import Mapping
from functools import cache
from typing import Any

# both alphabets, padding optional: what proto3 JSON accepts as bytes
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")


def fault(content: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a content that holds media, or None; `{place}` in it stands for where that is.

    Source: the schema's byte format of `data`; that one of data and uri is required is inferred.
    """
    data = content.get("data")
    if data is None and not content.get("uri") and not content.get("name"):
        return (
            f"Invalid content in 'input': the {content['type']} has neither 'data' nor 'uri': "
            "send its bytes as base64, or where they are."
        )
    if data is not None and not is_base64(data):
        return (
            "The value is invalid for '{place}.data'. Expected string, corrupt base64 "
            f"('data' of the {content['type']} is no base64: encode its bytes, without a data: prefix.)"
        )
    return None


def is_base64(text: str) -> bool:
    """Whether `text` decodes to bytes; a last group of a single character cannot hold a byte."""
    return _BASE64.fullmatch(text) is not None and len(text.rstrip("=")) % 4 != 1


@cache
def picture() -> str:
    """Return a PNG of one grey pixel."""
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0\x80")), (b"IEND", b""))
    return _read_text(b"\x89PNG\r\n\x1a\n" + b"".join(_build_png_part(name, data) for name, data in parts))


@cache
def photo() -> str:
    """Return a JPEG of one grey pixel, which is what the service makes when asked for an image."""
    tables = b"".join(_build_jpeg_part(0xC4, bytes((kind, 1, *bytes(15), 0))) for kind in (0x00, 0x10))
    frame = _build_jpeg_part(0xC0, struct.pack(">BHHBBBB", 8, 1, 1, 1, 1, 0x11, 0))
    scan = _build_jpeg_part(0xDA, bytes((1, 1, 0, 0, 63, 0))) + b"\x3f"
    head = _build_jpeg_part(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
    quantities = _build_jpeg_part(0xDB, b"\0" + bytes([16]) * 64)
    return _read_text(b"\xff\xd8" + head + quantities + frame + tables + scan + b"\xff\xd9")


@cache
def samples() -> str:
    """Return eight silent 16-bit samples without any header, as models that speak answer."""
    return _read_text(bytes(16))


@cache
def sound() -> str:
    """Return a WAV of eight silent 16-bit samples at 8 kHz."""
    samples = bytes(16)
    form = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(samples)) + samples
    return _read_text(b"RIFF" + struct.pack("<I", len(body)) + body)


@cache
def clip() -> str:
    """Return an MP4 with a file type box and an empty media data box."""
    brand = b"isom" + struct.pack(">I", 512) + b"isomiso2"
    return _read_text(_build_mp4_box(b"ftyp", brand) + _build_mp4_box(b"mdat", b""))


def _build_png_part(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _build_jpeg_part(mark: int, data: bytes) -> bytes:
    return b"\xff" + bytes([mark]) + struct.pack(">H", len(data) + 2) + data


def _build_mp4_box(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data) + 8) + name + data


def _read_text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
