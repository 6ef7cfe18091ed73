"""Judges several exchanges that nobody asked for as a history: what they say of one interaction must agree.

Layer 1, pure. A recording is judged in the order of the requests, and needs nothing that it may lack, because
other clients may have acted in between. The trail of an exercise holds all that one client of the harness sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.contract.contract import Contract
from harness.contract.judge.history.history_judge import HistoryJudge
from harness.contract.judge.history.history_state import Intent
from harness.contract.judge.reading import read
from harness.contract.requests import KEY_HEADER
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


HEARD = frozenset(
    [
        "bg.grows",
        "bg.no-regress",
        "bg.result",
        "bg.same-id",
        "bg.transition",
        "bg.updated",
        "cancel.keeps-background-result",
        "cancel.keeps-result",
        "cancel.state",
        "cancel.stays",
        "cancel.stream-ends",
        "chain.own-steps",
        "create.completed-has-output",
        "create.final",
        "create.id",
        "create.no-stream-json",
        "get.constant",
        "get.matches-post",
        "get.same",
        "get.usage",
        "http.ct-stream",
        "resume.exclusive",
        "resume.ids-stable",
        "resume.no-gap",
        "resume.replay",
        "resume.same-id",
        "stream.end-matches-get",
        "stream.equals-get",
        "stream.text",
        "tool.requires-action",
        "tool.stream-status",
    ]
)
"""The rules by which a trail is judged: what the answers show, never whether a request had to be accepted."""

_UNDECIDED = Intent(final=False)
"""Nobody says what a request meant, nor whether what it asks about has had the time to be visible."""


def judge_trail(trail: Sequence[Exchange], contract: Contract) -> Iterator[tuple[Exchange, Finding]]:
    """What the exchanges of one exercise contradict each other in, each with the exchange that shows it.

    They come in the order in which they ended. Each caller has a history: what another key sees is another story.
    """
    judges: dict[tuple[str, str], HistoryJudge] = {}
    torn: set[str] = set()  # interactions whose events contradict each other: later readings follow from that
    for exchange in trail:
        caller = (exchange.request.headers.get(KEY_HEADER), exchange.request.segments[0])
        if caller not in judges:
            judges[caller] = HistoryJudge(contract, sole_client=True)
        if exchange.excuse or exchange.truncated or not read(exchange).call:
            continue
        for finding in judges[caller].note(exchange, _UNDECIDED).findings:
            if finding.rule not in HEARD or finding.severity is Severity.INFORMATION:
                continue
            if finding.rule.startswith("resume."):
                if (identity := exchange.request.segments[-1]) in torn:
                    continue
                torn.add(identity)
            yield exchange, finding
