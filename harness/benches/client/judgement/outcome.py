"""How a client can come out of a case: the outcomes, and the codes of the findings behind them.

Values only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import StrEnum

from harness.engine.events import ClientRun, Result
from harness.outcome import UsageFault
from harness.outcome.words import did_you_mean


class DropOutcome(StrEnum):
    """The outcome of one case, the best first."""

    EXACT = "exact"
    """The whole result, once and in order; or a failure was reported where the run itself had failed."""

    RECOVERED = "recovered"
    """The same, after a connection that had broken off or a request that had been refused."""

    COULD_NOT = "could-not"
    """It reported a failure, and nothing better was possible: the fault destroyed the answer to its create."""

    REPORTED = "reported"
    """It reported a failure, by a non-zero exit code, an `error`, or a status that is not final."""

    CRASHED = "crashed"
    """The process died of a signal, or ended without an answer."""

    HUNG = "hung"
    """It had to be stopped: it ran out of time, or sent requests or output without end."""

    WRONG_STATUS = "wrong-status"
    """It reported success, and could not know that, or another status than that of the run."""

    HOLE = "hole"
    """It reported success, and something is missing or different in the middle."""

    DUPLICATED = "duplicated"
    """It reported success, and has a part twice."""

    SILENT_LOSS = "silent-loss"
    """It reported success, and the end is missing."""

    LOST_CONTEXT = "lost-context"
    """It reported success for a further turn that it had sent without the first."""

    DOUBLE_CREATE = "double-create"
    """It created a second run without a word."""


WHOLE, ONCE, CREATES_ONCE, STATUS = "client.whole", "client.once", "client.creates-once", "client.status"
CONTEXT = "client.context"
RECOVERS, READS, ENDS, STANDS = "client.recovers", "client.reads", "client.ends", "client.stands"
CLOSES, CALLS, SUSPENDS = "client.closes", "client.calls", "client.suspends"
"""The ids of the rules that a `ClientModel` has for every API."""

LEFT_OPEN = f"{CLOSES}/left-open"
"""The code of a response that was neither read to its end nor closed; only a test beside the client sees it."""

WRONG_CURSOR = f"{RECOVERS}/wrong-cursor"
"""The code of a client that reached its result, but not by the resume it tried. It fails tests, warns commands."""

BLOCKS = f"{SUSPENDS}/blocks"
"""The code of a coroutine that blocks its event loop; only a test beside the client sees it."""

UNTOLD = f"{STATUS}/untold"
"""The code of a success without a status after a run that did not complete. It fails tests and warns commands."""

UNSHOWN = f"{WHOLE}/unshown"
"""The code of a result that cannot show what the client received. It warns, and no run passes by it alone."""

REQUIRED = frozenset({ENDS})
"""SHOULD rules that fail a run all the same: a client that hangs is not certified. `--allow` makes them warn."""

OUTCOMES: dict[str, DropOutcome] = {
    f"{WHOLE}/silent-loss": DropOutcome.SILENT_LOSS,
    f"{WHOLE}/hole": DropOutcome.HOLE,
    f"{WHOLE}/altered": DropOutcome.HOLE,
    f"{WHOLE}/unfinished": DropOutcome.WRONG_STATUS,
    f"{WHOLE}/unusable": DropOutcome.CRASHED,
    UNSHOWN: DropOutcome.COULD_NOT,
    f"{ONCE}/duplicated": DropOutcome.DUPLICATED,
    f"{CONTEXT}/lost-context": DropOutcome.LOST_CONTEXT,
    f"{CREATES_ONCE}/double-create": DropOutcome.DOUBLE_CREATE,
    f"{STATUS}/wrong-status": DropOutcome.WRONG_STATUS,
    UNTOLD: DropOutcome.WRONG_STATUS,
    f"{RECOVERS}/reported": DropOutcome.REPORTED,
    f"{READS}/asked-again": DropOutcome.RECOVERED,
    f"{READS}/gave-up": DropOutcome.REPORTED,
    f"{READS}/crashed": DropOutcome.CRASHED,
    f"{ENDS}/time": DropOutcome.HUNG,
    f"{ENDS}/requests": DropOutcome.HUNG,
    f"{ENDS}/output": DropOutcome.HUNG,
    f"{STANDS}/crashed": DropOutcome.CRASHED,
    f"{CALLS}/swapped": DropOutcome.HOLE,
    f"{CALLS}/lost-arguments": DropOutcome.HOLE,
    f"{CALLS}/stopped": DropOutcome.SILENT_LOSS,
    f"{CALLS}/server-call": DropOutcome.HOLE,
    LEFT_OPEN: DropOutcome.EXACT,
    BLOCKS: DropOutcome.EXACT,
    WRONG_CURSOR: DropOutcome.RECOVERED,
    f"{RECOVERS}/hurried": DropOutcome.RECOVERED,
}
"""The outcome for each code of a finding."""

CODES = tuple(OUTCOMES)
"""The codes of all findings about a client."""


def is_allowed(code: str, allowed: Collection[str]) -> bool:
    """Whether a finding with this code is no failure, because the code or its rule is `allowed`."""
    return code in allowed or code.partition("/")[0] in allowed


def read_allowed(words: Collection[str], option: str = "allow") -> frozenset[str]:
    """The rules and codes that are no failures. Raises UsageFault for any other word, and lists the rules."""
    if isinstance(words, str):
        raise UsageFault(f"{option}={words!r} must be a list: {option}=[{words!r}]")
    rules = sorted({code.partition("/")[0] for code in CODES})
    for word in words:
        if word not in (*rules, *CODES):
            hint = did_you_mean(word, (*rules, *CODES), otherwise=".")
            raise UsageFault(
                f"{option}: {word!r} is neither a rule nor a code of clients{hint} "
                f"The rules are {', '.join(rules)}."
            )
    return frozenset(words)


AREA = "client"
"""What a case is named by: a case of this area is `client[event:5,rst]` in a baseline."""


def result_id(case: object) -> str:
    """The name of a case's result, whatever its outcome."""
    return f"{AREA}[{case}]"


def is_result_id(name: str) -> bool:
    """Whether a baseline's entry names a case."""
    return name.startswith(f"{AREA}[")


def is_case(result: Result) -> bool:
    """Whether a result is of a case: an entry of a baseline that names none is listed among the others."""
    return any(isinstance(shown, ClientRun) for shown in result.evidence)


def list_cases(results: Iterable[Result]) -> list[Result]:
    """The results of cases."""
    return [result for result in results if is_case(result)]


def run_of(result: Result) -> ClientRun:
    """The record of what happened to the client in a case."""
    (run,) = result.evidence
    assert isinstance(run, ClientRun)
    return run


def outcome_of(result: Result) -> DropOutcome:
    """The outcome of a case."""
    return DropOutcome(run_of(result).outcome)
