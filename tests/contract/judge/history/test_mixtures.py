"""Streams that contain text of another interaction of the same run, and such that are merely wrong."""

from __future__ import annotations

import json

import pytest
from msgspec import structs

from harness.contract.judge.history.run_judge import RunJudge
from harness.wire import Exchange, Headers
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


def streamed(query: str, **headers: str) -> Exchange:
    """A GET and the events, or the JSON, that it got."""
    body = json.dumps(show("a", OWN)).encode() if headers else frames([created("a"), completed("a")])
    label = "application/json" if headers else "text/event-stream"
    got = exchange(method="GET", target=f"{ROOT}/a{query}", body=body, label=label)
    return structs.replace(got, headers=Headers((*got.headers, *headers.items())))


def cost(text: str, tokens: int) -> Exchange:
    """A plain create of a text that counts so many input tokens."""
    body = {**show(str(tokens), OWN), "usage": {"total_input_tokens": tokens}}
    return exchange(target=ROOT, sent={"model": "m", "input": text}, body=body)


LONG, DEAR = cost("Hi" * 100, 300), cost("Hi", 301)
STREAM, COPY, HIT = "?stream=true", streamed(""), streamed("?stream=true", **{"x-cache": "HIT from front"})
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
        ([stream("a", OWN[:2], OWN[16:], OWN[2:16]), look("a", OWN), look("b", OWN[16:] + OWN[2:16])], []),
        ([CROSSED, look("a", OWN), look("b", OTHER)], [CROSSES]),
        ([CROSSED, look("b", OTHER), look("a", OWN)], [CROSSES]),
        ([CROSSED, look("a", OWN)], []),
        ([CROSSED, look("a", OTHER), look("b", OTHER)], []),
        ([CROSSED, look("a", OWN, "in_progress"), look("b", OTHER)], []),
        ([CROSSED, look("a", f"{OWN}{OTHER}"), look("b", OTHER)], []),  # with the turns before it
        ([CROSSED, plain("a", OWN), look("a", OWN), look("b", OTHER)], []),  # an id that was given twice
        ([plain("a", "Hi."), look("a", "Yes."), look("b", "Hi.")], []),  # too little to tell
        ([streamed(STREAM), COPY], [(COPY, "get.ok/query")]),
        ([COPY, streamed(STREAM)], []),  # events for each GET
        ([streamed("", age="0"), HIT], [(HIT, "get.ok/query")]),
        ([streamed("", age="0"), streamed(STREAM, age="0")], []),  # no stream by GET
        ([streamed("", age="0"), streamed(STREAM, age="0"), HIT], []),
        ([LONG, DEAR], [(DEAR, "usage.counted/others")]),
        ([LONG, cost("Hi", 300)], []),  # one count for all
        ([cost("Hi" * 99, 300), DEAR], []),
    ],
)  # fmt: skip
def test_what_is_output_of_another_interaction(exchanges: list[Exchange], found: list[object]) -> None:
    """Only what the own output lacks, and another one has, accuses a stream or the answer to a create."""
    assert judge_run(exchanges) == found


def judge_run(exchanges: list[Exchange]) -> list[tuple[Exchange, str]]:
    """The codes of what is found in a run, each with the exchange that is wrong."""
    judge = RunJudge()
    return [(shown, finding.stable_code) for one in exchanges for shown, finding in judge.note(one)]
