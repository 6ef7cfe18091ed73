"""Judges a case: what the client did wrong, if anything, and in a word how it came out.

`attempt` judges results; here is decided what a client did that reports a failure, a status or nothing.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from harness.benches.client.client_commands import ClientResult
from harness.benches.client.judgement.attempt import ClientAttempt
from harness.benches.client.judgement.outcome import (
    CALLS,
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
from harness.benches.client.judgement.received_responses import describe_unread
from harness.kit.client_model import DOUBLE_CREATE, STOPPED, TWICE, UNFINISHED
from harness.outcome import Finding, Severity
from harness.outcome.words import format_count


class CaseVerdict(NamedTuple):
    """How a client came out; `finding` is what it did wrong, a phrase with the client as its subject."""

    outcome: DropOutcome
    finding: Finding | None = None


def judge_case(attempt: ClientAttempt, ended: ClientResult, *, usual: int | None = None) -> CaseVerdict:
    """How the client came out of a case that has ended; `usual` is how often it asks when nothing happens."""
    attempt.note_left()
    if attempt.asked_for_ever:
        most = attempt.case.most_requests
        stopped = f"sent more than {most} requests in one case and was stopped{attempt.explain_endless()}"
        return _blame(ENDS, "requests", stopped)
    if ended.stopped:
        if not ended.flooded and attempt.was_served(ended.seconds):  # slow are the faults and the machine
            slow = f"{ended.stopped} and was stopped while its stream arrived: allow more time (--timeout)"
            return _blame(ENDS, "time", slow, Severity.NON_STRICT)
        word, why = ("output", "") if ended.flooded else ("time", attempt.explain_endless())
        return _blame(ENDS, word, f"{ended.stopped} and was stopped{why}")
    wrong = attempt.find_wrong_call()
    if wrong is not None and wrong.word != STOPPED:  # it explains a refusal, too
        return _blame(CALLS, wrong.word, wrong.text)
    if ended.error:
        if attempt.noise and attempt.status in attempt.model.quiet:
            word, verb = ("crashed", "crashed on") if ended.crashed else ("gave-up", "gave up on")
            legal = f"{verb} a stream that was whole and legal, with {attempt.noise}"
            return _blame(READS, word, f"{legal}: {ended.error}")
        if ended.crashed:
            return _blame(STANDS, "crashed", f"crashed: {ended.error}")
        if again := attempt.describe_double_create():  # to report it in the end takes nothing back
            return _blame(CREATES_ONCE, DOUBLE_CREATE, again)
        if attempt.could_not:
            return CaseVerdict(DropOutcome.COULD_NOT)
        if attempt.judge_knowledge() is None:
            # An error is what a client may make of the status in which the run ended. Where the run waits for its
            # client, it must name the status: any other one has another cause.
            status, waiting = attempt.status, attempt.model.waiting
            if status not in attempt.model.quiet or (status in waiting and status in ended.error):
                return _pass_attempt(attempt)
        report = f"gave up: {ended.error.rstrip('.')}"
        read = [one.exchange for one in attempt.received if _UNREADABLE.search(ended.error)]
        split = attempt.model.find_split_call(read)
        return _blame(RECOVERS, "reported", "; ".join(filter(None, (report, attempt.explain_cursor(), split))))
    if ended.status and not attempt.model.is_final(ended.status):
        if attempt.case.hopeless:
            return CaseVerdict(DropOutcome.COULD_NOT)
        return _blame(RECOVERS, "reported", f"ended with a status that is not terminal: `{ended.status}`")
    judged = _judge_success(attempt, ended)
    return judged if judged.finding is not None else _judge_way(attempt, usual) or judged


def _judge_way(attempt: ClientAttempt, usual: int | None) -> CaseVerdict | None:
    """Judge the requests that led to the right result; None if nothing in them is wrong."""
    if unread := describe_unread(attempt.received):
        return _blame(READS, "asked-again", unread)
    # a client may have a limit of its own, which a busy machine reaches, and may poll once it has the whole text
    polls = attempt.polls_after_text if attempt.noise else []
    patient = [one for one in attempt.received if one.completes or (one not in polls and one.took - one.at < 1.0)]
    if attempt.noise and usual is not None and len(patient) > usual:
        more = format_count(len(patient) - usual, "more request")
        problem = f"needed {more}, although the stream was complete and legal, with {attempt.noise}"
        return _blame(READS, "asked-again", problem + attempt.explain_unread(), Severity.NON_STRICT)
    if attempt.was_refused_a_cursor and (wrong := attempt.explain_cursor()):
        problem = f"lost its stream and got the result in another way: {wrong}"
        return _blame(RECOVERS, "wrong-cursor", problem, Severity.NON_STRICT)
    hurried = attempt.find_hurried()
    return _blame(RECOVERS, "hurried", hurried, Severity.NON_STRICT) if hurried else None


_UNREADABLE = re.compile(r"json|syntax|decod|pars", re.IGNORECASE)
"""An error of a client that could not read what it received."""


def _judge_success(attempt: ClientAttempt, ended: ClientResult) -> CaseVerdict:
    if (forgot := attempt.find_lost_context()) is not None:
        return _blame(CONTEXT, forgot.word, forgot.text)
    if (wrong := attempt.find_wrong_call()) is not None:
        return _blame(CALLS, wrong.word, wrong.text)
    created_again = bool(attempt.describe_double_create())
    if attempt.missed_turn and not created_again:
        return _blame(WHOLE, UNFINISHED, "reports success, although its further turn got no response")
    # Nothing to compare: only a status was reported, or a run without text was read as text.
    says_little = ended.collected is None or (ended.collected == "" and not attempt.text)
    if says_little and not created_again:
        called = attempt.received and not attempt.received[-1].is_stream  # its status is judged below
        known = called and ended.status and attempt.status and ended.status != attempt.status
        defect = None if known else attempt.judge_knowledge()
        if defect is None and (unshown := attempt.describe_unshown()):
            return _blame(WHOLE, "unshown", unshown, Severity.NON_STRICT)
    else:
        defect = attempt.find_defect(attempt.text if ended.collected is None else ended.collected)
    if defect is not None:
        rule = {TWICE: ONCE, DOUBLE_CREATE: CREATES_ONCE}.get(defect.word, WHOLE)
        return _blame(rule, defect.word, defect.text)
    status, words = attempt.status, attempt.model.words
    reported = ended.status or attempt.find_status(ended.collected)
    if reported and status and reported != status:
        return _blame(STATUS, "wrong-status", f"reports the status `{reported}`: the {words.run} is `{status}`")
    if not reported and status and status not in attempt.model.quiet:
        problem = f"reports success without a status: the {words.run} is `{status}`"
        return _blame(STATUS, "untold", problem, Severity.NON_STRICT)
    return _pass_attempt(attempt)


def _pass_attempt(attempt: ClientAttempt) -> CaseVerdict:
    return CaseVerdict(DropOutcome.RECOVERED if attempt.came_back else DropOutcome.EXACT)


def _blame(rule: str, word: str, message: str, severity: Severity = Severity.BROKEN) -> CaseVerdict:
    code = f"{rule}/{word}"
    return CaseVerdict(OUTCOMES[code], Finding(rule, message, code=code, severity=severity))
