"""What a run receives is judged like a recording: `check` tells all that `verify` finds in its own traffic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.engine.wire_defects import (
    Json,
    JudgedTraffic,
    WireDefect,
    check,
    is_read,
    is_replay,
    is_resumed,
    is_streamed,
)


def put(**fields: Any) -> Callable[[Json, str], None]:
    """Set fields of an interaction."""
    return lambda body, _: body.update(fields) if "status" in body else None


def neighbor() -> Callable[[Json, str], Json]:
    """Answer with the interaction that was read before."""
    last: list[Json] = []

    def change(body: Json, _: str) -> Json:
        last.append(body)
        return last[-2] if len(last) > 1 else body

    return change


def stale() -> Callable[[Json, str], Json]:
    """Show a settled interaction, at its third read, as it was while it ran."""
    reads: dict[str, int] = {}

    def change(body: Json, name: str) -> Json:
        settled = body.get("status") == "completed"
        reads[name] = reads.get(name, 0) + settled
        return {**body, "status": "in_progress"} if reads[name] == 2 else body

    return change


def moving() -> Callable[[Json, str], None]:
    """Make each interaction younger with each read of it."""
    reads = iter(range(10, 10_000))

    def change(body: Json, _: str) -> None:
        if "created" in body:
            body["created"] = f"2026-06-{next(reads) % 20 + 1:02}T00:00:00Z"

    return change


def without(*kinds: str) -> Callable[[list[Json]], list[Json]]:
    """Lose all events of these types."""
    return lambda events: [event for event in events if event["event_type"] not in kinds]


def doubled(kind: str) -> Callable[[list[Json]], list[Json]]:
    """Send each event of a type twice."""
    return lambda events: [e for event in events for e in [event] * (1 + (event["event_type"] == kind))]


def edited(kind: str, change: Callable[[Json], object]) -> Callable[[list[Json]], list[Json]]:
    """Change each event of a type."""

    def edit(events: list[Json]) -> list[Json]:
        for event in events:
            if event["event_type"] == kind:
                change(event)
        return events

    return edit


def other_text(event: Json) -> None:
    """Change the text of a delta."""
    if "text" in event["delta"]:
        event["delta"]["text"] = event["delta"]["text"].upper()


DEFECTS: dict[str, Callable[[], WireDefect]] = {
    "a status of another type, once": lambda: WireDefect(is_read, put(status=5), once=7),
    "the interaction of a neighbor, once": lambda: WireDefect(is_read, neighbor(), once=0),
    "a status of a moment ago": lambda: WireDefect(is_read, stale()),
    "created moves": lambda: WireDefect(is_read, moving()),
    "a stream loses its stops, once": lambda: WireDefect(is_streamed, events=without("step.stop"), once=4),
    "a resumed stream loses its stops": lambda: WireDefect(is_resumed, events=without("step.stop")),
    "an end of another status": lambda: WireDefect(
        is_replay,
        events=edited("interaction.completed", lambda end: end["interaction"].update(status="in_progress")),
    ),
    "no JSON in one event": lambda: WireDefect(
        is_streamed, raw=lambda data: data.replace(b"}\n\n", b"\n\n"), once=6
    ),
}  # fmt: skip
"""A defect of each kind: of a type, between two answers, in a stream, in a resumed one, in bytes."""


def _explain(rules: set[str]) -> set[str]:
    """What `check` tells instead: an answer that shows another interaction is no answer to its read.

    A stream of another text than GET returns explains a replay or a resumed stream that differs. A rejection under
    a failure status explains that its code has another status, and an event that a resumed stream lacks that its
    step has no end. An error under a status of success explains what is no interaction there, and a crash what its
    body is.
    """
    instead = {
        "bg.same-id": "get.ok",
        "resume.replay": "stream.text",
        "resume.no-gap": "stream.text",
        "err.code-status": "err.status",
        "stream.stop-once": "resume.no-gap",
        "create.status": "err.status",
        "http.unlisted": "err.status",
        "err.shape": "err.no-crash",
    }
    return {instead[rule] for rule in rules & instead.keys()}


@pytest.mark.slow
def test_an_undamaged_service_breaks_nothing() -> None:
    """Without a defect neither of the two finds anything, and the run has received much."""
    judged = check(None)
    assert (judged.told(), judged.verified()) == (set(), {})
    assert len(judged.traffic) > 300


MORE_OF_A_KIND = ("a status of a moment ago", "created moves", "an end of another status")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.thorough] * (name in MORE_OF_A_KIND)) for name in DEFECTS]
)
def test_check_tells_what_verify_finds_in_its_traffic(name: str) -> None:
    """Whatever is wrong with one answer is told, and a reason for each interaction that contradicts itself."""
    judged = check(DEFECTS[name]())
    assert judged.verified()
    assert list_untold(judged) == {}


def list_untold(judged: JudgedTraffic) -> dict[str, set[str]]:
    """What `verify` finds in the traffic of a run and `check` does not tell, by what it is about."""
    told, verified = judged.told(), judged.verified()
    return {place: rules for place, rules in verified.items() if not {*rules, *_explain(rules)} & told}
