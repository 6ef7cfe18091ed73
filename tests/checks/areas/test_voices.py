"""The judges of the checks on voices, on hand-made exchanges."""

from __future__ import annotations

from tests.checks._play import EMPTY, answer, case, page_cases, refusal

VOICE = {"id": "voice_1", "type": "prompted"}


def shown(**fields):
    """A voice as GET returns it."""
    return answer(body={**VOICE, **fields}, target="/v1beta/voices/voice_1")


MADE = shown()
LISTED = answer(body={"voices": [VOICE]}, target="/v1beta/voices")
LIFE = {
    "made": MADE,
    "fetched": MADE,
    "listed": LISTED,
    "deleted": EMPTY,
    "unlisted": None,
    "gone": refusal(404, "not_found"),
}

CASES = [
    case("voice.crud", "met", "on a later page", **{**LIFE, "listed": answer(body={"next_page_token": "x"})}),
    case("voice.crud", "not_met", "another type", **{**LIFE, "fetched": shown(type="prebuilt")}),
    case("voice.crud", "not_met", "not listed", **{**LIFE, "listed": EMPTY}),
    case("voice.crud", "not_met", "still there", **{**LIFE, "gone": MADE}),
    case("voice.filter", "met", "of the type", typed=answer(body={"voices": [{"id": "v", "type": "prebuilt"}]})),
    case("voice.filter", "not_met", "another type", typed=LISTED),
    case("voice.filter", "untestable", "none", typed=EMPTY),
    case("voice.prompted-needs-store", "non_strict", "422", unstored=refusal(422)),
    *page_cases("page.voices", "voices", backwards=True),
]
