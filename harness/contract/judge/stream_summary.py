"""What is known of one stream after it is judged. Layer 1, a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.contract.judge.cursors import Cursors
from harness.contract.judge.failures.bare_error import UnframedError
from harness.contract.schema.validator import UnknownPart
from harness.outcome import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamReading:
    """The summary of a stream, in bounded space however long the stream was.

    `frames` counts dispatched events, `events` the JSON ones among them, `deltas` the step.delta events and
    `deltas_with_cursor` those of them that carry a cursor.
    `created` and `completed` are the interactions in those events, `errors` the `error` values of error events.
    `bare_error` is the error body that ended the stream outside its framing; `errors` holds it too.
    `suppressed` counts, by rule, findings beyond those kept. `unknowns` pairs the number of an event with
    something in it that the schemas do not name. `whole` means that the body ended in order; if not, nothing
    is claimed about its end. `unjudged` names what was not judged because of a limit. `framed`: the framing was
    recorded. `background`: the run was created in the background. `arguments` and `signatures` say whether deltas
    brought some, and `stop_usages` how many step.stop events had token counts.
    """

    start: str
    framed: bool
    background: bool
    arguments: bool
    signatures: bool
    stop_usages: int
    findings: tuple[Finding, ...]
    suppressed: Mapping[str, int]
    frames: int
    events: int
    deltas: int
    deltas_with_cursor: int
    counts: Mapping[str, int]
    interaction_id: str | None
    statuses: tuple[str, ...]
    created: dict[str, Any] | None
    completed: dict[str, Any] | None
    done: bool
    errors: tuple[dict[str, Any], ...]
    bare_error: UnframedError | None
    cursors: Cursors
    unknowns: tuple[tuple[int, UnknownPart], ...]
    unjudged: tuple[str, ...]
    whole: bool

    @property
    def status(self) -> str | None:
        """The last status in the stream."""
        return self.statuses[-1] if self.statuses else None
