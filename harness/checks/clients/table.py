"""The columns of the table of clients: kinds of one case each, so that a cell says what one thing does.

Layer 2, values only. A column that stands for a kind of a set has that kind's worst place, amid the text.
"""

from __future__ import annotations

from typing import Any

from harness.checks.clients.kinds import CONTINUES
from harness.faults.kinds import CaseKind, at


def _column(name: str, about: str, plan: str, **more: Any) -> CaseKind:
    return CaseKind(name=name, about=about, plans=at(plan), **more)


def _end(status: str, about: str) -> CaseKind:
    return _column(status, about, "pass", scripts=({"status": status},))


_ENDS = (
    _end("failed", "the interaction fails"),
    _end("cancelled", "the interaction is cancelled"),
    _end("incomplete", "the interaction ends incomplete"),
)

TABLE = (
    _column("no-fault", "nothing goes wrong", "pass"),
    _column(
        "noise",
        "comments, unknown events and members, CR LF, split characters",
        "ping:all,glue,members,unknown:all,crlf,chunks:5",
    ),
    _column("reset", "the connection is reset in the middle", "event:{late},rst"),
    _column("broken-framing", "the connection closes against its framing", "event:{late},fin"),
    _column("clean-end", "the connection ends cleanly, without completion", "event:{late},end"),
    _column("half-event", "the connection ends cleanly inside an event", "event:{late}+40,end"),
    _column("no-completion", "everything arrives but the completing event", "no-completion"),
    _column("broken-json", "a frame holds broken JSON", "garble:{late}"),
    _column("twice", "an event comes twice, with the same id", "dup:{late}"),
    _column("error-event", "an error event, then the end", "error:{late},event:{after_late},end"),
    _column("error-with-id", "an error event with an id, then a reset", "error:{late}+id,event:{after_late},rst"),
    _column(
        "error-no-cursor",
        "an error event whose id is refused as a cursor, then the end",
        "pass",
        scripts=({"error_event": {"after": 6, "id": True}},),
    ),
    _column("bare-error", "a failure in bare JSON outside of the framing", "bare-error:{late}"),
    _column("stall", "the connection falls silent", "event:{late},stall"),
    _column("reset-no-ids", "a reset, and no event has an id", "event:{late},rst", event_ids=("none",)),
    _column(
        "inclusive", "a reset, and the resumed stream repeats an event", "event:{late},rst", resume="inclusive"
    ),
    _column("always-reset", "every connection is reset after two events", "event:2,rst,times:all"),
    _column("resume-503", "a reset, and the next stream is refused: 503", "event:{late},rst/status:503"),
    _column("lost-head", "the answer is lost before its first byte", "before-headers,rst"),
    _column("503", "the stream is refused once: 503", "status:503"),
    _column("429", "the stream is refused once: 429, with a hint", "status:429,retry-after-ms:20"),
    *_ENDS,
    _column("continuation", "the interaction stops with a continuation token", "pass", **CONTINUES),
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
    *_ENDS,
)
"""The columns for clients that poll."""
