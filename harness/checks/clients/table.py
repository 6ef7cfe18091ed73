"""The rows of the table of clients: kinds of one case each, so that a cell says what one thing does.

Layer 2, values only. A row that stands for a kind of a set has that kind's worst place, amid the text.
"""

from __future__ import annotations

from typing import Any

from harness.checks.clients.kinds import CONTINUES
from harness.faults.kinds import CaseKind, at, in_further


def _define_case(name: str, about: str, plan: str, **more: Any) -> CaseKind:
    return CaseKind(name=name, about=about, plans=at(plan), **more)


def _further(name: str, about: str, plan: str) -> CaseKind:
    return CaseKind(name=name, about=about, plans=in_further(at(plan)))


def _end(status: str, about: str) -> CaseKind:
    return _define_case(status, about, "pass", scripts=({"status": status},))


_ENDS = (
    _end("failed", "the interaction fails"),
    _end("cancelled", "the interaction is cancelled"),
    _end("incomplete", "the interaction ends incomplete"),
)

TABLE = (
    _define_case("no-fault", "nothing goes wrong", "pass"),
    _define_case(
        "noise",
        "comments, unknown events and members, CR LF, split characters",
        "ping:all,glue,members,unknown:all,crlf,chunks:5",
    ),
    _define_case("reset", "the connection is reset in the middle", "event:{late},rst"),
    _define_case("broken-framing", "the connection closes against its framing", "event:{late},fin"),
    _define_case("clean-end", "the connection ends cleanly, without completion", "event:{late},end"),
    _define_case("half-event", "the connection ends cleanly inside an event", "event:{late}+40,end"),
    _define_case("no-completion", "everything arrives but the completing event", "no-completion"),
    _define_case("broken-json", "a frame holds broken JSON", "garble:{late}"),
    _define_case("twice", "an event comes twice, with the same id", "dup:{late}"),
    _define_case("error-event", "an error event, then the end", "error:{late},event:{after_late},end"),
    _define_case(
        "error-with-id", "an error event with an id, then a reset", "error:{late}+id,event:{after_late},rst"
    ),
    _define_case(
        "error-no-cursor",
        "an error event whose id is refused as a cursor, then the end",
        "pass",
        scripts=({"error_event": {"after": 6, "id": True}},),
    ),
    _define_case("bare-error", "a failure in bare JSON outside of the framing", "bare-error:{late}"),
    _define_case("stall", "the connection falls silent", "event:{late},stall"),
    _define_case("reset-no-ids", "a reset, and no event has an id", "event:{late},rst", event_ids=("none",)),
    _define_case(
        "inclusive", "a reset, and the resumed stream repeats an event", "event:{late},rst", resume="inclusive"
    ),
    _define_case("always-reset", "every connection is reset after two events", "event:2,rst,times:all"),
    _define_case("resume-503", "a reset, and the next stream is refused: 503", "event:{late},rst/status:503"),
    _define_case("lost-head", "the answer is lost before its first byte", "before-headers,rst"),
    _define_case("503", "the stream is refused once: 503", "status:503"),
    _define_case("429", "the stream is refused once: 429, with a hint", "status:429,retry-after-ms:20"),
    *_ENDS,
    _define_case("continuation", "the interaction stops with a continuation token", "pass", **CONTINUES),
)
"""The rows for clients that stream."""

POLLING_TABLE = (
    _define_case("no-fault", "nothing goes wrong", "pass"),
    _define_case("queued", "the interaction is queued for a while", "pass", scripts=({"queued": 3},)),
    _define_case("lost-create", "the answer to the create is lost", "calls=before-headers,rst"),
    _define_case("create-503", "the create is refused once: 503", "calls=status:503"),
    _define_case("404-at-first", "the new interaction is not found for a moment", "calls=pass/status:404"),
    _define_case("lost-poll", "the answer to a poll is lost", "calls=pass/before-headers,rst"),
    _define_case("half-poll", "the answer to a poll breaks off, with a clean end", "calls=pass/byte:60,end"),
    _define_case("poll-503", "a poll returns 503", "calls=pass/status:503"),
    _define_case("poll-429", "a poll returns 429 with `Retry-After`", "calls=pass/status:429,retry-after-ms:20"),
    *_ENDS,
)
"""The rows for clients that poll."""

TURNS_TABLE = (
    _define_case("no-fault", "nothing goes wrong", "pass"),
    _define_case("first-reset", "the stream of the first turn is reset", "event:{late},rst"),
    _define_case(
        "first-clean-end", "the stream of the first turn ends cleanly, without completion", "event:{late},end"
    ),
    _further("further-reset", "the stream of the further turn is reset", "pass/event:{late},rst"),
    _further(
        "further-clean-end",
        "the stream of the further turn ends cleanly, without completion",
        "pass/event:{late},end",
    ),
    _further("further-twice", "an event of the further turn comes twice, with the same id", "pass/dup:{late}"),
    _define_case(
        "lost-answer", "the answer to the further turn is lost before its first byte", "pass/before-headers,rst"
    ),
    _define_case("late-answer", "the answer to the further turn comes late", "pass/late:0.2"),
    _define_case("further-503", "the further turn is refused once: 503", "pass/status:503"),
    _define_case(
        "further-429", "the further turn is refused once: 429, with a hint", "pass/status:429,retry-after-ms:20"
    ),
    _define_case("further-400", "the further turn is refused for good: 400", "pass/status:400,times:all"),
)
"""The rows for clients that do a second turn."""

CANCELLING_TABLE = (
    _define_case("no-fault", "nothing goes wrong", "pass"),
    _define_case("reset-before", "the stream is reset before the cancel", "event:2,rst"),
    _define_case(
        "clean-end-before", "the stream ends cleanly before the cancel, without completion", "event:2,end"
    ),
    _define_case("lost-cancel", "the answer to the cancel is lost", "cancels=before-headers,rst"),
    _define_case("half-cancel", "the answer to the cancel breaks off, with a clean end", "cancels=byte:40,end"),
    _define_case("cancel-503", "the cancel is refused once: 503", "cancels=status:503"),
    _define_case(
        "cancel-429", "the cancel is refused once: 429, with a hint", "cancels=status:429,retry-after-ms:20"
    ),
    _define_case(
        "drop-and-lost-cancel",
        "the stream is reset, and the answer to the cancel is lost",
        "streams=event:3,rst/cancels=before-headers,rst",
    ),
    _define_case(
        "slow-cancel",
        "the interaction is still in progress for a while after the cancel",
        "pass",
        scripts=({"cancel_lag": 3},),
    ),
)
"""The rows for clients that cancel."""
