"""The media that a model makes: their types, and tiny valid images, sounds and videos.

Layer 2. A model makes the type that was requested, unless it knows only one. The tables of models list the types
of sound; none of it is documented. Knows just enough of some file formats.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Callable
from functools import cache

from harness.contract.models.profiles import ModelProfile


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


SPEECH = "audio/l16; rate=24000; channels=1"
"""The usual type of models that speak: samples without a header (recorded in August)."""

_USUAL: dict[str, tuple[str, Callable[[], str]]] = {
    "image": ("image/jpeg", photo),
    "audio": (SPEECH, samples),
    "video": ("video/mp4", clip),
}
_BUILDERS: dict[str, Callable[[], str]] = {"image/png": picture, "audio/wav": sound}
_STUBBORN = ("music",)
"""Families that make one type whatever was asked for: Lyria makes MP3 (one observer)."""


def makes_media(kind: str) -> bool:
    """Whether a kind of content is a medium that models make."""
    return kind in _USUAL


def choose_type(kind: str, asked: str | None, profile: ModelProfile) -> str:
    """Return the media type in which a model makes a kind of content, `asked` for or not."""
    if kind != "audio":
        return asked or _USUAL[kind][0]
    usual = str(profile.value("audio_type") or SPEECH)
    if asked is None or profile.family in _STUBBORN:
        return usual
    return SPEECH if asked == "audio/l16" else asked


def make_medium(kind: str, mime: str) -> str:
    """Return a tiny medium of a kind in base64, in the type if it can be built."""
    return _BUILDERS.get(mime, _USUAL[kind][1])()
