"""The judges of the checks on long answers, on hand-made exchanges."""

from __future__ import annotations

from harness.wire import Exchange
from tests.checks._play import answer, case, interaction, refusal
from tests.checks._streams import event, streamed, text_events


def shows(*texts: str, **fields: object) -> Exchange:
    """A look at an interaction with these outputs."""
    steps = [{"type": "model_output", "content": [{"type": "text", "text": text}]} for text in texts]
    return answer(body=interaction(steps=steps, **fields))


def told(*texts: str, found: str = "v1_one") -> Exchange:
    """The stream of the same."""
    first, *_, last = text_events(found=found)
    events = [first]
    for index, text in enumerate(texts):
        events += [
            event("step.start", index=index, step={"type": "model_output"}),
            event("step.delta", index=index, delta={"type": "text", "text": text}),
            event("step.stop", index=index),
        ]
    return streamed([*events, last])


RUNNING = shows("One, ", status="in_progress")
LOOKS = [answer(body=interaction(steps=None, status="in_progress")), RUNNING, shows("One, ", "two.")]
STREAM = told("One, ", "two.")
UNSTREAMED = refusal(400)
GOOD = {"asked": "v1_one", "text": "", "polled": LOOKS, "streamed": STREAM}

CASES = [
    case("long.same-id", "met", "two outputs", **GOOD),
    case("long.same-id", "met", "no stream", **{**GOOD, "streamed": UNSTREAMED}),
    case("long.same-id", "untestable", "one hop", **{**GOOD, "polled": [shows("One.")], "streamed": told("One.")}),
    case("long.same-id", "not_met", "the last hop only", **{**GOOD, "polled": [shows("two.")]}),
    case("long.same-id", "not_met", "an output is gone", **{
        **GOOD, "polled": [RUNNING, shows("two.")], "streamed": UNSTREAMED}),
    case("long.same-id", "not_met", "another id in a look", **{**GOOD, "polled": [shows("a", "b", id="v1_two")]}),
    case("long.same-id", "not_met", "another id told", **{**GOOD, "streamed": told("a", "b", found="v1_two")}),
    case("long.join", "met", "as streamed", **GOOD),
    case("long.join", "met", "as scripted", **{**GOOD, "text": "One, two.", "streamed": UNSTREAMED}),
    case("long.join", "untestable", "one hop", **{**GOOD, "polled": [shows("One.")]}),
    case("long.join", "untestable", "nothing to compare", **{**GOOD, "streamed": UNSTREAMED}),
    case("long.join", "not_met", "a word lost in both", **{**GOOD, "text": "One, and two."}),
    case("long.join", "not_met", "a word lost in the stream", **{**GOOD, "streamed": told("One, ", "wo.")}),
    case("long.join", "not_met", "a word said twice", **{**GOOD, "polled": [shows("One, ", "One, two.")]}),
]  # fmt: skip
