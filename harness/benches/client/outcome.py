"""How a client can come out of a case: the outcomes, and the rules that they keep or break.

Layer 5, values only. What a client MUST do is little: it must not say that it has the whole answer when it has
not, must not show a part twice, and must not create twice without a word. Coming back after a drop is a SHOULD.
"""

from __future__ import annotations

from enum import StrEnum

from harness.engine.results import ClientRun, Result
from harness.outcome import Basis, Level, Rule, Source


class DropOutcome(StrEnum):
    """The outcome of one case, the best first."""

    EXACT = "exact"
    """The whole result, once and in order; or a failure was reported where the interaction itself had failed."""

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
    """It reported success, and could not know that, or another status than the interaction's."""

    HOLE = "hole"
    """It reported success, and something is missing or different in the middle."""

    DUPLICATED = "duplicated"
    """It reported success, and has a part twice."""

    SILENT_LOSS = "silent-loss"
    """It reported success, and the end is missing."""

    DOUBLE_CREATE = "double-create"
    """It created a second interaction without a word."""


_PAGE = "Interactions API"
_RESUME = Source(Basis.DOCUMENTED, _PAGE, "Streaming: resume after a drop with last_event_id")
_END = Source(Basis.DOCUMENTED, _PAGE, "Streaming: interaction.completed ends a stream")

WHOLE = Rule(
    id="client.whole",
    level=Level.MUST,
    statement="A client that reports success has the whole result, and knows that it is whole.",
    silent=True,
    breaks="Users read half a text, or one with holes, that looks whole.",
    source=_END,
)
ONCE = Rule(
    id="client.once",
    level=Level.MUST,
    statement="A client that reports success has no part of the result twice.",
    silent=True,
    breaks="Users read text twice; a function is called with doubled arguments.",
    source=_RESUME,
)
CREATES_ONCE = Rule(
    id="client.creates-once",
    level=Level.MUST,
    statement="A client does not create a second interaction without a word when an answer to the first was lost.",
    silent=True,
    breaks="Two interactions run and are billed, and their tools act twice.",
    source=Source(
        Basis.GENERIC,
        "RFC 9110",
        "9.2.2 Idempotent Methods",
        "https://www.rfc-editor.org/rfc/rfc9110#section-9.2.2",
    ),
)
STATUS = Rule(
    id="client.status",
    level=Level.MUST,
    statement="The status that a client reports is that of the interaction.",
    silent=True,
    breaks="Users take a failed, cancelled or truncated run for a good one.",
    source=Source(Basis.DOCUMENTED, _PAGE, "Interaction: status"),
)
RECOVERS = Rule(
    id="client.recovers",
    level=Level.SHOULD,
    statement="A client comes back after a drop and ends with the whole result.",
    breaks="A paid answer is lost though the service still has it.",
    source=_RESUME,
)
READS = Rule(
    id="client.reads",
    level=Level.SHOULD,
    statement="A client reads every legal form of an event stream, whatever its comments, line ends, unknown "
    "fields, and the places where its pieces end.",
    breaks="Streams work on one network and fail on another; answers come late, and by polling.",
    source=Source(
        Basis.GENERIC,
        "WHATWG HTML",
        "9.2.6 Interpreting an event stream",
        "https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation",
    ),
)
ENDS = Rule(
    id="client.ends",
    level=Level.SHOULD,
    statement="A client ends, with the result or with an error, whatever happens to its connections.",
    breaks="Users wait for ever, or a loop of requests never stops.",
    source=Source(Basis.OBSERVED, "issue trackers of clients", "a resumed stream that stays open and silent"),
)
STANDS = Rule(
    id="client.stands",
    level=Level.SHOULD,
    statement="A client survives what happens to its connections: its process goes on.",
    breaks="A dropped connection takes down the whole program.",
    source=Source(Basis.OBSERVED, "issue trackers of clients", "exceptions that no caller can catch"),
)

RULES = (WHOLE, ONCE, CREATES_ONCE, STATUS, RECOVERS, READS, ENDS, STANDS)
"""What is asked of a client."""

BY_ID = {rule.id: rule for rule in RULES}

OUTCOMES: dict[str, DropOutcome] = {
    f"{WHOLE.id}/silent-loss": DropOutcome.SILENT_LOSS,
    f"{WHOLE.id}/hole": DropOutcome.HOLE,
    f"{WHOLE.id}/altered": DropOutcome.HOLE,
    f"{WHOLE.id}/unfinished": DropOutcome.WRONG_STATUS,
    f"{WHOLE.id}/unusable": DropOutcome.CRASHED,
    f"{ONCE.id}/duplicated": DropOutcome.DUPLICATED,
    f"{CREATES_ONCE.id}/double-create": DropOutcome.DOUBLE_CREATE,
    f"{STATUS.id}/wrong-status": DropOutcome.WRONG_STATUS,
    f"{STATUS.id}/untold": DropOutcome.WRONG_STATUS,
    f"{RECOVERS.id}/reported": DropOutcome.REPORTED,
    f"{READS.id}/asked-again": DropOutcome.RECOVERED,
    f"{ENDS.id}/time": DropOutcome.HUNG,
    f"{ENDS.id}/requests": DropOutcome.HUNG,
    f"{ENDS.id}/output": DropOutcome.HUNG,
    f"{STANDS.id}/crashed": DropOutcome.CRASHED,
}
"""The outcome for each code of a finding."""

CODES = tuple(OUTCOMES)
"""The codes of all findings about a client."""

AREA = "client"
"""What a case is named by: a case of this area is `client[event:5,rst]` in a baseline."""


def result_id(case: object) -> str:
    """The name of a case's result, whatever its outcome."""
    return f"{AREA}[{case}]"


def is_result_id(name: str) -> bool:
    """Whether a baseline's entry names a case."""
    return name.startswith(f"{AREA}[")


def run_of(result: Result) -> ClientRun:
    """What happened to the client in a case."""
    (run,) = result.evidence
    assert isinstance(run, ClientRun)
    return run


def outcome_of(result: Result) -> DropOutcome:
    """The outcome of a case."""
    return DropOutcome(run_of(result).outcome)
