"""Streams that contain text of another interaction of the same run, and such that are merely wrong."""

from __future__ import annotations

import pytest

from harness.contract.judge.history.run_judge import RunJudge
from harness.wire import Exchange
from tests.contract.exchanges import ROOT, exchange
from tests.contract.streams import completed, created, frames, start, stop

OWN = "The first answer is about rivers and the sea."
OTHER = "The second one is about mountains in the north."


def stream(identity: str, *words: str) -> Exchange:
    """A streamed create and its events."""
    deltas = [{"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": word}} for word in words]
    events = [created(identity), start(0), *deltas, stop(0), completed(identity)]
    sent = {"model": "m", "input": "Say.", "stream": True}
    return exchange(target=ROOT, sent=sent, body=frames(events), label="text/event-stream")


def look(identity: str, text: str, status: str = "completed") -> Exchange:
    """A GET and its answer."""
    return exchange(method="GET", target=f"{ROOT}/{identity}", body=show(identity, text, status))


def plain(identity: str, text: str) -> Exchange:
    """A plain create and its answer."""
    return exchange(target=ROOT, sent={"model": "m", "input": "Say."}, body=show(identity, text))


def show(identity: str, text: str, status: str = "completed") -> dict[str, object]:
    """An interaction with one output."""
    steps = [{"type": "model_output", "content": [{"type": "text", "text": text}]}]
    return {"id": identity, "status": status, "steps": steps}


MIXED, CROSSED = stream("a", OWN[:10], OTHER[10:30], OWN[30:]), plain("a", OTHER)
MIXES, CROSSES = (MIXED, "rob.concurrent-streams/mixed"), (CROSSED, "create.ok/another")


@pytest.mark.parametrize(
    ("exchanges", "found"),
    [
        ([MIXED, look("a", OWN), look("b", OTHER)], [MIXES]),
        ([look("b", OTHER, "in_progress"), look("a", OWN), MIXED], [MIXES]),
        ([MIXED, look("a", OWN)], []),
        ([stream("a", OWN), MIXED, look("a", OWN), look("b", OTHER)], []),
        ([MIXED, look("a", OWN), look("b", OWN)], []),
        ([stream("a", OWN, OWN), look("a", OWN), look("b", OWN)], []),
        ([look("b", OWN), look("a", OWN[:15], "in_progress"), stream("a", OWN), look("a", OWN)], []),
        ([stream("a", OWN), look("a", OWN[:15]), look("b", OWN)], []),
        ([stream("a", OWN[:10], OWN[20:]), look("a", OWN), look("b", OTHER)], []),
        ([stream("a", OWN[:10], "\ufffd" * 20, OWN[10:]), look("a", OWN), look("b", OTHER)], []),
        ([CROSSED, look("a", OWN), look("b", OTHER)], [CROSSES]),
        ([CROSSED, look("b", OTHER), look("a", OWN)], [CROSSES]),
        ([CROSSED, look("a", OWN)], []),
        ([CROSSED, look("a", OTHER), look("b", OTHER)], []),
        ([CROSSED, look("a", OWN, "in_progress"), look("b", OTHER)], []),
        ([CROSSED, look("a", f"{OWN}{OTHER}"), look("b", OTHER)], []),  # with the turns before it
        ([CROSSED, plain("a", OWN), look("a", OWN), look("b", OTHER)], []),  # an id that was given twice
        ([plain("a", "Hi."), look("a", "Yes."), look("b", "Hi.")], []),  # too little to tell
    ],
)  # fmt: skip
def test_what_is_output_of_another_interaction(exchanges: list[Exchange], found: list[object]) -> None:
    """Only what the own output lacks, and another one has, accuses a stream or the answer to a create."""
    assert judge_run(exchanges) == found


def judge_run(exchanges: list[Exchange]) -> list[tuple[Exchange, str]]:
    """The codes of what is found in a run, each with the exchange that is wrong."""
    judge = RunJudge()
    return [(shown, finding.stable_code) for one in exchanges for shown, finding in judge.note(one)]


def numbered(identity: str, *ids: str) -> Exchange:
    """A stream whose events have these ids."""
    deltas = [{"event_type": "step.delta", "index": 0, "event_id": one, "delta": {}} for one in ids]
    events = [created(identity), start(0), *deltas, stop(0), completed(identity)]
    return exchange(target=ROOT, sent={"input": "Say."}, body=frames(events), label="text/event-stream")


OF_A = ("a1", "a2", "a3", "a4")


@pytest.mark.parametrize(
    ("second", "found"),
    [
        (("b1", "a2", "b3", "b4"), ["resume.ids-stable/foreign"]),
        (("b1", "b2", "b3", "b4"), []),
        (OF_A, []),  # a server that counts the events of each stream
        (("a1", "a2", "b3", "b4"), []),
        (("a1", "b2"), []),  # too few to tell
    ],
)
def test_one_id_of_another_stream_is_a_mistake(second: tuple[str, ...], found: list[str]) -> None:
    """One strange id among own ones is told; ids that streams have in common are not."""
    shown = [numbered("a", *OF_A), numbered("b", *second), numbered("a", *OF_A)]
    assert [code for _, code in judge_run(shown)] == found


def test_a_server_that_counts_its_events_mixes_no_streams() -> None:
    """A reader that left early had the first ids; a resume of another run has the last of them, and own ones."""
    left, whole = numbered("a", *OF_A), numbered("b", *OF_A, "a5", "a6", "a7")
    assert judge_run([left, whole, numbered("b", "a4", "a5", "a6", "a7")]) == []
