"""The traffic: exchanges while a page was open, bounded in number, events and bytes.

Knows exchanges, frames and the protocol of an API; must not know how a page gets them. Observers are called on the
threads that serve, so everything is behind one lock, and they only note the pieces: reading them waits until a
page looks (`catch_up`). The kept exchanges have secrets: these are masked on the way out.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from harness.inspector.seen_exchange import (
    Change,
    ChunkRun,
    Head,
    Passed,
    SeenExchange,
    describe_all,
    describe_columns,
    describe_end,
    describe_event,
    describe_head,
    describe_request,
    place_in_run,
    place_streams,
)
from harness.kit.api import Api
from harness.outcome import Finding
from harness.wire import Ending, Request
from harness.wire.bodies import object_or_none

# The facts of the responses about the runs of the API: their statuses, and which run continues which.
# Must not know bytes or events: it is handed what was decoded. Callers hold the lock of the `SeenTraffic`.


class SeenRuns:
    """The last runs that were named, at most `most`."""

    def __init__(self, api: Api, most: int) -> None:
        self._api = api
        self._most = most
        self._runs: dict[str, Change] = {}

    def follow(self, seen: SeenExchange, value: Mapping[str, Any], moment: float) -> Change | None:
        """Keep the facts of a response or an event about its run; return the run if they are new."""
        status = self._api.read_status(value)
        if status is None or seen.status is None or seen.status >= 400:
            return None
        if self._api.collection not in seen.request.segments:
            return None  # another resource may have a status, too
        seen.run = status[0] or seen.run
        if not seen.run:
            return None
        run = self._runs.get(seen.run)
        if run is None:
            run = self._runs[seen.run] = {"is": "run", "id": seen.run, "n": seen.number, "statuses": []}
            if len(self._runs) > self._most:
                del self._runs[next(iter(self._runs))]
        if seen.order is not None and "words" not in run:
            order = seen.order
            run |= {"parent": order.parent, "background": order.background, "words": order.words}
        statuses = run["statuses"]
        if statuses and statuses[-1][0] == status[1]:
            return None
        if seen.is_stream and self._is_past(statuses, status[1]):
            return None  # a stream that is read again begins with what was long ago
        statuses.append([status[1], moment])
        del statuses[:-20]
        return _copy(run)

    def describe_all(self) -> Iterator[Change]:
        """All runs, for a page that is opened after they began."""
        return (_copy(run) for run in self._runs.values())

    def clear(self) -> None:
        self._runs.clear()

    def _is_past(self, statuses: Sequence[list[Any]], status: str) -> bool:
        """Whether a status was known before, or is one that the run has left though no page saw it."""
        if any(known == status for known, _ in statuses):
            return True
        return bool(statuses) and self._api.is_settled(statuses[-1][0]) and not self._api.is_settled(status)


def _copy(run: Change) -> Change:
    return {**run, "statuses": list(run["statuses"])}


# What passed and was not taken apart yet: the threads that serve only note it, and a page that looks reads it.
# Bounded, so that a flood of events cannot fill the memory. Callers hold the lock of the `SeenTraffic`.


MOST_NOTES, MOST_NOTE_BYTES = 20_000, 16 * 1024 * 1024
"""Bounds of what was noted and not read: chunks and other parts, and bytes of chunks."""


class Backlog:
    """Notes that no page has read: an exchange, the moment, and the part of it that passed then."""

    def __init__(self) -> None:
        self._notes: deque[tuple[SeenExchange, float, Passed]] = deque()
        self._count = self._size = 0
        # By the id of the chunks of a note: how many notes hold them, and their bytes.
        self._held: dict[int, tuple[int, int]] = {}

    def __bool__(self) -> bool:
        return bool(self._notes)

    @property
    def is_full(self) -> bool:
        """Whether more is kept than should be."""
        return self._count > MOST_NOTES or self._size > MOST_NOTE_BYTES

    @property
    def first(self) -> SeenExchange:
        return self._notes[0][0]

    def add(self, seen: SeenExchange, moment: float, part: Passed) -> None:
        self._notes.append((seen, moment, part))
        self._weigh(part, 1)

    def take(self) -> tuple[SeenExchange, float, Passed]:
        """Take the oldest note; there must be one."""
        note = self._notes.popleft()
        self._weigh(note[2], -1)
        return note

    def _weigh(self, part: Passed, sign: int) -> None:
        if type(part) is not ChunkRun:
            self._count += sign
            return
        self._count += sign * (part.end - part.start)
        key, chunks = id(part.chunks), part.chunks
        notes, size = self._held.pop(key, (0, 0))
        if not notes:  # replays share their chunks, which are weighed once
            size = sum([len(chunk.data) for chunk in chunks])
            self._size += size
        if notes + sign:
            self._held[key] = notes + sign, size
        else:
            self._size -= size


MOST_REQUESTS, MOST_EVENTS, MOST_BYTES = 1000, 20_000, 64 * 1024 * 1024
"""Bounds of what is kept; the oldest exchanges go first."""


class SeenTraffic:
    """Keeps exchanges while a page is open.

    `ahead`: keep them from the start, until the first page that comes has gone again. `now` returns seconds that
    never go back. `learn` is called with each request before anything of its exchange is shown. While `is_open`,
    exchanges are to be observed; `unseen` counts the requests that passed while no page was open, `missed` those
    that were forgotten before they were judged.
    """

    def __init__(
        self,
        api: Api,
        *,
        ahead: bool = False,
        learn: Callable[[Request], object] = lambda request: None,
        now: Callable[[], float] = time.monotonic,
        requests: int = MOST_REQUESTS,
        events: int = MOST_EVENTS,
        size: int = MOST_BYTES,
    ) -> None:
        self.lock = threading.RLock()
        self._api = api
        self._protocol = api.load_protocol()
        self._learn = learn
        self.is_open = ahead
        self._now, self._start = now, now()
        self._bounds = requests, events, size
        self._pages = 0
        self._left = threading.Event()
        self._changes: list[Change] = []
        self._are_lost = False
        self.most_changes = 2 * events
        self._kept: dict[int, SeenExchange] = {}
        self._runs = SeenRuns(api, requests)
        self._backlog = Backlog()
        self._count = self._events = self._size = 0
        self._ended: deque[SeenExchange] = deque(maxlen=requests)
        self._resumed: dict[int, SeenExchange] = {}
        self.unseen = self.missed = 0
        self.dropped = self._dropped_told = 0

    @property
    def seconds(self) -> float:
        """The present moment, in seconds since the start."""
        return self._now() - self._start

    def listen(self) -> None:
        """A page is there: changes are kept for it."""
        with self.lock:
            self._pages += 1
            self._left.clear()
            self.is_open = True

    def leave(self) -> None:
        """A page is gone; nothing more is kept after the last one."""
        with self.lock:
            self._pages -= 1
            self.is_open = self._pages > 0
            if not self._pages:
                self._left.set()
                self._changes = []
                self._are_lost = False

    def wait_for_pages(self, seconds: float) -> None:
        """Wait until every page is gone, for so long at most."""
        if self._pages:
            self._left.wait(seconds)

    def tell(self, change: Change) -> None:
        """Keep a change for the pages; with more than `most_changes` they have lost track."""
        if not self._pages or self._are_lost:
            return
        if len(self._changes) >= self.most_changes:
            self._are_lost = True
            self._changes = []
        else:
            self._changes.append(change)

    def take_changes(self) -> list[Change] | None:
        """Take the changes since the last call; None if some are lost, so that all has to be sent again."""
        with self.lock:
            if self.dropped != self._dropped_told:  # of exchanges that no page knows
                self._tell_dropped(0)
            taken, self._changes = self._changes, []
            lost, self._are_lost = self._are_lost, False
        return None if lost else taken

    # What passes

    def begin(self, request: Request) -> SeenExchange:
        """A request came: return the observer of its answer."""
        with self.lock:
            self._count += 1
            seen = SeenExchange(self.note, self._count, request, self._now() - self._start)
            self._kept[seen.number] = seen
            self._size += seen.size
            self._shrink()
            self.note(seen, request)
            return seen

    def note(self, seen: SeenExchange, part: Passed) -> None:
        """A part of an exchange passes."""
        with self.lock:
            if not seen.forgotten:
                self._backlog.add(seen, self._now() - self._start, part)
                if self._backlog.is_full:
                    # Answers go out faster than they are taken apart: forget the oldest, as would happen soon.
                    newest = next(reversed(self._kept), 0)
                    while self._backlog.is_full:
                        oldest = self._backlog.first
                        if oldest.forgotten or oldest.number == newest:
                            self._read_next()
                        else:
                            self._forget(oldest)

    # What has passed

    def set_clock(self, now: Callable[[], float]) -> None:
        """Take the moments of what follows from another clock, which begins at 0."""
        self._now, self._start = now, 0.0

    def catch_up(self, seconds: float = math.inf) -> None:
        """Take apart what was noted, for about `seconds`."""
        end = self._now() + seconds
        with self.lock:
            while self._backlog:
                self._read_next()
                if self._now() >= end:
                    return

    def _read_next(self) -> None:
        seen, moment, part = self._backlog.take()
        if seen.forgotten:
            return
        if isinstance(part, Request):
            self._learn(part)
            seen.open()
            seen.order = self._api.read_order(part)
            named = self._protocol.is_resume(part)
            if named is None:
                seen.run = self._api.read_subject(part)
            else:
                seen.run, seen.cursor = named
                self._find_earlier(seen)
            seen.is_told = True
            self.tell(describe_request(seen))
        elif isinstance(part, Head):
            seen.take_head(*part)
            self.tell(describe_head(seen))
        elif isinstance(part, Ending):
            self._read_end(seen, part, moment)
        else:
            frames, kept = seen.take_chunks(part.chunks[part.start : part.end], moment)
            self._size += kept
            for frame in frames:
                value = object_or_none(frame.data)
                if len(seen.events) < self._bounds[1]:
                    seen.take_event(frame, value, self._protocol, moment)
                    self._events += 1
                    self.tell(describe_event(seen, len(seen.events) - 1))
                    if seen.cursor is not None and value is not None:
                        seen.unjudged.append(value)
                        self._resumed[seen.number] = seen
                else:
                    seen.more_events += 1
                if value is not None:
                    self._follow(seen, value, moment)
            self._shrink()

    def _find_earlier(self, seen: SeenExchange) -> None:
        if seen.cursor is None:
            return
        for earlier in (one for one in reversed(self._kept.values()) if one.run == seen.run):
            column = next((event.column + 1 for event in earlier.events if event.cursor == seen.cursor), None)
            if column is not None:
                seen.after, seen.column = earlier.number, column
                seen.columns, seen.next_column = earlier.columns, column
                return

    def _read_end(self, seen: SeenExchange, ending: Ending, moment: float) -> None:
        seen.ending = ending
        seen.exchange = seen.recorder.finish(ending, moment - seen.began)
        if not seen.is_stream and (value := object_or_none(seen.exchange.body)) is not None:
            self._follow(seen, value, moment)
        if seen.status is not None and seen.status >= 400:
            seen.error = self._api.format_answer(seen.exchange).removeprefix(f"{seen.status} ")
        self._ended.append(seen)
        self._resumed.pop(seen.number, None)
        self.tell(describe_end(seen))
        if seen.is_stream and seen.cursor is None and seen.run:
            streams = [one for one in self._kept.values() if one.is_stream and one.run == seen.run]
            # A stream that brings what the first one brought moves no other: one that is read again and again
            # would cost the square of its times.
            if len(streams) > 1 and not seen.repeats(min(streams, key=place_in_run)):
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
        del self._kept[seen.number]
        self._resumed.pop(seen.number, None)
        self._events -= len(seen.events)
        self._size -= seen.size
        self.dropped += 1
        if seen.is_told:
            self._tell_dropped(seen.number)

    def _tell_dropped(self, number: int) -> None:
        self._dropped_told = self.dropped
        self.tell({"is": "dropped", "n": number, "total": self.dropped})

    def clear(self) -> None:
        """Forget everything; numbers go on."""
        with self.lock:
            for seen in self._kept.values():
                seen.forgotten = True
            self._kept.clear()
            self._runs.clear()
            self._ended.clear()
            self._resumed.clear()
            self._events = self._size = self.dropped = self._dropped_told = self.unseen = self.missed = 0
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
            shown = [seen for seen in self._kept.values() if seen.is_told]
            changes = [change for seen in shown for change in describe_all(seen)]
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

    def take_resumed(self) -> list[tuple[SeenExchange, list[dict[str, Any]]]]:
        """The resumed streams that go on, each with its events since the last call."""
        with self.lock:
            taken = [(seen, seen.unjudged) for seen in self._resumed.values()]
            for seen, _ in taken:
                seen.unjudged = []
            self._resumed.clear()
            return taken

    def keep_findings(self, seen: SeenExchange, findings: tuple[Change, ...]) -> None:
        """Keep what is wrong with an exchange, beside what was known to be, and tell it."""
        with self.lock:
            fresh = tuple(one for one in findings if one not in seen.findings)
            seen.findings += fresh
            if fresh:
                self.tell({"is": "findings", "n": seen.number, "findings": list(seen.findings)})

    def find_guilty(self, seen: SeenExchange, finding: Finding) -> SeenExchange:
        """The exchange that a finding about several is about: often an earlier one, which a later one shows.

        What only a comparison of streams shows is wrong with the resume, not with the stream or the result that it
        is compared with.
        """
        of_resume = finding.rule.startswith("resume.")
        compares = of_resume or (finding.rule.startswith("stream.") and not seen.is_stream)
        if not compares or seen.cursor is not None or not seen.run:
            return seen
        with self.lock:
            streams = [one for one in self._kept.values() if one.is_stream and one.run == seen.run]
        earlier = [one for one in streams if one.number < seen.number]
        resumed = [one for one in earlier if one.cursor is not None]
        return next(reversed(resumed or ([] if seen.is_stream else earlier)), seen)
