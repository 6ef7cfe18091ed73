"""The stream of changes for one page, as server-sent events: first all that is kept, then what happens.

Layer 6. A body: it looks, pauses, and looks again, so it costs a carrier nothing but a timer. Many changes share
one event. Everything is masked here, on its way out.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

from harness.faults.values import Cut
from harness.inspector.seen_exchange import Change, Listener, SeenExchange
from harness.inspector.traffic import SeenTraffic
from harness.kit.api import Api, ApiContract
from harness.outcome import Finding, Severity
from harness.wire import Chunk, Pause, Piece, encode
from harness.wire.mask import Mask

# Judges what has passed by the contract, so that a finding stands beside the event that breaks it.
# Knows the judges of an `Api`. Runs when a page asks for news, never while an answer is served. What a fault
# plan did to an answer is nobody's defect: of such an answer, only what came before a cut is compared. A
# refusal may be what the client deserved, and only the client knows what it meant, so the history skips
# refusals.


_MOST_FINDINGS = 20


class TrafficJudge:
    """Judges the exchanges that pass. `sees_all`: no request reaches the target any other way."""

    def __init__(self, api: Api, contract: ApiContract, traffic: SeenTraffic, *, sees_all: bool) -> None:
        self._api = api
        self._contract = contract
        self._traffic = traffic
        self._sees_all = sees_all
        self._rules = api.load_rules()
        self._missing = (-1, -1)
        self._begin()

    def _begin(self) -> None:
        """Begin a history; one that misses requests must not require anything of their absence."""
        self._missing = self._traffic.unseen, self._traffic.missed
        self._history = self._api.new_history_judge(self._contract, self._sees_all and not any(self._missing))

    def judge_ended(self, seconds: float) -> None:
        """Judge the exchanges that have ended since, for about so many seconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and (seen := self._traffic.take_ended()) is not None:
            found: dict[int, tuple[SeenExchange, list[Change]]] = {}
            for finding in self.judge(seen)[:_MOST_FINDINGS]:
                guilty = self._traffic.find_guilty(seen, finding)
                told = self.describe(finding)
                if guilty is not seen:  # `event` counts in the stream that shows it
                    told |= {"shown_by": seen.number, "event": guilty.find_event(finding.where.event)}
                found.setdefault(guilty.number, (guilty, []))[1].append(told)
            for guilty, findings in found.values():
                self._traffic.keep_findings(guilty, tuple(findings))

    def judge(self, seen: SeenExchange) -> list[Finding]:
        """What is wrong with an exchange that has ended."""
        exchange = seen.exchange
        if exchange is None or exchange.truncated:
            return []
        reading = self._api.read(exchange, self._contract)
        if not reading.call:
            return []
        faults = seen.suffered.fired if seen.suffered is not None else ()
        found = [] if faults else [*reading.findings]
        if (self._traffic.unseen, self._traffic.missed) != self._missing:
            self._begin()
        is_cut = not exchange.ending.complete and all(isinstance(fault, Cut) for fault in faults)
        if exchange.succeeded and (is_cut or not faults):
            found += self._history.note(exchange).findings
        return [finding for finding in found if finding.severity is not Severity.INFORMATION]

    def reset(self) -> None:
        """Forget the history, because the target has forgotten it."""
        self._begin()

    def describe(self, finding: Finding) -> Change:
        """A finding as a page is told of it."""
        rule = self._rules.get(finding.rule)
        described: Change = {
            "rule": finding.rule,
            "code": finding.stable_code,
            "severity": str(finding.severity),
            "message": finding.message,
            "expected": finding.expected,
            "actual": finding.actual,
            "event": finding.where.event,
            "pointer": finding.where.pointer,
        }
        if rule is not None:
            source = rule.source
            described |= {
                "level": str(rule.level), "breaks": rule.breaks, "source": str(source), "url": source.url,
            }  # fmt: skip
        return described


LOOK_SECONDS = 0.05
"""How long the feed waits at least before it looks again."""

_WORK_SECONDS = 0.01
"""About how long it takes apart, and then judges, what has passed, before it tells the page."""
_RESTS = 4
"""It rests so many times as long as it worked, so that a page takes no more than a fifth of a server's time."""
_LONGEST_REST = 1.0

_BATCH = 500
_QUIET_LOOKS = 200
"""Looks without news after which a comment is sent, so that a page notices a dead connection."""


class Feed:
    """The body of the answer to one page. `state` is what can be acted on, told whenever it changes."""

    def __init__(
        self, traffic: SeenTraffic, judge: TrafficJudge, mask: Mask, hello: Change, state: Callable[[], Change]
    ) -> None:
        self._traffic = traffic
        self._judge = judge
        self._masker = MaskedChanges(mask)
        self._hello = hello
        self._state = state
        self._told: Change | None = None
        self._listener: Listener | None = traffic.listen()
        self._waiting: list[Change] = self._tell_all()
        self._rest_due = False
        self._spent = 0.0
        self._quiet = 0

    def __iter__(self) -> Iterator[Piece]:
        return self

    def __next__(self) -> Piece:
        if self._rest_due:
            self._rest_due = False
            rest, self._spent = _RESTS * self._spent, 0.0
            return Pause(min(max(LOOK_SECONDS, rest), _LONGEST_REST))
        began = monotonic()
        news = self._tell()
        self._spent += monotonic() - began
        return next(self) if news is None else news

    def _tell(self) -> Chunk | None:
        """The next changes; None if there is nothing to say."""
        if not self._waiting:
            self._waiting = self._look()
        batch, self._waiting = self._waiting[:_BATCH], self._waiting[_BATCH:]
        self._rest_due = not self._waiting
        self._quiet = 0 if batch else (self._quiet + 1) % _QUIET_LOOKS
        if batch:
            return Chunk(encode(None, self._masker.encode(batch)))
        return None if self._quiet else Chunk(b": quiet\n\n")

    def _look(self) -> list[Change]:
        if self._listener is None:
            return []
        self._traffic.catch_up(_WORK_SECONDS)
        self._judge.judge_ended(_WORK_SECONDS)
        changes = self._listener.take()
        if changes is None:
            return self._tell_all()
        return [*changes, *self._tell_changed_state()]

    def _tell_all(self) -> list[Change]:
        traffic = self._traffic
        with traffic.lock:
            hello = {
                **self._hello, "is": "hello", "unseen": traffic.unseen, "dropped": traffic.dropped,
                "now": traffic.seconds,
            }  # fmt: skip
            if self._listener is not None:
                self._listener.take()  # it is in what follows
            changes = traffic.describe()
        self._told = None
        return [hello, *changes, *self._tell_changed_state(), {"is": "ready"}]

    def _tell_changed_state(self) -> list[Change]:
        state = self._state()
        if state == self._told:
            return []
        self._told = state
        return [{"is": "state", **state}]

    def close(self) -> None:
        """The page is gone: nobody listens any more."""
        if self._listener is not None:
            self._traffic.leave(self._listener)
            self._listener = None


class MaskedChanges:
    """Writes changes as JSON in which no secret is left; remembers the texts of events, which repeat."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._names: dict[str, str] = {}

    def encode(self, changes: list[Change]) -> bytes:
        """The changes as one JSON array."""
        return json.dumps([self._mask_change(change) for change in changes], ensure_ascii=False).encode(
            "utf-8", "replace"
        )

    def _mask_change(self, change: Change) -> Any:
        if change["is"] == "event":
            return {**change, "name": self._name(change["name"]), "cursor": self._mask.text(change["cursor"])}
        return self._mask.tree(change)

    def _name(self, name: str) -> str:
        masked = self._names.get(name)
        if masked is None:
            masked = self._mask.text(name)
            if len(self._names) < 1000:
                self._names[name] = masked
        return masked
