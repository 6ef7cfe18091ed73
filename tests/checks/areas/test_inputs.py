"""The judges of media in the input and of thinking levels, on hand-made exchanges."""

from __future__ import annotations

from typing import Any

from harness.checks.areas.inputs import ALL, MEDIA, QUESTION
from tests.checks._play import DONE, answer, case, interaction, refusal

CONTENTS = {**{kind: [QUESTION, content] for kind, content in MEDIA.items()}, ALL: [QUESTION, *MEDIA.values()]}
ROWS = {
    "create.input-image": "image",
    "create.input-audio": "audio",
    "create.input-video": "video",
    "create.input-document": "document",
    "create.input-kinds": ALL,
}


def shows(*contents: Any) -> Any:
    """A stored interaction whose input holds these contents."""
    return answer(body=interaction(steps=[{"type": "user_input", "content": list(contents)}]))


def without_bytes(content: Any) -> Any:
    """A content as a server shows it that gives no bytes."""
    return {name: value for name, value in content.items() if name != "data"}


def in_other_letters(content: Any) -> Any:
    """The same bytes in the alphabet of URLs, without padding."""
    data = content.get("data", "").replace("+", "-").replace("/", "_").rstrip("=")
    return {**content, "data": data} if "data" in content else content


CASES = [
    row
    for rule, name in ROWS.items()
    for row in (
        case(rule, "met", "kept", taken={name: DONE}, kept={name: shows(*CONTENTS[name])}),
        case(rule, "met", "without bytes", taken={name: DONE},
             kept={name: shows(*map(without_bytes, CONTENTS[name]))}),
        case(rule, "met", "other base64", taken={name: DONE},
             kept={name: shows(*map(in_other_letters, CONTENTS[name]))}),
        case(rule, "met", "no input shown", taken={name: DONE}, kept={name: DONE}),
        case(rule, "met", "not kept", taken={name: DONE}, kept={}),
        case(rule, "untestable", "refused", taken={name: refusal(400)}, kept={}),
        case(rule, "not_met", "crash", taken={name: refusal(500)}, kept={}),
        case(rule, "not_met", "dropped", taken={name: DONE}, kept={name: shows(QUESTION)}),
        case(rule, "not_met", "bytes lost", taken={name: DONE},
             kept={name: shows(QUESTION, *({**part, "data": ""} for part in CONTENTS[name][1:]))}),
        case(rule, "not_met", "no base64", taken={name: DONE},
             kept={name: shows(QUESTION, *({**part, "data": "?"} for part in CONTENTS[name][1:]))}),
        case(rule, "not_met", "another order", taken={name: DONE}, kept={name: shows(*reversed(CONTENTS[name]))}),
    )
]  # fmt: skip

CASES += [
    case("create.part-backwards", "non_strict", "422", forwards=DONE, backwards=refusal(422)),
    case("create.part-backwards", "not_met", "taken", forwards=DONE, backwards=DONE),
    case("create.part-backwards", "not_met", "crash", forwards=DONE, backwards=refusal(500)),
    case("create.part-backwards", "untestable", "no parts", forwards=refusal(400), backwards=refusal(400)),
    case(
        "create.page-range",
        "non_strict",
        "422",
        first_page=DONE,
        last_page_first=refusal(422),
        zeroth=refusal(400),
    ),
    case("create.page-range", "not_met", "backwards", first_page=DONE, last_page_first=DONE, zeroth=refusal(400)),
    case(
        "create.page-range", "untestable", "no parts", first_page=refusal(400), last_page_first=DONE, zeroth=DONE
    ),
    case("model.fields", "met", "all at once", whole=DONE, alone={}, plain=None),
    case("model.fields", "met", "each alone", whole=refusal(400), alone={"seed": DONE}, plain=DONE),
    case("model.fields", "not_met", "one is not", whole=refusal(400), alone={"seed": refusal(400)}, plain=DONE),
    case("model.fields", "met", "limited once", whole=refusal(429), alone={"seed": refusal(429)}, plain=DONE),
    case("model.fields", "untestable", "no create", whole=refusal(400), alone={}, plain=refusal(403)),
    case("create.level-listed", "not_met", "refused, and a temperature is taken", listed=refusal(400), warm=DONE),
    case("create.level-listed", "untestable", "no settings at all", listed=refusal(400), warm=refusal(400)),
]
