"""The judges of the checks on answers that pause, on hand-made exchanges."""

from __future__ import annotations

from harness.checks.areas.continuation import a_paused_answer
from harness.emulator import Emulator
from harness.transport import ServiceDriver
from harness.wire import Exchange
from tests.checks._play import answer, case, interaction, play, refusal
from tests.checks._streams import event, streamed, text_events

PAUSED = answer(body=interaction(status="requires_continuation", continuation_token="dG9rZW4="))
NEXT = answer(body=interaction(id="v1_two"))
SILENT = text_events("He", status="requires_continuation")
END = {**SILENT[-1], "interaction": {**SILENT[-1]["interaction"], "continuation_token": "dG9rZW4="}}
UPDATE = event(
    "interaction.status_update", interaction_id="v1_one", status="in_progress", continuation_token="dG9rZW4="
)
HOPS = [*text_events("He")[:-1], UPDATE, text_events("He")[-1]]


def said(text: str, **fields: str) -> Exchange:
    """An interaction that answers with a text."""
    steps = [{"type": "model_output", "content": [{"type": "text", "text": text}]}]
    return answer(body=interaction(**{"id": "v1_two", "steps": steps, **fields}))


CASES = [
    case("cont.token", "met", "a token", paused=PAUSED),
    case("cont.token", "not_met", "none", paused=answer(body=interaction(status="requires_continuation"))),
    case("cont.next", "not_met", "the same id", paused=PAUSED, next_hop=PAUSED),
    case("cont.next", "not_met", "no id", paused=PAUSED, next_hop=answer(body=interaction(id=""))),
    case("cont.with-input", "not_met", "refused", with_input=refusal(400)),
    case("cont.with-input", "untestable", "did not pause", with_input=None),
    case("cont.stream", "met", "in the completion", streamed=streamed([*SILENT[:-1], END])),
    case("cont.stream", "met", "in an update", streamed=streamed([*SILENT[:-1], UPDATE, SILENT[-1]])),
    case("cont.stream", "not_met", "just ends", streamed=streamed(SILENT[:-1])),
    case("cont.stream", "not_met", "no stream", streamed=NEXT),
    case("cont.checkpoint", "met", "the rest", whole=streamed(HOPS), rest=said("llo")),
    case("cont.checkpoint", "met", "other words", whole=streamed(HOPS), rest=said("and llo")),
    case("cont.checkpoint", "not_applicable", "no token", whole=streamed(SILENT), rest=None),
    case("cont.checkpoint", "not_met", "the same id", whole=streamed(HOPS), rest=said("llo", id="v1_one")),
]  # fmt: skip


def test_an_answer_that_does_not_pause_is_no_lost_race():
    """An answer that never pauses is not excused as a lost race, because pausing does not depend on timing."""
    played = play(a_paused_answer, ServiceDriver(Emulator()))
    assert played.unmet is not None
    assert not played.unmet.race_lost
