"""The modes of a create: which are sent to a target, what each adds to the body, and what they show together."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from harness.checks.vocabulary.modes import (
    ALONE,
    CHAINED,
    EVERY,
    IN_A_CHAIN,
    IN_A_STREAMED_CHAIN,
    IN_ALL_AT_ONCE,
    IN_BACKGROUND,
    STREAMED,
    STREAMED_IN_BACKGROUND,
    STREAMS,
    UNSTORED,
    create_in_each_mode,
    find_lacking,
    read_ends,
)
from harness.checks.vocabulary.runs import id_of
from harness.contract.requests import RequestBuilder
from harness.emulator import Emulator, Settings
from harness.kit.actions import Send, Steps
from harness.kit.check import Exercise
from harness.transport import ServiceDriver
from harness.wire import Exchange, LogicalClock, Request, Response
from tests.checks._play import TARGET, play

ALL = frozenset({"stream", "background", "chain"})
BODY = {"input": "Say hi."}


def send(able: frozenset[str] = ALL, *, keeps: bool = True, chained: bool = True) -> tuple[list[Any], Any]:
    """The bodies that are sent in each mode, and the answers; a chain continues an interaction of the target."""
    bodies: list[dict[str, Any]] = []
    emulator = Emulator(Settings())

    def serve(request: Request) -> Response:
        if request.method == "POST":
            bodies.append(json.loads(request.body))
        return emulator(request)

    def run(t: RequestBuilder) -> Steps:
        first: Exchange = yield Send(t.create(BODY))
        bodies.clear()
        return (yield from create_in_each_mode(t, BODY, EVERY, parent=id_of(first) if chained else ""))

    target = replace(TARGET, keeps=keeps, capabilities=able)
    return bodies, play(Exercise(run, 1, 1), ServiceDriver(serve, LogicalClock()), target).exchanges


@pytest.mark.parametrize(
    ("able", "keeps", "chained", "modes"),
    [
        (ALL, True, True, EVERY - {STREAMED_IN_BACKGROUND}),
        (ALL, True, False, EVERY - CHAINED),
        (ALL, False, False, EVERY - CHAINED - {UNSTORED}),
        (ALL - {"background"}, True, True, {STREAMED, UNSTORED, IN_A_CHAIN, IN_A_STREAMED_CHAIN}),
        (ALL - {"stream"}, True, True, {IN_BACKGROUND, UNSTORED, IN_A_CHAIN}),
        (frozenset(), True, False, {UNSTORED}),
    ],
)
def test_a_target_is_asked_in_the_modes_that_it_offers(
    able: frozenset[str], keeps: bool, chained: bool, modes: set[str]
) -> None:
    """Each mode that the target offers is sent once; the stream of a background run as a turn if it can."""
    bodies, answers = send(able, keeps=keeps, chained=chained)
    assert answers.keys() == modes
    assert len(bodies) == len(modes)
    assert {mode for mode, _ in read_ends(answers)} == modes


@pytest.mark.parametrize(
    ("lacking", "seen", "said"),
    [
        (STREAMS, EVERY, "in streams"),
        ({IN_BACKGROUND, STREAMED_IN_BACKGROUND, IN_ALL_AT_ONCE}, EVERY, "in background runs"),
        (CHAINED, EVERY, "in turns of a chain"),
        ((), EVERY, ""),
        ((STREAMED,), EVERY, ""),
        (STREAMS - {STREAMED}, EVERY, ""),
        ((STREAMED,), ALONE, ""),
        ((*EVERY, ""), EVERY, ""),
    ],
)
def test_what_all_modes_of_a_kind_lack_is_found(lacking: Any, seen: frozenset[str], said: str) -> None:
    """A kind of modes lacks something if all of it does, and no other; one mode alone proves nothing."""
    assert find_lacking({mode: mode not in lacking for mode in ("", *seen)}) == said
