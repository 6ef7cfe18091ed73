"""Judges what has passed by the contract, so that a finding stands beside the event that breaks it.

Layer 6. Knows the judges of an `Api`. Runs when a page asks for news, never while an answer is served. What a
fault plan did to an answer is nobody's defect: of such an answer, only what came before a cut is compared. A
refusal may be what the client deserved, and only the client knows what it meant, so the history skips refusals.
"""

from __future__ import annotations

import time

from harness.faults.values import Cut
from harness.inspector.changes import Change
from harness.inspector.seen_exchange import SeenExchange
from harness.inspector.traffic import SeenTraffic
from harness.kit.api import Api, ApiContract
from harness.outcome import Finding, Severity

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
            found = self.judge(seen)
            if found:
                self._traffic.keep_findings(seen, tuple(map(self._describe, found[:_MOST_FINDINGS])))

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

    def _describe(self, finding: Finding) -> Change:
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
