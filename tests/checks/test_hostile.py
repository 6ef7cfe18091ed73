"""No judge raises, whatever a target sends."""

from __future__ import annotations

import inspect

import pytest

from harness.checks.catalogue import CATALOGUE
from harness.checks.vocabulary.modes import ALONE, PLAIN
from harness.outcome import Observation
from harness.wire import Chunked, Ending, How
from tests.checks._play import SSE, answer, interaction, stream_of

DEEP = b"[" * 20_000 + b"]" * 20_000
EVENT = {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": "x"}}
ODD = [None, True, -1, 1e308, "", "x", [], [None], [[]], {}, {"type": 7}, [{"type": None}], [7]]
FIELDS = ["id", "object", "status", "model", "created", "updated", "steps", "usage", "error", "errors", "input"]

HOSTILE = {
    "dead": answer(None),
    "cut": answer(body=b'{"id": "v1', framing=Chunked(), ending=Ending(how=How.FIN)),
    "empty": answer(body=b""),
    "no such status": answer(999, {}),
    "a page": answer(body=b"<html>", label="text/html"),
    "no label": answer(body=interaction(), label=None),
    "null": answer(body=None),
    "a list": answer(body=[interaction()]),
    "text": answer(body="hi"),
    "a number": answer(body=7),
    "deep": answer(body=DEEP),
    "deep steps": answer(body=b'{"id": "x", "status": "completed", "steps": ' + DEEP + b"}"),
    "no UTF-8": answer(body=b'{"id": "\xff"}'),
    "half a pair": answer(body=rb'{"id": "\ud83d", "status": "\ud83d", "steps": [{"type": "\ud83d"}]}'),
    "NaN": answer(body=b'{"usage": {"total_tokens": NaN}}'),
    "a huge number": answer(body=b'{"usage": {"total_tokens": ' + b"9" * 5000 + b"}}"),
    "two ids": answer(body=b'{"id": "a", "id": ["b"], "status": "completed"}'),
    "an error that is a list": answer(400, {"error": []}),
    "a bare error": answer(500, "no"),
    "an error with odd parts": answer(400, {"error": {"code": [], "message": {}}}),
    "a deep error": answer(400, b'{"error": ' + DEEP + b"}"),
    "odd calls": answer(body=interaction(steps=[{"type": "function_call", "name": odd} for odd in ODD])),
    "a stream of odd values": stream_of(*ODD),
    "a stream of deep events": stream_of(DEEP, b'{"event_type": ' + DEEP + b"}"),
    "a stream of garbage": answer(body=bytes(range(256)) * 4, label=SSE),
    "a stream with odd fields": stream_of(*[{**EVENT, name: odd} for name in EVENT for odd in ODD]),
    "a stream that is refused": stream_of(EVENT, status=500),
    "headers that lie": answer(
        body=b"\x1f\x8b\x00", headers={"content-encoding": "gzip", "retry-after": "\x00", "content-length": "-1"}
    ),
}
ODD_FIELDS = {f"{name} {odd!r}": answer(body={**interaction(), name: odd}) for name in FIELDS for odd in ODD}
SOME_ODD_FIELDS = {f"{FIELDS[number % len(FIELDS)]} {odd!r}" for number, odd in enumerate(ODD)}
"""Each field and each value; all pairs are for `make test-all`."""

FED = {
    "Exchange": lambda exchange: exchange,
    "Exchange | None": lambda exchange: exchange,
    "list[Exchange]": lambda exchange: [exchange, exchange],
    "Mapping[str, Exchange]": lambda exchange: dict.fromkeys({PLAIN, *ALONE}, exchange),
    "Streams": lambda exchange: dict.fromkeys(("text", "background"), exchange),
    "list[str]": lambda exchange: ["a", "b"],
}
"""What a parameter of a judge gets, by its annotation."""

BY_MODE = {"modes", "again", "streams", "fetched", "later", "chained", "stray", "early", "accepted"}
"""The parameters whose names are modes; others have names of their own."""


def judgeable():
    """The checks whose judges take only exchanges, one or several, and ids."""
    for check in CATALOGUE:
        kinds = {name: p.annotation for name, p in inspect.signature(check.judge).parameters.items()}
        by_mode = {name for name, kind in kinds.items() if kind.startswith("Mapping")} <= BY_MODE
        if set(kinds.values()) <= FED.keys() and by_mode:
            yield check, kinds


CHECKS = list(judgeable())


def feed(check, kinds, exchange):
    """The observation of one check that gets the same exchange for every parameter."""
    seen = {name: FED[kind](exchange) for name, kind in kinds.items()}
    observation = check.observe(seen)
    assert isinstance(observation, Observation)
    return observation


def test_most_judges_are_fed():
    """`judgeable` keeps four fifths of the catalogue, so the tests below cover most judges."""
    assert len(CHECKS) > 0.8 * len(CATALOGUE)


EVERYTHING = [
    *HOSTILE,
    *(name if name in SOME_ODD_FIELDS else pytest.param(name, marks=pytest.mark.thorough) for name in ODD_FIELDS),
]


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERYTHING)
def test_judges_bear_anything(name):
    """Each judge returns an observation for every hostile exchange, and its findings can be encoded."""
    for check, kinds in CHECKS:
        for finding in feed(check, kinds, {**HOSTILE, **ODD_FIELDS}[name]).findings:
            (finding.message + finding.expected + finding.actual).encode()


def test_nothing_hostile_passes_for_an_interaction():
    """A dead connection passes no check: each one fails or is untestable."""
    passed = [check.id for check, kinds in CHECKS if feed(check, kinds, HOSTILE["dead"]).outcome == "met"]
    assert passed == []
