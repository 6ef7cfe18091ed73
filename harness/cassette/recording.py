"""One request and its response as a cassette keeps them: the body, in which pieces it arrived, and how it ended.

A body is kept without its `coding`, to be read and redacted. Must not know files, secrets or what the bytes mean.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import accumulate, chain, pairwise
from typing import Any

from msgspec import structs

from harness import __version__
from harness.cassette.framing import Pieces
from harness.cassette.stored_bytes import steps
from harness.errors import CassetteError
from harness.wire import (
    COMPLETE,
    Arrivals,
    At,
    By,
    Chunk,
    Chunked,
    Ending,
    Exchange,
    Framing,
    Headers,
    How,
    Length,
    Pause,
    Piece,
    PieceBody,
    Request,
    Response,
    UntilClose,
)
from harness.wire.bodies import CODINGS, coding_of, decode_pieces
from harness.wire.message import EVENT_STREAM, ReadyBody

UNKNOWN_ORIGIN = "http://target.invalid"
"""Scheme and host of a recording that does not say where its request was sent."""


_KEPT_BODY = 4 * 2**20
"""The largest body whose chunks are kept once it was replayed without pauses: they take twice its memory again."""


class Unit(StrEnum):
    """One piece of a body: a chunk of HTTP, a piece that the client received at once, or an event."""

    CHUNK = "chunk"
    PIECE = "piece"
    EVENT = "event"


@dataclass(frozen=True, slots=True)
class Recording:
    """One recorded exchange.

    `status` is None if no complete head arrived. `pieces` add up to `body`; `wait` is the microseconds between the
    last piece and `ending`. `approximate` means that the boundaries are a guess (edited, or recorded by a tool
    that keeps none). `coding` names the content coding that was removed, "" if there was none.
    """

    request: Request
    status: int | None
    headers: Headers
    body: bytes
    pieces: Pieces
    ending: Ending = COMPLETE
    framing: Framing = field(default_factory=UntilClose)
    wait: int = 0
    unit: Unit = Unit.PIECE
    approximate: bool = False
    coding: str = ""
    reason: str = ""
    origin: str = UNKNOWN_ORIGIN
    _chunks: list[Chunk] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.pieces.total != len(self.body):
            raise ValueError(f"the pieces hold {self.pieces.total} bytes but the body {len(self.body)}")

    @classmethod
    def of(
        cls, exchange: Exchange, *, origin: str = UNKNOWN_ORIGIN, unit: Unit = Unit.PIECE, decoded: bool = True
    ) -> Recording:
        """Make the recording of a finished exchange.

        `decoded` means that gzip and deflate are already decoded in the exchange, as all drivers do. The
        Content-Encoding header then becomes `coding`. Raises CassetteError if the exchange's body is truncated.
        """
        if exchange.truncated:
            raise CassetteError(
                f"{exchange.request.method} {exchange.request.raw_path} returned {exchange.size} bytes, of which "
                f"the record keeps {len(exchange.body)}: a recording must be whole; ask the target for less"
            )
        moments = array("Q", (round(moment * 1e6) for moment in exchange.arrivals.moments))
        waits = (max(0, now - before) for before, now in pairwise(chain((0,), moments)))
        rest = len(exchange.body) - sum(exchange.arrivals.sizes)  # of arrivals that were not kept
        more = (rest,) if rest > 0 else ()
        pieces = Pieces(chain(exchange.arrivals.sizes, more), chain(waits, (0 for _ in more)))
        recording = cls(
            request=exchange.request,
            status=exchange.status,
            headers=exchange.headers,
            body=exchange.body,
            pieces=pieces,
            ending=exchange.ending,
            framing=exchange.framing,
            wait=max(0, round(exchange.seconds * 1e6) - sum(pieces.waits)),
            unit=unit,
            approximate=rest > 0,
            reason=exchange.reason,
            origin=origin,
        )
        return recording._without_coding(exchange.body, pieces) if decoded and recording._coded else recording

    @classmethod
    def as_received(cls, exchange: Exchange, origin: str) -> Recording:
        """Make the recording of an exchange seen byte for byte; its coding is decoded, as far as the body goes."""
        unit = Unit.CHUNK if isinstance(exchange.framing, Chunked) else Unit.PIECE
        return cls.of(exchange, origin=origin, unit=unit, decoded=False).decode()

    @property
    def complete(self) -> bool:
        """Whether a whole response was recorded, according to its framing."""
        return self.status is not None and self.ending.complete

    @property
    def events(self) -> bool:
        """Whether the body is a stream of server-sent events."""
        return self.headers.media_type() == EVENT_STREAM

    @property
    def _coded(self) -> bool:
        return coding_of(self.headers) in CODINGS

    def fingerprint(self) -> bytes:
        """A digest of request, response and ending, equal before and after a file was written."""
        asked = self.request
        parts = (asked.method, asked.target, asked.body, str(self.status), self.body, self.ending.words)
        found = hashlib.blake2b(digest_size=16)
        for part in parts:
            data = part.encode() if isinstance(part, str) else part
            found.update(b"%d:" % len(data))
            for step in steps(data):
                found.update(step)
        return found.digest()

    def decode(self) -> Recording:
        """The recording with gzip or deflate decoded, as far as the body goes; itself without such a coding.

        Raises CassetteError for a broken coding and for a decompression bomb.
        """
        if not self._coded or not self.body:
            return self
        try:
            parts = list(decode_pieces(coding_of(self.headers), self.body, self.pieces.sizes))
        except ValueError as wrong:
            raise CassetteError(f"{self.request.method} {self.request.raw_path}: {wrong}") from None
        sizes = array("Q", map(len, parts))
        return self._without_coding(b"".join(parts), Pieces(sizes, self.pieces.waits))

    def with_body(self, body: bytes, pieces: Pieces, *, before: int | None = None) -> Recording:
        """The recording with another body; a declared length exceeds it by as much as it did the old one.

        `before` is the size of the old body, if this recording no longer contains it.
        """
        grown = len(body) - (len(self.body) if before is None else before)
        framing, ending = self.framing, self.ending
        if isinstance(framing, Length):
            framing = Length(max(0, framing.size + grown))
        headers = self.headers.with_length(framing.size if isinstance(framing, Length) else len(body))
        if ending.declared is not None and ending.sent is not None and ending.at in (At.IN_BODY, At.IN_CHUNK):
            sent = max(0, ending.sent + grown) if ending.at is At.IN_BODY else min(ending.sent, len(body))
            ending = structs.replace(ending, sent=sent, declared=sent + ending.declared - ending.sent)
        return replace(self, body=body, pieces=pieces, framing=framing, headers=headers, ending=ending)

    def _without_coding(self, body: bytes, pieces: Pieces) -> Recording:
        coding = coding_of(self.headers)
        framing, ending, headers = self.framing, self.ending, self.headers.without("content-encoding")
        if isinstance(framing, Length):  # the full decoded length of a cut body is unknown: say one byte more
            framing = Length(len(body) + (0 if ending.complete else 1))
            if "content-length" in headers:
                headers = headers.having("content-length", str(framing.size))
            if ending.declared is not None:
                ending = structs.replace(ending, declared=framing.size, sent=len(body))
        return replace(
            self, body=body, pieces=pieces, framing=framing, ending=ending, headers=headers, coding=coding
        )

    def exchange(self) -> Exchange:
        """The recording as an `Exchange`, the form that judges read."""
        moments = array("d", (moment / 1e6 for moment in accumulate(self.pieces.waits)))
        return Exchange(
            request=self.request,
            status=self.status,
            headers=self.headers,
            framing=self.framing,
            body=self.body,
            size=len(self.body),
            sha256=hashlib.sha256(self.body).hexdigest(),
            truncated=False,
            arrivals=Arrivals(self.pieces.sizes, moments, len(self.pieces)),
            ending=self.ending,
            seconds=(sum(self.pieces.waits) + self.wait) / 1e6,
        )

    def response(self, *, scale: float = 1.0) -> Response:
        """Replay the response, with every pause multiplied by `scale`; 0 removes all pauses."""
        if self.status is None:
            ending = self.ending
            if ending.complete or not ending.headless:  # there was no head to end later
                how = How.FIN if ending.complete else ending.how
                ending = Ending(ending.by, how, At.BEFORE_HEADERS, detail=ending.detail)
            return Response.dead(ending)
        headers = self.headers.without("trailer")  # trailers are not recorded, so do not announce any
        if scale > 0 or self.ending != COMPLETE or len(self.body) > _KEPT_BODY:
            parts = PieceBody(self._yield_parts(scale))
            return Response(self.status, headers, self.framing, parts, self.reason)
        if not self._chunks:  # cut and coded for the first reader, and kept for the next ones
            cut = [part for part in self._yield_parts(0) if isinstance(part, Chunk)]
            self._chunks[:] = cut  # at once: readers are threads
        return Response(self.status, headers, self.framing, ReadyBody(self._chunks), self.reason)

    def _yield_parts(self, scale: float) -> Iterator[Piece]:
        """Chunks, the pauses before them, and the ending; an unfinished HTTP chunk is always one `Chunk`."""
        opened = 0  # bytes at the end that belong to an unfinished HTTP chunk
        if self.ending.at is At.IN_CHUNK and self.ending.declared is not None:
            opened = min(self.ending.sent or 0, len(self.body))
        whole = len(self.body) - opened
        at = owed = 0
        for size, wait in zip(self.pieces.sizes, self.pieces.waits, strict=True):
            owed += wait
            end = min(at + size, whole)
            if end > at:
                yield from _pause(owed, scale)
                yield Chunk(self.body[at:end])
                owed = 0
            at += size
        yield from _pause(owed + self.wait, scale)
        if opened:
            yield Chunk(self.body[whole:], self.ending.declared)
        known = self.ending.detail or self.ending.by is By.SERVER
        yield self.ending if known else structs.replace(self.ending, detail="the client or recorder stopped here")


def _pause(microseconds: int, scale: float) -> Iterator[Piece]:
    if microseconds and scale > 0:
        yield Pause(microseconds / 1e6 * scale)


# Where a cassette comes from: what recorded it, from what, when, of which API.
# It is stored in the file's top-level `metadata`, the only key besides the entries that vcrpy knows.


KEY = "harness"
FORMAT = 1
_FIELDS = ("recorder", "recorded", "api", "api_version", "revision", "harness", "note")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


class Target(StrEnum):
    """The kind of a target; a recording of an emulator proves nothing about the live service."""

    LIVE = "live"
    EMULATOR = "emulator"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """The origin of a cassette. `recorded` is `YYYY-MM-DD` or "" if unknown; layer 1 has no clock to set it.

    `note` is a sentence for readers, such as why the recorded stream is incomplete on purpose.
    """

    recorder: str
    target: Target = Target.OTHER
    recorded: str = ""
    api: str = ""
    api_version: str = ""
    revision: str = ""
    harness: str = __version__
    note: str = ""

    def __post_init__(self) -> None:
        if self.recorded and not _DATE.fullmatch(self.recorded):
            raise ValueError(f"recorded={self.recorded!r} is not a date: write YYYY-MM-DD")

    def as_metadata(self) -> dict[str, Any]:
        """The value of `metadata.harness`; unknown fields are omitted."""
        known = {name: getattr(self, name) for name in _FIELDS if getattr(self, name)}
        return {"format": FORMAT, "target": str(self.target), **known}

    @classmethod
    def from_metadata(cls, metadata: object) -> Provenance | None:
        """Read the provenance in `metadata`; None if another tool made the file. Raises ValueError if wrong."""
        data = metadata.get(KEY) if isinstance(metadata, Mapping) else None
        if not isinstance(data, Mapping):
            return None
        if data.get("format") != FORMAT:
            raise ValueError(f"metadata.{KEY}.format={data.get('format')!r}: this release reads format {FORMAT}")
        if data.get("target") not in list(Target):
            raise ValueError(f"metadata.{KEY}.target={data.get('target')!r} is not one of {', '.join(Target)}")
        return cls(target=Target(data["target"]), **{name: str(data.get(name, "")) for name in _FIELDS})
