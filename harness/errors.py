"""The errors of the package, in one tree. The type names the cause: the caller, the target, or the harness.

HarnessError
├── UsageFault            the caller's
│   ├── CassetteError
│   ├── FieldError
│   ├── OutsideConnection
│   ├── SampleTooLarge
│   ├── ScriptFault
│   ├── TableError
│   └── Unreadable
├── TargetFault           the target's, or that of another peer on a connection
│   ├── BadHead
│   ├── BadRequest
│   ├── ConnectionLost
│   │   ├── ErrorResponse
│   │   └── NotAStream
│   ├── Contradiction
│   ├── Diverged
│   ├── GaveUp
│   │   └── Refused
│   └── NoConnection      in `harness.transport.client.origin`, as it has the ending of the exchange
├── HarnessFault          the harness's
└── NothingToJudge        no fault: it stops one exercise or one judge
    ├── NotApplicable
    ├── NotWanted
    └── Unmet

Beside the tree are the warnings `UncheckedResultWarning`, `BlockingCallWarning`, `LeftBehindWarning` and
`TurnWarning`; `TimeUp` (`harness.engine.traffic.deadline`), which ends a run and must pass every
`except Exception`; and `Refusal` with `RpcRefusal` (`harness.emulator.values.call`), which are responses of the
emulator on their way out; and `UnreadableSecret` (`harness.wire.secret_finder`), which its readers turn into a
text or an error of theirs. An exception that never leaves its module is private there.

Below all layers: imports nothing of the package. A defect of a target is normally a finding and is not raised.
"""

from __future__ import annotations

__all__ = [
    "HarnessError", "UsageFault", "TargetFault", "HarnessFault",
    "CassetteError", "OutsideConnection", "ScriptFault", "GaveUp", "Refused", "UncheckedResultWarning",
    "BlockingCallWarning",
    "LeftBehindWarning",
    "TurnWarning",
]  # fmt: skip


class HarnessError(Exception):
    """The base of every error that the package raises on purpose; never raised itself."""


class UsageFault(HarnessError):
    """Raised when a call, an option or a file cannot be used.

    The message has the input, why it is wrong, and what to do.
    """


class CassetteError(UsageFault):
    """Raised when a cassette cannot be read, written or recorded; the message has file, place and reason."""


class FieldError(UsageFault, ValueError):
    """Raised when a field of a cassette's entry is wrong; `place` leads to it, from the entry or a mapping inside.

    The reader of the file turns it into a `CassetteError` with file and line. It is a `ValueError`, too, because
    decoders raise these beside it.
    """

    def __init__(self, message: str, *place: str) -> None:
        super().__init__(message)
        self.place = place

    def inside(self, *outer: str) -> FieldError:
        """Return the same error with its place as seen from an outer mapping."""
        return FieldError(str(self), *outer, *self.place)


class OutsideConnection(UsageFault, RuntimeError):
    """Raised by `loopback_only` when the code under test connects to another machine."""

    __module__ = "harness.plugin"


class SampleTooLarge(UsageFault):
    """Raised when the schema of a create asks the emulator for a larger sample than the budget allows."""


class ScriptFault(UsageFault):
    """Raised when the emulator cannot run a script; the message names the key."""


class TableError(UsageFault, ValueError):
    """Raised for a table of rules that is wrong; the message has the file, the rule and, if known, the line."""


class Unreadable(UsageFault):
    """Raised when a recorded file is not what its name or its first lines declare; the message has the reason."""


class TargetFault(HarnessError):
    """Raised when the target is unreachable or refuses every request: there is nothing to judge."""


class BadHead(TargetFault):
    """Raised for the head of a message that cannot be parsed.

    The message has the reason, in one line; `in_field`: the start line is fine.
    """

    def __init__(self, problem: str, *, in_field: bool = True) -> None:
        super().__init__(problem)
        self.in_field = in_field


class BadRequest(TargetFault):
    """Raised when a server cannot serve a request; `status` is the status to send, and the connection ends."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ConnectionLost(TargetFault):
    """Raised when a connection or a stream was dropped while an interaction was followed."""


class ErrorResponse(ConnectionLost):
    """Raised for an error response while following; `retry_after` is in seconds, or None."""

    def __init__(self, status: int, message: str, retry_after: float | None = None) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.retry_after = retry_after


class NotAStream(ConnectionLost):
    """Raised when a response succeeded but is no event stream: the service does not stream this interaction."""


class Contradiction(TargetFault):
    """Raised when the fetched interaction lacks a text that its stream contained, or has another one there."""


class Diverged(TargetFault):
    """Raised when a resumed stream has other events than before, so the two cannot be joined event by event."""


class GaveUp(TargetFault):
    """Raised by `follow` when the interaction was not followed to its end. Resume from `cursor`."""

    def __init__(self, message: str, *, interaction_id: str | None = None, cursor: str | None = None) -> None:
        super().__init__(message)
        self.interaction_id = interaction_id
        self.cursor = cursor


class Refused(GaveUp):
    """Raised by `follow` for an error that a retry would not change; `status` is its HTTP status."""

    def __init__(self, message: str, *, status: int, interaction_id: str | None = None) -> None:
        super().__init__(message, interaction_id=interaction_id)
        self.status = status


class HarnessFault(HarnessError):
    """Raised when the harness itself failed; this proves nothing about the target."""


class NothingToJudge(HarnessError):
    """The base of what an exercise or a judge raises to stop; the run reports why, and goes on."""


class NotApplicable(NothingToJudge):
    """Raised when the target lacks what an exercise or a judge is about, and nothing is wrong with that."""


class NotWanted(NothingToJudge):
    """Raised when the user's options left out what an exercise is about."""


class Unmet(NothingToJudge):
    """Raised when the target does not meet a prerequisite, so the check is not tested.

    `race_lost` means that no rule was broken: the run merely finished before the check could act. `remedy` is
    what would make the check testable ("with a key").
    """

    def __init__(self, reason: str, *, race_lost: bool = False, remedy: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.race_lost = race_lost
        self.remedy = remedy


class UncheckedResultWarning(UserWarning):
    """Issued when a test passed without checking its result against what its fixture expects."""

    __module__ = "harness.plugin"  # the module from which warning filters import it


class BlockingCallWarning(UserWarning):
    """Issued when code under test blocks the event loop that it runs in."""

    __module__ = "harness.plugin"


class TurnWarning(UserWarning):
    """Issued when a turn of the code under test looks wrong and may be meant."""

    __module__ = "harness.plugin"


class LeftBehindWarning(UserWarning):
    """Issued when code under test leaves a task that still runs, or a stream that it stopped reading, open."""

    __module__ = "harness.plugin"
