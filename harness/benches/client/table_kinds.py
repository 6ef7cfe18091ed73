"""The columns of the table of clients: kinds of one case each, so that a cell says what one thing does.

Layer 5. A column that stands for a kind of a set has that kind's worst place, in the middle of the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.benches.client.case_kinds import CaseKind, StreamShape


def _column(name: str, about: str, plan: str, **more: Any) -> CaseKind:
    """A kind with one plan; `N` stands for a place in the middle, `M` for the one after it."""

    def plans(shape: StreamShape) -> Iterator[str]:
        middle = shape.landmarks[2]
        yield plan.replace("N", str(middle)).replace("M", str(middle + 1))

    return CaseKind(name=name, about=about, plans=plans, **more)


TABLE = (
    _column("no-fault", "nothing goes wrong", "pass"),
    _column(
        "noise",
        "comments, unknown events and members, CR LF, split characters",
        "ping:all,glue,members,unknown:all,crlf,chunks:5",
    ),
    _column("reset", "the connection is reset in the middle", "event:N,rst"),
    _column("broken-framing", "the connection closes against its framing", "event:N,fin"),
    _column("clean-end", "the connection ends cleanly, without completion", "event:N,end"),
    _column("half-event", "the connection ends cleanly inside an event", "event:N+40,end"),
    _column("no-completion", "everything arrives but the completing event", "no-completion"),
    _column("broken-json", "a frame holds broken JSON", "garble:N"),
    _column("twice", "an event comes twice, with the same id", "dup:N"),
    _column("error-event", "an error event, then the end", "error:N,event:M,end"),
    _column("error-with-id", "an error event with an id, then a reset", "error:N+id,event:M,rst"),
    _column(
        "error-no-cursor",
        "an error event whose id is refused as a cursor, then the end",
        "pass",
        scripts=({"error_event": {"after": 6, "id": True}},),
    ),
    _column("bare-error", "a failure in bare JSON outside of the framing", "bare-error:N"),
    _column("stall", "the connection falls silent", "event:N,stall"),
    _column("reset-no-ids", "a reset, and no event has an id", "event:N,rst", event_ids=("none",)),
    _column("inclusive", "a reset, and the resumed stream repeats an event", "event:N,rst", resume="inclusive"),
    _column("always-reset", "every connection is reset after two events", "event:2,rst,times:all"),
    _column("resume-503", "a reset, and the next stream is refused: 503", "event:N,rst/status:503"),
    _column("lost-head", "the answer is lost before its first byte", "before-headers,rst"),
    _column("503", "the stream is refused once: 503", "status:503"),
    _column("429", "the stream is refused once: 429, with a hint", "status:429,retry-after-ms:20"),
    _column("failed", "the interaction fails", "pass", scripts=({"status": "failed"},)),
    _column("cancelled", "the interaction is cancelled", "pass", scripts=({"status": "cancelled"},)),
    _column("incomplete", "the interaction ends incomplete", "pass", scripts=({"status": "incomplete"},)),
    _column(
        "continuation",
        "the interaction stops with a continuation token",
        "pass",
        scripts=({"status": "requires_continuation", "continuation_token": "go-on"},),
        further={"text": " And the rest of it."},
    ),
)
"""The columns for clients that stream."""

POLLING_TABLE = (
    _column("no-fault", "nothing goes wrong", "pass"),
    _column("queued", "the interaction is queued for a while", "pass", scripts=({"queued": 3},)),
    _column("lost-create", "the answer to the create is lost", "calls=before-headers,rst"),
    _column("create-503", "the create is refused once: 503", "calls=status:503"),
    _column("404-at-first", "the new interaction is not found for a moment", "calls=pass/status:404"),
    _column("lost-poll", "the answer to a poll is lost", "calls=pass/before-headers,rst"),
    _column("half-poll", "the answer to a poll breaks off, with a clean end", "calls=pass/byte:60,end"),
    _column("poll-503", "a poll is answered 503", "calls=pass/status:503"),
    _column("poll-429", "a poll is answered 429, with a hint", "calls=pass/status:429,retry-after-ms:20"),
    _column("failed", "the interaction fails", "pass", scripts=({"status": "failed"},)),
    _column("cancelled", "the interaction is cancelled", "pass", scripts=({"status": "cancelled"},)),
    _column("incomplete", "the interaction ends incomplete", "pass", scripts=({"status": "incomplete"},)),
)
"""The columns for clients that poll."""
