"""Records what a client actually received: the bytes of each response, connection by connection.

Layer 5. Keeps bytes as they pass and decodes them only when a test asks, so that recording costs next to nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from harness.contract import PROTOCOL, is_settled
from harness.contract.data.json_parse import loads, objects
from harness.faults import FaultyService, Suffered
from harness.outcome.words import format_count
from harness.wire import At, Body, Chunk, Decoder, Ending, Piece, Request, Response
from harness.wire.coding import CODINGS, DECODED_BYTES, Inflater, coding_of
from harness.wire.message import EVENT_STREAM


class Seen:
    """One response, as far as the client read it; `suffered` has the faults planned for its connection."""

    def __init__(self, request: Request, response: Response, suffered: Suffered | None = None) -> None:
        self.at = time.monotonic()
        self.request = request
        self.suffered = suffered
        self.status = response.status
        self.is_stream = response.headers.media_type() == EVENT_STREAM
        self._coding = coding_of(response.headers)
        self._inflater = Inflater(self._coding) if self._coding in CODINGS else None
        self.data = bytearray()
        self.ending: Ending | None = None

    def take(self, data: bytes) -> None:
        """Note bytes that were delivered; they are kept without their content coding."""
        self.data += data if self._inflater is None else self._inflater.feed(data, DECODED_BYTES)

    def events(self) -> list[dict[str, Any]]:
        """The complete events that were delivered."""
        return events_in(bytes(self.data))

    @property
    def is_create(self) -> bool:
        """Whether the request asks for a new interaction."""
        return self.request.method == "POST" and self.request.segments[-1:] == ("interactions",)

    @property
    def headless(self) -> bool:
        """Whether not even the head of the response was sent."""
        return self.ending is not None and self.ending.at in (At.BEFORE_HEADERS, At.IN_HEADERS)

    @property
    def continues(self) -> str | None:
        """The interaction that a create refers to as its previous turn; None if it begins a conversation."""
        value = loads(self.request.body).value if self.is_create else None
        found = value.get("previous_interaction_id") if isinstance(value, dict) else None
        return found if isinstance(found, str) else None

    @property
    def by_token(self) -> bool:
        """Whether a create continues an interaction that stopped with a continuation token."""
        return self.is_create and b"continuation_token" in self.request.body

    def find_created_id(self) -> str | None:
        """The id of the interaction that this exchange created; None if it created none."""
        if not self.is_create:
            return None
        if self.is_stream:
            return next(filter(None, map(PROTOCOL.stream_id, self.events())), None)
        value = loads(bytes(self.data)).value
        found = value.get("id") if isinstance(value, dict) else None
        return found if isinstance(found, str) else None

    @property
    def asked_after(self) -> str | None:
        """The cursor that the client sent; None if it sent none."""
        resumed = PROTOCOL.is_resume(self.request)
        return resumed[1] if resumed is not None else None

    @property
    def error(self) -> str:
        """The message of a refusal; "" if it has none or the response is no refusal."""
        value = loads(bytes(self.data)).value if self.status >= 400 else None
        error = value.get("error") if isinstance(value, dict) else None
        message = error.get("message") if isinstance(error, dict) else None
        return str(message or "")

    @property
    def completes(self) -> bool:
        """Whether the client can know from this response that the interaction has ended.

        A completion that lacks only its blank line counts: some clients, google-genai among them, deliver it.
        """
        if self.is_stream:
            return any(PROTOCOL.completes(event) for event in events_in(bytes(self.data) + b"\n\n"))
        value = loads(bytes(self.data)).value
        return isinstance(value, dict) and is_settled(value.get("status"))

    def __str__(self) -> str:
        after = f" after {self.asked_after}" if self.asked_after else ""
        what = f"{self.request.method}{' stream' if self.is_stream else ''}{after}"
        if not self.is_stream:
            return f"{what} → {self.status}" + (f": {self.error}" if self.error else "")
        how = "hung up by the client" if self.ending is None else self.ending.how.value
        return f"{what} → {format_count(len(self.events()), 'event')}, {how}"


def watch(request: Request, response: Response, suffered: Suffered | None = None) -> Seen:
    """Wrap the body of `response`, and return the record of what the client will read of it."""
    seen = Seen(request, response, suffered)
    response.body = _Watched(response.body, seen)
    return seen


class Witness:
    """A `Service` around one with faults that records its responses."""

    def __init__(self, service: FaultyService) -> None:
        self._service = service
        self.seen: list[Seen] = []

    def __call__(self, request: Request) -> Response:
        response, suffered = self._service.answer(request)
        self.seen.append(watch(request, response, suffered))
        return response

    @property
    def streams(self) -> list[Seen]:
        """The responses to requests for streams, refusals included."""
        return [one for one in self.seen if one.is_stream or PROTOCOL.is_resume(one.request) is not None]


class _Watched:
    __slots__ = ("_inner", "_seen")

    def __init__(self, inner: Body, seen: Seen) -> None:
        self._inner = inner
        self._seen = seen

    def __iter__(self) -> Iterator[Piece]:
        return self

    def __next__(self) -> Piece:
        piece = next(self._inner)
        if isinstance(piece, Chunk):
            self._seen.take(piece.data)
        elif isinstance(piece, Ending):
            self._seen.ending = piece
        return piece

    def close(self) -> None:
        self._inner.close()


def events_in(data: bytes) -> list[dict[str, Any]]:
    """The decoded events in the bytes of a stream."""
    return objects(frame.data for frame in Decoder().feed(data))


def merge_equal_lines(lines: Iterable[str]) -> list[str]:
    """Merge consecutive equal lines into one with a count."""
    groups = [(line, len(list(same))) for line, same in groupby(lines)]
    return [f"{line} ({times} times)" if times > 1 else line for line, times in groups]
