"""What was seen: the exchanges that passed while a page was open, bounded in number, events and bytes.

Layer 6. Knows exchanges, frames and the protocol of an API; must not know how a page gets them. Observers are
called on the threads that serve, so everything is behind one lock, and they only note what goes out: taking it
apart waits until a page looks (`catch_up`). Secrets are still in what is kept: they are masked where it leaves.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from heapq import heapify, heappop, heapreplace
from typing import Any, NamedTuple

from harness.inspector.seen_exchange import (
    Change,
    Listener,
    SeenExchange,
    describe_all,
    describe_columns,
    describe_end,
    describe_event,
    describe_head,
    describe_request,
    place_streams,
)
from harness.kit.api import Api
from harness.outcome import Finding
from harness.wire import Chunk, Ending, Frame, Framing, Headers, Request
from harness.wire.json_value import object_or_none

# What the answers that passed said about the runs of the API: their statuses, and which run continues which.
# Must not know bytes or events: it is handed what was decoded. Callers hold the lock of the `SeenTraffic`.


_MOST_STATUSES = 20


class SeenRuns:
    """The last runs that were named, at most `most`."""

    def __init__(self, api: Api, most: int) -> None:
        self._api = api
        self._most = most
        self._runs: dict[str, Change] = {}

    def follow(self, seen: SeenExchange, value: Mapping[str, Any], moment: float) -> Change | None:
        """Keep what an answer or an event says about its run; return the run if that is new."""
        status = self._api.read_status(value)
        if status is None or seen.status is None or seen.status >= 400:
            return None
        seen.run = status[0] or seen.run
        if not seen.run:
            return None
        run = self._find(seen)
        if seen.order is not None and "words" not in run:
            order = seen.order
            run |= {"parent": order.parent, "background": order.background, "words": order.words}
        statuses = run["statuses"]
        if statuses and statuses[-1][0] == status[1]:
            return None
        if seen.is_stream and any(known == status[1] for known, _ in statuses):
            return None  # a stream that is read again begins with what was long ago
        statuses.append([status[1], moment])
        del statuses[:-_MOST_STATUSES]
        return _copy(run)

    def describe_all(self) -> Iterator[Change]:
        """All runs, for a page that comes late."""
        return (_copy(run) for run in self._runs.values())

    def clear(self) -> None:
        """Forget all runs."""
        self._runs.clear()

    def _find(self, seen: SeenExchange) -> Change:
        run = self._runs.get(seen.run)
        if run is None:
            run = self._runs[seen.run] = {"is": "run", "id": seen.run, "n": seen.number, "statuses": []}
            if len(self._runs) > self._most:
                del self._runs[next(iter(self._runs))]
        return run


def _copy(run: Change) -> Change:
    return {**run, "statuses": list(run["statuses"])}


# What passed and was not taken apart yet: the threads that serve only note it, and a page that looks reads it.
# Bounded, so that a flood of events cannot fill the memory. Each answer keeps its own notes, which go with it
# when it is forgotten. Callers hold the lock of the `SeenTraffic`.


MOST_NOTES, MOST_NOTE_BYTES = 20_000, 16 * 1024 * 1024


class Note(NamedTuple):
    """A chunk or the ending of an answer, and when it went out."""

    seen: SeenExchange
    what: Chunk | Ending
    moment: float


class Backlog:
    """The answers with notes that nobody has read."""

    def __init__(self) -> None:
        self._behind: dict[int, SeenExchange] = {}
        self._notes = self._size = 0

    @property
    def is_full(self) -> bool:
        """Whether more is kept than should be."""
        return self._notes > MOST_NOTES or self._size > MOST_NOTE_BYTES

    @property
    def oldest(self) -> SeenExchange:
        """The answer that waits longest."""
        return next(iter(self._behind.values()))

    def add(self, seen: SeenExchange, what: Chunk | Ending, moment: float) -> None:
        """Keep a note."""
        unread = seen.unread
        if not unread:
            self._behind[seen.number] = seen
        unread += (moment, what)
        self._notes += 1
        if isinstance(what, Chunk):
            self._size += len(what.data)

    def take(self, seen: SeenExchange) -> Note:
        """The next note of an answer."""
        moment, what = seen.unread.popleft(), seen.unread.popleft()
        self._notes -= 1
        if isinstance(what, Chunk):
            self._size -= len(what.data)
        if not seen.unread:
            del self._behind[seen.number]
        return Note(seen, what, moment)

    def drop(self, seen: SeenExchange) -> None:
        """Forget the notes of an answer."""
        if self._behind.pop(seen.number, None) is not None:
            self._notes -= len(seen.unread) // 2
            self._size -= sum(len(what.data) for what in seen.unread if isinstance(what, Chunk))
            seen.unread.clear()

    def take_in_order(self) -> Iterator[Note]:
        """Take all notes, the oldest first; in between, answers may be dropped."""
        waiting = [(seen.unread[0], number) for number, seen in self._behind.items()]
        heapify(waiting)
        while waiting:
            seen = self._behind.get(waiting[0][1])
            if seen is None:
                heappop(waiting)
                continue
            note = self.take(seen)
            if seen.unread:
                heapreplace(waiting, (seen.unread[0], seen.number))
            yield note


MOST_REQUESTS, MOST_EVENTS, MOST_BYTES = 1000, 20_000, 64 * 1024 * 1024
"""Bounds of what is kept; the oldest exchanges go first."""


class SeenTraffic:
    """Keeps exchanges while anybody looks.

    `ahead`: keep them from the start, until the first page that comes has gone again. `now` returns seconds that
    never go back. While `is_open`, exchanges are to be observed; `unseen` counts the requests that passed while
    nobody looked, `missed` those that were forgotten before anybody judged them.
    """

    def __init__(
        self,
        api: Api,
        *,
        ahead: bool = False,
        now: Callable[[], float] = time.monotonic,
        requests: int = MOST_REQUESTS,
        events: int = MOST_EVENTS,
        size: int = MOST_BYTES,
    ) -> None:
        self.lock = threading.RLock()
        self._api = api
        self._protocol = api.load_protocol()
        self.is_open = ahead
        self._now, self._start = now, now()
        self._bounds = requests, events, size
        self._listeners: list[Listener] = []
        self._kept: dict[int, SeenExchange] = {}
        self._runs = SeenRuns(api, requests)
        self._backlog = Backlog()
        self._count = self._events = self._size = 0
        self._ended: deque[SeenExchange] = deque(maxlen=requests)
        self.unseen = self.missed = 0
        self.dropped = 0

    @property
    def seconds(self) -> float:
        """The present moment, in seconds since the start."""
        return self._now() - self._start

    def listen(self) -> Listener:
        """Open a queue of changes."""
        with self.lock:
            listener = Listener(2 * self._bounds[1])
            self._listeners = [*self._listeners, listener]
            self.is_open = True
            return listener

    def leave(self, listener: Listener) -> None:
        """Close a queue."""
        with self.lock:
            self._listeners = [other for other in self._listeners if other is not listener]
            self.is_open = bool(self._listeners)
            if not self._listeners:
                self.catch_up()

    def tell(self, change: Change) -> None:
        """Pass a change to all who listen."""
        for listener in self._listeners:
            listener.add(change)

    # What passes

    def begin(self, request: Request) -> SeenExchange:
        """A request came: return the observer of its answer."""
        with self.lock:
            self._count += 1
            seen = SeenExchange(self, self._count, request, self.seconds)
            seen.order = self._api.read_order(request)
            self._place(seen)
            self._kept[seen.number] = seen
            self._size += seen.size
            self.tell(describe_request(seen))
            self._shrink()
            return seen

    def _place(self, seen: SeenExchange) -> None:
        """Find the run that a request is about and, if it resumes a stream, where its first event belongs."""
        named = self._protocol.is_resume(seen.request)
        if named is None:
            seen.run = self._api.read_subject(seen.request)
            return
        seen.run, seen.cursor = named
        if seen.cursor is None:
            return
        self.catch_up()
        for earlier in reversed(self._kept.values()):
            column = earlier.find_column_after(seen.cursor) if earlier.run == seen.run else None
            if column is not None:
                seen.after, seen.column = earlier.number, column
                seen.columns, seen.next_column = earlier.columns, column
                return

    def note_head(self, seen: SeenExchange, status: int, headers: Headers, framing: Framing) -> None:
        """The head of an answer goes out."""
        with self.lock:
            seen.take_head(status, headers, framing)
            if not seen.forgotten:
                self.tell(describe_head(seen))

    def note(self, seen: SeenExchange, what: Chunk | Ending) -> None:
        """Bytes of an answer go out, or it has ended."""
        with self.lock:
            if seen.forgotten:
                return
            self._backlog.add(seen, what, self._now() - self._start)
            if not self._listeners:
                self.catch_up()
            elif self._backlog.is_full:
                self._shed()

    # What has passed

    def catch_up(self, seconds: float = math.inf) -> None:
        """Take apart what was noted, for about so many seconds."""
        end = self._now() + seconds
        with self.lock:
            for note in self._backlog.take_in_order():
                self._read(note)
                if self._now() >= end:
                    return

    def _shed(self) -> None:
        """Answers go out faster than they are taken apart: the oldest are forgotten, which they soon would be."""
        newest = next(reversed(self._kept), 0)
        while self._backlog.is_full:
            oldest = self._backlog.oldest
            if oldest.number == newest:
                self._read(self._backlog.take(oldest))
            else:
                self._forget(oldest)

    def _read(self, note: Note) -> None:
        if isinstance(note.what, Chunk):
            self._read_chunk(note.seen, note.what, note.moment)
        else:
            self._read_end(note.seen, note.what, note.moment)

    def _read_chunk(self, seen: SeenExchange, chunk: Chunk, moment: float) -> None:
        frames, kept = seen.take_chunk(chunk, moment)
        self._size += kept
        for frame in frames:
            self._read_event(seen, frame, moment)
        self._shrink()

    def _read_event(self, seen: SeenExchange, frame: Frame, moment: float) -> None:
        value = object_or_none(frame.data)
        if len(seen.events) < self._bounds[1]:
            seen.take_event(frame, value, self._protocol, moment)
            self._events += 1
            self.tell(describe_event(seen, len(seen.events) - 1))
        else:
            seen.more_events += 1
        if value is not None:
            self._follow(seen, value, moment)

    def _read_end(self, seen: SeenExchange, ending: Ending, moment: float) -> None:
        seen.ending = ending
        seen.exchange = seen.recorder.finish(ending, moment - seen.began)
        if not seen.is_stream and (value := object_or_none(seen.exchange.body)) is not None:
            self._follow(seen, value, moment)
        if seen.status is not None and seen.status >= 400:
            seen.error = self._api.format_answer(seen.exchange).removeprefix(f"{seen.status} ")
        self._ended.append(seen)
        self.tell(describe_end(seen))
        if seen.is_stream and seen.cursor is None and seen.run:
            streams = [one for one in self._kept.values() if one.is_stream and one.run == seen.run]
            if len(streams) > 1:
                for changed in place_streams(streams):
                    self.tell(describe_columns(changed))

    def _follow(self, seen: SeenExchange, value: Mapping[str, Any], moment: float) -> None:
        change = self._runs.follow(seen, value, moment)
        if change is not None:
            self.tell(change)

    # The bounds

    def _shrink(self) -> None:
        requests, events, size = self._bounds
        while len(self._kept) > 1 and (len(self._kept) > requests or self._events > events or self._size > size):
            self._forget(next(iter(self._kept.values())))

    def _forget(self, seen: SeenExchange) -> None:
        seen.forgotten = True
        self.missed += not seen.judged
        self._backlog.drop(seen)
        del self._kept[seen.number]
        self._events -= len(seen.events)
        self._size -= seen.size
        self.dropped += 1
        self.tell({"is": "dropped", "n": seen.number, "total": self.dropped})

    def clear(self) -> None:
        """Forget everything; numbers go on."""
        with self.lock:
            for seen in self._kept.values():
                seen.forgotten = True
                self._backlog.drop(seen)
            self._kept.clear()
            self._runs.clear()
            self._ended.clear()
            self._events = self._size = self.dropped = self.unseen = self.missed = 0
            self.tell({"is": "cleared"})

    # What is kept

    def find(self, number: int) -> SeenExchange | None:
        """A kept exchange by its number, with all that passed of it."""
        self.catch_up()
        return self._kept.get(number)

    def all(self) -> list[SeenExchange]:
        """The kept exchanges, oldest first."""
        with self.lock:
            self.catch_up()
            return list(self._kept.values())

    def describe(self) -> list[Change]:
        """All that is kept, for a page that begins to look."""
        with self.lock:
            changes = [change for seen in self._kept.values() for change in describe_all(seen)]
            return [*changes, *self._runs.describe_all()]

    def take_ended(self) -> SeenExchange | None:
        """The next exchange that has ended and was not taken yet."""
        with self.lock:
            while self._ended:
                seen = self._ended.popleft()
                if not seen.forgotten:
                    seen.judged = True
                    return seen
        return None

    def keep_findings(self, seen: SeenExchange, findings: tuple[Change, ...]) -> None:
        """Keep what is wrong with an exchange, beside what was known to be, and tell it."""
        with self.lock:
            seen.findings += findings
            self.tell({"is": "findings", "n": seen.number, "findings": list(seen.findings)})

    def find_guilty(self, seen: SeenExchange, finding: Finding) -> SeenExchange:
        """The exchange that a finding about several is about: often an earlier one, which a later one shows.

        What only a comparison of streams shows is wrong with the resume, not with the stream or the result that it
        is compared with.
        """
        if not finding.rule.startswith(("stream.", "resume.")) or seen.cursor is not None:
            return seen
        with self.lock:
            streams = [
                one
                for one in self._kept.values()
                if one.is_stream and one.run == seen.run and one.number < seen.number and seen.run
            ]
        resumed = [one for one in streams if one.cursor is not None]
        if seen.is_stream and not finding.rule.startswith("resume."):
            return seen
        return next(reversed(resumed or ([] if seen.is_stream else streams)), seen)
