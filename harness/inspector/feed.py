"""The stream of changes for each page, as server-sent events: first all that is kept, then what happens.

A body: it looks, pauses, and looks again, so it costs a carrier nothing but a timer. Many changes share one event.
Everything is masked here, on its way out. All pages share one `News`, which takes apart, judges, masks and writes
each change once: many open pages cost the streams that are served little more than one.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Iterator

from harness.faults.cut_faults import Cut
from harness.inspector.seen_exchange import Change, SeenExchange
from harness.inspector.traffic import SeenTraffic
from harness.kit.api import ApiContract, TrafficApi
from harness.outcome import Finding, Judgement, Level, Severity
from harness.wire import COMPLETE, Chunk, Pause, Piece, encode
from harness.wire.mask import Mask

# Judges what has passed by the contract, so that a finding stands beside the event that breaks it.
# Knows the judges of a `TrafficApi`. Runs when a page asks for news, never while an answer is served. What a fault
# plan did to a response is no defect: of such a response, only what came before a cut is compared. A
# refusal may be what the client deserved, and only the client knows what it meant, so the history skips
# refusals.


class TrafficJudge:
    """Judges the exchanges that pass. `sees_all`: no request reaches the target any other way."""

    def __init__(self, api: TrafficApi, contract: ApiContract, traffic: SeenTraffic, *, sees_all: bool) -> None:
        self._api = api
        self._contract = contract
        self._traffic = traffic
        self._sees_all = sees_all
        self._rules = api.load_rules()
        self._missing = (-1, -1)
        self.begin()

    def begin(self) -> None:
        """Begin a history; one that misses requests must not require anything of their absence."""
        self._missing = self._traffic.unseen, self._traffic.missed
        self._followed: dict[int, Callable[[list[Change]], Judgement] | None] = {}
        self._history = self._api.new_history_judge(
            self._contract, sole_client=self._sees_all and not any(self._missing)
        )

    def judge_ended(self, seconds: float) -> None:
        """Judge what has ended since the last call, for about `seconds`, then the resumes that go on."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if (seen := self._traffic.take_ended()) is None:
                for resumed, events in self._traffic.take_resumed():
                    self._keep(resumed, self._judge_events(resumed, events))
                return
            self._followed.pop(seen.number, None)
            self._keep(seen, self.judge(seen))

    def _judge_events(self, seen: SeenExchange, events: list[Change]) -> list[Finding]:
        """The findings about a part of a resumed stream, unless a fault plan may change its events."""
        faults = seen.suffered.faults if seen.suffered is not None else ()
        if seen.number not in self._followed and all(isinstance(fault, Cut) for fault in faults):
            is_first = len(events) == len([event for event in seen.events if event.look != "done"])
            self._followed[seen.number] = self._history.follow(seen.request) if is_first else None
        follow = self._followed.get(seen.number)
        return [] if follow is None else follow(events).findings

    def _keep(self, seen: SeenExchange, judged: list[Finding]) -> None:
        """Keep findings about an exchange, each at the exchange and the event that it is about."""
        found: dict[int, tuple[SeenExchange, list[Change]]] = {}
        for finding in judged[:20]:
            guilty = self._traffic.find_guilty(seen, finding)
            change = self.describe(finding)
            if guilty is not seen:  # `event` counts in the stream that shows it
                change |= {"shown_by": seen.number} | guilty.place_finding(finding.where.event)
            elif finding.actual == "nothing" and "missing" in (place := seen.place_finding(finding.where.event)):
                change |= place
            found.setdefault(guilty.number, (guilty, []))[1].append(change)
        for guilty, findings in found.values():
            self._traffic.keep_findings(guilty, tuple(findings))

    def judge(self, seen: SeenExchange) -> list[Finding]:
        """The findings about an exchange that has ended."""
        exchange = seen.exchange
        if exchange is None or exchange.truncated:
            return []
        reading = self._api.read(exchange, self._contract)
        if not reading.call:
            return []
        faults = seen.suffered.fired if seen.suffered is not None else ()
        found = [] if faults else [*reading.findings]
        if (self._traffic.unseen, self._traffic.missed) != self._missing:
            self.begin()
        is_cut = not exchange.ending.complete and all(isinstance(fault, Cut) for fault in faults)
        if exchange.succeeded and (is_cut or not faults):
            found += self._history.note(exchange).findings
        return [finding for finding in found if finding.severity is not Severity.INFORMATION]

    def describe(self, finding: Finding) -> Change:
        rule = self._rules.get(finding.rule)
        level = Level.MUST if rule is None else rule.level
        weight = "fail" if level is Level.MUST and finding.severity is Severity.BROKEN else "warn"
        if level is Level.MAY:  # no server has to meet it
            weight = "note"
        described: Change = {
            "rule": finding.rule,
            "code": finding.stable_code,
            "severity": str(finding.severity),
            "weight": weight,
            "message": finding.message,
            "expected": finding.expected,
            "actual": finding.actual,
            "event": finding.where.event,
            "pointer": finding.where.pointer,
        }
        if rule is not None:
            source = rule.source
            breaks = rule.breaks if finding.severity is Severity.BROKEN else ""
            described |= {
                "level": str(rule.level), "broken": rule.broken, "breaks": breaks,
                "source": str(source), "url": source.url,
            }  # fmt: skip
        return described


LOOK_SECONDS = 0.1
"""How long the pages wait at least before one of them looks again: all their work takes a tenth of the time."""

_WORK_SECONDS = 0.01
"""About how long a look takes apart, and then judges, what has passed: pages must not take a server's time."""

_BATCH = 500
_MOST_BATCHES = 1000


class News:
    """The changes for all pages: numbered batches of changes, each written by the first page that reads it.

    `state` is the state of the actions, sent whenever it changes. `rounds` counts the looks at the traffic, `lost`
    how often changes were lost, `spent` the seconds of the last look and of writing what it found. `is_last` once
    nothing more is to come: a page that has read all is at its end.
    """

    def __init__(
        self, traffic: SeenTraffic, judge: TrafficJudge, mask: Mask, state: Callable[[], Change] = dict
    ) -> None:
        self._traffic = traffic
        self._judge = judge
        self._mask = mask
        self._state = state
        self._told: Change | None = None
        self._batches: deque[list[Change] | Chunk] = deque()
        self._sizes: deque[int] = deque()
        self._changes = self._first = 0
        self.rounds = self.lost = 0
        self.spent = 0.0
        self.is_last = False

    def read_traffic(self) -> None:
        """Take apart and judge what has passed, for a while, and add what is new."""
        self.rounds += 1
        began = time.monotonic()
        self._traffic.catch_up(_WORK_SECONDS)
        self._judge.judge_ended(_WORK_SECONDS)
        self._add_changes()
        state = self._state()
        if state != self._told:
            self._told = state
            self._add([{"is": "state", **state}])
        self.spent = time.monotonic() - began

    def begin(self) -> tuple[list[Change], int]:
        """Return all that is kept, for a page that begins, and the number of the first batch after it."""
        traffic = self._traffic
        with traffic.lock:
            self._add_changes()  # it is in what follows
            hello = {
                "is": "hello", "unseen": traffic.unseen, "dropped": traffic.dropped, "now": traffic.seconds,
            }  # fmt: skip
            changes = [hello, *traffic.describe(), {"is": "state", **self._state()}, {"is": "ready"}]
            return changes, self._first + len(self._batches)

    def read(self, number: int) -> Chunk | None:
        """Return a batch; None if there is no such batch yet. Raises LookupError if it is not kept any more."""
        place = number - self._first
        if place < 0:
            raise LookupError
        if place >= len(self._batches):
            return None
        batch = self._batches[place]
        if isinstance(batch, list):
            batch = self._batches[place] = self.write(batch)
        return batch

    def write(self, changes: list[Change]) -> Chunk:
        """Return changes as one JSON array without secrets. An event, of which there are many, has two texts."""
        began, mask = time.monotonic(), self._mask
        masked = [
            {**change, "name": mask.text(change["name"]), "cursor": mask.text(change["cursor"])}
            if change["is"] == "event"
            else mask.tree(change)
            for change in changes
        ]
        chunk = Chunk(encode(None, json.dumps(masked, ensure_ascii=False).encode("utf-8", "replace")))
        self.spent += time.monotonic() - began
        return chunk

    def _add_changes(self) -> None:
        changes = self._traffic.take_changes()
        if changes is None:
            self.lost += 1
        else:
            for at in range(0, len(changes), _BATCH):
                self._add(changes[at : at + _BATCH])

    def _add(self, changes: list[Change]) -> None:
        """Add a batch; the oldest are given up if a page has not read them for long."""
        self._batches.append(changes)
        self._sizes.append(len(changes))
        self._changes += len(changes)
        while self._changes > self._traffic.most_changes or len(self._batches) > _MOST_BATCHES:
            self._batches.popleft()
            self._changes -= self._sizes.popleft()
            self._first += 1


class Feed:
    """The body of the answer to one page; `hello` are the facts that it begins with."""

    def __init__(self, traffic: SeenTraffic, news: News, hello: Change) -> None:
        self._traffic = traffic
        self._news = news
        self._hello = hello
        self._is_open = True
        traffic.listen()
        self._begin()
        self._rounds = news.rounds
        self._rest = 0.0
        self._quiet = 0

    def _begin(self) -> None:
        self._own, self._at = self._news.begin()
        self._own[0] |= self._hello
        self._lost = self._news.lost

    def __iter__(self) -> Iterator[Piece]:
        return self

    def __next__(self) -> Piece:
        news = self._news
        is_last = news.is_last
        if self._rest > 0 and not is_last:
            part = min(self._rest, 0.5)  # a server that ends waits 1 s for its pages
            self._rest -= part
            return Pause(part)
        piece = self._read()
        # Unless another page looked during the rest.
        if piece is None and self._is_open and (is_last or self._rounds == news.rounds):
            news.read_traffic()
            piece = self._read()
        if piece is None and is_last:
            return COMPLETE
        if piece is None:
            self._rest, self._rounds = max(LOOK_SECONDS, 9 * news.spent), news.rounds
        # A comment after so many pauses without news: a page notices a dead connection.
        self._quiet = (self._quiet + 1) % 100 if piece is None else 0
        if piece is not None:
            return piece
        return next(self) if self._quiet else Chunk(b": quiet\n\n")

    def _read(self) -> Chunk | None:
        """Return the next batch for this page; None if it has read all."""
        if self._lost != self._news.lost:
            self._begin()
        if self._own:
            batch, self._own = self._own[:_BATCH], self._own[_BATCH:]
            return self._news.write(batch)
        try:
            chunk = self._news.read(self._at)
        except LookupError:  # too slow: what it has not read is gone
            self._begin()
            return self._read()
        self._at += chunk is not None
        return chunk

    def close(self) -> None:
        """The page is gone: it listens no more."""
        if self._is_open:
            self._is_open = False
            self._traffic.leave()
