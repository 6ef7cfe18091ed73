"""Voices: prompted, replicated and prebuilt ones, filters, pages and expiry."""

from typing import Any

import pytest

from harness.emulator.resources import voices
from tests.emulator.resources.api import Api

V = "/v1beta/voices"
PROMPTED = {"voice": {"type": "prompted", "prompted": {"input": "deep"}, "accent": "British"}, "store": True}
SPEECH = {"data": "YWJj", "mime_type": "audio/wav"}
REPLICATED = {"voice": {"type": "replicated", "display_name": "Me",
                        "replicated": {"source_audio": SPEECH, "consent_audio": SPEECH}}}  # fmt: skip


def test_a_prompted_voice_is_stored_with_a_sample(api: Api) -> None:
    """It has an id, its description and a sample; create, get and list agree and fit the schemas."""
    made = api.ok("POST", V, PROMPTED)
    assert (made["accent"], made["sample_audio"]["mime_type"]) == ("British", "audio/wav")
    assert api.ok("GET", f"{V}/{made['id']}") == made
    listed = api.ok("GET", f"{V}?page_size=2")
    assert [voice["id"] for voice in listed["voices"]] == [made["id"], "Zephyr"]


def test_a_replicated_voice_that_is_not_stored_has_only_a_key(api: Api) -> None:
    """Nothing that describes it is kept or shown; with store it has an id, and its speech is never shown."""
    made = api.ok("POST", V, REPLICATED)
    assert made.keys() == {"type", "key", "model", "expire_time"}
    kept = api.ok("POST", V, {**REPLICATED, "store": True})
    assert (kept["display_name"], "replicated" in kept, "key" in kept) == ("Me", False, False)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({**PROMPTED, "store": False}, '"store": true'),
        ({"voice": PROMPTED["voice"]}, '"store": true'),
        ({"voice": {"type": "prompted"}, "store": True}, "'input'"),
        ({"voice": {"type": "replicated"}}, "consent_audio"),
        ({"voice": {"type": "prebuilt"}}, "cannot be created"),
        ({"voice": {"type": "prompted", "colour": "red"}}, "colour"),
        ({}, "voice"),
        ([], "object"),
        (
            {"voice": {"type": "prompted", "prompted": {"input": "x", "base_voice": "voice_x"}}, "store": True},
            "no voice",
        ),
    ],
)
def test_bad_voices_are_refused(api: Api, body: Any, told: str) -> None:
    """The refusal says what is missing or wrong."""
    answer = api.send("POST", V, body)
    assert answer.status in (400, 404)
    assert told in answer.message


def test_a_deleted_voice_is_gone_and_a_prebuilt_one_stays(api: Api) -> None:
    """Own voices are deleted with `{}`; prebuilt ones cannot be."""
    made = api.ok("POST", V, PROMPTED)["id"]
    assert api.ok("DELETE", f"{V}/{made}") == {}
    assert api.refused("GET", f"{V}/{made}") == (404, "not_found")
    assert api.refused("DELETE", f"{V}/Puck") == (400, "invalid_request")


@pytest.mark.parametrize(
    ("query", "found"),
    [("type=PREBUILT&search=breezy", ["Aoede"]), ("accent=x&accent=british", ["own"]), ("pitch=low", []),
     ("search=puck", ["Puck"])],
)  # fmt: skip
def test_filters_choose(api: Api, query: str, found: list[str]) -> None:
    """Values of one filter are alternatives, filters add up, and case does not matter."""
    own = api.ok("POST", V, PROMPTED)["id"]
    listed = api.ok("GET", f"{V}?{query}").get("voices", [])
    assert [voice["id"] for voice in listed] == [own if name == "own" else name for name in found]


def test_voices_expire_unless_they_are_used(api: Api) -> None:
    """A stored voice is kept for a year, which begins anew when another voice is based on it."""
    api.now = "2026-01-01T00:00:00Z"
    base = api.ok("POST", V, PROMPTED)["id"]
    api.now = "2026-12-01T00:00:00Z"
    changed = {"voice": {"type": "prompted", "prompted": {"input": "deeper", "base_voice": base}}, "store": True}
    api.ok("POST", V, changed)
    api.now = "2027-06-01T00:00:00Z"
    assert api.send("GET", f"{V}/{base}").status == 200
    api.now = "2027-12-02T00:00:00Z"
    assert api.send("GET", f"{V}/{base}").status == 404


def test_a_project_has_a_quota(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the quota of stored voices, a create is refused with 429."""
    monkeypatch.setattr(voices, "MOST_VOICES", 1)
    api.ok("POST", V, PROMPTED)
    assert api.send("POST", V, PROMPTED).status == 429
