"""The judges of the checks on unusual requests, on hand-made exchanges."""

from __future__ import annotations

from typing import Any

import pytest

from harness.checks.areas.robustness import PROMPTS, WORDS, keeps_streams_apart
from tests.checks._play import CRASH, DEAD, DONE, MISSING, REFUSED, answer, case, holding, interaction, refusal
from tests.checks._streams import streamed, text_events

LIMITED = refusal(429, "rate_limit_exceeded")


MADE = [answer(body=interaction(id=f"v1_{number}")) for number in range(8)]
KEPT = [holding(prompt) for prompt in PROMPTS]

SPOKEN = [
    answer(body=interaction(steps=[{"type": "model_output", "content": [{"type": "text", "text": f"{word}!"}]}]))
    for word in WORDS
]
TEXTS = ("One.", "Two.", "Alone.")
SAID, ALSO_SAID, ALONE = (streamed(text_events(text, found=f"v1_{text}")) for text in TEXTS)
LEFT_OPEN, ALONE_OPEN = (
    streamed([event for event in text_events(text, found=f"v1_{text}") if event["event_type"] != "step.stop"])
    for text in ("One.", "Alone.")
)
STRANGE, ALSO_STRANGE, ALONE_STRANGE = (
    streamed([*text_events(text, found=f"v1_{text}")[:-1], text_events("", found="v1_Else.")[-1]])
    for text in TEXTS
)
STRAYED = streamed([*text_events("One.", found="v1_One.")[:-1], text_events("", found="v1_Two.")[-1]])
KEEPS, ALSO_KEEPS, ALONE_KEEPS = (
    answer(body=interaction(steps=[{"type": "model_output", "content": [{"type": "text", "text": text}]}]))
    for text in TEXTS
)

CASES = [
    case("rob.concurrent", "met", "some limited", created=[LIMITED, *MADE[1:]], got=KEPT[1:]),
    case("rob.concurrent", "met", "not stored", created=MADE, got=[MISSING] * 8),
    case("rob.concurrent", "non_strict", "one overloaded", created=[refusal(503), *MADE[1:]], got=KEPT[1:]),
    case("rob.concurrent", "untestable", "all limited", created=[LIMITED] * 8, got=[]),
    case("rob.concurrent", "not_met", "one id", created=[DONE] * 8, got=[KEPT[0]] * 8),
    case("rob.concurrent-output", "met", "each its own", created=SPOKEN),
    case("rob.concurrent-output", "met", "one has other words", created=[MADE[0], *SPOKEN[1:]]),
    case("rob.concurrent-output", "untestable", "other words", created=MADE),
    case("rob.concurrent-output", "untestable", "all limited", created=[LIMITED] * 8),
    case("rob.concurrent-output", "not_met", "two swapped", created=[SPOKEN[1], SPOKEN[0], *SPOKEN[2:]]),
    case("rob.concurrent", "not_met", "one crashed", created=[*MADE[:7], CRASH], got=KEPT[:7]),
    *(
        case(
            "rob.concurrent-streams",
            outcome,
            name,
            alone=alone,
            opened=opened,
            lost=[],
            streams=[*opened, alone],
            stored=[*stored, ALONE_KEEPS],
        )
        for outcome, name, opened, stored, alone in [
            ("met", "apart", [SAID, ALSO_SAID], [KEEPS, ALSO_KEEPS], ALONE),
            ("untestable", "one only", [SAID], [KEEPS], ALONE),
            ("untestable", "one not stored", [SAID, ALSO_SAID], [KEEPS, MISSING], ALONE),
            ("not_met", "swapped", [SAID, ALSO_SAID], [ALSO_KEEPS, KEEPS], ALONE),
            ("untestable", "other text alone, too", [SAID, ALSO_SAID], [ALSO_KEEPS, KEEPS], SAID),
            ("not_met", "open only in parallel", [LEFT_OPEN, ALSO_SAID], [KEEPS, ALSO_KEEPS], ALONE),
            ("met", "open alone, too", [LEFT_OPEN, ALSO_SAID], [KEEPS, ALSO_KEEPS], ALONE_OPEN),
            ("not_met", "names another", [STRAYED, ALSO_SAID], [KEEPS, ALSO_KEEPS], ALONE_OPEN),
            ("not_met", "names a third", [STRANGE, ALSO_STRANGE], [KEEPS, ALSO_KEEPS], ALONE),
            ("met", "names a third alone, too", [STRANGE, ALSO_STRANGE], [KEEPS, ALSO_KEEPS], ALONE_STRANGE),
        ]
    ),
    case(
        "rob.concurrent-streams",
        "not_met",
        "one forgotten",
        lost=[DEAD],
        alone=ALONE,
        opened=[],
        streams=[],
        stored=[],
    ),
    case("rob.deep-json", "not_met", "crash", deep=CRASH, after=MISSING),
    case("rob.deep-json", "not_met", "down", deep=REFUSED, after=DEAD),
    case("rob.method", "non_strict", "501", put=answer(501)),
    case("rob.id-injection", "met", "refused", injected=[MISSING, REFUSED]),
    case("rob.id-injection", "non_strict", "normalised", injected=[MISSING, answer(301)]),
    case("rob.id-injection", "not_met", "reached", injected=[MISSING, DONE]),
    case("rob.id-injection", "not_met", "crash", injected=[CRASH]),
]


@pytest.mark.parametrize(
    ("opened", "stored", "code"),
    [
        ([SAID, ALSO_SAID], [ALSO_KEEPS, KEEPS], "rob.concurrent-streams/mixed"),
        ([STRAYED, ALSO_SAID], [KEEPS, ALSO_KEEPS], "rob.concurrent-streams/mixed"),
        ([LEFT_OPEN, ALSO_SAID], [KEEPS, ALSO_KEEPS], "rob.concurrent-streams"),
        ([SAID, ALSO_SAID], [holding("Hi"), ALSO_KEEPS], "rob.concurrent-streams"),
    ],
    ids=["swapped", "names another", "open", "others words"],
)
def test_a_stream_is_mixed_only_if_it_has_what_is_of_another(opened: Any, stored: Any, code: str) -> None:
    """Else an event was lost, or a text changed, and that it happened beside others is chance."""
    found = keeps_streams_apart(ALONE, opened, [*opened, ALONE], [*stored, ALONE_KEEPS])
    assert {one.stable_code for one in found} == {code}
