"""Judges a single response, whatever came before it: the API's own judgement, and two rules for any service.

Layer 4, pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.engine.search.rules import ANSWERED, NO_CRASH
from harness.kit.search import SearchModel
from harness.outcome import Finding, Severity
from harness.wire import By, Exchange, How
from harness.wire.message import BUSY

_STUCK = frozenset({How.STALL, How.TIMEOUT})


def judge_exchange(exchange: Exchange, key: str, model: SearchModel) -> Iterator[Finding]:
    """The findings on one exchange; `key` is the caller's key, which no error may repeat."""
    ending = exchange.ending
    if exchange.excuse:
        return
    how = f"{ending.how} {ending.detail}".strip()
    if exchange.status is None:
        late = f" within {exchange.seconds:.1f} s" if exchange.hung else ""
        yield Finding(ANSWERED, f"no answer came{late}", "a response", how)
        return
    if ending.how in _STUCK or ending.by is By.LIMIT:
        yield Finding(ANSWERED, "the answer never ended", "an end", how)
    if exchange.status >= 500 and exchange.status not in BUSY | {501}:
        yield Finding(NO_CRASH, "the service failed", "an answer below 500", str(exchange.status))
    yield from filter(is_accusation, model.judge_answer(exchange, key))


def is_accusation(finding: Finding) -> bool:
    """Whether a finding says that something is wrong, not only that it is worth knowing."""
    return finding.severity is not Severity.INFORMATION
