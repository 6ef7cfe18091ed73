"""Recordings as a service: a request in, the recorded answer out, never the network. Layer 1.

`strict` answers each recorded request as often as it was recorded and in that order. `resume` besides answers a
request for the rest of a stream, from any of its events, out of one full recording. What was not recorded is
answered with an error that names the nearest recording and the first field that differs, and kept in `misses`.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.cassette.fault import CassetteError
from harness.cassette.matching import Canon, Canonical, Difference, Ids, difference, differences
from harness.cassette.recording import Recording
from harness.cassette.streams import Stream, Streams, unknown_cursor, with_cursors
from harness.wire import Headers, Request, Response, StreamProtocol

MODES = ("strict", "resume")
MISS_STATUS = 400
"""Of all statuses the one that clients neither retry nor take for an ordinary outcome such as "not there"."""

MISS_CODE = "not_recorded"


@dataclass(frozen=True, slots=True)
class Miss:
    """A request that no recording answers. `nearest` is the position in the cassette, from 0."""

    request: Request
    reason: str
    nearest: int | None = None
    difference: Difference | None = None

    def __str__(self) -> str:
        return self.reason


class Player:
    """A `Service` over recordings; safe to call from several threads.

    `speed` divides every recorded pause: 1 is as recorded, infinity as fast as possible. `assign_ids` gives events
    without a cursor a stable one, so that a stream can be resumed that really could not. `secrets` are those that
    the recorder had been told, so that a client may send them again.
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
            raise CassetteError(f"mode={mode!r} is none of the ways to play: write {' or '.join(MODES)}")
        if not speed > 0:
            raise CassetteError(f"speed={speed!r} must be above 0: 1 is as recorded, math.inf without any pause")
        decoded = [recording.decoded() for recording in recordings]
        self.recordings = [with_cursors(r, protocol) for r in decoded] if assign_ids else decoded
        self.misses: list[Miss] = []
        self._protocol = protocol
        self._scale = 1 / speed
        self._canon = Canon(protocol, secrets=secrets)
        self._forms = [self._canon.of(recording.request) for recording in self.recordings]
        self._ids = Ids(self.recordings, protocol)
        self._played: set[int] = set()
        self._streams = Streams.of(self.recordings, protocol) if mode == "resume" else Streams()
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Response:
        """The recorded answer, or the error that says why there is none."""
        with self._lock:
            recording = self._find(request)
            if isinstance(recording, Miss):
                self.misses.append(recording)
                body = self._protocol.error_body(MISS_STATUS, MISS_CODE, recording.reason)
                return Response.whole(MISS_STATUS, Headers([("content-type", "application/json")]), body)
        return recording.response(scale=self._scale)

    def unused(self) -> list[tuple[int, Recording]]:
        """The recordings that answered nothing, with their positions in the cassette."""
        with self._lock:
            return [(n, recording) for n, recording in enumerate(self.recordings) if n not in self._played]

    def _find(self, request: Request) -> Recording | Miss:
        asked = self._canon.of(request)
        resumed = self._protocol.is_resume(request)
        stream = None if resumed is None else self._streams.by_id.get(resumed[0])
        if resumed is not None and stream is not None and (resumed[1] is None or resumed[1] in stream.cursors):
            self._use(resumed[0], stream)
            return stream.rest(resumed[1])
        number = self._match(asked)
        if number is not None:
            self._played.add(number)
            return self.recordings[number]
        if resumed is not None and resumed[1] is not None and stream is not None:
            return Miss(request, f"not recorded: {unknown_cursor(stream, resumed[1])}")
        return self._miss(request, asked)

    def _use(self, resource: str, stream: Stream) -> None:
        """A synthesised resume uses the full recording and every recorded resume of the same resource."""
        for number, recording in enumerate(self.recordings):
            resumed = self._protocol.is_resume(recording.request)
            if recording is stream.recording or (resumed is not None and resumed[0] == resource):
                self._played.add(number)

    def _match(self, asked: Canonical) -> int | None:
        """The first recording of this request not played yet; the very same one needs no closer look."""
        waiting = [n for n in range(len(self.recordings)) if n not in self._played]
        for number in waiting:
            if self._forms[number] == asked:
                return number
        for number in waiting:
            bound: dict[str, str] = {}
            if difference(asked, self._forms[number], self._ids, bound) is None:
                self._ids.bind(bound)
                return number
        return None

    def _miss(self, request: Request, asked: Canonical) -> Miss:
        what = f"not recorded: {asked.method} /{'/'.join(asked.path)}"
        if not self.recordings:
            return Miss(request, f"{what}; the cassette is empty")
        same = [n for n, form in enumerate(self._forms) if difference(asked, form, self._ids, {}) is None]
        if same:
            times = f"{len(same)} time{'s' * (len(same) > 1)}"
            return Miss(request, f"{what} was recorded {times}, and each was played already", same[0])
        number, first = self._nearest(asked)
        return Miss(
            request, f"{what}; the nearest is recording {number + 1}, which differs in {first}", number, first
        )

    def _nearest(self, asked: Canonical) -> tuple[int, Difference]:
        """The recording with the same path, then method, then the fewest differences; and the first of them."""
        ranked = [
            (_rank(found := list(differences(asked, form, self._ids, {}))), number, found)
            for number, form in enumerate(self._forms)
        ]
        _, number, found = min(ranked, key=lambda entry: entry[:2])
        return number, found[0]


def _rank(found: Sequence[Difference]) -> tuple[bool, bool, int]:
    fields = {item.field for item in found}
    return "path" in fields, "method" in fields, len(found)
