"""Checks of voices: the life of a prompted voice. Nothing is spoken with it.

Layer 2. Creates one voice and deletes it.
"""

from __future__ import annotations

from harness.checks.vocabulary.resources import delete_and_look, judge_lives, read_and_list
from harness.checks.vocabulary.runs import id_of
from harness.contract.judge.wording import format_answer
from harness.contract.requests import RequestBuilder
from harness.kit.actions import Exchanges, Send, Steps, stop_exercise
from harness.kit.check import exercise
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


can_be_managed = judge_lives("voices", {"type": "prompted"})
