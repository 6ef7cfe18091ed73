"""Play recordings as a service: a request in, the recorded answer out, never the network.

`strict` answers each recorded request as often as it was recorded, in the recorded order. `resume` does the same,
and then also answers requests for the rest of a stream, from any of its events, out of one full recording or one
that was cut and resumed. A request that was not recorded gets an error that names the nearest recording and the
first field that differs, and is kept in `misses`.
"""

from __future__ import annotations

import json
import math
import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from harness.cassette.framing import Pieces, after, follow, until
from harness.cassette.matching import Canon, CanonicalRequest, Index, RequestDifference
from harness.cassette.recording import Recording
from harness.errors import CassetteError
from harness.outcome.words import format_count
from harness.wire import Decoder, Length, Request, Response, StreamProtocol
from harness.wire.addresses import find_elsewhere, find_in_body, readdress, stand_in_url
from harness.wire.bodies import object_or_none
from harness.wire.secret_finder import TextEdit, apply_to_bytes

MODES = ("strict", "resume")
MISS_STATUS = 400
"""Chosen because clients neither retry it nor take it for an ordinary outcome such as "not found"."""

MISS_CODE = "not_recorded"
_OTHER_MODE = "it resumes a recorded stream, which the mode resume serves from any event"


@dataclass(frozen=True, slots=True)
class Miss:
    """A request that no recording returns. `nearest` is the position in the cassette, from 0."""

    request: Request
    reason: str
    nearest: int | None = None
    difference: RequestDifference | None = None

    def __str__(self) -> str:
        return self.reason


def answer_from(recording: Recording, request: Request, *, scale: float = 0) -> Response:
    """The recorded answer; what names the recorded server, or another, in its head names whom the client asked."""
    answer, asked = recording.response(scale=scale), stand_in_url(request)
    answer.headers = readdress(answer.headers, recording.origin, asked, recorded=True)
    return answer


class Player:
    """A `Service` over recordings; safe to call from several threads.

    `speed` divides every recorded pause: 1 is as recorded, infinity as fast as possible. `assign_ids` gives events
    without a cursor a stable one, so that a stream can be resumed that the real service could not resume.
    `secrets` are those that the recorder was given, so that a client may send them again.
    """

    def __init__(
        self,
        recordings: Iterable[Recording],
        protocol: StreamProtocol,
        *,
        mode: str = "strict",
        speed: float = math.inf,
        assign_ids: bool = False,
        secrets: Iterable[str] = (),
    ) -> None:
        if mode not in MODES:
            raise CassetteError(f"mode={mode!r} is not a mode of replay: write {' or '.join(MODES)}")
        if not speed > 0:
            raise CassetteError(f"speed={speed!r} must be above 0: 1 is as recorded, math.inf without any pause")
        decoded = [recording.decode() for recording in recordings]
        self.recordings = [with_cursors(r, protocol) for r in decoded] if assign_ids else decoded
        self.misses: list[Miss] = []
        self._protocol = protocol
        self._scale = 1 / speed
        self._canon = Canon(protocol, secrets=secrets)
        for recording in self.recordings:  # one may quote what only a later one names as secret
            self._canon.of(recording.request)
        self._index = Index(protocol)
        self._index.add(self.recordings, [self._canon.of(recording.request) for recording in self.recordings])
        self._mode = mode
        self._lock = threading.Lock()

    @cached_property
    def _streams(self) -> dict[str, ResumableStream]:
        return streams_of(self.recordings, self._protocol)

    @cached_property
    def _resumes(self) -> dict[str, list[int]]:
        """The positions of the recorded resumes of each resource."""
        found: dict[str, list[int]] = {}
        for number, recording in enumerate(self.recordings):
            if (resumed := self._protocol.is_resume(recording.request)) is not None:
                found.setdefault(resumed[0], []).append(number)
        return found

    def __call__(self, request: Request) -> Response:
        """Return the recorded answer, or an error response saying why there is none."""
        asked = self._canon.of(request)  # before locking, so that a long body does not delay other requests
        with self._lock:
            recording = self._find(request, asked)
            if isinstance(recording, Miss):
                self.misses.append(recording)
                return self._protocol.refuse(MISS_STATUS, MISS_CODE, recording.reason)
        return answer_from(recording, request, scale=self._scale)

    def unused(self) -> list[tuple[int, Recording]]:
        """The recordings without a request, with their positions in the cassette."""
        with self._lock:
            return [(n, one) for n, one in enumerate(self.recordings) if n not in self._index.played]

    def _list_played(self) -> list[tuple[int, Recording]]:
        with self._lock:
            return [(n, one) for n, one in enumerate(self.recordings) if n in self._index.played]

    def approximate(self) -> list[tuple[int, Recording]]:
        """The replayed recordings, with positions, whose boundaries and times are a guess (if edited)."""
        return [(n, one) for n, one in self._list_played() if one.approximate]

    def elsewhere(self) -> list[tuple[int, str]]:
        """The replayed recordings, with positions, that sent their client to another server, and its root."""
        return [(n, root) for n, one in self._list_played() for root in find_elsewhere(one.headers, one.origin)]

    def in_bodies(self) -> dict[str, int]:
        """The addresses of the recorded server in replayed bodies, with the position that is first to.

        Bodies are replayed as recorded: a client that follows such an address leaves the replay.
        """
        first: dict[str, int] = {}
        for number, one in self._list_played():
            for address in find_in_body(one.body, one.origin):
                first.setdefault(address, number)
        return first

    def _find(self, request: Request, asked: CanonicalRequest) -> Recording | Miss:
        number = self._index.match(asked)
        if number is not None:
            self._index.played.add(number)
            return self.recordings[number]
        resumed = self._protocol.is_resume(request)
        stream = None if resumed is None else self._streams.get(resumed[0])
        if resumed is None or stream is None:
            return self._miss(request, asked)
        if self._mode != "resume":
            missed = self._miss(request, asked)
            return replace(missed, reason=f"{missed.reason}; {_OTHER_MODE}")
        resource, cursor = resumed
        if cursor is not None and (reason := why_not(stream, cursor)):
            return Miss(request, f"not recorded: {reason}")
        # The full recording counts as replayed, and so does every recorded resume of the same resource.
        began = next(number for number, recording in enumerate(self.recordings) if recording is stream.began)
        self._index.played.update((began, *self._resumes.get(resource, ())))
        return stream.rest(cursor)

    def _miss(self, request: Request, asked: CanonicalRequest) -> Miss:
        what = f"not recorded: {asked.method} /{'/'.join(asked.path)}"
        if not self.recordings:
            return Miss(request, f"{what}; the cassette is empty")
        same = self._index.times(asked)
        if same:
            times = format_count(len(same), "time")
            return Miss(request, f"{what} was recorded {times}, and each was already replayed", same[0])
        number, first = self._index.nearest(asked)
        return Miss(
            request, f"{what}; the nearest is recording {number + 1}, which differs in {first}", number, first
        )


# Synthesise resumes from one full recording: the rest of a stream after any event with a cursor. A stream that
# was cut and resumed also makes a full recording: each rest continues at the cursor that its request named.


@dataclass(frozen=True, slots=True)
class ResumableStream:
    """A recorded stream of one resource; `cursors` maps each cursor to the offset after its event.

    `end` is the offset after the last complete event. `began` is the recording in the cassette with which the
    stream began. It is `recording` itself, unless rests were joined to it.
    """

    recording: Recording
    cursors: dict[str, int]
    events: int
    end: int
    whole: bool
    began: Recording

    @property
    def reach(self) -> tuple[bool, int]:
        """A comparable measure of how far the stream goes."""
        return self.whole, self.events

    def rest(self, cursor: str | None) -> Recording:
        """The recording of what follows `cursor`, which must be in `cursors`; None means the whole stream."""
        offset = 0 if cursor is None else self.cursors[cursor]
        full = self.recording
        if not offset:
            return full
        framing = Length(full.framing.size - offset) if isinstance(full.framing, Length) else full.framing
        return replace(full, body=full.body[offset:], pieces=after(full.pieces, offset), framing=framing)


def streams_of(recordings: Iterable[Recording], protocol: StreamProtocol) -> dict[str, ResumableStream]:
    """The longest stream of each resource, by the resource's id.

    A stream that was itself resumed at a cursor is only used to extend another.
    """
    streams: dict[str, ResumableStream] = {}
    rests: defaultdict[str, list[tuple[str, Recording]]] = defaultdict(list)
    for recording in recordings:
        if recording.status != 200 or not recording.events:
            continue
        asked, cursor = protocol.is_resume(recording.request) or (None, None)
        if asked is not None and cursor is not None:
            rests[asked].append((cursor, recording))
            continue
        named, stream = _read(recording, protocol)
        resource = asked if named is None else named
        if resource is not None:
            streams[resource] = max(streams.get(resource, stream), stream, key=lambda one: one.reach)
    return {name: _extend(stream, rests[name], protocol) for name, stream in streams.items()}


def _extend(
    stream: ResumableStream, rests: Sequence[tuple[str, Recording]], protocol: StreamProtocol
) -> ResumableStream:
    """Extend the stream by the rest that takes it furthest, until it is whole or no rest helps."""
    while not stream.whole:
        longer = [_append(stream, *rest, protocol) for rest in rests if rest[0] in stream.cursors]
        best = max(longer, key=lambda other: other.reach, default=stream)
        if best.reach <= stream.reach:
            break
        stream = best
    return stream


def _append(stream: ResumableStream, cursor: str, more: Recording, protocol: StreamProtocol) -> ResumableStream:
    """The stream up to the cursor, then the rest, minus the cursor's own event if the rest repeats it."""
    cut, place = stream.recording, stream.cursors[cursor]
    again = _read(more, protocol)[1].cursors.get(cursor, 0)
    body = cut.body[:place] + more.body[again:]
    kept, added = until(cut.pieces, place), after(more.pieces, again)
    pieces = Pieces((*kept.sizes, *added.sizes), (*kept.waits, *added.waits))
    framing = Length(len(body)) if isinstance(more.framing, Length) else more.framing
    joined = replace(cut, body=body, pieces=pieces, framing=framing, ending=more.ending)
    return replace(_read(joined, protocol)[1], began=stream.began)


def with_cursors(recording: Recording, protocol: StreamProtocol) -> Recording:
    """The recording with a stable cursor, `h1`, `h2` …, on every event that had none."""
    if not recording.events:
        return recording
    edits: list[TextEdit] = []
    for number, frame in enumerate(Decoder().feed(recording.body), 1):
        event = object_or_none(frame.data)
        at = recording.body.find(frame.data, frame.start, frame.end)
        if event is None or protocol.cursor(event) is not None or at < 0:  # one in several lines stays as it is
            continue
        made = protocol.with_cursor(event, f"h{number}")
        data = json.dumps(made, ensure_ascii=frame.data.isascii(), separators=(",", ":"))
        edits.append(TextEdit(at, at + len(frame.data), data, "cursor"))
    if not edits:
        return recording
    return recording.with_body(apply_to_bytes(recording.body, edits), follow(recording.pieces, edits))


def _read(recording: Recording, protocol: StreamProtocol) -> tuple[str | None, ResumableStream]:
    resource: str | None = None
    cursors: dict[str, int] = {}
    whole, frames = False, Decoder().feed(recording.body)
    for frame in frames:
        event = object_or_none(frame.data)
        if event is None:
            continue
        resource = resource or protocol.stream_id(event)
        cursor = protocol.cursor(event)
        if cursor is not None:
            cursors.setdefault(cursor, frame.end)
        whole = whole or protocol.completes(event)
    end = frames[-1].end if frames else 0
    return resource, ResumableStream(recording, cursors, len(frames), end, whole, recording)


def why_not(stream: ResumableStream, cursor: str) -> str:
    """Why a stream cannot be resumed at a cursor, and what to do; "" if it can."""
    if not stream.cursors:
        return (
            "the recorded stream carries no event ids, so there is no place to resume it at: record a stream that "
            "has them, or have stable ones assigned (--assign-ids, Player(assign_ids=True))"
        )
    if cursor not in stream.cursors:
        known = list(stream.cursors)
        shown = ", ".join(map(repr, known[:3])) + (" …" if len(known) > 3 else "")
        return f"{cursor!r} is not an event id of the recorded stream, which has {len(known)}: {shown}"
    if stream.cursors[cursor] == stream.end and not stream.whole and not stream.recording.complete:
        return (
            f"the recorded stream was cut after {cursor!r} and never resumed there: record a client that resumes"
        )
    return ""
