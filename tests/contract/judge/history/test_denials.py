"""Denials of what a server grants otherwise: which are proven, and by what."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from harness.contract.judge.history.run_judge import Denials
from harness.wire import Exchange
from tests.contract.exchanges import ROOT, exchange
from tests.contract.streams import completed, created, frames
from tests.in_one_test import in_one_test


def seen(method: str, target: str, status: int, sent: Any = None, body: Any = None, key: str = "one") -> Exchange:
    """An exchange of one caller."""
    shown = {} if body is None else body
    return exchange(method=method, target=target, status=status, sent=sent, body=shown, key=key)


def create(status: int, identity: str = "i1", run: str = "completed", **fields: Any) -> Exchange:
    """A create and its answer."""
    sent = {"model": "m", "input": "Say hi.", **fields}
    return seen("POST", ROOT, status, sent, {"id": identity, "status": run} if status == 200 else None)


def chain(status: int, parent: str = "i1") -> Exchange:
    """A create that continues another interaction, and its answer."""
    return create(status, "i9", previous_interaction_id=parent)


def look(status: int, identity: str = "i1", query: str = "", run: str = "completed", key: str = "one") -> Exchange:
    """A GET and its answer."""
    body = {"id": identity, "status": run} if status == 200 else None
    return seen("GET", f"{ROOT}/{identity}{query}", status, None, body, key)


def watch(status: int, identity: str) -> Exchange:
    """A GET of a stream and its answer."""
    target, label = f"{ROOT}/{identity}?stream=true", "text/event-stream"
    if status != 200:
        return seen("GET", target, status)
    events = frames([created(identity), completed(identity)])
    return exchange(method="GET", target=target, body=events, label=label, key="one")


def delete(status: int, identity: str = "i1", key: str = "one") -> Exchange:
    """A delete and its answer."""
    return seen("DELETE", f"{ROOT}/{identity}", status, key=key)


def cancel(status: int, identity: str = "i1") -> Exchange:
    """A cancel and its answer."""
    body = {"id": identity, "status": "cancelled"} if status == 200 else None
    return seen("POST", f"{ROOT}/{identity}/cancel", status, None, body)


def at_times(exchanges: list[Exchange], *began: float) -> list[Exchange]:
    """These exchanges, each sent at its time."""
    return [replace(one, began=moment, notes={}) for one, moment in zip(exchanges, began, strict=True)]


LOST = delete(200).with_excuse("it was cut")
RUNNING = create(200, "i3", "in_progress", background=True)
UNFOUND = [RUNNING, cancel(404, "i3")]
ELSE = [create(200, "i4", "in_progress", background=True), cancel(200, "i4")]


@in_one_test(
    [
        ([create(403), create(200)], ["create.ok/denied"]),
        ([create(200), create(404, input="Say more.")], ["create.ok/denied"]),
        ([create(302), create(200)], ["create.ok/denied"]),
        ([create(409), create(200)], []),
        ([create(429), create(200)], []),
        ([create(400, stream=True), create(200)], []),
        ([create(400, tools=[{"type": "file_search"}]), create(200, tools=[{"type": "file_search"}])], []),
        ([create(200), delete(404), create(200, "i2"), delete(200, "i2")], ["del.ok/denied"]),
        ([create(200), delete(404)], []),
        # A background run may need a moment to appear, for a DELETE as for a GET.
        ([RUNNING, delete(404, "i3"), RUNNING, delete(200, "i3")], []),
        ([RUNNING, look(200, "i3"), delete(404, "i3"), RUNNING, delete(200, "i3")], ["del.ok/denied"]),
        ([RUNNING, delete(404, "i3"), look(200, "i3"), create(200), delete(200)], ["del.ok/late"]),
        ([create(200), delete(200), RUNNING, delete(404, "i3"), look(200, "i3")], ["del.ok/late"]),
        ([RUNNING, delete(404, "i3"), look(200, "i3"), create(200), delete(404)], []),  # it has no such route
        ([create(200), delete(200), delete(404)], []),
        # A DELETE without an answer may act at any time.
        ([create(200), LOST, look(404), delete(404), create(200, "i2"), look(200, "i2")], []),
        ([create(200), LOST, look(200), look(404), delete(404), create(200, "i2"), look(200, "i2")], []),
        ([create(200), delete(500), look(404), delete(404), create(200, "i2"), look(200, "i2")], []),
        ([create(200), look(200), LOST, chain(404), create(200, "i2"), look(200, "i2"), chain(200, "i2")], []),
        ([create(200), delete(200), look(200), delete(404), create(200, "i2"), delete(200, "i2")], []),
        ([create(200), delete(200, key="two"), delete(404), create(200, "i2"), delete(200, "i2")], []),
        # What the key of another project is shown is the defect; that it cannot delete it is right.
        ([create(200), look(200, key="two"), delete(404, key="two"), delete(200, "i2", key="two")], []),
        ([create(200), look(404), delete(404), look(200, "i2"), delete(200, "i2")], ["get.ok/denied"]),
        ([create(200), look(401), look(200)], ["get.ok/denied"]),
        ([create(200), look(404), look(200), delete(200)], ["get.ok/late"]),  # the documented poll loop gives up
        ([RUNNING, cancel(404, "i3"), RUNNING, cancel(200, "i3")], ["cancel.ok/denied"]),
        (at_times([RUNNING, cancel(404, "i3"), RUNNING, cancel(200, "i3")], 0, 0.9, 2, 2), []),
        (at_times([RUNNING, cancel(404, "i3"), RUNNING, cancel(200, "i3")], 0, 1.1, 2, 2), ["cancel.ok/denied"]),
        (at_times([RUNNING, look(404, "i3"), delete(404, "i3"), create(200), look(200)], 0, 0.1, 0.9, 2, 2), []),
        (
            at_times([RUNNING, look(404, "i3"), delete(404, "i3"), create(200), look(200)], 0, 0.1, 1.1, 2, 2),
            ["get.ok/denied"],
        ),
        ([create(200), cancel(404), RUNNING, cancel(200, "i3")], []),
        # Too early to prove anything, but a look just after it finds the interaction.
        (at_times([*UNFOUND, look(200, "i3", run="in_progress"), *ELSE], 0, 0.1, 0.2, 2, 2), ["cancel.ok/late"]),
        (at_times([*UNFOUND, look(200, "i3"), *ELSE], 0, 0.1, 0.2, 2, 2), []),  # it had ended by itself
        (at_times([*UNFOUND, look(200, "i3", run="in_progress")], 0, 0.1, 0.2), []),  # it has no such route
        ([RUNNING, watch(404, "i3"), look(200, "i3"), watch(200, "i4")], ["resume.opens/late"]),
        ([RUNNING, watch(404, "i3"), watch(404, "i3"), look(200, "i3")], []),
        ([RUNNING, look(200, "i3"), watch(404, "i3"), look(200, "i4", "?stream=true")], []),  # JSON is no stream
        ([create(200), look(302), look(200)], ["get.ok/denied"]),
        ([create(200), look(200), chain(400), chain(200)], ["create.ok/denied"]),
        ([create(200), look(200), chain(404), chain(200)], ["create.ok/denied"]),
        ([create(200), look(200), chain(200), chain(404)], []),  # a parent need not be continued twice
        ([create(200), chain(404), look(200), chain(200)], []),  # an interaction may need a moment to appear
        ([RUNNING, look(200, "i3", run="in_progress"), chain(400, "i3"), chain(200, "i3")], []),
        ([create(200), look(200), delete(200), chain(404), chain(200)], []),
        ([RUNNING, cancel(409, "i3"), RUNNING, cancel(200, "i3")], []),
        ([RUNNING, look(404, "i3", "?stream=true"), watch(200, "i3")], []),
        (
            [
                RUNNING,
                look(200, "i3", run="in_progress"),
                look(404, "i3", "?stream=true"),
                watch(200, "i3"),
            ],
            ["resume.opens/denied"],
        ),
        # A status that a cursor may have brought says nothing of its run.
        (
            [
                RUNNING,
                look(200, "i3", run="in_progress"),
                look(404, "i3", "?stream=true&last_event_id=x"),
                watch(200, "i3"),
            ],
            [],
        ),
        # A parent that is gone since its child was deleted is denied all the same.
        (
            [create(200), chain(200), delete(200, "i9"), delete(404), create(200, "i4"), delete(200, "i4")],
            ["del.ok/denied"],
        ),
    ]
)
def test_what_others_contradict_is_proven(exchanges: list[Exchange], found: list[str]) -> None:
    """A denial counts once another exchange of the same caller shows that the server grants it."""
    judge = Denials()
    assert [finding.stable_code for one in exchanges for _, finding in judge.note(one)] == found
