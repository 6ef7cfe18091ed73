"""Ids, signatures and times: ids and signatures have the form and the length of real ones.

A counter that only grows is mixed with the seed, so no id repeats; nothing is random, and the same seed gives the
same. Callers treat both as opaque. Sources of the forms: recordings (interactions of both surfaces, calls,
environments of Vertex, thought signatures of 0 to 3104 characters, often 364) and saved output of a cookbook
(environments of the Gemini API).

Times are RFC 3339 in UTC: logical seconds since a fixed day, or since now. They do not come from the operating
system.
"""

from __future__ import annotations

import base64
import binascii
from binascii import b2a_base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from zlib import crc32

from msgspec import Struct

from harness.wire import Clock

_MASK = (1 << 64) - 1
_URLSAFE = bytes.maketrans(b"+/", b"-_")
_OF_TOKENS, _OF_FILLING = 3**131, 3**1271
"""Factors that spread 64 bits over 34 and 260 bytes without a pattern: no two numbers give the same, and a product
takes a tenth of the time of a digest of that length."""
_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
_CALL_STEP = 0xB5297A4D
"""Odd and no multiple of 3, so that multiples of it visit every number below 36^8 once."""
_SHORT = {"file": "", "store": "", "document": "", "operation": "", "voice": "voice_", "voicekey": "voicekey_"}
"""The prefixes of the twelve letters of an id of these kinds, as in published samples."""

SECRET_PREFIX = "whsec_"
"""Of the signing secret of a webhook (Standard Webhooks)."""


class IdSequence:
    """Hands out ids of any kind from one counter, in the form of the surface that `vertex` names."""

    __slots__ = ("_count", "_salt", "vertex")

    def __init__(self, seed: int) -> None:
        self._count = 0
        self._salt = ((seed + 1) * 0xD1B54A32D192ED03) & _MASK
        self.vertex = False

    def number(self) -> int:
        """Return the next 64-bit number. The odd factor makes the mixing a bijection, so no number comes twice."""
        self._count += 1
        return ((self._count * 0x9E3779B97F4A7C15) & _MASK) ^ self._salt

    def call(self) -> str:
        """Return the id of a new call: eight digits and small letters, on Vertex a UUID."""
        number = self.number()
        if self.vertex:
            return _write_uuid(number)
        return _write_letters(self._count * _CALL_STEP + self._salt, 8)

    def mcp_call(self) -> str:
        """Return the id of a new call of an MCP server's tool: `call_` and seven digits, as recorded."""
        self.number()
        return f"call_{1_000_000 + (self._count * 7_654_321 + self._salt) % 9_000_000}"

    def make_id(self, prefix: str) -> str:
        """Return an id for any other resource."""
        number = self.number()
        if prefix in {"env", "environment"}:
            if not self.vertex:
                return _write_uuid(number)
            token = b"%016x%016x" % (number, number ^ _MASK)
            sandbox = b"\x08\x01\x10\x80\x80\x80\x80\x80" + _digest(number, 4) + b"\x1a\x20" + token
            return "env_" + _encode(sandbox)
        if prefix in _SHORT:
            return _SHORT[prefix] + _write_letters(number * 0xD6E8FEB86659FD93, 12)  # an odd factor mixes the bits
        return f"{number:016x}{number ^ _MASK:016x}" if not prefix else f"{prefix}-{number:016x}"


def interaction_id(number: int, *, vertex: bool = False) -> str:
    """Return the id of an interaction: base64 of two tokens (70 characters in all), on Vertex of three fields."""
    if vertex:
        return _encode(b"\x0a\x10" + b"%016x" % number + b"\x10\x08\x1a\x03%03d*\x04main" % (number % 1000))
    # Hot, and therefore without helpers and digests. A zero byte behind each token of 17 bytes lets one call write
    # both: base64 of 17 bytes has 23 characters, and the 24th, which the zero makes, is left out. The text of the
    # tokens is ASCII, and base64 of ASCII has no character that a URL would escape, but a `=` at the end.
    spread = (number * _OF_TOKENS).to_bytes(34, "big")
    both = b2a_base64(spread[:17] + b"\0" + spread[17:] + b"\0").translate(_URLSAFE)
    tokens = b"\x0a\x17" + both[:23] + b"\x12\x17" + both[24:47]
    return "v1_" + b2a_base64(tokens)[:-2].decode("ascii")


def _write_letters(number: int, length: int) -> str:
    """Return the last digits of a number in base 36, in small letters, the lowest first."""
    rest = number
    digits = []
    for _ in range(length):
        rest, digit = divmod(rest, 36)
        digits.append(_LETTERS[digit])
    return "".join(digits)


def _write_uuid(number: int) -> str:
    """Return a UUID of version 4 that holds the 64 bits of the number, so that none comes twice."""
    text = _digest(number, 16).hex()
    digits = f"{number:016x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[12:15]}-{'89ab'[number & 3]}{digits[15]}{text[:2]}-{text[2:14]}"


def _digest(number: int, size: int) -> bytes:
    return blake2b(number.to_bytes(8, "big"), digest_size=size).digest()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


# frame, mark, filling and the four bytes of the seal make 273 bytes: base64 without padding, in which every bit
# counts
_FRAME = b"\x12\x8e\x02\x0a\x8b\x02"
_MARK = _FRAME + b"emu"
_SEED = 0x51E5
"""Of the checksum that seals a signature; it is meant to catch accidents, not forgeries."""
_FILLING = 273 - len(_MARK) - 4


def sign(number: int) -> str:
    """Make a signature from a 64-bit number, in base64 like every `signature` field."""
    filled = (number * _OF_FILLING).to_bytes(_FILLING, "big")
    seal = crc32(filled, _SEED).to_bytes(4, "big")
    return b2a_base64(_MARK + filled + seal, newline=False).decode("ascii")


def altered(signature: str) -> bool:
    """Whether `signature` is one of ours that was changed on its way back."""
    try:
        data = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return signature.startswith(_PREFIX)
    filled, seal = data[len(_MARK) : -4], data[-4:]
    sealed = len(filled) == _FILLING and seal == crc32(filled, _SEED).to_bytes(4, "big")
    return data.startswith(_MARK) != sealed


_PREFIX = base64.b64encode(_MARK).decode("ascii")


DAY_ONE = datetime(2026, 6, 9, tzinfo=UTC)
"""The start of logical time: the first day on which only the present generation of the API existed."""


class Timestamps:
    """Gives the current time as text; caches the texts of the current second, which every create needs."""

    __slots__ = ("_clock", "_date", "_dated", "_second", "_text", "offset", "start")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._second = self._dated = -1
        self._text = self._date = ""
        self.start = self.offset = DAY_ONE.timestamp()
        """Added to the clock, whose seconds start anywhere: `start` for fields, `offset` for signatures."""

    def read_unix(self) -> int:
        """Return the time that a signature names, in unix seconds."""
        return int(self.offset + self._clock.now)

    def now(self) -> str:
        """Return the time as `2026-06-09T00:00:00Z`, in whole seconds as the service writes it."""
        second = int(self.start + self._clock.now)
        if second != self._second:
            self._second = second
            self._text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return self._text

    def write_date(self) -> str:
        """Return the time as the header `Date` has it."""
        second = int(self.start + self._clock.now)
        if second != self._dated:
            from email.utils import format_datetime  # only servers have the machine's time

            self._dated, self._date = second, format_datetime(datetime.fromtimestamp(second, UTC), usegmt=True)
        return self._date


def later(moment: str, **lapse: float) -> str:
    """Return the time after a lapse, such as `hours=48`, with fractions of a second only if there are any."""
    then = datetime.fromisoformat(moment) + timedelta(**lapse)
    return then.isoformat().replace("+00:00", "Z")


def has_come(moment: str, now: str) -> bool:
    """Whether it is `moment` already."""
    return datetime.fromisoformat(now) >= datetime.fromisoformat(moment)


class Stamps(Struct, frozen=True):
    """The source of ids and times: `ids(prefix)` never repeats one, `now()` is RFC 3339 in UTC (`…Z`)."""

    ids: Callable[[str], str]
    now: Callable[[], str]
