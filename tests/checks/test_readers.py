"""Judges of several readers of one run, on exchanges made by hand."""

from __future__ import annotations

import pytest

from harness.checks import readers
from tests.checks._play import answer, case, interaction, judge, never_broken, refusal
from tests.checks._streams import numbered, streamed, text_events

EVENTS = numbered(text_events("He", "llo ", "world"))
WHOLE = streamed(EVENTS)
HALF = streamed(EVENTS[::2])
TWICE = streamed([*EVENTS, EVENTS[3]])
EMPTY = streamed([])
JSON = answer(body=interaction())
BACK = {"had": EVENTS[:5], "token": "ev4", "replay": WHOLE}

CASES = [
    case("resume.two-readers", "met", "both", readers=[WHOLE, WHOLE], replay=WHOLE),
    case("resume.two-readers", "not_met", "shared out", readers=[WHOLE, HALF], replay=WHOLE),
    case("resume.two-readers", "not_met", "events twice", readers=[TWICE, WHOLE], replay=WHOLE),
    case("resume.two-readers", "not_met", "the second gets nothing", readers=[WHOLE, EMPTY], replay=WHOLE),
    case("resume.two-readers", "not_met", "the second refused", readers=[WHOLE, refusal(409)], replay=WHOLE),
    case("resume.two-readers", "untestable", "no replay to compare with", readers=[WHOLE, WHOLE], replay=JSON),
    case("resume.live", "met", "the rest", rest=streamed(EVENTS[5:]), **BACK),
    case("resume.live", "non_strict", "the boundary once more", rest=streamed(EVENTS[4:]), **BACK),
    case("resume.live", "not_met", "only what came later", rest=streamed(EVENTS[8:]), **BACK),
    case("resume.live", "not_met", "all of it", rest=WHOLE, **BACK),
    case("resume.live", "not_met", "JSON", rest=JSON, **BACK),
    case("resume.live", "not_met", "refused", rest=refusal(400), **BACK),
    case("resume.live", "met", "other ids in the replay", rest=streamed(EVENTS[5:]), had=EVENTS[:5], token="ev4",
         replay=streamed(text_events("He", "llo ", "world"))),
    case("resume.live", "untestable", "a replay of less than was read", rest=WHOLE, **{
        **BACK, "token": "gone", "had": numbered([*EVENTS, {}], name="gone"), "replay": streamed(EVENTS[:2])
    }),
    case("resume.live", "untestable", "no replay to compare with", rest=WHOLE, **{**BACK, "replay": JSON}),
]  # fmt: skip


@pytest.mark.parametrize(("check_id", "outcome", "exchanges"), CASES)
def test_verdicts(check_id, outcome, exchanges):
    """Each judge says of these exchanges what the table says."""
    assert judge(check_id, **exchanges).outcome is outcome


def test_every_check_can_fail():
    """For each check of the module the table holds a target that breaks it."""
    assert never_broken(readers.CHECKS, CASES) == []
