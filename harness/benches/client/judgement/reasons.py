"""Why the cases of a torture failed: each reason once, with one case and the line that repeats it.

The fixtures of pytest and the sessions of other languages judge, count and write with it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from harness.benches.client.cases import Case
from harness.benches.client.client_commands import ClientResult
from harness.benches.client.judgement.attempt import ClientAttempt
from harness.benches.client.judgement.case_verdict import judge_case
from harness.benches.client.judgement.outcome import (
    BLOCKS,
    ENDS,
    LEFT_OPEN,
    READS,
    RECOVERS,
    UNTOLD,
    WRONG_CURSOR,
    DropOutcome,
    is_allowed,
)
from harness.benches.client.judgement.received_responses import describe_unresumed
from harness.outcome import Severity
from harness.outcome.words import format_count

_WIRE_SHOWN = 8
_DIFFERENT = re.compile(
    r"'(?:[^'\\]|\\.){0,999}+'|\"(?:[^\"\\]|\\.){0,999}+\"|`[^`]*`|(?<=legal), with .*?\)(?=: |$)"
    r"|\(route [^)]*\)|\d+(?: more requests?)?"
)
_GAVE_UP = re.compile(r"gave up: [\w.]+")
"""The start of a message that quotes a client's own error: the class of it."""


@dataclass(frozen=True, slots=True)
class CaseFailure:
    """A client's defect in a case: the code of the finding, and its message with the client as subject."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class JudgedCase:
    """A case that has ended: how it came out, what is wrong, and if something is, what went over the wire."""

    number: int
    case: Case
    outcome: DropOutcome
    failures: tuple[CaseFailure, ...]
    wire: tuple[str, ...]


def judge_played(
    number: int,
    attempt: ClientAttempt,
    ended: ClientResult,
    *,
    usual: int | None,
    left_open: int,
    endless: str = "",
    blocks: Iterable[str] = (),
) -> JudgedCase:
    """Judge a case for a test: every broken rule is a failure; a lenient reading is none.

    A run that did not complete must not pass for one that did: a function can return the status or raise, while a
    command may only print its text.

    `usual` is the number of requests without a fault; None in the case without a fault itself. `left_open` is the
    number of responses that the client stopped reading and never closed. `endless` describes how it waited through
    a silence without a timeout, which explains all else. `blocks` are its calls that blocked an event loop.
    """
    if endless:
        hung = CaseFailure(f"{ENDS}/time", endless)
        return JudgedCase(number, attempt.case, DropOutcome.HUNG, (hung,), tuple(attempt.wire()))
    verdict = judge_case(attempt, ended, usual=usual)
    failures = []
    if (finding := verdict.finding) is not None:
        more = ""
        if finding.stable_code == UNTOLD:
            more = "; return the interaction or its status, or raise"
        elif finding.rule == RECOVERS and not attempt.explain_cursor():  # of a cursor the finding has the details
            more = "; it did not resume the dropped stream" if describe_unresumed(attempt.received) else ""
        unread = finding.stable_code == f"{READS}/asked-again" and bool(attempt.explain_unread())
        if unread or finding.stable_code in (UNTOLD, WRONG_CURSOR) or finding.severity is Severity.BROKEN:
            failures.append(CaseFailure(finding.stable_code, finding.message + more))
    if left_open:
        failures.append(
            CaseFailure(
                LEFT_OPEN,
                f"left {format_count(left_open, 'response')} open that it had stopped reading: close the "
                "response, or cancel its body; otherwise its connection is never given back",
            )
        )
    failures += [CaseFailure(BLOCKS, f"makes a blocking call: {call}") for call in blocks]
    wire = tuple(attempt.wire()) if failures else ()
    return JudgedCase(number, attempt.case, verdict.outcome, tuple(failures), wire)


@dataclass(slots=True)
class FailureReason:
    """Why cases failed: the first of them, and the names of all."""

    code: str
    message: str
    case: Case
    wire: tuple[str, ...]
    cases: list[str] = field(default_factory=list)


class FailureReasons:
    """Counts judged cases, and groups their failures; `allowed` rules and codes are none."""

    def __init__(self, allowed: Collection[str] = ()) -> None:
        self._allowed = allowed
        self._judged: list[JudgedCase] = []
        self.allowed = 0

    def note(self, judged: JudgedCase) -> tuple[CaseFailure, ...]:
        """Count a case; return those of its failures that are not allowed."""
        left = tuple(one for one in judged.failures if not is_allowed(one.code, self._allowed))
        self.allowed += len(judged.failures) - len(left)
        wire = judged.wire if left else ()  # of thousands of cases, only what is shown is kept
        self._judged.append(JudgedCase(judged.number, judged.case, judged.outcome, left, wire))
        return left

    @property
    def played(self) -> int:
        """The number of cases that have ended."""
        return len(self._judged)

    @property
    def failed(self) -> int:
        return sum(bool(one.failures) for one in self._judged)

    @property
    def reasons(self) -> list[FailureReason]:
        """Why cases failed, what affected most of them first."""
        found: dict[tuple[str, str], FailureReason] = {}
        for judged in sorted(self._judged, key=lambda one: one.number):  # they may end in any order
            for failure in judged.failures:
                new = FailureReason(failure.code, failure.message, judged.case, judged.wire)
                reason = found.setdefault((failure.code, _generalize(failure.message, judged.case.kind)), new)
                if str(judged.case) not in reason.cases[-1:]:  # several calls of one case may block
                    reason.cases.append(str(judged.case))
        return sorted(found.values(), key=lambda reason: -len(reason.cases))

    def describe(
        self, repeat: Callable[[Case], str], kinds: Mapping[str, str], left_out: Mapping[str, int], enough: int
    ) -> Iterator[str]:
        """The lines of a report: `repeat` writes how to play one case again, `kinds` say what each kind is."""
        reasons = self.reasons
        if not reasons:
            yield f"all {format_count(self.played, 'case')} passed"
            return
        head = f"{self.failed} of {format_count(self.played, 'case')} failed for "
        yield head + format_count(len(reasons), "reason") + (f" ({self.allowed} allowed)" if self.allowed else "")
        for number, reason in enumerate(reasons, 1):
            about = kinds.get(reason.case.kind, "")
            yield ""
            many = format_count(len(reason.cases), "case")
            yield f"{number}. {reason.code}, {many}: the client {reason.message}"
            yield f"   such as {reason.case}" + (f" ({reason.case.kind}: {about})" if about else "")
            yield from (f"     {line}" for line in reason.wire[:_WIRE_SHOWN] or ("nothing was requested",))
            if len(reason.wire) > _WIRE_SHOWN:
                yield f"     … {len(reason.wire) - _WIRE_SHOWN} more"
            yield f"   this one alone:  {repeat(reason.case)}"
        if left_out:
            count = ", ".join(f"{many} of {kind}" for kind, many in Counter(left_out).items())
            yield ""
            yield f"not run, after {enough} equal failures of their kind: {count} (0 for `enough` runs all)"


def _generalize(message: str, kind: str) -> str:
    """The part of a message that other cases share: its explanation, without places and texts.

    A client that gave up did so on a kind of fault, with an error whose text repeats the fault.
    """
    if gave_up := _GAVE_UP.match(message):
        return f"{gave_up[0]} {kind}"
    why = message.rpartition(": ")[2] if message.startswith(("lost", "has")) else message
    return without_values(why)


def without_values(message: str) -> str:
    """A message without its quoted pieces and numbers, which differ between cases that fail for one reason."""
    return _DIFFERENT.sub("…", message)
