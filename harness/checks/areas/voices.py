"""Checks of voices: the life of a prompted voice. Nothing is spoken with it.

Layer 2. Creates one voice and deletes it.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.checks.vocabulary.lives import delete_and_look, judge_life, read_and_list
from harness.checks.vocabulary.polling import id_of
from harness.contract.judge.wording import format_answer
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Exchanges, Send, Steps, stop_exercise
from harness.kit.check import exercise
from harness.outcome import Finding
from harness.wire import Exchange
from harness.wire.message import segment

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
        return stop_exercise(seen, f"the target created no voice: {format_answer(seen['made'])}")
    path = f"voices/{segment(found)}"
    seen |= yield from read_and_list(t, path)
    return {**seen, **(yield from delete_and_look(t, path))}


def can_be_managed(
    made: Exchange, fetched: Exchange, listed: Exchange, deleted: Exchange, gone: Exchange
) -> Iterator[Finding]:
    shows = {"id": id_of(made), "type": "prompted"}
    yield from judge_life("voices", shows, made=made, fetched=fetched, listed=listed, deleted=deleted, gone=gone)
