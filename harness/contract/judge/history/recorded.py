"""Judges several recorded exchanges about the same interactions: what they say must agree.

Layer 1, pure. Works on what was recorded, in the order of the requests, and requires nothing that a recording may
lack; other clients may have acted in between.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.contract.contract import Contract
from harness.contract.judge.history.history_judge import HistoryJudge
from harness.outcome import Finding, Judgement, Severity
from harness.wire import Exchange

Named = tuple[str, Exchange]


def judge_history(exchanges: Iterable[Named], contract: Contract) -> list[Finding]:
    """Findings about all the named exchanges of a recording, which may be about several interactions."""
    return judge_recorded(exchanges, contract).findings


def judge_recorded(exchanges: Iterable[Named], contract: Contract) -> Judgement:
    """The same findings, and how often each rule was looked at."""
    judge = HistoryJudge(contract, sole_client=False)
    whole = Judgement()
    for name, exchange in exchanges:
        judgement = judge.note(exchange)
        told = (found for found in judgement.findings if found.severity is not Severity.INFORMATION)
        whole.findings += [finding.at(exchange=name) for finding in told]
        whole.judged.update(judgement.judged)
    return whole
