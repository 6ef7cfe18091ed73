"""Checks of voices: the life of a prompted voice. Nothing is spoken with it.

Layer 2. Creates one voice and deletes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from harness.checks.capabilities import new_registry
from harness.checks.vocabulary.expect import (
    expect_refusal,
)
from harness.checks.vocabulary.lives import delete_and_look, judge_life, judge_shapes, read_and_list
from harness.checks.vocabulary.polling import id_of
from harness.contract.judge.wording import format_answer
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Exchanges, Send, Steps, stop_exercise
from harness.kit.check import exercise, judge_one
from harness.outcome import Finding
from harness.wire import Exchange
from harness.wire.message import segment

_VOICES = new_registry()
CHECKS = _VOICES.checks

VOICE = {"type": "prompted", "prompted": {"input": "A calm voice, slightly rough."}}


@exercise(requests=6)
def a_prompted_voice(t: RequestBuilder) -> Steps:
    """Ask for a voice that is not stored, then for one that is; read, list and delete it."""
    seen: Exchanges = {"unstored": (yield Send(t.request("POST", "voices", {"voice": VOICE, "store": False})))}
    seen["made"] = yield Send(t.request("POST", "voices", {"voice": VOICE, "store": True}))
    stray = id_of(seen["unstored"])
    if stray:
        yield Send(t.request("DELETE", f"voices/{segment(stray)}"))
    found = id_of(seen["made"])
    if not found:
        return stop_exercise(seen, f"no voice could be made: {format_answer(seen['made'])}")
    path = f"voices/{segment(found)}"
    seen |= yield from read_and_list(t, path)
    return {**seen, **(yield from delete_and_look(t, path))}


@_VOICES.check(
    "voice.crud",
    a_prompted_voice,
    title="a voice can be made, read, listed and deleted",
    profile="resources",
    requires=["voices"],
    accepts=["2xx throughout, 404 in the end"],
    about="fetched",
)
def _can_be_managed(
    made: Exchange, fetched: Exchange, listed: Exchange, deleted: Exchange, gone: Exchange
) -> Iterator[Finding]:
    shows = {"id": id_of(made), "type": "prompted"}
    yield from judge_life("voices", shows, made=made, fetched=fetched, listed=listed, deleted=deleted, gone=gone)


@_VOICES.check(
    "voice.schema",
    a_prompted_voice,
    title="voices fit their schema, alone and in lists",
    profile="resources",
    requires=["voices"],
    accepts=["additional fields", "values of open enumerations"],
    everywhere=True,
)
def _fits(made: Exchange, fetched: Exchange, listed: Exchange) -> Iterator[Finding]:
    yield from judge_shapes("voice.schema", made=made, fetched=fetched, listed=listed)


_VOICES.check(
    "voice.prompted-needs-store",
    a_prompted_voice,
    title="a prompted voice that is not stored is refused",
    profile="resources",
    requires=["voices"],
    accepts=["400", "another 4xx (non-strict)"],
)(judge_one("unstored", partial(expect_refusal, accepts={400})))
