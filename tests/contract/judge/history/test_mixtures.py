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
    steps = [{"type": "model_output", "content": [{"type": "text", "text": text}]}]
    body = {"id": identity, "status": status, "steps": steps}
    return exchange(method="GET", target=f"{ROOT}/{identity}", body=body)


MIXED = stream("a", OWN[:10], OTHER[10:30], OWN[30:])


@pytest.mark.parametrize(
    ("exchanges", "mixed"),
    [
        ([MIXED, look("a", OWN), look("b", OTHER)], True),
        ([look("b", OTHER, "in_progress"), look("a", OWN), MIXED], True),
        ([MIXED, look("a", OWN)], False),
        ([stream("a", OWN), MIXED, look("a", OWN), look("b", OTHER)], False),
        ([MIXED, look("a", OWN), look("b", OWN)], False),
        ([stream("a", OWN, OWN), look("a", OWN), look("b", OWN)], False),
        ([look("b", OWN), look("a", OWN[:15], "in_progress"), stream("a", OWN), look("a", OWN)], False),
        ([stream("a", OWN), look("a", OWN[:15]), look("b", OWN)], False),
        ([stream("a", OWN[:10], OWN[20:]), look("a", OWN), look("b", OTHER)], False),
        ([stream("a", OWN[:10], "\ufffd" * 20, OWN[10:]), look("a", OWN), look("b", OTHER)], False),
    ],
)  # fmt: skip
def test_what_is_text_of_another_interaction(exchanges: list[Exchange], mixed: bool) -> None:
    """Only what the own text lacks, and another text has, accuses."""
    assert judge_run(exchanges) == ([(MIXED, "rob.concurrent-streams/mixed")] if mixed else [])


def judge_run(exchanges: list[Exchange]) -> list[tuple[Exchange, str]]:
    """The codes of what is found in a run, each with the exchange that is wrong."""
    judge = RunJudge()
    return [(shown, finding.stable_code) for one in exchanges for shown, finding in judge.note(one)]


def plain(identity: str, text: str) -> Exchange:
    """A plain create and its answer."""
    return exchange(target=ROOT, sent={"model": "m", "input": "Say."}, body=look_body(identity, text))


def look_body(identity: str, text: str) -> dict[str, object]:
    """An interaction with one output."""
    steps = [{"type": "model_output", "content": [{"type": "text", "text": text}]}]
    return {"id": identity, "status": "completed", "steps": steps}


CROSSED = plain("a", OTHER)


@pytest.mark.parametrize(
    ("exchanges", "crossed"),
    [
        ([CROSSED, look("a", OWN), look("b", OTHER)], True),
        ([CROSSED, look("b", OTHER), look("a", OWN)], True),
        ([CROSSED, look("a", OWN)], False),
        ([CROSSED, look("a", OTHER), look("b", OTHER)], False),
        ([CROSSED, look("a", OWN, "in_progress"), look("b", OTHER)], False),
        ([CROSSED, look("a", f"{OWN}{OTHER}"), look("b", OTHER)], False),  # with the turns before it
        ([CROSSED, plain("a", OWN), look("a", OWN), look("b", OTHER)], False),  # an id that was given twice
        ([plain("a", "Hi."), look("a", "Yes."), look("b", "Hi.")], False),  # too little to tell
    ],
)  # fmt: skip
def test_what_is_the_output_of_another_interaction(exchanges: list[Exchange], crossed: bool) -> None:
    """Only an answer that GET contradicts, and that GET shows under another id, is one of another create."""
    assert judge_run(exchanges) == ([(CROSSED, "create.ok/another")] if crossed else [])


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
