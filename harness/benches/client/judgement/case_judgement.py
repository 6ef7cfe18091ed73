"""Judges a case: what the client did wrong, if anything, and in a word how it came out.

Layer 5. `causes` judges results; here is decided what a client that reports a failure, a status or nothing at all
did.
"""

from __future__ import annotations

from typing import NamedTuple

from harness.benches.client.case_server import limit_requests
from harness.benches.client.judgement.attempt import ClientAttempt
from harness.benches.client.judgement.causes import judge_knowledge
from harness.benches.client.judgement.outcome import (
    CONTEXT,
    CREATES_ONCE,
    ENDS,
    ONCE,
    OUTCOMES,
    READS,
    RECOVERS,
    STANDS,
    STATUS,
    WHOLE,
    DropOutcome,
)
from harness.benches.client.process.client_commands import ClientResult
from harness.kit.client_model import DOUBLE_CREATE, TWICE, UNFINISHED
from harness.outcome import Finding, Severity
from harness.outcome.words import format_count


class CaseVerdict(NamedTuple):
    """How a client came out; `finding` is what it did wrong, a phrase with the client as its subject."""

    outcome: DropOutcome
    finding: Finding | None = None


def judge_case(
    attempt: ClientAttempt, ended: ClientResult, *, asked_for_ever: bool, usual: int | None = None
) -> CaseVerdict:
    """How the client came out of a case that has ended; `usual` is how often it asks when nothing happens."""
    if asked_for_ever:
        most = limit_requests(attempt.case)
        return _blame(ENDS, "requests", f"sent more than {most} requests for one stream and was stopped")
    if ended.stopped:
        return _blame(ENDS, "output" if ended.flooded else "time", f"{ended.stopped} and was stopped")
    if ended.error:
        return _judge_failure(attempt, ended)
    model = attempt.api.load_client_model()
    if ended.status and not model.is_final(ended.status):
        if attempt.case.hopeless:
            return CaseVerdict(DropOutcome.COULD_NOT)
        return _blame(RECOVERS, "reported", f"ended with a status that is not final: {ended.status}")
    judged = _judge_success(attempt, ended)
    if judged.finding is None and attempt.only_noise and usual is not None and len(attempt.received) > usual:
        more = format_count(len(attempt.received) - usual, "more request")
        return _blame(READS, "asked-again", f"needed {more}, though the stream was whole and legal")
    return judged


def _judge_failure(attempt: ClientAttempt, ended: ClientResult) -> CaseVerdict:
    if ended.crashed:
        return _blame(STANDS, "crashed", f"crashed: {ended.error}")
    if attempt.could_not:
        return CaseVerdict(DropOutcome.COULD_NOT)
    if attempt.knows_end and attempt.status not in attempt.api.load_client_model().quiet:
        return _pass_attempt(attempt)
    return _blame(RECOVERS, "reported", f"gave up: {ended.error}")


def _judge_success(attempt: ClientAttempt, ended: ClientResult) -> CaseVerdict:
    if (forgot := attempt.find_lost_context()) is not None:
        return _blame(CONTEXT, forgot.word, forgot.text)
    if attempt.missed_turn and not attempt.created_again:
        return _blame(WHOLE, UNFINISHED, "reports success, though its further turn never got an answer")
    if _says_little(attempt, ended) and not attempt.created_again:
        defect = judge_knowledge(attempt.api, attempt.received)
    else:
        defect = attempt.find_defect(attempt.text if ended.collected is None else ended.collected)
    if defect is not None:
        rule = {TWICE: ONCE, DOUBLE_CREATE: CREATES_ONCE}.get(defect.word, WHOLE)
        return _blame(rule, defect.word, defect.text)
    status, words = attempt.status, attempt.api.load_client_model().words
    if ended.status and status and ended.status != status:
        return _blame(STATUS, "wrong-status", f"reports the status {ended.status}: the {words.run} is {status}")
    if not ended.status and status and status not in attempt.api.load_client_model().quiet:
        said = f"reports success without a status: the {words.run} is {status}"
        return _blame(STATUS, "untold", said, Severity.NON_STRICT)
    return _pass_attempt(attempt)


def _says_little(attempt: ClientAttempt, ended: ClientResult) -> bool:
    """Whether there is nothing to compare: only a status was reported, or a run without text was read as text."""
    return ended.collected is None or (ended.collected == "" and not attempt.text)


def _pass_attempt(attempt: ClientAttempt) -> CaseVerdict:
    return CaseVerdict(DropOutcome.RECOVERED if attempt.came_back else DropOutcome.EXACT)


def _blame(rule: str, word: str, message: str, severity: Severity = Severity.BROKEN) -> CaseVerdict:
    code = f"{rule}/{word}"
    return CaseVerdict(OUTCOMES[code], Finding(rule, message, code=code, severity=severity))
